"""How far a figure spreads over draws of uncertain parameters, and which of them decide it."""

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

QUANTILES = {"low": 0.05, "median": 0.5, "high": 0.95}
"""What is told of a figure's draws; low and high enclose nine of ten."""
SPARE = 3
"""Draws that a ranking needs beyond its parameters."""


def quantiles(values: Array) -> dict[str, float] | None:
    """The low, median and high of the finite draws [N], straight between order statistics; None if none is finite."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    return {name: float(np.quantile(finite, share)) for name, share in QUANTILES.items()}


def variance_shares(inputs: Array, outcome: Array) -> tuple[Array, float] | None:
    """Share of a figure's variance, in ranks, that each parameter decides.

    Outcome and inputs are replaced by their ranks and the outcome is regressed on the inputs; the R2 is divided
    among the inputs by averaging what each adds over all orders in which they can enter (Lindeman, Merenda and Gold
    1980; the Shapley value of Owen 2014).  With uncorrelated inputs, as a Latin hypercube has, a share is the squared
    standardized rank regression coefficient (Saltelli and Sobol 1995); unlike it, shares are never negative and sum
    to R2 whatever the correlation of the draws.

    Args:
        inputs: [N, K] one row a draw; a column that never moves has share 0.
        outcome: [N]; rows that are not finite are left out.
    Returns:
        [K] shares, and R2, their sum: what is left is interaction and bends.  None where fewer than K + 3 draws are
        finite or the outcome never moves.
    """
    finite = np.isfinite(outcome)
    inputs, outcome = inputs[finite], outcome[finite]
    if len(outcome) < inputs.shape[1] + SPARE or np.ptp(outcome) == 0:
        return None
    shares = np.zeros(inputs.shape[1])
    moving = [k for k in range(inputs.shape[1]) if np.ptp(inputs[:, k]) > 0]
    ranks = rankdata(inputs[:, moving], axis=0)
    explained = _explained(ranks - ranks.mean(0), rankdata(outcome) - (len(outcome) + 1) / 2)
    for place, column in enumerate(moving):
        others = [k for k in range(len(moving)) if k != place]
        for size in range(len(moving)):
            weight = 1 / (len(moving) * comb(len(others), size))
            for before in combinations(others, size):
                added = explained[frozenset((*before, place))] - explained[frozenset(before)]
                shares[column] += weight * added
    return np.clip(shares, 0.0, None), float(explained[frozenset(range(len(moving)))])


def _explained(ranks: Array, outcome: Array) -> dict[frozenset[int], float]:
    """R2 of the regression on every subset of the centred columns."""
    found = {frozenset[int](): 0.0}
    for size in range(1, ranks.shape[1] + 1):
        for chosen in combinations(range(ranks.shape[1]), size):
            part = ranks[:, chosen]
            fitted = part @ np.linalg.lstsq(part, outcome, rcond=None)[0]
            found[frozenset(chosen)] = float(fitted @ fitted / (outcome @ outcome))
    return found


def rank_correlation(left: Array, right: Array) -> float | None:
    """Spearman's correlation over the draws in which both are finite; None with fewer than three or without spread."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 3 or np.ptp(left[both]) == 0 or np.ptp(right[both]) == 0:
        return None
    return float(np.corrcoef(rankdata(left[both]), rankdata(right[both]))[0, 1])
