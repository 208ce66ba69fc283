"""Foreign multi-regional tables as one kind of thing: read by pymrio, or from the arrays of WIOD 2013.

Axes: K row of the table (a country's industry), J column of final demand, N account of an extension.  Nothing is
converted or checked here but the shape; figures stay in the table's own units.
"""

import gc
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.errors import DataError

Array = NDArray[np.float64]

FORMATS = {
    "pymrio": "a folder or zip file written by pymrio's save_all, with file_parameters.json",
    "wiod": "wiotYY_*.xlsx of the release of November 2013, or wiot2013_YYYY.npz beside its labels",
    "exiobase3": "EXIOBASE 3 as downloaded (IOT_YYYY_*.zip) or its folder, with file_parameters.json",
    "oecd": "ICIO2016_, 2018_, 2021_ or 2023_YYYY.csv or .zip, or a folder of them",
    "eora26": "Eora26_YYYY_bp.zip, or a folder with it or with Eora26_YYYY_bp_T.txt and the rest",
}
PYMRIO_EXTRA = "pip install 'carbonray[mrio]'"
VALUE_ADDED = ("factor_inputs", "factor_input", "value_added", "VA", "satellite")  # where tables keep it


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to import, and how its gaps are filled."""

    path: Path
    format: str  # a key of FORMATS
    year: int | None = None  # base year; if left out, as the table says
    emissions: tuple[str, ...] = ()  # names of accounts, or one CSV file; if left out, the format's own CO2
    value_added: str = "stated"  # must agree with the flows where the table states it; or `residual`: is not looked at
    rate: float | None = None  # million USD that one unit of the table's money is worth; USD need none

    @property
    def label(self) -> str:
        """Name of the file or folder, as it begins an error."""
        return self.path.name or self.path.resolve().name


@dataclass(frozen=True, kw_only=True)
class Extension:
    """Accounts beside the flows, such as emissions."""

    names: tuple[str, ...]  # [N] `stressor - compartment`
    units: tuple[str, ...]  # [N]
    production: Array  # [N, K]
    households: Array  # [N]   what final demand itself emits


@dataclass(frozen=True, kw_only=True)
class Mrio:
    """A table as it was read."""

    year: int | None
    money: str  # unit of the flows, as the table names it
    regions: tuple[str, ...]  # [K]
    sectors: tuple[str, ...]  # [K]
    markets: tuple[str, ...]  # [J] region of each column of final demand
    transactions: Array  # [K, K]
    final_demand: Array  # [K, J]
    output: Array | None = None  # [K] as stated
    value_added: Array | None = None  # [K] as stated
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[str]:
        """[K] names, `REGION-SECTOR`."""
        return [f"{region}-{sector}" for region, sector in zip(self.regions, self.sectors, strict=True)]


def check_request(request: Request) -> None:
    """Raise DataError for an unknown format, a path that is not there or a figure that cannot be meant."""
    if request.format not in FORMATS:
        what = f"--format {request.format}: unknown format" if request.format else "--format: is missing"
        raise DataError(f"{what}; choose from {', '.join(FORMATS)}")
    if request.value_added not in ("stated", "residual"):
        raise DataError(f"--value-added {request.value_added}: choose from stated, residual")
    if request.year is not None and not 1900 <= request.year < 2100:
        raise DataError(f"--year {request.year}: must lie between 1900 and 2099")
    if request.rate is not None and not (np.isfinite(request.rate) and request.rate > 0):
        raise DataError(f"--rate {request.rate:g}: must be a finite number > 0, million USD per unit of the table")
    if not request.path.exists():
        raise DataError(f"{request.label}: no such file or folder; {request.format} is {FORMATS[request.format]}")


def read(request: Request) -> Mrio:
    """Read a table.

    Raises:
        DataError: it is not of that format, its year cannot be told, or pymrio is not installed.
    """
    check_request(request)
    from carbonray.data import import_layouts

    return import_layouts.READERS[request.format](request)


def load_pymrio() -> Any:
    """The pymrio package; DataError names the extra that brings it."""
    try:
        import pymrio
    except ImportError:
        raise DataError(f"pymrio: is not installed, and reads these formats; install it with {PYMRIO_EXTRA}") from None
    return pymrio


def parsed(request: Request, parse: Callable[[], Any]) -> Any:
    """What a parser of pymrio returns; whatever it stumbles over becomes one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return parse()
        except (DataError, MemoryError):
            raise
        except Exception as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")[:160]
            raise DataError(
                f"{request.label}: pymrio cannot read it as {request.format} ({type(error).__name__}: {reason}); "
                f"{request.format} is {FORMATS[request.format]}"
            ) from None
        finally:
            gc.collect()  # closes the spreadsheets that pymrio leaves open, while nobody is warned of it


def refuse_layout(request: Request, what: str) -> DataError:
    """The refusal of a path that is not laid out as its format is."""
    return DataError(f"{request.label}: {what}; {request.format} is {FORMATS[request.format]}")


def year_in(name: str) -> int | None:
    """The last year that a file's name holds."""
    found = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)
    return int(found[-1]) if found else None


def chosen_year(request: Request, years: set[int]) -> int:
    """The year asked for, or the only one there."""
    if not years:
        raise refuse_layout(request, "holds no table of this format")
    shown = ", ".join(map(str, sorted(years)))
    if request.year is None and len(years) > 1:
        raise DataError(f"{request.label}: holds tables of {shown}; choose one with --year")
    year = min(years) if request.year is None else request.year
    if year not in years:
        raise DataError(f"{request.label}: has no table of {year}; there are {shown}")
    return year


