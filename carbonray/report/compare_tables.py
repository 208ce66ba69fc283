"""The tables and headline numbers of a comparison, as text ready to print."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart
from carbonray.report.compare_runs import ComparedRun, differences
from carbonray.report.compare_words import best, degrees, few
from carbonray.report.page import Card
from carbonray.report.tables import Table, shown
from carbonray.report.wording import number, percent

NONE = "–"


def cards(table: pd.DataFrame, hypervolume: float, last: int) -> list[Card]:
    """The headline numbers."""
    front = [str(name) for name in table["run"][table["on_front"]]]
    return [
        Card(
            label="Hypervolume of the set",
            value=number(hypervolume, 3),
            detail="1 would be as cool and as rich as the two extremes at once",
        ),
        Card(label="On the Pareto front", value=f"{len(front)} of {len(table)}", detail=few(front)),
        _top(table, f"Coolest in {last}", "temperature_c", degrees, highest=False),
        _top(table, "Most output", "output_tusd", _short),
        _top(table, "Most consumption", "consumption_tusd", _short),
        _top(table, "Most welfare", "welfare", lambda value: number(value, 1)),
    ]


def _top(table: pd.DataFrame, label: str, column: str, show: Callable[[float], str], *, highest: bool = True) -> Card:
    names = best(table, column, highest=highest)
    value = float(table[column].max() if highest else table[column].min())
    return Card(label=label, value=show(value), detail=few(names))


def _short(value: float) -> str:
    return f"{number(value)}\u00a0tn\u00a0USD"


def figures_table(runs: Sequence[ComparedRun], table: pd.DataFrame) -> Table:
    """Climate, economy and indices of every run."""
    last = runs[0].summary.years[1]
    rows = tuple(
        (
            str(row["run"]),
            _ranged(run, "temperature_c", float(row["temperature_c"])),
            number(float(row["emissions_gtco2"])),
            number(float(row["output_tusd"])),
            number(float(row["consumption_tusd"])),
            number(float(row["welfare"]), 1),
            _ranged(run, "climate_index", float(row["climate_index"]), 3),
            _ranged(run, "economic_index", float(row["economic_index"]), 3),
            "yes" if row["on_front"] else "no",
            number(float(row["hypervolume_contribution"]), 4),
        )
        for run, (_, row) in zip(runs, table.iterrows(), strict=True)
    )
    columns = (
        "Run", f"°C in {last}", "Emissions, Gt CO2", "Output, tn USD", "Consumption, tn USD", "Welfare",
        "Climate index", "Economic index", "On the front", "Adds",
    )  # fmt: skip
    note = (
        "Temperatures are above 1900. Emissions are summed over all years; output and consumption are yearly flows, "
        "summed over the activity steps as the competition does. What a run adds is what the hypervolume loses without "
        "it, so that of two runs with the same indices neither adds anything."
    )
    if any(run.summary.intervals for run in runs):
        note += " In brackets the range of nine of ten replicas."
    return Table(caption="Climate and economy", columns=columns, rows=rows, note=note)


def _ranged(run: ComparedRun, key: str, value: float, digits: int = 2) -> str:
    bounds = run.summary.interval(key)
    told = f" ({number(bounds[0], digits)} to {number(bounds[1], digits)})" if bounds else ""
    return number(value, digits) + told


def runs_table(table: pd.DataFrame) -> Table:
    """What was negotiated, and what leaked."""
    rows = tuple(
        (
            str(row["run"]),
            str(row["protocol"]),
            str(row["behaviour"]),
            str(row["seed"]),
            str(row["replicas"]),
            _count(float(row["members_last"])),
            _change(float(row["consumption_change_share"])),
            _change(float(row["welfare_change_share"])),
            _rate(float(row["leakage_rate"])),
        )
        for _, row in table.iterrows()
    )
    columns = (
        "Run", "Protocol", "Behaviour", "Seed", "Replicas", "Members in the last year", "Consumption", "Welfare",
        "Leakage rate",
    )  # fmt: skip
    note = (
        "Consumption and welfare against the run's own reference, in which nobody is bound. The leakage rate is the "
        "rise of emissions outside the agreement over the fall inside it; it has no value where nothing falls inside, "
        "or where everybody or nobody is a member."
    )
    return Table(caption="Negotiation", columns=columns, rows=rows, note=note)


def _count(members: float) -> str:
    return number(members, 0 if members == round(members) else 1)


def _change(share: float) -> str:
    return percent(share, signed=True) if np.isfinite(share) else NONE


def _rate(rate: float) -> str:
    return percent(rate) if np.isfinite(rate) else NONE


def differences_table(runs: Sequence[ComparedRun]) -> Table | None:
    """The keys of the scenarios in which the runs differ; None if there are none."""
    rows = tuple((key, *map(shown, values)) for key, values in differences(runs).items())
    columns = ("Key", *(run.name for run in runs))
    return Table(caption="Keys that differ", columns=columns, rows=rows) if rows else None


def plane_table(chart: Chart) -> Table:
    """The numbers behind the plane of the indices."""
    rows = tuple(
        (str(row["series"]), number(float(row["x"]), 4), number(float(row["y"]), 4))
        for row in chart.data.to_dict("records")
    )
    return Table(caption=f"Numbers of the figure: {chart.title}", columns=("Run", chart.x_title, chart.y_title),
                 rows=rows)  # fmt: skip


def text_rows(table: pd.DataFrame, last: int) -> list[str]:
    """The table for a terminal: names left, numbers right."""
    columns = (
        "run", "protocol", "behaviour", f"°C {last}", "rise", "Gt CO2", "output", "consumption", "welfare", "members",
        "leakage", "climate", "economic", "front", "adds",
    )  # fmt: skip
    cells: list[tuple[str, ...]] = [columns]
    for _, row in table.iterrows():
        figures = [
            f"{row['temperature_c']:.2f}", f"{row['temperature_rise_c']:.2f}", f"{row['emissions_gtco2']:,.0f}",
            f"{row['output_tusd']:,.0f}", f"{row['consumption_tusd']:,.0f}", f"{row['welfare']:,.1f}",
            _count(row["members_last"]), f"{row['leakage_rate']:.1%}" if np.isfinite(row["leakage_rate"]) else "-",
            f"{row['climate_index']:.3f}", f"{row['economic_index']:.3f}", "yes" if row["on_front"] else "no",
            f"{row['hypervolume_contribution']:.4f}",
        ]  # fmt: skip
        cells.append((str(row["run"]), str(row["protocol"]), str(row["behaviour"]), *figures))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < 3 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
