"""Where a predictor may be asked: within what was simulated; outside it says so.

Axes: N case, I input, Y year, K example.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.predict.inputs import PATHS, Layout

Array = NDArray[np.float64]

EXAMPLES = 256
"""Paths that stand for all that were simulated."""
RARE = 0.999
"""Share of paths drawn like those of the training that count as usual."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """An input of a case that lies beyond what was simulated."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The range of each input, and the shapes that paths over the years had."""

    low: Array  # [I]
    high: Array  # [I]
    examples: Array  # [paths, K, Y] in ranges
    usual: Array  # [paths] distance from the nearest example that few exceed

    def scaled(self, rows: Array) -> Array:
        """[N, I] inputs in their ranges: 0 at the lowest value simulated, 1 at the highest."""
        return np.asarray((rows - self.low) / np.where(self.high > self.low, self.high - self.low, 1.0))

    def outside(self, rows: Array, names: tuple[str, ...]) -> dict[int, tuple[Outside, ...]]:
        """By case of [N, I] that has any: inputs beyond what was simulated, by more than rounding."""
        slack = 1e-6 * (self.high - self.low)
        found: dict[int, tuple[Outside, ...]] = {}
        for case, at in np.argwhere((rows < self.low - slack) | (rows > self.high + slack)).tolist():
            low, high, value = (float(each[at]) for each in (self.low, self.high, rows[case]))
            one = Outside(name=names[at], value=value, low=low, high=high)
            found[case] = (*found.get(case, ()), one)
        return found

    def unlike(self, layout: Layout, rows: Array) -> dict[int, tuple[str, ...]]:
        """By case of [N, I] that has any: paths, all of them within range, of a shape unlike any simulated."""
        scaled = self.scaled(rows)
        far = [
            _nearest(layout.take(scaled, path), examples) > usual
            for path, examples, usual in zip(PATHS, self.examples, self.usual, strict=True)
        ]
        found: dict[int, tuple[str, ...]] = {}
        for case, path in np.argwhere(np.stack(far, 1)).tolist():
            found[case] = (*found.get(case, ()), PATHS[path])
        return found


def domain_of(layout: Layout, rows: Array, others: Array) -> Domain:
    """The domain of runs [N, I]; `others` [M, I] are runs drawn alike that tell how far is usual."""
    low, high = rows.min(0), rows.max(0)
    blank = Domain(low=low, high=high, examples=np.zeros((0, 0, 0)), usual=np.zeros(0))
    ours, theirs = blank.scaled(rows), blank.scaled(others)
    examples = [_spread_out(layout.take(ours, path)) for path in PATHS]
    usual = [
        np.quantile(_nearest(np.concatenate([layout.take(each, path) for each in (ours, theirs)]), chosen), RARE)
        for path, chosen in zip(PATHS, examples, strict=True)
    ]
    return Domain(low=low, high=high, examples=np.stack(examples), usual=np.array(usual))


def _nearest(paths: Array, examples: Array) -> Array:
    """[N] root mean square over the years from paths [N, Y] to the nearest of the examples [K, Y]."""
    squares = (-2 * paths) @ examples.T
    squares += (examples**2).sum(1)
    away = squares.min(1) + (paths**2).sum(1)
    return np.asarray(np.sqrt(np.maximum(away, 0.0) / paths.shape[1]))


def _spread_out(paths: Array) -> Array:
    """[K, Y] of paths [N, Y], each the farthest from those before it; the first is the first."""
    chosen = [0]
    distance = ((paths - paths[0]) ** 2).sum(1)
    while len(chosen) < EXAMPLES:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((paths - paths[chosen[-1]]) ** 2).sum(1))
    return paths[chosen]
