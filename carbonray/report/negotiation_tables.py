"""The tables of a negotiation's page, as text ready to print."""

from collections.abc import Callable, Mapping
from itertools import compress

import pandas as pd

from carbonray.report import negotiation_data as data_of
from carbonray.report import tables
from carbonray.report.charts import Chart
from carbonray.report.negotiation_interactive import grid
from carbonray.report.negotiation_run import NegotiationRun
from carbonray.report.negotiation_summary import NegotiationSummary
from carbonray.report.negotiation_words import degrees, gigatonnes, rate, switch_label, trillions
from carbonray.report.tables import Table
from carbonray.report.wording import number, percent


def key_figures(run: NegotiationRun) -> Table:
    """The run beside its reference."""
    summary, last = run.summary, run.last
    rows = []
    for label, key, show, as_share in (
        (f"Temperature in {last}", "temperature_c", degrees, False),
        ("Emissions, sum", "emissions_gtco2", gigatonnes, True),
        ("Gross output, sum", "output_tusd", trillions, True),
        ("Consumption, sum", "consumption_tusd", trillions, True),
        ("Imports, sum", "imports_tusd", trillions, True),
        ("Welfare", "welfare", _plain, True),
        ("Climate index", "climate_index", _plain, False),
        ("Economic index", "economic_index", _plain, False),
    ):
        stem, _, unit = key.rpartition("_")
        beside = f"{key}_reference" if hasattr(summary, f"{key}_reference") else f"{stem}_reference_{unit}"
        here, there = getattr(summary, key), getattr(summary, beside)
        if here is None or there is None:
            continue
        bounds = summary.interval(key)
        gap = share(here, there) if as_share else show(here - there, signed=True)
        gap += _gap_range(summary, key)
        told = f"{show(bounds[0])} to {show(bounds[1])}" if bounds else "–"
        rows.append((label, show(here), show(there), gap, told))
    names = ("Figure", "This run", "Nobody bound", "Change", "Nine of ten replicas")
    shown = [True, True, run.negotiates, run.negotiates, bool(summary.intervals)]
    between = any(summary.interval(change) for change, _ in CHANGES.values())
    note = (
        "Emissions are summed over the years. Output, consumption and imports are summed over the five-year steps of "
        "what flows in a year, as the competition counts them. Welfare is utility, discounted, summed over regions and "
        "steps." + " In brackets nine of ten replicas; that of welfare in units of utility." * between
    )
    return Table(
        caption="Key figures", columns=_kept(names, shown), rows=tuple(_kept(r, shown) for r in rows), note=note
    )


def _kept(cells: tuple[str, ...], shown: list[bool]) -> tuple[str, ...]:
    return tuple(compress(cells, shown))


def _gap_range(summary: NegotiationSummary, key: str) -> str:
    """The range of a change over the replicas, where the run has one."""
    change, show = CHANGES.get(key, ("", _plain))
    bounds = summary.interval(change)
    return f" ({show(bounds[0], signed=True)} to {show(bounds[1], signed=True)})" if bounds else ""


def _plain(value: float, *, signed: bool = False) -> str:
    return number(value, 3, signed=signed)


CHANGES: Mapping[str, tuple[str, Callable[..., str]]] = {
    "temperature_c": ("temperature_change_c", degrees),
    "consumption_tusd": ("consumption_change_share", percent),
    "welfare": ("welfare_change", _plain),
}
"""Figures whose change has a range over the replicas: its key, and how it is told."""


def share(here: float, there: float) -> str:
    """A change against the reference as per cent; a dash where the reference is nothing."""
    return percent(here / there - 1, signed=True) if abs(there) > data_of.SMALLEST else "–"


