"""Gather the runs that a predictor learns from, on processes or a cluster; what is there already is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from carbonray.config import Policy, Scenario
from carbonray.predict import dataset
from carbonray.predict.dataset import Cases
from carbonray.predict.ensemble import Outcome, try_laws
from carbonray.predict.inputs import Layout, rows_of
from carbonray.predict.quantities import Figures
from carbonray.predict.space import STREAMS, economy_draw, firms_of, law_draws
from carbonray.runtime.inprocess import threads
from carbonray.runtime.outputs import OutputError
from carbonray.runtime.shard import RULES
from carbonray.runtime.shard import Policy as Behaviour
from carbonray.runtime.simulate import Progress, silent
from carbonray.runtime.uncertainty import FAILURES
from carbonray.runtime.work import Place, Work
from carbonray.worlds.cbam import Economy

LAWS = 8
"""Run side by side in one economy."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many economies there are for each use, and how many firms they have."""

    economies: dict[str, int]
    firms: int
    epochs: int


SIZES = {
    "trial": Size(economies={"train": 6, "calibrate": 4, "test": 4, "corner": 1}, firms=960, epochs=10),
    "small": Size(economies={"train": 90, "calibrate": 25, "test": 25, "corner": 2}, firms=2000, epochs=150),
    "full": Size(economies={"train": 800, "calibrate": 200, "test": 200, "corner": 4}, firms=10_000, epochs=200),
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all runs have in common."""

    base: Scenario
    economy: Economy
    layout: Layout
    firms: int
    seed: int
    behaviour: Behaviour = RULES  # of firms


Task = tuple[str, int]  # stream and number of an economy


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of an economy: the cases of the laws whose market cleared, or why nobody knows."""

    task: Task
    cases: Cases | None
    lost: str = ""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Laws that were run in an economy."""

    laws: Sequence[Policy]
    outcome: Outcome | None


def tasks_of(size: Size) -> list[Task]:
    """Every economy of a build, use by use."""
    return [(stream, number) for stream in STREAMS for number in range(size.economies[stream])]


def try_economy(ground: Ground, task: Task) -> Answer:
    """Run the laws of an economy; those whose market does not clear are left out."""
    stream, number = task
    base = ground.base
    scenario = economy_draw(base, ground.layout.partners, seed=ground.seed, stream=stream, number=number)
    scenario = firms_of(scenario, ground.firms)
    laws = law_draws(scenario.policy, seed=ground.seed, stream=stream, number=number, count=LAWS)
    with threads(1):
        try:
            tried = Tried(laws=laws, outcome=try_laws(scenario, ground.economy, laws, behaviour=ground.behaviour))
        except FAILURES:
            tried = _one_by_one(ground, scenario, laws)
    done, outcome = tried.laws, tried.outcome
    if outcome is None:
        return Answer(task=task, cases=None)
    scenarios = [scenario.model_copy(update={"policy": law}) for law in done]
    figures = Figures(
        foreign=outcome.foreign,
        home=outcome.home,
        output=outcome.output / outcome.base_output,
        money=outcome.money,
    )
    rows = rows_of(ground.layout, base, scenarios)
    cases = Cases(group=np.full(len(done), number), rows=rows, figures=figures)
    return Answer(task=task, cases=cases)


def _one_by_one(ground: Ground, scenario: Scenario, laws: Sequence[Policy]) -> "Tried":
    """Laws that can be run, and what came of them."""
    done, outcomes = [], []
    for law in laws:
        try:
            outcomes.append(try_laws(scenario, ground.economy, [law], behaviour=ground.behaviour))
            done.append(law)
        except FAILURES:
            continue
    if not outcomes:
        return Tried(laws=[], outcome=None)
    names: Any = ("foreign", "home", "output", "money")
    joined = {name: np.concatenate([getattr(one, name) for one in outcomes]) for name in names}
    outcome = Outcome(base_output=outcomes[0].base_output, **joined)
    return Tried(laws=done, outcome=outcome)


def gather(ground: Ground, size: Size, folder: Path, place: Place, progress: Progress = silent) -> None:
    """Run what is not in the folder yet.

    Raises:
        OutputError: if economies were lost with what ran them; all others are there, and the same call goes on.
    """
    tasks = tasks_of(size)
    runs = folder / dataset.RUNS
    there = {path.name for path in runs.glob("*.parquet")} if runs.exists() else set()
    left = [number for number, task in enumerate(tasks) if dataset.file_of(*task) not in there]
    work: Work[Ground, Task, Answer] = Work(function=try_economy, shared=ground, task=tasks.__getitem__, lost=_lost)
    lost: list[str] = []
    done = len(tasks) - len(left)
    progress("simulating economies", done, len(tasks))
    for answer in place.answers(work, left):
        lost += [answer.lost] if answer.lost else []
        if answer.cases is not None:
            dataset.write(folder, *answer.task, ground.layout, answer.cases)
        done += 1
        progress("simulating economies", done, len(tasks))
    if lost:
        raise OutputError(f"{folder}: {len(lost)} economies were lost ({lost[0]}); the same command tries them again")


def _lost(number: int, why: str) -> Answer:
    return Answer(task=("", number), cases=None, lost=why)
