"""Simulate a scenario beside its reference, and keep what it shows: figures, tables and, where wanted, a run folder."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd

from carbonray.config import Scenario, ScenarioError
from carbonray.data.scenarios import load
from carbonray.data.worlds import cell_of_firm, economy_of
from carbonray.runtime import exposure, outputs, robustness, tables
from carbonray.runtime import uncertainty as intervals
from carbonray.runtime.charges import charges
from carbonray.runtime.equilibrium import static_leakage, without_counterpart
from carbonray.runtime.inprocess import threads
from carbonray.runtime.pair import Pair, run
from carbonray.units import QUARTERS

Progress = Callable[[str, int, int], None]


def silent(task: str, done: int, of: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class Result:
    """A run beside its reference: `summary`, and tables ready to plot."""

    pair: Pair
    summary: dict[str, Any]
    uncertainty: pd.DataFrame | None = None  # a row for each draw of the uncertain parameters

    def __repr__(self) -> str:
        first, last = self.summary["years"]
        rate = self.summary["leakage_rate"]
        shown = "undefined" if rate is None else f"{rate:.2%}"
        return f"<Result of {self.summary['scenario']}, {first}-{last}: leakage {shown}; see .summary and its tables>"

    @cached_property
    def steps(self) -> pd.DataFrame:
        """Leakage by quarter."""
        return tables.steps(self.pair)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Accounts by cell and year."""
        return tables.cells(self.pair)

    @cached_property
    def flows(self) -> pd.DataFrame:
        """Trade by product, destination and year."""
        return tables.flows(self.pair)

    @cached_property
    def charges(self) -> pd.DataFrame:
        """What home imports of covered goods pay at the border, per tonne and per euro."""
        return charges(self.pair)

    @cached_property
    def firms(self) -> pd.DataFrame:
        """Firms by year."""
        return tables.firms(self.pair)

    @cached_property
    def hotspots(self) -> pd.DataFrame:
        """Edges that carry most of the change in embodied carbon."""
        with threads(1):
            return tables.hotspots(self.pair)

    @cached_property
    def network(self) -> pd.DataFrame:
        """Measures of the supply graph by cell."""
        with threads(1):
            return tables.network(self.pair.economy, self.pair.scenario.home, self.pair.world.covered_sectors)

    @cached_property
    def plants(self) -> pd.DataFrame:
        """Exposure of each named plant by year; ValueError if the scenario names none."""
        return exposure.plant_years(self.pair)

    @cached_property
    def companies(self) -> pd.DataFrame:
        """The same by company."""
        return exposure.company_years(self.plants)

    @cached_property
    def cell_graph(self) -> "nx.DiGraph[str]":
        """The supply graph of the base year, supplier -> customer, weights in million USD a year."""
        from carbonray.network.graph import cell_graph

        return cell_graph(self.pair.economy)

    def firm_graph(self) -> "nx.DiGraph[int]":
        """Named suppliers of every firm, supplier -> customer.

        Raises:
            ValueError: above 50,000 firms; `pair.graph` has the edge arrays of any size.
        """
        from carbonray.network.edges import SupplyEdges
        from carbonray.network.graph import firm_graph

        pair = self.pair
        edges = SupplyEdges(product=pair.graph.product.numpy().T, supplier=pair.graph.supplier.numpy())
        size = pair.world.firms.size.cpu().numpy() * QUARTERS
        return firm_graph(pair.economy, cell_of_firm(pair.economy, pair.scenario, pair.plants), size, edges)

    def write(self, out: Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write the run directory; nothing is left behind if it fails.

        Args:
            out: a folder that does not exist.
            finish: called with the written folder before it gets its name; the report is drawn here.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """
        with outputs.whole_folder(out) as draft:
            outputs.write_config(self.pair.scenario, draft / "config.yaml")
            outputs.write_json(self.summary, draft / "summary.json")
            outputs.write_table(self.steps, draft / "steps.parquet", "a quarter")
            for name in ("cells", "flows", "charges", "firms", "hotspots", "network"):
                outputs.write_table(getattr(self, name), draft / f"{name}.parquet")
            if self.uncertainty is not None:
                outputs.write_table(self.uncertainty, draft / "uncertainty.parquet")
            if self.pair.plants is not None:
                outputs.write_table(self.plants, draft / "plants.parquet")
                outputs.write_table(self.companies, draft / "companies.parquet")
            finish(draft)
        return out


def simulate(
    target: str | Scenario = "law",
    *,
    firms: int | None = None,
    years: int | None = None,
    replicas: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
    settings: Sequence[str] = (),
    robust: bool = True,
    uncertainty: int | None = None,
    progress: Progress = silent,
) -> Result:
    """Simulate a scenario beside its reference run.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        firms: number of firms.
        years: number of years.
        replicas: independent draws of the firms.
        seed: of every random number.
        device: `cpu` or `cuda`.
        settings: `KEY=VALUE` overrides of any key of the scenario.
        robust: whether the ablation, the sensitivity and the oracle are computed beside the run.
        uncertainty: draws of the uncertain parameters, for intervals; 24 if `robust`, else none, if left out.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario cannot be run.
        DataError: if its economy is not in order.
    """
    scenario = load_target(target, settings, firms=firms, years=years, replicas=replicas, seed=seed)
    check_device(device)
    number = draws_of(uncertainty, robust=robust)
    economy = economy_of(scenario)
    started = time.perf_counter()
    pair = run(scenario, economy=economy, device=device, progress=lambda done, of: progress("simulating", done, of))
    wall = time.perf_counter() - started
    found = robustness.summary_of(pair)
    draws = None
    if not pair.interrupted:
        try:
            beside, draws = _beside(pair, progress, robust=robust, draws=number)
            found |= beside
        except KeyboardInterrupt:
            found["interrupted"] = True
    return Result(pair=pair, summary=_headline(pair) | found | _speed(pair, wall), uncertainty=draws)


def draws_of(asked: int | None, *, robust: bool) -> int:
    """Draws of the uncertain parameters.

    Raises:
        ScenarioError: if fewer than none are asked for.
    """
    if asked is None:
        return intervals.DRAWS if robust else 0
    if asked < 0:
        raise ScenarioError(f"--uncertainty {asked}: give the number of draws, 0 for none")
    return asked


def _beside(pair: Pair, progress: Progress, *, robust: bool, draws: int) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """What is computed beside a run; draws run in processes of their own meanwhile."""
    if draws == 0:
        return _robustness(pair.scenario, pair, progress) if robust else {}, None
    with intervals.begun(pair.scenario, economy=pair.economy, draws=draws) as finish:
        found = _robustness(pair.scenario, pair, progress) if robust else {}
        drawn = finish(progress)
    return found | {"uncertainty": drawn.summary}, drawn.table


def load_target(target: str | Scenario, settings: Sequence[str] = (), **changes: Any) -> Scenario:
    """The scenario that a target names, with changes."""
    changes = {"firms.number" if key == "firms" else key: value for key, value in changes.items()}
    if isinstance(target, str):
        return load(target, settings, **changes)
    given = {key: value for key, value in changes.items() if value is not None}
    if settings or given:
        raise ScenarioError(f"{target.name}: change a Scenario with model_copy, or give its name or file")
    return target


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        ScenarioError: naming it.
    """
    import torch

    if device not in ("cpu", "cuda"):
        raise ScenarioError(f"--device {device}: choose cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ScenarioError("--device cuda: no CUDA device is available to torch here; use cpu")


def _robustness(scenario: Scenario, pair: Pair, progress: Progress) -> dict[str, Any]:
    with threads(1):
        return _parts(scenario, pair, progress)


def _parts(scenario: Scenario, pair: Pair, progress: Progress) -> dict[str, Any]:
    rows = []
    parts = 4

    def tell(part: str) -> None:
        rows.append(part)
        progress("testing what matters", len(rows) - 1, parts + 1)

    found = robustness.ablation(scenario, pair.economy, tell)
    progress("testing what matters", parts, parts + 1)
    extra: dict[str, Any] = {}
    if not without_counterpart(scenario):
        extra["oracle"] = robustness.oracle(scenario, pair.economy)
        extra["sensitivity"] = robustness.sensitivity(scenario, pair.economy)
    extra |= {
        "ablation": found,
        "ablation_firms": min(scenario.firms.number, robustness.ABLATION_FIRMS),
        "stress": robustness.stress(scenario, pair.economy).model_dump(mode="json"),
    }
    progress("testing what matters", parts + 1, parts + 1)
    return extra


def _headline(pair: Pair) -> dict[str, Any]:
    scenario = pair.scenario
    years = len(pair.policy.volume)
    return {
        "scenario": scenario.name,
        "world": scenario.world,
        "years": [scenario.start_year, scenario.start_year + years - 1],
        "n_firms": len(pair.world.firms.size),
        "replicas": scenario.replicas,
        "seed": scenario.seed,
        "interrupted": pair.interrupted,
    }


def _speed(pair: Pair, wall: float) -> dict[str, Any]:
    scenario = pair.scenario
    firm_steps = 2 * len(pair.world.firms.size) * scenario.replicas * len(pair.policy.volume) * QUARTERS
    return {
        "wall_seconds": wall,
        "firm_steps": firm_steps,
        "firm_steps_per_second": firm_steps / wall,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


TIMINGS = ("wall_seconds", "firm_steps_per_second", "peak_memory_mib")
"""Keys of summary.json that differ between two runs with the same seed."""


def equilibrium(
    target: str | Scenario = "test-arm",
    *,
    year: int | None = None,
    settings: Sequence[str] = (),
    uncertainty: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The static oracle of a scenario: figures, and the table `cells` as a DataFrame.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        year: whose policy; the scenario's last if left out.
        settings: `KEY=VALUE` overrides.
        uncertainty: draws of the uncertain parameters; their intervals and ranking are under `uncertainty`.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if the scenario cannot be solved.
    """
    scenario = load_target(target, settings)
    number = draws_of(uncertainty, robust=False)
    with threads(1):
        found = static_leakage(scenario, year)
    if number:
        drawn = intervals.measure(scenario, draws=number, run=False, year=year, progress=progress)
        found["uncertainty"] = drawn.summary
    return found | {"cells": pd.DataFrame(found["cells"])}
