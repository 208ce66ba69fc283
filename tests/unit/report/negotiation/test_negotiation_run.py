"""Reading a negotiation's run directory: what it holds, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from carbonray.report.negotiation_run import by_number, read_negotiation_run
from carbonray.report.run_directory import ReportError


def test_members_are_those_of_the_last_year(write_run: Any) -> None:
    run = read_negotiation_run(write_run())
    assert run.members == ["R2", "R3", "R30"]
    assert len(run.others) == 24
    assert run.last == 2115
    assert run.negotiates


def test_a_member_in_half_of_the_replicas_is_one(write_run: Any, made: SimpleNamespace) -> None:
    table = made.regions(replicas=4)
    table.loc[(table["replica"] > 0) & (table["region"] == "R2"), "member"] = False
    table.loc[(table["replica"] > 1) & (table["region"] == "R3"), "member"] = False
    run = read_negotiation_run(write_run(replicas=4, regions=table))
    assert run.members == ["R3", "R30"]
    assert run.membership.loc["R2"] == 0.25


def test_regions_stand_in_the_order_of_their_numbers() -> None:
    assert sorted(["R11", "R2", "R30", "R3", "other"], key=by_number) == ["R2", "R3", "R11", "R30", "other"]


@pytest.mark.parametrize(("changes", "binds"), [({}, True), ({"binding": False}, False), ({"protocol": "none"}, False)])
def test_knows_whether_anybody_can_be_bound(write_run: Any, changes: dict[str, Any], *, binds: bool) -> None:
    folder = write_run(scenario_changes={"negotiation": {"protocol": "club"} | changes})
    assert read_negotiation_run(folder).negotiates is binds


@pytest.mark.parametrize("name", ["config.yaml", "summary.json", "years.parquet", "regions.parquet", "trade.parquet"])
def test_a_missing_file_is_named(write_run: Any, name: str) -> None:
    folder = write_run()
    (folder / name).unlink()
    with pytest.raises(ReportError, match=f"{name}: is missing"):
        read_negotiation_run(folder)


@pytest.mark.parametrize(
    ("table", "column"), [("years", "temperature_c"), ("regions", "mitigation"), ("trade", "tariff")]
)
def test_a_missing_column_and_a_number_that_is_none_are_named(
    write_run: Any, made: SimpleNamespace, table: str, column: str
) -> None:
    frame = {"regions": made.regions(), "years": made.years(made.regions()), "trade": made.trade()}[table]
    with pytest.raises(ReportError, match=f"{table}.parquet: column {column} is missing"):
        read_negotiation_run(write_run("absent", **{table: frame.drop(columns=column)}))
    frame.loc[7, column] = np.nan
    with pytest.raises(ReportError, match=f"{table}.parquet: column {column} row 7 is not finite"):
        read_negotiation_run(write_run("spoilt", **{table: frame}))


@pytest.mark.parametrize("table", ["years", "regions", "trade"])
def test_both_runs_are_needed(write_run: Any, made: SimpleNamespace, table: str) -> None:
    frame = {"regions": made.regions(), "years": made.years(made.regions()), "trade": made.trade()}[table]
    with pytest.raises(ReportError, match=f"{table}.parquet: no rows of the reference run; both are needed"):
        read_negotiation_run(write_run(**{table: frame[frame["run"] == "policy"]}))


def test_tables_of_different_years_are_refused(write_run: Any, made: SimpleNamespace) -> None:
    with pytest.raises(ReportError, match=r"regions.parquet: has other runs, replicas or years than years.parquet"):
        read_negotiation_run(write_run(years=made.years(made.regions(last=2050))))


def test_a_run_without_a_step_is_refused(write_run: Any) -> None:
    folder = write_run()
    for name in ("years", "regions"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        frame[frame["year"] == 2015].to_parquet(folder / f"{name}.parquet", index=False)
    with pytest.raises(ReportError, match=r"years.parquet: has only its first year"):
        read_negotiation_run(folder)


def _edit(path: Path, key: str, value: object) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    place = content["scenario"] if path.suffix == ".yaml" else content
    place[key] = value
    path.write_text((yaml.safe_dump if path.suffix == ".yaml" else json.dumps)(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "key", "value", "rule"),
    [
        ("config.yaml", "world", "cbam", "scenario.world is cbam; this report is for climate-negotiation"),
        ("config.yaml", "replicas", 0, "replicas: Input should be greater than or equal to 1"),
        ("config.yaml", "tariff", 1, "tariff: unknown key"),
        ("summary.json", "world", "cbam", "world: Input should be 'climate-negotiation'"),
        ("summary.json", "temperature_c", None, "temperature_c: Input should be a valid number"),
        ("summary.json", "welfare", float("nan"), "welfare: Input should be a finite number"),
        ("summary.json", "switches", [{"switch": "rates"}], "switches.0.value: Field required"),
        ("summary.json", "intervals", {"welfare": [1.0]}, "intervals.welfare.1: Field required"),
    ],
)
def test_what_is_malformed_is_named_on_one_line(write_run: Any, file: str, key: str, value: object, rule: str) -> None:
    folder = write_run()
    _edit(folder / file, key, value)
    with pytest.raises(ReportError) as refused:
        read_negotiation_run(folder)
    assert rule in str(refused.value)
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such run directory"):
        read_negotiation_run(tmp_path / "nowhere")
