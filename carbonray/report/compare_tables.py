"""The tables and headline numbers of a comparison, as text ready to print."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart
from carbonray.report.compare_runs import ComparedRun, differences
from carbonray.report.compare_words import best, decimals, degrees, few, on_front, places
from carbonray.report.page import Card
from carbonray.report.tables import Table, shown
from carbonray.report.wording import number, percent

NONE = "–"


def cards(table: pd.DataFrame, hypervolume: float, last: int) -> list[Card]:
    """The headline numbers."""
    front, points = places(table[table["on_front"]]), places(table)
    eaten, utility = decimals(table, "consumption_tusd", 0, 2), decimals(table, "welfare", 2, 4)
    return [
        Card(
            label="Hypervolume of the set",
            value=number(hypervolume, 3),
            detail="1 would be as cool and as rich as the two extremes at once",
        ),
        Card(
            label="On the Pareto front",
            value=f"{len(front)} of {len(points)}" + (" points" if len(points) < len(table) else ""),
            detail=on_front(table),
        ),
        _top(table, f"Coolest in {last}", "temperature_c", degrees, highest=False),
        _top(table, "Most output", "output_tusd", _short),
        _top(table, "Most consumption", "consumption_tusd", lambda value: _short(value, eaten)),
        _top(table, "Most welfare", "welfare", lambda value: number(value, utility)),
    ]


def _top(table: pd.DataFrame, label: str, column: str, show: Callable[[float], str], *, highest: bool = True) -> Card:
    names = best(table, column, highest=highest)
    value = float(table[column].max() if highest else table[column].min())
    return Card(label=label, value=show(value), detail=few(names))


def _short(value: float, digits: int = 0) -> str:
    return f"{number(value, digits)}\u00a0tn USD"


def figures_table(runs: Sequence[ComparedRun], table: pd.DataFrame) -> Table:
    """Climate and economy of every run."""
    last = runs[0].summary.years[1]
    digits = {column: decimals(table, column, least, least + 2) for column, least in LEAST.items()}
    rows = tuple(
        (
            str(row["run"]),
            _ranged(run, "temperature_c", float(row["temperature_c"]), digits["temperature_c"]),
            *(number(float(row[name]), digits[name]) for name in LEAST if name != "temperature_c"),
        )
        for run, (_, row) in zip(runs, table.iterrows(), strict=True)
    )
    columns = (
        "Run", f"°C in {last}", "Emissions, Gt CO2", "Output, tn USD", "Consumption, tn USD", "Welfare",
    )  # fmt: skip
    note = (
        "Temperatures are above 1900. Emissions are summed over all years; output and consumption are yearly flows, "
        "summed over the activity steps as the competition does." + _brackets(runs)
    )
    return Table(caption="Climate and economy", columns=columns, rows=rows, note=note)


LEAST = {"temperature_c": 2, "emissions_gtco2": 0, "output_tusd": 0, "consumption_tusd": 0, "welfare": 2}
"""Decimals of a column; up to two more where runs that are not even would look so."""


def _brackets(runs: Sequence[ComparedRun]) -> str:
    ranged = any(run.summary.intervals for run in runs)
    return " In brackets the range of nine of ten replicas." * ranged


def indices_table(runs: Sequence[ComparedRun], table: pd.DataFrame) -> Table:
    """The two indices of every run, and its part in the front."""
    digits = {name: decimals(table, name, 3, 5) for name in ("climate_index", "economic_index")}
    alike = {name: [other for other in names if other != name] for names in places(table) for name in names}
    rows = tuple(
        (
            str(row["run"]),
            *(_ranged(run, name, float(row[name]), at) for name, at in digits.items()),
            "yes" if row["on_front"] else "no",
            number(float(row["hypervolume_contribution"]), 4),
            few(alike[str(row["run"])]) or NONE,
        )
        for run, (_, row) in zip(runs, table.iterrows(), strict=True)
    )
    columns = ("Run", "Climate index", "Economic index", "On the front", "Adds", "Same point as")
    note = (
        "What a run adds is what the hypervolume loses without it, so that of two runs on the same point neither adds "
        "anything." + _brackets(runs)
    )
    return Table(caption="Indices", columns=columns, rows=rows, note=note)


def _ranged(run: ComparedRun, key: str, value: float, digits: int) -> str:
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
            str(row["policy"]),
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
        "Run", "Protocol", "Behaviour", "Policy", "Seed", "Replicas", "Members in the last year", "Consumption",
        "Welfare", "Leakage rate",
    )  # fmt: skip
    note = (
        "A run and its reference follow the same policy. Consumption and welfare are against that reference, in which "
        "nobody is bound. The leakage rate is the rise of emissions outside the agreement over the fall inside it; it "
        "has no value where nothing falls inside, where nobody is a member, or everybody in most steps."
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
        "run", "protocol", "behaviour", "policy", f"°C {last}", "rise", "Gt CO2", "output", "consumption", "welfare",
        "members", "leakage", "climate", "economic", "front", "adds",
    )  # fmt: skip
    cells: list[tuple[str, ...]] = [columns]
    digits = {column: decimals(table, column, least, least + 2) for column, least in LEAST.items()}
    for _, row in table.iterrows():
        figures = [
            f"{row['temperature_c']:.{digits['temperature_c']}f}", f"{row['temperature_rise_c']:.2f}",
            *(f"{row[name]:,.{digits[name]}f}" for name in LEAST if name != "temperature_c"),
            _count(row["members_last"]), f"{row['leakage_rate']:.1%}" if np.isfinite(row["leakage_rate"]) else "-",
            f"{row['climate_index']:.3f}", f"{row['economic_index']:.3f}", "yes" if row["on_front"] else "no",
            f"{row['hypervolume_contribution']:.4f}",
        ]  # fmt: skip
        cells.append((str(row["run"]), str(row["protocol"]), str(row["behaviour"]), str(row["policy"]), *figures))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < 4 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
