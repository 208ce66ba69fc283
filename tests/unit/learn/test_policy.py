"""A trained policy in a world: whom it decides for, what is legal, what it remembers, the same for any sharding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from policies import always, lively, shape_of, trained
from scipy.stats import chisquare

from carbonray.config import Scenario
from carbonray.data.load_world import load_world
from carbonray.data.worlds import build_world
from carbonray.learn.networks import FORBIDDEN, Heads
from carbonray.learn.policy import LEVELS, LSTM, SLIGHT, PolicyError, Trained, blend, drawn_exactly
from carbonray.runtime import inprocess
from carbonray.runtime.shard import RULES, Moment, Policy
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.act import CUTS, GROWTHS, FirmActions
from carbonray.worlds.world import Role

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

Longs = NDArray[np.int64]
SEED = 4
RARE = 1e-6


@pytest.fixture(scope="module")
def world(small_economy: Economy, small_scenario: Callable[..., Scenario]) -> CbamWorld:
    changes = {"years": 1, "start_year": 2030, "firms.number": 180, "firms.learned": True}
    return build_world(small_scenario("law", **changes), small_economy)


@pytest.fixture(scope="module")
def role(world: CbamWorld) -> Role:
    return world.roles["firm"]


@dataclass(frozen=True, kw_only=True)
class Played:
    """By shard and step."""

    actions: list[list[FirmActions]]
    memories: list[list[Any]]
    outputs: list[list[torch.Tensor]]


def played(
    world: CbamWorld, policy: Policy, shards: list[Longs] | None = None, *, replicas: int = 2, steps: int = 3
) -> Played:
    """A few quarters in which all firms follow a policy."""
    mine = [{"firm": ids} for ids in shards or [np.arange(len(world.firms.size))]]
    state = inprocess.reset(world, SEED, replicas, mine)
    memories = [policy.begin(world, replicas, ids) for ids in mine]
    found = Played(actions=[[] for _ in mine], memories=[[] for _ in mine], outputs=[[] for _ in mine])
    for step in range(steps):
        shocks = [world.shocks(SEED, replicas, step, ids) for ids in mine]
        decided = [
            policy.decide(world, agents, state.commons, shock, Moment(seed=SEED, step=step, ids=ids), memory)
            for agents, shock, ids, memory in zip(state.agents, shocks, mine, memories, strict=True)
        ]
        memories = [memory for _, memory in decided]
        state = inprocess.advance(
            world, state, shocks, [ids["firm"] for ids in mine], [actions for actions, _ in decided]
        ).state
        for place, (actions, memory) in enumerate(decided):
            found.actions[place].append(actions["firm"])
            found.memories[place].append(memory)
            found.outputs[place].append(state.agents[place].output)
    return found


def moved(actions: FirmActions) -> torch.Tensor:
    """[4, B, n] all that is decided, as numbers."""
    assert actions.moves is not None
    return torch.stack([actions.growth, actions.cut, actions.moves.good.double(), actions.moves.destination.double()])


def differing(actions: FirmActions) -> int:
    return len(torch.unique(moved(actions).flatten(1), dim=1).T)


POLICIES: dict[str, Callable[[Role], Trained]] = {
    "greedy": lambda role: trained(lively(shape_of(role))),
    "sampled": lambda role: trained(lively(shape_of(role)), sampled=True),
    "remembering": lambda role: trained(lively(shape_of(role, recurrent=True)), sampled=True),
    "some": lambda role: trained(lively(shape_of(role, recurrent=True)), who=np.arange(0, 180, 7)),
    "one in each replica": lambda role: trained(lively(shape_of(role)), who=np.array([[3], [150], [7]])),
}


@pytest.mark.parametrize("kind", sorted(POLICIES))
class TestSameBytes:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_random_shards_decide_what_one_does(self, world: CbamWorld, role: Role, kind: str, seed: int) -> None:
        policy = POLICIES[kind](role)
        whole = played(world, policy, replicas=3)
        shard_of = np.random.default_rng(seed).integers(0, 3, 180)
        shards = [np.flatnonzero(shard_of == shard) for shard in range(3)]
        parts = played(world, policy, shards, replicas=3)
        for place, ids in enumerate(shards):
            for step in range(3):
                assert torch.equal(moved(parts.actions[place][step]), moved(whole.actions[0][step])[..., ids])
                assert torch.equal(parts.outputs[place][step], whole.outputs[0][step][..., ids])
                for name, kept in (parts.memories[place][step] or {}).items():
                    assert torch.equal(kept, whole.memories[0][step][name][:, ids])

    def test_a_replica_alone_decides_what_it_does_in_a_batch(self, world: CbamWorld, role: Role, kind: str) -> None:
        policy = POLICIES[kind](role)
        first = replace(policy, who=policy.who[:1]) if policy.who is not None and policy.who.ndim == 2 else policy
        batch, alone = played(world, policy, replicas=3), played(world, first, replicas=1)
        for together, single in zip(batch.actions[0], alone.actions[0], strict=True):
            assert torch.equal(moved(together)[:, :1], moved(single))

    def test_one_thread_and_two_decide_alike(self, world: CbamWorld, role: Role, kind: str) -> None:
        policy, before = POLICIES[kind](role), torch.get_num_threads()
        try:
            found = []
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append([moved(each) for each in played(world, policy, replicas=3).actions[0]])
        finally:
            torch.set_num_threads(before)
        assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_these_policies_tell_firms_apart(world: CbamWorld, role: Role) -> None:
    """Otherwise equal bytes would say nothing."""
    for name in ("greedy", "sampled", "remembering"):
        assert differing(played(world, POLICIES[name](role)).actions[0][-1]) >= 5
    greedy, sampled = (moved(played(world, POLICIES[name](role)).actions[0][0]) for name in ("greedy", "sampled"))
    assert not torch.equal(greedy, sampled)


class TestWho:
    def test_all_do_what_a_policy_prefers(self, world: CbamWorld, role: Role) -> None:
        (actions, *_), *_ = played(world, trained(always(shape_of(role), (0, 3, 2)))).actions
        assert (actions.growth == GROWTHS[0]).all()
        assert (actions.cut == CUTS[3]).all()
        assert actions.moves is not None
        assert (actions.moves.good == 0).all()
        assert (actions.moves.origin == 1).all()

    def test_the_others_follow_the_rules(self, world: CbamWorld, role: Role) -> None:
        who = np.array([0, 5, 179])
        rest = np.setdiff1d(np.arange(180), who)
        actions = played(world, trained(always(shape_of(role), (0, 3, 2)), who=who), steps=1).actions[0][0]
        rules = played(world, RULES, steps=1).actions[0][0]
        assert (actions.growth[:, who] == GROWTHS[0]).all()
        assert torch.equal(moved(actions)[..., rest], moved(rules)[..., rest])
        assert actions.moves is not None
        assert (actions.moves.good[:, who] == 0).all()

    def test_a_policy_of_nobody_here_is_the_rules(self, world: CbamWorld, role: Role) -> None:
        policy = trained(always(shape_of(role), (0, 3, 2)), who=np.array([100]))
        shards = [np.arange(90), np.arange(90, 180)]
        actions = played(world, policy, shards, steps=1).actions[0][0]
        assert torch.equal(moved(actions), moved(played(world, RULES, steps=1).actions[0][0])[..., :90])

    def test_every_replica_may_have_its_own(self, world: CbamWorld, role: Role) -> None:
        policy = trained(always(shape_of(role), (0, 0, 0)), who=np.array([[3], [8]]))
        growth = played(world, policy, steps=1).actions[0][0].growth
        rules = played(world, RULES, steps=1).actions[0][0].growth
        assert (growth != rules).nonzero().tolist() == [[0, 3], [1, 8]]


class TestLegal:
    def test_a_firm_that_wants_to_move_to_where_it_is_takes_the_next_best(self, world: CbamWorld, role: Role) -> None:
        decider = always(shape_of(role), (2, 0, 0))
        home = role.heads[2] - len(world.regions)  # capacity to the first region
        with torch.no_grad():
            decider.head.bias[9 + home], decider.head.bias[9 + home + 1] = 9.0, 8.0
        moves = played(world, trained(decider), steps=1).actions[0][0].moves
        region = torch.repeat_interleave(torch.tensor(list(world.agents_by_region.values())))
        assert moves is not None
        assert (moves.destination == torch.where(region == 0, 1, 0)).all()

    @pytest.mark.parametrize("acts", ["greedy", "sampled"])
    def test_regions_choose_what_their_masks_allow_in_every_stage(self, acts: str) -> None:
        world: Any = load_world("climate-negotiation/club")
        policy = trained(lively(shape_of(world.roles["region"])), role="region", sampled=acts == "sampled")
        ids = {"region": np.arange(27)}
        state = inprocess.reset(world, 0, 2, [ids])
        for step in range(6):
            shocks = world.shocks(0, 2, step, ids)
            now = Moment(seed=0, step=step, ids=ids)
            decided, _ = policy.decide(world, state.agents[0], state.commons, shocks, now, None)
            levels = decided["region"]
            mask = world.observe(state.agents[0], state.commons)["region"].mask
            parts = mask.split(world.roles["region"].heads, -1)
            legal = [part.gather(2, levels[..., head, None]) for head, part in enumerate(parts)]
            assert torch.cat(legal, 2).all()
            assert len(torch.unique(levels)) > 1
            state = inprocess.advance(world, state, [shocks], [ids["region"]], [decided]).state


class TestDrawn:
    def test_levels_come_with_their_probabilities(self) -> None:
        heads = Heads((3, 3, 2))
        logits = torch.tensor([0.0, 1.0, 2.0, 1.0, FORBIDDEN, 1.0, -1.0, 1.0], dtype=torch.float64)
        uniform = torch.rand(40_000, 3, dtype=torch.float64, generator=torch.manual_seed(0))
        levels = drawn_exactly(heads, logits.expand(len(uniform), -1), uniform)
        for head, part in enumerate(logits.split(heads.sizes)):
            expected = part.softmax(0) * len(uniform)
            counts = torch.bincount(levels[:, head], minlength=len(part))
            there = expected > 0
            assert (counts[~there] == 0).all()
            assert chisquare(counts[there], expected[there]).pvalue > RARE

    def test_what_is_left_of_exploring_is_not_done(self) -> None:
        """Levels under SLIGHT of the likeliest are out; the rest keep their odds, and equal ones are all kept."""
        rare = torch.tensor([1.0, 0.5, SLIGHT * 1.001, SLIGHT * 0.999], dtype=torch.float64).log()
        uniform = (torch.arange(10_000, dtype=torch.float64) / 10_000)[:, None]
        counts = drawn_exactly(Heads((4,)), rare.expand(len(uniform), -1), uniform).flatten().bincount(minlength=4)
        left = torch.tensor([1.0, 0.5, SLIGHT * 1.001, 0.0])
        assert (counts - 10_000 * left / left.sum()).abs().max() <= 1
        assert len(drawn_exactly(Heads((4,)), torch.zeros(10_000, 4), uniform).unique()) == 4

    @pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2.0**-53])
    def test_the_ends_are_legal(self, uniform: float) -> None:
        logits = torch.tensor([[FORBIDDEN, 0.0, 0.0, FORBIDDEN]], dtype=torch.float64)
        (level,) = (
            drawn_exactly(Heads((4,)), logits, torch.full((1, 1), uniform, dtype=torch.float64)).flatten().tolist()
        )
        assert level == (1 if uniform < 0.5 else 2)

    def test_seeds_steps_replicas_and_firms_draw_apart(self, world: CbamWorld, role: Role) -> None:
        policy = trained(lively(shape_of(role)), sampled=True)
        ids = {"firm": np.arange(180)}
        first, later, other = (
            policy._uniforms(world.draws(2), Moment(seed=seed, step=step, ids=ids), torch.device("cpu"))
            for seed, step in ((0, 0), (0, 1), (1, 0))
        )
        several = torch.cat([first.flatten(), later.flatten(), other.flatten()])
        assert len(torch.unique(several)) == several.numel() == 3 * 2 * 180 * 3
        assert 0 <= several.min() < 0.01
        assert 0.99 < several.max() < 1

    def test_laws_of_one_draw_draw_alike(
        self, small_economy: Economy, small_scenario: Callable[..., Scenario], role: Role
    ) -> None:
        scenario = small_scenario("law", years=1, **{"firms.number": 180, "firms.learned": True})
        world = build_world(scenario, small_economy, laws=[scenario.policy] * 2)
        assert list(world.draws(4)) == [0, 0, 1, 1]
        now = Moment(seed=0, step=1, ids={"firm": np.arange(180)})
        policy = trained(lively(shape_of(role)), sampled=True)
        first, second, third, fourth = policy._uniforms(world.draws(4), now, torch.device("cpu"))
        assert torch.equal(first, second)
        assert torch.equal(third, fourth)
        assert not torch.equal(first, third)
        alone = policy._uniforms(range(2), now, torch.device("cpu"))
        assert torch.equal(torch.stack([first, third]), alone)


class TestMemory:
    def test_a_network_remembers_what_it_saw(self, world: CbamWorld, role: Role) -> None:
        remembering = played(world, POLICIES["remembering"](role))
        kept = [memory[LSTM] for memory in remembering.memories[0]]
        assert kept[0].shape == (2, 180, 32)
        assert not torch.equal(kept[0], kept[1])

    def test_agents_it_does_not_decide_for_have_none(self, world: CbamWorld, role: Role) -> None:
        kept = played(world, POLICIES["some"](role)).memories[0][-1][LSTM]
        there = (kept != 0).any(2)
        assert there[:, ::7].all()
        assert there.sum() == 2 * len(range(0, 180, 7))

    def test_choices_hold_between_two_decisions(self, world: CbamWorld, role: Role) -> None:
        slow = Slow(**vars_of(world))
        found = played(slow, trained(lively(shape_of(role))), steps=4)
        kept = [memory[LEVELS] for memory in found.memories[0]]
        assert [torch.equal(kept[step], kept[step + 1]) for step in range(3)] == [True, False, True]
        assert torch.equal(found.actions[0][0].growth, found.actions[0][1].growth)
        assert torch.equal(found.actions[0][0].growth, torch.tensor(GROWTHS, dtype=torch.float64)[kept[0][..., 0]])


@dataclass(frozen=True, kw_only=True)
class Slow(CbamWorld):
    """Firms that decide every other quarter."""

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        (role,) = super().roles.values()
        return {"firm": replace(role, every=2)}


def vars_of(world: CbamWorld) -> dict[str, Any]:
    return {name: value for name, value in vars(world).items() if name in type(world).__dataclass_fields__}


class TestBlend:
    def test_places_and_flags_say_the_same(self) -> None:
        own, others = torch.ones(2, 4, 3), torch.zeros(2, 4, 3)
        places, flags = torch.tensor([1, 3]), torch.tensor([False, True, False, True])
        for who in (places, flags, flags.expand(2, -1)):
            assert blend(own, others, who)[..., 0].tolist() == [[0, 1, 0, 1]] * 2

    def test_other_actions_are_refused(self, world: CbamWorld) -> None:
        actions = played(world, RULES, steps=1).actions[0][0]
        with pytest.raises(TypeError, match="NoneType and Moves are no actions of the same agents"):
            blend(replace(actions, moves=None), actions, torch.tensor([0]))


def test_a_policy_of_other_agents_is_refused_in_one_line(world: CbamWorld, role: Role) -> None:
    policy = trained(lively(shape_of(replace(role, heads=(5, 4)))), name="policy mine")
    with pytest.raises(PolicyError) as refused:
        policy.check(world, "cbam/law")
    made, has = (f"{role.features} features and heads {heads}" for heads in ((5, 4), role.heads))
    assert str(refused.value) == f"policy mine: made for {made}, but cbam/law has {has}"
    region: Any = load_world("climate-negotiation/none")
    with pytest.raises(PolicyError, match=r"^policy: decides for each firm, but climate-negotiation/none has region$"):
        trained(lively(shape_of(role))).check(region, "climate-negotiation/none")
    with pytest.raises(PolicyError, match=r"but climate-negotiation/none has 1043 features and 57 heads of 570 levels"):
        trained(lively(shape_of(role)), role="region").check(region, "climate-negotiation/none")
    trained(lively(shape_of(role))).check(world, "cbam/law")
