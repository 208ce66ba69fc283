import numpy as np
import pandas as pd
import pytest

from carbonray.network.graph import cell_graph
from carbonray.network.leontief import buyers, embodied_intensity, flows, leontief_inverse
from carbonray.network.measures import (
    betweenness,
    consumption_footprint,
    exposure,
    hotspots,
    hotspots_change,
    intensity_table,
    leakage_indicator,
)
from carbonray.worlds.cbam.economy import Economy

TIGHT = 1e-9


def test_embodied_intensity_of_a_chain_by_hand(chain: Economy) -> None:
    table = intensity_table(chain)
    assert table["intensity"].tolist() == [0.5, 0.2, 0.2]
    np.testing.assert_allclose(table["embodied_intensity"], [0.5, 0.2 + 0.6 * 0.5, 0.2 + 0.8 * 0.5], rtol=1e-14)


def test_leontief_inverse_turns_final_demand_into_output(broad: Economy) -> None:
    np.testing.assert_allclose(leontief_inverse(broad) @ broad.final_demand.sum(1), broad.output, rtol=TIGHT)


def test_output_without_which_emissions_have_no_carrier_is_refused(chain: Economy) -> None:
    idle = Economy(
        regions=chain.regions,
        sectors=chain.sectors,
        year=2011,
        transactions=np.zeros((3, 3)),
        final_demand=np.array([[1.0], [0.0], [1.0]]),
        emissions=np.array([1.0, 1.0, 1.0]),
    )
    with pytest.raises(ValueError, match="ONE-MILL has inputs or emissions but no output"):
        embodied_intensity(idle)


def test_footprint_of_the_border_economy_by_hand(border: Economy) -> None:
    table = consumption_footprint(border)
    imported = 0.4 * (0.5 + 0.5 * 0.8) * 90.0  # metal and its power inside the metal used at home
    returned = 0.4 * (0.5 + 0.5 * 0.8) * 10.0  # the same, sent back abroad inside home metal
    assert table.loc["HOME", "imported_mt_co2"] == pytest.approx(imported, rel=TIGHT)
    assert table.loc["HOME", "exported_mt_co2"] == pytest.approx(0.3 * 10.0, rel=TIGHT)
    assert table.loc["HOME", "domestic_mt_co2"] == pytest.approx(10.0 + 0.3 * 90.0, rel=TIGHT)
    assert table.loc["ABROAD", "domestic_mt_co2"] == pytest.approx(130.0 - imported, rel=TIGHT)
    assert table.loc["ABROAD", "imported_mt_co2"] == pytest.approx(3.0, rel=TIGHT)
    assert returned < table.loc["ABROAD", "domestic_mt_co2"]
    assert table["net_import_mt_co2"].sum() == pytest.approx(0.0, abs=TIGHT)


def test_footprints_sum_to_emissions(broad: Economy) -> None:
    table = consumption_footprint(broad)
    assert table["consumption_mt_co2"].sum() == pytest.approx(broad.emissions.sum(), rel=TIGHT)
    assert table["production_mt_co2"].sum() == pytest.approx(broad.emissions.sum(), rel=TIGHT)


def test_footprints_equal_those_of_pymrio(broad: Economy) -> None:
    assert_footprint_equals_pymrio(broad)


def test_footprints_of_the_built_in_table_equal_those_of_pymrio(world: Economy) -> None:
    assert_footprint_equals_pymrio(world)


def assert_footprint_equals_pymrio(economy: Economy) -> None:
    pymrio = pytest.importorskip("pymrio")
    cells = pd.MultiIndex.from_product([economy.regions, economy.sectors], names=["region", "sector"])
    between = pd.DataFrame(economy.transactions, index=cells, columns=cells)
    final = pd.DataFrame(economy.final_demand, index=cells, columns=pd.Index(economy.regions, name="region"))
    emissions = pd.DataFrame([economy.emissions], index=["co2"], columns=cells)
    output = pymrio.calc_x(between, final)
    inverse = pymrio.calc_L(pymrio.calc_A(between, output))
    accounts = pymrio.calc_accounts(pymrio.calc_S(emissions, output), inverse, final)
    table = consumption_footprint(economy)
    columns = ["consumption_mt_co2", "production_mt_co2", "imported_mt_co2", "exported_mt_co2"]
    for column, account in zip(columns, accounts, strict=True):
        by_region = account.T.groupby(level="region", sort=False).sum()["co2"]
        np.testing.assert_allclose(table[column], by_region.loc[list(economy.regions)], rtol=TIGHT)


def test_hotspots_of_a_chain_by_hand(chain: Economy) -> None:
    table = hotspots(chain, 3)
    assert list(zip(table["supplier"], table["buyer"], strict=True)) == [
        ("ONE-SHOP", "ONE-final"),
        ("ONE-MILL", "ONE-SHOP"),
        ("ONE-MINE", "ONE-MILL"),
    ]
    np.testing.assert_allclose(table["mt_co2"], [60.0, 40.0, 30.0], rtol=1e-14)
    assert table["musd"].tolist() == [100.0, 80.0, 60.0]
    assert table["share"].sum() == pytest.approx(130.0 / 160.0, rel=1e-14)


