"""Laws that are run together, and revenue that pays for abatement."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from carbonray.config import Policy, Scenario, ScenarioError
from carbonray.data.worlds import build_world, supply_graph
from carbonray.runtime import inprocess, pair
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.abatement import abatement_at
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.support import HIGHEST, claim

Make = Callable[..., Scenario]
SUPPORT = {"policy.support_home": {2026: 0.3}, "policy.support_abroad": {2026: 0.1}}


def states(world: CbamWorld, replicas: int, steps: int, seed: int = 0) -> list[Commons]:
    """The commons after each step."""
    ids = {name: np.arange(role.count) for name, role in world.roles.items()}
    state = inprocess.reset(world, seed, replicas, [ids])
    found = []
    for step in range(steps):
        shocks = world.shocks(seed, replicas, step, ids)
        state = inprocess.advance(world, state, [shocks], [np.arange(world.edges.shape[1])]).state
        found.append(state.commons)
    return found


def claimed(world: CbamWorld, after: Commons, side: torch.Tensor | None = None) -> float:
    """Million USD a year that contracts of a new year could claim at the market's last output."""
    assert after.strike is not None
    assert after.cleared is not None
    price = after.terms.price
    more = (abatement_at(world.firms, after.strike) - abatement_at(world.firms, price)).clamp(min=0.0)
    made = after.cleared.market.demand.transpose(1, 2).flatten(1)
    unabated = QUARTERS * made * world.technology.intensity * after.cleared.intensity_factor
    claims = (after.strike - price).clamp(min=0.0) * more * unabated
    return float((claims if side is None else claims * side).sum())


class TestTogether:
    def test_each_law_gives_the_bytes_it_gives_alone(self, small_economy: Economy, small_scenario: Make) -> None:
        scenario = small_scenario("law", years=2)
        laws = [
            scenario.policy,
            scenario.policy.model_copy(update={"cbam": False}),
            scenario.policy.model_copy(update={"price": {2026: 150.0}, "coverage": {"MET": 1.0}, "export_rebate": 1.0}),
        ]
        graph = supply_graph(small_economy, scenario)
        together = states(build_world(scenario, small_economy, graph, laws=laws), 6, 8)[-1]
        for place, law in enumerate(laws):
            one = scenario.model_copy(update={"policy": law})
            alone = states(build_world(one, small_economy, graph), 2, 8)[-1]
            assert torch.equal(together.log_price[place :: len(laws)], alone.log_price), place
            assert torch.equal(together.revenue[place :: len(laws)], alone.revenue), place
        assert not torch.equal(together.log_price[0], together.log_price[1])

    def test_only_levers_may_differ(self, small_economy: Economy, small_scenario: Make) -> None:
        scenario = small_scenario("law")
        other = scenario.policy.model_copy(update={"incidence": 0.5})
        with pytest.raises(
            ScenarioError, match=r"policy\.incidence: laws run together differ in price, free_allocation"
        ):
            build_world(scenario, small_economy, laws=[scenario.policy, other])


