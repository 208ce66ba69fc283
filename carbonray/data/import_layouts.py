"""One reader per format: finds the files and the year, and hands them to the parser of pymrio.

Proven on real figures: the arrays of WIOD 2013, and the layout of pymrio on its own (invented) test table.  The
spreadsheets of WIOD, EXIOBASE 3, OECD and Eora26 were only met as small synthetic files in the layout that pymrio 0.7
reads; the published tables themselves may hold surprises, which the checks are there to name.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.data.errors import DataError
from carbonray.data.import_formats import (
    Mrio,
    Request,
    chosen_year,
    from_pymrio,
    load_pymrio,
    parsed,
    read_labels,
    refuse_layout,
    refuse_pickles,
    year_in,
)
from carbonray.data.import_maps import ROMANIA

WIOD_ARRAYS = re.compile(r"wiot2013_(\d{4})\.npz")
WIOD_SHEET = re.compile(r"wiot(\d\d).*\.xlsx")
WIOD_LABELS = ("wiot2013_labels.csv.gz", "wiot2013_final_demand_labels.csv")
OECD = re.compile(r"ICIO(?:2016|2018|2021|2023)_(\d{4})\.(?:csv|CSV|zip)")
EORA = re.compile(r"Eora26_(\d{4})_(bp|pp)(?:_T\.txt|\.zip)")
CENTURY = 50  # two digits from here on are of the twentieth century


def all_files(path: Path) -> tuple[Path, ...]:
    """The file, or every file of the folder."""
    return tuple(sorted(each for each in path.rglob("*") if each.is_file())) if path.is_dir() else (path,)


def stated_year(request: Request) -> int | None:
    """The year asked for, else the one in the name of the file or folder."""
    return year_in(request.label) if request.year is None else request.year


def read_saved(request: Request) -> Mrio:
    """A system that pymrio saved."""
    refuse_pickles(request)
    pymrio = load_pymrio()
    io = parsed(request, lambda: pymrio.load_all(request.path))
    return from_pymrio(request, io, year=stated_year(request), files=all_files(request.path))


def read_exiobase3(request: Request) -> Mrio:
    """EXIOBASE 3: its zip file or folder."""
    refuse_pickles(request)
    pymrio = load_pymrio()
    io = parsed(request, lambda: pymrio.parse_exiobase3(request.path))
    return from_pymrio(request, io, year=stated_year(request), files=all_files(request.path))


def read_wiod(request: Request) -> Mrio:
    """WIOD 2013: arrays with labels where they are, else the spreadsheets."""
    if request.path.is_file():
        file = request.path
        if not (WIOD_ARRAYS.fullmatch(file.name) or file.suffix == ".xlsx"):
            raise refuse_layout(request, "is no table of this format")
    else:
        arrays, sheets = found(request.path, WIOD_ARRAYS), found(request.path, WIOD_SHEET)
        sheets = {(1900 if year >= CENTURY else 2000) + year: file for year, file in sheets.items()}
        tables = arrays or sheets
        file = tables[chosen_year(request, set(tables))]
    return read_wiod_arrays(request, file) if WIOD_ARRAYS.fullmatch(file.name) else read_wiod_sheet(request, file)


def found(folder: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    """Files of a folder that match, by the first number in their names."""
    matches = ((pattern.fullmatch(path.name), path) for path in sorted(folder.iterdir()))
    return {int(match.group(1)): path for match, path in matches if match}


def read_wiod_arrays(request: Request, file: Path) -> Mrio:
    """Arrays Z, F and x of one year, in million USD; the accounts of CO2 are a file of their own."""
    rows, columns = (read_labels(file.parent / name) for name in WIOD_LABELS)
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
            flows, demand, output = (np.asarray(table[name], dtype=np.float64) for name in ("Z", "F", "x"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{file.parent.name}/{file.name}: is no file of arrays Z, F and x ({error})") from None
    shape = (len(rows), len(columns))
    if flows.shape != (shape[0], shape[0]) or demand.shape != shape or output.shape != shape[:1]:
        raise DataError(
            f"{file.parent.name}/{file.name}: Z, F, x have shapes {flows.shape}, {demand.shape}, {output.shape}; "
            f"the labels name {shape[0]} rows and {shape[1]} columns of final demand"
        )
    return Mrio(
        year=year_in(file.stem),
        money="Millions of US$",
        regions=tuple(rows["country"].replace(ROMANIA)),
        sectors=tuple(rows["industry"]),
        markets=tuple(columns["country"].replace(ROMANIA)),
        transactions=flows,
        final_demand=demand,
        output=output,
        files=(file, *(file.parent / name for name in WIOD_LABELS)),
    )


def read_wiod_sheet(request: Request, file: Path) -> Mrio:
    """The spreadsheet of one year, with the air emission accounts beside it; sectors are c1 to c35."""
    pymrio = load_pymrio()
    io = parsed(request, lambda: pymrio.parse_wiod(file, names="c_codes"))
    accounts = sorted(path for path in file.parent.iterdir() if path.name.startswith(("AIR_", "CO2_")))
    files = (file, *(each for path in accounts for each in all_files(path)))
    return from_pymrio(request, io, year=int(io.factor_inputs.year), files=files)


def read_oecd(request: Request) -> Mrio:
    """An OECD inter-country table; it has no emissions of its own."""
    if request.path.is_dir():
        tables = found(request.path, OECD)
        file = tables[chosen_year(request, set(tables))]
    else:
        file = request.path
    pymrio = load_pymrio()
    io = parsed(request, lambda: pymrio.parse_oecd(file))
    year = year_in(file.stem) if year_in(file.stem) is not None else request.year
    table = from_pymrio(request, io, year=year, files=(file,))
    blank = parsed(request, lambda: int(pd.read_csv(file, index_col=0).isna().to_numpy().sum()))
    notes = (f"{blank} empty cells of the file were read as 0",) if blank else ()
    return replace(table, notes=table.notes + notes)


def read_eora26(request: Request) -> Mrio:
    """An Eora26 table; pymrio drops its rows and columns of statistical discrepancy (ROW)."""
    pymrio = load_pymrio()
    if request.path.is_file():
        match = EORA.fullmatch(request.path.name)
        if match is None or request.path.suffix != ".zip":
            raise refuse_layout(request, "is no table of this format")
        year, price = int(match.group(1)), match.group(2)
        folder, files = request.path.parent, all_files(request.path)
        # pymrio seeks indices.zip beside the table only if it is given the folder
        where: Any = folder if (folder / "indices.zip").is_file() else request.path
    else:
        folders = [request.path, *(each for each in request.path.iterdir() if re.fullmatch(r"\d{4}", each.name))]
        tables = {year: each for folder in folders if folder.is_dir() for year, each in found(folder, EORA).items()}
        year = chosen_year(request, set(tables))
        match = EORA.fullmatch(tables[year].name)
        price, where = match.group(2) if match else "bp", request.path
        files = eora_files(tables[year])
    io = parsed(request, lambda: pymrio.parse_eora26(where, year=year, price=price))
    return from_pymrio(request, io, year=year, files=files)


def eora_files(table: Path) -> tuple[Path, ...]:
    """The zip file, or all text files of the table's folder."""
    return (table,) if table.suffix == ".zip" else tuple(sorted(table.parent.glob("*.txt")))


READERS: Mapping[str, Callable[[Request], Mrio]] = {
    "pymrio": read_saved,
    "wiod": read_wiod,
    "exiobase3": read_exiobase3,
    "oecd": read_oecd,
    "eora26": read_eora26,
}
