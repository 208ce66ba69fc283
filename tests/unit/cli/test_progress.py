"""Progress where there is no terminal, as in a job's log."""

import pytest

from carbonray import cli


def test_lines_are_few_and_tell_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(cli.time, "monotonic", lambda: now[0])
    with cli._progress() as tell:
        for done in range(1, 41):
            now[0] += 1.0
            tell("simulating", done, 40, "leakage 1.50% so far")
    assert capsys.readouterr().err.splitlines() == [
        "simulating 15/40, leakage 1.50% so far",
        "simulating 30/40, leakage 1.50% so far",
    ]


def test_a_short_task_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with cli._progress() as tell:
        tell("writing", 1, 1)
    assert capsys.readouterr().err == ""
