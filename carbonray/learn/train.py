"""Train the agents of a scenario: Tune runs the loop, restarts what fails from its checkpoints, and searches settings.

>>> import carbonray
>>> found = carbonray.train("law", algorithm="ppo", budget=5e6, out="runs/law-ppo")
>>> carbonray.simulate("law", policy=found.policy)

A folder of a training has training.json (what was asked), tune/ (checkpoints and TensorBoard logs of each trial),
training.parquet (figures by iteration) and policy/ (what the agents learned, see `policy_folder`).  Where several roles
learn, figures of the first have plain names, and those of others have their role in front.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.config import Scenario
from carbonray.config_worlds import AnyScenario
from carbonray.data.scenarios import names
from carbonray.learn.order import TrainingOrder, order_of, read_order
from carbonray.learn.policy_folder import load
from carbonray.learn.problem import ProblemError
from carbonray.learn.task import Task
from carbonray.runtime import cluster, outputs
from carbonray.runtime.simulate import Progress, load_target, silent

FIRMS = 1000
"""Firms of a cbam training if nobody says otherwise; what they learn holds for more of them."""
TABLE, POLICY, TUNE = "training.parquet", "policy", "tune"
STARTING = ("starting", 0, 1, "Ray, and a policy that does as the rules do")
"""What is told before the first iteration."""
COLUMNS = (
    "trial", "training_iteration", "agent_steps", "mean_return", "leakage_rate", "temperature_rise_c",
    "convergence_distance", "decisions", "sampling_seconds", "learning_seconds", "agent_steps_learned",
    "iteration_agent_steps", "converged", "loss", "entropy", "critic", "moved", "value", "error",
)  # fmt: skip
"""Of training.parquet, as far as a training has them; those of further roles follow."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training left."""

    folder: Path
    table: pd.DataFrame  # by iteration, see COLUMNS
    finished: bool  # whether the budget is spent or the agents changed no more; else it was interrupted
    converged: bool
    notices: Sequence[str] = field(default_factory=list)

    @property
    def policy(self) -> Path:
        """Folder of what was learned."""
        return self.folder / POLICY

    def lines(self) -> list[str]:
        """What the command line prints."""
        last = self.table.iloc[-1]
        seconds = self.table[["sampling_seconds", "learning_seconds"]].sum()
        done = self.table["agent_steps"].max()
        fell = last["mean_return"] < self.table["mean_return"].iloc[0]
        worse = ["agents earn less than at first: they compete, or learned too little; evaluate tells"] if fell else []
        ended = "agents changed no more" if self.converged else "budget spent" if self.finished else "interrupted"
        return [
            f"{ended} after {int(last['training_iteration'])} iterations and {done:.3g} decisions of agents",
            f"an agent earned {self.table['mean_return'].iloc[0]:.3f} in an episode at first, "
            f"{last['mean_return']:.3f} at last (its rewards over its size, in mean deviations of a step's)",
            *self._others(),
            *worse,
            f"{self.table['iteration_agent_steps'].sum() / seconds.iloc[0]:.3g} decisions a second played, "
            f"{self.table['agent_steps_learned'].sum() / seconds.iloc[1]:.3g} learned",
            f"policy {self.policy}",
        ]

    def _others(self) -> list[str]:
        """The same of further roles."""
        end = "_mean_return"
        earned = [(str(name), self.table[name]) for name in self.table if str(name).endswith(end)]
        return [f"a {name.removesuffix(end)} {each.iloc[0]:.3f}, then {each.iloc[-1]:.3f}" for name, each in earned]


