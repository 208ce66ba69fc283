"""The files of a run directory: written under a temporary name, then renamed, so that nothing is half-written."""

import json
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from carbonray.config import Scenario
from carbonray.data import DataError, list_datasets
from carbonray.data.arrow import arrow, parquet
from carbonray.data.catalogue import resource, sha256
from carbonray.data.plants import BUILT_IN

UNITS = {
    "output_musd": "million USD of 2011 at base-year prices, a year",
    "volume_musd": "million USD of 2011 at base-year prices, a year",
    "value_musd": "million USD of 2011, a year",
    "price_index": "base year = 1",
    "emissions_t": "t CO2e a year, observed",
    "free_allocation_t": "t CO2e a year, observed",
    "year": "calendar year",
    "step": "quarter of the run, from 0",
}
SUFFIXES = {
    "_musd": "million USD of 2011, a year", "_mt": "Mt CO2 a year", "_rate": "fraction", "_share": "fraction",
    "_kt": "kt a year", "_eur_per_t": "EUR of 2026 per t", "_eur_per_eur": "fraction", "_t_per_t": "t CO2 per t",
}  # fmt: skip


class OutputError(ValueError):
    """A run directory that cannot be written; one line naming it and the rule."""


def unit_of(column: str, period: str = "a year") -> str:
    """The unit of a column, as Arrow metadata carries it."""
    unit = UNITS.get(column) or next((unit for end, unit in SUFFIXES.items() if column.endswith(end)), "")
    return unit.replace("a year", period)


def fresh_folder(scenario: Scenario, parent: Path = Path("runs")) -> Path:
    """The first free `runs/WORLD-SCENARIO-N`."""
    number = 1
    while (parent / f"{scenario.world}-{scenario.name}-{number}").exists():
        number += 1
    return parent / f"{scenario.world}-{scenario.name}-{number}"


def check_free(out: Path) -> None:
    """Refuse a folder that exists, and one whose parent cannot be written, before a run starts.

    Raises:
        OutputError: naming the folder.
    """
    try:
        if out.exists():
            raise OutputError(f"{out}: exists already; give a new name with --out")
        nearest = next(parent for parent in out.absolute().parents if parent.exists())
        with tempfile.TemporaryDirectory(dir=nearest):
            pass
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from None


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` if the block succeeds and vanishes if it does not.

    Raises:
        OutputError: if the disk is full or the folder cannot be written.
    """
    check_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        draft.chmod(0o755)
        yield draft
        draft.rename(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from None
    except ValueError as error:  # a refusal that names a file of the draft
        raise type(error)(str(error).replace(str(draft), str(out))) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_table(frame: pd.DataFrame, path: Path, period: str = "a year") -> None:
    """Write a table with the unit of each column in its metadata."""
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    named = [
        item.with_metadata({"unit": unit}) if (unit := unit_of(item.name, period)) else item for item in table.schema
    ]
    parquet.write_table(table.cast(arrow.schema(named)), path, compression="zstd")


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write JSON with keys in their order; NaN is refused."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_config(scenario: Scenario, path: Path) -> None:
    """The resolved scenario with versions and the hashes of the data it ran on."""
    hashes: dict[str, str] = {}
    economy = Path(scenario.economy)
    if economy.is_dir():
        hashes = {f"{economy.name}/{file.name}": sha256(file) for file in sorted(economy.glob("*.parquet"))}
    else:
        listed = list_datasets()
        folder = scenario.economy.replace("-", "_")
        hashes = {
            name: str(resource(name)["hash"]).removeprefix("sha256:")
            for name, path in zip(listed["name"], listed["path"], strict=True)
            if str(path).startswith(f"{folder}/")
        }
        if not hashes:
            raise DataError(f"{scenario.economy}: no such table")
    plants = scenario.firms.plants
    if plants in BUILT_IN:
        hashes["plants"] = str(resource("plants")["hash"]).removeprefix("sha256:")
    elif plants:
        hashes[Path(plants).name] = sha256(Path(plants))
    content = {
        "scenario": scenario.model_dump(mode="json"),
        "carbonray": metadata.version("carbonray"),
        "versions": {name: metadata.version(name) for name in ("torch", "numpy", "pandas", "pyarrow", "networkx")}
        | {"python": platform.python_version()},
        "datasets": hashes,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def categories(values: Any, names: tuple[str, ...]) -> "pd.Categorical[Any]":
    """Codes as a dictionary column."""
    return pd.Categorical.from_codes(np.asarray(values), categories=pd.Index(names))
