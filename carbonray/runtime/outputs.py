"""The files of a run directory: written under a temporary name, then renamed, so that nothing is half-written."""

import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.config_climate import NegotiationScenario
from carbonray.config_worlds import AnyScenario, file_in
from carbonray.data import DataError, list_datasets
from carbonray.data.arrow import arrow, parquet
from carbonray.data.catalogue import resource, sha256
from carbonray.data.plants import BUILT_IN

UNITS = {
    "output_musd": "million USD of 2011 at base-year prices, a year",
    "volume_musd": "million USD of 2011 at base-year prices, a year",
    "value_musd": "million USD of 2011, a year",
    "price_index": "base year = 1",
    "consumption_tusd": "trillion USD a year, Armington aggregate",
    "capital_tusd": "trillion USD",
    "balance_tusd": "trillion USD, debts negative",
    "population_m": "million persons",
    "intensity_gtco2_per_tusd": "Gt CO2 per trillion USD, before mitigation",
    "savings": "fraction of gross output",
    "mitigation": "fraction of emissions",
    "mitigation_mean": "fraction of emissions, mean weighted by output",
    "minimum_mitigation": "fraction of emissions",
    "export_limit": "fraction of gross output",
    "tariff": "fraction of value",
    "tariff_mean": "fraction of value, mean over the other regions",
    "members": "regions",
    "utility": "utility",
    "welfare": "utility, discounted to 2015",
    "temperature_rise_c": "degrees C since the first year",
    "members_last": "regions",
    "climate_index": "0 warmest extreme, 1 coolest",
    "economic_index": "0 poorest extreme, 1 richest",
    "emissions_t": "t CO2e a year, observed",
    "free_allocation_t": "t CO2e a year, observed",
    "year": "calendar year",
    "step": "quarter of the run, from 0",
}
SUFFIXES = {
    "_musd": "million USD of 2011, a year", "_mt": "Mt CO2 a year", "_rate": "fraction", "_share": "fraction",
    "_tusd": "trillion USD, a year", "_gtco2": "Gt CO2 a year", "_gtc": "Gt C", "_c": "degrees C above 1900",
    "_kt": "kt a year", "_eur_per_t": "EUR of 2026 per t", "_eur_per_eur": "fraction", "_t_per_t": "t CO2 per t",
}  # fmt: skip


class OutputError(ValueError):
    """A run directory that cannot be written; one line naming it and the rule."""


def unit_of(column: str, period: str = "a year") -> str:
    """The unit of a column, as Arrow metadata carries it."""
    unit = UNITS.get(column) or next((unit for end, unit in SUFFIXES.items() if column.endswith(end)), "")
    return unit.replace("a year", period)


def fresh_folder(scenario: AnyScenario, parent: Path = Path("runs")) -> Path:
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


def write_table(
    frame: pd.DataFrame, path: Path, period: str = "a year", units: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write a table with the unit of each column in its metadata: from `units`, else by its name and the period."""
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    known = {name: units.get(name) or unit_of(name, period) for name in table.schema.names}
    named = [item.with_metadata({"unit": known[item.name]}) if known[item.name] else item for item in table.schema]
    parquet.write_table(table.cast(arrow.schema(named)), path, compression="zstd")


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays by name as a compressed npz; the same arrays give the same bytes."""
    np.savez_compressed(path, allow_pickle=False, **arrays)


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write JSON with keys in their order; NaN is refused."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_config(scenario: AnyScenario, path: Path, files: Mapping[str, Path] | None = None) -> None:
    """The resolved scenario with versions and the hashes of the data it ran on, and of further files that it read."""
    content = {
        "scenario": scenario.model_dump(mode="json"),
        "carbonray": metadata.version("carbonray"),
        "versions": {name: metadata.version(name) for name in ("torch", "numpy", "pandas", "pyarrow", "networkx")}
        | {"python": platform.python_version()},
        "datasets": HASHES[scenario.world](scenario) | {name: sha256(file) for name, file in (files or {}).items()},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _cbam_hashes(scenario: Scenario) -> dict[str, str]:
    """Of the economy and the list of plants."""
    economy = Path(scenario.economy)
    if economy.is_dir():
        hashes = {f"{economy.name}/{file.name}": sha256(file) for file in sorted(economy.glob("*.parquet"))}
    else:
        hashes = _hashes_in(scenario.economy.replace("-", "_"))
        if not hashes:
            raise DataError(f"{scenario.economy}: no such table")
    plants = scenario.firms.plants
    if plants in BUILT_IN:
        hashes["plants"] = _hash_of("plants")
    elif plants:
        hashes[Path(plants).name] = sha256(Path(plants))
    return hashes


def _negotiation_hashes(scenario: NegotiationScenario) -> dict[str, str]:
    """Of the regions' constants and of a protocol of the user's own."""
    file, function = file_in(scenario.negotiation.protocol)
    own = {Path(file).name: sha256(Path(file))} if function else {}
    return _hashes_in("rice_n") | own


HASHES: Mapping[str, Callable[[Any], dict[str, str]]] = {
    "cbam": _cbam_hashes,
    "climate-negotiation": _negotiation_hashes,
}
"""World -> name and SHA-256 of what a scenario of it reads."""


def _hashes_in(folder: str) -> dict[str, str]:
    """Of the built-in tables of a folder."""
    listed = list_datasets()
    inside = listed["path"].astype(str).str.startswith(f"{folder}/")
    return {name: _hash_of(name) for name in listed["name"][inside]}


def _hash_of(name: str) -> str:
    """Of a built-in table."""
    return str(resource(name)["hash"]).removeprefix("sha256:")


def categories(values: Any, names: tuple[str, ...]) -> "pd.Categorical[Any]":
    """Codes as a dictionary column."""
    return pd.Categorical.from_codes(np.asarray(values), categories=pd.Index(names))
