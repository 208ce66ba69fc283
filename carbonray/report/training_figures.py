"""The learning curves of a training, or of several that differ in their seed alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.kpi.leakage import interval
from carbonray.report.charts import BLUE, GREY, ORANGE, Chart, LeftOut
from carbonray.report.figure_data import LINES
from carbonray.report.training_runs import RESTED, TrainingRun
from carbonray.report.wording import listed, number, percent

FEW = 30
"""Values of a curve up to which each has a mark."""
TOLERANCE = "Tolerance"
X_TITLE = "Decisions of agents"


def plain(value: float) -> str:
    """A number without a unit, with three digits or so."""
    return number(value, 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2)


def degrees(value: float) -> str:
    """Warming."""
    return f"{number(value, 2)}\u00a0°C"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A column of training.parquet, and how it is drawn and told."""

    key: str
    column: str
    name: str  # in the beginning of a sentence
    y_title: str
    caption: str
    show: Callable[[float], str] = plain
    as_percent: bool = False
    zeros: tuple[str, ...] = ("x", "y")


RETURN = Figure(
    key="return",
    column="mean_return",
    name="Return",
    y_title="Return of an episode",
    caption="What an agent earned in an episode while it learned: mean over the agents who learn and an iteration's "
    "episodes, in the scenario and in its reference.",
    zeros=("x",),
)
LEAKAGE = Figure(
    key="leakage",
    column="leakage_rate",
    name="Leakage",
    y_title="Leakage rate (%)",
    caption="Leakage, all sectors, if agents do as they have learned so far: the scenario and its reference, simulated "
    "some ten times in a training.",
    show=percent,
    as_percent=True,
)
WARMING = Figure(
    key="warming",
    column="temperature_rise_c",
    name="Warming",
    y_title="°C warmer than the first year",
    caption="Warming over the century if agents do as they have learned so far: the scenario, simulated some ten times "
    "in a training.",
    show=degrees,
    zeros=("x",),
)
DISTANCE = Figure(
    key="distance",
    column="convergence_distance",
    name="Distance",
    y_title="Distance between iterations",
    caption="How far what agents saw and did in an iteration lies from the iteration before, in standard deviations of "
    "an observation; an estimate. The shade is the tolerance.",
)
ENTROPY = Figure(
    key="entropy",
    column="entropy",
    name="Entropy of choices",
    y_title="Entropy, share of the most",
    caption="How open agents leave what they do: 1 where all levels of a choice are equally likely, 0 where one is "
    "certain. Mean over choices and agents.",
)
MEASURED: Mapping[str, tuple[Figure, ...]] = {"cbam": (LEAKAGE,), "climate-negotiation": (WARMING, LEAKAGE)}
"""What is simulated now and then, by world; the first is missed if it is not there."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One figure of one experiment."""

    figure: Figure
    single: Mapping[str, pd.DataFrame]  # [x, y] of each training that has it, or of each trial of a search
    main: pd.DataFrame  # [x, y, low, high] of the one training, the kept trial, or the mean
    of: int  # trainings in the experiment

    @property
    def ends(self) -> tuple[float, float]:
        """First and last value."""
        y = self.main["y"].to_numpy(dtype=float)
        return float(y[0]), float(y[-1])

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Of the last value; none with one training."""
        low, high = self.main[["low", "high"]].to_numpy(dtype=float)[-1]
        return (float(low), float(high)) if np.isfinite(low) else None

    @property
    def by_chance(self) -> bool:
        """Whether the trainings are too few, or too different, to tell a change from none."""
        change = self.change
        return change is not None and change[0] <= 0 <= change[1]

    @property
    def change(self) -> tuple[float, float] | None:
        """95 % interval of last less first, over the trainings; none with one."""
        if self.bounds is None:
            return None
        at = self.main["x"].to_numpy(dtype=float)[[0, -1]]
        found = [np.interp(at, curve["x"], curve["y"]) for curve in self.single.values()]
        return interval(np.diff(found, axis=1)[:, 0])


def curves(runs: Sequence[TrainingRun], figure: Figure) -> Curves | None:
    """A column of all trainings that have it; none where there are no two values to draw together."""
    found = {run.name: each for run in runs if (each := _curve(run.table, figure.column)) is not None}
    if not found:
        return None
    if len(runs) == 1:
        tables = runs[0].others.items()
        others = {name: each for name, rows in tables if (each := _curve(rows, figure.column)) is not None}
        main = found[runs[0].name].assign(low=np.nan, high=np.nan)
        return Curves(figure=figure, single=found | others, main=main, of=1)
    main = together(list(found.values()))
    return None if main.empty else Curves(figure=figure, single=found, main=main, of=len(runs))


def _curve(table: pd.DataFrame, column: str) -> pd.DataFrame | None:
    """[x, y] decisions and value, where there is one."""
    if column not in table or table[column].isna().all():
        return None
    kept = table[["agent_steps", column]].dropna().astype(float)
    return pd.DataFrame({"x": kept["agent_steps"].to_numpy(), "y": kept[column].to_numpy()})


def together(found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """[x, y, low, high] mean and 95 % Student interval over trainings; linear between the values of each.

    It is told wherever one of them has a value and all others have come as far.
    """
    first, last = max(each["x"].iloc[0] for each in found), min(each["x"].iloc[-1] for each in found)
    grid = np.unique(np.concatenate([each["x"].to_numpy() for each in found]))
    grid = grid[(grid >= first) & (grid <= last)]
    values = np.stack([np.interp(grid, each["x"], each["y"]) for each in found], axis=1)  # [x, training]
    bounds = [interval(row) or (np.nan, np.nan) for row in values]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    return pd.DataFrame({"x": grid, "y": values.mean(axis=1), "low": low, "high": high})


def charts(runs: Sequence[TrainingRun]) -> list[Chart | LeftOut]:
    """Every learning curve, or why it is left out."""
    found: list[Chart | LeftOut] = []
    for figure in figures_of(runs):
        told = curves(runs, figure)
        missed = LeftOut(key=figure.key, title=figure.name, reason=_reason(runs, figure))
        found.append(missed if told is None else _chart(runs, told))
    return found


def figures_of(runs: Sequence[TrainingRun]) -> list[Figure]:
    """The figures that trainings of their world have, in their order."""
    must, *may = MEASURED.get(runs[0].order.world, (LEAKAGE,))
    return [RETURN, must, *(figure for figure in may if curves(runs, figure) is not None), DISTANCE, ENTROPY]


def _reason(runs: Sequence[TrainingRun], figure: Figure) -> str:
    order = runs[0].order
    if any(_curve(run.table, figure.column) is not None for run in runs):
        return "no decisions that one training reached, another reached too"
    if figure is DISTANCE:
        return "a single iteration has none before it"
    if figure is ENTROPY:
        return f"{order.algorithm} learns what choices are worth, and no probabilities"
    if order.alone:
        return "only some agents learned, who say nothing of a scenario where all do"
    return "it was not measured, or undefined whenever it was"


def _chart(runs: Sequence[TrainingRun], told: Curves) -> Chart:
    figure, several = told.figure, len(runs) > 1
    main = _main_name(runs, told)
    lines = [_line(main, told.main)]
    if figure is DISTANCE:
        lines.append(_tolerance(told, runs[0].order.tolerance))
    thin = [name for name in told.single if name != main]
    lines += [_line(name, told.single[name].assign(low=np.nan, high=np.nan)) for name in thin]
    return Chart(
        key=figure.key,
        kind="lines",
        data=pd.concat(lines, ignore_index=True),
        title=_rest(runs, told) if figure is DISTANCE else _moves(runs, told),
        caption=" ".join(filter(None, (figure.caption, _how_many(runs, told) if several or thin else ""))),
        x_title=X_TITLE,
        y_title=figure.y_title,
        as_percent=figure.as_percent,
        whole_years=False,
        marks=len(told.main) <= FEW,
        zeros=figure.zeros,
        decimals=2,
        thin=tuple(thin),
        colours={main: BLUE, TOLERANCE: ORANGE} | dict.fromkeys(thin, GREY),
    )


def _main_name(runs: Sequence[TrainingRun], told: Curves) -> str:
    if len(runs) == 1:
        return runs[0].name
    return f"Mean of {len(told.single)} trainings" if len(told.single) > 1 else next(iter(told.single))


def _line(series: str, values: pd.DataFrame) -> pd.DataFrame:
    when = [f"{x:,.0f}" for x in values["x"]]
    return values.assign(panel="", series=series, when=when)[list(LINES)]


def _tolerance(told: Curves, tolerance: float) -> pd.DataFrame:
    ends = [min(float(each["x"].iloc[0]) for each in told.single.values()),
            max(float(each["x"].iloc[-1]) for each in told.single.values())]  # fmt: skip
    return _line(TOLERANCE, pd.DataFrame({"x": ends, "y": tolerance, "low": -tolerance, "high": tolerance}))


def _moves(runs: Sequence[TrainingRun], told: Curves) -> str:
    """From where to where."""
    first, last = map(told.figure.show, told.ends)
    name = told.figure.name
    if len(told.single) > 1 and len(runs) > 1:
        name = f"{name}, mean of {len(told.single)} trainings,"
    if first == last:
        return f"{name} stays at {first}"
    if told.by_chance:
        return f"{name} does not change beyond chance, {first} to {last}"
    return f"{name} {'rises' if told.ends[1] > told.ends[0] else 'falls'} from {first} to {last}"


def _rest(runs: Sequence[TrainingRun], told: Curves) -> str:
    """Whether agents came to rest."""
    order = runs[0].order
    rested = sum(run.ended == RESTED for run in runs)
    if len(runs) > 1:
        few = f"{order.patience} distances in a row within {order.tolerance:g}"
        return f"{rested or 'None'} of {len(runs)} trainings came to rest: {few}"
    if rested:
        return f"Agents came to rest: {order.patience} distances in a row are within {order.tolerance:g}"
    return f"Agents did not come to rest: the last iterations are {plain(told.ends[1])} apart"


def _how_many(runs: Sequence[TrainingRun], told: Curves) -> str:
    """What the lines are, where there is more than one."""
    if len(runs) == 1:
        return "The thick line is the trial of the search whose policy was kept, with the highest return in the end."
    without = [run.name for run in runs if run.name not in told.single]
    missing = f" {listed(without)} {'has' if len(without) == 1 else 'have'} no such value." if without else ""
    if len(told.single) == 1:
        return missing.strip()
    return (
        f"Mean of {len(told.single)} trainings as far as all have come; the band is its 95 % interval (Student), thin "
        f"lines are the single trainings.{missing}"
    )
