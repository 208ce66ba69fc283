"""A negotiation run small enough to compute by hand: 27 regions that are all alike, three of them members."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from carbonray.config_climate import REGIONS, NegotiationScenario

MEMBERS = ("R2", "R3", "R30")
RUNS = ("policy", "reference")
WriteRun = Callable[..., Path]


def scenario(**changes: Any) -> dict[str, Any]:
    content = {"name": "three", "summary": "Three join.", "negotiation": {"protocol": "club"}} | changes
    return NegotiationScenario.model_validate(content).model_dump(mode="json")


def regions(members: Sequence[str] = MEMBERS, *, replicas: int = 1, last: int = 2115) -> pd.DataFrame:
    """In the reference each region makes 1, consumes 0.5, imports 0.2 and emits 1 a year; nothing flows in 2015.

    With the agreement members make 0.9, consume 0.45, import 0.1 and emit 0.6, others make 1.1 and emit 1.05; replica
    r consumes r tenths more in both runs.
    """
    rows = []
    for run in RUNS:
        for replica in range(replicas):
            for year in range(2015, last + 1, 5):
                flows = float(year > 2015)
                for region in REGIONS:
                    bound = run == "policy" and region in members and year > 2015
                    freed = run == "policy" and bool(members) and not bound
                    rows.append(
                        {
                            "run": run, "replica": replica, "year": year, "region": region,
                            "output_tusd": flows * (0.9 if bound else 1.1 if freed else 1.0),
                            "consumption_tusd": flows * ((0.45 if bound else 0.5) + 0.1 * replica),
                            "emissions_gtco2": flows * (0.6 if bound else 1.05 if freed else 1.0),
                            "imports_tusd": flows * (0.1 if bound else 0.2), "mitigation": 0.4 * bound,
                            "minimum_mitigation": 0.4 * bound, "tariff_mean": 0.2 * bound, "member": bound,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def years(table: pd.DataFrame) -> pd.DataFrame:
    """Sums of `regions`; a century warms by 3 K with the agreement and by 4 without, replica r by r tenths more."""
    flows = ["output_tusd", "consumption_tusd", "emissions_gtco2", "imports_tusd"]
    sums = table.groupby(["run", "replica", "year"])[flows].sum().reset_index()
    joined = table.loc[table["run"] == "policy", "member"].any()
    warming = sums["run"].map({"policy": 3.0 if joined else 4.0, "reference": 4.0}) + 0.1 * sums["replica"]
    return sums.assign(temperature_c=0.85 + warming * (sums["year"] - 2015) / 100)


def trade(members: Sequence[str] = MEMBERS, *, last: int = 2115) -> pd.DataFrame:
    """A tariff of a fifth of members on others from the second step on."""
    return pd.DataFrame(
        {
            "run": run, "year": year, "importer": importer, "exporter": exporter, "imports_tusd": 0.2 / 26,
            "tariff": 0.2 if run == "policy" and year > 2020 and importer in members and exporter not in members
            else 0.0,
        }
        for run in RUNS for year in range(2020, last + 1, 5)
        for importer in REGIONS for exporter in REGIONS if importer != exporter
    )  # fmt: skip


def summary(**changes: Any) -> dict[str, Any]:
    found = {
        "scenario": "three", "world": "climate-negotiation", "protocol": "club", "behaviour": "constant",
        "years": [2015, 2115], "n_regions": 27, "replicas": 1, "seed": 0, "interrupted": False,
        "temperature_c": 3.85, "temperature_reference_c": 4.85, "temperature_rise_c": 3.0,
        "emissions_gtco2": 2700.0, "emissions_reference_gtco2": 3000.0, "output_tusd": 582.0,
        "output_reference_tusd": 540.0, "consumption_tusd": 267.3, "consumption_reference_tusd": 270.0,
        "imports_tusd": 102.0, "imports_reference_tusd": 108.0, "welfare": 49.0, "welfare_reference": 50.0,
        "members_last": 3.0, "abatement_members_gtco2": 120.0, "rise_others_gtco2": 60.0, "leakage_rate": 0.5,
        "undefined_reason": None, "climate_index": 0.6, "economic_index": 0.5, "climate_index_reference": 0.3,
        "economic_index_reference": 0.55, "intervals": {}, "actions_file": None,
        "index_bounds": {"temperature_best_c": 2.1, "temperature_worst_c": 7.9, "output_worst_tusd": 600.0,
                         "output_best_tusd": 9700.0},
        "switches": [
            {"switch": "tariff_revenue", "value": "returned", "temperature_change_c": 0.0, "welfare_change": 0.5,
             "consumption_change_share": 0.02},
            {"switch": "rates", "value": "full", "temperature_change_c": -0.25, "welfare_change": -12.0,
             "consumption_change_share": None},
        ],
        "wall_seconds": 0.5, "region_steps": 1080, "region_steps_per_second": 2160.0, "peak_memory_mib": 300.0,
    }  # fmt: skip
    return found | changes


SAME = {
    "temperature_c": 4.85, "emissions_gtco2": 3000.0, "output_tusd": 540.0, "consumption_tusd": 270.0,
    "imports_tusd": 108.0, "welfare": 50.0, "members_last": 0.0, "abatement_members_gtco2": 0.0,
    "rise_others_gtco2": 0.0, "leakage_rate": None, "climate_index": 0.3, "economic_index": 0.55,
    "undefined_reason": "no region is ever a member, so no emissions can leak",
}  # fmt: skip
"""Keys of the summary of a run in which nobody joins."""


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run directory; its members, replicas, last year, tables and keys can be changed."""

    def write(
        name: str = "run",
        *,
        members: Sequence[str] = MEMBERS,
        replicas: int = 1,
        last: int = 2115,
        summary_changes: dict[str, Any] | None = None,
        scenario_changes: dict[str, Any] | None = None,
        **tables: pd.DataFrame,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        known = {"replicas": replicas, "years": [2015, last]} | (summary_changes or {})
        (folder / "summary.json").write_text(json.dumps(summary(**known)), encoding="utf-8")
        config = {
            "scenario": scenario(**{"replicas": replicas} | (scenario_changes or {})), "carbonray": "0.1.0",
            "versions": {"numpy": "2"}, "datasets": {"rice_n": "ab12"},
        }  # fmt: skip
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        by_region = regions(members, replicas=replicas, last=last)
        written = {"regions": by_region, "years": years(by_region), "trade": trade(members, last=last)} | tables
        for table, frame in written.items():
            frame.to_parquet(folder / f"{table}.parquet", index=False)
        return folder

    return write


@pytest.fixture
def made() -> SimpleNamespace:
    """The functions that make the tables and the summary of a run."""
    return SimpleNamespace(regions=regions, years=years, trade=trade, summary=summary, members=MEMBERS, same=SAME)
