"""The project's own builder: raw tables in, `datasets/` out.

Nothing raw is copied; every shipped figure is derived, legal text or a constant of a model.  The same raw tables give
the same bytes (with the same version of pyarrow): no times, no paths, fixed order.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.data import (
    build_economy,
    build_freight,
    build_goods_tables,
    build_history,
    build_installations,
    build_plants,
    build_policy,
    build_rice,
    build_vintage,
)
from carbonray.data.arrow import arrow, parquet
from carbonray.data.catalogue import PACKAGE, package_in, sha256
from carbonray.data.errors import DataError
from carbonray.data.resources import RESOURCES
from carbonray.data.schema import Resource

RAW_FILES = (
    *build_economy.RAW_FILES,
    *build_policy.RAW_FILES,
    *build_history.RAW_FILES,
    *build_plants.RAW_FILES,
    *build_vintage.RAW_FILES,
    *build_freight.RAW_FILES,
    *build_goods_tables.RAW_FILES,
    *build_rice.RAW_FILES,
    *build_installations.RAW_FILES,
)


def build(raw: Path, out: Path, *, replace: bool = False) -> None:
    """Derive all built-in tables from raw ones and describe them in `datapackage.json`.

    The folder appears whole or not at all: it is written beside `out` and renamed.

    Args:
        raw: folder laid out as SOURCES.md says (`wiod/`, `cbam/`, `carbon_price/`, `euets/`, `rice_n/`).
        out: folder to write; must be absent or empty unless `replace`.
        replace: exchange an earlier build; refused if the folder holds anything that a build did not write.
    Raises:
        DataError: a raw file is missing or does not fit the maps, or `out` is in the way.
    """
    for file in RAW_FILES:
        if not (raw / file).is_file():
            raise DataError(f"{raw.name}/{file}: raw file is missing; the builder reads {len(RAW_FILES)} files")
    refuse_occupied(out, replace=replace)
    world, clipped = build_economy.build_world(raw)
    policy, filled = build_policy.build_policy(raw)
    plants, withheld = build_plants.build_plants(raw)
    history, measured = build_history.build_history(raw)
    vintage, aged = build_vintage.build_vintage(raw)
    frames = {**world, **policy, **history, **vintage, **build_installations.build_installations(raw), **plants}
    goods, divided = build_goods_tables.build_goods(raw, world)
    frames |= goods
    frames |= build_freight.build_freight(raw, frames)
    frames |= build_rice.build_rice(raw)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as name:
        fresh, old = Path(name) / "fresh", Path(name) / "old"
        write(frames, {**clipped, **filled, **measured, **withheld, **aged, **divided}, fresh)
        if out.exists():
            out.rename(old)
        try:
            fresh.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise


def refuse_occupied(out: Path, *, replace: bool) -> None:
    """Raise DataError if `out` holds files, unless they are an earlier build and `replace` is given."""
    if out.is_file():
        raise DataError(f"{out.name}: is a file; the builder writes a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not replace:
        raise DataError(f"{out.name}: folder is not empty; give another folder or ask to replace it")
    ours = {PACKAGE, *(resource.path for resource in RESOURCES)}
    if (out / PACKAGE).is_file():
        ours |= {entry["path"] for entry in package_in(out)["resources"]}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.relative_to(out).as_posix() not in ours:
            raise DataError(f"{out.name}/{path.relative_to(out).as_posix()}: was not written by a build; move it away")


def write(frames: dict[str, pd.DataFrame], facts: dict[str, float], out: Path) -> None:
    """Write every table, and `datapackage.json` (Frictionless Data Package) with their hashes."""
    entries = [write_table(resource, frames[resource.name], facts, out) for resource in RESOURCES]
    package = {
        "profile": "data-package",
        "name": "carbonray-datasets",
        "title": "Built-in tables of carbonray: world economy, CBAM law, carbon prices, EU ETS installations, RICE-N",
        "description": "Derived figures, legal text and model constants only, each under the terms of its source; "
        "see `sources` of each resource.",
        "resources": entries,
    }
    text = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    (out / PACKAGE).write_text(text, encoding="utf-8", newline="\n")


def write_table(resource: Resource, frame: pd.DataFrame, facts: dict[str, float], out: Path) -> dict[str, Any]:
    """Write one Parquet file by its schema and return its entry of the data package."""
    path = out / resource.path
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = resource.arrow_schema()
    table = arrow.Table.from_pandas(frame[schema.names], preserve_index=False).cast(schema)
    parquet.write_table(table.replace_schema_metadata(None), path, compression="zstd", compression_level=9)
    return {
        "name": resource.name,
        "path": resource.path,
        "title": resource.title,
        "year": resource.year,
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "publisher": "; ".join(dict.fromkeys(source.publisher for source in resource.sources)),
        "licenses": [
            {"title": title, "path": link}
            for title, link in dict.fromkeys((source.licence, source.licence_path) for source in resource.sources)
        ],
        "sources": [
            {"title": source.title, "publisher": source.publisher, "licence": source.licence, "path": source.path}
            | ({"notice": source.notice} if source.notice else {})
            for source in resource.sources
        ],
        "method": resource.method.format(**facts),
        "rows": table.num_rows,
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256(path)}",
        "schema": {
            "fields": [column.as_frictionless() for column in resource.columns],
            "primaryKey": list(resource.key),
        },
    }
