"""The figures of a comparison: temperature of all runs, the plane of the two indices, changes against the reference."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from carbonray.report.charts import BLUE, ORANGE, Chart, LeftOut
from carbonray.report.compare_runs import ComparedRun, volume
from carbonray.report.compare_words import best, degrees, few, on_front
from carbonray.report.interactive import Json, label_of, spec
from carbonray.report.negotiation_data import line
from carbonray.report.wording import listed, number, percent

CONSUMPTION, WELFARE = "Consumption", "Welfare"
PHONE = 350
"""Pixels in which the names of a legend have to find room."""
ROW = 28
"""Pixels of a row of a legend."""
BAR = 40
"""Pixels that a pair of bars has anyway."""


def temperature(runs: Sequence[ComparedRun], table: pd.DataFrame) -> Chart:
    """Temperature of the atmosphere over the century."""
    first, last = runs[0].summary.years
    data = pd.concat([line("", run.name, run.temperature) for run in runs], ignore_index=True)
    cool, warm = best(table, "temperature_c", highest=False), best(table, "temperature_c")
    low, high = float(table["temperature_c"].min()), float(table["temperature_c"].max())
    banded = np.isfinite(data["low"].to_numpy(dtype=float)).any()
    title = f"In {last} it is {degrees(low)} above 1900 in every run"
    if len(cool) < len(runs):
        title = f"In {last} it is {degrees(low)} above 1900 in {few(cool)}, {degrees(high)} in {few(warm)}"
    return Chart(
        key="temperature",
        kind="lines",
        data=data,
        title=title,
        caption=f"Temperature of the atmosphere from {first} to {last}, at the end of each step of five years."
        + (" Bands hold nine of ten replicas." if banded else ""),
        x_title="Year",
        y_title="°C above 1900",
    )


def plane(runs: Sequence[ComparedRun], table: pd.DataFrame) -> Chart:
    """Points of the plane of the two indices, with the range over the replicas."""
    rows = []
    for run in runs:
        ranges = [run.summary.interval(f"{name}_index") or (np.nan, np.nan) for name in ("economic", "climate")]
        rows.append((run.name, run.summary.economic_index, run.summary.climate_index, *ranges[0], *ranges[1]))
    columns = ["series", "x", "y", "x_low", "x_high", "y_low", "y_high"]
    ranged = any(run.summary.intervals for run in runs)
    return Chart(
        key="indices",
        kind="points",
        data=pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], float)),
        title=f"On the Pareto front: {on_front(table)}. The hypervolume is {number(volume(runs), 3)}",
        caption="Right is richer, up is cooler: 0 and 1 are the two extreme runs without trade (crosses). What lies "
        "under the steps is no better than some run; its area is the hypervolume. A run inside the shade is dominated."
        + (" Bars through a point hold nine of ten replicas." if ranged else ""),
        x_title="Economic index",
        y_title="Climate index",
    )


def changes(table: pd.DataFrame) -> Chart | LeftOut:
    """Change of consumption and of welfare against each run's own reference, in which nobody is bound."""
    rows = [
        (str(row["run"]), name, float(row[column]))
        for _, row in table.iterrows()
        for name, column in ((CONSUMPTION, "consumption_change_share"), (WELFARE, "welfare_change_share"))
        if np.isfinite(row[column])
    ]
    if not rows:
        return LeftOut(key="changes", title="What the agreements change", reason="nothing is consumed in any reference")
    data = pd.DataFrame(rows, columns=["label", "series", "value"]).astype({"value": float})
    return Chart(
        key="changes",
        kind="bars",
        data=data,
        title=_changes_title(data),
        caption="Consumption summed over the activity steps and all regions, and welfare, the discounted utility of "
        "all regions, each against the run's own reference: the same behaviour and seed, with nobody bound.",
        x_title="Change against the reference (%)",
        as_percent=True,
        colours={CONSUMPTION: BLUE, WELFARE: ORANGE},
    )


def _changes_title(bars: pd.DataFrame) -> str:
    eaten = bars[bars["series"] == CONSUMPTION]
    if not eaten["value"].any():
        return "Consumption is that of the reference in every run"
    gain, loss = eaten.iloc[int(eaten["value"].argmax())], eaten.iloc[int(eaten["value"].argmin())]
    parts = []
    if gain["value"] > 0:
        parts.append(f"rises most in {gain['label']}, {percent(gain['value'], signed=True)}")
    if loss["value"] < 0:
        parts.append(f"falls most in {loss['label']}, {percent(loss['value'])}")
    return f"Consumption {listed(parts)}"


def with_room(chart: Chart) -> Json:
    """A figure for plotly that grows with the rows of its legend, which stands above the axes."""
    return make_room(spec(chart), chart.series)


def make_room(drawing: Json, names: Sequence[str]) -> Json:
    """Let plotly push the axes down by as much as the legend needs, and the figure grow by what a phone needs."""
    layout: Json = drawing["layout"]
    layout["legend"] |= {"yref": "paper", "y": 1.02, "yanchor": "bottom", "xref": "paper"}
    layout["legend"]["maxheight"] = ROW * (_rows(names) + 1)  # pixels; by itself a legend scrolls at half the figure
    layout["margin"]["t"] = 16
    layout["height"] += ROW * max(_rows(names) - 2, 0)
    return drawing


def bars_with_room(chart: Chart) -> Json:
    """Bars for plotly that stand as far apart as their names on several lines need."""
    drawing = spec(chart)
    lines = max(label_of(name).count("<br>") + 1 for name in chart.labels)
    drawing["layout"]["height"] += max(18 * lines - BAR, 0) * len(chart.labels)
    return drawing


def _rows(names: Sequence[str]) -> int:
    """Rows of a legend on a phone, where plotly makes every column as wide as the longest name."""
    longest = 45 + 7.5 * max(map(len, names))
    return -(-len(names) // max(int(PHONE // longest), 1))
