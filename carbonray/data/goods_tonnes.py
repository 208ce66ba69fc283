"""Goods in tonnes: the table `goods.parquet` of an economy, and its flows in tonnes.

Axes: C cell (region, sector), region-major; R region.  Money million USD of the base year, goods in tonnes a year.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.errors import DataError
from carbonray.data.resources_goods import GOODS_COLUMNS
from carbonray.data.tables import file_label, row_label
from carbonray.worlds.cbam.economy import Economy, Goods

Array = NDArray[np.float64]

KEY = ("region", "sector")
VALUE_TOLERANCE = 1e-9  # of a cell's output
FIGURES = tuple(column.name for column in GOODS_COLUMNS if column.kind == "number")


def goods_from(path: Path, table: pd.DataFrame, place: NDArray[np.intp], output: Array) -> Goods:
    """Goods of an economy from its table; a cell without a row makes no good.

    Args:
        path: of the table, for messages.
        table: region, sector, tonnes, unit_value_usd_t, benchmark_t_per_t, default_value_t_per_t,
            default_benchmark_t_per_t.
        place: cell of each row.
        output: [C] million USD.
    Raises:
        DataError: tonnes times unit value is not the cell's output within 1e-9, or a unit value is not above zero.
    """
    label = file_label(path)
    tonnes, unit_value = (table[name].to_numpy(dtype=np.float64) for name in ("tonnes", "unit_value_usd_t"))
    if (unit_value <= 0).any():
        row = int(np.flatnonzero(unit_value <= 0)[0])
        words = f"unit_value_usd_t is {unit_value[row]:g}; it must be above 0"
        raise DataError(f"{label}: {row_label(table, row, KEY)}: {words}")
    worth, made = tonnes * unit_value / 1e6, output[place]
    wrong = np.abs(worth - made) > VALUE_TOLERANCE * np.maximum(made, worth)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{label}: {row_label(table, row, KEY)}: tonnes times unit_value_usd_t is {worth[row]:g} million USD, "
            f"output is {made[row]:g}; they must agree within {VALUE_TOLERANCE:g}"
        )
    columns = np.full((4, output.size), np.nan)
    for column, name in zip(columns, FIGURES[1:], strict=True):
        column[place] = table[name]
    return Goods(unit_value=columns[0], benchmark=columns[1], default_value=columns[2], default_benchmark=columns[3])


def goods_table(economy: Economy) -> pd.DataFrame:
    """The table of an economy's goods, one row for each cell that makes one; no rows without goods."""
    regions = np.repeat(economy.regions, len(economy.sectors))
    cells = pd.DataFrame({"region": regions, "sector": np.tile(economy.sectors, len(economy.regions))})
    if economy.goods is None:
        return cells.iloc[:0].assign(**dict.fromkeys(FIGURES, 0.0))
    found = cells.assign(
        tonnes=economy.output * 1e6 / economy.goods.unit_value,
        unit_value_usd_t=economy.goods.unit_value,
        benchmark_t_per_t=economy.goods.benchmark,
        default_value_t_per_t=economy.goods.default_value,
        default_benchmark_t_per_t=economy.goods.default_benchmark,
    )
    return found[np.isfinite(economy.goods.unit_value)].reset_index(drop=True)


def flow_tonnes(economy: Economy) -> Array:
    """[C, R] tonnes a year of each good that each region buys, for production and final demand; zero for other cells.

    value / unit value of the origin; basic prices.

    Raises:
        DataError: the economy has no goods counted in tonnes.
    """
    if economy.goods is None:
        raise DataError("goods.parquet: file is missing; without it no flow can be counted in tonnes")
    regions = len(economy.regions)
    bought = economy.transactions.reshape(-1, regions, len(economy.sectors)).sum(2) + economy.final_demand
    return np.asarray(np.nan_to_num(bought * 1e6 / economy.goods.unit_value[:, None]))
