"""Where a predictor may be asked: within what was simulated; outside it says so.

Axes: N case, I input.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RARE = 0.999
"""Share of cases drawn like those of the training that count as usual."""
RIDGE = 1e-3
"""Added to the covariance of inputs that are counted in their ranges: some hardly move apart from others."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """An input of a case that lies beyond what was simulated."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The range of each input, and how far from the middle of all runs a case usually lies."""

    low: Array  # [I]
    high: Array  # [I]
    center: Array  # [I] in ranges
    precision: Array  # [I, I]
    usual: float  # squared distance

    def scaled(self, rows: Array) -> Array:
        """[N, I] inputs in their ranges: 0 at the lowest value simulated, 1 at the highest."""
        return np.asarray((rows - self.low) / np.where(self.high > self.low, self.high - self.low, 1.0))

    def distance(self, rows: Array) -> Array:
        """[N] squared Mahalanobis distance from the middle of the runs: large where inputs do not go together."""
        away = self.scaled(rows) - self.center
        return np.asarray(np.einsum("ni,ij,nj->n", away, self.precision, away))

    def outside(self, row: Array, names: tuple[str, ...]) -> list[Outside]:
        """Inputs of one case [I] beyond what was simulated, by more than rounding."""
        slack = 1e-6 * (self.high - self.low)
        beyond = (row < self.low - slack) | (row > self.high + slack)
        return [
            Outside(name=names[at], value=float(row[at]), low=float(self.low[at]), high=float(self.high[at]))
            for at in np.flatnonzero(beyond)
        ]

    def unusual(self, rows: Array) -> NDArray[np.bool_]:
        """[N] whether inputs, each within its range, go together as they hardly ever did."""
        return np.asarray(self.distance(rows) > self.usual)


def domain_of(rows: Array, others: Array) -> Domain:
    """The domain of runs [N, I]; `others` [M, I] are runs drawn alike that tell how far is usual."""
    low, high = rows.min(0), rows.max(0)
    blank = Domain(low=low, high=high, center=0 * low, precision=np.eye(len(low)), usual=np.inf)
    scaled = blank.scaled(rows)
    center = scaled.mean(0)
    covariance = (scaled - center).T @ (scaled - center) / len(rows)
    precision = np.linalg.inv(covariance + RIDGE * np.eye(len(low)))
    found = Domain(low=low, high=high, center=center, precision=precision, usual=np.inf)
    usual = float(np.quantile(found.distance(np.concatenate([rows, others])), RARE))
    return Domain(low=low, high=high, center=center, precision=precision, usual=usual)
