"""What was predicted beside what was simulated, case by case, for plotly and for matplotlib."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from carbonray.report.charts import BLUE, GREY, GRID, INK, RED, Chart
from carbonray.report.interactive import Json, axis, blank_layout
from carbonray.report.stills import blank_figure, plain, saved
from carbonray.report.wording import percent

HELD, MISSED = "Interval holds the simulation", "Interval misses it"
COLOURS = {HELD: BLUE, MISSED: RED}
SYMBOLS = {HELD: ("circle-open", "o"), MISSED: ("x-thin-open", "x")}
FAINT = "rgba(102,115,128,0.3)"
MIDDLE = 0.99
"""Share of the cases that a figure has to show whole."""


def view(chart: Chart) -> tuple[float, float]:
    """Ends of both axes: the middle of the cases, so that a few far away do not hide the others."""
    points = chart.data[["x", "y"]].to_numpy(dtype=float)
    low, high = np.quantile(points, [(1 - MIDDLE) / 2, (1 + MIDDLE) / 2])
    room = 0.08 * (high - low or 1.0)
    return float(low - room), float(high + room)


def pairs_spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot."""
    ends = list(view(chart))
    layout = blank_layout(520)
    layout["xaxis"] = axis(chart.x_title, range=ends, tickformat=",.1~%", nticks=6)
    layout["yaxis"] = axis(chart.y_title, range=ends, tickformat=",.1~%", nticks=6)
    layout["hovermode"] = "closest"
    layout["margin"]["t"] = 48
    diagonal: Json = {
        "type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": {"color": INK, "width": 1},
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    traces = [diagonal]
    for series in chart.series:
        rows = chart.data[chart.data["series"] == series]
        x, y = rows["x"].tolist(), rows["y"].tolist()
        half = (rows["high"] - rows["y"]).where(np.isfinite(rows["high"]), 0.0)
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": series, "x": x, "y": y, "hoverinfo": "text",
                "hovertext": [f"simulated {percent(a)}<br>predicted {percent(b)}" for a, b in zip(x, y, strict=True)],
                "marker": {"symbol": SYMBOLS[series][0], "size": 7, "color": COLOURS[series], "line": {"width": 1.5}},
                "error_y": {"type": "data", "array": half.tolist(), "color": FAINT, "thickness": 1, "width": 0},
            }
        )  # fmt: skip
    return {"data": traces, "layout": layout}


def pairs_still(chart: Chart) -> bytes:
    """The same as a PNG file."""
    figure, (ax,) = blank_figure(chart, 6.2)
    ends = view(chart)
    ax.plot(ends, ends, color=INK, lw=1)
    for series in chart.series:
        rows = chart.data[chart.data["series"] == series]
        ax.vlines(rows["x"], rows["low"], rows["high"], color=GREY, lw=0.5, alpha=0.5)
        ax.plot(rows["x"], rows["y"], SYMBOLS[series][1], mfc="none", color=COLOURS[series], ms=4, label=series)
    ax.set(xlim=ends, ylim=ends)
    ax.set_aspect("equal")
    ax.grid(color=GRID, lw=0.8)
    ax.set_xlabel(plain(chart.x_title))
    ax.set_ylabel(plain(chart.y_title))
    for side in (ax.xaxis, ax.yaxis):
        side.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return saved(figure)
