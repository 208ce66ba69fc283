"""Figures of the climate negotiation: the competition's two indices, hypervolume, leakage out of a club.

Axes: B replica, T activity step of five years, R region, N run.  Temperature K, emissions Gt CO2 a year, output
trillion USD a year.

The indices are those of the competition of Zhang et al. (2022), "AI for Global Climate Cooperation", arXiv 2208.07004.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.kpi.spread import quantiles

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SAME = 1e-9
"""Indices closer than this are the same: they differ by rounding."""
SMALLEST_FALL = 1e-6
"""Gt CO2 over the run below which a fall of members' emissions counts as none: it is rounding."""

NO_FALL = "members' emissions do not fall against the reference run, so the rate has no denominator"
NO_MEMBER = "no region is ever a member, so no emissions can leak"
NO_OTHER = "every region is a member in most steps, so there is nobody to leak to"


def temperature_rise(temperature: Array) -> Array:
    """Atmospheric temperature at the end less that at the start; [..., T + 1] to [...], K."""
    return np.asarray(temperature[..., -1] - temperature[..., 0])


def total_output(output: Array) -> Array:
    """The competition's sum of gross output: over activity steps and regions, not times the years of a step.

    The state before the first step counts zero and may be left in.

    Args:
        output: [..., T, R] trillion USD a year.
    Returns:
        [...] the sum, trillion USD.
    """
    return np.asarray(output.sum((-2, -1)))


@dataclass(frozen=True, kw_only=True)
class IndexBounds:
    """What an index of 0 and of 1 stand for: two runs of the same world without trade.

    One saves nothing and abates everything (savings rate 0, mitigation rate 1), the other the reverse.  The rates are
    full ones, although actions in tenths end at 0.9.  The runs are extremes without trade and no strict bounds: a run
    that trades may leave them, so an index is told as it is, and clipped to [0, 1] for the hypervolume alone.
    """

    temperature_rise_best: float  # K, of the run that abates everything
    temperature_rise_worst: float  # K, of the run that abates nothing
    output_worst: float  # trillion USD, sum over the steps, of the run that saves nothing
    output_best: float  # trillion USD, sum over the steps, of the run that saves everything

    def __post_init__(self) -> None:
        """Refuse bounds that no index can lie between."""
        if not self.temperature_rise_best < self.temperature_rise_worst:
            raise ValueError("temperature_rise_best must be below temperature_rise_worst")
        if not self.output_worst < self.output_best:
            raise ValueError("output_worst must be below output_best")


def climate_index(rise: ArrayLike, bounds: IndexBounds) -> Array:
    """(worst rise - rise) / (worst rise - best rise); 1 is the coolest extreme, not clipped; [...] K to [...]."""
    worst = bounds.temperature_rise_worst
    return np.asarray((worst - np.asarray(rise, dtype=float)) / (worst - bounds.temperature_rise_best))


def economic_index(output: ArrayLike, bounds: IndexBounds) -> Array:
    """(output - worst) / (best - worst); 1 is the richest extreme, not clipped; [...] trillion USD to [...]."""
    worst = bounds.output_worst
    return np.asarray((np.asarray(output, dtype=float) - worst) / (bounds.output_best - worst))


def hypervolume(points: ArrayLike) -> float:
    """Area of the unit square that is no better, in both indices, than some point.

    Reference point (0, 0), both indices maximised (Zitzler and Thiele 1999).  Swept from the right: between two
    neighbouring first indices the area is as high as the highest point seen so far.

    Args:
        points: [N, 2] indices; clipped to [0, 1]; none dominate nothing.
    Raises:
        ValueError: if an index is not a number.
    """
    found = np.asarray(points, dtype=float).reshape(-1, 2)
    if np.isnan(found).any():
        raise ValueError("points must be numbers")
    inside = np.clip(found, 0.0, 1.0)
    first, second = inside[np.lexsort((inside[:, 1], inside[:, 0]))[::-1]].T
    widths = first - np.append(first[1:], 0.0)
    return float((widths * np.maximum.accumulate(second)).sum())


def contributions(points: ArrayLike) -> Array:
    """What the hypervolume loses without each point; [N, 2] to [N]; zero for a dominated point and for each twin."""
    found = np.asarray(points, dtype=float).reshape(-1, 2)
    whole = hypervolume(found)
    lost = [whole - hypervolume(np.delete(found, at, axis=0)) for at in range(len(found))]
    return np.asarray(np.clip(lost, 0.0, None), dtype=float)  # a difference of equal areas may round below zero


def dominates(points: ArrayLike) -> Mask:
    """Whether point i is no worse than point j in both indices and better in one; [N, 2] to [N, N]."""
    found = np.asarray(points, dtype=float).reshape(-1, 2)
    ahead = found[:, None] - found[None]
    return np.asarray((ahead >= -SAME).all(-1) & (ahead > SAME).any(-1))


def pareto_front(points: ArrayLike) -> Mask:
    """Whether no point dominates this one; [N, 2] to [N]; twins are both on the front or both off it."""
    return np.asarray(~dominates(points).any(0))


@dataclass(frozen=True, kw_only=True)
class MemberLeakage:
    """Emissions that a club drives to those outside it, over the run, by replica."""

    abatement_members: Array  # [B] Gt CO2 by which members' emissions fall
    rise_others: Array  # [B] Gt CO2 by which the others' rise
    rates: Array  # [B] rise over fall; NaN where undefined
    undefined_reason: str | None  # why a replica has no rate

    @property
    def rate(self) -> float | None:
        """Mean over the replicas; None where one has no rate."""
        return None if self.undefined_reason else float(self.rates.mean())


def leakage(policy: Array, reference: Array, member: Mask, *, years_a_step: int) -> MemberLeakage:
    """Rise of emissions of regions that are not members over the fall of members', against the reference run.

    L = dE_others / (-dE_members).  A region counts in each step as what it is then, so one that leaves the club
    counts among the others from there on.  There is no rate unless somebody is outside for half of the steps: over who
    joins late or is absent for a step or two, the members' fall of a century would always show a leakage of nothing.

    Args:
        policy: [B, T, R] Gt CO2 a year.
        reference: [B, T, R] Gt CO2 a year, same seed and replicas, nobody bound.
        member: [B, T, R] whether the region is a member in the run with the policy.
        years_a_step: years from one step to the next.
    """
    change = (policy - reference) * years_a_step
    fall = np.asarray(-np.where(member, change, 0.0).sum((1, 2)))
    rise = np.asarray(np.where(member, 0.0, change).sum((1, 2)))
    inside, outside = member.any((1, 2)), (member.mean(1) <= 0.5).any(1)
    falls = fall > SMALLEST_FALL
    defined = inside & outside & falls
    reasons = ((inside, NO_MEMBER), (outside, NO_OTHER), (falls, NO_FALL))
    holds, why = next(((holds, why) for holds, why in reasons if not holds.all()), (defined, None))
    lacking = int((~holds).sum())
    if why is not None and lacking < len(fall):
        why = f"in {lacking} of {len(fall)} replicas {why}"
    return MemberLeakage(
        abatement_members=fall,
        rise_others=rise,
        rates=np.asarray(np.divide(rise, fall, out=np.full(len(fall), np.nan), where=defined)),
        undefined_reason=why,
    )


def spread(values: Array) -> tuple[float, float] | None:
    """The 5th and 95th percentile over replicas [B]; None with fewer than two finite values."""
    found = quantiles(values) if np.isfinite(values).sum() > 1 else None
    return None if found is None else (found["low"], found["high"])
