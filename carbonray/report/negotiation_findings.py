"""The title of each figure of a negotiation: what it shows, in plain words, computed from its data."""

import pandas as pd

from carbonray.report.negotiation_data import MEMBERS, OTHERS, PAIRS, POLICY, REFERENCE, WORLD
from carbonray.report.negotiation_run import NegotiationRun
from carbonray.report.negotiation_words import count_of, degrees, gigatonnes, rate, trillions
from carbonray.report.wording import number, percent

SAME = 5e-4
"""A relative difference under this is none."""


def ends(lines: pd.DataFrame, panel: str = "") -> "pd.Series[float]":
    """[series] value in the last year."""
    rows = lines[lines["panel"] == panel] if panel else lines
    return rows.groupby("series", sort=False)["y"].last()


def temperature_title(lines: pd.DataFrame, last: int) -> str:
    """Warming in the last year, with and without."""
    end = ends(lines)
    if POLICY not in end:
        return f"By {last} it is {degrees(end[REFERENCE])} warmer than in 1900"
    if abs(end[POLICY] - end[REFERENCE]) < 0.005:
        return f"By {last} it is {degrees(end[POLICY])} warmer than in 1900, with the agreement or without"
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


def economy_title(lines: pd.DataFrame, last: int) -> str:
    """Output and consumption in the last year against the reference."""
    end = ends(lines)
    parts = [f"{name.lower()} is {_beside(end[name])}" for name in ("Output", "Consumption") if name in end]
    return f"In {last} {' and '.join(parts)}"


def _beside(change: float) -> str:
    if abs(change) < SAME:
        return "that of the reference"
    return f"{percent(abs(change))} {'below' if change < 0 else 'above'} the reference"


def imports_title(lines: pd.DataFrame, last: int) -> str:
    """Trade in the last year."""
    end = ends(lines)
    if not lines["y"].any():
        return "Nobody trades"
    if POLICY not in end:
        return f"In {last} regions import {trillions(end[REFERENCE])}"
    before = end[REFERENCE]
    tail = f", {_less(end[POLICY] / before - 1)}" if before > 0 else ""
    return f"In {last} regions import {trillions(end[POLICY])}{tail}" + (
        " than in the reference" if _moves(end) else ""
    )


def _moves(end: "pd.Series[float]") -> bool:
    return bool(end[REFERENCE] > 0 and abs(end[POLICY] / end[REFERENCE] - 1) >= SAME)


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
    output, emitted = (rate(end.get(f"Of the {name}", 0.0)) for name in ("output", "emissions"))
    members = f"{count_of(run.summary.members_last)} of {run.summary.n_regions} regions"
    return f"{members} are members in {run.last}, with {output} of output and {emitted} of emissions"


def mitigation_title(run: NegotiationRun, cells: pd.DataFrame) -> str:
    """Mean mitigation rate in the last year, of members and of others."""
    end = cells[cells["x"] == cells["x"].max()].set_index("region")["value"]
    if not run.members or not run.others:
        return f"In {run.last} regions cut {rate(end.mean())} of their emissions on average"
    inside, outside = end.loc[run.members].mean(), end.loc[run.others].mean()
    return f"In {run.last} members cut {rate(inside)} of their emissions on average, others {rate(outside)}"


def consumption_title(bars: pd.DataFrame, last: int) -> str:
    """Whose consumption rises and falls most."""
    top, low = bars.iloc[0], bars.iloc[-1]
    rises, falls = top["value"] > SAME, low["value"] < -SAME
    parts = []
    if rises:
        parts.append(f"rises most in {top['label']}, {percent(top['value'], signed=True)}")
    if falls:
        parts.append(f"falls most in {low['label']}, {percent(low['value'])}")
    return (
        f"In {last} consumption {' and '.join(parts)}" if parts else f"In {last} consumption is that of the reference"
    )


def index_title(points: pd.DataFrame) -> str:
    """The two indices of the run, and of the reference."""
    place = points.set_index("series")[["x", "y"]]
    without = f"{number(place.y[REFERENCE], 2)} and economic index {number(place.x[REFERENCE], 2)}"
    if POLICY not in place.index:
        return f"Climate index {without}"
    here = f"{number(place.y[POLICY], 2)} and {number(place.x[POLICY], 2)}"
    return f"Climate index {without} if nobody is bound; with the agreement {here}"
