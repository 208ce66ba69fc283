"""CO2 of production for an imported table: accounts of one of its extensions, or a CSV file.

Axes: K row of the table; C cell of the economy, region-major.
"""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.errors import DataError
from carbonray.data.import_formats import Extension, Mrio, Request
from carbonray.data.import_maps import CodeMap, close_to, file_label

Array = NDArray[np.float64]

MEGATONNES = {"kg": 1e-9, "t": 1e-6, "kt": 1e-3, "gg": 1e-3, "mt": 1.0, "tg": 1.0}
"""Mt in one unit of mass, by the unit in lower case."""
UNIT_RULE = "known units are kg, t, kt, Gg, Mt"
HOUSEHOLDS = ("FC_HH", "HH")  # rows of the CO2 accounts that are no production
CO2 = re.compile(r"\bCO2\b(?!\s*-?eq)|carbon dioxide", re.IGNORECASE)
FILE_SUFFIXES = (".csv", ".csv.gz")
SHOWN = 8  # accounts that a refusal lists

DEFAULTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "wiod": (("AIR: CO2",), ("CO2: TOTAL",)),
    "exiobase3": (
        (  # fossil fuels and industrial processes; peat decay and biogenic waste are left out
            "air_emissions: CO2 - combustion*",
            "air_emissions: CO2 - non combustion*",
            "air_emissions: CO2 - waste - fossil*",
        ),
        (
            "satellite: CO2 - combustion*",
            "satellite: CO2 - non combustion*",
            "satellite: CO2 - waste - fossil*",
        ),
    ),
}
"""Accounts that make up a format's CO2: the first group of which something is there."""


@dataclass(frozen=True, kw_only=True)
class Emissions:
    """CO2 by cell, and how it was taken."""

    cells: Array  # [C] Mt CO2 / year
    households: float  # Mt CO2 / year that final demand emits itself, left out of the cells
    accounts: tuple[str, ...]  # names of the accounts, or of the file
    files: tuple[Path, ...] = ()


def is_file(names: tuple[str, ...]) -> bool:
    """Whether the emissions asked for are a CSV file and no account."""
    return len(names) == 1 and names[0].lower().endswith(FILE_SUFFIXES)


def check_file(request: Request) -> None:
    """Raise DataError before a long reading if the file of emissions is not there, or not alone."""
    if len(request.emissions) > 1:
        for name in request.emissions:
            if name.lower().endswith(FILE_SUFFIXES):
                raise DataError(f"--emissions {name}: a file holds all emissions; give no other file or account")
    if is_file(request.emissions) and not Path(request.emissions[0]).is_file():
        label = file_label(Path(request.emissions[0]))
        raise DataError(f"{label}: file is missing; --emissions takes a CSV file or the name of an account")


def from_extensions(request: Request, table: Mrio, cell: NDArray[np.intp], number: int) -> Emissions:
    """Sum the chosen accounts of the table to its cells.

    Args:
        cell: [K] number of the cell that each row belongs to.
        number: how many cells there are.
    Raises:
        DataError: no account or no single one is meant, a unit is unknown, a figure is missing or negative.
    """
    chosen = choose(request, table.extensions)
    rows, households = np.zeros(len(cell)), 0.0
    for extension, place in chosen:
        accounts = table.extensions[extension]
        factor = megatonnes(accounts.units[place], f"{request.label}: {extension}: {accounts.names[place]}")
        check_figures(f"{request.label}: {extension}: {accounts.names[place]}", accounts.production[place], table)
        rows += accounts.production[place] * factor
        households += float(accounts.households[place]) * factor
    names = tuple(f"{extension}: {table.extensions[extension].names[place]}" for extension, place in chosen)
    total = np.bincount(cell, weights=rows, minlength=number).astype(np.float64)
    return Emissions(cells=total, households=households, accounts=names)


