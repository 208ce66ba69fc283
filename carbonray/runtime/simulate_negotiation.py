"""Simulate a climate negotiation beside the same regions whom nobody binds, and keep what it shows."""

import math
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.actions import read_actions
from carbonray.data.negotiation import moved_rates, negotiation_world
from carbonray.runtime import negotiation_tables as tables
from carbonray.runtime import outputs
from carbonray.runtime.inprocess import IN_PROCESS
from carbonray.runtime.negotiation_run import Century, run, together
from carbonray.runtime.negotiation_summary import headline, index_bounds, lines, switch_effects
from carbonray.runtime.negotiation_trajectory import replay
from carbonray.runtime.shard import RULES, Policy, Recorded, Rules, Runtime
from carbonray.runtime.simulate import Progress, silent, telling
from carbonray.runtime.trained import Saved, read_policy
from carbonray.worlds.climate_negotiation.heads import Heads
from carbonray.worlds.climate_negotiation.protocols import CLUB_FLOOR
from carbonray.worlds.climate_negotiation.world import NegotiationWorld


@dataclass(frozen=True)
class NegotiationResult:
    """A century beside its reference: `summary`, and tables ready to plot."""

    scenario: NegotiationScenario
    world: NegotiationWorld
    policy: Century
    reference: Century
    summary: dict[str, Any]
    behaviour: Policy = RULES
    read: Mapping[str, Path] = field(default_factory=dict)  # files that say how regions behave, if no rules, by name
    notices: list[str] = field(default_factory=list)  # what a user should be told before the figures

    def __repr__(self) -> str:
        found = self.summary
        warm = f"{found['temperature_c']:.2f} C in {found['years'][1]}"
        return f"<NegotiationResult of {found['scenario']}: {warm}; see .summary and its tables>"

    def lines(self) -> list[str]:
        """The headline in a few lines."""
        return lines(self.summary)

    @cached_property
    def years(self) -> pd.DataFrame:
        """The world by year."""
        return tables.years(self.policy, self.reference)

    @cached_property
    def regions(self) -> pd.DataFrame:
        """Regions by year."""
        return tables.regions(self.policy, self.reference)

    @cached_property
    def trade(self) -> pd.DataFrame:
        """Imports and tariffs by pair and year, first replica."""
        return tables.trade(self.policy, self.reference)

    @cached_property
    def trajectory(self) -> dict[str, NDArray[Any]]:
        """Every whole step of the first replica, named as the reference names its arrays."""
        steps = (len(self.policy.years) - 1) * (3 if self.world.negotiates else 1)
        return replay(self.world, self.behaviour, seed=self.scenario.seed, steps=steps)

    def write(self, out: str | Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write the run directory; nothing is left behind if it fails.

        Args:
            out: a folder that does not exist.
            finish: called with the written folder before it gets its name; the report is drawn here.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """
        out = Path(out)
        with outputs.whole_folder(out) as draft:
            outputs.write_config(self.scenario, draft / "config.yaml", self.read)
            outputs.write_json(self.summary, draft / "summary.json")
            for name in ("years", "regions", "trade"):
                outputs.write_table(getattr(self, name), draft / f"{name}.parquet")
            outputs.write_arrays(self.trajectory, draft / "trajectory.npz")
            finish(draft)
        return out


def simulate_negotiation(
    scenario: NegotiationScenario,
    *,
    actions: str | Path | None = None,
    policy: str | Path | Saved | None = None,
    device: str = "cpu",
    robust: bool = True,
    runtime: Runtime = IN_PROCESS,
    progress: Progress = silent,
) -> NegotiationResult:
    """Simulate a scenario beside its reference run.

    Args:
        scenario: what is simulated.
        actions: a file of recorded actions, replayed in both runs; its width says whether regions negotiate.
        policy: a trained policy, or its folder, that regions follow, in both runs, instead of rules.
        device: `cpu` or `cuda`.
        robust: whether the effect of each of the reference's oddities is measured beside the run.
        runtime: what steps the run and its reference; what is computed beside them stays in this process.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario cannot be run.
        DataError: if the actions cannot be read.
        ProtocolError: if the protocol gives what nobody can be bound to.
    """
    if actions is not None and policy is not None:
        raise ScenarioError("--policy: not with --actions, which say already what regions do")
    file = None if actions is None else Path(actions)
    recorded = None if file is None else read_actions(file)
    saved = None if policy is None else read_policy(policy)
    _check_memory(scenario)
    notices: list[str] = []
    if recorded is not None and file is not None:
        scenario, notices = _as_recorded(scenario, recorded, file)
    world = negotiation_world(scenario, device=device)
    if recorded is None:
        notices = moved_rates(scenario, world)
    behaviour = saved.trained if saved else RULES if recorded is None else Recorded(recorded)
    behaviour.check(world, f"{scenario.world}/{scenario.name}")
    started = time.perf_counter()
    ended, reference = together(
        [world, negotiation_world(scenario.reference(), device=device)],
        seed=scenario.seed,
        replicas=scenario.replicas,
        policy=behaviour,
        runtime=runtime,
        progress=telling(progress),
    )
    wall = time.perf_counter() - started
    found = _beside(scenario, world, ended, reference, behaviour, robust=robust, device=device, progress=progress)
    if recorded is not None:
        found["behaviour"] = "recorded"
    if saved is not None:
        found |= {"behaviour": "trained", "policy": saved.told()}
    found["actions_file"] = None if file is None else file.name
    return NegotiationResult(
        scenario=scenario,
        world=world,
        policy=ended,
        reference=reference,
        summary=found | _speed(world, scenario, wall, len(ended.years)),
        behaviour=behaviour,
        read=({} if file is None else {file.name: file}) | ({} if saved is None else dict(saved.files)),
        notices=notices + _unbound(scenario, world, ended),
    )


def _beside(
    scenario: NegotiationScenario,
    world: NegotiationWorld,
    policy: Century,
    reference: Century,
    behaviour: Policy,
    *,
    robust: bool,
    device: str,
    progress: Progress,
) -> dict[str, Any]:
    """The summary with what is measured beside the run; Ctrl-C leaves the rest of it out."""
    interrupted, bounds, effects = policy.interrupted, None, []
    try:
        bounds = index_bounds(world, len(policy.years) - 1)
        if robust and not interrupted:
            effects = switch_effects(
                scenario,
                policy,
                lambda changed: _run(changed, behaviour, device),
                lambda done, of: progress("correcting oddities", done, of),
                drawn=isinstance(behaviour, Rules) and scenario.behaviour.kind == "random",
            )
    except KeyboardInterrupt:
        interrupted = True
    return headline(scenario, policy, reference, bounds) | {"interrupted": interrupted, "switches": effects}


def _run(scenario: NegotiationScenario, policy: Policy, device: str) -> Century:
    world = negotiation_world(scenario, device=device)
    return run(world, seed=scenario.seed, replicas=scenario.replicas, policy=policy)


def _as_recorded(
    scenario: NegotiationScenario, actions: NDArray[np.int64], file: Path
) -> tuple[NegotiationScenario, list[str]]:
    """The scenario that the width of recorded actions asks for, and what a user should know of it."""
    regions, width = actions.shape[1], actions.shape[2]
    negotiated = width == len(Heads(regions=regions, negotiates=True).sizes)
    asked = scenario.negotiation.protocol
    told = ["levels are read as ninths (switches.rates=full)"] if scenario.switches.rates == "full" else []
    if negotiated == (asked != "none"):
        return scenario, told
    taken = "bilateral" if negotiated else "none"
    agreed = scenario.negotiation.model_copy(update={"protocol": taken, "options": {}})
    summary = f"Recorded actions of {file.name} under protocol {taken}."
    told.append(f"{width} heads of recorded actions: protocol {taken} instead of {asked}")
    return scenario.model_copy(update={"name": taken, "summary": summary, "negotiation": agreed}), told


def _unbound(scenario: NegotiationScenario, world: NegotiationWorld, policy: Century) -> list[str]:
    """Why nobody is ever bound, where somebody could have been."""
    if not world.negotiates or not scenario.negotiation.binding or policy.member.any():
        return []
    told = f"no region is ever a member under {scenario.negotiation.protocol}"
    floor, behaviour = scenario.negotiation.options.get("floor", CLUB_FLOOR), scenario.behaviour
    club = scenario.negotiation.protocol in ("club", "border-club") and behaviour.kind == "constant"
    if club and isinstance(floor, int | float) and behaviour.proposal < floor:
        told += f": behaviour.proposal {behaviour.proposal:g} is below negotiation.options.floor {floor:g}"
    return [told]


MIB_A_REPLICA = 1.4
"""Memory of a run with its tables, measured at 1,000 replicas: 1.3."""


def _check_memory(scenario: NegotiationScenario) -> None:
    """Refuse more replicas than fit, where the system tells what is free.

    Raises:
        ScenarioError: with the memory that they need.
    """
    free, need = _free_memory(), MIB_A_REPLICA * scenario.replicas
    if need > free:
        raise ScenarioError(
            f"{scenario.name}: replicas: {scenario.replicas:,} need about {need / 1024:.1f} GiB of memory, "
            f"{free / 1024:.1f} are free"
        )


def _free_memory() -> float:
    """MiB that programs can still get, as Linux tells; no limit elsewhere."""
    told = Path("/proc/meminfo")
    lines = told.read_text(encoding="ascii").splitlines() if told.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable:")), math.inf)


def _speed(world: NegotiationWorld, scenario: NegotiationScenario, wall: float, years: int) -> dict[str, Any]:
    region_steps = 2 * world.count * scenario.replicas * (years - 1)
    return {
        "wall_seconds": wall,
        "region_steps": region_steps,
        "region_steps_per_second": region_steps / wall,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
