"""What a run leaves behind: its accounts by quarter, its trade by year, its firms by year.

Axes: T quarter, Y year, B replica, C cell, R region, J buyer (C cells, then R final demands), N firm.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.units import QUARTERS

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class History:
    """One run."""

    accounts: Mapping[str, Array]  # [T, B, C] by name, million USD or Mt CO2 a quarter
    price: Array  # [T, B, C] producer price, base year 1
    lost: Array  # [T, B, C] ordered and not delivered, million USD a quarter at base prices
    volume: Array  # [Y, B, C, R] sold into each region, million USD at base prices a year
    value: Array  # [Y, B, C, R] at producer prices
    charge: Array  # [Y, B, C, R] border charge
    purchases: Array  # [Y, C, J] volume by buying cell, mean of the replicas
    firms: Mapping[int, Mapping[str, Array]]  # year -> [B, N] by name, a year's sums
    iterations: int  # of the market, over all steps

    @property
    def emissions(self) -> Array:
        """[T, B, C] Mt CO2 a quarter."""
        return self.accounts["emissions"]

    @property
    def output(self) -> Array:
        """[T, B, C] million USD at base prices a quarter."""
        return self.accounts["output"]


def yearly(quarterly: Array) -> Array:
    """Sum quarters [T, ...] to years [Y, ...]."""
    return np.asarray(quarterly.reshape(-1, QUARTERS, *quarterly.shape[1:]).sum(1))
