"""Step a run and its reference side by side: same world, same firms, same random numbers, home policy off."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from carbonray.config import Scenario
from carbonray.data.placing import Placed
from carbonray.data.worlds import build_world, economy_of, plants_of, supply_graph
from carbonray.kpi.history import History
from carbonray.runtime import inprocess
from carbonray.runtime.recorder import Recorder
from carbonray.worlds.cbam import CbamWorld, Economy, SupplyGraph


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A run beside its reference."""

    scenario: Scenario
    world: CbamWorld
    policy: History
    reference: History
    economy: Economy
    graph: SupplyGraph
    interrupted: bool  # stopped by the user before the end; whole years are kept
    plants: Placed | None = None  # the first firms of their cells, where the scenario names any


def run(
    scenario: Scenario,
    *,
    economy: Economy | None = None,
    graph: SupplyGraph | None = None,
    device: str = "cpu",
    record_firms: bool = True,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Pair:
    """Simulate a scenario and its reference.

    Args:
        scenario: what to simulate.
        economy: if it is loaded already.
        graph: if it is drawn already.
        device: `cpu` or `cuda`.
        record_firms: whether firms' years are kept.
        progress: called with the steps done and the steps of the run.

    Raises:
        KeyboardInterrupt: if the user stops it in its first year; later, the whole years are returned.
    """
    economy = economy or economy_of(scenario)
    plants = plants_of(scenario, economy)
    graph = graph or supply_graph(economy, scenario, plants)
    with inprocess.threads(1):
        worlds = [build_world(s, economy, graph, plants).to(device) for s in (scenario, scenario.reference())]
        found = _run(scenario, economy, graph, worlds, record_firms, progress)
    return replace(found, plants=plants)


def _run(
    scenario: Scenario,
    economy: Economy,
    graph: SupplyGraph,
    worlds: list[CbamWorld],
    record_firms: bool,  # noqa: FBT001
    progress: Callable[[int, int], None],
) -> Pair:
    ids = np.arange(len(worlds[0].firms.size))
    states = [inprocess.reset(world, scenario.seed, scenario.replicas, [{"firm": ids}]) for world in worlds]
    recorders = [Recorder(world, record_firms=record_firms) for world in worlds]
    interrupted = False
    try:
        for step in range(worlds[0].steps):
            shocks = worlds[0].shocks(scenario.seed, scenario.replicas, step, {"firm": ids})
            for side, world in enumerate(worlds):
                taken = inprocess.advance(world, states[side], [shocks], [ids])
                states[side] = taken.state
                recorders[side].add(taken)
            progress(step + 1, worlds[0].steps)
    except KeyboardInterrupt:
        interrupted = True
        if not recorders[1].years:
            raise
    years = recorders[1].years
    return Pair(
        scenario=scenario,
        world=worlds[0],
        policy=recorders[0].history(years),
        reference=recorders[1].history(years),
        economy=economy,
        graph=graph,
        interrupted=interrupted,
    )
