"""The three naive forecasts that a model must beat: no change, the old trend, a constant share of a known total."""

from collections.abc import Mapping

import numpy as np

from carbonray.backtest.metrics import Array

NAIVES = ("last value", "trend", "constant share")
"""In this order wherever they stand side by side."""


def last_value(anchor: float, years: range) -> Array:
    """[Y] the anchor, for ever."""
    return np.full(len(years), anchor)


def linear_trend(early: Mapping[int, float], years: range) -> Array:
    """[Y] the line of least squares through the early years, carried on; never below zero.

    Raises:
        ValueError: with fewer than two early years.
    """
    if len(early) < 2:
        raise ValueError("a trend needs two years")
    x, y = np.array(sorted(early), dtype=float), np.array([early[year] for year in sorted(early)])
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return np.asarray(np.maximum(y.mean() + slope * (np.array(years, dtype=float) - x.mean()), 0.0))


def constant_share(anchor: float, total: Mapping[int, float], base: float, years: range) -> Array:
    """[Y] the anchor's share of a total, times the observed total.

    Args:
        anchor: value that the share is taken of.
        total: observed total by year.
        base: the total where the anchor was taken.
        years: forecast.
    """
    return np.array([anchor * total[year] / base for year in years])
