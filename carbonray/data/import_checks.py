"""What a foreign table must hold to before it is summed: numbers, signs and balance, the worst cell named.

Axes: K row of the table (a country's industry), J column of final demand, M region of final demand.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from carbonray.data.build_economy import sum_groups
from carbonray.data.economy_tables import BALANCE_TOLERANCE
from carbonray.data.errors import DataError
from carbonray.data.import_formats import Mrio, Request

Array = NDArray[np.float64]

NEGATIVE_SHARE = 1e-2  # of all final demand or all flows; WIOD 2013 has up to 4e-4, inventories netted
CELL_NEGATIVE_SHARE = 0.5  # of a cell's output that clipping may add; WIOD 2013 has up to 0.25
ROUNDING = 0.5  # unit that each flow of a table in whole numbers may be off
NOISE = 1e-9  # of the whole table's output: what is smaller is arithmetic

MONEY = MappingProxyType(
    {
        unit: factor
        for factor, units in (
            (1.0, ("mill usd", "million usd", "millions usd", "m usd", "m.usd", "musd", "mio usd", "mio. usd")),
            (1.0, ("million us$", "millions of us$", "million us dollars", "current million usd")),
            (1e-3, ("000 usd", "1000 usd", "thousand usd", "thousands of us$", "kusd")),
            (1e-6, ("usd", "us$", "us dollars")),
        )
        for unit in units
    }
)
"""Million USD in one unit of money, by the unit in lower case."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How far what the table states is from its flows."""

    output_gap: float | None  # largest |stated output - row sum| per unit of output; None if it states none
    value_added_gap: float | None  # the same of inputs and value added against the row sum


def dollars(request: Request, money: str) -> float:
    """Million USD in one unit of the table's money; DataError if it is no dollar and no rate is given."""
    if request.rate is not None:
        return request.rate
    factor = MONEY.get(money.strip().lower())
    if factor is None:
        raise DataError(
            f"{request.label}: flows are in {money!r}; give --rate, the million USD that one unit is worth "
            "(1.392 for M.EUR of 2011)"
        )
    return factor


def check_numbers(request: Request, table: Mrio) -> None:
    """Raise DataError at the first flow, output or value added that is no finite number."""
    cells = table.cells
    for words, matrix, columns in (
        ("flow", table.transactions, cells),
        ("final demand", table.final_demand, list(table.markets)),
    ):
        if not np.isfinite(matrix).all():
            row, column = np.argwhere(~np.isfinite(matrix))[0]
            raise DataError(
                f"{request.label}: {words} {cells[row]} -> {columns[column]} is {matrix[row, column]:g}; "
                "every figure must be a finite number"
            )
    for words, figures in (("output", table.output), ("value added", table.value_added)):
        if figures is not None and not np.isfinite(figures).all():
            row = int(np.flatnonzero(~np.isfinite(figures))[0])
            raise DataError(f"{request.label}: {words} of {cells[row]} is {figures[row]:g}; it must be finite")


def check_signs(request: Request, table: Mrio) -> None:
    """Raise DataError if negative flows are more than a trace, naming the largest; inventories are netted first."""
    markets, place = np.unique(np.array(table.markets), return_inverse=True)
    netted = sum_groups(table.final_demand, np.arange(len(table.regions)), place.astype(np.intp))
    for words, matrix, columns in (
        ("intermediate use", table.transactions, table.cells),
        ("final demand", netted, [str(market) for market in markets]),
    ):
        negative = float(-matrix[matrix < 0].sum())
        whole = float(matrix[matrix > 0].sum())
        if negative > NEGATIVE_SHARE * whole:
            row, column = np.unravel_index(int(matrix.argmin()), matrix.shape)
            share = f"{negative / whole:.2%}" if whole > 0 else "all"
            raise DataError(
                f"{request.label}: negative entries of {words} are {share} of the positive ones, the worst "
                f"{table.cells[row]} -> {columns[column]} with {matrix[row, column]:g}; "
                f"at most {NEGATIVE_SHARE:.0%} is taken for inventories and clipped"
            )


def check_balance(request: Request, table: Mrio) -> Balance:
    """Compare what the table states with its flows; both are allowed 1e-3 of output, and rounding.

    In a table of whole numbers each flow may be off by half a unit, which adds up in small industries.

    Raises:
        DataError: stated output is not the row sum, or inputs and stated value added are not, naming the worst.
    """
    output = table.transactions.sum(1) + table.final_demand.sum(1)
    whole = all(np.array_equal(matrix, np.rint(matrix)) for matrix in (table.transactions, table.final_demand))
    count = len(output) + len(table.markets)
    allowance = NOISE * float(output.sum()) + (ROUNDING * count if whole else 0.0)
    gaps: list[float | None] = []
    spent = None if table.value_added is None else table.transactions.sum(0) + table.value_added
    for words, stated in (("stated output", table.output), ("inputs plus value added", spent)):
        if stated is None or (stated is spent and request.value_added == "residual"):
            gaps.append(None)
            continue
        scale = np.maximum(np.maximum(np.abs(stated), np.abs(output)), np.finfo(float).tiny)
        excess = np.maximum(np.abs(stated - output) - allowance, 0.0) / scale
        worst = int(excess.argmax())
        if excess[worst] > BALANCE_TOLERANCE:
            way = "; --value-added residual takes output less inputs instead" if stated is spent else ""
            raise DataError(
                f"{request.label}: {table.cells[worst]}: {words} {stated[worst]:g} is off its row sum "
                f"{output[worst]:g} by {abs(stated[worst] - output[worst]) / scale[worst]:.2%} of output; "
                f"the table must balance within {BALANCE_TOLERANCE:g}{way}"
            )
        large = scale > allowance / BALANCE_TOLERANCE
        gap = np.abs(stated - output)[large] / scale[large]
        gaps.append(float(gap.max()) if len(gap) else 0.0)
    return Balance(output_gap=gaps[0], value_added_gap=gaps[1])
