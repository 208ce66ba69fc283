"""A run directory that is incomplete or malformed is refused in one line naming the file and the rule."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from carbonray.report import ReportError, read_run, write_report


def refusal(folder: Path) -> str:
    with pytest.raises(ReportError) as caught:
        write_report(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert not (folder / "report.html").exists()
    return message


def test_reads_units_of_every_table(run_dir: Path) -> None:
    run = read_run(run_dir)
    names = ["cells.parquet", "charges.parquet", "flows.parquet", "hotspots.parquet", "steps.parquet"]
    assert [file.name for file in run.files] == names
    assert run.home == ("HOM",)
    assert run.covered == ("MET",)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such run directory"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.yaml", "summary.json", "steps.parquet", "cells.parquet", "hotspots.parquet"])
def test_missing_file_is_named(run_dir: Path, name: str) -> None:
    (run_dir / name).unlink()
    assert f"{name}: is missing" in refusal(run_dir)


def test_missing_column_is_named(write_run: Any, made: SimpleNamespace) -> None:
    folder = write_run(cells=made.cells().drop(columns="emissions_mt"))
    assert "cells.parquet: column emissions_mt is missing" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_number_that_is_not_finite_is_named_with_its_row(write_run: Any, made: SimpleNamespace, value: float) -> None:
    table = made.flows()
    table.loc[3, "volume_musd"] = value
    assert "flows.parquet: column volume_musd row 3 is not finite" in refusal(write_run(flows=table))


def test_rates_may_be_null_where_there_is_none(write_run: Any, made: SimpleNamespace) -> None:
    assert read_run(write_run(steps=made.steps(falls=False))).steps.leakage_rate.isna().all()


def test_empty_code_text_for_numbers_and_empty_table_are_refused(write_run: Any, made: SimpleNamespace) -> None:
    no_code = made.cells()
    no_code.loc[2, "region"] = None
    assert "column region row 2 is empty" in refusal(write_run("a", cells=no_code))
    text = made.cells().assign(output_musd="much")
    assert "column output_musd is not numeric" in refusal(write_run("b", cells=text))
    assert "steps.parquet: has no rows" in refusal(write_run("c", steps=made.steps().iloc[:0]))


def test_both_runs_and_the_home_region_are_needed(write_run: Any, made: SimpleNamespace) -> None:
    cells = made.cells()
    assert "no rows of the reference run" in refusal(write_run("a", cells=cells[cells.run == "policy"]))
    assert "no rows of the home region HOM" in refusal(write_run("b", cells=cells[cells.region != "HOM"]))


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("summary.json", "{", "is not valid JSON"),
        ("summary.json", "[]", "summary.json: the file: Input should be"),
        ("summary.json", '{"scenario": "x"}', "years: Field required"),
        ("config.yaml", "a: [", "is not valid YAML"),
        ("config.yaml", "carbonray: 1", "under the key `scenario`"),
        ("config.yaml", "scenario: {name: x, surprise: 1}", "surprise: unknown key"),
        ("cells.parquet", "no table", "is not a Parquet file"),
    ],
)
def test_malformed_file_is_named_with_its_rule(run_dir: Path, name: str, content: str, rule: str) -> None:
    (run_dir / name).write_text(content, encoding="utf-8")
    message = refusal(run_dir)
    assert name in message
    assert rule in message


def test_nan_in_summary_is_refused(run_dir: Path) -> None:
    path = run_dir / "summary.json"
    path.write_text(path.read_text().replace('"leakage_rate": 0.1,', '"leakage_rate": NaN,'), encoding="utf-8")
    assert "leakage_rate: Input should be a finite number" in refusal(run_dir)


def test_report_that_cannot_be_written_is_named(run_dir: Path) -> None:
    (run_dir / "figures").write_text("in the way", encoding="utf-8")
    assert "figures: cannot be written" in refusal(run_dir)
