"""Where the built-in tables are, what they are, and whether they are unchanged."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.data.errors import DataError

PACKAGE = "datapackage.json"


def datasets_folder() -> Path:
    """The folder of built-in tables: inside an installed wheel, else beside the package in a checkout.

    Raises:
        DataError: neither place holds a `datapackage.json`.
    """
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "datasets", here.parents[2] / "datasets"):
        if (folder / PACKAGE).is_file():
            return folder
    raise DataError(f"datasets/{PACKAGE}: file is missing; reinstall carbonray or build the tables")


def package_in(folder: Path) -> dict[str, Any]:
    """Read the data package of a folder.

    Raises:
        DataError: the file is missing or is not a data package.
    """
    label = f"{folder.name}/{PACKAGE}"
    try:
        package = json.loads((folder / PACKAGE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{label}: file is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{label}: is not JSON ({error})") from None
    entries = package.get("resources") if isinstance(package, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"name", "path"} <= e.keys() for e in entries):
        raise DataError(f"{label}: is not a data package; it needs resources with a name and a path each")
    return dict(package)


def resource(name: str, root: Path | None = None) -> dict[str, Any]:
    """Entry of one table in the data package.

    Raises:
        DataError: no table has that name; the message lists the names.
    """
    entries = package_in(root or datasets_folder())["resources"]
    for entry in entries:
        if entry["name"] == name:
            return dict(entry)
    first = ", ".join(entry["name"] for entry in entries[:3])
    raise DataError(f"no table is named {name!r}; there are: {first}, and more; `carbonray data list` shows all")


def sha256(path: Path) -> str:
    """Hash of a file's bytes, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(name: str, root: Path | None = None) -> Path:
    """Path of a table whose bytes are those of the data package.

    Raises:
        DataError: the file is missing or changed.
    """
    folder = root or datasets_folder()
    entry = resource(name, folder)
    path = folder / str(entry["path"])
    if not path.is_file():
        raise DataError(f"{entry['path']}: file is missing; {PACKAGE} lists it")
    found, expected = f"sha256:{sha256(path)}", str(entry.get("hash", ""))
    if found != expected:
        raise DataError(
            f"{entry['path']}: hash is {found[:19]}..., {PACKAGE} says {expected[:19]}...; the file was changed"
        )
    return path


def list_datasets(root: Path | None = None) -> pd.DataFrame:
    """One row per built-in table: name, title, year, publisher, licence, rows, bytes, path."""
    entries = package_in(root or datasets_folder())["resources"]
    columns = ["name", "title", "year", "publisher", "licence", "rows", "bytes", "path"]
    rows = [{**entry, "licence": licence(entry)} for entry in entries]
    return pd.DataFrame(rows, columns=columns)


def licence(entry: dict[str, Any]) -> str:
    """Terms of a table on one line."""
    return "; ".join(item["title"] for item in entry.get("licenses", []))


def describe(name: str, root: Path | None = None) -> str:
    """A table in words: title, sources, terms, method, and each column with its unit.

    Raises:
        DataError: no table has that name.
    """
    entry = resource(name, root)
    lines = [
        f"{entry['name']}: {entry['title']}",
        f"file      {entry['path']} ({entry['rows']} rows, {entry['bytes']} bytes)",
        f"year      {entry['year']}",
        *(f"source    {source['title']}, {source['publisher']}" for source in entry["sources"]),
        f"licence   {licence(entry)}",
        f"method    {entry['method']}",
        f"key       {', '.join(entry['schema']['primaryKey'])}",
        "columns",
    ]
    fields = entry["schema"]["fields"]
    width = max(len(field["name"]) for field in fields)
    for field in fields:
        unit = f" [{field['unit']}]" if field["unit"] else ""
        lines.append(f"  {field['name']:<{width}}  {field['description']}{unit}")
    return "\n".join(lines)