def choose(request: Request, extensions: Mapping[str, Extension]) -> list[tuple[str, int]]:
    """Extension and row of each account that is meant, in the table's order."""
    available = {
        f"{extension}: {name}": (extension, place)
        for extension, accounts in extensions.items()
        for place, name in enumerate(accounts.names)
    }
    if request.emissions:
        chosen = [key for pattern in request.emissions for key in matching(request, pattern, available)]
        return [available[key] for key in available if key in set(chosen)]
    for group in DEFAULTS.get(request.format, ()):
        keys = [key for key in available if any(fnmatch.fnmatchcase(key, pattern) for pattern in group)]
        if keys:
            return [available[key] for key in keys]
    carbon = [key for key in available if CO2.search(key.partition(": ")[2])]
    if len(carbon) == 1:
        return [available[carbon[0]]]
    if carbon:
        what = f"{len(carbon)} accounts may be its CO2"
        raise DataError(f"{request.label}: {what}; choose with --emissions NAME (* for any letters): {listed(carbon)}")
    masses = [key for key, (extension, place) in available.items() if is_mass(extensions[extension].units[place])]
    raise DataError(
        f"{request.label}: no account of CO2 is known; give --emissions NAME or a CSV file (region,sector,mt_co2); "
        f"there are: {listed(masses or list(available)) or 'no accounts'}"
    )


def matching(request: Request, pattern: str, available: Mapping[str, object]) -> list[str]:
    """Accounts whose name, with or without its extension, is or matches the pattern; DataError if none does."""
    wanted = pattern.casefold()
    exact = [key for key in available if wanted in (key.casefold(), key.partition(": ")[2].casefold())]
    found = exact or [
        key
        for key in available
        if fnmatch.fnmatchcase(key.casefold(), wanted) or fnmatch.fnmatchcase(key.partition(": ")[2].casefold(), wanted)
    ]
    if not found:
        hint = close_to(pattern, [key.partition(": ")[2] for key in available])
        there = listed(sorted(available, key=lambda key: CO2.search(key) is None)) or "no accounts"
        raise DataError(f"{request.label}: --emissions {pattern}: matches no account{hint}; there are: {there}")
    return found


