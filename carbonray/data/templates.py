"""Filled examples of the files that a user writes: maps of regions and sectors, and a list of plants."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from carbonray.data.errors import DataError
from carbonray.data.import_formats import Request, read
from carbonray.data.tables import load_table

COLUMNS = {"regions": "region", "sectors": "sector"}
KINDS = (*COLUMNS, "plants")
INTRODUCTION = {
    "regions": (
        "# Which region of the economy each country of the table belongs to; further columns are ignored.",
        "# Example: the 41 countries of WIOD 2013 and the 12 built-in regions. EU26 is the home of the scenarios.",
    ),
    "sectors": (
        "# Which sector of the economy each industry of the table belongs to; further columns are ignored.",
        "# Example: the 35 industries of WIOD 2013 and the 12 built-in sectors, whose codes the scenarios name.",
    ),
}


def template(kind: str, *, table: Request | None = None) -> str:
    """A file to copy and edit.

    Args:
        kind: `regions`, `sectors` or `plants`.
        table: a foreign table whose own codes to list; targets that the example knows are filled in, others empty.
    Raises:
        DataError: an unknown kind, or a table that cannot be read.
    """
    if kind not in KINDS:
        raise DataError(f"{kind}: unknown template; choose from {', '.join(KINDS)}")
    if kind == "plants":
        if table is not None:
            raise DataError("plants: lists no codes of a table; leave --format and --path out")
        from carbonray.data.plants import plants_template

        return str(plants_template())
    return example(kind) if table is None else codes_of(kind, table)


def own_table(format_name: str | None, path: Path | None, year: int | None) -> Request | None:
    """The table that options name, None if they name none; DataError if one is missing."""
    if format_name is None and path is None and year is None:
        return None
    if format_name is None or path is None:
        raise DataError("a table of your own needs both --format and --path")
    return Request(path=path, format=format_name, year=year)


def example(kind: str) -> str:
    """The map of the built-in tables."""
    rows = [(code, target, words) for code, (target, words) in known(kind).items()]
    return as_csv(INTRODUCTION[kind], ("code", COLUMNS[kind], "description"), rows)


def known(kind: str) -> Mapping[str, tuple[str, str]]:
    """Target and its description of each code of WIOD 2013."""
    name, column, codes = {
        "regions": ("world-2011-regions", "region", "countries"),
        "sectors": ("world-2011-sectors", "sector", "wiod_industries"),
    }[kind]
    frame = load_table(name)
    rows = zip(frame[column], frame["description"], frame[codes], strict=True)
    return {code: (target, words) for target, words, listed in rows for code in listed.split()}


def codes_of(kind: str, request: Request) -> str:
    """The codes of a foreign table; those that the built-in map has keep their target."""
    table = read(request)
    codes = (*table.regions, *table.markets) if kind == "regions" else table.sectors
    targets = known(kind)
    column = COLUMNS[kind]
    rows = [(code, targets.get(code, ("", ""))[0]) for code in dict.fromkeys(codes)]
    words = (f"# Every {column} of {request.label}; fill in the empty ones.",)
    return as_csv(words, ("code", column), rows)


def as_csv(words: Iterable[str], header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Lines of comment, a header and rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return "".join(f"{line}\n" for line in words) + text.getvalue()


def write_template(text: str, out: Path) -> None:
    """Write a template to a new file; DataError if it is there already or cannot be written."""
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise DataError(f"{out}: exists already; give a new name with --out") from None
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror})") from None
