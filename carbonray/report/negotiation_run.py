"""A run directory of the climate negotiation, read and checked: config.yaml, summary.json and the Parquet tables.

Tables keep the names and units that the run wrote: trillion USD a year, Gt CO2 a year, fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from carbonray.config import ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.data.scenarios import parse
from carbonray.report.negotiation_summary import NegotiationSummary
from carbonray.report.run_directory import (
    RUNS,
    ReportError,
    TableFile,
    describe_table,
    read_config,
    read_summary,
    read_table,
    texts,
)

WORLD = "climate-negotiation"
SAME_DEGREES = 0.005
"""Degrees C under which two temperatures are the same to a reader."""
SAME_SHARE = 5e-5
"""Relative difference under which two figures are."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "years": (
        "run", "replica", "year", "temperature_c", "emissions_gtco2", "output_tusd", "consumption_tusd",
        "imports_tusd",
    ),
    "regions": (
        "run", "replica", "year", "region", "output_tusd", "consumption_tusd", "emissions_gtco2", "mitigation",
        "minimum_mitigation", "imports_tusd", "tariff_mean", "member",
    ),
    "trade": ("run", "year", "importer", "exporter", "imports_tusd", "tariff"),
}  # fmt: skip
"""What the report reads of each table."""


@dataclass(frozen=True, kw_only=True)
class NegotiationRun:
    """What a run directory of the negotiation holds."""

    path: Path
    summary: NegotiationSummary
    scenario: NegotiationScenario
    version: str
    versions: Mapping[str, str]
    datasets: Mapping[str, str]  # name -> sha256
    years: pd.DataFrame
    regions: pd.DataFrame
    trade: pd.DataFrame
    files: tuple[TableFile, ...]

    @property
    def negotiates(self) -> bool:
        """Whether an agreement can bind anybody; otherwise the run is its own reference."""
        return self.scenario.negotiation.protocol != "none" and self.scenario.negotiation.binding

    @property
    def replays(self) -> bool:
        """Whether recorded actions are replayed."""
        return self.summary.actions_file is not None

    @property
    def same(self) -> bool:
        """Whether the run and its reference differ in nothing that a reader sees."""
        told = self.summary
        pairs = (
            (told.emissions_gtco2, told.emissions_reference_gtco2),
            (told.consumption_tusd, told.consumption_reference_tusd),
            (told.output_tusd, told.output_reference_tusd),
        )
        return abs(told.temperature_c - told.temperature_reference_c) < SAME_DEGREES and all(
            abs(here - there) < SAME_SHARE * abs(there) for here, there in pairs
        )

    @property
    def last(self) -> int:
        """The last year."""
        return int(self.years["year"].max())

    @property
    def years_a_step(self) -> int:
        """Years from one step to the next."""
        first, second = sorted(self.years["year"].unique())[:2]
        return int(second - first)

    @property
    def membership(self) -> "pd.Series[float]":
        """[region] share of the replicas in which a region is a member in the last year; regions by number."""
        rows = self.regions[(self.regions["run"] == "policy") & (self.regions["year"] == self.last)]
        shares = rows.groupby("region")["member"].mean()
        return shares.loc[sorted(shares.index, key=by_number)]

    @property
    def members(self) -> list[str]:
        """Regions that are members in the last year, in at least half of the replicas."""
        return [str(region) for region, share in self.membership.items() if share >= 0.5]

    @property
    def others(self) -> list[str]:
        """Regions that are not."""
        return [str(region) for region, share in self.membership.items() if share < 0.5]


def by_number(name: object) -> tuple[str, int, str]:
    """Sorting key of region names: R2 before R11."""
    text = str(name)
    head = text.rstrip("0123456789")
    return head, int(text[len(head) :] or 0), text


def read_negotiation_run(run_dir: Path) -> NegotiationRun:
    """Read a run directory of the negotiation.

    Raises:
        ReportError: if a file is missing or not what it should be; one line naming the file and the rule.
    """
    if not run_dir.is_dir():
        raise ReportError(f"{run_dir}: no such run directory")
    config = read_config(run_dir / "config.yaml")
    world = config["scenario"].get("world")
    if world != WORLD:
        raise ReportError(f"{run_dir / 'config.yaml'}: scenario.world is {world}; this report is for {WORLD}")
    tables = {name: read_table(run_dir / f"{name}.parquet", columns) for name, columns in COLUMNS.items()}
    for name, table in tables.items():
        missing = RUNS - set(table["run"])
        if missing:
            raise ReportError(f"{run_dir / name}.parquet: no rows of the {sorted(missing)[0]} run; both are needed")
    if tables["years"]["year"].nunique() < 2:
        raise ReportError(f"{run_dir / 'years.parquet'}: has only its first year; a report needs a step of the run")
    keys = ["run", "replica", "year"]
    if set(tables["years"].value_counts(keys).index) != set(tables["regions"].value_counts(keys).index):
        raise ReportError(f"{run_dir / 'regions.parquet'}: has other runs, replicas or years than years.parquet")
    for name, key in (("years", keys), ("regions", [*keys, "region"])):
        if tables[name].duplicated(key).any():
            raise ReportError(f"{run_dir / name}.parquet: has rows twice; {', '.join(key)} tell them apart")
    if len(tables["regions"]) != len(tables["years"]) * tables["regions"]["region"].nunique():
        raise ReportError(f"{run_dir / 'regions.parquet'}: lacks rows; every region needs one in every year")
    try:
        scenario = parse(config["scenario"], origin=str(run_dir / "config.yaml"), kind=NegotiationScenario)
    except ScenarioError as error:
        raise ReportError(str(error)) from None
    return NegotiationRun(
        path=run_dir,
        summary=read_summary(run_dir / "summary.json", NegotiationSummary),
        scenario=scenario,
        version=str(config.get("carbonray", "")),
        versions=texts(config.get("versions")),
        datasets=texts(config.get("datasets")),
        files=tuple(describe_table(path) for path in sorted(run_dir.glob("*.parquet"))),
        **tables,
    )