def train(
    target: str | Path | AnyScenario = "law",
    *,
    algorithm: str = "ppo",
    role: str | Sequence[str] | None = None,
    team: str = "agent",
    alone: int = 0,
    against: str | Path | None = None,
    start: str | Path | Sequence[str | Path] = (),
    learn: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    firms: int | None = None,
    years: int | None = None,
    seed: int = 0,
    replicas: int = 1,
    runners: int = 0,
    learners: int = 0,
    gpus_per_learner: float = 0,
    budget: float = 5e6,
    tolerance: float = 0.05,
    patience: int = 10,
    tune: int = 0,
    out: str | Path | None = None,
    address: str | None = None,
    progress: Progress = silent,
) -> TrainingResult:
    """Train the agents of a scenario, in its world and in the world of its reference.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        algorithm: vdn, actor-critic or ppo.
        role: who learns, one role or several at once, each with networks of its own; the only role if left out.
        team: who shares a reward: agent (firms compete), sector, region, or economy (they collude).
        alone: number of agents who learn, spread over sectors and regions; the others follow rules. All if 0.
        against: folder of a policy that the others follow instead: for a best response to it with `alone`, else of
            roles that do not learn.
        start: folders of policies from which the networks of their roles begin, instead of from rules.
        learn: settings of the algorithm by name, see `method.Settings` and the algorithm's own.
        settings: `KEY=VALUE` overrides of any key of the scenario.
        firms: number of firms; cbam, 1,000 if left out.
        years: number of years; cbam.
        seed: of networks, episodes and batches.
        replicas: of the scenario and of its reference in each runner.
        runners: Ray actors that play episodes.
        learners: Ray actors that learn, side by side; torch averages their gradients.
        gpus_per_learner: of each.
        budget: decisions of agents after which training is over.
        tolerance: distance between iterations under which it has converged, see `convergence`.
        patience: iterations in a row that it must be.
        tune: trainings among which Tune searches learning rate, entropy and size; the best one's policy is kept.
        out: new folder; a fresh `runs/WORLD-SCENARIO-training-N` if left out.
        address: of a Ray cluster; one of this machine's cores if left out.
        progress: told the task, how much of it is done, and figures in words.

    Raises:
        ProblemError: if an option is out of range, or the agents cannot be trained so; nothing is written then.
        ScenarioError: if the scenario is refused.
        TrainingError: if it failed for good; `resume_training` goes on from its last checkpoint.
    """
    scenario = _learning(target, settings, firms=firms, years=years)
    scenario = _with_roles(scenario, [role] if isinstance(role, str) else role or (), against)
    order = order_of(
        world=scenario.world, scenario=scenario.model_dump(mode="json"), changes=tuple(settings),
        algorithm=algorithm, role=role, team=team, alone=alone, against=None if against is None else str(against),
        start=[str(each) for each in ([start] if isinstance(start, str | Path) else start)],
        settings=dict(learn or {}), replicas=replicas, runners=runners, learners=learners, budget=budget, seed=seed,
        gpus_per_learner=gpus_per_learner, tolerance=tolerance, patience=patience, searches=tune,
    )  # fmt: skip
    task = order.task()  # refuses what cannot be trained before anything is written
    folder = _fresh(scenario) if out is None else Path(out)
    outputs.check_free(folder)
    progress(*STARTING)
    with cluster.connected(address):
        _check_gpus(order)
        with outputs.whole_folder(folder) as draft:
            order.write(draft)
        return _train(order, task, folder, progress)


def resume_training(
    folder: str | Path, *, budget: float | None = None, address: str | None = None, progress: Progress = silent
) -> TrainingResult:
    """Go on with a training from its last whole checkpoint, or anew if it has none.

    Args:
        folder: of the training.
        budget: a larger one, if it shall go on after its end.
        address: of a Ray cluster.
        progress: as for `train`.

    Raises:
        ProblemError: if the folder holds no training, or one that searched settings.
    """
    order = read_order(Path(folder))
    if order.searches:
        raise ProblemError(f"--resume {folder}: a search of settings is not resumed; start it anew")
    if budget is not None:
        order = order_of(**{**order.model_dump(), "budget": budget})
    done = _done(order, Path(folder))
    if done is not None:
        return done
    task = order.task()
    progress(*STARTING)
    with cluster.connected(address):
        _check_gpus(order)
        order.write(Path(folder))
        return _train(order, task, Path(folder), progress)


def _check_gpus(order: TrainingOrder) -> None:
    """Refuse a training that the cluster, which this process is connected to, could never start.

    Raises:
        ProblemError: naming what is missing.
    """
    needed, there = order.gpus_per_learner * max(1, order.learners), cluster.gpus()
    if needed > there:
        each = f"{order.gpus_per_learner:g}"
        raise ProblemError(f"--gpus-per-learner {each}: {needed:g} are needed, the cluster has {there:g}")


