"""The aged table: scaling against a hand-worked example, totals met, refusals, and the error where it is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from carbonray.data import DataError, ageing_error, ageing_text, build_vintage, load_economy, load_table
from carbonray.data.ageing import Targets, age, biproportional, outputs, proportional_demand, same_totals
from carbonray.data.build_economy import read_grouping
from carbonray.data.vintage_error import METHODS, deliveries, errors, net_embodied, parents
from carbonray.data.vintage_observed import indices, money
from carbonray.worlds.cbam import Economy

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
EXACT = 1e-12
TIGHT = 1e-9
ROUNDED = 2e-4  # the shipped ratios have four decimals


def by_region(economy: Economy, values: np.ndarray) -> np.ndarray:
    return np.asarray(values.reshape(len(economy.regions), -1).sum(1))


def grown(economy: Economy, factors: np.ndarray, **changes: object) -> Targets:
    """Targets with value added times `factors` [R], demand in proportion."""
    base = same_totals(economy)
    value_added = base.value_added * factors
    demand = proportional_demand(economy, value_added)
    return replace(base, year=2026, value_added=value_added, final_demand=demand, **changes)  # type: ignore[arg-type]


def test_two_by_two_has_the_textbook_solution() -> None:
    # Sums of rows 40, 60 and of columns 50, 50 with the cross ratio 4/6 of the first table: x (10 + x) = 2/3 (40 - x)
    # (50 - x), so x^2 + 210 x - 4000 = 0.
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    scaled = biproportional(table, rows=np.array([40.0, 60.0]), columns=np.array([50.0, 50.0]))
    corner = (-210.0 + np.sqrt(210.0**2 + 4 * 4000.0)) / 2
    assert scaled == pytest.approx(np.array([[corner, 40 - corner], [50 - corner, 10 + corner]]), rel=TIGHT)
    assert scaled[0, 0] * scaled[1, 1] / (scaled[0, 1] * scaled[1, 0]) == pytest.approx(4 / 6, rel=TIGHT)


def test_totals_that_zeros_forbid_are_refused() -> None:
    with pytest.raises(DataError, match=r"^targets: row \d: the sum is .* contradict each other"):
        biproportional(np.array([[1.0, 0.0], [0.0, 1.0]]), rows=np.array([1.0, 2.0]), columns=np.array([2.0, 1.0]))


def test_ageing_to_the_same_totals_changes_nothing(world_2011: Economy) -> None:
    aged = age(world_2011, same_totals(world_2011))
    np.testing.assert_allclose(aged.transactions, world_2011.transactions, rtol=EXACT, atol=0)
    np.testing.assert_allclose(aged.final_demand, world_2011.final_demand, rtol=EXACT, atol=0)
    np.testing.assert_allclose(aged.emissions, world_2011.emissions, rtol=EXACT, atol=0)


def test_every_total_is_met_and_the_table_balances(world_2011: Economy) -> None:
    base = same_totals(world_2011)
    factors = np.linspace(0.6, 2.6, len(world_2011.regions))
    output, emitted = np.full(144, np.nan), np.full(144, np.nan)
    output[[4, 17, 30]] = world_2011.output[[4, 17, 30]] * [0.5, 2.5, 1.1]
    emitted[[6, 42]] = world_2011.emissions[[6, 42]] * [0.4, 1.5]
    targets = grown(world_2011, factors, output=output, cell_emissions=emitted, emissions=base.emissions * factors)
    aged = age(world_2011, targets)
    np.testing.assert_allclose(by_region(aged, aged.value_added), targets.value_added, rtol=TIGHT)
    np.testing.assert_allclose(aged.final_demand.sum(0), targets.final_demand, rtol=TIGHT)
    np.testing.assert_allclose(aged.output, outputs(world_2011, targets), rtol=TIGHT)
    np.testing.assert_allclose(aged.output[[4, 17, 30]], output[[4, 17, 30]], rtol=TIGHT)
    np.testing.assert_allclose(by_region(aged, aged.emissions), targets.emissions, rtol=EXACT)
    np.testing.assert_allclose(aged.emissions[[6, 42]], emitted[[6, 42]], rtol=EXACT)
    assert (aged.transactions >= 0).all()
    assert (aged.final_demand >= 0).all()
    assert (aged.value_added[world_2011.value_added > 0] > 0).all()
    assert ((aged.transactions == 0) == (world_2011.transactions == 0)).all()
    assert aged.year == 2026


def test_the_result_is_biproportional(world_2011: Economy) -> None:
    """Cross ratios of the flows stay: z11 z22 / (z12 z21) is that of the old table."""
    aged = age(world_2011, grown(world_2011, np.linspace(0.6, 2.6, 12)))
    rows, columns = np.array([4, 77]), np.array([5, 100])

    def cross(table: np.ndarray) -> float:
        block = table[np.ix_(rows, columns)]
        return float(block[0, 0] * block[1, 1] / (block[0, 1] * block[1, 0]))

    assert cross(aged.transactions) == pytest.approx(cross(world_2011.transactions), rel=TIGHT)


def test_cells_without_target_keep_their_value_added_shares(world_2011: Economy) -> None:
    targets = grown(world_2011, np.linspace(0.6, 2.6, 12))
    np.testing.assert_allclose(
        outputs(world_2011, targets), world_2011.output * np.repeat(np.linspace(0.6, 2.6, 12), 12)
    )


def test_demand_in_proportion_keeps_balances_and_the_world_sum(world_2011: Economy) -> None:
    base = same_totals(world_2011)
    assert proportional_demand(world_2011, base.value_added) == pytest.approx(base.final_demand, rel=EXACT)
    value_added = base.value_added * np.linspace(0.6, 2.6, 12)
    demand = proportional_demand(world_2011, value_added)
    assert demand.sum() == pytest.approx(value_added.sum(), rel=EXACT)
    ratio = (demand / value_added) / (base.final_demand / base.value_added)
    assert ratio == pytest.approx(ratio[0], rel=EXACT)


def test_a_cell_that_earns_nothing_still_earns_nothing() -> None:
    economy = Economy(
        regions=("EU26",),
        sectors=("MET", "SRV"),
        year=2011,
        transactions=np.array([[0.0, 5.0], [10.0, 0.0]]),
        final_demand=np.array([[5.0], [20.0]]),
        emissions=np.array([1.0, 2.0]),
    )
    assert economy.value_added[0] == 0
    aged = age(economy, grown(economy, np.array([1.7])))
    assert 0 <= aged.value_added[0] < TIGHT
    assert aged.value_added[1] == pytest.approx(1.7 * 25, rel=TIGHT)


def test_the_same_targets_give_the_same_bytes(world_2011: Economy) -> None:
    targets = grown(world_2011, np.linspace(0.6, 2.6, 12))
    first, second = age(world_2011, targets), age(world_2011, targets)
    assert first.transactions.tobytes() == second.transactions.tobytes()
    assert first.final_demand.tobytes() == second.final_demand.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value_added": np.ones(3)}, r"^targets: value_added: has shape \(3,\); the table needs 12 values$"),
        (
            {"value_added": np.r_[-1.0, np.ones(11)]},
            r"^targets: EU26: value_added is -1; it must be a positive number$",
        ),
        ({"emissions": np.r_[1.0, np.nan, np.ones(10)]}, r"^targets: GBR: emissions is nan; it must be a positive"),
        ({"final_demand": np.ones(12)}, r"^targets: world: value added .* what is earned must be spent$"),
        ({"output": np.r_[-1.0, np.full(143, np.nan)]}, r"^targets: EU26-AGR: output is -1; it must be a positive"),
        ({"output": np.r_[1e9, np.full(143, np.nan)]}, r"^targets: EU26: cells with an output target make .* left to"),
        (
            {"cell_emissions": np.r_[1e6, np.full(143, np.nan)]},
            r"^targets: EU26: cells with an emission target leave -",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused_by_name(world_2011: Economy, change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        age(world_2011, replace(same_totals(world_2011), **change))


def test_a_table_with_negative_value_added_is_refused(world_2011: Economy) -> None:
    transactions = world_2011.transactions.copy()
    transactions[0, 5] += 2 * world_2011.value_added[5]
    broken = replace(world_2011, transactions=transactions)
    with pytest.raises(DataError, match=r"^economy: EU26-MET: value added is negative"):
        age(broken, same_totals(world_2011))


def test_the_shipped_table_has_the_shipped_totals(world_2011: Economy) -> None:
    world_2026 = load_economy("world-2026")
    ratios = load_table("vintage-indices").pivot_table(index="region", columns="quantity", values="target_ratio")
    ratios = ratios.loc[list(world_2011.regions)]
    earned = by_region(world_2026, world_2026.value_added) / by_region(world_2011, world_2011.value_added)
    emitted = by_region(world_2026, world_2026.emissions) / by_region(world_2011, world_2011.emissions)
    assert earned == pytest.approx(ratios["gdp"].to_numpy(), rel=ROUNDED)
    assert emitted == pytest.approx(ratios["co2"].to_numpy(), rel=ROUNDED)
    assert world_2026.year == 2026
    assert (world_2026.value_added > 0).all()
    power = world_2011.sectors.index("ELE") + 12 * np.arange(12)
    assert (world_2026.output / world_2011.output)[power] == pytest.approx(
        (ratios["power"] * ratios["price_level"]).to_numpy(), rel=ROUNDED
    )


def test_goods_are_aged_by_tonnes_at_their_unit_values(world_2011: Economy) -> None:
    before, aged = load_table("goods-2011-goods"), load_table("goods-2026-goods")
    ratios = load_table("vintage-indices").set_index(["quantity", "region"])["target_ratio"]
    names = {"STL": "steel", "ALU": "aluminium", "CEM": "cement", "FER": "fertiliser"}
    wanted = [ratios[names[good], region] for good, region in zip(before["sector"], before["region"], strict=True)]
    assert (aged["tonnes"] / before["tonnes"]).to_numpy() == pytest.approx(np.array(wanted), rel=ROUNDED)
    assert aged["unit_value_usd_t"].to_numpy() == pytest.approx(before["unit_value_usd_t"].to_numpy(), rel=EXACT)
    economy = load_economy("goods-2026")
    cells = {name: number for number, name in enumerate(economy.cells)}
    made = [
        economy.output[cells[f"{region}-{good}"]] for good, region in zip(aged["sector"], aged["region"], strict=True)
    ]
    worth = aged["tonnes"] * aged["unit_value_usd_t"] / 1e6
    assert worth.to_numpy() == pytest.approx(np.array(made), rel=TIGHT)


def test_the_aged_economies_agree() -> None:
    world, goods = load_economy("world-2026"), parents(load_economy("goods-2026"))
    assert world.sectors == goods.sectors
    np.testing.assert_allclose(goods.transactions, world.transactions, rtol=TIGHT)
    np.testing.assert_allclose(goods.final_demand, world.final_demand, rtol=TIGHT)
    np.testing.assert_allclose(goods.emissions, world.emissions, rtol=TIGHT)


GOLDEN = {
    "value added by region": (2.1, 42.6, 34.7),
    "output by cell": (13.5, 47.9, 40.0),
    "final demand": (15.9, 45.6, 39.1),
    "intermediate flows": (27.8, 54.4, 49.6),
    "flows between regions": (46.2, 59.8, 54.9),
    "EU26 purchases of metals by origin": (18.7, 48.9, 12.3),
    "EU26 imports of metals by origin": (29.0, 53.6, 26.6),
    "EU26 purchases of minerals by origin": (16.7, 29.7, 25.7),
    "EU26 imports of minerals by origin": (33.5, 50.3, 44.6),
    "EU26 purchases of chemicals by origin": (13.8, 41.4, 17.1),
    "EU26 imports of chemicals by origin": (23.9, 56.3, 31.3),
    "EU26 net imports of embodied CO2": (7.7, 29.5, 3.8),
    "CO2 by cell": (18.4, 37.8, 42.1),
}
"""Errors in per cent of the table of 2000 aged to 2011, unchanged, and grown with the world."""


def test_the_shipped_errors_are_the_known_ones() -> None:
    table = ageing_error().pivot_table(index="quantity", columns="method", values="error_percent")
    assert set(table.index) == set(GOLDEN)
    for quantity, known in GOLDEN.items():
        assert table.loc[quantity, list(METHODS)].to_numpy() == pytest.approx(known, abs=0.051), quantity


def test_the_errors_print_one_line_for_each_quantity() -> None:
    lines = ageing_text().splitlines()
    assert len(lines) == 1 + len(GOLDEN) + 2
    assert lines[-1].startswith("Worse than a simpler way in: ")
    assert "EU26 net embodied CO2" in lines[-1] or "EU26 net imports of embodied CO2" in lines[-1]
    assert lines[0].split()[-4:] == ["aged", "unchanged", "world", "growth"]
    assert lines[2].split() == ["output", "by", "cell", "13.5", "47.9", "40.0"]


def test_the_truth_has_no_error(world_2011: Economy) -> None:
    table = errors(aged=world_2011, before=world_2011, truth=world_2011)
    assert (table["error_percent"] == 0).all()
    assert table["estimate"].to_numpy() == pytest.approx(table["truth"].to_numpy(), rel=EXACT)


def test_embodied_carbon_nets_out_over_the_world(world_2011: Economy) -> None:
    net = np.array([net_embodied(world_2011, region) for region in range(12)])
    assert net.sum() == pytest.approx(0.0, abs=1e-6 * world_2011.emissions.sum())
    assert deliveries(world_2011).sum(1) == pytest.approx(world_2011.output, rel=EXACT)


def test_a_table_without_split_sectors_is_its_own_parent(world_2011: Economy) -> None:
    assert parents(world_2011) is world_2011


def test_money_of_2011_is_the_unit() -> None:
    assert money(base=2011, year=2011) == 1.0
    assert money(base=2000, year=2011) == pytest.approx(78.1 / 98.2)
    # 1.045 euros of 2026 for a euro of 2024, of 1.0824 USD; a euro of 2026 is a USD of 2011
    assert money(base=2011, year=2024) == pytest.approx(1.045 / 1.0824)


@needs_raw
@pytest.mark.raw
def test_observed_ratios_are_those_of_the_sources() -> None:
    observed = build_vintage.everything(RAW, read_grouping(RAW))
    seen = indices(observed, base=2011, year=2024)
    assert seen.loc["CHN", "steel"] == pytest.approx(1005.1 / 702.0, rel=0.01)  # worldsteel, Mt
    assert seen.loc["GBR", "co2"] == pytest.approx(312.9 / 469.7, rel=1e-3)  # GCB 2025
    assert seen.loc["USA", "gdp"] == pytest.approx(29.1849 / 15.5997 * 1.045 / 1.0824, rel=1e-9)
    assert seen.loc["EU26", "power"] == pytest.approx(2709.2 / 2891.2, rel=1e-3)  # Ember, TWh
    ahead = indices(observed, base=2011, year=2026)
    assert ahead.loc["IND", "gdp"] == pytest.approx(seen.loc["IND", "gdp"] * 1.06**2)
    assert ahead.loc["EU26", "co2"] == pytest.approx(seen.loc["EU26", "co2"] * (2407.7 / 3021.2) ** 0.2, rel=1e-3)


@needs_raw
@pytest.mark.raw
@pytest.mark.slow
def test_the_test_of_the_recipe_never_reads_the_table_it_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    grouping = read_grouping(RAW)
    observed = build_vintage.everything(RAW, grouping)
    expected = build_vintage.aged_early(RAW, grouping, observed)
    read = []

    def spy(raw: Path, groups: object, *, year: int) -> object:
        read.append(year)
        return original(raw, groups, year=year)

    original = build_vintage.aggregate
    monkeypatch.setattr(build_vintage, "aggregate", spy)
    again = build_vintage.aged_early(RAW, grouping, observed)
    assert read == [2000]
    assert again.transactions.tobytes() == expected.transactions.tobytes()


@needs_raw
@pytest.mark.raw
def test_the_base_tables_are_made_as_the_built_in_one(world_2011: Economy) -> None:
    made = build_vintage.base_table(RAW, read_grouping(RAW), year=2011)
    assert made.transactions == pytest.approx(world_2011.transactions, rel=EXACT)
    assert made.emissions == pytest.approx(world_2011.emissions, rel=EXACT)
