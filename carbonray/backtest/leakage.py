"""Would the record show the leakage that the model says the EU ETS caused?  Detection, power, a placebo, a verdict.

Two questions are kept apart. Is the predicted leak smaller than what the record could show? The noise for that is
observed: net embodied imports of the years before there was a price, so that a model that fits badly gets no easier
test. And do net imports, with the drivers taken out, move with the price more than with a price whose years are
shuffled? That is an association, whatever its reason.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from carbonray.backtest.metrics import Array, correlation
from carbonray.backtest.record import FIRST, HOME, SPLIT
from carbonray.kpi.history import yearly
from carbonray.kpi.leakage import leakage
from carbonray.runtime.pair import Pair

DETECTION_YEARS = range(2005, 2018)
"""FACTS 6.5: the literature's window."""
NOISE_YEARS = range(FIRST, SPLIT + 1)
"""Years before there was a price, whose changes are the noise."""
LOW_END = 0.05
"""Lowest leakage rate that studies without free allocation typically find (Branger and Quirion 2014: 5-25 %)."""
PERMUTATIONS = 2000
ALPHA, POWER = 0.05, 0.8
Z_ALPHA, Z_POWER = 1.959964, 0.841621
"""Normal quantiles of a two-sided test of 5 % and of a power of 80 %."""


@dataclass(frozen=True, kw_only=True)
class Leaked:
    """What the model says leaked, by year."""

    years: tuple[int, ...]
    foreign_increase: Array  # [Y] Mt CO2
    home_reduction: Array  # [Y] Mt CO2
    home_reference: Array  # [Y] Mt CO2 that home would have emitted
    goods_increase: Array  # [Y] Mt CO2 abroad, metals, minerals and chemicals only
    goods_reduction: Array  # [Y] the same at home

    def over(self, years: range, *, goods: bool = False) -> float:
        """Leakage rate over some years: sum of the rise abroad over sum of the fall at home."""
        rise, fall = (
            (self.goods_increase, self.goods_reduction) if goods else (self.foreign_increase, self.home_reduction)
        )
        pick = np.isin(self.years, list(years))
        cut = float(fall[pick].sum())
        return float(rise[pick].sum()) / cut if cut > 0 else math.nan

    def rise(self, year: int) -> float:
        """Mt CO2 leaked in a year; none before the first."""
        return float(self.foreign_increase[self.years.index(year)]) if year in self.years else 0.0


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Leakage under a rule of allocation."""

    name: str
    leaked: Leaked


def leaked(pair: Pair, first: int) -> Leaked:
    """Compare the run under the observed price with its reference, from a year on."""
    economy = pair.economy
    policy, reference = (yearly(side.emissions).mean(1) for side in (pair.policy, pair.reference))
    home = np.repeat(np.isin(economy.regions, HOME), len(economy.sectors))
    goods = np.tile(np.isin(economy.sectors, ["MET", "NMM", "CHE"]), len(economy.regions))
    total, of_goods = leakage(policy, reference, home), leakage(policy, reference, home, goods)
    skip = first - pair.scenario.start_year
    return Leaked(
        years=tuple(range(first, pair.scenario.start_year + len(policy))),
        foreign_increase=total.foreign_increase[skip:],
        home_reduction=total.home_reduction[skip:],
        home_reference=reference[skip:, home].sum(1),
        goods_increase=of_goods.foreign_increase[skip:],
        goods_reduction=of_goods.home_reduction[skip:],
    )


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Whether the record could show a leak, and whether it does; over one window of years."""

    years: tuple[int, ...]
    noise: float  # Mt CO2: standard deviation of a year's change of observed net imports before the price
    signal: float  # Mt CO2: mean predicted leak
    signal_largest: float  # Mt CO2: largest predicted leak of a year
    steps_above_noise: int  # years in which the predicted leak changes by more than 1.96 deviations
    rate: float  # predicted leakage rate; NaN where nothing is predicted or home cuts nothing
    slope: float  # Mt CO2 per EUR / t: residual net imports on the price, changes on changes
    slope_error: float
    slope_predicted: float  # the model's own
    price: float  # EUR / t: mean of the window
    correlation: float  # of changes of the residual with changes of the price
    p_value: float  # two-sided, against shuffled prices
    shuffled: Array  # [permutations] the same correlation with the years of the price shuffled
    detectable: (
        float  # Mt CO2 a year: mean leak, in step with the price, found four times in five by who knows the noise
    )

    @property
    def undetectable(self) -> bool:
        """Whether the predicted leak is smaller than what the record could show: its mean, and each year's change."""
        return abs(self.signal) < self.detectable and self.steps_above_noise == 0

    @property
    def agrees(self) -> bool:
        """The verdict: no leak that the record could show, and a rate under what studies find without allocation."""
        return self.undetectable and self.rate < LOW_END

    @property
    def associated(self) -> bool:
        """Whether the residual moves with the price more than it does with shuffled prices, whatever the reason."""
        return self.p_value <= ALPHA


