"""Input-output algebra of one economy: coefficients, Leontief inverse, embodied carbon.

Axes: C cell (region, sector); R region.  Money million USD of the base year, mass Mt CO2, both a year; so
Mt CO2 / million USD is t CO2 / USD.  Source: Miller and Blair 2009, "Input-Output Analysis", 2nd ed.
"""

import numpy as np
from numpy.typing import NDArray

from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
LongArray = NDArray[np.int64]


def input_coefficients(economy: Economy) -> Array:
    """Inputs per unit of output: A[o, j] = Z[o, j] / X[j]   (Miller and Blair 2009, chapter 2).

    Returns:
        [C, C] USD / USD of output; zero in the column of a cell without output.
    Raises:
        ValueError: a cell without output has inputs or emissions, which no footprint could carry.
    """
    idle = economy.output <= 0.0
    stray = np.flatnonzero(idle & ((economy.transactions.sum(0) > 0.0) | (economy.emissions > 0.0)))
    if len(stray):
        raise ValueError(f"{economy.cells[stray[0]]} has inputs or emissions but no output")
    return np.asarray(economy.transactions / np.where(idle, 1.0, economy.output))


def leontief_inverse(economy: Economy) -> Array:
    """Output needed per unit of final demand: L = (I - A)^-1   (Miller and Blair 2009, chapter 2).

    Returns:
        [C, C] USD / USD of final demand, from producing cell (row) to product in final demand (column).
    """
    identity = np.eye(len(economy.transactions))
    return np.asarray(np.linalg.solve(identity - input_coefficients(economy), identity))


def intensity(economy: Economy) -> Array:
    """Direct emissions per unit of output: e[o] = E[o] / X[o].

    Returns:
        [C] t CO2 / USD; zero where there is no output.
    """
    output = economy.output
    return np.asarray(economy.emissions / np.where(output > 0.0, output, 1.0))


def embodied_intensity(economy: Economy) -> Array:
    """Direct and upstream emissions per unit of product: m = e L   (Miller and Blair 2009, chapter 10).

    Computed from m (I - A) = e, without the inverse.

    Returns:
        [C] t CO2 / USD.
    """
    identity = np.eye(len(economy.transactions))
    return np.asarray(np.linalg.solve((identity - input_coefficients(economy)).T, intensity(economy)))


def region_of_cell(economy: Economy) -> LongArray:
    """[C] index of each cell's region; cells are region-major."""
    return np.repeat(np.arange(len(economy.regions)), len(economy.sectors))


def sector_of_cell(economy: Economy) -> LongArray:
    """[C] index of each cell's sector."""
    return np.tile(np.arange(len(economy.sectors)), len(economy.regions))


def buyers(economy: Economy) -> tuple[str, ...]:
    """[C + R] names of all buyers: the cells, then each region's final demand as `REGION-final`."""
    return (*economy.cells, *(f"{region}-final" for region in economy.regions))


def flows(economy: Economy) -> Array:
    """[C, C + R] million USD / year: sales of every cell to every buyer."""
    return np.concatenate([economy.transactions, economy.final_demand], axis=1)
