"""The scenario space of the predictor: what is drawn, between which bounds, and the scenario of a draw.

An economy is drawn once for several laws, which are run side by side against one reference.  Every draw is a function
of (seed, stream, number) alone, so that a build that is cut short goes on with the same runs, and a larger one has the
runs of a smaller one first.

Bounds hold what was proposed, disputed or observed for the years 2026-2035, widened; sources stand beside them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.config import LEGAL_CBAM_FACTOR, Policy, Scenario, at_year
from carbonray.data.scenarios import load
from carbonray.runtime.uncertain_parameters import UNCERTAIN

Array = NDArray[np.float64]
Rng = np.random.Generator

YEARS = tuple(range(2026, 2036))
"""Of every run."""
STREAMS = {"train": 1, "calibrate": 2, "test": 3, "corner": 4}
"""What runs are for: none is met twice."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Range of an input."""

    low: float
    high: float
    unit: str
    source: str

    def holds(self, value: float) -> bool:
        """Whether a value lies within, up to rounding."""
        slack = 1e-9 * max(1.0, abs(self.low), abs(self.high))
        return self.low - slack <= value <= self.high + slack


LEVERS: Mapping[str, Bound] = {
    "price": Bound(low=15.0, high=300.0, unit="EUR of 2026 / t CO2",
                   source="assumption: EUR 55-100 were paid in 2021-2025; 300 is above published paths to 2035"),
    "free_allocation": Bound(low=0.0, high=1.0, unit="share", source="all there is"),
    "cbam": Bound(low=0.0, high=1.0, unit="no or yes", source="all there is"),
    "cbam_factor": Bound(low=0.0, high=1.0, unit="share", source="all there is"),
    "coverage": Bound(low=0.0, high=1.0, unit="share of a sector's output", source="all there is"),
    "export_rebate": Bound(low=0.0, high=1.0, unit="share", source="all there is"),
    "support_home": Bound(low=0.0, high=0.5, unit="share of revenue",
                          source="assumption: half; the Innovation Fund has about a tenth"),
    "support_abroad": Bound(low=0.0, high=0.1, unit="share of revenue",
                            source="assumption: a tenth; Parliament asked for the border's receipts, which are less"),
}  # fmt: skip
"""What the law turns; paths are bound in every year."""
_RANGE = {one.name: one for one in UNCERTAIN}
ECONOMY: Mapping[str, Bound] = {
    "partner_price": Bound(low=0.0, high=100.0, unit="EUR of 2026 / t CO2 in 2026",
                           source="assumption: GBR paid most in 2025, some 45"),
    "price_growth": Bound(low=0.0, high=0.08, unit="a year", source="assumption around 3 %"),
    "sigma_scale": Bound(low=0.7, high=1.3, unit="factor", source=_RANGE["sigma_scale"].source),
    "factor_supply": Bound(low=1.0, high=4.0, unit="elasticity", source=_RANGE["factor_supply"].source),
    "inputs": Bound(low=0.1, high=0.8, unit="elasticity", source=_RANGE["inputs"].source),
    "abatement_scale": Bound(low=0.6, high=1.7, unit="factor", source=_RANGE["abatement_cost"].source),
    "incidence": Bound(low=0.0, high=0.5, unit="share", source=_RANGE["incidence"].source),
    "growth_home": Bound(low=0.0, high=0.025, unit="a year", source="assumption around 1.3 %"),
    "growth_abroad": Bound(low=-0.01, high=0.01, unit="a year, added to each region's own",
                           source="assumption: a percentage point"),
    "intensity_trend": Bound(low=-0.025, high=0.0, unit="a year", source="assumption around -1 %"),
    "fuel": Bound(low=0.0, high=1.0, unit="no or yes", source="the fossil-price channel"),
}  # fmt: skip
"""What the law does not turn."""
CORNER = Bound(
    low=330.0, high=400.0, unit="EUR of 2026 / t CO2", source="above any that runs for training have: where prices end"
)
EXTENSIBLE = ("OMT", "ONM", "OCH")
"""Sectors beyond the law's that coverage may be extended to: other metals, minerals and chemicals."""


def base_scenario(economy: str = "goods-2026") -> Scenario:
    """What every run has that is not drawn: the law as it stands."""
    return load("law", economy=economy)


def firms_of(scenario: Scenario, number: int) -> Scenario:
    """A scenario with so many firms and no named suppliers, who matter only where deliveries fail."""
    firms = scenario.firms.model_copy(update={"number": number, "slots": 0})
    return scenario.model_copy(update={"firms": firms})


