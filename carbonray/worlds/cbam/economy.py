"""An input-output economy of one base year: what calibration starts from.

Axes: C cell (region, sector), region-major; R region; S sector.  Money million USD of the base year,
in which every base price is 1; mass Mt CO2; both a year.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Economy:
    """A balanced world table with the CO2 of production.

    Every row is in balance by construction: what a cell sells to cells and to final demand is its output.
    """

    regions: tuple[str, ...]  # [R] codes
    sectors: tuple[str, ...]  # [S] codes
    year: int
    transactions: Array  # [C, C] million USD / year, from supplying cell (row) to using cell (column)
    final_demand: Array  # [C, R] million USD / year, inventories netted, never negative
    emissions: Array  # [C]    Mt CO2 / year, direct, households left out

    @property
    def output(self) -> Array:
        """[C] million USD / year: row sums, so that supply equals use exactly."""
        return np.asarray(self.transactions.sum(1) + self.final_demand.sum(1))

    @property
    def value_added(self) -> Array:
        """[C] million USD / year: output less intermediate inputs."""
        return np.asarray(self.output - self.transactions.sum(0))

    @property
    def cells(self) -> tuple[str, ...]:
        """[C] names, `REGION-SECTOR`."""
        return tuple(f"{region}-{sector}" for region in self.regions for sector in self.sectors)
