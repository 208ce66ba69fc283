"""What a trained policy changes: trained agents beside the same agents under rules, seed by seed.

A seed is a draw of its own of whatever chance decides: a supply graph and the firms on it, outages, sampled levels.
Both runs of a seed meet the same random numbers, so their difference is due to behaviour; intervals are over seeds.
Replicas of one seed share its graph and are no draws of their own, so they are used for nothing but to let several
single agents be trained, one in each replica, whose mean is one value of their seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.kpi.leakage import interval
from carbonray.learn.policy_folder import Saved, load
from carbonray.runtime import outputs
from carbonray.runtime.cbam_result import Result
from carbonray.runtime.simulate import RUNNERS, Progress, RunResult, load_target, silent
from carbonray.runtime.simulate_cbam import fit_for
from carbonray.runtime.simulate_negotiation import NegotiationResult
from carbonray.units import QUARTERS
from carbonray.worlds import draws

FOCAL = 8
"""Single agents of a seed, each in a replica of its own, where a role has many; else all of them."""
FEW = 32
"""Agents of a role up to which each of them is one of those."""
FOCAL_DRAW = 3000
UNITS = {
    "reward_per_size": "fraction of output at rest; of regions: utility a step",
    "output_per_size": "fraction of output at rest",
    "emissions_per_size": "t CO2 per USD of 2011 of output at rest",
}
Figures = dict[str, float | None]


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
        return self.result.notices

    def lines(self) -> list[str]:
        """What the command line prints."""
        return [*self.result.lines(), *learning_lines(self.summary["learning"])]

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
        settings: `KEY=VALUE` overrides of any key of the scenario.
        progress: told how many runs are done.

    Raises:
        PolicyError: if the policy cannot be read or was not made for the scenario.
        ScenarioError: if the scenario cannot be run.
        KeyboardInterrupt: if the user stops it before the first seed is done; later, the whole seeds are told.
    """
    saved = load(folder)
    asked = f"{saved.card.world}/{saved.card.scenario}" if target is None else target
    scenario: Any = load_target(asked, settings, firms=firms, years=years)
    if seeds < 1:
        raise ScenarioError(f"--seeds {seeds}: give a number of seeds, at least 1")
    if scenario.world == "cbam":
        scenario = fit_for(scenario, saved)
    first: Any = None
    rows: list[dict[str, Any]] = []
    done: list[int] = []
    for seed in range(scenario.seed, scenario.seed + seeds):
        progress("evaluating", 2 * len(done), 2 * seeds)
        trained, pair_of_rows = _seed(scenario.model_copy(update={"seed": seed}), saved, one=one)
        if trained is None:
            break
        first = first or trained
        rows += pair_of_rows
        done.append(seed)
    progress("evaluating", 2 * len(done), 2 * seeds)
    if first is None:
        raise KeyboardInterrupt
    table = pd.DataFrame(rows)
    told = summarised(table, role=saved.card.role, one=one)
    interrupted = {"interrupted": True} if len(done) < seeds else {}
    return Evaluation(
        scenario=scenario,
        result=replace(first, summary=first.summary | interrupted | {"learning": told}),
        learning=table,
    )


def _seed(scenario: Any, saved: Saved, *, one: bool) -> tuple[Any, list[dict[str, Any]]]:
    """The trained run of a seed, and a row for each of its two runs; nothing if the user stopped one."""
    role, seed = saved.card.role, scenario.seed
    who: NDArray[np.int64] | None = None
    if one:
        count = _count(scenario, role)
        who = focal(seed, count)
        saved = replace(saved, trained=replace(saved.trained, who=who))
        scenario = scenario.model_copy(update={"replicas": len(who)})
    runner, measure = RUNNERS[scenario.world], MEASURES[scenario.world]
    run = getattr(import_module(runner.module), runner.function)
    runs = {name: run(scenario, robust=False, policy=policy) for name, policy in (("trained", saved), ("rule", None))}
    if any(result.summary["interrupted"] for result in runs.values()):
        return None, []
    return runs["trained"], [{"seed": seed, "run": name, **measure(result, who)} for name, result in runs.items()]


def _count(scenario: Any, role: str) -> int:
    """Agents of a role."""
    from carbonray.data.load_world import load_world

    return load_world(scenario).roles[role].count


def focal(seed: int, count: int) -> NDArray[np.int64]:
    """[B, 1] the single agent of each replica: everyone in turn where they are few, else drawn with equal chance."""
    if count <= FEW:
        return np.arange(count)[:, None]
    drawn = [draws.uniform(seed, b, 0, FOCAL_DRAW, np.array([-1])) * count for b in range(FOCAL)]
    return np.stack(drawn).astype(np.int64)


