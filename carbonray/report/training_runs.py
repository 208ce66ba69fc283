"""Folders of trainings, read and checked: training.json and training.parquet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.learn.order import FILE, TrainingOrder, read_order
from carbonray.learn.problem import ProblemError
from carbonray.learn.task import settings_of
from carbonray.learn.train import TABLE
from carbonray.report.run_directory import ReportError, describe_table, read_table
from carbonray.report.tables import shown

NEEDED = (
    "trial", "training_iteration", "agent_steps", "mean_return", "converged", "iteration_agent_steps",
    "agent_steps_learned", "sampling_seconds", "learning_seconds",
)  # fmt: skip
SOMETIMES = ("leakage_rate", "temperature_rise_c", "convergence_distance", "entropy")
"""Columns that not every training has, nor every iteration."""
OWN = ("seed", "learners", "gpus_per_learner", "changes", "settings", "scenario")
"""Of an order: what may differ between trainings that are one experiment, and what is compared by its meaning."""
UNSAID = "–"
RESTED, SPENT, INTERRUPTED = "agents changed no more", "budget spent", "interrupted"


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A training, by iteration; of a search the trial whose policy was kept."""

    folder: Path
    order: TrainingOrder
    table: pd.DataFrame  # NEEDED, and of SOMETIMES what there is
    others: Mapping[str, pd.DataFrame]  # the other trials of a search, by name

    @property
    def name(self) -> str:
        """What tells it from others of the same experiment."""
        return f"Trial {int(self.table['trial'].iloc[0])}, kept" if self.others else f"Seed {self.order.seed}"

    @property
    def iterations(self) -> int:
        """How many were played."""
        return int(self.table["training_iteration"].iloc[-1])

    @property
    def decisions(self) -> int:
        """Of agents, in all."""
        return int(self.table["agent_steps"].iloc[-1])

    @property
    def ended(self) -> str:
        """How it ended."""
        if self.table["converged"].iloc[-1]:
            return RESTED
        return SPENT if self.decisions >= self.order.budget else INTERRUPTED

    @property
    def played_per_second(self) -> float | None:
        """Decisions."""
        return self._rate("iteration_agent_steps", "sampling_seconds")

    @property
    def learned_per_second(self) -> float | None:
        """Decisions, each as often as it was learned from."""
        return self._rate("agent_steps_learned", "learning_seconds")

    def _rate(self, what: str, seconds: str) -> float | None:
        took = float(self.table[seconds].sum())
        return float(self.table[what].sum()) / took if took > 0 else None

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What was asked for, but the seed: equal for trainings of one experiment.

        Raises:
            ReportError: if the algorithm does not know a setting.
        """
        order = self.order
        try:
            settings = settings_of(order.algorithm, order.settings).model_dump()
        except ProblemError as error:
            raise ReportError(f"{self.folder / FILE}: {error}") from None
        told = {name: value for name, value in order.model_dump(mode="json").items() if name not in OWN}
        scenario = pd.json_normalize(order.scenario).to_dict("records")[0]
        named = {f"scenario key {name}": value for name, value in scenario.items()}
        return told | {f"setting {name}": value for name, value in settings.items()} | named


def read_trainings(folders: Sequence[Path]) -> tuple[TrainingRun, ...]:
    """Read trainings that are one experiment: they differ in nothing but their seed.

    Raises:
        ReportError: if a file is missing or not what it should be, or the trainings do not belong together; one line
            naming the folder or file.
    """
    runs = tuple(_read(folder) for folder in folders)
    for at, run in enumerate(runs):
        for earlier in runs[:at]:
            _check_together(earlier, run)
    return runs


def _read(folder: Path) -> TrainingRun:
    path = folder / TABLE
    if not (folder / FILE).is_file():
        raise ReportError(f"{folder}: is no folder of a training ({FILE} is missing)")
    try:
        order = read_order(folder)
    except ProblemError as error:
        raise ReportError(str(error)) from None
    if not path.is_file():
        raise ReportError(f"{path}: is missing; a training that ends has one: carbonray train --resume {folder}")
    there = [name for name, _ in describe_table(path).columns]
    table = read_table(path, (*NEEDED, *(name for name in SOMETIMES if name in there)), may_be_null=SOMETIMES)
    trials = {int(str(trial)): _last_played(rows) for trial, rows in table.groupby("trial", sort=True)}
    kept = max(trials, key=lambda trial: float(trials[trial]["mean_return"].iloc[-1]))  # as Tune chooses
    others = {f"Trial {trial}": rows for trial, rows in trials.items() if trial != kept}
    return TrainingRun(folder=folder, order=order, table=trials[kept], others=others)


def _last_played(rows: pd.DataFrame) -> pd.DataFrame:
    """Without iterations that were lost in a failure and played again."""
    steps = rows["agent_steps"].to_numpy(dtype=float)
    least_later = np.append(np.minimum.accumulate(steps[::-1])[::-1][1:], np.inf)
    kept: pd.DataFrame = rows[steps < least_later].reset_index(drop=True)
    return kept


def _check_together(first: TrainingRun, other: TrainingRun) -> None:
    if first.folder.resolve() == other.folder.resolve():
        raise ReportError(f"{other.folder}: is given twice")
    for run in (first, other):
        if run.order.searches:
            raise ReportError(f"{run.folder}: searched settings; only trainings with the same ones can be put together")
    for name in dict.fromkeys([*first.asked, *other.asked]):
        one, two = (run.asked.get(name, UNSAID) for run in (first, other))
        if one != two:
            raise ReportError(
                f"{other.folder}: was trained with {name} {shown(two)}, {first.folder} with {shown(one)}; "
                "trainings put together may differ in their seed alone"
            )
    if first.order.seed == other.order.seed:
        raise ReportError(f"{other.folder}: has the seed of {first.folder}, {other.order.seed}, so it is no other draw")
