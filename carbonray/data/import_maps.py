"""Maps from a foreign table's codes to the regions and sectors of one's own economy: CSV files that a user edits."""

import csv
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carbonray.data.errors import DataError

TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
TARGET_RULE = "a letter, then letters, digits or _, as in scenario keys"
ROMANIA = {"ROM": "ROU"}  # WIOD 2013's own code, and the one that pymrio and the CO2 accounts give it


@dataclass(frozen=True, kw_only=True)
class CodeMap:
    """One map: which region (or sector) each code of the table belongs to."""

    label: str  # `folder/file`, as it begins an error
    kind: str  # region or sector
    target: Mapping[str, str]  # code -> region or sector
    line: Mapping[str, int]  # code -> line of the file, the header being line 1
    path: Path
    aliases: Mapping[str, str]  # other spellings of codes

    @property
    def targets(self) -> tuple[str, ...]:
        """Regions or sectors in the order in which the file first names them."""
        return tuple(dict.fromkeys(self.target.values()))

    def numbers(self, codes: Iterable[str]) -> NDArray[np.intp]:
        """Position among `targets` of each code."""
        place = {name: number for number, name in enumerate(self.targets)}
        return np.array([place[self.target[code]] for code in codes], dtype=np.intp)


def read_map(path: Path, kind: str, *, aliases: Mapping[str, str] | None = None) -> CodeMap:
    """Read a map with the columns `code` and `region` or `sector`; further columns and lines of `#` are ignored.

    Args:
        path: CSV file, separated by commas or semicolons.
        kind: `region` or `sector`, the name of the second column.
        aliases: spellings of a code that mean another one.
    Raises:
        DataError: the file or a column is missing, a code is empty or comes twice, or a target is no usable name.
    """
    label = file_label(path)
    rows, aliases = numbered_rows(path, label), aliases or {}
    if not rows:
        raise DataError(f"{label}: has no lines; a map has the columns code,{kind}")
    header = [name.strip().lower() for name in rows[0][1]]
    for column in ("code", kind):
        if header.count(column) != 1:
            found = ", ".join(header)
            raise DataError(
                f"{label}: line {rows[0][0]}: column {column} is missing or doubled; found {found}; "
                f"a map has the columns code,{kind}"
            )
    target: dict[str, str] = {}
    line: dict[str, int] = {}
    for number, row in rows[1:]:
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        code = cells.get("code", "")
        code = aliases.get(code, code)
        check_row(label, number, kind, code, cells.get(kind, ""))
        if code in target:
            raise DataError(f"{label}: line {number}: code {code!r} repeats line {line[code]}; every code occurs once")
        target[code], line[code] = cells[kind], number
    if not target:
        raise DataError(f"{label}: has no codes below its header; every code of the table needs a line")
    return CodeMap(label=label, kind=kind, target=target, line=line, path=path, aliases=aliases)


def numbered_rows(path: Path, label: str) -> list[tuple[int, list[str]]]:
    """Cells of each line that is neither empty nor a comment, with its number from 1."""
    if not path.is_file():
        raise DataError(f"{label}: file is missing")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{label}: is not text in UTF-8; save it as CSV UTF-8") from None
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not kept:
        return []
    separator = ";" if ";" in kept[0][1] and "," not in kept[0][1] else ","
    return [(number, next(csv.reader([line], delimiter=separator))) for number, line in kept]


def check_row(label: str, number: int, kind: str, code: str, target: str) -> None:
    """Raise DataError if a line lacks its code or its target, or the target cannot be a key of a scenario."""
    if not code:
        raise DataError(f"{label}: line {number}: code is empty; every line maps one code")
    if not target:
        raise DataError(f"{label}: line {number} ({code}): {kind} is empty; every code needs one")
    if not TARGET.fullmatch(target):
        raise DataError(f"{label}: line {number} ({code}): {kind} {target!r} is no usable name; {TARGET_RULE}")


def check_codes(codes: CodeMap, table: str, wanted: Iterable[str], known: Iterable[str] = ()) -> None:
    """Refuse a code of the table that the map leaves out, and one of the map that nothing has.

    Args:
        codes: the map.
        table: what the table is called in an error.
        wanted: codes of the table, all of which must be mapped.
        known: codes that may be mapped too, such as those of a file of emissions.
    """
    needed = tuple(dict.fromkeys(wanted))
    missing = [code for code in needed if code not in codes.target]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = close_to(missing[0], set(codes.target) - set(needed))
        raise DataError(
            f"{codes.label}: {codes.kind} code {missing[0]!r}{more} of {table} {'are' if more else 'is'} "
            f"left out{hint}; every {codes.kind} of the table needs a line"
        )
    allowed = {*needed, *known}
    unknown = [code for code in codes.target if code not in allowed]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DataError(
            f"{codes.label}: line {codes.line[unknown[0]]}: code {unknown[0]!r}{more} {'are' if more else 'is'} no "
            f"{codes.kind} of {table}{close_to(unknown[0], allowed)}; take the line out or correct the code"
        )


def close_to(code: str, others: Iterable[str]) -> str:
    """A hint at the most similar other code, empty if none is similar."""
    found = difflib.get_close_matches(code, list(others), n=1, cutoff=0.6)
    return f" (is {found[0]!r} meant?)" if found else ""


def file_label(path: Path) -> str:
    """`folder/file`, or the file alone where no folder was named."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name
