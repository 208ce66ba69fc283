"""Fit the few free parameters on 1995-2004, from the world table of 1995; nothing of a later year is read.

Fitted: the two exponents of an origin's weight (least squares of log purchases by origin, weighted by value, with a
prior from theory), by a
grid that is refined around its best point: deterministic, and it cannot walk away.  And the yearly trend of tonnes
per real dollar of each physical product.  Not fitted: elasticities keep their literature values, for without policy
prices hardly move and the early years do not tell them apart; abatement costs, for there was no price.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from carbonray.backtest.drivers import Parameters, scenario_of
from carbonray.backtest.hindcast import Told, index_of, volumes_of, without_policy
from carbonray.backtest.record import FIRST, SPLIT, Record, Series
from carbonray.worlds.cbam.economy import Economy

SIZES = (0.0, 3.0)
"""Exponents of size that are tried: 0 no pull of growth, 1 Krugman's."""
PRICE_LEVELS = (-1.5, 1.5)
"""Exponents of the price level: below 0 a dear currency loses value, 1 it gains all that its goods became dearer."""
SIZE_PRIOR, PRICE_LEVEL_PRIOR = (1.0, 0.5), (0.0, 1.0)
"""Mean and deviation before the data: Krugman's exponent, and neither of the price level's two effects the stronger.

Ten years that hold the entry of China into world trade would alone ask for an exponent of two or three; one series by
origin counts as one observation, for its years are not independent.
"""
POINTS = 5  # of the first grid, each side; then three, with half the spacing each time
ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What the early years say."""

    parameters: Parameters
    error: float  # root mean square log error of purchases by origin, weighted by value
    loss: float  # minimised: n / 2 log error^2 + the prior's
    error_still: float  # the same with both exponents zero: shares of the base year for ever
    trends: Mapping[str, float]  # growth a year of tonnes per real dollar, by series
    tried: int


def calibrate(
    early: Record,
    economy: Economy,
    *,
    firms: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Fit:
    """Fit on the early years.

    Args:
        early: the record cut at the split.
        economy: the world table of 1995.
        firms: number of firms of the runs.
        progress: called with runs done and all runs.

    Raises:
        ValueError: if the record holds anything after the split.
    """
    if max(early.gdp.index) > SPLIT or any(year > SPLIT for one in early.series for year in one.observed):
        raise ValueError(f"the calibration may not read beyond {SPLIT}")
    known: dict[tuple[float, float], float] = {}
    of = 2 + POINTS**2 + 8 * (ROUNDS - 1)

    def error_at(point: tuple[float, float]) -> float:
        if point not in known:
            parameters = Parameters(size=point[0], price_level=point[1])
            known[point] = trade_error(early, _run(early, economy, parameters, firms))
            progress(len(known), of)
        return known[point]

    def loss_at(point: tuple[float, float]) -> float:
        return len(by_origin(early)) * float(np.log(error_at(point))) + prior_loss(point)

    best, spacing = ((SIZES[0] + SIZES[1]) / 2, (PRICE_LEVELS[0] + PRICE_LEVELS[1]) / 2), 0.5
    for turn in range(ROUNDS):
        points = POINTS if turn == 0 else 3
        steps = [(at - points // 2) * spacing for at in range(points)]
        grid = [(best[0] + a, best[1] + b) for a, b in product(steps, steps)]
        inside = [p for p in grid if SIZES[0] <= p[0] <= SIZES[1] and PRICE_LEVELS[0] <= p[1] <= PRICE_LEVELS[1]]
        best = min(inside, key=lambda p: (loss_at(p), p))
        spacing /= 2
    parameters = Parameters(size=best[0], price_level=best[1])
    said = _run(early, economy, parameters, firms)
    result = Fit(
        parameters=parameters,
        error=error_at(best),
        loss=loss_at(best),
        error_still=error_at((0.0, 0.0)),
        trends={one.key: material_trend(early, said, one) for one in early.series if one.share_of == "volume"},
        tried=len(known),
    )
    progress(of, of)
    return result


def _run(early: Record, economy: Economy, parameters: Parameters, firms: int) -> Told:
    return without_policy(scenario_of(early, economy, parameters, last=SPLIT, firms=firms), economy)


def prior_loss(point: tuple[float, float]) -> float:
    """Half the squared distance from the prior means, in prior deviations."""
    priors = (SIZE_PRIOR, PRICE_LEVEL_PRIOR)
    return sum(((x - mean) / deviation) ** 2 / 2 for x, (mean, deviation) in zip(point, priors, strict=True))


def by_origin(early: Record) -> list[Series]:
    """The series that the exponents are fitted to."""
    return [one for one in early.series if one.group == "trade" and one.pooled]


def trade_error(early: Record, said: Told) -> float:
    """Root mean square log error of what the EU buys by origin after the first year, weighted by observed value."""
    squares, weights = 0.0, 0.0
    for one in by_origin(early):
        index = index_of(said, one, {})
        for year in range(FIRST + 1, SPLIT + 1):
            gap = np.log(index[year] / index[FIRST]) - np.log(one.observed[year] / one.observed[FIRST])
            squares += one.observed[year] * float(gap) ** 2
            weights += one.observed[year]
    return float(np.sqrt(squares / weights))


def material_trend(early: Record, said: Told, series: Series) -> float:
    """Growth a year of tonnes per unit of the model's real output, by least squares on the early years."""
    index = index_of(said, series, volumes_of(early))
    years = np.array(sorted(year for year in series.observed if year in index), dtype=float)
    if len(years) < 3:
        return 0.0
    gap = np.log([series.observed[int(year)] / index[int(year)] for year in years])
    centred = years - years.mean()
    return float((centred * (gap - gap.mean())).sum() / (centred**2).sum())
