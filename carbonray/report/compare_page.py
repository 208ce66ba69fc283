"""Several runs of the climate negotiation side by side: one table, the hypervolume of the set, and a page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pandas as pd

from carbonray.report import tables
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.compare_figures import bars_with_room, changes, plane, temperature, with_room
from carbonray.report.compare_plane import plane_png, plane_spec
from carbonray.report.compare_runs import ComparedRun, beside_protocol, read_runs, table_of, volume
from carbonray.report.compare_tables import (
    cards,
    differences_table,
    figures_table,
    indices_table,
    plane_table,
    runs_table,
    text_rows,
)
from carbonray.report.compare_words import few, headline, warning
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.interactive import Json
from carbonray.report.page import Drawn
from carbonray.report.stills import png
from carbonray.report.tables import Table
from carbonray.runtime.outputs import whole_folder, write_table


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison found, and where it is written."""

    runs: tuple[ComparedRun, ...]
    table: pd.DataFrame  # one row a run, `compare_runs.table_of`
    hypervolume: float  # of the set, share of the plane between the extremes
    out: Path

    def __repr__(self) -> str:
        names = few([run.name for run in self.runs])
        return f"<Comparison of {names}: hypervolume {self.hypervolume:.3f}; see .table and .report>"

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / "report.html"

    def lines(self) -> list[str]:
        """The table, the findings and the place of the page, as lines of text."""
        first, last = self.runs[0].summary.years
        many = f"{len(self.runs)} runs" if len(self.runs) > 1 else "1 run"
        said = headline(self.table, self.hypervolume, last)
        beside = warning(beside_protocol(self.runs))
        return [
            f"{many} of the climate negotiation, {first}-{last}",
            *(f"  {row}" for row in text_rows(self.table, last)),
            *(f"  {sentence}".replace("\u00a0", " ") for sentence in [*([beside] if beside else []), *said]),
            f"report: {self.report}",
        ]


UNITS = {"emissions_gtco2": "Gt CO2, sum of the years"}
"""Units of the table that are not those of a sum over the activity steps."""


def fresh_folder(parent: Path = Path("runs")) -> Path:
    """The first free `runs/compare-N`."""
    number = 1
    while (parent / f"compare-{number}").exists():
        number += 1
    return parent / f"compare-{number}"


def compare(runs: str | Path | Sequence[str | Path], out: str | Path | None = None) -> Comparison:
    """Compare run directories of the climate negotiation and write a folder with the table, the page and figures.

    Args:
        runs: run directories, at least one; a bare text or path is that one run.
        out: a folder that does not exist; the first free runs/compare-N if left out.

    Raises:
        ReportError: if the runs cannot be compared; one line naming the folder or file.
        OutputError: if the folder exists or cannot be written.
    """
    given = [runs] if isinstance(runs, str | Path) else runs
    found = read_runs([Path(run) for run in given])
    comparison = Comparison(
        runs=found, table=table_of(found), hypervolume=volume(found), out=fresh_folder() if out is None else Path(out)
    )
    with whole_folder(comparison.out) as draft:
        write_table(comparison.table, draft / "comparison.parquet", "summed over the activity steps", UNITS)
        drawn = draw(comparison)
        stills = {key: item[1] for key, item in drawn.items() if not isinstance(item, LeftOut)}
        page = render(comparison, {key: item if isinstance(item, LeftOut) else item[0] for key, item in drawn.items()})
        write_page(draft, page, stills, drawn)
    return comparison


def draw(comparison: Comparison) -> dict[str, tuple[Drawn, bytes] | LeftOut]:
    """Every figure with its PNG, by its key, or why it is left out."""
    runs, table = comparison.runs, comparison.table
    warming, squares, bars = temperature(runs, table), plane(runs, table), changes(table)
    found: dict[str, tuple[Drawn, bytes] | LeftOut] = {
        "indices": _drawn(squares, plane_spec(squares), plane_png(squares), plane_table(squares)),
        "temperature": _drawn(warming, with_room(warming), png(warming), tables.of_chart(warming)),
    }
    found["changes"] = (
        bars if isinstance(bars, LeftOut) else _drawn(bars, bars_with_room(bars), png(bars), tables.of_chart(bars))
    )
    return found


def _drawn(chart: Chart, drawing: Json, picture: bytes, numbers: Table) -> tuple[Drawn, bytes]:
    still = "data:image/png;base64," + base64.b64encode(picture).decode()
    return Drawn(chart=chart, still=still, interactive=drawing, numbers=numbers), picture


def render(comparison: Comparison, drawn: dict[str, Drawn | LeftOut]) -> str:
    """The page as HTML."""
    runs, table = comparison.runs, comparison.table
    last = runs[0].summary.years[1]
    page: str = template("compare.html.j2").render(
        version=metadata.version("carbonray"),
        runs=runs,
        years=runs[0].summary.years,
        n_regions=runs[0].summary.n_regions,
        bounds=runs[0].summary.index_bounds,
        findings=headline(table, comparison.hypervolume, last),
        cards=cards(table, comparison.hypervolume, last),
        warning=warning(beside_protocol(runs)),
        figures=figures_table(runs, table),
        indices=indices_table(runs, table),
        negotiation=runs_table(table),
        differences=differences_table(runs),
        drawn=drawn,
        charts={key: item.interactive for key, item in drawn.items() if isinstance(item, Drawn)},
        plotly_js=plotly_js(),
    )
    return page
