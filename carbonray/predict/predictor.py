"""Ask a predictor: leakage by year, sector and partner with intervals, in milliseconds.

>>> import carbonray
>>> found = carbonray.predict("law", settings=["policy.price.2035=200"])
>>> found["leakage_rate_10_years"]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.predict import folder as folders
from carbonray.predict.conformal import LEVELS
from carbonray.predict.domain import Outside
from carbonray.predict.folder import PredictError, Saved, check_tables
from carbonray.predict.inputs import Case, case_of
from carbonray.predict.space import YEARS
from carbonray.runtime.memory import keep_memory

Array = NDArray[np.float64]

LEVEL = 0.9
"""Share of new cases that an interval holds."""
NEAREST = 5


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Why a prediction may not be relied upon; empty where it may."""

    outside: tuple[Outside, ...]  # inputs beyond what was simulated
    unlike: tuple[str, ...]  # paths whose shape over the years is unlike any simulated
    unknown: tuple[str, ...]  # keys that the predictor does not know, and that differ from its runs
    approximated: tuple[str, ...]  # keys of which it knows something near

    @property
    def any(self) -> bool:
        """Whether intervals are withheld: what was never simulated cannot be calibrated."""
        return bool(self.outside or self.unlike or self.unknown)

    def lines(self) -> list[str]:
        """In words."""
        said = [
            f"{one.name} = {one.value:g} lies outside the simulated {one.low:g} to {one.high:g}" for one in self.outside
        ]
        said += [f"{key} is not what the runs had, and no input" for key in self.unknown]
        return [*said, *(f"{path} moves over the years unlike any path simulated" for path in self.unlike)]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is predicted of cases; see `quantities` for names and axes."""

    names: tuple[str, ...]
    level: float
    mean: Mapping[str, Array]  # [N, ...]
    low: Mapping[str, Array]  # [N, ...] NaN where the case is flagged
    high: Mapping[str, Array]
    flags: tuple[Flags, ...]

    def __len__(self) -> int:
        return len(self.names)

    def one(self, name: str, case: int = 0) -> tuple[Any, Any, Any]:
        """Low, prediction and high of a quantity of a case."""
        return self.low[name][case], self.mean[name][case], self.high[name][case]


class Predictor:
    """A predictor that was built: ask it about scenarios."""

    def __init__(self, saved: Saved) -> None:
        """Take what was read."""
        keep_memory()  # half of a batch's time is else spent on asking for pages and giving them back
        self.saved, self.model, self.domain = saved, saved.model, saved.domain

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs."""
        return self.model.layout.names

    @cached_property
    def seen(self) -> Array:
        """[N, I] inputs of the runs that it learned from, in their ranges."""
        return self.domain.scaled(self.saved.runs[list(self.names)].to_numpy(dtype=float))

    def case(self, scenario: Scenario) -> Case:
        """The inputs of a scenario.

        Raises:
            PredictError: if it is of another economy or runs for longer.
        """
        if scenario.economy != self.saved.base.economy or Path(scenario.economy).is_dir():
            check_tables(self.saved.card, scenario, f"{scenario.name}: economy")
        last = scenario.start_year + scenario.years - 1
        if scenario.start_year != YEARS[0] or last > YEARS[-1]:
            raise PredictError(
                f"{scenario.name}: years: {scenario.start_year}-{last} asked, "
                f"this predictor knows {YEARS[0]}-{YEARS[-1]}; simulate it"
            )
        return case_of(self.model.layout, self.saved.base, scenario)

    def ask(self, scenarios: Sequence[Scenario], level: float = LEVEL) -> Answers:
        """Predict scenarios, with intervals that hold a share `level` of new cases.

        Raises:
            PredictError: if one cannot be asked about, or the level is not one that was calibrated.
        """
        cases = [self.case(each) for each in scenarios]
        return self.answer([each.name for each in scenarios], cases, level)

    def answer(self, names: Sequence[str], cases: Sequence[Case], level: float = LEVEL) -> Answers:
        """The same from rows of inputs."""
        if level not in LEVELS:
            raise PredictError(f"level: {level:g} was not calibrated; choose {', '.join(map(str, LEVELS))}")
        rows = np.stack([each.row for each in cases])
        found = self.model.predict(rows)
        flags = self._flags(rows, cases)
        half = self.model.half_widths(found, level)
        doubtful = [place for place, each in enumerate(flags) if each.any]
        for array in (half.years, half.spans, half.rates):
            array[doubtful] = np.nan
        low, high = (found.mean.map(end, half) for end in (np.subtract, np.add))
        return Answers(names=tuple(names), level=level, mean=found.mean, low=low, high=high, flags=flags)

    def _flags(self, rows: Array, cases: Sequence[Case]) -> tuple[Flags, ...]:
        outside, unlike = self.domain.outside(rows, self.names), self.domain.unlike(self.model.layout, rows)
        return tuple(
            Flags(
                outside=outside.get(place, ()),
                unlike=unlike.get(place, ()),
                unknown=case.unknown,
                approximated=case.approximated,
            )
            for place, case in enumerate(cases)
        )

    def nearest(self, case: Case, count: int = NEAREST) -> pd.DataFrame:
        """The simulated runs whose inputs lie nearest: distance, headline figures, and the inputs that differ most."""
        here = self.domain.scaled(case.row[None])
        away = (self.seen - here) * self._weight
        distance = np.sqrt((away**2).sum(1))
        order = np.argsort(distance, kind="stable")[:count]
        table = self.saved.runs.iloc[order].reset_index(drop=True)
        table.insert(0, "distance", distance[order])
        largest = np.argsort(-np.abs(away[order]), 1)[:, :3]
        table.insert(1, "differs_in", [", ".join(self.names[place] for place in row) for row in largest])
        return table

    @cached_property
    def _weight(self) -> Array:
        """[I] so that a path of many years counts as one input."""
        groups = [name.partition(".")[0] for name in self.names]
        return np.array([1 / np.sqrt(groups.count(group)) for group in groups])


def predictor(folder: str | Path | None = None) -> Predictor:
    """Read a predictor from its folder; the one that comes with carbonray if left out.

    Raises:
        PredictError: if it cannot be read.
    """
    return Predictor(folders.load(folder))
