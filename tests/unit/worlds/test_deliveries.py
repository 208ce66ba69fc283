"""Disruptions: what is struck is not delivered, what is delivered was made, and a shortage travels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.config import Scenario
from carbonray.data.worlds import build_world
from carbonray.kpi.history import History
from carbonray.kpi.summary import stability
from carbonray.runtime import inprocess, pair
from carbonray.runtime.robustness import summary_of
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.commons import Cleared
from carbonray.worlds.cbam.deliveries import delivered_share, pool_fill, purchases
from carbonray.worlds.cbam.firms import Firms, by_cell
from carbonray.worlds.cbam.settle import _stocks
from carbonray.worlds.world import Mail, Pool, Shocks

TIGHT = 1e-9
START = 2030


def event(**changes: Any) -> dict[str, Any]:
    """China's metals stop for two quarters from the second quarter on."""
    return {"region": "CHN", "sector": "MET", "year": START, "quarter": 2, "quarters": 2} | changes


Fit = Callable[..., Scenario]


@pytest.fixture(scope="module")
def struck(small_scenario: Fit) -> Fit:
    def fit(*events: dict[str, Any], **changes: Any) -> Scenario:
        calm = {"start_year": START, "years": 2, "growth": {}, "firms.intensity_trend": 0}
        return small_scenario("no-policy", **(calm | {"disruptions.events": list(events)} | changes))

    return fit


@dataclass(frozen=True, kw_only=True)
class Quarter:
    """A step opened up: what suppliers were asked and what customers heard."""

    before: Firms
    after: Firms
    cleared: Cleared
    accounts: dict[str, Tensor]
    mail: Mail
    totals: dict[str, Tensor]


class Listening(CbamWorld):
    """The world, and a note of the last mail and pool."""

    heard: dict[str, Any] = {}  # noqa: RUF012  one per process: tests step one world at a time

    def settle(self, agents: Firms, commons: Any, mail: Mail) -> Any:
        self.heard["mail"] = mail
        return super().settle(agents, commons, mail)

    def clear(self, commons: Any, pool: Pool, shocks: Shocks, round: int) -> Any:
        if round == 2:
            self.heard["totals"] = dict(pool.totals)
        return super().clear(commons, pool, shocks, round)


def quarters(scenario: Scenario, economy: Economy) -> Iterator[Quarter]:
    made = build_world(scenario, economy)
    world = Listening(**{name: getattr(made, name) for name in made.__dataclass_fields__})
    ids = np.arange(len(world.firms.size))
    state = inprocess.reset(world, 0, scenario.replicas, [{"firm": ids}])
    for step in range(world.steps):
        shocks = world.shocks(0, scenario.replicas, step, {"firm": ids})
        taken = inprocess.advance(world, state, [shocks], [ids])
        cleared = taken.state.commons.cleared
        assert cleared is not None
        yield Quarter(
            before=state.agents[0],
            after=taken.state.agents[0],
            cleared=cleared,
            accounts=dict(taken.accounts),
            mail=world.heard["mail"],
            totals=world.heard["totals"],
        )
        state = taken.state


class TestPool:
    @given(
        supply=st.floats(1.0, 100.0),
        named=st.floats(0.0, 1.0),
        severity=st.floats(0.0, 1.0),
        targeted=st.floats(0.0, 1.0),
        spot=st.floats(0.0, 1.0),
    )
    @settings(deadline=None)
    def test_deliveries_are_supply_less_what_is_lost(
        self, supply: float, named: float, severity: float, targeted: float, spot: float
    ) -> None:
        orders = named * supply
        orders_lost = targeted * severity * orders
        lost = orders_lost + severity * (supply - orders)
        fill = pool_fill(
            *(torch.tensor([[x]], dtype=torch.float64) for x in (supply, lost, orders, orders_lost)), spot
        ).item()
        assert 0.0 <= fill <= 1.0
        delivered = (orders - orders_lost) + fill * (supply - orders + spot * orders_lost)
        assert delivered <= supply - lost + TIGHT * supply
        if fill < 1.0:
            assert delivered == pytest.approx(supply - lost, rel=TIGHT, abs=TIGHT)

    def test_half_lost_of_a_pool_fills_half(self) -> None:
        ten, five, none = (torch.tensor([[x]], dtype=torch.float64) for x in (10.0, 5.0, 0.0))
        assert pool_fill(ten, five, none, none, 0.5).item() == pytest.approx(0.5)

    def test_customers_of_a_struck_supplier_crowd_the_spot_market(self) -> None:
        # 10 made, 4 of it for named customers, all of whose suppliers stop; they ask the pool of 6 for half of their 4.
        numbers = (torch.tensor([[x]], dtype=torch.float64) for x in (10.0, 4.0, 4.0, 4.0))
        assert pool_fill(*numbers, 0.5).item() == pytest.approx(6 / 8)


