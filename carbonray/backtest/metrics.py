"""How near a forecast came: errors, correlation, skill against naive forecasts, direction and turning points.

Series are one value a year, in the order of the years; changes are from one year to the next, the first from the
anchor, the last value known when the forecast was made.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TURN_WINDOW = 1
"""Years by which a predicted turning point may miss the observed one."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A forecast held against what happened; NaN where a figure has no meaning (too short, or constant)."""

    mape: float  # mean absolute percentage error, a fraction
    rmse: float  # in the series' unit
    r: float  # Pearson correlation of levels
    r_changes: float  # of changes from year to year
    rmse_changes: float
    bias: float  # mean of forecast less observed over the mean observed, a fraction
    direction: float  # share of years in which the change has the right sign
    turns: int  # observed turning points
    turns_hit: int  # of these, predicted within a year
    turns_predicted: int  # turning points of the forecast
    turns_right: int  # of these, observed within a year

    @property
    def turn_score(self) -> float:
        """Harmonic mean of the shares of turns found and of predicted turns that came (F1); NaN if nothing turned."""
        if self.turns == 0:
            return math.nan
        if self.turns_hit == 0 or self.turns_right == 0:
            return 0.0
        found, right = self.turns_hit / self.turns, self.turns_right / self.turns_predicted
        return 2 * found * right / (found + right)


def scores(observed: Array, predicted: Array, anchor: float) -> Scores:
    """Score a forecast.

    Args:
        observed: [Y] what happened.
        predicted: [Y] what was forecast.
        anchor: the last observed value before both.
    """
    error = predicted - observed
    steps, forecast = changes(observed, anchor), changes(predicted, anchor)
    real, said = turning_points(observed, anchor), turning_points(predicted, anchor)
    return Scores(
        mape=float(np.mean(np.abs(error / observed))),
        rmse=rmse(error),
        r=correlation(observed, predicted),
        r_changes=correlation(steps, forecast),
        rmse_changes=rmse(forecast - steps),
        bias=float(error.mean() / observed.mean()),
        direction=float(np.mean(np.sign(steps) == np.sign(forecast))),
        turns=len(real),
        turns_hit=sum(any(abs(at - guess) <= TURN_WINDOW for guess in said) for at in real),
        turns_predicted=len(said),
        turns_right=sum(any(abs(at - guess) <= TURN_WINDOW for at in real) for guess in said),
    )


def changes(values: Array, anchor: float) -> Array:
    """[Y] change from the year before."""
    return np.diff(values, prepend=anchor)


def turning_points(values: Array, anchor: float) -> list[int]:
    """Years, by place, at which the series turns: the change before and the change after differ in sign."""
    steps = changes(values, anchor)
    return [at for at in range(len(steps) - 1) if steps[at] * steps[at + 1] < 0]


def rmse(error: Array) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean(error * error)))


def correlation(left: Array, right: Array) -> float:
    """Pearson's r; NaN under three values or where one side is constant."""
    if len(left) < 3:
        return math.nan
    x, y = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    tiny = 1e-12 * max(1.0, float(np.abs(left).max() * np.abs(right).max()))
    return float((x * y).sum() / scale) if scale > tiny else math.nan


def skill(error: float, naive: float) -> float:
    """1 - error / naive: 1 is perfect, 0 as good as the naive forecast, negative worse; NaN if the naive is exact."""
    return 1 - error / naive if naive > 0 else math.nan
