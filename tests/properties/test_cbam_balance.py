"""What holds in every quarter of a run: the base year stays, and goods, money and carbon balance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from carbonray.config import Scenario
from carbonray.data.worlds import build_world
from carbonray.network.measures import consumption_footprint
from carbonray.runtime import inprocess
from carbonray.runtime.pair import Pair
from carbonray.runtime.tables import economy_in
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.commons import Cleared
from carbonray.worlds.cbam.firms import Firms, by_cell, replace

TIGHT = 1e-9
LOOSE = 1e-3  # of world emissions, ten years after a shock of five per cent
SHOCK = 0.05
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Quarter:
    """One step of a run: the firms before and after it, and what the market gave."""

    before: Firms
    after: Firms
    cleared: Cleared
    accounts: dict[str, Tensor]


def quarters(world: CbamWorld, *, shock: Tensor | float = 0.0, replicas: int = 1) -> Iterator[Quarter]:
    """Step a world from the base year, every firm's first plan moved by a share."""
    ids = np.arange(len(world.firms.size))
    state = inprocess.reset(world, 0, replicas, [{"firm": ids}])
    firms = state.agents[0]
    state = inprocess.State(agents=(replace(firms, plan=firms.plan * (1 + shock)),), commons=state.commons)
    for step in range(world.steps):
        shocks = world.shocks(0, replicas, step, {"firm": ids})
        taken = inprocess.advance(world, state, [shocks], [ids])
        cleared = taken.state.commons.cleared
        assert cleared is not None
        yield Quarter(
            before=state.agents[0], after=taken.state.agents[0], cleared=cleared, accounts=dict(taken.accounts)
        )
        state = taken.state


def largest(*deviations: Tensor) -> float:
    return max(deviation.abs().max().item() for deviation in deviations)