def switches(run: NegotiationRun) -> Table | None:
    """What each oddity of the published model does, changed alone."""
    rows = run.summary.switches
    if not rows:
        return None
    cells = tuple(
        (
            switch_label(row.switch, row.value),
            degrees(row.temperature_change_c, signed=True),
            _small(row.welfare_change),
            "–" if row.consumption_change_share is None else percent(row.consumption_change_share, signed=True),
            f"{row.switch}: {row.value}",
        )
        for row in rows
    )
    columns = ("Changed alone", f"Temperature in {run.last}", "Welfare", "Consumption", "Switch")
    note = (
        "Change of this run when one switch alone is set the other way: an oddity of the published model corrected, or "
        "brought back where this run corrects it. Welfare in units of utility."
    )
    if not any(row.switch == "rates" for row in rows):
        note += (
            " The switch rates is not among them: it is measured where levels are drawn at random only, for scripted "
            "rates would merely move to other levels."
        )
    return Table(caption="What the model's oddities do", columns=columns, rows=cells, note=note)


def _small(value: float) -> str:
    return number(value, 3 if abs(value) < 10 else 1, signed=True)


def by_region(run: NegotiationRun) -> Table:
    """Each region beside itself in the reference."""
    after, end = data_of.steps(run.regions), run.regions[run.regions["year"] == run.last]
    made, consumed, cut, charged = (
        data_of.by_region(end, name) for name in ("output_tusd", "consumption_tusd", "mitigation", "tariff_mean")
    )
    emitted, all_consumed = (data_of.by_region(after, name) for name in ("emissions_gtco2", "consumption_tusd"))
    rows = []
    for name, in_replicas in zip(map(str, run.membership.index), run.membership, strict=True):
        output, emissions = _both(made, name), _both(emitted, name)
        rows.append(
            (
                name,
                _member(float(in_replicas)),
                number(output[0], 2),
                share(*output),
                share(*_both(all_consumed, name)),
                share(*_both(consumed, name)),
                rate(_both(cut, name)[0]),
                number(run.years_a_step * emissions[0], 1),
                share(*emissions),
                rate(_both(charged, name)[0]),
            )
        )
    last = run.last
    names = (
        "Region", "Member", f"Output {last}, tn USD", "Change", "Consumption, change", f"Only {last}",
        f"Mitigation {last}", "Emissions, sum, Gt", "Change", f"Tariff it charges, {last}",
    )  # fmt: skip
    shown = [run.negotiates or at not in AGAINST for at in range(len(names))]
    note = (
        "Changes are against the run in which nobody is bound; those of consumption are of its sum over the run, and "
        f"of {last} alone, where debts make it jump. "
    ) * run.negotiates
    note += "A tariff is the mean over the other regions."
    if run.membership.between(0, 1, inclusive="neither").any():
        note += " Per cent of a member: of the replicas."
    return Table(caption="By region", columns=_kept(names, shown), rows=tuple(_kept(r, shown) for r in rows), note=note)


AGAINST = (3, 4, 5, 8)
"""Columns of the table of regions that say a change."""


def _both(table: pd.DataFrame, region: str) -> tuple[float, float]:
    """A region's value in the run and in the reference."""
    return float(table["policy"].loc[region]), float(table["reference"].loc[region])


def _member(in_replicas: float) -> str:
    return {0.0: "no", 1.0: "yes"}.get(in_replicas) or percent(in_replicas)


def of_chart(chart: Chart) -> Table:
    """The numbers behind a figure."""
    caption = f"Numbers of the figure: {chart.title}"
    if chart.kind == "heat":
        cells = grid(chart)
        rows = tuple(
            (str(label), *map(rate, values)) for label, values in zip(cells.index, cells.to_numpy(), strict=True)
        )
        return Table(caption=caption, columns=("Region", *(f"{year:.0f}" for year in cells.columns)), rows=rows)
    if chart.kind == "points":
        points = tuple(
            (str(row["series"]), *(number(float(row[side]), 3) for side in ("x", "y")))
            for row in chart.data.to_dict("records")
        )
        return Table(caption=caption, columns=("Point", chart.x_title, chart.y_title), rows=points)
    return tables.of_chart(chart)