def _of(values: NDArray[np.float64], who: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """[..., B, k] of [..., B, n]: what the trained agents have, or everyone."""
    if who is None:
        return values
    return np.take_along_axis(values, np.broadcast_to(who, (*values.shape[:-1], who.shape[-1])), -1)


def firm_figures(result: Result, who: NDArray[np.int64] | None) -> Figures:
    """Of a run: leakage of the economy; profit, output and emissions of the trained firms, means of a year.

    Single firms are of all sizes, so what they do is told over their size, the output at rest, and averaged over them.
    """
    pair, history = result.pair, result.pair.policy
    size = QUARTERS * pair.world.firms.size.cpu().numpy()
    size = _of(np.broadcast_to(size, (pair.scenario.replicas, len(size))), who)  # [B, k]
    mine = {
        name: _of(np.stack([each[name] for each in history.firms.values()]), who)  # [Y, B, k]
        for name in ("profit", "output", "emissions")
    }
    found: Figures = {name: result.summary[name] for name in ("leakage_rate", "leakage_rate_cbam_goods")}
    found["reward_per_size"] = float((mine["profit"] / size).mean())
    if who is not None:
        return found | {f"{name}_per_size": float((mine[name] / size).mean()) for name in ("output", "emissions")}
    abated = history.accounts["abatement_cost"].sum((0, 2)).mean() / len(history.volume)
    return found | {
        "profit_musd": float(mine["profit"].sum(-1).mean()),
        "output_musd": float(mine["output"].sum(-1).mean()),
        "emissions_mt": float(mine["emissions"].sum(-1).mean()),
        "abatement_cost_musd": float(abated),
    }


def region_figures(result: NegotiationResult, who: NDArray[np.int64] | None) -> Figures:
    """Of a run: warming of the world; utility, emissions, output and consumption of the trained regions."""
    century = result.policy
    mine = {
        name: _of(century.regions[name][1:], who)
        for name in ("reward", "mitigation", "emissions", "output", "consumption")
    }
    return {
        "temperature_c": float(century.temperature[-1, :, 0].mean()),
        "leakage_rate": result.summary["leakage_rate"],
        "reward_per_size": float(mine["reward"].mean()),
        "mitigation": float(mine["mitigation"].mean()),
        "emissions_gtco2": float(mine["emissions"].sum(-1).mean()),
        "output_tusd": float(mine["output"].sum(-1).mean()),
        "consumption_tusd": float(mine["consumption"].sum(-1).mean()),
    }


MEASURES: Mapping[str, Callable[[Any, NDArray[np.int64] | None], Figures]] = {
    "cbam": firm_figures,
    "climate-negotiation": region_figures,
}


def summarised(table: pd.DataFrame, *, role: str, one: bool) -> dict[str, Any]:
    """Means over the seeds with 95 % Student intervals: of both behaviours, and of the paired differences."""
    sides = {name: table[table["run"] == name].set_index("seed") for name in ("trained", "rule")}
    figures = []
    for name in table.columns.drop(["seed", "run"]):
        trained, rule = (sides[side][name].to_numpy(dtype=float) for side in ("trained", "rule"))
        both = np.isfinite(trained) & np.isfinite(rule)
        parts = {"trained": trained[both], "rule": rule[both], "difference": (trained - rule)[both]}
        found: dict[str, Any] = {"name": str(name), "seeds": int(both.sum())}
        for part, values in parts.items():
            bounds = interval(values)
            found[part] = float(values.mean()) if len(values) else None
            found[f"{part}_interval"] = None if bounds is None else list(bounds)
        figures.append(found)
    return {"role": role, "one": one, "seeds": [int(seed) for seed in sides["rule"].index], "figures": figures}


def learning_lines(told: Mapping[str, Any]) -> list[str]:
    """The comparison for a terminal."""
    trained = f"one trained {told['role']}" if told["one"] else f"trained {told['role']}s"
    lines = [f"  {'':28}{trained:>18}{'rules':>14}{'difference':>14}  [95 %] over {len(told['seeds'])} seeds"]
    for figure in told["figures"]:
        if figure["trained"] is None:
            lines.append(f"  {figure['name']:28}{'undefined':>18}")
            continue
        bounds = figure["difference_interval"]
        spread = "" if bounds is None else f"  [{bounds[0]:.4g}, {bounds[1]:.4g}]"
        values = f"{figure['trained']:18.5g}{figure['rule']:14.5g}{figure['difference']:14.4g}"
        lines.append(f"  {figure['name']:28}{values}{spread}")
    return lines