class TestAlike:
    def test_replicas_meet_the_same_luck_and_the_first_is_as_it_was(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        world = build_world(small_scenario("variable", years=2), small_economy)
        plain, alike = (states(each, 3, 5)[-1] for each in (world, world.alike(3)))
        assert torch.equal(alike.log_price[0], plain.log_price[0])
        for replica in (1, 2):
            assert torch.equal(alike.log_price[replica], alike.log_price[0])
            assert torch.equal(alike.commitment[replica].nan_to_num(), alike.commitment[0].nan_to_num())
            assert not torch.equal(plain.log_price[replica], plain.log_price[0])


class TestSupport:
    def test_none_changes_nothing(self, small_economy: Economy, small_scenario: Make) -> None:
        world = build_world(small_scenario("law", years=2), small_economy)
        assert states(world, 1, 8)[-1].strike is None

    @pytest.mark.parametrize("who", ["home", "abroad"])
    def test_the_first_auction_spends_its_share_of_last_years_revenue(
        self, small_economy: Economy, small_scenario: Make, who: str
    ) -> None:
        share = 0.03
        scenario = small_scenario("law", years=2, **{f"policy.support_{who}": {2026: share}})
        world = build_world(scenario, small_economy)
        before, after = states(world, 1, QUARTERS)[-2:]
        assert before.strike is not None
        assert before.strike.abs().max() == 0  # nothing was collected before the first year
        assert after.strike is not None
        at_home = world.policy.home_cell
        mine = at_home if who == "home" else ~at_home
        promised = after.strike[0] > 0
        assert promised.any()
        assert not (promised & ~mine).any()
        premium = (after.strike - after.terms.price)[0][promised]
        assert premium.min() == pytest.approx(premium.max())
        assert premium.max() < HIGHEST
        place = int(who == "abroad")
        assert after.fund[0, 1 - place] == 0
        collected = float(before.revenue[0]) * QUARTERS / (QUARTERS - 1)
        fund = float(after.fund[0, place])
        assert fund == pytest.approx(share * collected, rel=0.03)  # the last quarter is like the others, not equal
        assert claimed(world, after) == pytest.approx(fund, rel=1e-6)  # one year is left

    def test_a_strike_never_falls_and_contracts_are_paid_to_the_end(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        once = {"policy.support_abroad": {2026: 0.0, 2027: 0.1, 2028: 0.0}}
        run = pair.run(small_scenario("law", years=6, **once), economy=small_economy, record_firms=False)
        home = run.world.policy.home_cell.numpy()
        paid = run.policy.accounts["support"][:, 0, ~home].sum(1).reshape(-1, QUARTERS).sum(1)
        assert paid[:2].max() == 0  # what is promised for 2027 is cut a year later
        assert (paid[2:] > 0).all()
        assert paid[-1] == pytest.approx(paid[2], rel=0.25)  # as output abroad, and its price, move
        strikes = torch.stack([commons.strike[0] for commons in states(run.world, 1, 6 * QUARTERS)])  # type: ignore[index]
        assert (strikes.diff(dim=0) >= 0).all()

    def test_nothing_is_promised_that_the_fund_could_not_pay(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        years = 6
        world = build_world(small_scenario("law", years=years, **SUPPORT), small_economy)
        found = states(world, 1, years * QUARTERS)
        for year in range(1, years):
            after = found[year * QUARTERS - 1]
            for place, side in enumerate((world.policy.home_cell, ~world.policy.home_cell)):
                promised = (years - year) * claimed(world, after, side)
                assert promised <= float(after.fund[0, place]) * (1 + 1e-9), year
        assert (found[-1].fund >= 0).all()
        assert found[-1].strike is not None
        assert found[-1].strike.max() < HIGHEST  # after the last quarter, which learners still look at
        assert found[-1].fund[0, 1] < 0.5 * sum(found[year * QUARTERS].fund[0, 1] for year in range(1, years))

    def test_each_tonne_costs_what_the_price_lacks_to_the_strike(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        world = build_world(small_scenario("law", years=1, **SUPPORT), small_economy)
        cells = len(world.policy.home_cell)
        cell = torch.arange(cells)
        price, strike = torch.full((1, cells), 20.0), torch.full((1, cells), 50.0)
        enough, little = abatement_at(world.firms, torch.tensor(50.0)), abatement_at(world.firms, torch.tensor(20.0))
        unabated = torch.ones(1, cells, dtype=torch.float64)

        def paid(abated: torch.Tensor, strike: torch.Tensor) -> torch.Tensor:
            return claim(
                world.firms, price=price, strike=strike, abated=abated.expand(1, -1), unabated=unabated, cell=cell
            )

        assert torch.allclose(paid(enough, strike), (30.0 * (enough - little)).to(torch.float64))
        assert torch.equal(paid(torch.ones(cells), strike), paid(enough, strike))  # no more than was auctioned
        assert paid(little, strike).abs().max() == 0
        assert paid(enough, torch.full((1, cells), 15.0)).abs().max() == 0  # the price is over the strike

    def test_an_empty_fund_promises_nothing_not_even_todays_price(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        later = {"policy.support_home": {2026: 0.0, 2028: 0.0, 2029: 0.5}}
        world = build_world(small_scenario("law", years=4, **later), small_economy)
        found = states(world, 1, 3 * QUARTERS)
        for commons, promised in ((found[2 * QUARTERS], False), (found[-1], True)):
            assert commons.strike is not None
            assert bool(commons.strike.any()) == promised

    def test_firms_cut_what_they_are_paid_for(self, small_economy: Economy, small_scenario: Make) -> None:
        plain = pair.run(small_scenario("law", years=4), economy=small_economy, record_firms=False)
        paid = pair.run(small_scenario("law", years=4, **SUPPORT), economy=small_economy, record_firms=False)
        home = paid.world.policy.home_cell.numpy()
        ends = [run.policy.emissions[-1, 0] for run in (plain, paid)]
        assert ends[1][home].sum() < 0.99 * ends[0][home].sum()
        assert ends[1][~home].sum() < ends[0][~home].sum()
        support = paid.policy.accounts["support"].sum(0)[0]
        assert support.min() >= 0
        assert support[home].sum() > 0
        assert support[~home].sum() > 0
        assert "support" not in plain.policy.accounts
        budget = 0.4 * sum(float(paid.policy.accounts[name].sum()) for name in ("carbon_cost", "border_charge"))
        assert support.sum() < budget

    def test_a_reference_pays_nothing(self, small_scenario: Make, small_economy: Economy) -> None:
        world = build_world(small_scenario("law", **SUPPORT).reference(), small_economy)
        assert not world.policy.supports


def test_a_path_is_needed() -> None:
    with pytest.raises(ValueError, match="at least one year"):
        Policy(support_home={})
