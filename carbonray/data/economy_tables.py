"""Three tables to a balanced economy: cells, transactions and final demand, built in or a user's own.

A folder holds `cells.parquet`, `transactions.parquet` and `final_demand.parquet` with the columns of
`carbonray/data/resources.py`.  Regions and sectors stand in the order in which `cells.parquet` first names them.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.catalogue import PACKAGE, datasets_folder, package_in, verify
from carbonray.data.errors import DataError
from carbonray.data.goods_tonnes import goods_from
from carbonray.data.resources import CELLS, FINAL_DEMAND, RESOURCES, TRANSACTIONS
from carbonray.data.resources_freight import RESOURCES_FREIGHT
from carbonray.data.resources_goods import goods_resource
from carbonray.data.schema import Resource
from carbonray.data.tables import file_label, load_table, read_table, row_label
from carbonray.worlds.cbam.economy import Economy, Goods

Array = NDArray[np.float64]

ECONOMIES = {
    "world-2011": "world_2011",
    "world-2026": "world_2026",
    "goods-2011": "goods_2011",
    "goods-2026": "goods_2026",
    "history-1995": "history_1995",
    "history-2004": "history_2004",
}
BALANCE_TOLERANCE = 1e-3  # of a cell's output


def load_economy(source: str | Path = "world-2011", *, year: int | None = None) -> Economy:
    """Load an economy and check every figure of it.

    Args:
        source: name of a built-in economy, or the folder of one's own.
        year: base year; if left out, the four digits in the folder's name.
    Raises:
        DataError: a table is missing, changed or breaks a rule, or is out of balance by more than 1e-3.
    """
    if isinstance(source, Path):
        return economy_in(source, base_year(source) if year is None else year)
    if source not in ECONOMIES:
        names = ", ".join(ECONOMIES)
        raise DataError(f"no built-in economy is named {source!r}; there are: {names}; give a Path for a folder")
    root = datasets_folder()
    for resource in (CELLS, TRANSACTIONS, FINAL_DEMAND):
        verify(resource.name.replace("world-2011", source), root)
    optional = {f"{source}-freight", f"{source}-goods"}
    for name in sorted(optional & {resource.name for resource in RESOURCES}):
        verify(name, root)
    folder = root / ECONOMIES[source]
    return economy_in(folder, base_year(folder) if year is None else year)


def base_year(folder: Path) -> int:
    """The year in a folder's name, such as 2011 in `world_2011`."""
    found = re.search(r"(?<!\d)(19|20)\d\d(?!\d)", folder.resolve().name)
    if found is None:
        raise DataError(f"{folder.name}: has no year in its name; give the base year")
    return int(found.group())


def economy_in(folder: Path, year: int) -> Economy:
    """Read, check and assemble the three tables of a folder."""
    cells = read(folder, CELLS)
    regions, sectors = complete_grid(folder / Path(CELLS.path).name, cells)
    transactions, final_demand = read(folder, TRANSACTIONS), read(folder, FINAL_DEMAND)
    path_z, path_f = (folder / Path(resource.path).name for resource in (TRANSACTIONS, FINAL_DEMAND))
    number = len(regions) * len(sectors)
    matrix_z, matrix_f = np.zeros((number, number)), np.zeros((number, len(regions)))
    rows_z = cell_numbers(path_z, transactions, "from", regions, sectors)
    columns_z = cell_numbers(path_z, transactions, "to", regions, sectors)
    rows_f = cell_numbers(path_f, final_demand, "from", regions, sectors)
    columns_f = positions(path_f, final_demand, "to_region", regions)
    matrix_z[rows_z, columns_z] = transactions["musd"]
    matrix_f[rows_f, columns_f] = final_demand["musd"]
    place = cell_numbers(folder / Path(CELLS.path).name, cells, "", regions, sectors)
    cells = cells.iloc[np.argsort(place)]
    economy = Economy(
        regions=regions,
        sectors=sectors,
        year=year,
        transactions=matrix_z,
        final_demand=matrix_f,
        emissions=cells["mt_co2"].to_numpy(np.float64),
        freight=freight_in(folder, regions, sectors),
    )
    check_balance(folder / Path(CELLS.path).name, economy, cells)
    return replace(economy, goods=goods_in(folder, economy))


GOODS = goods_resource("goods-2011")
"""Columns of `goods.parquet`, the same for every economy."""


def goods_in(folder: Path, economy: Economy) -> Goods | None:
    """Goods in tonnes, from a folder's `goods.parquet`; None if it has none.

    Raises:
        DataError: a code is unknown, a figure is negative, or tonnes times unit value is not the cell's output.
    """
    path = folder / Path(GOODS.path).name
    if not path.is_file():
        return None
    table = read(folder, GOODS)
    place = cell_numbers(path, table, "", economy.regions, economy.sectors)
    return goods_from(path, table, place, economy.output)


FREIGHT = RESOURCES_FREIGHT[0]
"""Columns of `freight.parquet`, the same for every economy."""


