"""What a figure is, before plotly or matplotlib draws it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

INK, GREY, GRID = "#1f2933", "#667380", "#dde3e9"
BLUE, RED, GREEN, ORANGE, PURPLE = "#0072b2", "#c44e00", "#00775a", "#b87800", "#8a4f7d"
"""Okabe and Ito's colour-blind-safe hues, darkened to 4.5:1 on white where they were lighter."""
CYCLE = (INK, BLUE, RED, GREEN, ORANGE, PURPLE)
FALL, RISE = BLUE, RED


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One figure.

    `data` is what `figure_data` returns for it: lines (panel, series, when, x, y, low, high), bars (label, series,
    value), ranges (series, y, low, high, base), edges of a network (source, target, change_mt), cells of a heat map
    (label, when, x, value, minimum), points of a plane (series, x, y, x_low, x_high, y_low, y_high), bars with
    intervals (label, series, value, low, high, simulated), a tornado (label, ends, low, high, base) or pairs of what
    was simulated and predicted (series, x, y, low, high).
    """

    key: str  # file name without .png, and the id in the page
    kind: Literal["lines", "bars", "ranges", "network", "heat", "points", "whiskers", "tornado", "pairs"]
    data: pd.DataFrame
    title: str  # the finding, from the data
    caption: str  # what is shown and how to read it
    x_title: str = ""
    y_title: str = ""
    as_percent: bool = False  # values are fractions
    whole_years: bool = True  # ticks of x
    marks: bool = True  # on lines whose x are no years
    zeros: Collection[str] = ("y",)  # axes of lines that have zero on them
    decimals: int = 1  # of numbers beside lines
    thin: Collection[str] = ()  # series drawn beneath the others, and not in the legend
    dots: Collection[str] = ()  # series of lines drawn as points
    bands: Sequence[tuple[str, str]] = (("low", "high"),)  # columns of lines between which it is shaded
    colours: Mapping[str, str] = field(default_factory=dict)  # by series
    spread: str = "Median, and nine of ten draws"  # what the dots and lines of ranges are

    @property
    def series(self) -> list[str]:
        """Names of the series, in their order."""
        return list(dict.fromkeys(self.data["series"]))

    @property
    def layers(self) -> list[str]:
        """Names of the series, lowest first."""
        return sorted(self.series, key=lambda name: name not in self.thin)

    @property
    def panels(self) -> list[str]:
        """Names of the panels, in their order."""
        return list(dict.fromkeys(self.data["panel"]))

    @property
    def labels(self) -> list[str]:
        """Names of the bars, in their order, first on top."""
        return list(dict.fromkeys(self.data["label"]))

    def colour(self, series: str) -> str:
        """Colour of a series."""
        return self.colours.get(series) or CYCLE[self.series.index(series) % len(CYCLE)]

    def marked(self, series: str) -> bool:
        """Whether the values of a line have marks."""
        return self.marks and not self.whole_years and series not in self.thin

    @property
    def alt(self) -> str:
        """What someone who cannot see the figure is told."""
        return f"{self.title}. {self.caption}"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A figure or table without data."""

    key: str
    title: str
    reason: str


def columns_of(edges: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Places of a network's nodes: suppliers left, buyers right, heights in [0, 1].

    Suppliers stand in order of first appearance by region, buyers in the order of the mean height of their suppliers,
    so that few edges cross.
    """
    regions = list(dict.fromkeys(name.split(" ")[0] for name in edges["source"]))
    sources = sorted(dict.fromkeys(edges["source"]), key=lambda name: regions.index(name.split(" ")[0]))
    left = _spaced(sources)
    mean = edges.assign(height=edges["source"].map(left)).groupby("target")["height"].mean()
    targets = sorted(dict.fromkeys(edges["target"]), key=lambda name: (-mean[name], name))
    return {"source": left, "target": _spaced(targets)}


def _spaced(names: list[str]) -> dict[str, float]:
    return {name: 1 - (at + 0.5) / len(names) for at, name in enumerate(names)}


def edge_width(change: float, largest: float) -> float:
    """Width of an edge in points, area of change kept readable over three orders of magnitude."""
    return 0.8 + 7.0 * float(abs(change) / largest) ** 0.5 if largest > 0 else 0.8
