"""The data of the figures of a negotiation, against hand computation."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.report import negotiation_data as data
from carbonray.report.negotiation_data import MEMBERS, OTHERS, POLICY, REFERENCE, WORLD
from carbonray.report.negotiation_run import read_negotiation_run

TIGHT = 1e-12


def at(lines: pd.DataFrame, series: str, year: int, panel: str = "") -> float:
    rows = lines[(lines["series"] == series) & (lines["x"] == year) & (lines["panel"] == panel)]
    assert len(rows) == 1
    return float(rows["y"].iloc[0])


def test_temperature_keeps_the_state_before_the_first_step_and_flows_do_not(made: SimpleNamespace) -> None:
    years = made.years(made.regions())
    warm = data.temperature(years)
    assert at(warm, POLICY, 2015) == at(warm, REFERENCE, 2015) == 0.85
    assert at(warm, POLICY, 2115) == pytest.approx(3.85, abs=TIGHT)
    assert at(warm, REFERENCE, 2115) == pytest.approx(4.85, abs=TIGHT)
    for lines in (data.imports(years), data.emissions(years, made.regions()), data.against_reference(years)):
        assert lines["x"].min() == 2020


def test_a_band_holds_nine_of_ten_replicas_and_one_replica_has_none(made: SimpleNamespace) -> None:
    assert data.temperature(made.years(made.regions()))[["low", "high"]].isna().all(axis=None)
    last = data.temperature(made.years(made.regions(replicas=3))).query("x == 2115 and series == @POLICY").iloc[0]
    assert last.y == pytest.approx(3.95, abs=TIGHT)
    assert last.low == pytest.approx(3.86, abs=TIGHT)  # 5 % of the way from 3.85 over 3.95 to 4.05
    assert last.high == pytest.approx(4.04, abs=TIGHT)


def test_emissions_of_members_and_others_add_up_to_the_world(made: SimpleNamespace) -> None:
    regions = made.regions()
    lines = data.emissions(made.years(regions), regions)
    assert at(lines, POLICY, 2050, MEMBERS) == pytest.approx(1.8, abs=TIGHT)
    assert at(lines, REFERENCE, 2050, MEMBERS) == pytest.approx(3.0, abs=TIGHT)
    assert at(lines, POLICY, 2050, OTHERS) == pytest.approx(25.2, abs=TIGHT)
    for run in (POLICY, REFERENCE):
        parts = at(lines, run, 2050, MEMBERS) + at(lines, run, 2050, OTHERS)
        assert parts == pytest.approx(at(lines, run, 2050, WORLD), abs=TIGHT)


@pytest.mark.parametrize("members", [(), None])
def test_nobody_and_everybody_a_member_leave_the_world_alone(made: SimpleNamespace, members: Any) -> None:
    regions = made.regions(made.regions()["region"].unique() if members is None else members)
    assert data.emissions(made.years(regions), regions)["panel"].unique().tolist() == [WORLD]


def test_a_region_that_leaves_counts_among_the_others_from_there_on(made: SimpleNamespace) -> None:
    regions = made.regions()
    regions.loc[regions["year"] > 2060, "member"] = regions["member"] & (regions["region"] != "R2")
    lines = data.emissions(made.years(regions), regions)
    assert at(lines, REFERENCE, 2060, MEMBERS) == pytest.approx(3.0, abs=TIGHT)
    assert at(lines, REFERENCE, 2065, MEMBERS) == pytest.approx(2.0, abs=TIGHT)
    assert at(lines, REFERENCE, 2065, OTHERS) == pytest.approx(25.0, abs=TIGHT)


def test_change_against_the_reference_is_by_replica(made: SimpleNamespace) -> None:
    lines = data.against_reference(made.years(made.regions()))
    assert at(lines, "Output", 2100) == pytest.approx((3 * 0.9 + 24 * 1.1) / 27 - 1, abs=TIGHT)
    assert at(lines, "Consumption", 2100) == pytest.approx(-0.15 / 13.5, abs=TIGHT)
    two = data.against_reference(made.years(made.regions(replicas=2)))
    assert at(two, "Consumption", 2100) == pytest.approx(np.mean([-0.15 / 13.5, -0.15 / 16.2]), abs=TIGHT)


def test_a_reference_of_nothing_has_no_change(made: SimpleNamespace) -> None:
    regions = made.regions()
    regions.loc[(regions["run"] == "reference") & (regions["year"] == 2100), "consumption_tusd"] = 0.0
    lines = data.against_reference(made.years(regions))
    assert 2100 not in set(lines.loc[lines["series"] == "Consumption", "x"])
    assert np.isfinite(lines["y"]).all()


def test_tariffs_are_told_by_who_charges_whom(made: SimpleNamespace) -> None:
    lines = data.tariffs(made.trade(), made.regions())
    assert lines["series"].unique().tolist() == ["Members on others"]  # nobody else charges any
    assert at(lines, "Members on others", 2020) == 0.0
    assert at(lines, "Members on others", 2025) == pytest.approx(0.2, abs=TIGHT)
    assert data.tariffs(made.trade(()), made.regions(())).empty


def test_shares_of_members_are_those_of_the_reference(made: SimpleNamespace) -> None:
    regions = made.regions()
    regions.loc[regions["region"] == "R2", "output_tusd"] *= 4  # so that members make 6 of 30
    lines = data.membership(regions)
    assert at(lines, "Of the regions", 2115) == pytest.approx(3 / 27, abs=TIGHT)
    assert at(lines, "Of the output", 2115) == pytest.approx(6 / 30, abs=TIGHT)
    assert at(lines, "Of the emissions", 2115) == pytest.approx(3 / 27, abs=TIGHT)


def test_cells_of_the_heat_map_stand_in_the_order_of_their_labels(made: SimpleNamespace) -> None:
    names = sorted(made.regions()["region"].unique())[::-1]
    cells = data.mitigation(made.regions(replicas=2), {name: f"{name}!" for name in names})
    assert cells["label"].unique().tolist() == [f"{name}!" for name in names]
    assert len(cells) == 27 * 20
    assert set(cells.loc[cells["region"].isin(made.members), "value"]) == {0.4}
    assert set(cells.loc[~cells["region"].isin(made.members), "value"]) == {0.0}


def test_consumption_bars_are_ranked_and_marked(write_run: Any) -> None:
    bars = data.consumption(read_negotiation_run(write_run()))
    assert len(bars) == 27
    assert bars["value"].is_monotonic_decreasing
    assert bars.tail(3)["series"].tolist() == [MEMBERS] * 3
    assert bars.tail(3)["value"].tolist() == pytest.approx([-0.1] * 3, abs=TIGHT)


def test_index_has_the_run_its_reference_and_the_extremes(write_run: Any) -> None:
    intervals = {"climate_index": [0.5, 0.7], "economic_index": [0.4, 0.6]}
    points = data.index(read_negotiation_run(write_run(summary_changes={"intervals": intervals})).summary)
    places = points.set_index("series")
    assert places.loc[POLICY, ["x", "y", "y_low", "x_high"]].tolist() == [0.5, 0.6, 0.5, 0.6]
    assert places.loc[REFERENCE, ["x", "y"]].tolist() == [0.55, 0.3]
    assert places[["x", "y"]].iloc[2:].to_numpy().tolist() == [[0.0, 1.0], [1.0, 0.0]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_a_band_lies_within_the_replicas_and_around_their_median(values: list[float]) -> None:
    row = data.line("", "a", pd.DataFrame([values], index=[2020])).iloc[0]
    assert min(values) <= row.low <= np.median(values) <= row.high <= max(values)
    assert min(values) - 1e-6 <= row.y <= max(values) + 1e-6
