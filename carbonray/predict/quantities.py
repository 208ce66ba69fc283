"""What is told of a case: rates, tonnes, output and money, each from the figures of the years alone.

Axes: N case, Y year, P partner, S sector, G goods (all of them, CBAM goods), M kind of money.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.predict.ensemble import MONEY

Array = NDArray[np.float64]

GOODS = ("", "_cbam_goods")
HORIZONS = (5, 10)
"""Years over which leakage is added up."""
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

    @property
    def goods(self) -> Array:
        """[G, S] one where a sector counts."""
        return np.stack([np.ones(len(self.sectors)), np.isin(self.sectors, self.covered).astype(float)])


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums of figures from which all quantities follow; `stacked` in one row they are [N, Y, T]."""

    by_sector: Array  # [N, Y, S] rise of emissions abroad, Mt CO2
    by_partner: Array  # [N, Y, P]
    home: Array  # [N, Y, S] as in `Figures`
    output: Array  # [N, Y, S]
    money: Array  # [N, Y, M]


def totals_of(figures: Figures) -> Totals:
    """The sums of figures."""
    return Totals(
        by_sector=figures.foreign.sum(2),
        by_partner=figures.foreign.sum(3),
        home=figures.home,
        output=figures.output,
        money=figures.money,
    )


def quantities(figures: Figures | Totals, place: Place) -> Mapping[str, Array]:
    """By name: of each year [N, Y], [N, Y, S] or [N, Y, P], over a horizon [N], [N, S] or [N, P].

    A rate is NaN where emissions at home do not fall enough to divide by.
    """
    totals = totals_of(figures) if isinstance(figures, Figures) else figures
    found: dict[str, Array] = {}
    goods_of = [np.flatnonzero(one) for one in place.goods]
    rise, fall = ([_summed(part, which) for which in goods_of] for part in (totals.by_sector, totals.home))
    least = SMALLEST_FALL * place.goods @ place.home_emissions
    for goods, up, down, limit in zip(GOODS, rise, fall, least, strict=True):
        found[f"foreign_increase_mt{goods}"], found[f"home_reduction_mt{goods}"] = up, down
        found[f"leakage_rate{goods}"] = _rate(up, down, limit)
        for years in HORIZONS:
            sums = up[:, :years].sum(1), down[:, :years].sum(1)
            found[f"leaked_mt_{years}_years{goods}"], found[f"home_reduction_mt_{years}_years{goods}"] = sums
            found[f"leakage_rate_{years}_years{goods}"] = _rate(*sums, limit * years)
    found["foreign_increase_mt_by_sector"], found["foreign_increase_mt_by_partner"] = (
        totals.by_sector,
        totals.by_partner,
    )
    found["leaked_mt_10_years_by_sector"] = totals.by_sector.sum(1)
    found["leaked_mt_10_years_by_partner"] = totals.by_partner.sum(1)
    weight = place.home_output / place.home_output.sum()
    found["output_change"] = totals.output @ weight
    found["output_change_by_sector"] = totals.output
    for kind, name in enumerate(MONEY):
        found[f"{name}_musd"] = totals.money[..., kind]
    signs = np.array([1.0, -1.0, 1.0, -1.0, -1.0, -1.0])
    found["revenue_musd"] = totals.money @ signs
    return found


def _summed(part: Array, which: NDArray[np.int64]) -> Array:
    """[N, Y] sums of some sectors of [N, Y, S]."""
    total = part[..., which[0]].copy()
    for place in which[1:]:
        total += part[..., place]
    return total


def _rate(rise: Array, fall: Array, limit: float) -> Array:
    return np.asarray(np.divide(rise, fall, out=np.full(rise.shape, np.nan), where=fall > limit))


UNITS = {"leakage_rate": "share", "output_change": "share"}


def unit_of(name: str) -> str:
    """Of a quantity."""
    if "_mt" in name:
        return "Mt CO2" + ("" if "_years" in name else " a year")
    return "million USD of 2011 a year" if name.endswith("_musd") else "share"
