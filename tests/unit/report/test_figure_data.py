"""Figure data against values computed by hand on a run of two regions, two sectors and four quarters."""

from types import SimpleNamespace

import numpy as np
import pytest

from carbonray.report import figure_data
from carbonray.report.charts import columns_of
from carbonray.report.figure_data import GOODS, TOTAL
from carbonray.report.summary_model import Sensitivity

EXACT = 1e-12


def test_leakage_leaves_out_quarters_in_which_the_fall_at_home_is_small(made: SimpleNamespace) -> None:
    lines = figure_data.leakage_over_time(made.steps())
    total, goods = (lines[lines.series == series] for series in (TOTAL, GOODS))
    assert list(total.when) == ["2030 Q2", "2030 Q3", "2030 Q4"]  # 0.5 of 15 Mt in Q1 is under a tenth
    assert list(total.x) == [2030.375, 2030.625, 2030.875]
    assert total.y.to_numpy() == pytest.approx([0.1] * 3, abs=EXACT)
    assert goods.y.to_numpy() == pytest.approx([0.25] * 3, abs=EXACT)
    assert total.low.isna().all()


def test_leakage_is_empty_where_emissions_at_home_never_fall(made: SimpleNamespace) -> None:
    assert figure_data.leakage_over_time(made.steps(falls=False)).empty


def test_replicas_give_a_mean_and_its_student_interval(made: SimpleNamespace) -> None:
    lines = figure_data.leakage_over_time(made.steps(replicas=2))
    last = lines[lines.series == TOTAL].iloc[-1]
    mean, half = 0.1 + 0.05 / 15, 12.706204736 * 0.05 / 15  # t(0.975, 1) times the standard error of 0.1/15 apart
    assert last.y == pytest.approx(mean, abs=EXACT)
    assert (last.low, last.high) == pytest.approx((mean - half, mean + half), abs=1e-9)


def test_cumulative_change_falls_at_home_and_rises_abroad(made: SimpleNamespace) -> None:
    lines = figure_data.emissions_over_time(made.steps())
    home = lines[(lines.panel == "At home") & (lines.series == TOTAL)]
    assert list(home.y) == pytest.approx([-0.5, -10.0, -25.0, -40.0], abs=EXACT)
    assert list(home.x) == [2030.25, 2030.5, 2030.75, 2031.0]
    abroad = lines[(lines.panel == "Abroad") & (lines.series == GOODS)]
    assert list(abroad.y) == pytest.approx([0.025, 0.5, 1.25, 2.0], abs=EXACT)


def test_emissions_by_sector_are_mean_changes_against_the_reference(made: SimpleNamespace) -> None:
    table = figure_data.emissions_by_sector(made.cells(), ["HOM"])
    assert table.loc["MET"].tolist() == [8.0, 2.0]
    assert table.loc["SRV"].tolist() == [32.0, 2.0]


def test_sector_bars_keep_sectors_that_carry_the_cut_and_have_a_rate(made: SimpleNamespace) -> None:
    by_sector = figure_data.emissions_by_sector(made.cells(), ["HOM"])
    bars = figure_data.leakage_by_sector({"MET": 0.25, "SRV": 0.0625}, by_sector, ["MET"])
    assert bars.to_numpy().tolist() == [["Services", "Other sectors", 0.0625], ["Metals", GOODS, 0.25]]
    by_sector.loc["MET", "home_reduction_mt"] = 0.1  # under a hundredth of the whole
    assert list(figure_data.leakage_by_sector({"MET": 9.0, "SRV": 0.1}, by_sector, ["MET"]).label) == ["Services"]
    assert list(figure_data.leakage_by_sector({"MET": 9.0, "SRV": None}, by_sector, []).label) == []


def test_partners_are_ranked_from_rise_to_fall() -> None:
    bars = figure_data.partners({"RUS": -6.0, "CHN": 3.0, "USA": 5.0, "XYZ": None})
    assert bars.to_numpy().tolist() == [
        ["United States", "Rise", 5.0],
        ["China", "Rise", 3.0],
        ["Russia", "Fall", -6.0],
    ]


def test_trade_counts_what_crosses_the_border_in_covered_sectors(made: SimpleNamespace) -> None:
    bars = figure_data.trade_changes(made.flows(), ["HOM"], ["MET"])
    assert bars.label.tolist() == ["FOR", "FOR"]
    assert bars.series.tolist() == ["Imports into home", "Exports from home"]
    assert bars.value.tolist() == pytest.approx([0.3, -1.0], abs=EXACT)
    assert bars.reference.tolist() == pytest.approx([3.0, 2.0], abs=EXACT)


def test_output_is_ranked_from_the_largest_fall() -> None:
    bars = figure_data.output_changes({"SRV": 0.01, "MET": -0.05, "CON": None}, ["MET"])
    assert bars.to_numpy().tolist() == [["Metals", "Pays the price", -0.05], ["Services", "Does not pay", 0.01]]


def test_costs_are_of_firms_at_home_and_the_charge_of_imports(made: SimpleNamespace) -> None:
    lines = figure_data.costs_over_time(made.cells(), ["HOM"]).set_index("series")
    assert lines.y.to_dict() == {
        "Carbon cost at home": 3.0, "Free allocation": 1.0, "Abatement cost at home": 0.0, "Border charge": 0.5,
    }  # fmt: skip


def test_sensitivity_has_a_line_for_each_capacity_elasticity() -> None:
    rows = [
        Sensitivity(sigma_scale=0.7, factor_supply=2.0, leakage_rate=0.1, leakage_rate_cbam_goods=None),
        Sensitivity(sigma_scale=0.7, factor_supply=None, leakage_rate=0.2, leakage_rate_cbam_goods=0.3),
    ]
    lines = figure_data.sensitivity_lines(rows)
    kept = lines[["panel", "series", "x", "y"]].to_numpy().tolist()
    assert kept == [
        [TOTAL, "capacity 2", 0.7, 0.1], [TOTAL, "capacity free", 0.7, 0.2], [GOODS, "capacity free", 0.7, 0.3],
    ]  # fmt: skip


def test_hotspots_take_the_largest_edges_inside_and_outside_home(made: SimpleNamespace) -> None:
    edges = figure_data.hotspot_edges(made.hotspots(), ["HOM"], inside=1, outside=2)
    assert edges[["source", "target", "change_mt", "outside"]].to_numpy().tolist() == [
        ["HOM MET", "HOM SRV", -9.0, False], ["FOR MET", "HOM SRV", 2.0, True], ["FOR SRV", "FOR final", -1.0, True],
    ]  # fmt: skip


def test_network_places_are_the_same_for_any_order_of_equal_heights_and_never_overlap(made: SimpleNamespace) -> None:
    places = columns_of(figure_data.hotspot_edges(made.hotspots(), ["HOM"]))
    for column in places.values():
        heights = list(column.values())
        assert len(set(heights)) == len(heights)
        assert np.all((np.array(heights) > 0) & (np.array(heights) < 1))
    assert places == columns_of(figure_data.hotspot_edges(made.hotspots().iloc[::-1], ["HOM"]))
