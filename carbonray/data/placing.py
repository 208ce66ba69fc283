"""Plants placed in an economy: each becomes a named firm of its cell, with an inferred output.

Axes: P plant, C cell.  Money million USD of the base year, mass Mt CO2.

Nobody publishes what a plant makes.  Its output is, in this order: tonnes given by the user times the unit value of the
economy's goods; free allocation over the benchmark of its cell, since allocation is activity times benchmark; emissions
over the usual intensity of plants of the cell.  The benchmark is the law's where the economy counts tonnes, else 0.9 of
the cell's mean intensity, and the usual intensity is the benchmark over 0.9: the cell holds more than such plants.
An electric steel mill, which is allocated by a lower benchmark, comes out too small in output.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.config import PARENT_SECTOR
from carbonray.data.plants import Plants
from carbonray.worlds.cbam.economy import Array, Economy
from carbonray.worlds.cbam.named_firms import LongArray, NamedFirms

MEGA = 1e-6
BENCHMARK_SHARE = 0.9  # of a cell's mean intensity, where the law has no benchmark per tonne
INTENSITY_RANGE = (0.2, 3.0)  # of an inferred intensity, times the usual one: idle years and closures lie outside
ALLOCATION_RANGE = (0.0, 4.0)  # allowances per unit, times the benchmark
LARGEST_SHARE = 0.95  # of its cell's output and emissions that plants may hold; sampled firms fill the rest
LARGEST_REST = 3.0  # mean intensity of the sampled rest, times the cell's mean


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Plants as named firms, and their list in the same order."""

    named: NamedFirms
    table: pd.DataFrame  # the list, and `cell`, `output_scale`, `emissions_scale`: what its plants were scaled by


def place(plants: Plants, economy: Economy) -> Placed:
    """Make plants the first firms of their cells, the largest first.

    Where the plants of a cell would hold more than 0.95 of its emissions or output, or leave the other firms a mean
    intensity above three times the cell's, all of them are scaled down alike; else what they emit stands. Their
    allocation factors are scaled so that in the base year the cell is allocated what it would be without them.

    Raises:
        DataError: naming file and row, if a region or sector is not in the economy, or its cell emits nothing.
    """
    table = plants.table
    cell = _cells(plants, economy)
    emissions = table["emissions_t"].to_numpy(np.float64) * MEGA
    benchmark = _benchmark(economy)[cell]
    allocation = table["free_allocation_t"].to_numpy(np.float64) * MEGA
    output = _output(plants, economy, cell, benchmark)
    factor = np.clip(allocation / (benchmark * output), *ALLOCATION_RANGE)
    cells = len(economy.output)
    held = np.bincount(cell, emissions, cells)
    emissions_scale = np.minimum(1.0, LARGEST_SHARE * economy.emissions / held.clip(1e-300))
    rest = 1.0 - emissions_scale * held / economy.emissions.clip(1e-300)
    room = np.minimum(LARGEST_SHARE, 1.0 - rest / LARGEST_REST) * economy.output
    output_scale = np.minimum(1.0, room / np.bincount(cell, output, cells).clip(1e-300))
    output, emissions = output * output_scale[cell], emissions * emissions_scale[cell]
    order = np.lexsort((-output, cell))
    named = NamedFirms(
        cell=cell[order],
        output=output[order],
        intensity=(emissions / output)[order],
        allocation=_mean_one(factor, output, cell, cells)[order],
    )
    scaled = table.assign(cell=cell, output_scale=output_scale[cell], emissions_scale=emissions_scale[cell])
    return Placed(named=named, table=scaled.iloc[order].reset_index(drop=True))


def _cells(plants: Plants, economy: Economy) -> LongArray:
    """[P] the cell of each plant: of its sector, or of the sector from which that is split."""
    table = plants.table
    regions = pd.Index(economy.regions).get_indexer(pd.Index(table["region"]))
    own = pd.Index(economy.sectors).get_indexer(pd.Index(table["sector"]))
    parents = table["sector"].map(lambda sector: PARENT_SECTOR.get(sector, sector))
    sectors = np.where(own >= 0, own, pd.Index(economy.sectors).get_indexer(pd.Index(parents)))
    for places, what, known in ((regions, "region", economy.regions), (sectors, "sector", economy.sectors)):
        unknown = np.flatnonzero(places < 0)
        if len(unknown):
            row = int(unknown[0])
            raise plants.refusal(row, f"{what} {table[what].iloc[row]} is unknown; there are {', '.join(known)}")
    cell = np.asarray(regions * len(economy.sectors) + sectors, dtype=np.int64)
    beyond = np.flatnonzero(table["emissions_t"].to_numpy(np.float64) * MEGA > economy.emissions[cell])
    if len(beyond):
        row = int(beyond[0])
        emits, cells_own = table["emissions_t"].iloc[row] * MEGA, economy.emissions[cell[row]]
        raise plants.refusal(
            row, f"emissions_t is {emits:,.1f} Mt; all of {economy.cells[cell[row]]} emits {cells_own:,.1f} Mt"
        )
    silent = np.flatnonzero(economy.emissions[cell] <= 0)
    if len(silent):
        name = economy.cells[cell[silent[0]]]
        raise plants.refusal(int(silent[0]), f"{name} emits nothing in the economy; its plants cannot be placed")
    return cell


def _benchmark(economy: Economy) -> Array:
    """[C] t CO2 / USD."""
    shared = BENCHMARK_SHARE * economy.emissions / economy.output
    if economy.goods is None:
        return shared
    legal = economy.goods.benchmark / economy.goods.unit_value
    return np.where(np.isfinite(legal) & (legal > 0), legal, shared)


def _output(plants: Plants, economy: Economy, cell: LongArray, benchmark: Array) -> Array:
    """[P] million USD / year: given, or inferred from allocation or emissions; `benchmark` is [P]."""
    table, usual = plants.table, benchmark / BENCHMARK_SHARE
    emissions, allocation, tonnes = (
        table[name].to_numpy(np.float64) * MEGA for name in ("emissions_t", "free_allocation_t", "output_t")
    )
    activity = np.where(allocation > 0, allocation / benchmark, emissions / usual)
    low, high = INTENSITY_RANGE
    inferred = emissions / np.clip(emissions / activity.clip(1e-300), low * usual, high * usual)
    value = np.full(len(table), np.nan) if economy.goods is None else economy.goods.unit_value[cell]
    output = np.where(np.isfinite(tonnes * value) & (tonnes > 0), tonnes * value, inferred)
    unsized = np.flatnonzero(output <= 0)
    if len(unsized):
        row = int(unsized[0])
        raise plants.refusal(row, "emissions_t is 0 and the economy counts no tonnes here; the plant has no size")
    return output


def _mean_one(factor: Array, output: Array, cell: LongArray, cells: int) -> Array:
    """Factors [P] whose mean over a cell's plants, weighted by output, is one; one where none is allocated anything."""
    weighted, total = np.bincount(cell, factor * output, cells), np.bincount(cell, output, cells)
    return np.where(weighted[cell] > 0, factor * (total / np.where(weighted > 0, weighted, 1.0))[cell], 1.0)