def economy_draw(base: Scenario, partners: Sequence[str], *, seed: int, stream: str, number: int) -> Scenario:
    """The scenario with an economy of its own; its law is still the base's."""
    rng = np.random.default_rng([seed, STREAMS[stream], number])
    level = rng.uniform(0.0, 1.0)  # partners follow each other, more or less
    prices = {
        region: round(float(ECONOMY["partner_price"].high * rng.uniform() * rng.uniform(0, level)), 3)
        if rng.uniform() < 0.75
        else 0.0
        for region in partners
    }
    draw = {name: _uniform(rng, bound) for name, bound in ECONOMY.items()}
    draw["factor_supply"] = math.exp(_uniform(rng, ECONOMY["factor_supply"], math.log))
    home = set(base.home)
    growth = {
        region: draw["growth_home"] if region in home else rate + draw["growth_abroad"]
        for region, rate in base.growth.items()
    }
    parts: dict[str, Any] = {
        "name": f"{stream}-{number}",
        "seed": int(rng.integers(1 << 31)),
        "partners": base.partners.model_copy(update={"price": prices, "price_growth": draw["price_growth"]}),
        "growth": growth,
        "abatement_scale": draw["abatement_scale"],
        "market": base.market.model_copy(update={n: draw[n] for n in ("sigma_scale", "factor_supply", "inputs")}),
        "policy": base.policy.model_copy(update={"incidence": draw["incidence"]}),
        "firms": base.firms.model_copy(update={"intensity_trend": draw["intensity_trend"]}),
        "fuel": base.fuel.model_copy(update={"channel": bool(rng.uniform() < 0.25)}),
    }
    return base.model_copy(update=parts)


def law_draws(base: Policy, *, seed: int, stream: str, number: int, count: int) -> list[Policy]:
    """Laws for the economy of the same number; they differ from the base in levers alone."""
    rng = np.random.default_rng([seed, STREAMS[stream], number, 1])
    return [_law(rng, base, corner=stream == "corner") for _ in range(count)]


def _law(rng: Rng, base: Policy, *, corner: bool) -> Policy:
    free = _share_path(rng)
    mirrored = rng.uniform() < 0.5  # what is free at home is deducted at the border, as the law has it
    coverage = dict(base.coverage)
    for sector in ("STL", "ALU", "CEM", "FER"):
        coverage[sector] = base.coverage[sector] if rng.uniform() < 0.3 else float(rng.uniform())
    extended = rng.uniform() < 0.4
    for sector in EXTENSIBLE:
        coverage[sector] = float(rng.uniform()) if extended and rng.uniform() < 0.7 else 0.0
    return base.model_copy(
        update={
            "price": _price_path(rng, corner=corner),
            "free_allocation": free,
            "cbam": bool(rng.uniform() < 0.8),
            "cbam_factor": free if mirrored else _share_path(rng),
            "coverage": coverage,
            "export_rebate": float(rng.uniform()) if rng.uniform() < 0.35 else 0.0,
            "support_home": {YEARS[0]: _sometimes(rng, LEVERS["support_home"], 0.4)},
            "support_abroad": {YEARS[0]: _sometimes(rng, LEVERS["support_abroad"], 0.4)},
        }
    )


KNOTS = (2026, 2029, 2032, 2035)
"""Years between which a drawn path is straight."""


def _price_path(rng: Rng, *, corner: bool) -> dict[int, float]:
    """A level, and a slope that mostly rises; some prices stand still or fall.  In the corner they end above all."""
    bound = LEVERS["price"]
    if corner:
        ends = rng.uniform(bound.low, 0.5 * bound.high), rng.uniform(CORNER.low, CORNER.high)
        points = np.interp(KNOTS, (KNOTS[0], KNOTS[-1]), ends)
    elif rng.uniform() < 0.3:
        points = np.exp(rng.uniform(math.log(bound.low), math.log(bound.high), len(KNOTS)))
        points = np.sort(points) if rng.uniform() < 0.8 else points
    else:
        ends = rng.uniform(bound.low, 0.5 * bound.high), rng.uniform(bound.low, bound.high)
        points = np.interp(KNOTS, (KNOTS[0], KNOTS[-1]), ends)
    return {year: float(value) for year, value in zip(KNOTS, points, strict=True)}


def _share_path(rng: Rng) -> dict[int, float]:
    """Phase-outs like the law's at other speeds, straight ones, levels that stay, and any fall."""
    kind = rng.integers(4)
    if kind == 0:  # the law's own steps, earlier or later, faster or slower
        shift, pace = rng.uniform(-3, 3), rng.uniform(0.6, 1.6)
        years = [YEARS[0] + (year - YEARS[0] - shift) * pace for year in YEARS]
        return {
            year: float(at_year({2025: 1.0, **LEGAL_CBAM_FACTOR}, at)) for year, at in zip(YEARS, years, strict=True)
        }
    if kind == 1:
        first, last = sorted(rng.uniform(YEARS[0] - 2, YEARS[-1] + 3, 2))
        return {year: float(np.clip((last - year) / (last - first + 1e-9), 0, 1)) for year in YEARS}
    if kind == 2:
        return dict.fromkeys((YEARS[0],), float(rng.choice([0.0, 1.0, rng.uniform()])))
    return {year: float(value) for year, value in zip(KNOTS, np.sort(rng.uniform(size=4))[::-1], strict=True)}


def _sometimes(rng: Rng, bound: Bound, chance: float) -> float:
    return _uniform(rng, bound) if rng.uniform() < chance else 0.0


def _uniform(rng: Rng, bound: Bound, scale: Any = float) -> float:
    return float(rng.uniform(scale(bound.low), scale(bound.high)))