class TestBaseYear:
    def test_without_policy_the_base_year_stays(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        world = build_world(
            small_scenario("no-policy", years=10, growth={}, **{"firms.intensity_trend": 0}), small_economy
        )
        assert world.firms.intensity_spread > 0  # firms differ
        assert world.firms.stock_target > 0
        for quarter in quarters(world):
            after = quarter.after
            assert largest(after.output / world.firms.size - 1, quarter.cleared.price - 1) < TIGHT
            assert largest(after.stock / quarter.before.stock - 1, after.margin) < TIGHT
            assert (
                largest(quarter.accounts["emissions"] / (world.technology.output * world.technology.intensity) - 1)
                < TIGHT
            )

    def test_with_growth_the_base_year_stays_relative_to_the_trend(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        world = build_world(small_scenario("no-policy", years=10), small_economy)
        technology = world.technology
        for step, quarter in enumerate(quarters(world)):
            path = technology.output * technology.trend[step]
            cleaner = 0.99 ** (step / QUARTERS)
            assert largest(quarter.accounts["output"] / path - 1, quarter.cleared.price - 1) < TIGHT
            assert largest(quarter.accounts["emissions"] / (path * technology.intensity * cleaner) - 1) < TIGHT
        assert technology.trend[-1].min() > 1.1  # the path does grow

    def test_the_built_in_world_stays_too(self, world_2011: Economy, simulated: Callable[..., Pair]) -> None:
        run = simulated("no-policy")
        trend = run.world.technology.trend[: run.world.steps].numpy()
        made = run.policy.output[:, 0] / (world_2011.output / QUARTERS * trend)
        assert np.abs(made - 1).max() < TIGHT
        assert np.abs(run.policy.price - 1).max() < TIGHT

    @pytest.mark.parametrize("shock", ["up", "down", "apart"])
    def test_a_shock_to_every_plan_dies_out(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], shock: str
    ) -> None:
        world = build_world(
            small_scenario("no-policy", years=10, growth={}, **{"firms.intensity_trend": 0}), small_economy
        )
        apart = torch.where(torch.arange(len(world.firms.size)) % 2 == 0, SHOCK, -SHOCK)
        moved = {"up": SHOCK, "down": -SHOCK, "apart": apart}[shock]
        emissions = [quarter.accounts["emissions"].sum().item() for quarter in quarters(world, shock=moved)]
        base = (world.technology.output * world.technology.intensity).sum().item()
        assert abs(emissions[0] / base - 1) > LOOSE  # the shock is felt
        assert abs(emissions[-1] / base - 1) < LOOSE

    def test_a_shock_to_the_built_in_world_dies_out(
        self, world_2011: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        base_year = {"economy": "world-2011", "years": 10, "growth": {}, "firms.number": 1300}
        world = build_world(small_scenario("no-policy", **base_year, **{"firms.intensity_trend": 0}), world_2011)
        emissions = [quarter.accounts["emissions"].sum().item() for quarter in quarters(world, shock=SHOCK)]
        assert abs(emissions[-1] / world_2011.emissions.sum() * QUARTERS - 1) < LOOSE


POLICIES = {
    "law": {},
    "exporters bear it all": {"policy.incidence": 1.0},
    "buyers bear it all": {"policy.incidence": 0.0},
    "export rebate": {"policy.export_rebate": 1.0},
    "default values": {"policy.reporting": "default"},
    "indirect emissions": {"policy.indirect_sectors": ["NMM", "CHE"]},
    "threshold": {"policy.threshold_t": 50.0},
}


@pytest.fixture(scope="module", params=sorted(POLICIES))
def policy_quarters(
    request: pytest.FixtureRequest, small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> tuple[CbamWorld, list[Quarter]]:
    world = build_world(small_scenario("law", start_year=2030, **POLICIES[request.param]), small_economy)
    return world, list(quarters(world, replicas=2))


def rent(world: CbamWorld, quarter: Quarter) -> Tensor:
    """[B, n] of a unit: the own factor's bill is v w^(1 - eps) c^eps by Shephard's lemma."""
    firms, market = quarter.after, world.market
    cell = firms.shard.cell
    use = firms.output / (firms.capacity * by_cell(quarter.cleared.trend, cell))
    price = use ** (1 / market.factor_supply)
    bill = by_cell(world.technology.factor_share, cell) * price ** (1 - market.inputs) * firms.scale
    inputs = 1 - bill / firms.scale ** (1 / market.inputs)
    return bill / (1 + market.factor_supply - market.inputs * inputs)


class TestQuarterlyAccounts:
    def test_goods_made_are_sold(self, policy_quarters: tuple[CbamWorld, list[Quarter]]) -> None:
        for quarter in policy_quarters[1]:
            sold = quarter.cleared.flows.sum((2, 3)).transpose(1, 2).flatten(1)
            torch.testing.assert_close(sold, quarter.accounts["output"], rtol=TIGHT, atol=0)

    def test_goods_bought_are_used_or_stocked(self, policy_quarters: tuple[CbamWorld, list[Quarter]]) -> None:
        world, run = policy_quarters
        n_sectors = len(world.sectors)
        for quarter in run:
            cell = quarter.after.shard.cell
            scale = quarter.before.scale * quarter.after.output
            used = by_cell(quarter.cleared.input_need, cell) * scale.unsqueeze(1)
            stocked = quarter.after.stock - quarter.before.stock
            bought = quarter.cleared.market.purchases[..., :n_sectors].flatten(2)  # [B, S, C]
            taken = torch.zeros_like(bought).index_add(2, cell, used + stocked)
            torch.testing.assert_close(taken, bought, rtol=TIGHT, atol=TIGHT)

    def test_money_paid_by_buyers_reaches_sellers_and_customs(
        self, policy_quarters: tuple[CbamWorld, list[Quarter]]
    ) -> None:
        world, run = policy_quarters
        for quarter in run:
            cleared, firms = quarter.cleared, quarter.after
            paid = (cleared.flows * cleared.market.log_delivered.exp().unsqueeze(3)).flatten(1).sum(1)
            cost = firms.scale ** (1 / world.market.inputs)  # the scale of inputs is unit cost to the power epsilon
            cost -= rent(world, quarter)  # which the firm keeps
            carbon = by_cell(cleared.carbon_price, firms.shard.cell) * firms.intensity
            free = by_cell(cleared.allocation, firms.shard.cell)
            spent = ((cost + carbon - free) * firms.output).sum(1) + quarter.accounts["abatement_cost"].sum(1)
            received = firms.profit.sum(1) + spent
            torch.testing.assert_close(paid, received + firms.paid.sum(1), rtol=TIGHT, atol=0)

    def test_customs_receive_what_each_firm_owes_on_what_crosses(
        self, policy_quarters: tuple[CbamWorld, list[Quarter]]
    ) -> None:
        world, run = policy_quarters
        home = world.policy.home
        crosses = (home.repeat_interleave(len(world.sectors))[:, None] != home).to(torch.float64)
        for quarter in run:
            sold = quarter.cleared.flows.sum(3).permute(0, 3, 1, 2).flatten(1, 2)  # [B, C, R]
            share = (sold * crosses).sum(2) / sold.sum(2)
            owed = by_cell(share, quarter.after.shard.cell) * quarter.after.charge * quarter.after.output
            torch.testing.assert_close(quarter.after.paid, owed, rtol=TIGHT, atol=TIGHT)
            by_goods = (sold * crosses).sum(2) * quarter.cleared.charge
            torch.testing.assert_close(quarter.accounts["border_charge"], by_goods, rtol=TIGHT, atol=TIGHT)
        assert run[-1].accounts["border_charge"].abs().sum() > 1  # million USD: something is charged


def accounts_by_pymrio(economy: Economy) -> tuple[np.ndarray, np.ndarray]:
    """Consumption and production accounts [R] of an economy, Mt CO2."""
    pymrio = pytest.importorskip("pymrio")
    cells = pd.MultiIndex.from_product([economy.regions, economy.sectors], names=["region", "sector"])
    between = pd.DataFrame(economy.transactions, index=cells, columns=cells)
    final = pd.DataFrame(economy.final_demand, index=cells, columns=pd.Index(economy.regions, name="region"))
    emissions = pd.DataFrame([economy.emissions], index=["co2"], columns=cells)
    output = pymrio.calc_x(between, final)
    inverse = pymrio.calc_L(pymrio.calc_A(between, output))
    accounts = pymrio.calc_accounts(pymrio.calc_S(emissions, output), inverse, final)
    regions = list(economy.regions)
    consumed, produced = (a.T.groupby(level="region", sort=False).sum()["co2"].loc[regions] for a in accounts[:2])
    return consumed.to_numpy(), produced.to_numpy()


class TestCarbon:
    @pytest.mark.parametrize("side", ["policy", "reference"])
    def test_carbon_produced_is_carbon_consumed_as_pymrio_counts_it(
        self, simulated: Callable[..., Pair], side: str
    ) -> None:
        run = simulated("law", "years=3")
        shown = economy_in(run, getattr(run, side))
        table = consumption_footprint(shown)
        emitted = getattr(run, side).emissions[-QUARTERS:, 0].sum()
        assert table["production_mt_co2"].sum() == pytest.approx(emitted, rel=TIGHT)
        assert table["consumption_mt_co2"].sum() == pytest.approx(emitted, rel=TIGHT)
        consumed, produced = accounts_by_pymrio(shown)
        np.testing.assert_allclose(table["consumption_mt_co2"], consumed, rtol=TIGHT)
        np.testing.assert_allclose(table["production_mt_co2"], produced, rtol=TIGHT)

    def test_embodied_intensity_of_firms_comes_to_rest_at_the_leontief_solution(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario]
    ) -> None:
        scenario = small_scenario("no-policy", years=10, growth={}, **{"firms.intensity_trend": 0, "firms.slots": 0})
        world = build_world(scenario, small_economy)
        *_, last = quarters(world)
        mean = torch.zeros_like(world.technology.output).index_add(
            0, last.after.shard.cell, (last.after.embodied * last.after.output)[0]
        )
        torch.testing.assert_close(mean / world.technology.output, world.technology.embodied, rtol=TIGHT, atol=0)
