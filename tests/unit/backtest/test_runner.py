"""The backtest from end to end, with a short search: files, same bytes, page and command."""

import filecmp
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import carbonray
from carbonray.backtest import calibrate
from carbonray.backtest.hindcast import Told
from carbonray.backtest.leakage import Leaked
from carbonray.backtest.record import load_record
from carbonray.backtest.runner import Backtest, backtest, finite, fresh_folder, search
from carbonray.cli import app
from carbonray.data import load_economy
from carbonray.report.backtest_page import read, terminal, write_backtest_report
from carbonray.report.run_directory import ReportError
from carbonray.runtime.outputs import OutputError

FIRMS = 720
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> list[Backtest]:
    patch = pytest.MonkeyPatch()
    patch.setattr(calibrate, "POINTS", 1)
    patch.setattr(calibrate, "ROUNDS", 1)
    found = [backtest(firms=FIRMS, seed=3) for _ in range(2)]
    patch.undo()
    return found


@pytest.fixture(scope="module")
def folder(results: list[Backtest], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results[0].write(tmp_path_factory.mktemp("runs") / "a", finish=write_backtest_report)


def test_two_runs_write_the_same_bytes(results: list[Backtest], folder: Path, tmp_path: Path) -> None:
    other = results[1].write(tmp_path / "b", finish=write_backtest_report)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file())
    assert filecmp.cmpfiles(folder, other, names, shallow=False)[1:] == ([], [])
    assert {"report.html", "summary.json", "config.yaml", "scores.csv", "figures/skill.png"} <= set(names)


def scaled(found: Leaked, times: float) -> Leaked:
    return replace(found, foreign_increase=times * found.foreign_increase)


def test_the_verdict_agrees_with_the_studies_and_would_not_with_ten_times_the_leak(results: list[Backtest]) -> None:
    record, leak, shown = load_record(), results[0].variants[0].leaked, results[0].detection
    economy = load_economy("history-2004")
    said = Told(
        first=2004,
        regions=economy.regions,
        sectors=economy.sectors,
        net_import=np.ones((19, len(economy.regions))),
        **dict.fromkeys(("sales_home", "emissions", "output"), np.ones((19, len(economy.cells)))),
    )  # a model that knows nothing of imports: the verdict hangs on the leak and on the record, not on the fit
    own, tenfold = (search(record, said, scaled(leak, times), seed=0) for times in (1.0, 10.0))
    assert shown.agrees
    assert own.agrees
    assert (own.noise, own.detectable) == (shown.noise, shown.detectable)
    assert not tenfold.agrees


def test_free_allocation_holds_the_leak_down(results: list[Backtest]) -> None:
    free, none = (variant.leaked.foreign_increase.sum() for variant in results[0].variants[::2])
    assert free < none


def test_a_row_passes_only_if_it_reaches_every_aim(results: list[Backtest]) -> None:
    for row in results[0].scores.to_dict("records"):
        skills = [row[f"skill_{name}"] for name in ("last_value", "trend", "constant_share")]
        assert row["passed"] == (row["mape"] < 0.15 and row["r"] > 0.7 and min(skills) > 0)
        assert bool(row["likely_cause"]) == (not row["passed"])


def test_the_page_and_the_terminal_name_every_row_and_what_is_skipped(results: list[Backtest], folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    text = terminal(results[0].summary, results[0].scores)
    for row in results[0].scores[results[0].scores["headline"]].to_dict("records"):
        assert row["label"] in page
        assert row["label"] in text
    assert "production steel: skipped" in text
    assert "http://" not in page.split("<script>")[0]
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == results[0].summary


def test_a_folder_that_is_no_backtest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="is not the folder of a backtest"):
        read(tmp_path)


def test_an_existing_folder_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        CliRunner().invoke(app, ["backtest", "--out", str(tmp_path)], catch_exceptions=False)


def test_points_hold_every_forecast_of_every_year(folder: Path) -> None:
    points = pd.read_parquet(folder / "points.parquet")
    assert not points.isna().to_numpy().any()
    assert set(points.columns) >= {"observed", "model", "last_value", "trend", "constant_share"}


def test_no_number_of_a_summary_is_infinite() -> None:
    assert finite({"a": [float("nan"), 1.0], "b": float("inf")}) == {"a": [None, 1.0], "b": None}


def test_fresh_folders_are_numbered(tmp_path: Path) -> None:
    assert fresh_folder(tmp_path).name == "backtest-1"
    (tmp_path / "backtest-1").mkdir()
    assert fresh_folder(tmp_path).name == "backtest-2"


def test_the_package_and_its_room_offer_the_same_function() -> None:
    assert carbonray.run_backtest is backtest
    assert carbonray.backtest.run is backtest
    assert not callable(carbonray.backtest)
    with pytest.raises(AttributeError, match="has no attribute 'walk'"):
        _ = carbonray.backtest.walk


def test_rows_that_start_after_the_split_say_so_in_table_page_and_terminal(
    results: list[Backtest], folder: Path
) -> None:
    scores, summary = results[0].scores, results[0].summary
    late = scores[scores["anchor_first"] > 2004]
    assert set(late["key"]) == set(scores.loc[scores["group"] == "ets", "key"])
    assert late["note"].str.contains("within the years foretold").all()
    assert late["note"].str.contains("naive trend is that of the region's CO2").all()
    assert set(summary["anchored_later"]) == set(late["key"])
    assert summary["anchored_later"]["ets chemicals"] == [2013, 2013]
    page, text = (folder / "report.html").read_text(encoding="utf-8"), terminal(summary, scores)
    for label in late["label"]:
        assert f"{label}*" in page
        assert f"{label}*" in text
    assert "* forecasts start from 2005-2007 and 2013" in text
