"""What is told of a case: rates, tonnes, output and money, each from the figures of the years alone.

Axes: N case, Y year, P partner, S sector, G goods (all of them, CBAM goods), M kind of money, T sum of a year, H
horizon.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.predict.ensemble import MONEY

Array = NDArray[np.float64]

GOODS = ("", "_cbam_goods")
HORIZONS = (5, 10)
"""Years over which leakage is added up."""
SIGNS = np.array([1.0, -1.0, 1.0, -1.0, -1.0, -1.0])
"""Of each kind of money in what the budget has left."""
SMALLEST_FALL = 0.005
"""Share of the base year's emissions at home by which they must fall a year for a rate to mean anything."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a run, or a prediction, has of each case."""

    foreign: Array  # [N, Y, P, S] rise of emissions abroad, Mt CO2
    home: Array  # [N, Y, S] fall of emissions at home, Mt CO2
    output: Array  # [N, Y, S] change of output at home, share of the sector's in the reference
    money: Array  # [N, Y, M] million USD of 2011

    def __len__(self) -> int:
        return len(self.home)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is needed of an economy to add figures up."""

    sectors: tuple[str, ...]
    partners: tuple[str, ...]
    covered: tuple[str, ...]  # CBAM goods of the law
    home_emissions: Array  # [S] Mt CO2 in the base year
    home_output: Array  # [S] million USD of 2011 in the base year: weights of the change of output

    @cached_property
    def goods(self) -> Array:
        """[G, S] one where a sector counts."""
        return np.stack([np.ones(len(self.sectors)), np.isin(self.sectors, self.covered).astype(float)])

    @cached_property
    def least(self) -> Array:
        """[G] Mt CO2 by which emissions at home must fall a year for a rate to mean anything."""
        return np.asarray(SMALLEST_FALL * self.goods @ self.home_emissions)

    @cached_property
    def columns(self) -> Mapping[str, slice]:
        """Where the sums of a year are in a row [T]; see `sums_of`."""
        sizes = {"rise": len(GOODS), "fall": len(GOODS), "by_sector": len(self.sectors),
                 "by_partner": len(self.partners), "output": len(self.sectors), "money": len(MONEY),
                 "output_change": 1, "revenue": 1}  # fmt: skip
        ends = np.cumsum(list(sizes.values())).tolist()
        return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @cached_property
    def parts(self) -> Mapping[str, tuple[str, tuple[Any, ...]]]:
        """Each quantity by name: which array of `Quantities` it is in, and where."""
        at, found = self.columns, dict[str, tuple[str, tuple[Any, ...]]]()
        for place, goods in enumerate(GOODS):
            rise, fall = (at[name].start + place for name in ("rise", "fall"))
            found[f"foreign_increase_mt{goods}"] = "years", (..., rise)
            found[f"home_reduction_mt{goods}"] = "years", (..., fall)
            found[f"leakage_rate{goods}"] = "rates", (slice(None), slice(-len(HORIZONS)), place)
            for span, years in enumerate(HORIZONS):
                found[f"leaked_mt_{years}_years{goods}"] = "spans", (slice(None), span, rise)
                found[f"home_reduction_mt_{years}_years{goods}"] = "spans", (slice(None), span, fall)
                last = span - len(HORIZONS)
                found[f"leakage_rate_{years}_years{goods}"] = "rates", (slice(None), last, place)
        for kind in ("sector", "partner"):
            columns = at[f"by_{kind}"]
            found[f"foreign_increase_mt_by_{kind}"] = "years", (..., columns)
            found[f"leaked_mt_10_years_by_{kind}"] = "spans", (slice(None), HORIZONS.index(10), columns)
        found["output_change"] = "years", (..., at["output_change"].start)
        found["output_change_by_sector"] = "years", (..., at["output"])
        for place, name in enumerate(MONEY):
            found[f"{name}_musd"] = "years", (..., at["money"].start + place)
        found["revenue_musd"] = "years", (..., at["revenue"].start)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantities(Mapping[str, Array]):
    """What is told of cases: by name of each year [N, Y], [N, Y, S] or [N, Y, P], over a horizon [N], [N, S] or [N, P].

    All of them are parts of three arrays, so that what is done with each is done with all at once.
    """

    place: Place
    years: Array  # [N, Y, T] sums of a year
    spans: Array  # [N, H, T'] those over a horizon that anybody asks for, which come first
    rates: Array  # [N, Y + H, G] leakage of each year, then over each horizon; NaN where it has none

    def __getitem__(self, name: str) -> Array:
        array, where = self.place.parts[name]
        found: Array = getattr(self, array)[where]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.place.parts)

    def __len__(self) -> int:
        return len(self.place.parts)

    def map(self, act: Callable[..., Array], *others: "Quantities") -> "Quantities":
        """What a function makes of the arrays and those of others."""
        made = {name: act(*(getattr(one, name) for one in (self, *others))) for name in ARRAYS}
        return Quantities(place=self.place, **made)


ARRAYS = ("years", "spans", "rates")


def sums_of(figures: Figures, place: Place) -> Array:
    """[N, Y, T] what figures add up to in a year, in the order of `Place.columns`."""
    goods, weight = place.goods.T, place.home_output / place.home_output.sum()
    by_sector = figures.foreign.sum(2)
    parts = (
        by_sector @ goods, figures.home @ goods, by_sector, figures.foreign.sum(3), figures.output, figures.money,
        (figures.output @ weight)[..., None], (figures.money @ SIGNS)[..., None],
    )  # fmt: skip
    return np.concatenate(parts, -1)


def quantities(figures: Figures, place: Place) -> Quantities:
    """What figures say."""
    return quantities_of(sums_of(figures, place), place)


def quantities_of(sums: Array, place: Place) -> Quantities:
    """What sums [..., N, Y, T] say.

    A rate is NaN where emissions at home do not fall enough to divide by.
    """
    at = place.columns
    spans = np.stack([sums[..., :years, : at["by_partner"].stop].sum(-2) for years in HORIZONS], -2)
    rise, fall = (np.concatenate([part[..., at[name]] for part in (sums, spans)], -2) for name in ("rise", "fall"))
    least = np.outer([*[1] * sums.shape[-2], *HORIZONS], place.least)
    rates = np.divide(rise, fall, out=np.full_like(rise, np.nan), where=fall > least)
    return Quantities(place=place, years=sums, spans=spans, rates=rates)


def gathered(named: Mapping[str, Array], place: Place, years: int) -> Quantities:
    """Values by name, each of one case's shape, as quantities of one case."""
    row = place.columns["revenue"].stop
    blank = quantities_of(np.zeros((1, years, row)), place)
    for name, values in named.items():
        blank[name][0] = values
    return blank


UNITS = {"leakage_rate": "share", "output_change": "share"}


def unit_of(name: str) -> str:
    """Of a quantity."""
    if "_mt" in name:
        return "Mt CO2" + ("" if "_years" in name else " a year")
    return "million USD of 2011 a year" if name.endswith("_musd") else "share"
