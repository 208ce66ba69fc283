"""Carbon of carriage in a run: sums, signs, and that an economy without it has none."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from carbonray.config import Scenario
from carbonray.kpi.leakage import leakage
from carbonray.kpi.transport import carried, transport
from carbonray.runtime import pair, tables
from carbonray.runtime.pair import Pair
from carbonray.runtime.robustness import summary_of
from carbonray.worlds.cbam import Economy

TIGHT = 1e-9
Fit = Callable[..., Scenario]


@pytest.fixture(scope="module")
def hauled(small_economy: Economy, small_scenario: Fit) -> Pair:
    """The small economy, where carriage costs 0.1 t a thousand dollars between regions and twice that from China."""
    cells, regions = len(small_economy.cells), len(small_economy.regions)
    at_home = np.repeat(np.eye(regions), cells // regions, axis=0) > 0
    freight = np.where(at_home, 0.0, 1e-4)
    freight[[cell.startswith("CHN") for cell in small_economy.cells]] *= 2
    return pair.run(small_scenario("law"), economy=replace(small_economy, freight=freight))


def test_edges_of_the_table_of_flows_sum_to_the_total(hauled: Pair) -> None:
    summary, flows = summary_of(hauled), tables.flows(hauled)
    mine = flows[flows["run"] == "policy"]
    assert mine["transport_mt"].sum() == pytest.approx(summary["transport_mt"], rel=TIGHT)
    np.testing.assert_allclose(mine.groupby("year")["transport_mt"].sum(), summary["transport_by_year_mt"], rtol=TIGHT)
    other = flows[flows["run"] == "reference"]["transport_mt"].sum()
    assert summary["transport_mt"] - other == pytest.approx(summary["transport_change_mt"], rel=1e-6)


def test_nothing_is_carried_within_a_region_and_every_edge_by_hand(hauled: Pair) -> None:
    flows = tables.flows(hauled)
    at_home = flows["from_region"].astype(str) == flows["to_region"].astype(str)
    assert (flows[at_home]["transport_mt"] == 0).all()
    from_china = flows[~at_home & (flows["from_region"] == "CHN")]
    np.testing.assert_allclose(from_china["transport_mt"], 2e-4 * from_china["volume_musd"], rtol=TIGHT)


def test_the_rate_counts_carriage_as_foreign(hauled: Pair) -> None:
    summary = summary_of(hauled)
    rise = summary["foreign_increase_mt"] + summary["transport_change_mt"]
    assert summary["leakage_rate_with_transport"] == pytest.approx(rise / summary["home_reduction_mt"], rel=TIGHT)


def test_imports_of_home_are_a_part_by_good(hauled: Pair) -> None:
    summary, flows = summary_of(hauled), tables.flows(hauled)
    into = flows[(flows["run"] == "policy") & (flows["to_region"] == "EU26") & (flows["from_region"] != "EU26")]
    by_sector = into.groupby("from_sector", observed=True)["transport_mt"].sum()
    assert summary["transport_imports_by_sector_mt"] == pytest.approx(by_sector.to_dict(), rel=TIGHT)


def test_carriage_does_not_move_anything_else(hauled: Pair, small_economy: Economy, small_scenario: Fit) -> None:
    without = summary_of(pair.run(small_scenario("law"), economy=small_economy))
    found = summary_of(hauled)
    assert {k: v for k, v in found.items() if "transport" not in k} == {
        k: v for k, v in without.items() if "transport" not in k
    }


def test_an_economy_without_freight_has_zero_and_no_rate(small_economy: Economy, small_scenario: Fit) -> None:
    result = pair.run(small_scenario("law", years=1), economy=small_economy)
    summary = summary_of(result)
    assert summary["transport_mt"] == summary["transport_change_mt"] == 0
    assert summary["leakage_rate_with_transport"] is None
    assert (tables.flows(result)["transport_mt"] == 0).all()


def test_dearer_miles_scale_and_replicas_are_averaged(hauled: Pair) -> None:
    assert hauled.economy.freight is not None
    home = hauled.world.policy.home.numpy()
    one, two = (
        transport(hauled.policy, hauled.reference, factor * hauled.economy.freight, sectors=hauled.world.sectors,
                  home=home)
        for factor in (1.0, 2.0)
    )  # fmt: skip
    assert two["transport_mt"] == pytest.approx(2 * one["transport_mt"], rel=TIGHT)
    assert carried(hauled.policy, hauled.economy.freight).sum() == pytest.approx(one["transport_mt"], rel=TIGHT)


def test_no_fall_at_home_no_rate(hauled: Pair) -> None:
    home = hauled.world.policy.home.numpy()
    still = transport(
        hauled.reference, hauled.reference, hauled.economy.freight, sectors=hauled.world.sectors, home=home
    )
    assert still["leakage_rate_with_transport"] is None
    assert still["transport_change_mt"] == 0
    assert np.isnan(leakage(hauled.reference.emissions, hauled.reference.emissions, np.repeat(home, 6)).rate).all()
