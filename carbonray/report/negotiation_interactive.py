"""Heat maps and points of a plane as the JSON that plotly.js draws; the other kinds are `interactive`'s."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from carbonray.report import interactive
from carbonray.report.charts import BLUE, CYCLE, Chart
from carbonray.report.interactive import Json, axis, blank_layout, text_of
from carbonray.report.wording import number, percent

PALE = "#f4f6f8"
ROW = 20  # pixels of a row of a heat map
SYMBOLS = ("circle", "diamond", "triangle-up", "square")


def spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot."""
    own = {"heat": _heat, "points": _points, "lines": _lines}
    return own.get(chart.kind, interactive.spec)(chart)


def _lines(chart: Chart) -> Json:
    """With room beside the first and the last year, so that the ticks of the two axes keep apart."""
    drawing = interactive.spec(chart)
    first, last = float(chart.data["x"].min()), float(chart.data["x"].max())
    room = 0.03 * (last - first) or 1.0
    for name, drawn in drawing["layout"].items():
        if name.startswith("xaxis"):
            drawn |= {"range": [first - room, last + room], "zeroline": False}
    return drawing


def grid(chart: Chart, column: str = "value") -> pd.DataFrame:
    """[label, x] cells of a heat map, labels in their order."""
    return chart.data.pivot_table(index="label", columns="x", values=column).loc[chart.labels]


def span(points: pd.DataFrame, name: str) -> tuple[float, float]:
    """Ends of an axis of the plane: the unit interval, and what lies beyond it."""
    values = points[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    low, high = min(0.0, float(np.nanmin(values))), max(1.0, float(np.nanmax(values)))
    room = 0.06 * (high - low)
    return low - room, high + room


def _heat(chart: Chart) -> Json:
    cells, minimum = grid(chart), grid(chart, "minimum")
    years = [f"{year:.0f}" for year in cells.columns]
    rows = zip(cells.index, cells.to_numpy(dtype=float), minimum.to_numpy(dtype=float), strict=True)
    said = [
        [_cell_said(str(label), str(year), *rates) for year, *rates in zip(years, cut, floor, strict=True)]
        for label, cut, floor in rows
    ]
    layout = blank_layout(120 + ROW * len(cells))
    spacing = {"dtick": 20 if len(cells.columns) > 8 else 5, "tick0": cells.columns[0], "tickformat": "d"}
    layout["xaxis"] = axis("", showgrid=False, zeroline=False, ticks="", **spacing)
    names = [text_of(label) for label in cells.index]
    layout["yaxis"] = axis("", showgrid=False, autorange="reversed", dtick=1, ticks="", tickfont={"size": 11})
    layout["margin"] |= {"t": 64, "b": 30}
    bar = {
        "orientation": "h", "x": 0, "xanchor": "left", "len": 0.6, "y": 1.0, "yanchor": "bottom", "thickness": 10,
        "tickvals": [0, 0.5, 1], "tickformat": ".0%", "tickangle": 0, "outlinewidth": 0,
        "title": {"text": chart.y_title, "side": "top", "font": {"size": 13}},
    }  # fmt: skip
    trace: Json = {
        "type": "heatmap", "x": cells.columns.tolist(), "y": names, "z": cells.to_numpy().tolist(), "zmin": 0,
        "zmax": 1, "colorscale": [[0, PALE], [1, BLUE]], "xgap": 1, "ygap": 1, "hovertext": said, "hoverinfo": "text",
        "colorbar": bar,
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _cell_said(label: str, year: str, rate: float, minimum: float) -> str:
    bound = f", bound to at least {percent(minimum)}" if minimum > 0 else ""
    return f"{text_of(label)}, {year}: {percent(rate)}{bound}"


def _points(chart: Chart) -> Json:
    traces = [
        _point(chart, row, symbol)
        for row, symbol in zip(chart.data.to_dict("records"), _cycled(len(chart.data)), strict=True)
    ]
    layout = blank_layout(430)
    layout["xaxis"] = axis(chart.x_title, range=list(span(chart.data, "x")), nticks=6, tickformat=".1~f")
    layout["yaxis"] = axis(chart.y_title, range=list(span(chart.data, "y")), nticks=6, tickformat=".1~f")
    layout["margin"]["t"] = 28 + 20 * len(traces)
    return {"data": traces, "layout": layout}


def _cycled(count: int) -> list[str]:
    return [SYMBOLS[at % len(SYMBOLS)] for at in range(count)]


def _point(chart: Chart, row: Mapping[Hashable, Any], symbol: str) -> Json:
    name = str(row["series"])
    place = {side: float(row[side]) for side in ("x", "y")}
    said = f"{text_of(name)}<br>economic index {number(place['x'], 2)}, climate index {number(place['y'], 2)}"
    trace: Json = {
        "type": "scatter", "mode": "markers", "name": text_of(name), "x": [place["x"]], "y": [place["y"]],
        "marker": {"size": 13, "symbol": symbol, "color": colour_of(chart, name)}, "hovertext": said,
        "hoverinfo": "text", "showlegend": True, "cliponaxis": False,
    }  # fmt: skip
    for side in ("x", "y"):
        low, high = float(row[f"{side}_low"]), float(row[f"{side}_high"])
        if np.isfinite(low):
            ends = {"array": [max(high - place[side], 0.0)], "arrayminus": [max(place[side] - low, 0.0)]}
            trace[f"error_{side}"] = {"type": "data", "symmetric": False, "thickness": 2, "width": 4} | ends
    return trace


def colour_of(chart: Chart, series: str) -> str:
    """Colour of a point."""
    return chart.colours.get(series) or CYCLE[(2 + chart.series.index(series)) % len(CYCLE)]
