"""Ageing a world table: a biproportional (RAS) update to the totals of a later year.

The flows of the old table, bordered by value added, are scaled by one factor for each row and one for each column until
every total of the new year is met.  This is the table nearest to the old one, in relative entropy, among those with the
new totals (Stone 1961; Bacharach 1970): what a cell buys moves as little as the totals allow, and no flow of zero
becomes positive.

Axes: C cell (region, sector), region-major; R region.  Money million USD of the base year, mass Mt CO2; both a year.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from carbonray.data.errors import DataError
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # of a total, at which the scaling stops
SWEEPS = 20_000  # after which, or
DIVERGED = 1e100  # a factor beyond which, the totals are said to contradict each other
AGREEMENT = 1e-9  # of the world's sum, within which income and demand must agree


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Totals of the year to age to; NaN among outputs and cells' emissions leaves a cell free."""

    year: int
    value_added: Array  # [R] million USD / year, above zero
    final_demand: Array  # [R] million USD / year, above zero; sums to what value added sums to
    output: Array  # [C] million USD / year, above zero, or NaN: moves with the region's value added
    emissions: Array  # [R] Mt CO2 / year
    cell_emissions: Array  # [C] Mt CO2 / year, or NaN: takes its share of the region's rest


def age(economy: Economy, targets: Targets) -> Economy:
    """The table with the totals of another year; goods and freight per unit are carried over.

    z'_ij = r_i z_ij s_j,  f'_id = r_i f_id s_d,  v'_j = r_q(j) v_j s_j        (q(j) the region of cell j)

    Every region's value added and final demand, every cell's output and every region's emissions come out as targeted;
    origins and the mix of inputs are free to move.  A trade balance is what value added leaves over final demand.

    Args:
        economy: a balanced table without negative value added.
        targets: totals of the new year, in money of the table's base year.
    Returns:
        An economy of `targets.year`, in money of the old base year; unit values of goods stay what they were.
    Raises:
        DataError: a target does not fit the table, or the targets contradict each other.
    """
    check(economy, targets)
    transactions, final_demand = fitted(economy, outputs(economy, targets), targets)
    return replace(
        economy,
        year=targets.year,
        transactions=transactions,
        final_demand=final_demand,
        emissions=shared_emissions(economy, targets),
    )


def same_totals(economy: Economy) -> Targets:
    """The table's own totals: ageing to them changes nothing."""
    regions = len(economy.regions)
    free = np.full(len(economy.cells), np.nan)
    return Targets(
        year=economy.year,
        value_added=economy.value_added.reshape(regions, -1).sum(1),
        final_demand=economy.final_demand.sum(0),
        output=free,
        emissions=economy.emissions.reshape(regions, -1).sum(1),
        cell_emissions=free,
    )


def proportional_demand(economy: Economy, value_added: Array) -> Array:
    """[R] final demand that keeps its ratio to value added, but for one factor that makes the world's sums agree."""
    base = same_totals(economy)
    demand = value_added * base.final_demand / base.value_added
    return np.asarray(demand * (value_added.sum() / demand.sum()))


