"""Plants on the command line: a flag, a list of one's own, and its refusals."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from carbonray.data.plants import plants_template

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--years", "1", "--no-robust", "--firms", "1000")


@pytest.mark.slow
def test_the_flag_alone_reports_the_most_exposed(carbonray: Run, tmp_path: Path) -> None:
    code, out, _ = carbonray("simulate", "law", "--plants", *QUICK, "--out", "run")
    assert code == 0
    assert "most exposed plants, 2026 (819 plants)" in out
    assert "most exposed companies, 2026" in out
    plants = pd.read_parquet(tmp_path / "run" / "plants.parquet")
    assert len(plants) == 819
    assert (tmp_path / "run" / "companies.parquet").is_file()
    assert "plants: " in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_list_of_ones_own_is_simulated_and_its_scenario_file_finds_it(carbonray: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "list.csv").write_text(plants_template(), encoding="utf-8")
    code, out, _ = carbonray("simulate", "law", "--plant-list", "mine/list.csv", *QUICK, "--out", "run")
    assert (code, "(5 plants)" in out) == (0, True)
    (tmp_path / "mine" / "law.yaml").write_text("firms: {plants: list.csv, number: 1000}\nyears: 1\n", encoding="utf-8")
    code, out, _ = carbonray("simulate", "mine/law.yaml", "--no-robust", "--out", "again")
    assert (code, "(5 plants)" in out) == (0, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("P2,", "P1,"), "list.csv: row 1 (P1): repeats row 0; plant_id must be unique"),
        ((",95000,", ",-95000,"), "list.csv: row 1 (P2): emissions_t is -95000; every value must be"),
        (("72142000", "99999999"), "list.csv: row 1 (P2): cn_code 99999999 is unknown;"),
        (("EU26,ES", "EU99,ES"), "list.csv: row 1 (P2): region EU99 is unknown; there are EU26, GBR"),
        (("GB,,REF", "GB,,TEA"), "list.csv: row 4 (P5): sector TEA is unknown; there are AGR"),
    ],
)
def test_a_bad_list_is_one_line_and_nothing_is_written(
    carbonray: Run, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    (tmp_path / "list.csv").write_text(plants_template().replace(*change), encoding="utf-8")
    code, out, error = carbonray("simulate", "law", "--plant-list", "list.csv", *QUICK)
    assert (code, out) == (2, "")
    assert words in error
    assert error.strip().count("\n") == 0
    assert [file.name for file in tmp_path.rglob("*") if file.name != "runs"] == ["list.csv"]


def test_an_unknown_list_is_refused(carbonray: Run) -> None:
    code, _, error = carbonray("simulate", "law", "--plant-list", "nowhere.csv", *QUICK)
    assert (code, "nowhere.csv: no such file" in error) == (2, True)
