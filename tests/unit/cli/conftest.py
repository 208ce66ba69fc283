"""The command line as a user types it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from carbonray import cli, report

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def carbonray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "write_report", lambda folder, **how: Path(folder) / "report.html", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["carbonray", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return run
