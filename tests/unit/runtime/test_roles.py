"""Worlds of several roles in shards of which only the first has the government."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import torch
from learning.tax import TaxWorld
from policies import lively, shape_of, trained

from carbonray.runtime import inprocess
from carbonray.runtime.placement import split
from carbonray.runtime.shard import RULES, Moment, Policy
from carbonray.worlds.world import Ids

WORLD = TaxWorld()


def shards(size: int = WORLD.polluters) -> list[Ids]:
    """So many polluters in each."""
    return [each.ids for each in split(WORLD, str(size), 1)]


def of_role(role: str, *, sampled: bool = False) -> Policy:
    return trained(lively(shape_of(WORLD.roles[role])), role=role, sampled=sampled)


def played(policy: Policy, mine: list[Ids], replicas: int = 2) -> list[Mapping[str, Any]]:
    """Step by step, the commons and what the agents of all shards earned, put together again."""
    state = inprocess.reset(WORLD, 0, replicas, mine)
    memories = [policy.begin(WORLD, replicas, ids) for ids in mine]
    found = []
    for step in range(WORLD.steps):
        shocks = [WORLD.shocks(0, replicas, step, ids) for ids in mine]
        decided = [
            policy.decide(WORLD, agents, state.commons, shock, Moment(seed=0, step=step, ids=ids), memory)
            for agents, shock, ids, memory in zip(state.agents, shocks, mine, memories, strict=True)
        ]
        memories = [memory for _, memory in decided]
        actions = [each for each, _ in decided]
        taken = inprocess.advance(WORLD, state, shocks, [ids["polluter"] for ids in mine], actions)
        state = taken.state
        rewards = {role: torch.cat([each[role] for each in taken.rewards], 1) for role in WORLD.roles}
        found.append({"tax": state.commons.tax, "abated": state.commons.abated, **rewards})
    return found


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("policy", ["rules", "polluter", "government"])
def test_shards_without_a_government_hear_its_decree(size: int, policy: str) -> None:
    follows = RULES if policy == "rules" else of_role(policy, sampled=policy == "polluter")
    parts = shards(size)
    assert [len(ids["government"]) for ids in parts] == [1] + [0] * (len(parts) - 1)
    for alone, sharded in zip(played(follows, shards()), played(follows, parts), strict=True):
        assert alone.keys() == sharded.keys()
        for name, value in alone.items():
            assert sharded[name].contiguous().numpy().tobytes() == value.contiguous().numpy().tobytes()


def test_a_decree_holds_until_the_next_one() -> None:
    taxes = torch.stack([moment["tax"][0] for moment in played(of_role("government"), shards())])
    assert (taxes.view(-1, WORLD.every) == taxes[:: WORLD.every, None]).all()
    assert taxes.max() > 0


def test_the_others_of_a_trained_role_follow_their_rules() -> None:
    for moment, later in pairwise(played(of_role("government"), shards())):
        torch.testing.assert_close(later["abated"], moment["tax"])
    assert not any(moment["tax"].any() for moment in played(of_role("polluter"), shards()))
