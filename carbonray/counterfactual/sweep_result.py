"""What a sweep shows: its tables, what failed, and its main figures in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.counterfactual import sweep_folder
from carbonray.counterfactual.sweep_asked import written
from carbonray.counterfactual.sweep_columns import Layout
from carbonray.counterfactual.sweep_figures import Shown
from carbonray.counterfactual.sweep_plan import Plan
from carbonray.counterfactual.sweep_worlds import SWEPT

MOST_LINES = 40
"""Combinations that are told; the rest is in the dataset."""


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """The finished runs of a sweep."""

    folder: Path
    plan: Plan
    layout: Layout
    finished: Sequence[int]  # numbers of the runs that are there
    failures: Sequence[Mapping[str, Any]] = ()  # of this time; they are tried again when the sweep goes on
    interrupted: bool = False

    def __repr__(self) -> str:
        names = ", ".join(self.plan.names)
        return f"<SweepResult of {names}: {len(self.finished)} of {self.plan.count} runs; see .table and .years>"

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a run: scenario, seed, values of the grid, figures."""
        return self._frame(sweep_folder.RESULTS, self.layout.results)

    @cached_property
    def years(self) -> pd.DataFrame:
        """Every run by year."""
        return self._frame(sweep_folder.YEARS, self.layout.years)

    def _frame(self, dataset: str, schema: Any) -> pd.DataFrame:
        found: pd.DataFrame = sweep_folder.read(self.folder, dataset, self.finished, schema).to_pandas()
        return found

    def lines(self) -> list[str]:
        """What the command line prints: the main figures of every combination over its seeds, and where all is."""
        several = ": mean [lowest, highest] over the seeds" if self.finished and len(self.plan.seeds) > 1 else ""
        told = [f"{len(self.finished)} of {self.plan.count} runs{several}"]
        told += list(_table(self.plan, self.table)) if self.finished else []
        if self.failures:
            first = self.failures[0]
            told.append(f"{len(self.failures)} failed, first run {first['run_number']}: {first['message']}")
            told.append(f"failures: {self.folder / sweep_folder.FAILURES}")
        told.append(f"results: {self.folder / sweep_folder.RESULTS}  (a row a run; by year: {sweep_folder.YEARS})")
        return told


def _table(plan: Plan, table: pd.DataFrame) -> Iterator[str]:
    """A line for each combination of scenario and grid."""
    shown = SWEPT[plan.world].shown
    head = [["scenario", *plan.keys, *(f"{one.label}, {one.unit}" for one in shown)]]
    each = len(plan.seeds)
    rows = []
    for place, one in enumerate(plan.combinations[:MOST_LINES]):
        of = table[table["run_number"] // each == place]
        figures = [_over_seeds(of[figure.column], figure, each) for figure in shown]
        rows.append([one.scenario.name, *map(_short, one.chosen), *figures])
    widths = [max(map(len, column)) for column in zip(*head, *rows, strict=True)]
    for row in head + rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if len(plan.combinations) > MOST_LINES:
        yield f"  and {len(plan.combinations) - MOST_LINES} more combinations"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else written(value)


def _over_seeds(values: "pd.Series[Any]", shown: Shown, seeds: int) -> str:
    """Mean and range of the runs that have the figure, and how many they are if not all."""
    there = values.to_numpy(dtype=float) * shown.factor
    there = there[np.isfinite(there)]
    if len(there) == 0:
        return "undefined" if len(values) else "no run"
    told = f"{there.mean():.2f}"
    if len(there) > 1:
        told += f" [{there.min():.2f}, {there.max():.2f}]"
    return told if len(there) == seeds else f"{told} of {len(there)}"
