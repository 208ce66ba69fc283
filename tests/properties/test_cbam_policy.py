"""How leakage answers to the policy and to the sensitive assumptions, in the simulation and in its oracle."""

from collections.abc import Callable
from dataclasses import replace as changed

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.config import Scenario
from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world
from carbonray.kpi.leakage import leakage
from carbonray.runtime import inprocess, pair
from carbonray.runtime.equilibrium import static_leakage
from carbonray.runtime.pair import Pair
from carbonray.runtime.robustness import summary_of
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.firms import Firms, replace

TIGHT = 1e-9
NOTICEABLE = 0.2  # points of leakage between neighbours of a scan
COVERED = ("CHE", "NMM", "MET")
COALITIONS = ("[EU26]", "[EU26,GBR]", "[EU26,GBR,USA]", "[EU26,GBR,USA,JPN,KTW,CAU]")
NO_GROWTH = "growth={}"


def simulated_rate(run: Pair) -> float:
    """Per cent, in the last quarter."""
    home = run.world.policy.home_cell.numpy()
    return 100 * float(leakage(run.policy.emissions[-1, 0], run.reference.emissions[-1, 0], home).rate)


def scan(simulated: Callable[..., Pair], key: str, values: tuple[object, ...], *settings: str) -> list[float]:
    return [simulated_rate(simulated("test-arm", "years=4", f"{key}={value}", *settings)) for value in values]


class TestSimulation:
    def test_leakage_rises_with_substitution(self, simulated: Callable[..., Pair]) -> None:
        assert np.diff(scan(simulated, "market.sigma_scale", (0.6, 0.8, 1.0, 1.3))).min() > NOTICEABLE

    def test_leakage_rises_with_the_supply_of_the_fixed_factor(self, simulated: Callable[..., Pair]) -> None:
        assert np.diff(scan(simulated, "market.factor_supply", (0.5, 1.0, 2.0, 4.0))).min() > NOTICEABLE

    def test_leakage_falls_as_the_coalition_grows(self, simulated: Callable[..., Pair]) -> None:
        assert np.diff(scan(simulated, "home", COALITIONS)).max() < -NOTICEABLE

    def test_the_border_charge_lowers_leakage(self, simulated: Callable[..., Pair]) -> None:
        assert np.diff(scan(simulated, "policy.cbam", ("false", "true"))).max() < -5

    def test_the_law_leaks_less_than_auctioning_without_a_charge(self, simulated: Callable[..., Pair]) -> None:
        law = simulated("law", "years=4", "start_year=2031")
        without = simulated("law", "years=4", "start_year=2031", "policy.cbam=false")
        assert simulated_rate(law) < simulated_rate(without) - NOTICEABLE

    def test_exports_of_covered_goods_fall_without_a_rebate_and_rise_with_one(
        self, simulated: Callable[..., Pair]
    ) -> None:
        plain, rebated = (
            summary_of(simulated("law", "years=4", "start_year=2031", f"policy.export_rebate={share}"))
            for share in (0.0, 1.0)
        )
        for sector in COVERED:
            without, with_rebate = (run["exports_change_by_sector"][sector] for run in (plain, rebated))
            assert without < 0
            assert with_rebate > without


class TestOracle:
    @pytest.mark.parametrize(
        ("key", "values", "sign"),
        [
            ("market.sigma_scale", (0.5, 0.8, 1.0, 1.3), 1),
            ("market.factor_supply", (0.5, 1.0, 2.0, 4.0, ".inf"), 1),
            ("home", COALITIONS, -1),
            ("policy.cbam", ("false", "true"), -1),
        ],
    )
    def test_leakage_at_rest_answers_as_in_the_simulation(
        self, world_2011: Economy, key: str, values: tuple[object, ...], sign: int
    ) -> None:
        found = [
            static_leakage(load("test-arm", (f"{key}={value}",)), economy=world_2011)["leakage_rate"]
            for value in values
        ]
        assert (sign * np.diff(found)).min() > NOTICEABLE / 100


