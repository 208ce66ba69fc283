"""Which agents form a shard, and where it lives."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from carbonray.config import ScenarioError
from carbonray.data.negotiation import negotiation_world
from carbonray.data.scenarios import load
from carbonray.runtime.placement import ACTOR_MIB, Node, check_memory, split, spread
from carbonray.worlds.duopoly import CournotWorld


def world(firms: int) -> Any:
    values = torch.ones(firms, dtype=torch.float64)
    return CournotWorld(intercept=10.0, slope=1.0, cost=values, intensity=values, taxed=values > 0)


@pytest.mark.parametrize(
    ("shard", "cores", "sizes"),
    [(None, 2, [5, 5]), (None, 3, [3, 3, 4]), (None, 40, [1] * 10), ("firm", 2, [1] * 10), ("4", 2, [4, 4, 2]),
     ("99", 2, [10]), ("region", 2, [10])],
)  # fmt: skip
def test_agents_are_divided_as_asked(shard: str | None, cores: int, sizes: list[int]) -> None:
    parts = split(world(10), shard, cores)
    assert [len(part.ids["firm"]) for part in parts] == sizes
    assert np.concatenate([part.ids["firm"] for part in parts]).tolist() == list(range(10))


def test_shards_have_the_names_of_their_regions_or_agents() -> None:
    assert [part.name for part in split(world(5), "2", 1)] == ["firms 0-1", "firms 2-3", "firm 4"]
    found = load("climate-negotiation/club")
    regions = split(negotiation_world(found), "region", 2)  # type: ignore[arg-type]
    assert len(regions) == 27
    assert all(len(part.ids["region"]) == 1 for part in regions)


@pytest.mark.parametrize("shard", ["0", "-1", "firms", "plant", "1.5", ""])
def test_what_is_no_shard_is_refused(shard: str) -> None:
    with pytest.raises(ScenarioError, match=rf"^--shard {shard}: choose region, firm, or how many firms an actor has$"):
        split(world(5), shard, 2)


def test_actors_beyond_memory_are_refused_with_what_they_need() -> None:
    check_memory(10, 10 * ACTOR_MIB, "firm")
    with pytest.raises(ScenarioError, match=r"^--shard firm: 1,024 actors need about 180\.0 GiB of memory"):
        check_memory(1024, 1024 * ACTOR_MIB - 1, "firm")


def test_shards_are_spread_by_cores_and_neighbours_stay_together() -> None:
    nodes = [Node(id="small", address="", cpus=1), Node(id="large", address="", cpus=3)]
    where = spread(range(8), nodes)
    assert Counter(where.values()) == {"small": 2, "large": 6}
    assert [where[shard] for shard in range(8)] == ["small"] * 2 + ["large"] * 6


def test_a_shard_made_anew_goes_where_there_is_room() -> None:
    nodes = [Node(id="a", address="", cpus=2), Node(id="b", address="", cpus=2)]
    assert spread([5], nodes, ["a", "a", "b"]) == {5: "b"}
