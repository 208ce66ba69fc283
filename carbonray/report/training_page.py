"""The page of a training, or of several that differ in their seed: learning curves."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from carbonray.report import tables, training_words
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.interactive import spec
from carbonray.report.page import Card, Drawn
from carbonray.report.stills import png
from carbonray.report.tables import Table
from carbonray.report.training_figures import MEASURED, RETURN, Curves, Figure, charts, curves
from carbonray.report.training_runs import INTERRUPTED, RESTED, SPENT, TrainingRun, read_trainings
from carbonray.report.wording import number, spread
from carbonray.runtime.outputs import whole_folder


def write_training_report(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write report.html and figures/*.png of one training into its folder, of several into a new one.

    Args:
        folders: of trainings, which differ in their seed alone.
        out: a folder that does not exist; of several trainings the first free runs/trainings-N if left out.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if a file is missing or malformed, or the trainings do not belong together; one line naming it.
        OutputError: if `out` exists or cannot be written.
    """
    runs = read_trainings(folders)
    found = charts(runs)
    stills = {chart.key: png(chart) for chart in found if isinstance(chart, Chart)}
    page, keys = render(runs, found, stills), [item.key for item in found]
    if out is None and len(runs) == 1:
        return write_page(folders[0], page, stills, keys)
    place = out or _fresh()
    with whole_folder(place) as draft:
        write_page(draft, page, stills, keys)
    return place / "report.html"


def _fresh(parent: Path = Path("runs")) -> Path:
    """The first free `runs/trainings-N`."""
    number = 1
    while (parent / f"trainings-{number}").exists():
        number += 1
    return parent / f"trainings-{number}"


def render(runs: Sequence[TrainingRun], found: Sequence[Chart | LeftOut], stills: Mapping[str, bytes]) -> str:
    """The page as HTML."""
    order = runs[0].order
    page: str = template("training.html.j2").render(
        version=metadata.version("carbonray"),
        runs=runs,
        order=order,
        searched=bool(runs[0].others),
        lead=training_words.lead(runs),
        said=[training_words.ended(runs), *training_words.found(runs)],
        how_sure=training_words.how_sure(runs),
        meanings=training_words.meanings(runs),
        cards=cards(runs),
        drawn=[item if isinstance(item, LeftOut) else _drawn(item, stills[item.key]) for item in found],
        trainings=trainings_table(runs),
        charts={item.key: spec(item) for item in found if isinstance(item, Chart)},
        plotly_js=plotly_js(),
    )
    return page


def _drawn(chart: Chart, picture: bytes) -> Drawn:
    still = "data:image/png;base64," + base64.b64encode(picture).decode()
    return Drawn(chart=chart, still=still, interactive=spec(chart), numbers=tables.of_chart(_thick(chart)))


def _thick(chart: Chart) -> Chart:
    """Without the thin lines, whose numbers are in the tables of their trainings."""
    return replace(chart, data=chart.data[~chart.data["series"].isin(list(chart.thin))])


def cards(runs: Sequence[TrainingRun]) -> list[Card]:
    """The headline numbers."""
    found = [_last(runs, figure) for figure in (RETURN, *MEASURED.get(runs[0].order.world, ()))]
    return [*(card for card in found if card is not None), _end(runs), _speed(runs)]


def _last(runs: Sequence[TrainingRun], figure: Figure) -> Card | None:
    told = curves(runs, figure)
    if told is None:
        return None
    first, last = map(figure.show, told.ends)
    label = f"{figure.name} at last" + (f", mean of {len(told.single)}" if len(runs) > 1 else "")
    return Card(label=label, value=last, detail=f"{_interval(told)}{first} at first")


def _interval(told: Curves) -> str:
    if told.bounds is None:
        return ""
    if told.figure.as_percent:
        return f"95 % interval {spread(told.bounds)}; "
    return f"95 % interval {told.figure.show(told.bounds[0])} to {told.figure.show(told.bounds[1])}; "


def _end(runs: Sequence[TrainingRun]) -> Card:
    if len(runs) == 1:
        run, label = runs[0], {RESTED: "At rest", SPENT: "Budget spent", INTERRUPTED: "Interrupted"}
        detail = f"after {run.iterations:,} iterations and {run.decisions:,} decisions of agents"
        return Card(label="How it ended", value=label[run.ended], detail=detail)
    rested = sum(run.ended == RESTED for run in runs)
    most = max(run.decisions for run in runs)
    return Card(label="Came to rest", value=f"{rested} of {len(runs)}", detail=f"within {most:,} decisions of agents")


def _speed(runs: Sequence[TrainingRun]) -> Card:
    played, learned = (
        _amount([getattr(run, name) for run in runs]) for name in ("played_per_second", "learned_per_second")
    )
    mean = "mean of the trainings; " if len(runs) > 1 else ""
    detail = f"{mean}learned from: {learned}, each decision as often as it is learned from"
    return Card(label="Decisions played a second", value=played, detail=detail)


def _amount(rates: Sequence[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    return number(float(f"{sum(known) / len(known):.3g}")) if known else "–"


def trainings_table(runs: Sequence[TrainingRun]) -> Table:
    """A row for each training."""
    figures = (RETURN, *MEASURED.get(runs[0].order.world, ()))
    alone = {figure: {run.name: curves([run], figure) for run in runs} for figure in figures}
    shown = [figure for figure in figures if any(alone[figure].values())]
    rows = []
    for run in runs:
        ends = [alone[figure][run.name] for figure in shown]
        values = [value for told in ends for value in (map(told.figure.show, told.ends) if told else ("–", "–"))]
        rates = [_amount([rate]) for rate in (run.played_per_second, run.learned_per_second)]
        rows.append((run.name, run.ended, f"{run.iterations:,}", f"{run.decisions:,}", *values, *rates))
    pairs = [f"{figure.name} {when}" for figure in shown for when in ("at first", "at last")]
    columns = ("Training", "Ended", "Iterations", "Decisions", *pairs, "Played a second", "Learned a second")
    note = f"Returns in deviations. Folders: {', '.join(f'{run.name}: {run.folder}' for run in runs)}."
    return Table(caption="Trainings", columns=columns, rows=tuple(rows), note=note)
