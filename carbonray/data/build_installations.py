"""Size and intensity distributions of EU ETS installations, from the transaction log; no plant leaves this module."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_economy import Frames
from carbonray.data.resources import QUANTILES

Array = NDArray[np.float64]

COMPLIANCE = "euets/eutl_compliance_2005_2022.parquet"
RAW_FILES = (COMPLIANCE,)

YEAR = 2019
SMALLEST_TAIL = 10  # installations
NORMAL_QUARTILE_RANGE = 1.349  # of a standard normal distribution


@dataclass(frozen=True, kw_only=True)
class ParetoTail:
    """A Pareto tail P(size > x) = (x / minimum)^-exponent."""

    exponent: float
    minimum: float
    count: int
    distance: float  # Kolmogorov-Smirnov, share

    @property
    def error(self) -> float:
        """Asymptotic standard error of the exponent."""
        return float(self.exponent / np.sqrt(self.count))


def pareto_exponent(tail: Array) -> float:
    """Maximum-likelihood exponent of a tail sorted from large to small: n / sum(log(x / x_min))   (Hill 1975)."""
    return float(tail.size / np.log(tail / tail[-1]).sum())


def pareto_distance(tail: Array, exponent: float) -> float:
    """Largest distance between the tail's empirical and fitted distribution functions."""
    fitted = 1.0 - (tail[::-1] / tail[-1]) ** -exponent
    steps = np.arange(tail.size + 1) / tail.size
    return float(np.maximum(np.abs(fitted - steps[:-1]), np.abs(fitted - steps[1:])).max())


def fit_pareto_tail(sizes: Array, *, smallest: int = SMALLEST_TAIL) -> ParetoTail:
    """Fit a Pareto tail, with the minimum of least Kolmogorov-Smirnov distance.

    Clauset, Shalizi, Newman 2009, SIAM Review 51:661, section 3.3; their alpha is `exponent` + 1.

    Args:
        sizes: [n] positive, at least `smallest` of them and not all equal.
        smallest: least number of observations in the tail.
    """
    ordered = np.sort(sizes)[::-1]
    fits = []
    for count in range(smallest, ordered.size + 1):
        tail = ordered[:count]
        last_of_ties = count == ordered.size or ordered[count] < tail[-1]
        if last_of_ties and tail[0] > tail[-1]:
            exponent = pareto_exponent(tail)
            distance = pareto_distance(tail, exponent)
            fits.append(ParetoTail(exponent=exponent, minimum=float(tail[-1]), count=count, distance=distance))
    return min(fits, key=lambda fit: fit.distance)


def rank_size_exponent(sizes: Array, minimum: float) -> float:
    """Exponent by regression of log(rank - 1/2) on log size above `minimum`   (Gabaix, Ibragimov 2011)."""
    tail = np.sort(sizes[sizes >= minimum])[::-1]
    log_rank, log_size = np.log(np.arange(1, tail.size + 1) - 0.5), np.log(tail)
    deviation = log_size - log_size.mean()
    return float(-(deviation @ log_rank) / (deviation @ deviation))


def top_share(sizes: Array, percent: int) -> float:
    """Share of the sum held by the largest ceil(percent n / 100)."""
    number = -(-percent * sizes.size // 100)
    return float(np.sort(sizes)[::-1][:number].sum() / sizes.sum())


def describe_sector(sector: str, rows: pd.DataFrame) -> dict[str, float | int | str]:
    """One row of the table: distributions over the installations of a sector, all emitting more than zero."""
    sizes = rows["verified_emissions"].to_numpy(np.float64)
    free = rows["free_allocation"].fillna(0).to_numpy(np.float64)
    tail = fit_pareto_tail(sizes)
    ratio = np.log(sizes[free > 0] / free[free > 0])
    lower, median, upper = np.quantile(ratio, [0.25, 0.5, 0.75])
    return {
        "model_sector": sector,
        "year": YEAR,
        "installations": sizes.size,
        "verified_t": float(sizes.sum()),
        "free_allocation_t": float(free.sum()),
        **{f"p{q}_t": round(float(np.quantile(sizes, q / 100)), 1) for q in QUANTILES},
        "pareto_exponent": round(tail.exponent, 4),
        "pareto_exponent_error": round(tail.error, 4),
        "pareto_minimum_t": float(f"{tail.minimum:.3g}"),
        "pareto_count": tail.count,
        "pareto_distance": round(tail.distance, 4),
        "rank_size_exponent": round(rank_size_exponent(sizes, tail.minimum), 4),
        **{f"top_{p}_percent_share": round(top_share(sizes, p), 4) for p in (1, 5, 10)},
        "ratio_count": ratio.size,
        "log_ratio_median": round(float(median), 4),
        "log_ratio_deviation": round(float(ratio.std(ddof=1)), 4),
        "log_ratio_robust_deviation": round(float(upper - lower) / NORMAL_QUARTILE_RANGE, 4),
    }


def build_installations(raw: Path) -> Frames:
    """The table of `installations/`."""
    table = pd.read_parquet(raw / COMPLIANCE)
    table = table[(table["year"] == YEAR) & (table["verified_emissions"].fillna(0) > 0)]
    rows = [describe_sector(str(sector), group) for sector, group in table.groupby("model_sector", sort=True)]
    return {"installations-2019": pd.DataFrame(rows)}