def permuted(economy: Economy, order: list[int]) -> tuple[Economy, np.ndarray]:
    """The economy with its regions in another order, and where each of its cells was before."""
    regions, n_sectors = np.array(order), len(economy.sectors)
    cells = (regions[:, None] * n_sectors + np.arange(n_sectors)).ravel()
    moved = changed(
        economy,
        regions=tuple(economy.regions[region] for region in order),
        transactions=economy.transactions[np.ix_(cells, cells)],
        final_demand=economy.final_demand[np.ix_(cells, regions)],
        emissions=economy.emissions[cells],
    )
    return moved, cells


class TestPermutation:
    @given(order=st.permutations(range(4)))
    @settings(max_examples=6, deadline=None)
    def test_permuting_regions_permutes_results(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], order: list[int]
    ) -> None:
        equal_firms = {"firms.intensity_spread": 0.0, "firms.slots": 0}  # draws follow the firm's number
        scenario = small_scenario("law", years=1, start_year=2030, **equal_firms)
        other, cells = permuted(small_economy, order)
        before, after = (pair.run(scenario, economy=economy) for economy in (small_economy, other))
        for side in ("policy", "reference"):
            here, there = getattr(before, side), getattr(after, side)
            np.testing.assert_allclose(there.emissions, here.emissions[:, :, cells], rtol=TIGHT)
            np.testing.assert_allclose(there.price, here.price[:, :, cells], rtol=TIGHT)
        assert simulated_rate(after) == pytest.approx(simulated_rate(before), rel=TIGHT)

    def test_permuting_firms_of_a_cell_permutes_their_results(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        world = build_world(small_scenario("law", start_year=2030, **{"firms.slots": 0}), small_economy)
        ends = world.firms.cell_ends.tolist()
        starts = [0, *ends[:-1]]
        order = torch.cat([torch.arange(start, end).flip(0) for start, end in zip(starts, ends, strict=True)])
        plain, moved = (self._run(world, order=order) for order in (torch.arange(ends[-1]), order))
        torch.testing.assert_close(moved.output, plain.output[:, order], rtol=TIGHT, atol=0)
        torch.testing.assert_close(moved.profit, plain.profit[:, order], rtol=TIGHT, atol=TIGHT)
        torch.testing.assert_close(moved.stock, plain.stock[..., order], rtol=TIGHT, atol=0)

    @staticmethod
    def _run(world: object, *, order: torch.Tensor) -> Firms:
        ids = np.arange(len(order))
        state = inprocess.reset(world, 0, 1, [{"firm": ids}])  # type: ignore[arg-type]
        firms = state.agents[0]
        mixed = {
            name: getattr(firms, name)[..., order].contiguous()
            for name in ("plan", "capacity", "base_intensity", "stock", "cover", "embodied", "output", "intensity")
        }
        state = inprocess.State(agents=(replace(firms, **mixed),), commons=state.commons)
        for step in range(world.steps):  # type: ignore[attr-defined]
            shocks = world.shocks(0, 1, step, {"firm": ids})  # type: ignore[attr-defined]
            state = inprocess.advance(world, state, [shocks], [ids]).state  # type: ignore[arg-type]
        return state.agents[0]


class TestReference:
    @pytest.mark.parametrize("name", ["law", "no-cbam", "variable"])
    def test_partners_keep_their_own_prices_in_the_reference(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], name: str
    ) -> None:
        run = pair.run(small_scenario(name, years=1), economy=small_economy)
        home = run.world.policy.home_cell.numpy()
        paid = [side.accounts["carbon_cost"].sum((0, 1)) for side in (run.policy, run.reference)]
        assert paid[0][home].sum() > 0
        assert paid[1][home].sum() == 0
        assert paid[1][~home].sum() > 0

    def test_without_policy_run_and_reference_are_the_same(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        run = pair.run(small_scenario("no-policy"), economy=small_economy)
        assert np.array_equal(run.policy.emissions, run.reference.emissions)
        assert len(run.policy.emissions) == run.scenario.years * QUARTERS
