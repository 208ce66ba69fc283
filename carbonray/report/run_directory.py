"""A run directory, read and checked: config.yaml, summary.json and the Parquet tables.

Tables keep the names and units that the run wrote: Mt CO2, million USD of 2011, fractions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ValidationError

from carbonray.config import Scenario, ScenarioError, by_sector
from carbonray.data.arrow import arrow, parquet
from carbonray.data.scenarios import parse
from carbonray.report.summary_model import Summary

Model = TypeVar("Model", bound=BaseModel)


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
EXPOSURE = (
    "emissions_t", "free_allocation_t", "net_carbon_cost_musd", "cost_share", "output_change_share", "rank",
)  # fmt: skip
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "charges": (
        "year", "region", "sector", "imports_musd", "imports_kt", "charge_musd", "charge_eur_per_eur",
        "charge_eur_per_t", "intensity_t_per_t", "benchmark_t_per_t",
    ),
    "plants": ("year", "plant_id", "plant", "company", "country", "sector", *EXPOSURE),
    "companies": ("year", "company", "plants", *EXPOSURE),
}  # fmt: skip
"""Tables that a run may do without, and what the report reads of them."""
TEXT = (
    "run", "region", "sector", "from_region", "from_sector", "to_region", "to_sector", "plant_id", "plant", "company",
    "country", "importer", "exporter",
)  # fmt: skip
MAY_BE_NULL = (
    "leakage_rate", "leakage_rate_cbam_goods",
    "imports_kt", "charge_eur_per_t", "intensity_t_per_t", "benchmark_t_per_t",
)  # fmt: skip
"""Null where emissions at home do not fall, and where goods are not counted in tonnes."""
MAY_BE_EMPTY = ("hotspots", "charges")
"""Empty where no edge changes, and where no good is covered."""
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
    charges: pd.DataFrame | None = None
    plants: pd.DataFrame | None = None
    companies: pd.DataFrame | None = None

    @property
    def home(self) -> tuple[str, ...]:
        """Regions whose policy it is."""
        return self.scenario.home

    @property
    def covered(self) -> tuple[str, ...]:
        """Sectors with CBAM goods."""
        return tuple(sector for sector, share in self.coverage.items() if share > 0)

    @property
    def plants_named(self) -> int:
        """How many plants the run names."""
        return 0 if self.plants is None else int(self.plants["plant_id"].nunique())

    @property
    def sectors(self) -> tuple[str, ...]:
        """Sectors of the economy."""
        return tuple(self.cells["sector"].unique())

    @property
    def coverage(self) -> Mapping[str, float]:
        """Share of each sector's output that is a CBAM good."""
        return dict(zip(self.sectors, by_sector(self.sectors, self.scenario.policy.coverage, 0.0), strict=True))

    @property
    def priced(self) -> tuple[str, ...]:
        """Sectors that pay the carbon price."""
        pays = by_sector(self.sectors, dict.fromkeys(self.scenario.policy.priced_sectors, True), other=False)
        return tuple(sector for sector, does in zip(self.sectors, pays, strict=True) if does)


def read_run(run_dir: Path) -> Run:
    """Read a run directory.

    Raises:
        ReportError: if a file is missing or not what it should be; one line naming the file and the rule.
    """
    if not run_dir.is_dir():
        raise ReportError(f"{run_dir}: no such run directory")
    config = read_config(run_dir / "config.yaml")
    present = {name: columns for name, columns in OPTIONAL.items() if (run_dir / f"{name}.parquet").exists()}
    wanted = {**COLUMNS, **present}
    tables = {name: read_table(run_dir / f"{name}.parquet", columns) for name, columns in wanted.items()}
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
        summary=read_summary(run_dir / "summary.json", Summary),
        scenario=scenario,
        version=str(config.get("carbonray", "")),
        versions=texts(config.get("versions")),
        datasets=texts(config.get("datasets")),
        files=tuple(describe_table(path) for path in sorted(run_dir.glob("*.parquet"))),
        **tables,
    )


def read_table(path: Path, columns: tuple[str, ...], may_be_null: tuple[str, ...] = MAY_BE_NULL) -> pd.DataFrame:
    """The named columns of a Parquet file; codes as text, numbers finite, or null where they may be.

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
        frame[column] = _checked(path, frame[column], may_be_null)
    return frame


def _checked(path: Path, values: "pd.Series[Any]", may_be_null: tuple[str, ...]) -> "pd.Series[Any]":
    column = str(values.name)
    if column in TEXT:
        if values.isna().any():
            raise ReportError(f"{path}: column {column} row {int(values.isna().argmax())} is empty; a code is needed")
        return values.astype(str)
    if column in may_be_null and values.isna().all():
        return values.astype(float)
    if not pd.api.types.is_numeric_dtype(values):
        raise ReportError(f"{path}: column {column} is not numeric")
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    bad = np.isinf(numbers) if column in may_be_null else ~np.isfinite(numbers)
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


def read_summary(path: Path, model: type[Model]) -> Model:
    """summary.json of a run, checked against the model of its world; ReportError names the key."""
    _require(path)
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is not valid JSON ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ReportError(f"{path}: {key}: {first['msg']}") from None


def read_config(path: Path) -> dict[str, Any]:
    """config.yaml of a run: the resolved scenario, versions and hashes; ReportError if it has no scenario."""
    _require(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: is not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(content, dict) or not isinstance(content.get("scenario"), dict):
        raise ReportError(f"{path}: needs the resolved scenario under the key `scenario`")
    return content


def texts(value: Any) -> dict[str, str]:
    """A mapping as text, empty where there is none."""
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}
