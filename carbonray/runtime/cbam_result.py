"""What a run of the CBAM world shows: figures, tables ready to plot, graphs and, where wanted, a run folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd

from carbonray.data.worlds import cell_of_firm
from carbonray.runtime import exposure, outputs, tables
from carbonray.runtime.charges import charges
from carbonray.runtime.inprocess import threads
from carbonray.runtime.pair import Pair
from carbonray.runtime.summary_text import summary_lines
from carbonray.units import QUARTERS


@dataclass(frozen=True)
class Result:
    """A run beside its reference: `summary`, and tables ready to plot."""

    pair: Pair
    summary: dict[str, Any]
    uncertainty: pd.DataFrame | None = None  # a row for each draw of the uncertain parameters
    notices: Sequence[str] = ()
    policy_files: Mapping[str, Path] = field(default_factory=dict)  # weights of the policy that is followed, by name

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

    def lines(self) -> list[str]:
        """What the command line prints: headline figures and, where the scenario names plants, the most exposed."""
        exposed = []
        if self.pair.plants is not None:
            exposed = exposure.exposure_text(self.plants, self.companies).splitlines()
        return [*summary_lines(self.summary), *exposed]

    def write(self, out: str | Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write the run directory; nothing is left behind if it fails.

        Args:
            out: a folder that does not exist.
            finish: called with the written folder before it gets its name; the report is drawn here.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """
        out = Path(out)
        with outputs.whole_folder(out) as draft:
            outputs.write_config(self.pair.scenario, draft / "config.yaml", self.policy_files)
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
