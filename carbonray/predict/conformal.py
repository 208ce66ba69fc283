"""Intervals that hold as often as they say: split conformal prediction (Vovk et al. 2005; Lei et al. 2018).

Cases kept out of training tell how far predictions miss, in units of how hard each case looks: score |y - y'| / s(x).
The interval y' +- q s(x), with q the ceil((n + 1) level) / n quantile of the scores, holds a new case with at least the
level's probability, whatever the model, if new cases are drawn as those were.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)
RELATIVE = 0.05
"""Part of a prediction's size that counts as hard."""


def hardness(mean: Array, spread: Array, floor: Array) -> Array:
    """s(x): how far networks disagree, a part of the prediction's size, and what is missed at the best.

    Args:
        mean: [N, ...] prediction.
        spread: [N, ...] standard deviation over networks.
        floor: [...] typical miss.
    """
    squares = spread**2
    squares += (RELATIVE * mean) ** 2
    squares += floor**2
    return np.asarray(np.sqrt(squares, out=squares))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Of each quantity: what an interval is made from."""

    floor: Mapping[str, Array]  # [...] of one case's shape
    score: Mapping[str, Array]  # [levels, ...]


def half_width(mean: Array, spread: Array, floor: Array, score: Array) -> Array:
    """[N, ...] half the width of an interval; floor and score of a level [...] are of a `Calibration`."""
    return score * hardness(mean, spread, floor)


def calibrated(
    truth: Mapping[str, Array], mean: Mapping[str, Array], spread: Mapping[str, Array], floor: Mapping[str, Array]
) -> Calibration:
    """Scores of the cases that were kept for this.

    Args:
        truth: [N, ...] by quantity; NaN where it has none.
        mean: [N, ...] predicted.
        spread: [N, ...] over networks.
        floor: [...] typical miss, from other cases.
    """
    score = {}
    for name, values in truth.items():
        miss = np.abs(values - mean[name]) / hardness(mean[name], spread[name], floor[name])
        score[name] = np.stack([_quantile(miss, level) for level in LEVELS])
    return Calibration(floor=floor, score=score)


def _quantile(miss: Array, level: float) -> Array:
    """[...] the ceil((n + 1) level)-th smallest of [N, ...], of the n that are known; infinite if they are too few."""
    ordered = np.sort(miss, 0)  # NaN come last
    count = np.isfinite(miss).sum(0)
    place = np.ceil((count + 1) * level).astype(int) - 1
    enough = place < count
    taken = np.take_along_axis(ordered, np.clip(place, 0, len(miss) - 1)[None], 0)[0]
    return np.where(enough, taken, np.inf)


def coverage(truth: Array, mean: Array, half: Array) -> tuple[float | None, int]:
    """Share of cases that lie within their interval, none if there are no cases, and how many there are."""
    known = np.isfinite(truth) & np.isfinite(mean)
    inside = np.abs(truth - mean) <= half
    return float(inside[known].mean()) if known.any() else None, int(known.sum())
