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
from carbonray.worlds.cbam.support import HIGHEST

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


class TestSupport:
    def test_none_changes_nothing(self, small_economy: Economy, small_scenario: Make) -> None:
        world = build_world(small_scenario("law", years=2), small_economy)
        assert states(world, 1, 8)[-1].support is None

    @pytest.mark.parametrize("who", ["home", "abroad"])
    def test_the_premium_spends_its_share_of_last_years_revenue(
        self, small_economy: Economy, small_scenario: Make, who: str
    ) -> None:
        share = 0.03
        scenario = small_scenario("law", years=2, **{f"policy.support_{who}": {2026: share}})
        world = build_world(scenario, small_economy)
        before, after = states(world, 1, QUARTERS)[-2:]
        assert before.support is not None
        assert before.support.abs().max() == 0  # nothing was collected before the first year
        assert after.support is not None
        assert after.cleared is not None
        at_home = world.policy.home_cell
        mine = at_home if who == "home" else ~at_home
        paid = after.support[0] > 0
        assert paid.any()
        assert not (paid & ~mine).any()
        premium = after.support[0][paid]
        assert premium.min() == premium.max()
        assert premium.max() < HIGHEST
        price = after.terms.price
        more = abatement_at(world.firms, price + after.support) - abatement_at(world.firms, price)
        made = after.cleared.market.demand.transpose(1, 2).flatten(1)
        unabated = QUARTERS * made * world.technology.intensity * before.intensity_factor
        spent = float((after.support * more * unabated).sum())
        collected = float(before.revenue[0]) * QUARTERS / (QUARTERS - 1)
        assert spent == pytest.approx(share * collected, rel=0.03)  # the last quarter is like the others, not equal

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
