"""The regulator: its decrees, what they may not do, and what it is judged on."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.config import Scenario
from carbonray.data.worlds import build_world
from carbonray.runtime import inprocess
from carbonray.units import QUARTERS, USD_2011_PER_EURO_2026
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.regulator import LEVERS, REST, decode, decreed, encode

Make = Callable[..., Scenario]
ACTS = {"regulator.acts": True, "regulator.settled": 0}


def played(
    world: CbamWorld, levels: Mapping[int, tuple[int, ...]], steps: int, shards: int = 1
) -> list[tuple[Commons, Tensor]]:
    """Commons and rewards of the regulator after each step; decrees by the first step from which they are said."""
    everyone = {name: np.arange(role.count) for name, role in world.roles.items()}
    cuts = np.array_split(everyone["firm"], shards)
    ids = [{"firm": cut, "regulator": everyone["regulator"][: int(place == 0)]} for place, cut in enumerate(cuts)]
    state = inprocess.reset(world, 0, 1, ids)
    found = []
    said = REST
    for step in range(steps):
        said = levels.get(step, said)
        shocks = [world.shocks(0, 1, step, mine) for mine in ids]
        actions = []
        for agents, shock, mine in zip(state.agents, shocks, ids, strict=True):
            chosen = torch.tensor(said).expand(1, len(mine["regulator"]), -1)
            actions.append({**world.scripted(agents, state.commons, shock), **world.decode({"regulator": chosen})})
        taken = inprocess.advance(world, state, shocks, cuts, actions)
        state = taken.state
        found.append((state.commons, taken.rewards[0]["regulator"]))
    return found


def level(**turned: float) -> tuple[int, ...]:
    """Levels that say this, and leave the rest."""
    return tuple(levels.index(turned.get(name, 0.0)) for name, levels in LEVERS.items())


class TestDecrees:
    def test_by_the_rules_the_law_is_left_as_it_is_to_the_byte(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        plain = build_world(small_scenario("law", years=2), small_economy)
        ids = {"firm": np.arange(plain.roles["firm"].count)}
        state = inprocess.reset(plain, 0, 1, [ids])
        for step in range(8):
            state = inprocess.advance(plain, state, [plain.shocks(0, 1, step, ids)], [ids["firm"]]).state
        world = build_world(small_scenario("law", years=2, **ACTS), small_economy)
        assert torch.equal(played(world, {}, 8)[-1][0].log_price, state.commons.log_price)

    def test_a_decree_holds_from_the_next_year_on(self, small_economy: Economy, small_scenario: Make) -> None:
        world = build_world(small_scenario("law", years=3, **ACTS), small_economy)
        turned = level(coverage=1.0, free_allocation=-0.5, export_rebate=0.5)
        plain, other = (
            [commons for commons, _ in played(world, said, 3 * QUARTERS - 1)] for said in ({}, {QUARTERS: turned})
        )
        for step in range(2 * QUARTERS - 1):  # the commons after step 7 has the law of the first quarter of year 2
            assert torch.equal(plain[step].log_price, other[step].log_price)
            assert torch.equal(plain[step].law.free_share, other[step].law.free_share)
        law, before = other[2 * QUARTERS - 1].law, plain[2 * QUARTERS - 1].law
        assert law.free_share.item() == pytest.approx(before.free_share.item() - 0.5)
        assert law.export_rebate.item() == 0.5
        covered = small_scenario("law").policy.coverage["MET"]
        place = small_economy.sectors.index("MET")
        assert before.coverage[0, place].item() == pytest.approx(covered)
        assert law.coverage[0, place].item() == 1.0
        assert not torch.equal(plain[-1].log_price, other[-1].log_price)

    def test_same_bytes_in_three_shards(self, small_economy: Economy, small_scenario: Make) -> None:
        world = build_world(small_scenario("law", years=2, **ACTS), small_economy)
        turned = {0: level(coverage=1.0, support_home=0.25, support_abroad=0.05)}
        whole, parts = played(world, turned, 7)[-1], played(world, turned, 7, shards=3)[-1]
        assert torch.equal(whole[0].log_price, parts[0].log_price)
        assert torch.equal(whole[1], parts[1])

    def test_levels_and_decrees_are_each_other(self) -> None:
        chosen = torch.tensor([[[0, 1, 2, 3, 3, 1]]])
        shares = encode(decode(chosen))
        sizes = [len(levels) for levels in LEVERS.values()]
        assert [int(part.argmax()) for part in shares[0, 0].split(sizes)] == chosen[0, 0].tolist()
        assert shares.sum() == len(LEVERS)

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.integers(0, 2), min_size=6, max_size=6), st.integers(0, 2))
    def test_bounds_hold_whatever_is_decreed(
        self, small_economy: Economy, small_scenario: Make, chosen: list[int], year: int
    ) -> None:
        world = build_world(small_scenario("law", years=3, **ACTS), small_economy)
        law = world.policy.law.in_year(year, 1)
        found = decreed(world.policy, law, decode(torch.tensor([[chosen]])).values[:, 0])
        for name in ("free_share", "cbam_factor", "export_rebate", "support_home", "support_abroad", "coverage"):
            values = getattr(found, name)
            assert values.min() >= 0, name
            assert values.max() <= 1, name
        assert found.cbam_factor >= found.free_share - 1e-12  # nobody abroad pays for what is free at home
        assert torch.equal(found.price, law.price)

    def test_only_levers_of_the_scenario_may_be_turned(self, small_economy: Economy, small_scenario: Make) -> None:
        scenario = small_scenario("law", years=2, **ACTS, **{"regulator.levers": ["coverage", "export_rebate"]})
        world = build_world(scenario, small_economy)
        ids = {name: np.arange(role.count) for name, role in world.roles.items()}
        agents, commons = world.reset(0, 2, ids)
        mask = world.observe(agents, commons)["regulator"].mask
        assert mask.shape == (2, 1, sum(len(levels) for levels in LEVERS.values()))
        sizes = [len(levels) for levels in LEVERS.values()]
        open_levels = dict(zip(LEVERS, (int(part.sum()) for part in mask[0, 0].split(sizes)), strict=True))
        free = {name: len(levels) if name in ("coverage", "export_rebate") else 1 for name, levels in LEVERS.items()}
        assert open_levels == free
        rest = [part[place] for part, place in zip(mask[0, 0].split(sizes), REST, strict=True)]
        assert all(rest)

    def test_the_law_of_the_last_years_is_that_of_the_one_before(
        self, small_economy: Economy, small_scenario: Make
    ) -> None:
        scenario = small_scenario("law", years=5, **ACTS | {"regulator.settled": 2})
        world = build_world(scenario, small_economy)
        early, late = level(free_allocation=-0.25), level(free_allocation=0.5, export_rebate=1.0)
        said = {QUARTERS: early, 2 * QUARTERS: late}  # for the third year, whose law the last two have, and for these
        found = [commons for commons, _ in played(world, said, 5 * QUARTERS - 1)]
        turned = [commons.decree[0, list(LEVERS).index("free_allocation")].item() for commons in found[::QUARTERS]]
        assert turned == [0.0, -0.25, -0.25, -0.25, -0.25]
        ids = {name: np.arange(role.count) for name, role in world.roles.items()}
        agents, _ = world.reset(0, 1, ids)
        sizes = [len(levels) for levels in LEVERS.values()]
        for year, legal in ((1, sizes), (2, [1] * len(LEVERS))):
            mask = world.observe(agents, found[year * QUARTERS - 1])["regulator"].mask[0, 0]
            assert [int(part.sum()) for part in mask.split(sizes)] == legal
        chosen = [int(part.to(torch.int64).argmax()) for part in mask.split(sizes)]
        assert chosen == list(level(free_allocation=-0.25))

    def test_a_reference_stays_off(self, small_economy: Economy, small_scenario: Make) -> None:
        world = build_world(small_scenario("law", years=2, **ACTS).reference(), small_economy)
        turned = {0: level(export_rebate=1.0, support_home=0.5, support_abroad=0.1)}
        plain, other = played(world, {}, 8)[-1][0], played(world, turned, 8)[-1][0]
        assert torch.equal(plain.log_price, other.log_price)


class TestObjective:
    def test_two_decrees_differ_by_what_they_weigh(self, small_economy: Economy, small_scenario: Make) -> None:
        weights = {"regulator.leakage": 80.0, "regulator.home": 30.0, "regulator.output": 0.7, "regulator.revenue": 0.2}
        world = build_world(small_scenario("law", years=3, **ACTS, **weights), small_economy)
        one, other = (played(world, said, 9)[-1] for said in ({}, {0: level(free_allocation=-1.0)}))
        technology, home = world.technology, world.policy.home_cell.to(torch.float64)
        trend = technology.trend[8]
        output = technology.output * trend
        base = output * technology.intensity * technology.intensity_trend[8]
        value = float((output * technology.factor_share * home).sum())
        change = other[0].quarter - one[0].quarter
        at_home, abroad = (float(change[0, place]) * float((base * home).sum()) for place in (0, 1))
        lost, revenue = (float(change[0, place]) * value for place in (2, 3))
        expected = USD_2011_PER_EURO_2026 * (-80 * abroad - 30 * at_home) + 0.7 * lost + 0.2 * revenue
        assert float((other[1] - one[1]).item()) * value == pytest.approx(expected, rel=1e-9)
        assert revenue > 0  # allowances are sold that were free
        assert lost < 0

    @pytest.mark.parametrize("who", ["home", "abroad"])
    def test_what_is_paid_abroad_is_lost_and_what_is_paid_at_home_changes_hands(
        self, small_economy: Economy, small_scenario: Make, who: str
    ) -> None:
        weights = {"regulator.leakage": 0.0, "regulator.home": 0.0, "regulator.output": 0.7, "regulator.revenue": 0.2}
        paid = {f"policy.support_{who}": {2026: 0.05}}
        world = build_world(small_scenario("law", years=4, **ACTS, **weights, **paid), small_economy)
        (before, _), (after, reward) = played(world, {}, 10)[-2:]
        claims = float((before.fund - after.fund).sum())
        assert claims > 0
        technology, home = world.technology, world.policy.home_cell.to(torch.float64)
        output = technology.output * technology.trend[9]
        assert after.cleared is not None
        made = after.cleared.market.demand.transpose(1, 2).flatten(1)[0]
        lost = float(((output - made) * technology.factor_share * home).sum()) + claims * (who == "abroad")
        revenue = float((after.revenue - before.revenue).sum()) - claims
        value = float((output * technology.factor_share * home).sum())
        assert float(reward) * value == pytest.approx(0.2 * revenue - 0.7 * lost, rel=1e-6)

    def test_base_path_without_any_policy_is_zero(self, small_economy: Economy, small_scenario: Make) -> None:
        scenario = small_scenario("no-policy", years=1, **ACTS, **{"partners.price": {}})
        rewards = [float(reward) for _, reward in played(build_world(scenario, small_economy), {}, 4)]
        assert np.abs(rewards).max() < 1e-9
