"""What all tables of `bench runtime` share: worlds to play, a watch on a play, and plays on Ray and in one process.

A step is timed from outside, by when a runtime tells of it, so what is timed is the runtime that `simulate` uses.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world, economy_of, supply_graph
from carbonray.runtime import cluster, inprocess, placement
from carbonray.runtime.distributed import AHEAD, Ensemble, OnRay
from carbonray.runtime.inprocess import IN_PROCESS
from carbonray.runtime.memory import keep_memory
from carbonray.runtime.pair import play_of
from carbonray.runtime.shard import Play, Shard, Tell
from carbonray.units import QUARTERS

SETTLED = 2 * AHEAD + 2
"""Steps that are told before the time is taken: those handed in ahead come in a burst."""


def law(firms: int, steps: int, *, reference: bool = False) -> Play[Any, Any, Any]:
    """The scenario `law` on its own economy, its reference beside it or not; firms' years are not recorded."""
    scenario = load("law", (f"firms.number={firms}", f"years={-(-steps // QUARTERS)}"))
    economy = economy_of(scenario)
    graph = supply_graph(economy, scenario)
    scenarios = (scenario, scenario.reference()) if reference else (scenario,)
    with inprocess.threads(1):
        worlds = [build_world(each, economy, graph) for each in scenarios]
    return replace(play_of(scenario, worlds, record_firms=False), steps=steps)


@dataclass
class Watch:
    """Notes when each step was told."""

    stamps: list[float] = field(default_factory=list)

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take the time, the same clock in all processes of a machine."""
        self.stamps.append(time.monotonic())

    def milliseconds(self, settled: int = SETTLED) -> list[float]:
        """Between each step and the next, once settled."""
        return [1e3 * (after - before) for before, after in pairwise(self.stamps[settled:])]


def typical(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, mean and spread of steps."""
    low, high = np.quantile(milliseconds, [0.1, 0.9])
    return {
        "median": statistics.median(milliseconds),
        "mean": statistics.fmean(milliseconds),
        "p10": float(low),
        "p90": float(high),
        "steps": len(milliseconds),
    }


@contextmanager
def ensemble(
    play: Play[Any, Any, Any], shard: str | None, kind: type[Ensemble] = Ensemble, **options: Any
) -> Iterator[Ensemble]:
    """The shards of a play on the cluster that this process is connected to.

    Args:
        play: what will be stepped.
        shard: what an actor holds; see `placement.split`.
        kind: of ensemble.
        options: of `OnRay`.
    """
    splits = placement.split(play.worlds[0], shard, cluster.cores())
    placement.check_memory(len(splits), cluster.memory_mib(), shard)
    made = kind(OnRay(**options), play, splits)
    try:
        yield made
    finally:
        made.disband()


def played(members: Ensemble, watch: Tell) -> None:
    """Step to the end.

    Raises:
        KeyboardInterrupt: if the user stops it, so that nothing is told of half a measurement.
    """
    if members.play(watch).interrupted:
        raise KeyboardInterrupt


def equal_shards(firms: int, number: int) -> str:
    """The option that gives so many equal shards."""
    return str(-(-firms // number))


def asked(members: Ensemble, function: Callable[[Any], Any]) -> list[Any]:
    """What a function of this package gives in every actor, once all exchanges handed in before are over."""
    handles = [members.members[shard].handle for shard in sorted(members.members)]
    return list(members.ray.get([handle.__ray_call__.remote(function) for handle in handles]))


def in_process(play: Play[Any, Any, Any], threads: int) -> Watch:
    """Step a play in this process on a number of torch threads."""
    keep_memory()
    watch = Watch()
    shard = Shard(play, {name: np.arange(role.count) for name, role in play.worlds[0].roles.items()})
    with inprocess.threads(threads):
        shard.begin()
        IN_PROCESS._step(shard, watch)
    return watch
