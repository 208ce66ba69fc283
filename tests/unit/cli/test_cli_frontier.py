"""`carbonray frontier`: bad input is one line, and nothing is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--draws", "1"), "carbonray: --draws 1: an interval needs at least two\n"),
        (("--without", "tariffs"), "carbonray: --without tariffs: no such lever; there are coverage, free_allocation"),
        (("--regulator", "absent"), "carbonray: policy absent: there is no such folder"),
        (("--jobs", "0"), "carbonray: --jobs 0: at least one run must be under way\n"),
    ],
)
def test_what_makes_no_sense_is_one_line(carbonray: Run, tmp_path: Path, words: tuple[str, ...], rule: str) -> None:
    code, out, error = carbonray("frontier", "law", *words, "--out", str(tmp_path / "frontier"))
    assert code == 2
    assert out == ""
    assert error.startswith(rule)
    assert error.count("\n") == 1
    assert not (tmp_path / "frontier").exists()


def test_an_existing_folder_is_refused_before_anything_is_run(carbonray: Run, tmp_path: Path) -> None:
    code, _, error = carbonray("frontier", "law", "--out", str(tmp_path))
    assert code == 2
    assert error == f"carbonray: {tmp_path}: exists already; give a new name with --out\n"
