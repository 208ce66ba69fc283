"""Leakage: emissions abroad that a policy at home causes, against the reference run with the same random numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """Tonnes and rates; [...] are the leading axes of the emissions compared."""

    home_reduction: Array  # [...] Mt CO2
    foreign_increase: Array  # [...] Mt CO2

    @property
    def rate(self) -> Array:
        """[...] foreign increase over home reduction; NaN where emissions at home do not fall."""
        falls = self.home_reduction > SMALLEST_REDUCTION
        rate: Array = np.divide(
            self.foreign_increase, self.home_reduction, out=np.full(np.shape(falls), np.nan), where=falls
        )
        return rate


SMALLEST_REDUCTION = 1e-6
"""Mt CO2 below which a fall at home counts as none: it is rounding."""

UNDEFINED = "emissions at home do not fall against the reference run, so the rate has no denominator"


def leakage(policy: Array, reference: Array, home: Mask, counted: Mask | None = None) -> Leakage:
    """Compare emissions by cell.

    L = dE_foreign / (-dE_home)

    Args:
        policy: [..., C] Mt CO2.
        reference: [..., C] Mt CO2.
        home: [C] cells of the region that acts.
        counted: [C] cells that count, all of them if left out.
    """
    change = policy - reference
    counted = np.ones_like(home) if counted is None else counted
    return Leakage(
        home_reduction=np.asarray(-change[..., home & counted].sum(-1)),
        foreign_increase=np.asarray(change[..., ~home & counted].sum(-1)),
    )


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Through what foreign emissions rise; Mt CO2 a year, summing to the foreign increase."""

    production: float  # buyers everywhere buy more or less of the good
    sourcing: float  # buyers move from one origin to another
    intensity: float  # a unit is made with more or less carbon, composition of firms and fuel price included


def channels(
    policy: Array, reference: Array, intensity_policy: Array, intensity_reference: Array, home: Mask, n_sectors: int
) -> Channels:
    """Split the change of foreign emissions, exactly, with mean weights.

    Of product o = (r, s):  dE = e dQ + Q de;  dQ = sum_j (share dY_j + Y_j dshare),  Y_j what buyer j buys of good s.

    Args:
        policy: [C, J] volume bought of each product by each buyer, million USD a year.
        reference: the same in the reference run.
        intensity_policy: [C] t CO2 / USD.
        intensity_reference: the same in the reference run.
        home: [C].
        n_sectors: S; cells are region-major.
    """
    shares, bought = [], []
    for volume in (policy, reference):
        by_good = volume.reshape(-1, n_sectors, volume.shape[1])
        total = by_good.sum(0, keepdims=True)
        shares.append(np.divide(by_good, total, out=np.zeros_like(by_good), where=total > 0).reshape(volume.shape))
        bought.append(np.broadcast_to(total, by_good.shape).reshape(volume.shape))
    moved = ((shares[0] - shares[1]) * (bought[0] + bought[1]) / 2).sum(1)
    scaled = ((bought[0] - bought[1]) * (shares[0] + shares[1]) / 2).sum(1)
    mean_intensity = (intensity_policy + intensity_reference) / 2
    mean_output = (policy.sum(1) + reference.sum(1)) / 2
    cleaner = (intensity_policy - intensity_reference) * mean_output
    foreign = ~home
    return Channels(
        production=float((scaled * mean_intensity)[foreign].sum()),
        sourcing=float((moved * mean_intensity)[foreign].sum()),
        intensity=float(cleaner[foreign].sum()),
    )


def interval(values: Array, confidence: float = 0.95) -> tuple[float, float] | None:
    """Two-sided Student interval of the mean over replicas; None with fewer than two finite values."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(len(finite) - 1, (1 + confidence) / 2) * finite.std(ddof=1) / np.sqrt(len(finite)))
    return float(finite.mean()) - half, float(finite.mean()) + half