def listed(names: list[str]) -> str:
    """Names on one line, cut after a few."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + more


def is_mass(unit: str) -> bool:
    """Whether a unit is one of mass that is known."""
    return plain(unit) in MEGATONNES


def plain(unit: str) -> str:
    """A unit in lower case without CO2 behind it."""
    return re.sub(r"[\s_]*co2$", "", unit.strip(), flags=re.IGNORECASE).lower()


def megatonnes(unit: str, where: str) -> float:
    """Mt in one of `unit`; DataError if it is not known."""
    if not is_mass(unit):
        raise DataError(f"{where}: unit {unit!r} is unknown; {UNIT_RULE}")
    return MEGATONNES[plain(unit)]


def check_figures(where: str, figures: Array, table: Mrio) -> None:
    """Raise DataError at the first figure that is not finite or below zero."""
    bad = ~np.isfinite(figures) | (figures < 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"{where}: {table.cells[row]} is {figures[row]:g}; emissions must be finite and >= 0")


def read_file(path: Path, year: int) -> tuple[pd.DataFrame, str]:
    """Read the columns region, sector and one of mass, and the rows of the base year if there is a column year.

    Returns:
        The rows with `line` of the file and `mt_co2`, and the file's label.
    Raises:
        DataError: the file, a column or the year is missing, or a figure is not finite and >= 0.
    """
    label = file_label(path)
    try:
        frame = pd.read_csv(path, keep_default_na=False, encoding="utf-8-sig", dtype=str)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, OSError) as error:
        raise DataError(f"{label}: is no readable CSV file ({str(error).splitlines()[0]})") from None
    frame.columns = frame.columns.str.strip().str.lower()
    frame = frame.rename(columns={"country": "region", "industry": "sector"})
    masses = [name for name in frame.columns if name.endswith("_co2") and name[:-4] in MEGATONNES]
    if len(masses) != 1 or not {"region", "sector"} <= set(frame.columns):
        raise DataError(
            f"{label}: line 1: needs the columns region, sector and one of mt_co2, kt_co2, gg_co2, t_co2, kg_co2; "
            f"found {', '.join(frame.columns)}"
        )
    frame["line"] = np.arange(2, len(frame) + 2)
    if "year" in frame:
        frame = frame[frame["year"].str.strip() == str(year)].reset_index(drop=True)
        if frame.empty:
            raise DataError(f"{label}: has no rows of {year}, the table's base year")
    figures = pd.to_numeric(frame[masses[0]], errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(figures) | (figures < 0)
    if bad.any():
        row = frame.iloc[int(np.flatnonzero(bad)[0])]
        where = f"{label}: line {row['line']} ({row['region']}-{row['sector']})"
        raise DataError(f"{where}: {masses[0]} is {row[masses[0]]!r}; every emission must be a finite number >= 0")
    return frame.assign(mt_co2=figures * MEGATONNES[masses[0][:-4]]), label


def from_file(path: Path, year: int, regions: CodeMap, sectors: CodeMap) -> Emissions:
    """Sum a file to the cells; its codes are those of the maps, or regions and sectors of the economy themselves.

    Raises:
        DataError: as `read_file`, or a code is unknown, or a cell has no row.
    """
    frame, label = read_file(path, year)
    repeated = np.flatnonzero(frame.duplicated(["region", "sector"]).to_numpy())
    if len(repeated):
        row = frame.iloc[int(repeated[0])]
        cell_name = f"{row['region']}-{row['sector']}"
        raise DataError(
            f"{label}: line {row['line']}: {cell_name} comes twice{of_year(frame, year)}; give one row each"
        )
    home = frame["sector"].isin(HOUSEHOLDS).to_numpy()
    production = frame[~home]
    place = [number_codes(production, label, codes) for codes in (regions, sectors)]
    cell = place[0] * len(sectors.targets) + place[1]
    number = len(regions.targets) * len(sectors.targets)
    empty = np.flatnonzero(np.bincount(cell, minlength=number) == 0)
    if len(empty):
        region, sector = divmod(int(empty[0]), len(sectors.targets))
        raise DataError(
            f"{label}: {regions.targets[region]}-{sectors.targets[sector]} has no row{of_year(frame, year)}; "
            "write 0 where nothing is emitted"
        )
    weights = production["mt_co2"].to_numpy(np.float64)
    total = np.bincount(cell, weights=weights, minlength=number).astype(np.float64)
    households = float(frame.loc[home, "mt_co2"].sum())
    return Emissions(cells=total, households=households, accounts=(path.name,), files=(path,))


def of_year(frame: pd.DataFrame, year: int) -> str:
    """` of YEAR` if the file has years."""
    return f" of {year}" if "year" in frame else ""


def number_codes(frame: pd.DataFrame, label: str, codes: CodeMap) -> NDArray[np.intp]:
    """Number of each row's region or sector; DataError at the first unknown code."""
    names = spelled(frame, codes)
    targets = {name: name for name in codes.targets}
    mapped = names.map({**targets, **codes.target})
    if mapped.isna().any():
        row = int(np.flatnonzero(mapped.isna())[0])
        code = names.iloc[row]
        raise DataError(
            f"{label}: line {frame['line'].iloc[row]}: {codes.kind} {code!r} is neither in {codes.label} nor a "
            f"{codes.kind} of the economy; add it to the map"
        )
    order = {name: number for number, name in enumerate(codes.targets)}
    return np.array([order[name] for name in mapped], dtype=np.intp)


def spelled(frame: pd.DataFrame, codes: CodeMap) -> pd.Series:
    """Codes of a file's rows as the map spells them."""
    return frame[codes.kind].str.strip().replace(dict(codes.aliases))


def codes_in(path: Path, year: int, codes: CodeMap) -> set[str]:
    """Region or sector codes of a file, which a map may hold beside those of the table."""
    return set(spelled(read_file(path, year)[0], codes))