def _done(order: TrainingOrder, folder: Path) -> TrainingResult | None:
    """What a finished training left; none where there is something left to do."""
    if not ((folder / TABLE).exists() and (folder / POLICY).exists()):
        return None
    try:
        table = pd.read_parquet(folder / TABLE)
    except (OSError, ValueError) as error:
        raise ProblemError(f"{folder / TABLE}: is spoilt ({str(error).splitlines()[0]}); remove it to go on") from None
    converged, done = bool(table["converged"].iloc[-1]), table["agent_steps"].iloc[-1]
    if not converged and done < order.budget:
        return None
    notices = [f"nothing was left to do: {'agents had come to rest' if converged else 'the budget was spent'} before"]
    return TrainingResult(folder=folder, table=table, finished=True, converged=converged, notices=notices)


def _learning(
    target: str | Path | AnyScenario, settings: Sequence[str], *, firms: int | None, years: int | None
) -> AnyScenario:
    """The scenario with agents who can learn."""
    scenario = load_target(target, settings, firms=firms, years=years)
    if scenario.world != "cbam":
        return scenario
    shipped = str(target) in (*names(), *(f"cbam/{name}" for name in names()))
    given = firms is not None or any(setting.startswith("firms.number=") for setting in settings)
    changed = {"learned": True, "number": FIRMS} if shipped and not given else {"learned": True}
    return scenario.model_copy(update={"firms": scenario.firms.model_copy(update=changed)})


def _with_roles(scenario: AnyScenario, roles: Sequence[str], against: str | Path | None) -> AnyScenario:
    """The scenario with a regulator if one learns, and with firms that follow plain rules if they do not."""
    if not isinstance(scenario, Scenario) or "regulator" not in roles:
        return scenario
    firms = scenario.firms.model_copy(update={"learned": "firm" in roles or against is not None})
    acting = scenario.regulator.model_copy(update={"acts": True})
    return scenario.model_copy(update={"regulator": acting, "firms": firms})


def _fresh(scenario: AnyScenario, parent: Path = Path("runs")) -> Path:
    """The first free `runs/WORLD-SCENARIO-training-N`."""
    number = 1
    while (parent / f"{scenario.world}-{scenario.name}-training-{number}").exists():
        number += 1
    return parent / f"{scenario.world}-{scenario.name}-training-{number}"


def _train(order: TrainingOrder, task: Task, folder: Path, progress: Progress) -> TrainingResult:
    """Train on the cluster that this process is connected to."""
    from carbonray.learn.tuning import tuned

    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    found = tuned(order, task, folder / TUNE, told(progress, order))
    of_roles = [f"{role}_{name}" for role in list(task.problems)[1:] for name in COLUMNS]
    every = found.table[[name for name in (*COLUMNS, *of_roles) if name in found.table]]
    table = every[every["trial"] == found.best]
    before = folder / TABLE
    if before.exists() and found.went_on:
        old = pd.read_parquet(before)
        table = pd.concat([old[old["agent_steps"] < table["agent_steps"].min()], table], ignore_index=True)
    outputs.write_table(every if order.searches else table, before)
    found.take_policy(folder / POLICY)
    last = table.iloc[-1]
    converged = bool(last["converged"])
    finished = converged or last["agent_steps"] >= order.budget
    kept = load(folder / POLICY).card.agent_steps
    if kept < last["agent_steps"]:
        found.notices.append(f"the policy is that of the last checkpoint, after {kept:,} decisions")
    return TrainingResult(folder=folder, table=table, finished=finished, converged=converged, notices=found.notices)


def told(progress: Progress, order: TrainingOrder) -> Callable[[Mapping[str, Any]], None]:
    """Progress of each iteration, in words."""
    first: list[tuple[float, float]] = []
    known: dict[str, float] = {}

    def tell(figures: Mapping[str, Any]) -> None:
        if not first:
            progress("starting", 1, 1)
        known.update({name: value for name in WORDS if not math.isnan(value := figures.get(name, math.nan))})
        now, done = time.perf_counter(), float(figures["agent_steps"])
        first[:] = first or [(now, done)]
        rate = (done - first[0][1]) / (now - first[0][0]) if now > first[0][0] and done > first[0][1] else 0.0
        words = [f"{rate:.3g} agent-steps/s"] if rate else []
        words += [WORDS[name].format(value) for name, value in known.items()]
        progress("training", int(min(done, order.budget)), int(order.budget), ", ".join(words))

    return tell


WORDS = {
    "mean_return": "return {:.3f}",
    "leakage_rate": "leakage {:.2%}",
    "temperature_rise_c": "{:.2f} C warmer",
    "convergence_distance": "distance {:.3f}",
}