def from_pymrio(request: Request, io: Any, *, year: int | None, files: tuple[Path, ...]) -> Mrio:
    """The flows and accounts of a pymrio IOSystem."""
    flows, demand = getattr(io, "Z", None), getattr(io, "Y", None)
    if flows is None or demand is None:
        missing = "Z (flows)" if flows is None else "Y (final demand)"
        raise DataError(f"{request.label}: has no {missing}; with A and Y, run calc_all() before save_all()")
    flows = aligned(request, "Z", flows, flows.index, columns=True)
    demand = aligned(request, "Y", demand, flows.index)
    money = money_unit(request, io.unit, flows.index)
    extensions = extensions_of(request, io, flows.index)
    output = None if getattr(io, "x", None) is None else aligned(request, "x", io.x, flows.index).iloc[:, 0]
    history = [str(entry) for entry in getattr(io.meta, "modification_history", [])]
    return Mrio(
        year=year,
        money=money,
        regions=tuple(map(str, flows.index.get_level_values(0))),
        sectors=tuple(map(str, flows.index.get_level_values(1))),
        markets=tuple(map(str, demand.columns.get_level_values(0))),
        transactions=flows.to_numpy(np.float64),
        final_demand=demand.to_numpy(np.float64),
        output=None if output is None else output.to_numpy(np.float64),
        value_added=stated_value_added(extensions, money),
        extensions=extensions,
        files=files,
        notes=tuple(re.sub(r"^[\d :]+- *\w+ *- *", "", entry) for entry in history if "loosing" in entry),
    )


def aligned(request: Request, name: str, frame: Any, rows: Any, *, columns: bool = False) -> Any:
    """A table of pymrio with its rows (and columns) in the order of `rows`; DataError unless they are the same."""
    if rows.nlevels < 2:
        raise refuse_layout(request, f"{name} has no region and sector in its rows")
    repeated = rows[rows.duplicated()]
    if len(repeated):
        raise DataError(f"{request.label}: {name}: row {'-'.join(map(str, repeated[0][:2]))} occurs twice")
    for axis in ("index", "columns") if columns else ("index",):
        different = rows.symmetric_difference(getattr(frame, axis))
        if len(different):
            cell = "-".join(map(str, different[0][:2]))
            raise DataError(f"{request.label}: {name}: {cell} is in the rows of Z or in its {axis}, not in both")
    return frame.loc[rows, rows] if columns else frame.loc[rows]


def money_unit(request: Request, unit: Any, rows: Any) -> str:
    """The one unit of the flows; DataError where rows differ, as in hybrid tables."""
    if unit is None:
        return "not stated"
    renamed = len(unit) == len(rows) and not unit.index.isin(rows).any()  # parse_wiod leaves units by ISIC codes
    column = (unit if renamed else unit.reindex(rows)).iloc[:, 0].astype(str)
    other = np.flatnonzero((column != column.iloc[0]).to_numpy())
    if len(other):
        cell = "-".join(map(str, rows[other[0]][:2]))
        raise DataError(
            f"{request.label}: {cell}: unit {column.iloc[other[0]]!r} is not {column.iloc[0]!r}; "
            "all flows must be money of one unit, hybrid tables cannot be imported"
        )
    return str(column.iloc[0])


def extensions_of(request: Request, io: Any, rows: Any) -> dict[str, Extension]:
    """All extensions that hold totals of production."""
    found: dict[str, Extension] = {}
    for name in io.get_extensions():
        extension = getattr(io, name)
        totals = getattr(extension, "F", None)
        if totals is None:
            continue
        totals = aligned(request, f"{name}/F", totals.T, rows).T
        unit = getattr(extension, "unit", None)
        units = ["not stated"] * len(totals) if unit is None else unit.reindex(totals.index).iloc[:, 0].astype(str)
        own = getattr(extension, "F_Y", None)
        own = None if own is None else own.reindex(totals.index).fillna(0.0).to_numpy(np.float64).sum(1)
        found[name] = Extension(
            names=tuple(" - ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in totals.index),
            units=tuple(units),
            production=totals.to_numpy(np.float64),
            households=np.zeros(len(totals)) if own is None else own,
        )
    return found


def stated_value_added(extensions: Mapping[str, Extension], money: str) -> Array | None:
    """[K] sum of the accounts in money of the first extension that is one of value added; None without one."""
    for name in VALUE_ADDED:
        extension = extensions.get(name)
        if extension is None:
            continue
        rows = [number for number, unit in enumerate(extension.units) if unit == money]
        if rows:
            return np.asarray(extension.production[rows].sum(0))
    return None


def refuse_pickles(request: Request) -> None:
    """Raise DataError if a table was saved as a pickle, which could run any program when it is read."""
    if request.path.is_dir():
        names = [path.name for path in sorted(request.path.rglob("*"))]
    elif zipfile.is_zipfile(request.path):
        with zipfile.ZipFile(request.path) as archive:
            names = archive.namelist()
    else:
        raise refuse_layout(request, "is neither a folder nor a zip file")
    for name in names:
        if name.endswith((".pkl", ".pickle", ".pic")):
            raise DataError(f"{request.label}: {name} is a pickle, which may run a program; save as txt or parquet")
    if not any(Path(name).name == "file_parameters.json" for name in names):
        raise refuse_layout(request, "holds no file_parameters.json")


def read_labels(path: Path) -> pd.DataFrame:
    """A CSV of labels; `NA` is a code here."""
    if not path.is_file():
        raise DataError(f"{path.parent.name}/{path.name}: file is missing; it labels the arrays")
    return pd.read_csv(path, keep_default_na=False, encoding="utf-8")
