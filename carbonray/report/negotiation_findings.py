"""The title of each figure of a negotiation: what it shows, in plain words, computed from its data.

What flows is told as a sum over the run: debts make single late years of trade and consumption jump, and such a jump is
no effect of an agreement.
"""

import pandas as pd

from carbonray.report.negotiation_data import (
    ALL_SHARES,
    MEMBERS,
    OTHERS,
    PAIRS,
    POLICY,
    REFERENCE,
    SMALLEST,
    WORLD,
)
from carbonray.report.negotiation_run import SAME_DEGREES, NegotiationRun
from carbonray.report.negotiation_words import count_of, degrees, gigatonnes, rate, trillions
from carbonray.report.wording import number, percent

SAME = 5e-4
"""A relative difference under this is none."""
SAME_SUM = 5e-5
"""The same for sums over the run, in which less is noise."""


def ends(lines: pd.DataFrame, panel: str = "") -> "pd.Series[float]":
    """[series] value in the last year."""
    rows = lines[lines["panel"] == panel] if panel else lines
    return rows.groupby("series", sort=False)["y"].last()


def temperature_title(run: NegotiationRun, lines: pd.DataFrame) -> str:
    """Warming in the last year, with and without."""
    end, last = ends(lines), run.last
    if POLICY not in end:
        return f"By {last} it is {degrees(end[REFERENCE])} warmer than in 1900"
    if abs(end[POLICY] - end[REFERENCE]) < SAME_DEGREES:
        why = "in both runs, which replay the same actions" if run.replays else "with the agreement or without"
        return f"By {last} it is {degrees(end[POLICY])} warmer than in 1900, {why}"
    return (
        f"By {last} it is {degrees(end[POLICY])} warmer than in 1900 with the agreement, {degrees(end[REFERENCE])} "
        "if nobody is bound"
    )


def emissions_title(lines: pd.DataFrame) -> str:
    """Emissions of members and others over all years."""
    sums = lines.groupby(["panel", "series"])["y"].sum()
    if (WORLD, POLICY) not in sums:
        first, last = lines[lines["panel"] == WORLD]["y"].iloc[[0, -1]]
        way = "rise" if last > first else "fall"
        return f"Emissions {way} from {gigatonnes(first)} to {gigatonnes(last)} a year"
    parts = []
    groups = (
        {MEMBERS: "members emit", OTHERS: "others"} if MEMBERS in set(lines["panel"]) else {WORLD: "the world emits"}
    )
    for panel, noun in groups.items():
        before = sums[panel, REFERENCE]
        parts.append(f"{noun} {_less(sums[panel, POLICY] / before - 1 if before else 0.0)}")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]} over the years"


def _less(change: float) -> str:
    if abs(change) < SAME:
        return "as much as in the reference"
    return f"{percent(abs(change))} {'less' if change < 0 else 'more'}"


def economy_title(run: NegotiationRun) -> str:
    """Output and consumption over the run against the reference."""
    told = run.summary
    pairs = {
        "output": (told.output_tusd, told.output_reference_tusd),
        "consumption": (told.consumption_tusd, told.consumption_reference_tusd),
    }
    parts = [f"{name} is {_beside(here / there - 1)}" for name, (here, there) in pairs.items() if there > SMALLEST]
    return f"Over the run {' and '.join(parts)}"


def _beside(change: float) -> str:
    if abs(change) < SAME_SUM:
        return "that of the reference"
    return f"{percent(abs(change))} {'below' if change < 0 else 'above'} the reference"


def imports_title(lines: pd.DataFrame) -> str:
    """Trade over the run, against the reference."""
    sums = lines.groupby("series")["y"].sum()
    if not lines["y"].any():
        return "Nobody trades"
    if POLICY not in sums:
        return f"Regions import {trillions(lines['y'].mean())} a year on average"
    if sums[REFERENCE] <= SMALLEST:
        return "Regions import over the run, and nothing in the reference"
    change = sums[POLICY] / sums[REFERENCE] - 1
    if abs(change) < SAME_SUM:
        return "Over the run regions import as much as in the reference"
    return (
        f"Over the run regions import {percent(abs(change))} {'less' if change < 0 else 'more'} than in the reference"
    )


def tariffs_title(lines: pd.DataFrame, last: int) -> str:
    """Mean tariffs in the last year."""
    end = ends(lines)
    alone = next((name for name in ("All pairs", REFERENCE) if name in end), None)
    if alone and not set(end.index) & set(PAIRS):
        return f"In {last} the mean tariff is {rate(end[alone])}"
    there, back = (end.get(pair, 0.0) for pair in PAIRS[:2])
    return f"In {last} members charge others {rate(there)} on average, others them {rate(back)}"


def membership_title(run: NegotiationRun, lines: pd.DataFrame) -> str:
    """How many are members in the last year."""
    end = ends(lines)
    if ALL_SHARES in end and lines["y"].min() == 1.0:
        return f"All {run.summary.n_regions} regions are members in every step"
    alone = end.get(ALL_SHARES, 0.0)
    output, emitted = (rate(end.get(f"Of the {name}", alone)) for name in ("output", "emissions"))
    members = f"{count_of(run.summary.members_last)} of {run.summary.n_regions} regions"
    return f"{members} are members in {run.last}, with {output} of output and {emitted} of emissions"


def mitigation_title(run: NegotiationRun, cells: pd.DataFrame) -> str:
    """Mean mitigation rate in the last year, of members and of others."""
    end = cells[cells["x"] == cells["x"].max()].set_index("region")["value"]
    if not run.members or not run.others:
        return f"In {run.last} regions cut {rate(end.mean())} of their emissions on average"
    inside, outside = end.loc[run.members].mean(), end.loc[run.others].mean()
    return f"In {run.last} members cut {rate(inside)} of their emissions on average, others {rate(outside)}"


def consumption_title(bars: pd.DataFrame) -> str:
    """Whose consumption over the run rises and falls most."""
    top, low = bars.iloc[0], bars.iloc[-1]
    rises, falls = top["value"] > SAME_SUM, low["value"] < -SAME_SUM
    parts = []
    if rises:
        parts.append(f"rises most in {top['label']}, {percent(top['value'], signed=True)}")
    if falls:
        parts.append(f"falls most in {low['label']}, {percent(low['value'])}")
    return (
        f"Over the run consumption {' and '.join(parts)}"
        if parts
        else "Over the run consumption is that of the reference"
    )


def index_title(points: pd.DataFrame) -> str:
    """The two indices of the run, and of the reference."""
    place = points.set_index("series")[["x", "y"]]
    without = f"{number(place.y[REFERENCE], 2)} and economic index {number(place.x[REFERENCE], 2)}"
    if POLICY not in place.index:
        return f"Climate index {without}"
    here = f"{number(place.y[POLICY], 2)} and {number(place.x[POLICY], 2)}"
    return f"Climate index {without} if nobody is bound; with the agreement {here}"
