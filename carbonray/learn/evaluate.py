"""What a trained policy changes: trained agents beside the same agents under rules, seed by seed.

A seed is a draw of its own of whatever chance decides: a supply graph and the firms on it, outages, sampled levels.
Both runs of a seed meet the same random numbers, so their difference is due to behaviour; intervals are over seeds.
Replicas of one seed share its graph and are no draws of their own, so they are used for nothing but to let several
single agents be trained, one in each replica, whose mean is one value of their seed.

Where a best response is given, one agent leaves the policy that all others keep; see `best_response`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario, ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.data.load_world import load_world
from carbonray.kpi.leakage import interval
from carbonray.learn.best_response import DEVIATES, STAYS, deviating
from carbonray.learn.evaluate_text import learning_lines, response_lines
from carbonray.learn.measures import MEASURES, focal
from carbonray.learn.policy_folder import AnySaved, load
from carbonray.runtime import outputs
from carbonray.runtime.simulate import RUNNERS, Progress, RunResult, load_target, silent
from carbonray.runtime.simulate_cbam import changes_told, fit_for
from carbonray.worlds.world import WorldError

UNITS = {
    "reward_per_size": "fraction of output at rest; of regions: utility a step",
    "output_per_size": "fraction of output at rest",
    "emissions_per_size": "t CO2 per USD of 2011 of output at rest",
}
REASON = "undefined_reason"
"""Of a row: why leakage has no rate."""


@dataclass(frozen=True)
class Evaluation:
    """Trained agents beside rule agents: the run of the first seed, and a row for each seed and behaviour."""

    scenario: AnyScenario  # as it was run, with the first seed
    result: RunResult
    learning: pd.DataFrame

    def __repr__(self) -> str:
        told = self.summary["learning"]
        return f"<Evaluation of {self.summary['policy']['name']} over {len(told['seeds'])} seeds; see .learning>"

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json: that of the first seed, and under `learning` means and intervals over the seeds."""
        return self.result.summary

    @property
    def notices(self) -> Sequence[str]:
        """What a user should know that is no figure."""
        told = self.summary["learning"]
        stopped = [f"stopped after seed {told['seeds'][-1]}"] if self.summary["interrupted"] else []
        left_out = (f"seed {seed} is left out: {why}" for seed, why in told["left_out"].items())
        return [*self.result.notices, *stopped, *left_out]

    def lines(self) -> list[str]:
        """What the command line prints."""
        told = self.summary["learning"]
        whole = self.summary | {"interrupted": False}  # what was stopped is the evaluation
        run: RunResult = replace(self.result, summary=whole)  # type: ignore[type-var]
        return [f"run of seed {told['seeds'][0]}:", *run.lines(), *learning_lines(told), *response_lines(told)]

    def write(self, out: str | Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write the run directory of the first seed, with learning.parquet.

        Args:
            out: a folder that does not exist.
            finish: called with the written folder before it gets its name; the report is drawn here.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """

        def add(draft: Path) -> None:
            outputs.write_table(self.learning, draft / "learning.parquet", units=UNITS)
            finish(draft)

        return self.result.write(out, add)


def evaluate(
    folder: str | Path,
    *,
    target: str | Path | AnyScenario | None = None,
    seeds: int = 10,
    firms: int | None = None,
    years: int | None = None,
    one: bool = False,
    best_response: str | Path | None = None,
    settings: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Run a scenario with trained agents and with rule agents, for several seeds.

    Args:
        folder: of the policy.
        target: a scenario, its name or file; that of the training if left out.
        seeds: number of them, from the scenario's on.
        firms: number of firms; cbam.
        years: number of years; cbam.
        one: whether a single agent is trained among rule agents; else all are.
        best_response: folder of a policy that one agent follows among agents who keep the first: what does it gain?
        settings: `KEY=VALUE` overrides of any key of the scenario.
        progress: told how many runs are done.

    Raises:
        PolicyError: if a policy cannot be read or was not made for the scenario.
        ScenarioError: if the scenario cannot be run, or the options do not go together.
        KeyboardInterrupt: if the user stops it before the first seed is done; later, the whole seeds are told.
        WorldError: if agents bring every seed's world to an impossible state; seeds are left out,
            and named, if only some end so.
    """
    if one and best_response is not None:
        raise ScenarioError("--best-response: not with --one, whose other agents follow rules")
    saved = load(folder)
    response = None if best_response is None else load(best_response)
    for option, asked_for in (("--one", one), ("--best-response", response is not None)):
        if asked_for and any(len(each.parts) > 1 for each in (saved, response) if each is not None):
            raise ScenarioError(f"{option}: give the policy of one role, a folder inside {folder}")
    asked = f"{saved.card.world}/{saved.card.scenario}" if target is None else target
    scenario: Any = load_target(asked, settings, firms=firms, years=years)
    if seeds < 1:
        raise ScenarioError(f"--seeds {seeds}: give a number of seeds, at least 1")
    asked_for = scenario
    if scenario.world == "cbam":
        scenario = fit_for(scenario, saved)
    count = _count(scenario, saved, response)
    if count == 1 and (one or response):
        raise ScenarioError(f"{'--one' if one else '--best-response'}: there is a single {saved.card.role}")
    first: Any = None
    rows: list[dict[str, Any]] = []
    done: list[int] = []
    runs = 2 if response is None else 4
    broken: dict[int, WorldError] = {}
    for tried, seed in enumerate(range(scenario.seed, scenario.seed + seeds)):
        progress("evaluating", runs * tried, runs * seeds)
        who = focal(seed, count) if one or response else None
        try:
            trained, its_rows = _seed(scenario.model_copy(update={"seed": seed}), saved, response, who)
        except WorldError as error:
            broken[seed] = error
            continue
        if trained is None:
            break
        first = first or trained
        rows += its_rows
        done.append(seed)
    progress("evaluating", runs * (len(done) + len(broken)), runs * seeds)
    if first is None:
        raise next(iter(broken.values())) if len(broken) == seeds else KeyboardInterrupt
    told = summarised(_table(rows, "trained", "rule"), role=saved.card.role, one=one)
    told["undefined"] = _undefined(rows)
    told["left_out"] = {str(seed): str(error) for seed, error in broken.items()}
    if response is not None:
        figures = compared(_table(rows, DEVIATES, STAYS), DEVIATES, STAYS)
        told["best_response"] = {"policy": response.told(), "figures": figures}
    interrupted = {"interrupted": True} if len(done) + len(broken) < seeds else {}
    changed = (
        changes_told(asked_for, scenario) if isinstance(scenario, Scenario) and isinstance(asked_for, Scenario) else []
    )
    return Evaluation(
        scenario=scenario.model_copy(update={"seed": done[0]}),
        result=replace(
            first, summary=first.summary | interrupted | {"learning": told}, notices=[*first.notices, *changed]
        ),
        learning=pd.DataFrame(rows).drop(columns=REASON),
    )


def _count(scenario: Any, *policies: AnySaved | None) -> int:
    """Agents for whom the policies decide, of the first role if of several.

    Raises:
        PolicyError: if one was not made for such agents.
    """
    world: Any = load_world(scenario)
    roles = {policy.card.role for policy in policies if policy is not None}
    for policy in policies:
        if policy is not None:
            policy.trained.check(world, f"{scenario.world}/{scenario.name}")
    if len(roles) > 1:
        raise ScenarioError(
            f"--best-response: one policy for each of {', '.join(sorted(roles))}; give two for the same"
        )
    count: int = world.roles[roles.pop()].count
    return count


def _seed(
    scenario: Any, saved: AnySaved, response: AnySaved | None, who: NDArray[np.int64] | None
) -> tuple[Any, list[dict[str, Any]]]:
    """The trained run of a seed, and a row for each of its runs; nothing if the user stopped one."""
    if response is None:
        few = saved
        if who is not None:
            (part,) = saved.parts
            few = replace(part, trained=replace(part.trained, who=who))
        return _played(scenario, {"trained": few, "rule": None}, who)
    assert who is not None
    trained, rows = _played(scenario, {"trained": saved, "rule": None}, None)
    if trained is None:
        return None, []
    left, more = _played(scenario, {DEVIATES: deviating(saved, response, who), STAYS: saved}, who)
    return (None, []) if left is None else (trained, rows + more)


def _played(
    scenario: Any, policies: Mapping[str, AnySaved | None], who: NDArray[np.int64] | None
) -> tuple[Any, list[dict[str, Any]]]:
    """The first run of some, and a row for each of what agents `who` do, each in a replica of its own, or everybody."""
    if who is not None:
        scenario = scenario.model_copy(update={"replicas": len(who)})
    runner, measure = RUNNERS[scenario.world], MEASURES[scenario.world]
    run = getattr(import_module(runner.module), runner.function)
    runs = {name: run(scenario, robust=False, policy=policy) for name, policy in policies.items()}
    if any(result.summary["interrupted"] for result in runs.values()):
        return None, []
    rows = [
        {"seed": scenario.seed, "run": name, REASON: result.summary[REASON], **measure(result, who)}
        for name, result in runs.items()
    ]
    return next(iter(runs.values())), rows


def _table(rows: Sequence[Mapping[str, Any]], *runs: str) -> pd.DataFrame:
    """The rows of some runs, with the figures that these have."""
    return pd.DataFrame([row for row in rows if row["run"] in runs]).drop(columns=REASON)


def _undefined(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why leakage has no rate: trained and rule runs by reason, with their seeds."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row["run"] in ("trained", "rule") and row[REASON]:
            seeds.setdefault((row["run"], row[REASON]), []).append(row["seed"])
    return [{"run": run, "reason": reason, "seeds": found} for (run, reason), found in seeds.items()]


def summarised(table: pd.DataFrame, *, role: str, one: bool) -> dict[str, Any]:
    """Means over the seeds with 95 % Student intervals: of both behaviours, and of the paired differences."""
    seeds = [int(seed) for seed in table.loc[table["run"] == "rule", "seed"]]
    return {"role": role, "one": one, "seeds": seeds, "figures": compared(table, "trained", "rule")}


def compared(table: pd.DataFrame, first: str, second: str) -> list[dict[str, Any]]:
    """Each figure of two runs and their difference: means over the seeds in which both have it, with intervals."""
    sides = [table[table["run"] == name].set_index("seed") for name in (first, second)]
    figures = []
    for name in table.columns.drop(["seed", "run"]):
        values = [side[name].to_numpy(dtype=float) for side in sides]
        both = np.isfinite(values[0]) & np.isfinite(values[1])
        parts = {first: values[0][both], second: values[1][both], "difference": (values[0] - values[1])[both]}
        found: dict[str, Any] = {"name": str(name), "seeds": int(both.sum())}
        for part, each in parts.items():
            bounds = interval(each)
            found[part] = float(each.mean()) if len(each) else None
            found[f"{part}_interval"] = None if bounds is None else list(bounds)
        figures.append(found)
    return figures
