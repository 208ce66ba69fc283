"""The plane of the two indices, drawn: every run a point, what they dominate shaded; whole, and close up."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carbonray.report.charts import BLUE, GREY, GRID, Chart
from carbonray.report.compare_figures import make_room
from carbonray.report.interactive import Json, axis, blank_layout, text_of
from carbonray.report.stills import blank_figure, plain, saved
from carbonray.report.wording import number

Array = NDArray[np.float64]
Range = tuple[float, float]

SYMBOLS = (
    ("circle-open", "o"), ("square-open", "s"), ("diamond-open", "D"), ("triangle-up-open", "^"),
    ("pentagon-open", "p"), ("triangle-down-open", "v"), ("hexagon-open", "h"),
)  # fmt: skip
"""Open, so that runs on one place are still seen; for plotly and matplotlib."""
EXTREMES = "Extremes without trade"
NEAR = 0.4
"""Span of the points under which they get a close-up."""
SMALLEST_VIEW = 0.004
"""Span of a close-up at least: below it nothing but rounding would be seen."""
GAP = 0.14
"""Share of the figure between its panels."""


def staircase(points: Array) -> Array:
    """The outline of what the points dominate in the unit square, from (right, 0) over the steps to (0, 0).

    Args:
        points: [N, 2], at least one.
    Returns:
        [M, 2] corners.
    """
    inside = np.clip(points, 0.0, 1.0)
    first, second = inside[np.lexsort((inside[:, 1], inside[:, 0]))[::-1]].T
    top = np.maximum.accumulate(second)
    across, up = np.repeat(first, 2), np.repeat(top, 2)
    return np.column_stack([[*across, 0.0, 0.0], [0.0, *up, 0.0]])


def views(chart: Chart) -> list[tuple[str, Range, Range]]:
    """Panels: heading, range of x and range of y; a close-up where the points stand together."""
    x, y = chart.data["x"].to_numpy(dtype=float), chart.data["y"].to_numpy(dtype=float)
    whole = [(min(0.0, float(v.min())) - 0.05, max(1.0, float(v.max())) + 0.05) for v in (x, y)]
    apart = max(float(np.ptp(x)), float(np.ptp(y)))
    if not SMALLEST_VIEW / 10 < apart < NEAR:
        return [("", whole[0], whole[1])]
    near = [_around(chart.data[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)) for name in ("x", "y")]
    return [("The whole plane", whole[0], whole[1]), ("Close-up of the runs", near[0], near[1])]


def _around(values: Array) -> Range:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.25 * (high - low), SMALLEST_VIEW / 2)
    return low - room, high + room


def plane_spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot; panels under one another."""
    panels = views(chart)
    layout = blank_layout(400 * len(panels))
    layout |= {"hovermode": "closest", "annotations": []}
    height = (1 - GAP * (len(panels) - 1)) / len(panels)
    outline = staircase(chart.data[["x", "y"]].to_numpy(dtype=float))
    traces: list[Json] = []
    for at, (heading, across, up) in enumerate(panels):
        end = "" if at == 0 else str(at + 1)
        top = 1 - at * (height + GAP)
        ticks = {"nticks": 6, "tickformat": "~r", "zeroline": False}
        layout[f"xaxis{end}"] = axis(chart.x_title, range=across, anchor=f"y{end}", **ticks)
        layout[f"yaxis{end}"] = axis(
            chart.y_title, range=up, anchor=f"x{end}", domain=[max(top - height, 0.0), top], **ticks
        )
        if heading:
            words = {"text": f"<b>{heading}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": top}
            layout["annotations"].append(words | {"xanchor": "left", "yanchor": "bottom", "showarrow": False})
        traces += [one | {"xaxis": f"x{end}", "yaxis": f"y{end}"} for one in _traces(chart, outline, legend=at == 0)]
    drawing = make_room({"data": traces, "layout": layout}, [*chart.series, EXTREMES])
    if len(panels) > 1:
        layout["legend"]["y"] = 1.06  # above the heading
    return drawing


def _traces(chart: Chart, outline: Array, *, legend: bool) -> list[Json]:
    shade: Json = {
        "type": "scatter", "mode": "lines", "x": outline[:, 0].tolist(), "y": outline[:, 1].tolist(),
        "fill": "toself", "fillcolor": "rgba(0,114,178,0.10)", "line": {"color": BLUE, "width": 1.5},
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    extremes: Json = {
        "type": "scatter", "mode": "markers", "x": [0, 1], "y": [1, 0], "name": EXTREMES, "showlegend": legend,
        "marker": {"symbol": "x-thin-open", "size": 10, "color": GREY, "line": {"width": 2, "color": GREY}},
        "hovertext": ["No saving, all emissions abated", "All output saved, nothing abated"], "hoverinfo": "text",
    }  # fmt: skip
    traces = [shade, extremes]
    for at, row in enumerate(chart.data.to_dict("records")):
        name, x, y = text_of(str(row["series"])), float(row["x"]), float(row["y"])
        point: Json = {
            "type": "scatter", "mode": "markers", "x": [x], "y": [y], "name": name, "showlegend": legend,
            "legendgroup": name, "hoverinfo": "text",
            "hovertext": [f"{name}<br>economic {number(x, 3)}, climate {number(y, 3)}"],
            "marker": {
                "symbol": SYMBOLS[at % len(SYMBOLS)][0], "size": 13, "color": chart.colour(str(row["series"])),
                "line": {"width": 2.5},
            },
        }  # fmt: skip
        for name, value in (("x", x), ("y", y)):
            low, high = float(row[f"{name}_low"]), float(row[f"{name}_high"])
            if np.isfinite(low) and np.isfinite(high):
                point[f"error_{name}"] = {
                    "type": "data", "symmetric": False, "array": [max(high - value, 0.0)],
                    "arrayminus": [max(value - low, 0.0)], "thickness": 1.5, "width": 0,
                }  # fmt: skip
        traces.append(point)
    return traces


def plane_png(chart: Chart) -> bytes:
    """The same as a PNG file."""
    panels = views(chart)
    figure, axes = blank_figure(chart, 3.9 * len(panels) + 0.7, len(panels))
    outline = staircase(chart.data[["x", "y"]].to_numpy(dtype=float))
    for ax, (heading, across, up) in zip(axes, panels, strict=True):
        ax.fill(outline[:, 0], outline[:, 1], facecolor=BLUE, alpha=0.10, lw=0)
        ax.plot(outline[:, 0], outline[:, 1], color=BLUE, lw=1.2)
        ax.plot([0, 1], [1, 0], "x", color=GREY, ms=8, mew=2, label=EXTREMES)
        _points(ax, chart)
        ax.set(xlim=across, ylim=up, xlabel=chart.x_title, ylabel=chart.y_title)
        ax.grid(color=GRID, lw=0.8)
        if heading:
            ax.set_title(heading, loc="left", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return saved(figure)


def _points(ax: Axes, chart: Chart) -> None:
    for at, row in enumerate(chart.data.to_dict("records")):
        name, colour = str(row["series"]), chart.colour(str(row["series"]))
        x, y = float(row["x"]), float(row["y"])
        for low, high, flat in ((row["x_low"], row["x_high"], True), (row["y_low"], row["y_high"], False)):
            if np.isfinite(low) and np.isfinite(high):
                ax.plot(*(([low, high], [y, y]) if flat else ([x, x], [low, high])), color=colour, lw=1.2)
        marker = SYMBOLS[at % len(SYMBOLS)][1]
        ax.plot([x], [y], marker, color=colour, mfc="none", mew=2, ms=9, ls="", label=plain(name))
