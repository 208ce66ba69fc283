"""The data package of an imported economy: its tables, and where every figure came from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.data.build import write_table
from carbonray.data.catalogue import PACKAGE
from carbonray.data.import_checks import Balance
from carbonray.data.import_emissions import Emissions
from carbonray.data.import_formats import Request
from carbonray.data.import_maps import CodeMap
from carbonray.data.resources import CELLS, FINAL_DEMAND, TRANSACTIONS
from carbonray.data.schema import Resource, Source
from carbonray.worlds.cbam.economy import Economy

RESOURCES: Mapping[str, Resource] = {"cells": CELLS, "transactions": TRANSACTIONS, "final-demand": FINAL_DEMAND}
TITLES: Mapping[str, str] = {
    "cells": "Output, value added and direct CO2 by region and sector",
    "transactions": "Intermediate use between cells",
    "final-demand": "Final demand by supplying cell and region of use",
}
METHOD = (
    "Rows and columns summed by two maps; inventories netted into final demand; what is then negative set to zero; "
    "output is the row sum, value added is output less intermediate inputs"
)


@dataclass(frozen=True, kw_only=True)
class Clipping:
    """What was negative after netting and became zero."""

    flows: int
    musd: float  # million USD / year, positive
    cell: str  # where most was added, empty if nothing was
    share: float  # of that cell's output


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An economy that came in, and how."""

    folder: Path
    economy: Economy
    request: Request
    maps: tuple[CodeMap, CodeMap]
    money: str  # unit of the table's flows
    rate: float  # million USD in one of it
    balance: Balance
    clipped: Clipping
    emissions: Emissions
    value_added: str  # stated, or residual
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_package(imported: Imported, frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the three tables and `datapackage.json`, which holds no times and no paths of this machine."""
    source = Source(
        title=f"Table imported from {imported.request.label} ({imported.request.format})",
        publisher="see the table's own terms",
        licence="terms of the imported table",
        licence_path="",
    )
    year = str(imported.economy.year)
    entries = [write_table(described(name, year, source), frame, {}, folder) for name, frame in frames.items()]
    package = {
        "profile": "data-package",
        "name": "imported-economy",
        "title": f"Economy of {year} imported from {imported.request.label}",
        "description": "Made by `carbonray data import`; the terms of the imported table apply.",
        "import": provenance(imported),
        "resources": entries,
    }
    text = json.dumps(package, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / PACKAGE).write_text(text, encoding="utf-8", newline="\n")


def described(name: str, year: str, source: Source) -> Resource:
    """The built-in table of that kind, as part of an imported economy."""
    return replace(
        RESOURCES[name], name=name, path=f"{name.replace('-', '_')}.parquet", title=f"{TITLES[name]}, {year}",
        year=year, method=METHOD, sources=(source,),
    )  # fmt: skip


def provenance(imported: Imported) -> dict[str, Any]:
    """What was read and what was done to it."""
    request, clipped, emissions = imported.request, imported.clipped, imported.emissions
    return {
        "format": request.format,
        "year": imported.economy.year,
        "carbonray": metadata.version("carbonray"),
        "pymrio": pymrio_version(),
        "files": [hashed(path, root_of(imported)) for path in imported.files],
        "maps": [
            {"kind": codes.kind, "codes": len(codes.target), "into": len(codes.targets)}
            | hashed(codes.path, codes.path.parent)
            for codes in imported.maps
        ],
        "money": {"unit": imported.money, "million_usd_per_unit": imported.rate},
        "value_added": imported.value_added,
        "largest_gap_of_stated_output_share": imported.balance.output_gap,
        "largest_gap_of_stated_value_added_share": imported.balance.value_added_gap,
        "clipped": {"flows": clipped.flows, "musd": clipped.musd, "worst_cell": clipped.cell, "share": clipped.share},
        "emissions": {
            "accounts": list(emissions.accounts),
            "mt_co2": float(emissions.cells.sum()),
            "households_left_out_mt_co2": emissions.households,
        },
        "notes": list(imported.notes),
    }


def pymrio_version() -> str | None:
    """Version of the parsers, None where they are not installed (arrays need none)."""
    try:
        return metadata.version("pymrio")
    except metadata.PackageNotFoundError:
        return None


def root_of(imported: Imported) -> Path:
    """The folder that the table's files are named from."""
    path = imported.request.path
    return path if path.is_dir() else path.parent


def hashed(path: Path, root: Path) -> dict[str, Any]:
    """Name, size and hash of a file; read piece by piece, for tables may be large."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": name, "bytes": path.stat().st_size, "hash": f"sha256:{digest}"}
