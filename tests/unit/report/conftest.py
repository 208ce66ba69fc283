"""A run directory small enough to compute by hand: two regions, two sectors, one year, one or two replicas."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from carbonray.config import Scenario

HOME, AWAY = "HOM", "FOR"
QUARTERS = 4


def scenario(**changes: Any) -> dict[str, Any]:
    return Scenario.model_validate(
        {
            "name": "small",
            "summary": "A price at home.",
            "economy": "tables/small",
            "start_year": 2030,
            "years": 1,
            "home": [HOME],
            "policy": {"priced_sectors": ["MET"], "coverage": {"MET": 0.5}},
        }
        | changes
    ).model_dump(mode="json")


def uncertainty() -> dict[str, Any]:
    """Twenty draws of two parameters; one failed, and the rate of CBAM goods is decided by the second."""
    rates = {"leakage_rate": (0.06, 0.1, 0.14), "leakage_rate_cbam_goods": (0.2, 0.25, 0.3)}
    shares = {"leakage_rate": (0.7, 0.2), "leakage_rate_cbam_goods": (0.1, 0.8)}
    names = ("sigma_scale", "incidence")
    return {
        "draws": 20, "firms": 4, "failed": 1, "failures": [{"draw": 3, "reason": "the market did not clear"}],
        "base": {"leakage_rate": 0.1, "leakage_rate_cbam_goods": None},
        "intervals": {rate: dict(zip(("low", "median", "high"), values, strict=True)) | {"count": 19}
                      for rate, values in rates.items()} | {"leakage_rate_final_year": None},
        "ranking": [
            {"figure": rate, "r2": sum(values), "chance": 0.05, "parameters": [
                {"name": name, "share": share, "correlation": None}
                for share, name in sorted(zip(values, names, strict=True), reverse=True)]}
            for rate, values in shares.items()],
        "parameters": [
            {"name": name, "key": f"market.{name}", "words": words, "low": 0.7, "mode": 1.0, "high": None,
             "distribution": "triangular", "source": "a book", "tag": "recall"}
            for name, words in zip(names, ("trade elasticities", "share that exporters bear"), strict=True)],
    }  # fmt: skip


def summary(**changes: Any) -> dict[str, Any]:
    found = {
        "scenario": "small", "world": "cbam", "years": [2030, 2030], "n_firms": 4, "replicas": 1, "seed": 0,
        "leakage_rate": 0.1, "leakage_rate_cbam_goods": 0.25, "leakage_rate_final_year": 0.1,
        "leakage_rate_cbam_goods_final_year": 0.25, "undefined_reason": None, "home_reduction_mt": 40.0,
        "foreign_increase_mt": 4.0, "leaked_mt": 4.0, "leaked_mt_cbam_goods": 2.0, "output_change_share": -0.05,
        "leakage_rate_by_sector": {"MET": 0.25, "SRV": 1.0}, "output_change_by_sector": {"MET": -0.05, "SRV": 0.01},
        "foreign_increase_by_partner_mt": {AWAY: 4.0}, "exports_change_by_sector": {"MET": -0.5, "SRV": None},
        "channels": {"production_mt": -1.0, "sourcing_mt": 5.0, "intensity_mt": 0.0},
        "revenue_musd": {"carbon_price": 3000.0, "free_allocation": 1000.0, "border_charge": 500.0},
        "oracle": {"leakage_rate": 0.12, "leakage_rate_cbam_goods": 0.2, "leakage_rate_with_fuel_channel": 0.3,
                   "leakage_rate_without_electricity": None},
        "sensitivity": [{"sigma_scale": s, "factor_supply": 2.0, "leakage_rate": s / 10,
                         "leakage_rate_cbam_goods": s / 5} for s in (0.5, 1.0)],
        "ablation": [{"without": "nothing", "leakage_rate": 0.1, "leakage_rate_cbam_goods": 0.25,
                      "home_reduction_mt": 40.0, "supply_shortfall_share": 0.0},
                     {"without": "sourcing", "leakage_rate": -0.02, "leakage_rate_cbam_goods": None,
                      "home_reduction_mt": 39.0, "supply_shortfall_share": 0.001}],
        "uncertainty": uncertainty(),
        "intervals": {}, "wall_seconds": 0.5, "firm_steps": 32, "firm_steps_per_second": 64.0,
        "peak_memory_mib": 100.0,
    }  # fmt: skip
    return found | changes


def steps(*, replicas: int = 1, falls: bool = True) -> pd.DataFrame:
    """Home falls by 0.5, 9.5, 15, 15 Mt a quarter and a tenth of that leaks; replica r adds r times 0.1 Mt abroad."""
    rows = []
    for replica in range(replicas):
        for step, home in enumerate((0.5, 9.5, 15.0, 15.0) if falls else (0.0,) * QUARTERS):
            abroad = home / 10 + 0.1 * replica
            rows.append(
                {
                    "replica": replica, "step": step, "year": 2030, "quarter": step + 1, "home_reduction_mt": home,
                    "foreign_increase_mt": abroad, "leakage_rate": abroad / home if falls else None,
                    "home_reduction_cbam_goods_mt": home / 5, "foreign_increase_cbam_goods_mt": abroad / 2,
                    "leakage_rate_cbam_goods": abroad / home * 2.5 if falls else None,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def cells() -> pd.DataFrame:
    emissions = {  # policy, reference
        (HOME, "MET"): (92.0, 100.0), (HOME, "SRV"): (68.0, 100.0), (AWAY, "MET"): (302.0, 300.0),
        (AWAY, "SRV"): (202.0, 200.0),
    }  # fmt: skip
    rows = [
        {
            "run": run, "replica": 0, "year": 2030, "region": region, "sector": sector, "output_musd": 1000.0,
            "emissions_mt": mt[at], "price_index": 1.0, "profit_musd": 0.0,
            "carbon_cost_musd": 3000.0 if (run, region, sector) == ("policy", HOME, "MET") else 0.0,
            "free_allocation_musd": 1000.0 if (run, region, sector) == ("policy", HOME, "MET") else 0.0,
            "border_charge_musd": 500.0 if (run, region, sector) == ("policy", AWAY, "MET") else 0.0,
            "abatement_cost_musd": 0.0, "value_added_musd": 400.0,
        }
        for at, run in enumerate(("policy", "reference"))
        for (region, sector), mt in emissions.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def flows() -> pd.DataFrame:
    volumes = {  # policy, reference; million USD
        (HOME, "MET", HOME): (8000.0, 9000.0), (HOME, "MET", AWAY): (1000.0, 2000.0),
        (AWAY, "MET", HOME): (3300.0, 3000.0), (AWAY, "MET", AWAY): (9000.0, 9000.0),
        (AWAY, "SRV", HOME): (7000.0, 100.0),
    }  # fmt: skip
    rows = [
        {
            "run": run, "replica": 0, "year": 2030, "from_region": origin, "from_sector": sector,
            "to_region": destination, "volume_musd": volume[at], "value_musd": volume[at],
            "border_charge_musd": 0.0, "direct_mt": 1.0,
        }
        for at, run in enumerate(("policy", "reference"))
        for (origin, sector, destination), volume in volumes.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def hotspots() -> pd.DataFrame:
    edges = [(HOME, "MET", HOME, "SRV", -9.0), (HOME, "SRV", HOME, "final", -5.0), (AWAY, "MET", HOME, "SRV", 2.0),
             (AWAY, "SRV", AWAY, "final", -1.0)]  # fmt: skip
    names = ["from_region", "from_sector", "to_region", "to_sector", "change_mt"]
    return pd.DataFrame(edges, columns=names).assign(reference_mt=20.0, policy_mt=lambda t: 20.0 + t.change_mt)


def charges() -> pd.DataFrame:
    """Two years of one good from one origin: 40 kt at 500 EUR/t paying a tenth of their value, then a fifth."""
    years = pd.DataFrame({"year": [2030, 2031], "share": [0.1, 0.2]})
    return pd.DataFrame(
        {
            "year": years["year"], "region": AWAY, "sector": "MET", "imports_musd": 20.0, "imports_kt": 40.0,
            "charge_musd": 20.0 * years["share"], "charge_eur_per_eur": years["share"],
            "charge_eur_per_t": 500.0 * years["share"], "intensity_t_per_t": 2.0, "benchmark_t_per_t": 1.0,
        }
    )  # fmt: skip


def plants() -> pd.DataFrame:
    """Two plants of one company in one year."""
    return pd.DataFrame(
        {
            "year": 2030, "plant_id": ["XX_1", "XX_2"], "plant": ["Works One", "Works Two"], "company": "Metal plc",
            "country": "XX", "sector": "MET", "emissions_t": [2e6, 1e6], "free_allocation_t": [1e6, 1e6],
            "net_carbon_cost_musd": [75.0, 5.0], "cost_share": [0.05, 0.01], "output_change_share": [-0.02, 0.01],
            "rank": [1, 2],
        }
    )  # fmt: skip


WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run directory; tables, `summary` keys and `scenario` keys can be replaced."""

    def write(
        name: str = "run",
        *,
        summary_changes: dict[str, Any] | None = None,
        scenario_changes: dict[str, Any] | None = None,
        **tables: pd.DataFrame,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        content = summary(**(summary_changes or {}))
        (folder / "summary.json").write_text(json.dumps(content), encoding="utf-8")
        config = {
            "scenario": scenario(**(scenario_changes or {})), "carbonray": "0.1.0", "versions": {"numpy": "2"},
            "datasets": {"small": "ab12"},
        }  # fmt: skip
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        written = {"steps": steps(), "cells": cells(), "flows": flows(), "hotspots": hotspots()}
        written |= {"charges": charges().iloc[:1]} | tables
        for table, frame in written.items():
            frame.to_parquet(folder / f"{table}.parquet", index=False)
        return folder

    return write


@pytest.fixture
def run_dir(write_run: WriteRun) -> Path:
    return write_run()


@pytest.fixture
def made() -> SimpleNamespace:
    """The functions that make the tables and the summary of a run."""
    return SimpleNamespace(
        steps=steps, cells=cells, flows=flows, hotspots=hotspots, summary=summary, charges=charges, plants=plants
    )


class Page(HTMLParser):
    """Text outside scripts, and the attributes of every tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._quiet = False
        self.feed(self.html)
        self.text = re.sub(r"\s+", " ", self.text.replace("\u00a0", " "))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._quiet = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._quiet = self._quiet and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._quiet else data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page_of() -> type[Page]:
    """What a reader sees of an HTML file."""
    return Page
