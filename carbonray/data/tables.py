"""Validated reading of tables: every number and code is checked, and an error names file, row and rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.data.arrow import arrow, parquet
from carbonray.data.catalogue import datasets_folder, verify
from carbonray.data.errors import DataError
from carbonray.data.resources import RESOURCES
from carbonray.data.schema import Column, Kind, Resource

DTYPES: dict[Kind, str] = {"text": "str", "number": "float64", "integer": "int64"}


def file_label(path: Path) -> str:
    """`folder/file`, as it begins an error message."""
    return f"{path.parent.name}/{path.name}"


def row_label(frame: pd.DataFrame, row: int, key: tuple[str, ...]) -> str:
    """A row in words: `row 17 (EU26-MET -> CHN-MET)`."""
    parts = {name: str(frame[name].iloc[row]) for name in key if name in frame}
    origin = "-".join(part for name, part in parts.items() if not name.startswith("to_"))
    destination = "-".join(part for name, part in parts.items() if name.startswith("to_"))
    return f"row {row} ({' -> '.join(part for part in (origin, destination) if part)})"


def read_table(path: Path, columns: tuple[Column, ...], key: tuple[str, ...]) -> pd.DataFrame:
    """Read a Parquet file and check it against its columns and its key; further columns are ignored.

    Raises:
        DataError: the file is missing or no Parquet file, a column is missing or of the wrong kind, a cell is empty,
            not finite or below its minimum, or a key occurs twice.
    """
    label = file_label(path)
    if not path.is_file():
        raise DataError(f"{label}: file is missing")
    try:
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{label}: is not a readable Parquet file ({str(error).splitlines()[0]})") from None
    for column in columns:
        check_kind(label, table, column)
    frame = pd.DataFrame({column.name: table[column.name].to_pandas() for column in columns})
    for column in columns:
        check_values(label, frame, column, key)
    check_key(label, frame, key)
    return frame.astype({column.name: DTYPES[column.kind] for column in columns})


def check_kind(label: str, table: Any, column: Column) -> None:
    """Raise DataError unless the column is there, once, and holds text or numbers as it should."""
    if table.column_names.count(column.name) != 1:
        found = ", ".join(table.column_names)
        raise DataError(f"{label}: column {column.name} is missing or doubled; found {found}")
    kind = table.schema.field(column.name).type
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    fits = {
        "text": arrow.types.is_string(kind) or arrow.types.is_large_string(kind),
        "number": arrow.types.is_floating(kind) or arrow.types.is_integer(kind),
        "integer": arrow.types.is_integer(kind),
    }
    if not fits[column.kind]:
        raise DataError(f"{label}: column {column.name} holds {kind}; {column.rule}")


def check_values(label: str, frame: pd.DataFrame, column: Column, key: tuple[str, ...]) -> None:
    """Raise DataError at the first cell that is empty, not finite or too small."""
    values = frame[column.name]
    empty = values.isna().to_numpy()
    bad = empty.copy() if column.required else np.zeros(len(values), dtype=bool)
    if column.kind != "text":
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        bad |= np.isinf(numbers)
        if column.minimum is not None:
            bad |= ~empty & (numbers < column.minimum)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = ("empty" if column.kind == "text" else "NaN") if empty[row] else f"{values.iloc[row]:g}"
        raise DataError(f"{label}: {row_label(frame, row, key)}: {column.name} is {value}; {column.rule}")


def check_key(label: str, frame: pd.DataFrame, key: tuple[str, ...]) -> None:
    """Raise DataError at the first row that repeats the key of an earlier one."""
    repeated = frame.duplicated(list(key)).to_numpy()
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        same = (frame[list(key)] == frame[list(key)].iloc[row]).all(axis=1).to_numpy()
        first = int(np.flatnonzero(same)[0])
        rule = f"{', '.join(key)} must be unique"
        raise DataError(f"{label}: {row_label(frame, row, key)}: repeats row {first}; {rule}")


def specification(name: str) -> Resource:
    """Columns and key of a built-in table."""
    for resource in RESOURCES:
        if resource.name == name:
            return resource
    raise DataError(f"no built-in table is named {name!r}")


def load_table(name: str, root: Path | None = None) -> pd.DataFrame:
    """Load a built-in table by name: hash and values checked.

    Raises:
        DataError: no such table, or it is missing, changed or breaks a rule.
    """
    path = verify(name, root or datasets_folder())
    resource = specification(name)
    return read_table(path, resource.columns, resource.key)


def load_defaults(root: Path | None = None) -> pd.DataFrame:
    """CBAM default values before mark-up, t CO2e / t, one row per country and good (fallback rule applied)."""
    return load_table("cbam-default-values", root)


def load_benchmarks(root: Path | None = None) -> pd.DataFrame:
    """CBAM benchmarks, t CO2e / t, one row per CN code, route and variant."""
    return load_table("cbam-benchmarks", root)


def load_schedule(root: Path | None = None) -> pd.DataFrame:
    """CBAM factor and mark-ups, one row per year 2026-2034."""
    return load_table("cbam-schedule", root)


def load_prices(root: Path | None = None) -> pd.DataFrame:
    """EU allowance price, EUR / t: yearly means, and the certificate price of 2026-Q1 in the last row."""
    return load_table("carbon-price-eu", root)


def load_partner_prices(root: Path | None = None) -> pd.DataFrame:
    """Carbon prices of the EU and its trade partners, USD / t, one row per scheme and year."""
    return load_table("carbon-price-partners", root)


def load_installations(root: Path | None = None) -> pd.DataFrame:
    """Distributions of EU ETS installations of 2019, one row per sector."""
    return load_table("installations-2019", root)