class TestEvents:
    def test_an_event_strikes_its_cell_in_its_quarters_only(self, struck: Fit, small_economy: Economy) -> None:
        world = build_world(struck(event(severity=0.4)), small_economy)
        ids = np.arange(len(world.firms.size))
        cell = np.repeat(np.arange(24), np.diff(world.firms.cell_ends, prepend=0))
        hit = cell == small_economy.cells.index("CHN-MET")
        for step in range(world.steps):
            draws = world.shocks(0, 1, step, {"firm": ids}).agents["firm"]
            kept = (1 - draws["known"]) * (1 - draws["struck"])
            expected = np.where(hit & (step in (1, 2)), 0.6, 1.0)
            np.testing.assert_allclose(kept[0], expected, atol=TIGHT)
            assert bool((draws["known"] > 0).any()) == (step == 2)  # a firm knows of an outage that goes on

    def test_only_the_largest_firms_are_struck_where_that_is_asked(self, struck: Fit, small_economy: Economy) -> None:
        world = build_world(struck(event(largest=2)), small_economy)
        ids = np.arange(len(world.firms.size))
        hit = np.flatnonzero(world.shocks(0, 1, 1, {"firm": ids}).agents["firm"]["struck"][0])
        first = int(world.firms.cell_ends[small_economy.cells.index("CHN-MET") - 1])
        assert hit.tolist() == [first, first + 1]

    @pytest.mark.parametrize("slots", [0, 8])
    def test_an_event_leads_to_a_shortfall_that_travels(self, struck: Fit, small_economy: Economy, slots: int) -> None:
        run = pair.run(struck(event(severity=0.9), **{"firms.slots": slots}), economy=small_economy)
        found = stability(run.policy)
        assert found["supply_shortfall_share"][0] > 1e-3
        assert found["plan_shortfall_share"][0] > 1e-3
        cell = small_economy.cells.index("CHN-MET")
        others = np.arange(24) != cell
        idle = 1 - run.policy.output / run.policy.accounts["planned"]
        assert idle[:, 0, others].max() > 0.01  # customers elsewhere cannot make what they planned
        assert np.allclose(run.policy.lost[[0, 3, 4, 5, 6, 7]], 0)
        assert lost_share(run.policy)[1, 0, cell] == pytest.approx(0.9)

    def test_without_an_event_nothing_is_lost_and_the_extra_rounds_change_nothing(
        self, struck: Fit, small_economy: Economy
    ) -> None:
        calm = pair.run(struck(), economy=small_economy)
        armed = pair.run(struck(event(severity=0.0)), economy=small_economy)
        np.testing.assert_allclose(armed.policy.output, calm.policy.output, rtol=TIGHT)
        assert stability(armed.policy)["supply_shortfall_share"][0] == 0

    @pytest.mark.parametrize("slots", [0, 8])
    def test_a_whole_cell_can_stop_for_a_year_without_a_crash(
        self, struck: Fit, small_economy: Economy, slots: int
    ) -> None:
        for name in ("EU26-ELE", "CHN-MET"):
            region, sector = name.split("-")
            gone = event(region=region, sector=sector, quarters=4)
            for quarter in quarters(struck(gone, **{"firms.slots": slots}), small_economy):
                assert bool(torch.isfinite(quarter.after.profit).all())
                assert quarter.after.stock.min() >= 0
                assert quarter.accounts["output"].min() >= 0

    def test_policy_and_reference_meet_the_same_outages(self, small_economy: Economy, small_scenario: Fit) -> None:
        few = [event(severity=0.5, largest=3)]
        run = pair.run(
            small_scenario("law", start_year=START, **{"disruptions.outage_rate": 0.1, "disruptions.events": few}),
            economy=small_economy,
        )
        assert lost_share(run.policy).max() > 0.01
        share = np.abs(lost_share(run.policy) - lost_share(run.reference))
        assert share.max() < 0.05  # the same firms; only their weights in the cell differ
        assert np.array_equal(run.policy.lost > 0, run.reference.lost > 0)


@pytest.fixture(scope="module")
def hit_quarters(struck: Fit, small_economy: Economy) -> list[tuple[Quarter, CbamWorld]]:
    scenario = struck(event(severity=0.6, largest=4), **{"disruptions.outage_rate": 0.1, "replicas": 2})
    world = build_world(scenario, small_economy)
    return [(quarter, world) for quarter in quarters(scenario, small_economy)]


