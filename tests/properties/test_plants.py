"""Plants as named firms: cells stay exact, bytes do not depend on sharding, and exposures add up to the accounts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.config import Scenario
from carbonray.data import DataError
from carbonray.data.placing import LARGEST_SHARE, place
from carbonray.data.plants import COLUMNS, Plants, load_plants
from carbonray.data.worlds import build_world, cell_of_firm
from carbonray.kpi.history import yearly
from carbonray.runtime import exposure, inprocess, pair
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.economy import Goods
from carbonray.worlds.cbam.firms import draw_intensities

EXACT = 1e-12
TIGHT = 1e-9
WITH_PLANTS = {"firms.plants": "eu", "years": 1, "start_year": 2030}


def listed(*rows: dict[str, Any]) -> Plants:
    """A list of plants with some values given."""
    common = {"name": "works", "company": "Testville AG", "country": "DE", "region": "EU26", "sector": "STL"}
    frame = pd.DataFrame([{"plant_id": f"P{i}", **common, "output_t": np.nan} | row for i, row in enumerate(rows)])
    return Plants(label="mine.csv", table=frame.reindex(columns=list(COLUMNS)))


@pytest.fixture(scope="module")
def world(small_economy: Economy, small_scenario: Callable[..., Scenario]) -> CbamWorld:
    return build_world(small_scenario("law", **WITH_PLANTS), small_economy)


@pytest.fixture(scope="module")
def run(small_economy: Economy, small_scenario: Callable[..., Scenario]) -> pair.Pair:
    return pair.run(small_scenario("law", **WITH_PLANTS | {"years": 2, "replicas": 2}), economy=small_economy)


def by_cell(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, ends - np.diff(ends, prepend=0))


class TestPlacing:
    def test_cells_keep_their_output_and_emissions(self, world: CbamWorld, small_economy: Economy) -> None:
        size, ends = world.firms.size.numpy(), world.firms.cell_ends.numpy()
        for replica in range(2):
            intensity = draw_intensities(world.firms, world.technology, seed=3, replica=replica)
            assert intensity.min() > 0
            np.testing.assert_allclose(by_cell(size * intensity, ends) * 4, small_economy.emissions, rtol=EXACT)
        np.testing.assert_allclose(by_cell(size, ends) * 4, small_economy.output, rtol=EXACT)

    def test_plants_are_the_first_firms_of_their_cells_and_five_more_follow(
        self, world: CbamWorld, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        placed = place(load_plants("eu"), small_economy)
        ends, own = world.firms.cell_ends.numpy(), world.firms.own_intensity
        assert own is not None
        known = np.flatnonzero(~np.isnan(own.numpy()))
        np.testing.assert_array_equal(placed.named.firms(ends), known)
        cells = cell_of_firm(small_economy, small_scenario("law", **WITH_PLANTS))
        np.testing.assert_array_equal(cells[known], placed.named.cell)
        plants, firms = placed.named.counts(len(ends)), np.diff(ends, prepend=0)
        assert (firms[plants > 0] >= plants[plants > 0] + 5).all()
        for cell in np.flatnonzero(plants):
            first = placed.named.output[placed.named.cell == cell]
            assert (np.diff(first) <= 0).all()

    def test_the_base_allocation_of_a_cell_is_what_it_is_without_plants(self, world: CbamWorld) -> None:
        factor, ends = world.firms.own_allocation, world.firms.cell_ends.numpy()
        assert factor is not None
        size = world.firms.size.numpy()
        np.testing.assert_allclose(by_cell(size * factor.numpy(), ends), by_cell(size, ends), rtol=EXACT)
        assert factor.min() >= 0
        assert factor.std() > 0.1

    @given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
    @settings(max_examples=20, deadline=None)
    def test_any_list_leaves_room_for_the_sampled_firms(self, small_economy: Economy, seed: int, scale: float) -> None:
        rng = np.random.default_rng(seed)
        parents = {"STL": "MET", "CEM": "NMM", "FER": "CHE", "REF": "REF"}
        cells = dict(zip(small_economy.cells, small_economy.emissions * 1e6, strict=True))
        most = {sector: cells[f"EU26-{parent}"] for sector, parent in parents.items()}
        rows = [
            {
                "sector": sector,
                "emissions_t": min(e * 1e6 * scale, most[sector]),  # a plant beyond its cell is refused
                "free_allocation_t": a * 1e6 * scale,
            }
            for sector in ("STL", "CEM", "FER", "REF")
            for e, a in rng.pareto(1.06, (12, 2)) * (rng.random((12, 2)) > (0, 0.2))
        ]
        placed = place(listed(*rows), small_economy)
        output = np.bincount(placed.named.cell, placed.named.output, len(small_economy.cells))
        emitted = np.bincount(placed.named.cell, placed.named.output * placed.named.intensity, len(small_economy.cells))
        assert (output <= small_economy.output * LARGEST_SHARE * (1 + EXACT)).all()
        assert (emitted <= small_economy.emissions * LARGEST_SHARE * (1 + EXACT)).all()
        rest = (small_economy.emissions - emitted) / (small_economy.output - output)
        there = output > 0
        assert (rest[there] <= 3 * (small_economy.emissions / small_economy.output)[there] * (1 + TIGHT)).all()
        weighted = np.bincount(placed.named.cell, placed.named.output * placed.named.allocation, len(output))
        np.testing.assert_allclose(weighted, output, rtol=TIGHT)

    def test_output_is_allocation_over_the_benchmark_and_intensity_what_follows(self, small_economy: Economy) -> None:
        cell = small_economy.cells.index("EU26-MET")
        mean = small_economy.emissions[cell] / small_economy.output[cell]
        rows = ({"emissions_t": 9e5, "free_allocation_t": 9e5}, {"emissions_t": 9e5, "free_allocation_t": 0.0})
        placed = place(listed(*rows), small_economy)
        np.testing.assert_allclose(placed.named.output, [0.9 / (0.9 * mean), 0.9 / mean], rtol=EXACT)
        np.testing.assert_allclose(placed.named.intensity, [0.9 * mean, mean], rtol=EXACT)
        assert placed.named.allocation[1] == 0.0
        assert placed.table["plant_id"].tolist() == ["P0", "P1"]

    def test_given_tonnes_count_at_the_unit_value_of_the_economy(self, small_economy: Economy) -> None:
        values = np.where([name == "EU26-MET" for name in small_economy.cells], 800.0, np.nan)
        goods = Goods(unit_value=values, benchmark=values / 500, default_value=values, default_benchmark=values / 500)
        row = {"emissions_t": 2e5, "free_allocation_t": 1e5, "output_t": 1e6}
        placed = place(listed(row), replace(small_economy, goods=goods))
        np.testing.assert_allclose(placed.named.output, [800.0], rtol=EXACT)  # million USD
        np.testing.assert_allclose(placed.named.intensity, [0.2 / 800.0], rtol=EXACT)

    @pytest.mark.parametrize(
        ("row", "words"),
        [
            ({"region": "MARS"}, r"^mine\.csv: row 0 \(P0\): region MARS is unknown; there are EU26, CHN"),
            ({"sector": "TEA"}, r"^mine\.csv: row 0 \(P0\): sector TEA is unknown; there are REF, CHE"),
            ({"emissions_t": 0.0, "output_t": 5.0}, r"^mine\.csv: row 0 \(P0\): .* the plant has no size"),
        ],
    )
    def test_a_plant_that_has_no_place_is_refused_by_row(
        self, small_economy: Economy, row: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(DataError, match=words):
            place(listed({"emissions_t": 1e5, "free_allocation_t": 0.0} | row), small_economy)


class TestBytes:
    def test_random_shards_give_the_bytes_of_one(self, world: CbamWorld) -> None:
        whole = stepped(world, [np.arange(len(world.firms.size))])
        for count in (2, 3):
            shard_of = np.random.default_rng(count).integers(0, count, len(world.firms.size))
            shards = [np.flatnonzero(shard_of == shard) for shard in range(count)]
            parts = stepped(world, shards)
            for name, values in whole.accounts.items():
                assert parts.accounts[name].numpy().tobytes() == values.numpy().tobytes(), name
            for mine, firms in zip(shards, parts.state.agents, strict=True):
                all_firms = whole.state.agents[0]
                for name in ("profit", "margin", "intensity", "stock"):
                    there = getattr(all_firms, name)[..., mine].contiguous()
                    assert getattr(firms, name).contiguous().numpy().tobytes() == there.numpy().tobytes(), name

    def test_the_base_year_stays_at_rest(self, small_economy: Economy, small_scenario: Callable[..., Scenario]) -> None:
        still = {"firms.plants": "eu", "growth": {}, "firms.intensity_trend": 0.0, "years": 1}
        taken = stepped(build_world(small_scenario("no-policy", **still), small_economy), None, steps=4)
        np.testing.assert_allclose(taken.accounts["output"][0] * 4, small_economy.output, rtol=TIGHT)
        np.testing.assert_allclose(taken.accounts["emissions"][0] * 4, small_economy.emissions, rtol=TIGHT)

    def test_a_scenario_without_plants_has_no_trace_of_them(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        world = build_world(small_scenario("law", years=1), small_economy)
        assert world.firms.own_intensity is None
        assert world.firms.own_allocation is None
        assert len(world.firms.size) == 240
        assert "allocation" not in stepped(world, None).accounts


def stepped(world: CbamWorld, shards: list[np.ndarray] | None, *, steps: int = 2) -> inprocess.Step[Any, Any]:
    ids = shards or [np.arange(len(world.firms.size))]
    state = inprocess.reset(world, 0, 2, [{"firm": mine} for mine in ids])
    for step in range(steps):
        taken = inprocess.advance(world, state, [world.shocks(0, 2, step, {"firm": mine}) for mine in ids], ids)
        state = taken.state
    return taken


class TestExposure:
    def test_plants_and_sampled_firms_add_up_to_their_cells(self, run: pair.Pair) -> None:
        assert run.plants is not None
        table = exposure.plant_years(run)
        ends = run.world.firms.cell_ends.numpy()
        sampled = np.ones(ends[-1], dtype=bool)
        sampled[run.plants.named.firms(ends)] = False
        columns = {
            "carbon_cost": "carbon_cost_musd", "allocation": "free_allocation_musd", "output": "output_musd",
            "border_charge": "border_charge_musd", "profit": "profit_musd", "emissions": "emissions_mt",
        }  # fmt: skip
        for year in (0, 1):
            mine = table[table["year"] == 2030 + year]
            assert mine["plant_id"].tolist() == run.plants.table["plant_id"].tolist()
            for name, column in columns.items():
                firms = run.policy.firms[year][name].mean(0)
                rest = by_cell(np.where(sampled, firms, 0.0), ends)
                plants = np.bincount(run.plants.named.cell, mine[column], len(ends))
                accounts = yearly(run.policy.accounts[name])[year].mean(0)
                np.testing.assert_allclose(plants + rest, accounts, rtol=TIGHT, atol=1e-6, err_msg=name)

    def test_net_cost_is_cost_less_allowances_plus_charge_and_companies_are_sums(self, run: pair.Pair) -> None:
        plants = exposure.plant_years(run)
        net = plants["carbon_cost_musd"] - plants["free_allocation_musd"] + plants["border_charge_musd"]
        np.testing.assert_allclose(plants["net_carbon_cost_musd"], net, rtol=EXACT, atol=EXACT)
        companies = exposure.company_years(plants)
        named = plants[plants["company"] != ""]
        for column in ("net_carbon_cost_musd", "profit_change_musd", "output_musd", "emissions_t"):
            assert companies[column].sum() == pytest.approx(named[column].sum(), rel=TIGHT)
        assert companies.groupby("year")["plants"].sum().tolist() == named.groupby("year").size().tolist()

    def test_the_first_rank_pays_most(self, run: pair.Pair) -> None:
        for table in (exposure.plant_years(run), exposure.company_years(exposure.plant_years(run))):
            first = exposure.most_exposed(table)
            assert len(first) == 10
            assert first["rank"].tolist() == list(range(1, 11))
            last = table[table["year"] == 2031]
            assert first["net_carbon_cost_musd"].iloc[0] == last["net_carbon_cost_musd"].max()

    def test_the_text_says_what_is_meant_and_what_is_not(self, run: pair.Pair) -> None:
        plants = exposure.plant_years(run)
        text = exposure.exposure_text(plants, exposure.company_years(plants))
        assert "Exposed: net carbon cost of the last year" in text
        assert "Output is inferred" in text
        assert text.count("\n") == 27

    def test_a_run_without_plants_has_no_exposure(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        plain = pair.run(small_scenario("law", years=1), economy=small_economy)
        with pytest.raises(ValueError, match="names no plants"):
            exposure.plant_years(plain)

    def test_the_reference_run_holds_the_same_plants(self, run: pair.Pair) -> None:
        reference = run.reference.firms[0]
        assert reference["output"].shape == run.policy.firms[0]["output"].shape
        home = torch.as_tensor([r == "EU26" for r in run.world.regions]).repeat_interleave(len(run.world.sectors))
        paid = run.reference.accounts["carbon_cost"][:, :, home.numpy()]
        assert (paid == 0).all()


class TestRunDirectory:
    def test_tables_are_written_with_units(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], tmp_path: Path
    ) -> None:
        from carbonray.data.arrow import parquet
        from carbonray.runtime.outputs import write_table

        found = pair.run(small_scenario("law", **WITH_PLANTS), economy=small_economy)
        write_table(exposure.plant_years(found), tmp_path / "plants.parquet")
        schema = parquet.read_schema(tmp_path / "plants.parquet")
        assert schema.field("net_carbon_cost_musd").metadata == {b"unit": b"million USD of 2011, a year"}
        assert schema.field("emissions_t").metadata == {b"unit": b"t CO2e a year, observed"}
        assert schema.field("cost_share").metadata == {b"unit": b"fraction"}