def noise_of(observed: Mapping[int, float]) -> float:
    """Standard deviation of the yearly changes of a series in `NOISE_YEARS` about their mean, in the series' unit.

    Nine changes. They hold no recession as deep as that of 2009, so the noise is rather too small, and the test rather
    too strict.
    """
    return float(np.diff([observed[year] for year in NOISE_YEARS]).std(ddof=1))


def detect(
    residual: Mapping[int, float],
    price: Mapping[int, float],
    found: Leaked | None,
    *,
    noise: float,
    years: range = DETECTION_YEARS,
    seed: int,
) -> Detection:
    """Look for a leak in a window.

    A leak in step with the price, b Mt for each EUR / t, is found by regressing changes on changes; with the noise s of
    a change, b has the standard error s / sqrt(sum (dp - mean dp)^2), and a test of 5 % that knows s finds b four times
    in five at 2.80 of these (normal quantiles; Cohen 1988). Times the mean price, that is the mean leak `detectable`.
    The shuffles do not know s and find it about seven times in ten. A leak that does not follow the price from year to
    year is harder to find.

    Args:
        residual: by year, observed net embodied imports less what the model says of them without its leak, Mt CO2.
        price: EUR / t by year; none before the first.
        found: leak as the model has it; none where it predicts none.
        noise: Mt CO2, as `noise_of`; it must not depend on the model.
        years: the window.
        seed: of the shuffles.
    """
    steps = np.array([residual[year] - residual[year - 1] for year in years])
    prices = np.array([price.get(year, 0.0) for year in range(years[0] - 1, years[-1] + 1)])
    leaks = np.array([found.rise(year) if found else 0.0 for year in range(years[0] - 1, years[-1] + 1)])
    dearer, rises = np.diff(prices), np.diff(leaks)
    slope, error = _slope(dearer, steps)
    shuffled = shuffles(prices, steps, seed)
    seen = correlation(dearer, steps)
    return Detection(
        years=tuple(years),
        noise=noise,
        signal=float(leaks[1:].mean()),
        signal_largest=float(leaks[np.abs(leaks).argmax()]),
        steps_above_noise=int((np.abs(rises) > Z_ALPHA * noise).sum()),
        rate=found.over(years) if found else math.nan,
        slope=slope,
        slope_error=error,
        slope_predicted=_slope(dearer, rises)[0],
        price=float(prices[1:].mean()),
        correlation=seen,
        p_value=p_value(seen, shuffled),
        shuffled=shuffled,
        detectable=(Z_ALPHA + Z_POWER) * noise / _spread(dearer) ** 0.5 * float(prices[1:].mean()),
    )


def shuffles(price: Array, steps: Array, seed: int) -> Array:
    """[permutations] correlation of the residual's changes with the changes of a price whose years are shuffled.

    Args:
        price: [Y + 1] by year, from the year before the window.
        steps: [Y] changes of the residual.
        seed: of the shuffles.
    """
    rng = np.random.default_rng(seed)
    return np.array([correlation(np.diff(rng.permutation(price)), steps) for _ in range(PERMUTATIONS)])


def p_value(statistic: float, shuffled: Array) -> float:
    """Share of shuffles at least as far from zero, the observed order counted as one (Phipson and Smyth 2010)."""
    return float((1 + (np.abs(shuffled) >= abs(statistic)).sum()) / (1 + len(shuffled)))


def _spread(x: Array) -> float:
    """Sum of squares about the mean."""
    return float(((x - x.mean()) ** 2).sum())


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """Least-squares slope and its standard error."""
    centred = x - x.mean()
    slope = float((centred * (y - y.mean())).sum() / _spread(x))
    left = y - y.mean() - slope * centred
    return slope, float(np.sqrt((left**2).sum() / (len(x) - 2) / _spread(x)))