def outputs(economy: Economy, targets: Targets) -> Array:
    """[C] output: as targeted, elsewhere in the region by one factor that leaves its value-added shares as they were.

    Raises:
        DataError: the targeted cells alone make as much value added as the region has, or more.
    """
    output, regions = economy.output, len(economy.regions)
    share = np.divide(economy.value_added, output, out=np.zeros_like(output), where=output > 0)
    fixed = np.isfinite(targets.output)
    taken = np.where(fixed, share * np.where(fixed, targets.output, 0.0), 0.0).reshape(regions, -1).sum(1)
    free = np.where(fixed, 0.0, share * output).reshape(regions, -1).sum(1)
    left = targets.value_added - taken
    for region in np.flatnonzero((left <= 0) | (free <= 0)):
        raise DataError(
            f"targets: {economy.regions[region]}: cells with an output target make {taken[region]:g} of "
            f"{targets.value_added[region]:g} million USD of value added; some must be left to other cells"
        )
    factor = np.repeat(left / free, output.size // regions)
    return np.where(fixed, targets.output, factor * output)


def fitted(economy: Economy, output: Array, targets: Targets) -> tuple[Array, Array]:
    """Transactions [C, C] and final demand [C, R] with the new totals, nearest to the old ones."""
    cells, regions = output.size, len(economy.regions)
    bordered = np.zeros((cells + regions, cells + regions))
    bordered[:cells, :cells] = economy.transactions
    bordered[:cells, cells:] = economy.final_demand
    owner = np.repeat(np.arange(regions), cells // regions)
    bordered[cells + owner, np.arange(cells)] = economy.value_added
    scaled = biproportional(
        bordered,
        rows=np.concatenate([output, targets.value_added]),
        columns=np.concatenate([output, targets.final_demand]),
    )
    transactions, final_demand = scaled[:cells, :cells].copy(), scaled[:cells, cells:].copy()
    rounded = transactions.sum(0) - transactions.sum(1) - final_demand.sum(1)  # above zero only where none is earned
    final_demand[np.arange(cells), owner] += 2.0 * np.maximum(rounded, 0.0)
    return transactions, final_demand


def biproportional(matrix: Array, *, rows: Array, columns: Array) -> Array:
    """Scale rows and columns of a matrix >= 0 until it has the given row and column sums.

    Args:
        matrix: [N, M], never negative.
        rows: [N] sums wanted.
        columns: [M] sums wanted; same total.
    Returns:
        [N, M] r_i m_ij s_j, zero where `matrix` is.
    Raises:
        DataError: no such factors are found, as when a row of zeros should have a sum.
    """
    row_factor, column_factor = np.ones_like(rows), np.ones_like(columns)
    row_scale = np.maximum(rows, np.finfo(float).tiny)
    for _ in range(SWEEPS):  # each sweep ends with exact rows
        column_sums = column_factor * (row_factor @ matrix)
        column_factor = column_factor * ratio(columns, column_sums)
        row_sums = row_factor * (matrix @ column_factor)
        gap = (np.abs(row_sums - rows) / row_scale).max()
        row_factor = row_factor * ratio(rows, row_sums)
        if gap <= TOLERANCE:
            return np.asarray(row_factor[:, None] * matrix * column_factor)
        if row_factor.max() > DIVERGED:
            break
    worst = int((np.abs(row_sums - rows) / row_scale).argmax())
    raise DataError(
        f"targets: row {worst}: the sum is {row_sums[worst]:g} where {rows[worst]:g} is wanted; "
        "the totals contradict each other or the zeros of the table"
    )


def ratio(wanted: Array, found: Array) -> Array:
    """Wanted over found, one where nothing is found."""
    return np.divide(wanted, found, out=np.ones_like(wanted), where=found > 0)


def shared_emissions(economy: Economy, targets: Targets) -> Array:
    """[C] emissions: as targeted, the rest of each region shared out as it was.

    Raises:
        DataError: the targeted cells emit more than their region, or no cell is left to emit the rest.
    """
    regions = len(economy.regions)
    fixed = np.isfinite(targets.cell_emissions)
    known = np.where(fixed, targets.cell_emissions, 0.0)
    left = targets.emissions - known.reshape(regions, -1).sum(1)
    base = np.where(fixed, 0.0, economy.emissions)
    free = base.reshape(regions, -1).sum(1)
    slack = AGREEMENT * targets.emissions
    for region in np.flatnonzero((left < -slack) | ((free <= 0) & (left > slack))):
        raise DataError(
            f"targets: {economy.regions[region]}: cells with an emission target leave {left[region]:g} of "
            f"{targets.emissions[region]:g} Mt CO2 to the others; the others must be able to emit it"
        )
    factor = np.divide(np.maximum(left, 0.0), free, out=np.zeros(regions), where=free > 0)
    return np.asarray(known + base * np.repeat(factor, base.size // regions))


def check(economy: Economy, targets: Targets) -> None:
    """Raise DataError if a target has the wrong length or sign, or world income and demand differ."""
    cells, regions = len(economy.cells), len(economy.regions)
    lengths = {"value_added": regions, "final_demand": regions, "emissions": regions}
    lengths |= {"output": cells, "cell_emissions": cells}
    for name, length in lengths.items():
        values = getattr(targets, name)
        labels = economy.regions if length == regions else economy.cells
        if values.shape != (length,):
            raise DataError(f"targets: {name}: has shape {values.shape}; the table needs {length} values")
        open_cells = np.isnan(values) & (name in ("output", "cell_emissions"))
        wrong = ~open_cells & ~(np.isfinite(values) & (values >= 0) & ((values > 0) | ("emissions" in name)))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise DataError(f"targets: {labels[first]}: {name} is {values[first]:g}; it must be a positive number")
    if not np.isclose(targets.value_added.sum(), targets.final_demand.sum(), rtol=AGREEMENT, atol=0.0):
        raise DataError(
            f"targets: world: value added {targets.value_added.sum():g} and final demand "
            f"{targets.final_demand.sum():g} differ; what is earned must be spent"
        )
    for cell in np.flatnonzero(economy.value_added < 0):
        raise DataError(f"economy: {economy.cells[cell]}: value added is negative; a table to age must have none")
    for cell in np.flatnonzero((economy.output == 0) & np.isfinite(targets.output)):
        raise DataError(f"targets: {economy.cells[cell]}: output is {targets.output[cell]:g}; the cell makes nothing")
