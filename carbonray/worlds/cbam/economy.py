"""An input-output economy of one base year: what calibration starts from.

Axes: C cell (region, sector), region-major; R region; S sector.  Money million USD of the base year,
in which every base price is 1; mass Mt CO2; both a year.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.config import PARENT_SECTOR as PARENT_SECTOR

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Goods:
    """Goods that are counted in tonnes, and what the law says of a tonne; [C], NaN for cells that make no such good."""

    unit_value: Array  # USD of the base year / t, at basic prices: value = tonnes x unit value
    benchmark: Array  # t CO2e / t, CBAM benchmark of the cell's production routes, IR (EU) 2025/2620
    default_value: Array  # t CO2e / t as charged, before mark-up, IR (EU) 2025/2621
    default_benchmark: Array  # t CO2e / t, the benchmark that goes with the default value: that of its route


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
    goods: Goods | None = None  # physical units, where the table has them
    freight: Array | None = None  # [C, R] t CO2 / USD delivered from a cell to a region, zero at home; not in emissions

    @property
    def output(self) -> Array:
        """[C] million USD / year: row sums, so that supply equals use exactly."""
        return np.asarray(self.transactions.sum(1) + self.final_demand.sum(1))

    @property
    def value_added(self) -> Array:
        """[C] million USD / year: output less intermediate inputs."""
        return np.asarray(self.output - self.transactions.sum(0))

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """[C] region and sector of each cell; a code may hold a hyphen, so names are not to be split."""
        return tuple((region, sector) for region in self.regions for sector in self.sectors)

    @property
    def cells(self) -> tuple[str, ...]:
        """[C] names, `REGION-SECTOR`."""
        return tuple(f"{region}-{sector}" for region, sector in self.places)
