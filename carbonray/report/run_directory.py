"""A run directory, read and checked: config.yaml, summary.json and the Parquet tables.

Tables keep the names and units that the run wrote: Mt CO2, million USD of 2011, fractions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from carbonray.config import Scenario, ScenarioError
from carbonray.data.arrow import arrow, parquet
from carbonray.data.scenarios import parse
from carbonray.report.summary_model import Summary


class ReportError(ValueError):
    """A run directory that cannot be reported on; one line naming the file and the rule."""


COLUMNS: Mapping[str, tuple[str, ...]] = {
    "steps": (
        "replica", "step", "year", "quarter", "home_reduction_mt", "foreign_increase_mt", "leakage_rate",
        "home_reduction_cbam_goods_mt", "foreign_increase_cbam_goods_mt", "leakage_rate_cbam_goods",
    ),
    "cells": (
        "run", "replica", "year", "region", "sector", "output_musd", "emissions_mt", "carbon_cost_musd",
        "free_allocation_musd", "border_charge_musd", "abatement_cost_musd",
    ),
    "flows": ("run", "replica", "year", "from_region", "from_sector", "to_region", "volume_musd", "direct_mt"),
    "hotspots": ("from_region", "from_sector", "to_region", "to_sector", "reference_mt", "policy_mt", "change_mt"),
}  # fmt: skip
"""What the report reads of each table."""
TEXT = ("run", "region", "sector", "from_region", "from_sector", "to_region", "to_sector")
MAY_BE_NULL = ("leakage_rate", "leakage_rate_cbam_goods")
"""Null where emissions at home do not fall."""
MAY_BE_EMPTY = ("hotspots",)
"""Empty where no edge changes."""
RUNS = {"policy", "reference"}


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A Parquet file of the run directory and its columns."""

    name: str
    rows: int
    columns: tuple[tuple[str, str], ...]  # name, unit ("" where the file names none)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run directory holds."""

    path: Path
    summary: Summary
    scenario: Scenario
    version: str
    versions: Mapping[str, str]
    datasets: Mapping[str, str]  # name -> sha256
    steps: pd.DataFrame
    cells: pd.DataFrame
    flows: pd.DataFrame
    hotspots: pd.DataFrame
    files: tuple[TableFile, ...]

    @property
    def home(self) -> tuple[str, ...]:
        """Regions whose policy it is."""
        return self.scenario.home

    @property
    def covered(self) -> tuple[str, ...]:
        """Sectors with CBAM goods."""
        return tuple(sector for sector, share in self.scenario.policy.coverage.items() if share > 0)


def read_run(run_dir: Path) -> Run:
    """Read a run directory.

    Raises:
        ReportError: if a file is missing or not what it should be; one line naming the file and the rule.
    """
    if not run_dir.is_dir():
        raise ReportError(f"{run_dir}: no such run directory")
    config = _config(run_dir / "config.yaml")
    tables = {name: read_table(run_dir / f"{name}.parquet", columns) for name, columns in COLUMNS.items()}
    try:
        scenario = parse(config["scenario"], origin="config.yaml")
    except ScenarioError as error:
        raise ReportError(f"{run_dir / 'config.yaml'}: {str(error).removeprefix('config.yaml: ')}") from None
    for name in ("cells", "flows"):
        missing = RUNS - set(tables[name]["run"])
        if missing:
            raise ReportError(f"{run_dir / name}.parquet: no rows of the {sorted(missing)[0]} run; both are needed")
    unknown = set(scenario.home) - set(tables["cells"]["region"])
    if unknown:
        raise ReportError(f"{run_dir / 'cells.parquet'}: no rows of the home region {sorted(unknown)[0]}")
    return Run(
        path=run_dir,
        summary=_summary(run_dir / "summary.json"),
        scenario=scenario,
        version=str(config.get("carbonray", "")),
        versions=_texts(config.get("versions")),
        datasets=_texts(config.get("datasets")),
        files=tuple(describe_table(path) for path in sorted(run_dir.glob("*.parquet"))),
        **tables,
    )


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """The named columns of a Parquet file; codes as text, numbers finite.

    Raises:
        ReportError: if the file, a column or a number is missing.
    """
    _require(path)
    try:
        schema = parquet.read_schema(path)
        absent = [column for column in columns if column not in schema.names]
        if absent:
            raise ReportError(f"{path}: column {absent[0]} is missing")
        frame: pd.DataFrame = parquet.read_table(path, columns=list(columns)).to_pandas()
    except (arrow.ArrowException, OSError) as error:
        raise ReportError(f"{path}: is not a Parquet file ({str(error).splitlines()[0]})") from None
    if frame.empty and path.stem not in MAY_BE_EMPTY:
        raise ReportError(f"{path}: has no rows")
    for column in columns if len(frame) else ():
        frame[column] = _checked(path, frame[column])
    return frame


def _checked(path: Path, values: "pd.Series[Any]") -> "pd.Series[Any]":
    column = str(values.name)
    if column in TEXT:
        if values.isna().any():
            raise ReportError(f"{path}: column {column} row {int(values.isna().argmax())} is empty; a code is needed")
        return values.astype(str)
    if column in MAY_BE_NULL and values.isna().all():
        return values.astype(float)
    if not pd.api.types.is_numeric_dtype(values):
        raise ReportError(f"{path}: column {column} is not numeric")
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    bad = np.isinf(numbers) if column in MAY_BE_NULL else ~np.isfinite(numbers)
    if bad.any():
        raise ReportError(f"{path}: column {column} row {int(bad.argmax())} is not finite; every number must be")
    return values


def describe_table(path: Path) -> TableFile:
    """Name, rows and columns of a Parquet file, with the units in its metadata."""
    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise ReportError(f"{path}: is not a Parquet file ({str(error).splitlines()[0]})") from None
    columns = tuple((f.name, (f.metadata or {}).get(b"unit", b"").decode()) for f in file.schema_arrow)
    return TableFile(name=path.name, rows=int(file.metadata.num_rows), columns=columns)


def _require(path: Path) -> None:
    if not path.is_file():
        raise ReportError(f"{path}: is missing; a run directory has one")


def _summary(path: Path) -> Summary:
    _require(path)
    try:
        return Summary.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is not valid JSON ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ReportError(f"{path}: {key}: {first['msg']}") from None


def _config(path: Path) -> dict[str, Any]:
    _require(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(content, dict) or not isinstance(content.get("scenario"), dict):
        raise ReportError(f"{path}: needs the resolved scenario under the key `scenario`")
    return content


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}
