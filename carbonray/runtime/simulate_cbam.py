"""Run the CBAM world: a scenario beside its reference, what tests its figures, and the static oracle."""

import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.config import Scenario, ScenarioError
from carbonray.data.worlds import economy_of
from carbonray.runtime import robustness
from carbonray.runtime import uncertainty as intervals
from carbonray.runtime.cbam_result import Result
from carbonray.runtime.equilibrium import static_leakage, without_counterpart
from carbonray.runtime.inprocess import IN_PROCESS, threads
from carbonray.runtime.pair import Pair, run
from carbonray.runtime.shard import Runtime
from carbonray.runtime.simulate import Progress, load_target, silent, telling
from carbonray.runtime.trained import Saved, read_policy
from carbonray.units import QUARTERS


def simulate_cbam(
    scenario: Scenario,
    *,
    device: str = "cpu",
    robust: bool = True,
    uncertainty: int | None = None,
    policy: str | Path | Saved | None = None,
    runtime: Runtime = IN_PROCESS,
    progress: Progress = silent,
) -> Result:
    """Simulate a scenario beside its reference run.

    Args:
        scenario: what to simulate.
        device: `cpu` or `cuda`.
        robust: whether the ablation, the sensitivity and the oracle are computed beside the run.
        uncertainty: draws of the uncertain parameters, for intervals; 24 if `robust`, else none, if left out.
        policy: a trained policy, or its folder, that firms follow instead of rules.  What is computed beside a run has
            rule firms, and is left out then.
        runtime: what steps the run and its reference; what is computed beside them stays in this process.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario cannot be run, or the policy was not made for it.
        DataError: if its economy is not in order.
    """
    if policy is not None:
        return _simulate_trained(scenario, read_policy(policy), uncertainty, device, runtime, progress)
    number = draws_of(uncertainty, robust=robust)
    economy = economy_of(scenario)
    started = time.perf_counter()
    pair = run(scenario, economy=economy, device=device, runtime=runtime, progress=telling(progress))
    wall = time.perf_counter() - started
    found = robustness.summary_of(pair)
    draws = None
    if not pair.interrupted:
        try:
            beside, draws = _beside(pair, progress, robust=robust, draws=number)
            found |= beside
        except KeyboardInterrupt:
            found["interrupted"] = True
    return Result(pair=pair, summary=_headline(pair) | found | _speed(pair, wall), uncertainty=draws)


def _simulate_trained(
    scenario: Scenario, found: Saved, uncertainty: int | None, device: str, runtime: Runtime, progress: Progress
) -> Result:
    """A run beside its reference, with trained firms in both."""
    if draws_of(uncertainty, robust=False):
        raise ScenarioError(f"--uncertainty {uncertainty}: not with --policy; draws have firms that follow rules")
    fitted = fit_for(scenario, found)
    started = time.perf_counter()
    pair = run(fitted, device=device, policy=found.trained, runtime=runtime, progress=telling(progress))
    wall = time.perf_counter() - started
    summary = _headline(pair) | {"policy": found.told()} | robustness.summary_of(pair) | _speed(pair, wall)
    notices = changes_told(scenario, fitted)
    return Result(pair=pair, summary=summary, notices=notices, policy_files=found.files)


def fit_for(scenario: Scenario, policy: Saved) -> Scenario:
    """The scenario with agents that can do what a policy decides; itself if they can already."""
    changes: dict[str, Any] = {}
    if not scenario.firms.learned and len(policy.heads.get("firm", ())) > HEADS_OF_RULES:
        changes["firms"] = scenario.firms.model_copy(update={"learned": True})
    if not scenario.regulator.acts and "regulator" in policy.heads:
        changes["regulator"] = scenario.regulator.model_copy(update={"acts": True})
    return scenario.model_copy(update=changes) if changes else scenario


def changes_told(scenario: Scenario, fitted: Scenario) -> list[str]:
    """What a user is told whose scenario is changed so that a policy fits."""
    found = []
    if fitted.firms.learned != scenario.firms.learned:
        found.append("firms.learned=true: this policy re-sources and relocates")
    if fitted.regulator.acts != scenario.regulator.acts:
        found.append("regulator.acts=true: this policy turns the law")
    return found


