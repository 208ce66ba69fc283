"""Firms that are known by name, such as plants: the first firms of their cells, ahead of the sampled ones.

Axes: M named firm, N firm, C cell.  Money million USD of the base year, mass Mt CO2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LongArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NamedFirms:
    """What is known of them, sorted by cell and largest first in each; a cell's sampled firms fill the rest."""

    cell: LongArray  # [M] ascending
    output: Array  # [M] million USD / year, together less than their cell's
    intensity: Array  # [M] t CO2 / USD, emissions together less than their cell's
    allocation: Array  # [M] free allowances per unit relative to the cell's, mean one over a cell's named output

    def counts(self, n_cells: int) -> LongArray:
        """[C] named firms."""
        return np.bincount(self.cell, minlength=n_cells)

    def firms(self, ends: LongArray) -> LongArray:
        """[M] number of each among all firms; `ends` [C] counts firms up to and including each cell."""
        starts = np.concatenate([[0], ends[:-1]])
        counts = self.counts(len(ends))
        rank = np.arange(len(self.cell)) - np.repeat(counts.cumsum() - counts, counts)
        return np.asarray(starts[self.cell] + rank)

    def spread(self, values: Array, ends: LongArray, *, others: float) -> Array:
        """[N] the named firms' values [M], and `others` for the sampled ones."""
        result = np.full(int(ends[-1]), others)
        result[self.firms(ends)] = values
        return result