def lost_share(run: History) -> np.ndarray:
    """[T, B, C] share of what was ordered that was not delivered."""
    return run.lost / (run.output + run.lost)


def arrived(quarter: Quarter, world: CbamWorld) -> Tensor:
    """[B, S, n] composite goods that reached each firm."""
    need = by_cell(quarter.cleared.input_need, quarter.after.shard.cell)
    ordered = purchases(world.firms, replace(quarter.after, stock=quarter.before.stock), need)
    firms = replace(quarter.after, output=quarter.after.output / (1 - quarter.after.struck))
    return ordered * delivered_share(firms, quarter.cleared, quarter.mail, world.slots, world.disruptions.spot_share)


class TestDeliveries:
    def test_value_delivered_is_supply_less_lost_to_within_rationing(
        self, hit_quarters: list[tuple[Quarter, CbamWorld]]
    ) -> None:
        for quarter, world in hit_quarters:
            supply = quarter.cleared.market.demand.transpose(1, 2).flatten(1)
            named, named_lost, lost = (quarter.totals[name] for name in ("named", "named_lost", "lost"))
            asked = supply - named + world.disruptions.spot_share * named_lost
            delivered = named - named_lost + quarter.cleared.fill * asked
            assert bool((delivered <= (supply - lost) * (1 + TIGHT)).all())
            rationed = quarter.cleared.fill < 1
            torch.testing.assert_close(delivered[rationed], (supply - lost)[rationed], rtol=TIGHT, atol=TIGHT)

    def test_what_buyers_miss_is_worth_what_suppliers_failed_to_deliver(
        self, hit_quarters: list[tuple[Quarter, CbamWorld]]
    ) -> None:
        for quarter, world in hit_quarters:
            n_sectors, market = len(world.sectors), quarter.cleared.market
            bought = quarter.cleared.flows * market.log_delivered.exp().unsqueeze(3)  # [B, S, D, K, R] value
            price = by_cell(market.log_composite_price[..., :n_sectors].exp().flatten(2), quarter.after.shard.cell)
            received = (arrived(quarter, world) * price).flatten(1).sum(1)
            fill = quarter.cleared.fill.view(-1, len(world.regions), n_sectors).transpose(1, 2)
            to_final_demand = (bought[:, :, :, n_sectors].sum(2) * fill).flatten(1).sum(1)
            missing = bought.flatten(1).sum(1) - received - to_final_demand
            lost = (quarter.totals["lost"] * quarter.cleared.price).sum(1)
            torch.testing.assert_close(missing, lost, rtol=TIGHT, atol=0)
            assert lost.min() > 0

    def test_stock_is_never_negative_and_shares_lie_between_zero_and_one(
        self, hit_quarters: list[tuple[Quarter, CbamWorld]]
    ) -> None:
        for quarter, _ in hit_quarters:
            assert quarter.after.stock.min() >= 0
            assert 0 <= quarter.cleared.fill.min() <= quarter.cleared.fill.max() <= 1
            assert 0 <= quarter.after.struck.min() <= quarter.after.struck.max() <= 1

    def test_a_firm_that_receives_nothing_uses_up_its_stock_and_no_more(
        self, hit_quarters: list[tuple[Quarter, CbamWorld]]
    ) -> None:
        quarter, world = hit_quarters[0]
        scale = quarter.before.scale * quarter.before.output
        need = by_cell(quarter.cleared.input_need, quarter.before.shard.cell)
        running_out = replace(quarter.before, stock=need * scale.unsqueeze(1) / 2, struck=torch.zeros_like(scale))
        stock, cover = _stocks(world.firms, running_out, need.clone(), torch.zeros_like(need))
        assert stock.abs().max() == 0
        assert cover.abs().max() == 0

    def test_the_spot_market_changes_results(self, struck: Fit, small_economy: Economy) -> None:
        made = [
            pair.run(struck(event(largest=3), **{"disruptions.spot_share": share}), economy=small_economy)
            for share in (0.0, 1.0)
        ]
        idle = [stability(run.policy)["plan_shortfall_share"][0] for run in made]
        assert abs(idle[0] - idle[1]) > 0.01 * idle[0]


def test_random_outages_with_replicas_give_intervals(struck: Fit, small_economy: Economy) -> None:
    run = pair.run(struck(**{"disruptions.outage_rate": 0.05, "replicas": 4, "years": 1}), economy=small_economy)
    summary = summary_of(run)
    low, high = summary["intervals"]["supply_shortfall_share"]
    assert low < summary["supply_shortfall_share"] < high
    assert summary["supply_shortfall_share"] == pytest.approx(0.05 * 0.5, rel=0.5)
