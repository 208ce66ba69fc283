"""report.html of a climate negotiation: one file without anything from the network, the same bytes for the same run."""

import base64
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from carbonray.report import learning, learning_figures
from carbonray.report import negotiation_limits as limits
from carbonray.report import negotiation_reading as reading
from carbonray.report import negotiation_tables as tables
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.negotiation_data import SMALLEST
from carbonray.report.negotiation_gallery import SECTIONS, figures
from carbonray.report.negotiation_interactive import spec
from carbonray.report.negotiation_run import NegotiationRun, read_negotiation_run
from carbonray.report.negotiation_stills import png
from carbonray.report.negotiation_words import agreement, count_of, degrees, gigatonnes, protocol_name, trillions
from carbonray.report.page import Card, Drawn, learning_cards
from carbonray.report.tables import assumptions, command
from carbonray.report.wording import number, percent

TABLES = {
    "Climate against economy": (tables.key_figures,),
    "Region by region": (tables.by_region,),
}
"""Tables under each heading."""


def write_negotiation_report(run_dir: Path) -> Path:
    """Write report.html and figures/*.png into a run directory, replacing earlier ones.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if a file of the run is missing or malformed, or the report cannot be written; one line naming it.
    """
    run = read_negotiation_run(run_dir)
    found = [*figures(run), *learning_figures.charts(run.summary.learning)]
    stills = {chart.key: png(chart) for chart in found if isinstance(chart, Chart)}
    keys = [*(item.key for item in found), *learning_figures.KEYS]
    return write_page(run_dir, render(run, found, stills), stills, keys)


def render(run: NegotiationRun, found: list[Chart | LeftOut], stills: dict[str, bytes]) -> str:
    """The page as HTML."""
    drawn = {item.key: item if isinstance(item, LeftOut) else _drawn(item, stills[item.key]) for item in found}
    evaluated = learning.section(run.summary.learning, run.summary.policy, stopped=run.summary.interrupted)
    page: str = template("negotiation.html.j2").render(
        run=run,
        summary=run.summary,
        protocol=protocol_name(run.summary.protocol),
        lead=lead(run),
        behaviour=reading.behaviour_of(run),
        cards=cards(run),
        undefined=reading.undefined_reason(run) if run.summary.leakage_rate is None and run.negotiates else "",
        passages=reading.passages(run),
        meaning=limits.meaning(run),
        limits=limits.limits(run),
        replayed=limits.replayed(run),
        sections={name: [drawn[key] for key, under in SECTIONS.items() if under == name] for name in SECTIONS.values()},
        tables={name: [make(run) for make in makers] for name, makers in TABLES.items()},
        switches=tables.switches(run),
        assumptions=assumptions(run.scenario),
        learning=evaluated,
        learning_cards=learning_cards(evaluated),
        learning_figures=[drawn[key] for key in learning_figures.KEYS if key in drawn],
        command=_again(run, command(run.scenario)),
        own_command=_again(run, "carbonray simulate my-scenario.yaml"),
        charts={key: item.interactive for key, item in drawn.items() if isinstance(item, Drawn)},
        plotly_js=plotly_js(),
    )
    return page


def lead(run: NegotiationRun) -> str:
    """What was run, from what it was run with: a scenario's summary is not rewritten when its keys are overridden."""
    said = agreement(run.scenario.negotiation)
    return f"{said} Recorded actions of {run.summary.actions_file}." if run.replays else said


def _drawn(chart: Chart, still: bytes) -> Drawn:
    picture = "data:image/png;base64," + base64.b64encode(still).decode()
    return Drawn(chart=chart, still=picture, interactive=spec(chart), numbers=tables.of_chart(chart))


def _again(run: NegotiationRun, found: str | None) -> str | None:
    """The command that makes this run again, from that of its scenario; None where the scenario is a user's own."""
    replayed = run.summary.actions_file
    if found and replayed:
        return f"{found} --actions {shlex.quote(replayed)}"
    return found and learning.command(found, run.summary.policy, run.summary.learning)


def cards(run: NegotiationRun) -> list[Card]:
    """The headline numbers."""
    summary, last = run.summary, run.last
    warm, without = summary.temperature_c, summary.temperature_reference_c
    emitted = summary.emissions_gtco2
    if not run.negotiates:
        return [
            Card(label=f"Warmer than 1900 in {last}", value=degrees(warm), detail=_range(run, "temperature_c")),
            Card(label="Emissions, sum", value=gigatonnes(emitted), detail=f"CO2, {summary.years[0]}–{last}"),
            Card(label="Consumption, sum of steps", value=trillions(summary.consumption_tusd), detail="all regions"),
        ]
    leaked = "others' rise over members' fall" if summary.leakage_rate is not None else "see below"
    return [
        Card(label=f"Warmer than 1900 in {last}", value=degrees(warm),
             detail=_joined(f"{degrees(without)} if nobody is bound{_mean_change(run, 'temperature_change_c')}",
                            _change_range(run, "temperature_change_c") or _range(run, "temperature_c"))),
        Card(label=f"Members in {last}", value=f"{count_of(summary.members_last)} of {summary.n_regions}",
             detail=_joined(f"protocol {protocol_name(summary.protocol)}", _range(run, "members_last"))),
        Card(label="Emissions", value=_change(emitted, summary.emissions_reference_gtco2),
             detail=f"{gigatonnes(emitted)} instead of {gigatonnes(summary.emissions_reference_gtco2)}"),
        Card(label="Consumption", value=_change(summary.consumption_tusd, summary.consumption_reference_tusd),
             detail=_joined("summed over the run, against nobody bound",
                            _change_range(run, "consumption_change_share"))),
        Card(label="Welfare", value=_change(summary.welfare, summary.welfare_reference),
             detail=_joined(f"discounted utility, against nobody bound{_mean_change(run, 'welfare_change')}",
                            _change_range(run, "welfare_change"))),
        Card(label="Leakage to non-members", value=percent(summary.leakage_rate),
             detail=_joined(leaked, _range(run, "leakage_rate"))),
    ]  # fmt: skip


SHOW: Mapping[str, Callable[[float], str]] = {
    "temperature_c": degrees,
    "members_last": count_of,
    "leakage_rate": percent,
}


def _range(run: NegotiationRun, key: str) -> str:
    """Nine of ten replicas, where they differ."""
    bounds = run.summary.interval(key)
    if bounds is None or SHOW[key](bounds[0]) == SHOW[key](bounds[1]):
        return ""
    return f"nine of ten replicas {SHOW[key](bounds[0])} to {SHOW[key](bounds[1])}"


def _mean_change(run: NegotiationRun, key: str) -> str:
    """The mean change against the reference, where the summary has it."""
    change = getattr(run.summary, key)
    return "" if change is None else f": {SHOW_CHANGE[key](change)}"


def _change_range(run: NegotiationRun, key: str) -> str:
    """Nine of ten replicas' change against the reference."""
    bounds = run.summary.interval(key)
    if bounds is None:
        return ""
    low, high = (SHOW_CHANGE[key](bound) for bound in bounds)
    return f"change in nine of ten replicas {low} to {high}"


SHOW_CHANGE: Mapping[str, Callable[[float], str]] = {
    "temperature_change_c": lambda change: degrees(change, signed=True),
    "consumption_change_share": lambda change: percent(change, signed=True),
    "welfare_change": lambda change: f"{number(change, 2, signed=True)} units",
}


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _change(here: float, there: float) -> str:
    return percent(here / there - 1, signed=True) if abs(there) > SMALLEST else "undefined"
