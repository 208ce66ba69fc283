"""Views of worlds for learners agree with each other and with stepping by hand, and PettingZoo accepts them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import parallel_api_test, parallel_seed_test
from torch import Tensor

from carbonray.config import Scenario
from carbonray.config_climate import NegotiationScenario
from carbonray.data.negotiation import negotiation_world
from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world
from carbonray.runtime import inprocess
from carbonray.runtime.batched_env import BatchedEnv
from carbonray.runtime.parallel_env import ParallelEnv
from carbonray.worlds.cbam import Economy
from carbonray.worlds.duopoly import CournotWorld
from carbonray.worlds.world import World

STEPS = 7
LEARNED = {"firms.learned": True, "firms.number": 120, "years": 1, "start_year": 2030, "disruptions.outage_rate": 0.1}
WORLDS = ("duopoly", "cbam", "climate-negotiation/none", "climate-negotiation/border-club")
AnyWorld = World[Any, Any, Any]
Seen = dict[str, Tensor]


def duopoly() -> AnyWorld:
    both = torch.ones(2, dtype=torch.float64)
    taxed = torch.tensor([True, False])
    return CournotWorld(intercept=10.0, slope=1.0, cost=both, intensity=both, taxed=taxed, tax=1.0, steps=20)


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, small_economy: Economy, small_scenario: Callable[..., Scenario]) -> AnyWorld:
    if request.param == "duopoly":
        return duopoly()
    if request.param == "cbam":
        return build_world(small_scenario("law", **LEARNED), small_economy)
    scenario = load(request.param)
    assert isinstance(scenario, NegotiationScenario)
    return negotiation_world(scenario)


def legal(world: AnyWorld, masks: Mapping[str, Tensor], seed: int) -> Seen:
    """A random legal level for every head; the same for a replica whatever the size of the batch."""
    chosen = {}
    for name, mask in masks.items():
        rng = [np.random.default_rng((seed, replica)) for replica in range(len(mask))]
        odds = torch.from_numpy(np.stack([each.random(mask.shape[1:]) for each in rng])) * mask
        heads = odds.split_with_sizes(list(world.roles[name].heads), 2)
        chosen[name] = torch.stack([head.argmax(2) for head in heads], 2)
    return chosen


def by_hand(world: AnyWorld, seed: int, replicas: int) -> Iterator[tuple[Seen, Seen]]:
    """Observations and rewards step by step, without any view."""
    ids = {name: np.arange(role.count) for name, role in world.roles.items()}
    state = inprocess.reset(world, seed, replicas, [ids])
    for step in range(min(STEPS, world.steps)):
        masks = {name: seen.mask for name, seen in world.observe(state.agents[0], state.commons).items()}
        shocks = world.shocks(seed, replicas, step, ids)
        actions = world.decode(legal(world, masks, step))
        taken = inprocess.advance(world, state, [shocks], [np.arange(world.edges.shape[1])], [actions])
        state = taken.state
        seen = world.observe(state.agents[0], state.commons)
        yield {name: each.values for name, each in seen.items()}, dict(taken.rewards[0])


def batched(world: AnyWorld, seed: int, replicas: int) -> Iterator[tuple[Seen, Seen]]:
    env = BatchedEnv(world, replicas)
    _, infos = env.reset(seed=seed)
    for step in range(min(STEPS, world.steps)):
        observations, rewards, _, _, infos = env.step(legal(world, infos["action_mask"], step))
        yield observations, rewards


def parallel(world: AnyWorld, seed: int) -> Iterator[tuple[Seen, Seen]]:
    """The same of the view by agents, its masks and answers put back into tensors."""
    env = ParallelEnv(world)
    _, infos = env.reset(seed=seed)
    for step in range(min(STEPS, world.steps)):
        masks = {
            name: torch.tensor(
                np.stack([np.concatenate(infos[f"{name}_{i}"]["action_mask"]) for i in range(role.count)])[None]
            )
            for name, role in world.roles.items()
        }
        chosen = legal(world, masks, step)
        actions = {f"{name}_{i}": row.numpy() for name, each in chosen.items() for i, row in enumerate(each[0])}
        observations, rewards, _, _, infos = env.step(actions)
        yield (
            {
                name: torch.tensor(np.stack([observations[f"{name}_{i}"] for i in range(role.count)])[None])
                for name, role in world.roles.items()
            },
            {
                name: torch.tensor([[rewards[f"{name}_{i}"] for i in range(role.count)]], dtype=torch.float64)
                for name, role in world.roles.items()
            },
        )


def same(one: Seen, other: Seen) -> bool:
    return one.keys() == other.keys() and all(torch.equal(values, other[name]) for name, values in one.items())


def first(values: Seen, replicas: int = 1) -> Seen:
    return {name: each[:replicas] for name, each in values.items()}


def test_pettingzoo_accepts_the_view(world: AnyWorld) -> None:
    parallel_api_test(ParallelEnv(world), num_cycles=world.steps + 1)
    parallel_seed_test(lambda: ParallelEnv(world))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**63 - 1))
def test_both_views_step_as_by_hand(world: AnyWorld, seed: int) -> None:
    tracks = (by_hand(world, seed, 2), batched(world, seed, 2), parallel(world, seed))
    for hand, batch, alone in zip(*tracks, strict=True):
        assert all(same(told, view) for told, view in zip(hand, batch, strict=True))
        observations, rewards = (first(told) for told in batch)
        assert same({name: values.float() for name, values in observations.items()}, alone[0])
        assert same({name: values.double() for name, values in rewards.items()}, alone[1])


def test_a_replica_is_the_same_in_any_batch(world: AnyWorld) -> None:
    for three, two, one in zip(*(batched(world, 11, replicas) for replicas in (3, 2, 1)), strict=True):
        for told, fewer, alone in zip(three, two, one, strict=True):
            assert same(first(told, 2), fewer)
            assert same(first(told), alone)


def test_masks_leave_every_head_a_level_through_the_episode(world: AnyWorld) -> None:
    env = BatchedEnv(world, 2)
    _, infos = env.reset(seed=1)
    for step in range(world.steps + 2):  # to the end, over the reset, and on
        for name, mask in infos["action_mask"].items():
            heads = mask.split_with_sizes(list(world.roles[name].heads), 2)
            assert all(head.any(2).all() for head in heads), (step, name)
        *_, terminations, truncations, infos = env.step(legal(world, infos["action_mask"], step))
        over = {bool((terminations[name] | truncations[name]).all()) for name in world.roles}
        assert over == {step == world.steps - 1}


def test_an_episode_is_played_again_from_its_seed(
    small_economy: Economy, small_scenario: Callable[..., Scenario]
) -> None:
    world = build_world(small_scenario("law", **LEARNED), small_economy)
    played = []
    env = ParallelEnv(world, 3)
    for seed in (None, None, 3, None):
        env.reset(seed)
        for _ in range(3):
            env.step({agent: np.array([2, 0, 0]) for agent in env.agents})
        played.append(env.state())
    np.testing.assert_array_equal(played[0], played[2])
    np.testing.assert_array_equal(played[1], played[3])
    assert not np.array_equal(played[0], played[1])  # outages differ
