"""Which agents form a shard, what its actor needs of memory, and on which node it lives."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from carbonray.config import ScenarioError
from carbonray.worlds.world import Ids, World

ACTOR_MIB = 180
"""Memory that an actor takes before it has any agents, most of it for torch (measured: 176 to 182)."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The agents of one shard."""

    name: str  # of its region, or of its agents
    ids: Ids


def split(world: World[Any, Any, Any], shard: str | None, cores: int) -> list[Split]:
    """Divide a world's agents; those of further roles, such as a government, are in the first shard.

    Args:
        world: whose agents.
        shard: `region`, for a region with its agents; the name of the role, for one agent; or a number of agents; equal
            parts, one for each core, if left out.
        cores: of the cluster.

    Raises:
        ScenarioError: if `shard` is none of these.
    """
    role, count = next((name, role.count) for name, role in world.roles.items())
    if shard == "region":
        sizes = [(name, number) for name, number in world.agents_by_region.items() if number]
        ends = np.cumsum([0, *(number for _, number in sizes)])
        return _splits(world, ends, [name for name, _ in sizes])
    if shard is None:
        ends = np.linspace(0, count, min(max(cores, 1), count) + 1).astype(np.int64)
    elif shard == role:
        ends = np.arange(count + 1)
    elif shard.isdecimal() and int(shard) > 0:
        ends = np.append(np.arange(0, count, int(shard)), count)
    else:
        raise ScenarioError(f"--shard {shard}: choose region, {role}, or how many {role}s an actor has")
    names = [f"{role} {a}" if b == a + 1 else f"{role}s {a}-{b - 1}" for a, b in pairwise(ends.tolist())]
    return _splits(world, ends, names)


def _splits(world: World[Any, Any, Any], ends: Any, names: Sequence[str]) -> list[Split]:
    role, *others = world.roles
    made = []
    for place, (name, first, last) in enumerate(zip(names, ends[:-1], ends[1:], strict=True)):
        ids = {role: np.arange(first, last)}
        ids |= {other: np.arange(world.roles[other].count if place == 0 else 0) for other in others}
        made.append(Split(name=name, ids=ids))
    return made


def check_memory(actors: int, free_mib: float, shard: str | None) -> None:
    """Refuse more actors than fit.

    Raises:
        ScenarioError: with the memory that they need.
    """
    need = actors * ACTOR_MIB
    if need > free_mib:
        asked = f"--shard {shard}: " if shard else ""
        raise ScenarioError(
            f"{asked}{actors:,} actors need about {need / 1024:,.1f} GiB of memory ({ACTOR_MIB} MiB each), the cluster "
            f"has {free_mib / 1024:,.1f}; give an actor more agents, such as --shard region"
        )


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster."""

    id: str
    address: str
    cpus: float


def spread(shards: Collection[int], nodes: Sequence[Node], held: Sequence[str] = ()) -> dict[int, str]:
    """The node of each shard: always the one with the fewest shards for its cores; neighbours stay together.

    Args:
        shards: to be placed.
        nodes: to choose from.
        held: ids of the nodes of shards that stay where they are.
    """
    load = Counter(held)
    chosen = []
    for _ in shards:
        node = min(nodes, key=lambda node: (load[node.id] + 1) / max(node.cpus, 1))
        load[node.id] += 1
        chosen.append(node.id)
    order = {node.id: place for place, node in enumerate(nodes)}
    return dict(zip(sorted(shards), sorted(chosen, key=order.__getitem__), strict=True))