def test_hotspots_by_cell_add_up_the_flows_of_the_cell(chain: Economy) -> None:
    table = hotspots(chain, 10, by="cell")
    assert table["supplier"].tolist() == ["ONE-SHOP", "ONE-MINE", "ONE-MILL"]
    np.testing.assert_allclose(table["mt_co2"], [60.0, 50.0, 50.0], rtol=1e-14)
    assert table["share"].sum() == pytest.approx(1.0, rel=1e-14)


def test_hotspots_leave_out_flows_that_do_not_exist(chain: Economy) -> None:
    assert len(hotspots(chain, 100)) == 5


def test_change_splits_exactly_into_flow_and_intensity(chain: Economy) -> None:
    reference, intensity = flows(chain), embodied_intensity(chain)
    policy = reference.copy()
    policy[1, 2] = 60.0
    table = hotspots_change(policy, reference, intensity * np.array([1.0, 0.8, 1.0]), intensity, buyers(chain), 5)
    first = table.iloc[0]
    assert (first["supplier"], first["buyer"]) == ("ONE-MILL", "ONE-SHOP")
    assert first["change_mt_co2"] == pytest.approx(60.0 * 0.4 - 80.0 * 0.5, rel=1e-14)
    assert first["from_flow_mt_co2"] == pytest.approx(0.45 * -20.0, rel=1e-14)
    assert first["from_intensity_mt_co2"] == pytest.approx(-0.1 * 70.0, rel=1e-14)
    assert len(table) == 2  # the mill's sales to final demand change too, the rest does not
    assert table["share_of_change"].sum() == pytest.approx(1.0, rel=1e-14)


def test_change_by_cell_adds_up_the_flows_of_the_cell(broad: Economy) -> None:
    reference, intensity = flows(broad), embodied_intensity(broad)
    states = (reference * 1.1, reference, intensity * 0.95, intensity, buyers(broad), 1_000)
    by_edge, by_cell = hotspots_change(*states), hotspots_change(*states, by="cell")
    summed = by_edge.groupby("supplier")["change_mt_co2"].sum()
    np.testing.assert_allclose(by_cell["change_mt_co2"], summed.loc[by_cell["supplier"]], rtol=TIGHT)


def test_states_of_different_size_are_refused(chain: Economy) -> None:
    money, intensity = flows(chain), embodied_intensity(chain)
    with pytest.raises(ValueError, match=r"must be \[C, 3\] both"):
        hotspots_change(money, money, intensity, intensity, chain.cells, 5)
    with pytest.raises(ValueError, match=r"must be \[3\] both"):
        hotspots_change(money, money, intensity[:2], intensity, buyers(chain), 5)


def test_exposure_of_the_border_economy_by_hand(border: Economy) -> None:
    table = exposure(border, ["HOME"], ["MET"])
    assert table.index.tolist() == ["ABROAD-MET", "ABROAD-ELE"]
    np.testing.assert_allclose(table["direct_share"], [0.4, 0.0], rtol=1e-14)
    np.testing.assert_allclose(table["indirect_share"], [0.0, 0.2], rtol=1e-14)
    np.testing.assert_allclose(table["exposure"], [0.4 * 0.5, 0.2 * 0.8], rtol=1e-14)


def test_goods_outside_the_measure_are_not_exposed(border: Economy) -> None:
    table = exposure(border, ["HOME"], ["ELE"])
    assert not table[["direct_share", "indirect_share", "exposure"]].to_numpy().any()


def test_unknown_regions_and_sectors_are_named(border: Economy) -> None:
    with pytest.raises(ValueError, match="unknown region 'HOM'; the economy has HOME, ABROAD"):
        exposure(border, ["HOM"], ["MET"])
    with pytest.raises(ValueError, match="unknown sector 'STEEL'"):
        exposure(border, ["HOME"], ["STEEL"])


def test_leakage_indicator_of_the_border_economy_by_hand(border: Economy) -> None:
    metal = leakage_indicator(border, ["HOME"]).loc["MET"]
    assert metal["trade_intensity"] == pytest.approx((10.0 + 40.0) / (100.0 + 40.0), rel=1e-14)
    assert metal["emission_intensity"] == pytest.approx(1000.0 * 30.0 / 60.0, rel=1e-14)
    assert metal["leakage_indicator"] == pytest.approx(500.0 * 50.0 / 140.0, rel=1e-14)


def test_the_middle_of_a_chain_lies_between_its_ends(chain: Economy) -> None:
    table = betweenness(cell_graph(chain))
    assert table.index[0] == "ONE-MILL"
    assert table["betweenness"].tolist() == [0.5, 0.0, 0.0]  # one of the two ordered pairs of other cells


def test_betweenness_follows_the_larger_flow() -> None:
    transactions = np.zeros((4, 4))
    transactions[0, 1], transactions[1, 3] = 10.0, 10.0
    transactions[0, 2], transactions[2, 3] = 9.0, 10.0
    diamond = Economy(
        regions=("ONE",),
        sectors=("A", "B", "C", "D"),
        year=2011,
        transactions=transactions,
        final_demand=np.ones((4, 1)),
        emissions=np.ones(4),
    )
    table = betweenness(cell_graph(diamond))
    assert table.loc["ONE-B", "betweenness"] > 0.0
    assert table.loc["ONE-C", "betweenness"] == 0.0