HEADS_OF_RULES = 2
"""Heads of firms that cannot re-source."""


def draws_of(asked: int | None, *, robust: bool) -> int:
    """Draws of the uncertain parameters.

    Raises:
        ScenarioError: if fewer than none are asked for.
    """
    if asked is None:
        return intervals.DRAWS if robust else 0
    if asked < 0:
        raise ScenarioError(f"--uncertainty {asked}: give the number of draws, 0 for none")
    return asked


def _beside(pair: Pair, progress: Progress, *, robust: bool, draws: int) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """What is computed beside a run; draws run in processes of their own meanwhile."""
    if draws == 0:
        return _robustness(pair.scenario, pair, progress) if robust else {}, None
    with intervals.begun(pair.scenario, economy=pair.economy, draws=draws) as finish:
        found = _robustness(pair.scenario, pair, progress) if robust else {}
        drawn = finish(progress)
    return found | {"uncertainty": drawn.summary}, drawn.table


def _robustness(scenario: Scenario, pair: Pair, progress: Progress) -> dict[str, Any]:
    with threads(1):
        return _parts(scenario, pair, progress)


def _parts(scenario: Scenario, pair: Pair, progress: Progress) -> dict[str, Any]:
    rows = []
    parts = 4

    def tell(part: str) -> None:
        rows.append(part)
        progress("testing what matters", len(rows) - 1, parts + 1)

    found = robustness.ablation(scenario, pair.economy, tell)
    progress("testing what matters", parts, parts + 1)
    extra: dict[str, Any] = {}
    if not without_counterpart(scenario):
        extra["oracle"] = robustness.oracle(scenario, pair.economy)
        extra["sensitivity"] = robustness.sensitivity(scenario, pair.economy)
    extra |= {
        "ablation": found,
        "ablation_firms": min(scenario.firms.number, robustness.ABLATION_FIRMS),
        "stress": robustness.stress(scenario, pair.economy).model_dump(mode="json"),
    }
    progress("testing what matters", parts + 1, parts + 1)
    return extra


def _headline(pair: Pair) -> dict[str, Any]:
    scenario = pair.scenario
    years = len(pair.policy.volume)
    return {
        "scenario": scenario.name,
        "world": scenario.world,
        "years": [scenario.start_year, scenario.start_year + years - 1],
        "n_firms": len(pair.world.firms.size),
        "replicas": scenario.replicas,
        "seed": scenario.seed,
        "interrupted": pair.interrupted,
    }


def _speed(pair: Pair, wall: float) -> dict[str, Any]:
    scenario = pair.scenario
    firm_steps = 2 * len(pair.world.firms.size) * scenario.replicas * len(pair.policy.volume) * QUARTERS
    return {
        "wall_seconds": wall,
        "firm_steps": firm_steps,
        "firm_steps_per_second": firm_steps / wall,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


TIMINGS = ("wall_seconds", "firm_steps_per_second", "peak_memory_mib")
"""Keys of summary.json that differ between two runs with the same seed."""


def equilibrium(
    target: str | Scenario = "test-arm",
    *,
    year: int | None = None,
    settings: Sequence[str] = (),
    uncertainty: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The static oracle of a scenario: figures, and the table `cells` as a DataFrame.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        year: whose policy; the scenario's last if left out.
        settings: `KEY=VALUE` overrides.
        uncertainty: draws of the uncertain parameters; their intervals and ranking are under `uncertainty`.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario cannot be solved.
    """
    scenario = load_target(target, settings)
    if not isinstance(scenario, Scenario):
        raise ScenarioError(f"{scenario.name}: {scenario.world} has no static equilibrium; choose a cbam scenario")
    number = draws_of(uncertainty, robust=False)
    with threads(1):
        found = static_leakage(scenario, year)
    if number:
        drawn = intervals.measure(scenario, draws=number, run=False, year=year, progress=progress)
        found["uncertainty"] = drawn.summary
    return found | {"cells": pd.DataFrame(found["cells"])}