def freight_in(folder: Path, regions: tuple[str, ...], sectors: tuple[str, ...]) -> Array | None:
    """Carbon of carriage [C, R], t CO2 / USD delivered, from a folder's `freight.parquet`; None if it has none.

    Raises:
        DataError: a code is unknown, a figure is negative, or carriage within a region has one.
    """
    path = folder / Path(FREIGHT.path).name
    if not path.is_file():
        return None
    table = read(folder, FREIGHT)
    carried = np.zeros((len(regions) * len(sectors), len(regions)))
    origin = cell_numbers(path, table, "from", regions, sectors)
    destination = positions(path, table, "to_region", regions)
    at_home = (origin // len(sectors) == destination) & (table["kg_per_usd"].to_numpy() > 0)
    if at_home.any():
        row = row_label(table, int(np.flatnonzero(at_home)[0]), FREIGHT.key)
        raise DataError(f"{file_label(path)}: {row}: kg_per_usd must be 0 within a region")
    carried[origin, destination] = table["kg_per_usd"].to_numpy(np.float64) / 1000.0
    return carried


def read(folder: Path, resource: Resource) -> pd.DataFrame:
    """Read one of the three tables from `folder`."""
    return read_table(folder / Path(resource.path).name, resource.columns, resource.key)


def complete_grid(path: Path, cells: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Regions and sectors in order of appearance; DataError unless every region has every sector."""
    regions, sectors = tuple(cells["region"].unique()), tuple(cells["sector"].unique())
    if not regions:
        raise DataError(f"{file_label(path)}: has no rows; every region needs every sector")
    present = set(zip(cells["region"], cells["sector"], strict=True))
    for region in regions:
        for sector in sectors:
            if (region, sector) not in present:
                raise DataError(f"{file_label(path)}: {region}-{sector} is missing; every region needs every sector")
    return regions, sectors


def positions(path: Path, frame: pd.DataFrame, column: str, codes: tuple[str, ...]) -> NDArray[np.intp]:
    """Position of each row's code among `codes`; DataError at the first unknown one."""
    result = pd.Index(codes).get_indexer(pd.Index(frame[column]))
    if (result < 0).any():
        row = int(np.flatnonzero(result < 0)[0])
        key = tuple(name for name in (*TRANSACTIONS.key, *CELLS.key) if name in frame)
        code = frame[column].iloc[row]
        rule = f"every code must occur in {Path(CELLS.path).name}"
        raise DataError(f"{file_label(path)}: {row_label(frame, row, key)}: {column} {code!r} is unknown; {rule}")
    return np.asarray(result, dtype=np.intp)


def cell_numbers(
    path: Path, frame: pd.DataFrame, side: str, regions: tuple[str, ...], sectors: tuple[str, ...]
) -> NDArray[np.intp]:
    """Cell number of each row, region-major, from the columns `side_region` and `side_sector`."""
    prefix = f"{side}_" if side else ""
    region = positions(path, frame, f"{prefix}region", regions)
    return region * len(sectors) + positions(path, frame, f"{prefix}sector", sectors)


def check_balance(path: Path, economy: Economy, cells: pd.DataFrame) -> None:
    """Raise DataError if stated output or value added differ from the flows, naming the worst cell.

    Both are compared per unit of the cell's output.  Inputs beyond output and emissions without output are refused
    too: neither can be calibrated.
    """
    label, output = file_label(path), economy.output
    for name, computed, words in (
        ("output_musd", output, "its row sum"),
        ("value_added_musd", economy.value_added, "output less inputs"),
    ):
        stated = cells[name].to_numpy(np.float64)
        difference = stated - computed
        scale = np.maximum(np.maximum(cells["output_musd"].to_numpy(np.float64), output), np.finfo(float).tiny)
        gap = np.abs(difference) / scale
        worst = int(gap.argmax())
        if gap[worst] > BALANCE_TOLERANCE:
            raise DataError(
                f"{label}: row {cells.index[worst]} ({economy.cells[worst]}): {name} {stated[worst]:g} is "
                f"{difference[worst]:+g} off {words} {computed[worst]:g} ({gap[worst]:.2%} of output); "
                f"the table must balance within {BALANCE_TOLERANCE:g}"
            )
    refusals = (
        (economy.value_added < 0, "buys more inputs than it makes; value added must be >= 0"),
        ((output == 0) & (economy.emissions > 0), "emits without output; mt_co2 must be 0 where output is 0"),
    )
    for refused, words in refusals:
        if refused.any():
            cell = int(np.flatnonzero(refused)[0])
            raise DataError(f"{label}: row {cells.index[cell]} ({economy.cells[cell]}): {words}")


def check(folder: Path | None = None) -> None:
    """Check hashes and every rule of all tables in a folder of datasets, or of one's own economy.

    Args:
        folder: built-in tables if left out; else a folder with a `datapackage.json`, or one with the three tables.
    Raises:
        DataError: at the first fault.
    """
    root = datasets_folder() if folder is None else folder
    if not root.is_dir():
        raise DataError(f"{root.name}: folder is missing")
    if (root / Path(CELLS.path).name).is_file() or not (root / PACKAGE).is_file():
        economy_in(root, 0)
        return
    for entry in package_in(root)["resources"]:
        load_table(entry["name"], root)
    for name in ECONOMIES.values():
        load_economy(root / name)
