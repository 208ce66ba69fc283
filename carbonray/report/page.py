"""report.html: one file without anything from the network, the same bytes for the same run directory."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carbonray.report import border, exposed, learning, learning_figures, reading, tables, uncertainty
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.gallery import SECTIONS, figures, goods_note, home_name
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.interactive import spec
from carbonray.report.run_directory import Run, read_run
from carbonray.report.stills import png
from carbonray.report.tables import Table
from carbonray.report.wording import megatonnes, percent, region_label, spread


@dataclass(frozen=True, kw_only=True)
class Card:
    """A headline number."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure ready for the page."""

    chart: Chart
    still: str  # data URI of the PNG
    interactive: dict[str, Any]
    numbers: Table


def write_cbam_report(run_dir: Path) -> Path:
    """Write report.html and figures/*.png into a run directory, replacing earlier ones.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if a file of the run is missing or malformed, or the report cannot be written; one line naming it.
    """
    run = read_run(run_dir)
    found = [*figures(run), *learning_figures.charts(run.summary.learning)]
    stills = {chart.key: png(chart) for chart in found if isinstance(chart, Chart)}
    keys = [*(item.key for item in found), *learning_figures.KEYS]
    return write_page(run_dir, render(run, found, stills), stills, keys)


def render(run: Run, found: list[Chart | LeftOut], stills: dict[str, bytes]) -> str:
    """The page as HTML."""
    drawn: dict[str, Drawn | LeftOut] = {}
    for item in found:
        if isinstance(item, LeftOut):
            drawn[item.key] = item
            continue
        still = "data:image/png;base64," + base64.b64encode(stills[item.key]).decode()
        numbers = tables.of_chart(item)
        drawn[item.key] = Drawn(chart=item, still=still, interactive=spec(item), numbers=numbers)
    sections = {name: [drawn[key] for key, under in SECTIONS.items() if under == name] for name in SECTIONS.values()}
    evaluated = learning.section(run.summary.learning, run.summary.policy, stopped=run.summary.interrupted)
    page: str = template("report.html.j2").render(
        run=run,
        summary=run.summary,
        home=home_name(run),
        cards=cards(run),
        followed=reading.behaviour(run.summary) if run.summary.policy else "",
        passages=reading.passages(run),
        caveats=reading.caveats(run),
        goods=goods_note(run),
        sections=sections,
        tables=_tables(run),
        missing=_missing(run),
        assumptions=tables.assumptions(run.scenario),
        learning=evaluated,
        learning_cards=learning_cards(evaluated),
        learning_figures=[drawn[key] for key in learning_figures.KEYS if key in drawn],
        command=_command(run),
        own_command=learning.command("carbonray simulate my-scenario.yaml", run.summary.policy, run.summary.learning),
        charts={item.key: spec(item) for item in found if isinstance(item, Chart)},
        plotly_js=plotly_js(),
    )
    return page


def _command(run: Run) -> str | None:
    """The command that makes this run again; None where the scenario is a user's own."""
    found = tables.command(run.scenario)
    return found and learning.command(found, run.summary.policy, run.summary.learning)


def learning_cards(evaluated: learning.Section | None) -> list[Card]:
    """The headline numbers of an evaluation."""
    headline = evaluated.headline if evaluated else []
    return [Card(label=label, value=value, detail=detail) for label, value, detail in headline]


def cards(run: Run) -> list[Card]:
    """The headline numbers; total and CBAM goods always side by side."""
    summary, first, last = run.summary, *run.summary.years
    span = f"{first}–{last}"

    def under(key: str) -> str:
        told = summary.uncertainty
        drawn = told.intervals.get(key) if told else None
        if drawn:
            return f"{spread((drawn.low, drawn.high))} over {drawn.count} draws of the parameters"
        bounds = summary.interval(key)
        return f"95 % interval {spread(bounds)}" if bounds else span

    found = [
        Card(label="Leakage, all sectors", value=percent(summary.leakage_rate), detail=under("leakage_rate")),
        Card(label="Leakage, CBAM goods", value=percent(summary.leakage_rate_cbam_goods),
             detail=under("leakage_rate_cbam_goods")),
        Card(label="Leaked CO2", value=megatonnes(summary.leaked_mt),
             detail=f"CBAM goods {megatonnes(summary.leaked_mt_cbam_goods)}"),
        Card(label="Cut at home", value=megatonnes(summary.home_reduction_mt), detail=_share_of_home(run)),
    ]  # fmt: skip
    if summary.output_change_share is not None:
        value = percent(summary.output_change_share, signed=True)
        detail = "sectors that pay the price, " + under("output_change_share")
        found.append(Card(label="Output at home", value=value, detail=detail))
    if summary.oracle.leakage_rate_with_fuel_channel is not None:
        value = percent(summary.oracle.leakage_rate_with_fuel_channel)
        detail = f"static equilibrium of {last}; without it {percent(summary.oracle.leakage_rate)}"
        found.append(Card(label="With the fossil-price channel", value=value, detail=detail))
    return found


def _share_of_home(run: Run) -> str:
    change = reading.change_at_home(run.cells, run.home)
    if change is None:
        return ""
    return f"{percent(change, signed=True)} of what {region_label(run.home[0]) if len(run.home) == 1 else 'home'} emits"


# Heading -> tables under it: name, builder, and why it is missing (nothing is said where that is empty).
SECTION_TABLES: dict[str, tuple[tuple[str, Callable[[Run], Table | None], str], ...]] = {
    "How much leaks": (("Key figures", tables.key_figures, ""),),
    "Where emissions go": (
        ("By sector", tables.by_sector, ""),
        ("By partner", tables.by_partner, "summary.json has no foreign_increase_by_partner_mt"),
    ),
    "At the border": (("Border charge by good and origin", border.table, "nothing is charged at the border"),),
    "What it costs": (("Plants", exposed.plants, ""), ("Companies", exposed.companies, "")),
    "How certain this is": (
        ("Intervals", uncertainty.figures_table, uncertainty.ABSENT),
        ("Uncertain parameters", uncertainty.parameters_table, uncertainty.ABSENT),
        ("Leakage at rest", tables.oracle, "the run was made without its static equilibrium"),
        ("Ablation", tables.ablation, "the run was made without its ablation"),
    ),
}


def _tables(run: Run) -> dict[str, list[Table]]:
    return {
        name: [table for _, make, _ in makers if (table := make(run)) is not None]
        for name, makers in SECTION_TABLES.items()
    }


def _missing(run: Run) -> dict[str, list[LeftOut]]:
    return {
        name: [LeftOut(key="", title=title, reason=why) for title, make, why in makers if why and make(run) is None]
        for name, makers in SECTION_TABLES.items()
    }
