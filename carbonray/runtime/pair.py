"""Step a run and its reference side by side: same world, same firms, same random numbers, home policy off."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from carbonray.config import Scenario
from carbonray.data.placing import Placed
from carbonray.data.worlds import build_world, economy_of, plants_of, supply_graph
from carbonray.kpi.history import History
from carbonray.runtime import inprocess
from carbonray.runtime.inprocess import IN_PROCESS
from carbonray.runtime.recorder import Recorder, history, leakage_so_far
from carbonray.runtime.shard import RULES, Play, Policy, Runtime, Tell, untold
from carbonray.worlds.cbam import CbamWorld, Economy, SupplyGraph
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import Firms
from carbonray.worlds.cbam.world import Decided


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
    policy: Policy = RULES,
    runtime: Runtime = IN_PROCESS,
    progress: Tell = untold,
) -> Pair:
    """Simulate a scenario and its reference.

    Args:
        scenario: what to simulate.
        economy: if it is loaded already.
        graph: if it is drawn already.
        device: `cpu` or `cuda`.
        record_firms: whether firms' years are kept.
        policy: how firms behave, in both.
        runtime: what steps the worlds.
        progress: told the steps done, the steps of the run, and leakage so far.

    Raises:
        ScenarioError: if the policy was not made for such firms.
        KeyboardInterrupt: if the user stops it in its first year; later, the whole years are returned.
    """
    economy = economy or economy_of(scenario)
    plants = plants_of(scenario, economy)
    graph = graph or supply_graph(economy, scenario, plants)
    with inprocess.threads(1):
        worlds = [build_world(s, economy, graph, plants).to(device) for s in (scenario, scenario.reference())]
    policy.check(worlds[0], f"{scenario.world}/{scenario.name}")
    played = runtime.play(play_of(scenario, worlds, record_firms=record_firms, policy=policy), progress)
    kept, beside = played.kept
    years = min(each.years for each in (*kept, *beside))
    if played.interrupted and not years:
        raise KeyboardInterrupt(played.hint)
    firms = [ids["firm"] for ids in played.ids]
    return Pair(
        scenario=scenario,
        world=worlds[0],
        policy=history(kept, firms, years),
        reference=history(beside, firms, years),
        economy=economy,
        graph=graph,
        interrupted=played.interrupted,
        plants=plants,
    )


def play_of(
    scenario: Scenario, worlds: Sequence[CbamWorld], *, record_firms: bool = True, policy: Policy = RULES
) -> Play[Firms, Commons, Decided]:
    """What a runtime steps: a world, and its reference if given, with the scenario's seed."""
    return Play(
        worlds=tuple(worlds),
        seed=scenario.seed,
        replicas=scenario.replicas,
        steps=worlds[0].steps,
        recorder=partial(Recorder, record_firms=record_firms),
        so_far=leakage_so_far,
        policy=policy,
    )
