"""The plane of leaked tonnes and output lost at home, against the law: every candidate a point with its intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from carbonray.report.charts import BLUE, GREEN, GREY, GRID, INK, ORANGE, RED, Chart
from carbonray.report.interactive import Json, axis, blank_layout, text_of
from carbonray.report.stills import blank_figure, plain, saved
from carbonray.report.tables import Table
from carbonray.report.wording import number

KINDS = {
    "law": ("The law", INK, "star", "*"),
    "scenario": ("Other laws", GREY, "square", "s"),
    "lever": ("One lever, turned fully", BLUE, "triangle-up", "^"),
    "constant": ("Best constant decrees", ORANGE, "diamond", "D"),
    "path": ("Best paths, CMA-ES", GREEN, "circle", "o"),
    "learned": ("Learned regulators", RED, "cross", "P"),
}
"""Kind -> name, colour, and mark for plotly and matplotlib."""
PANELS = {
    "front": ("Net of what support abroad buys", "leaked_mt"),
    "front_gross": ("Gross: the same decrees with nothing bought abroad", "leaked_gross_mt"),
}
"""Mark of those on the front -> heading and figure."""
PALE = 0.3
GAP = 0.14
"""Share of the figure between its panels."""
X, Y = "Output lost at home against the law, bn USD", "Leaked CO2 against the law, Mt"


def plane(summary: Mapping[str, Any]) -> Chart:
    """Differences to the law, draw by draw; a panel net and one gross of reductions that are bought abroad."""
    rows = [
        row
        for one in summary["candidates"]
        for mark in PANELS
        if (row := _point(one, mark)) is not None
    ]  # fmt: skip
    first, last = summary["years"]
    return Chart(
        key="frontier",
        kind="points",
        data=pd.DataFrame(rows),
        title="Leaked CO2 and output lost at home, against the law",
        caption=f"Sums over {first}–{last}, every candidate at a carbon price at which emissions at home fall as much "
        f"as under the law. Down leaks less, left costs less; the law is at zero. Points are means of the paired "
        f"differences over {summary['draws']} draws, bars their 95 % intervals. Pale points are dominated: another "
        "one leaks less at no more output lost.",
        x_title=X,
        y_title=Y,
        colours={name: colour for name, colour, _, _ in KINDS.values()},
    )


def _point(one: Mapping[str, Any], mark: str) -> dict[str, Any] | None:
    heading, figure = PANELS[mark]
    tonnes, lost = (one["against"]["law"][name] for name in (figure, "output_loss_musd"))
    if tonnes is None or lost is None:
        return None
    x, x_low, x_high = (lost[name] / 1000 for name in ("mean", "low", "high"))
    return {
        "panel": heading, "series": KINDS[one["kind"]][0], "label": one["name"], "kind": one["kind"],
        "pale": not one[mark] and one["kind"] != "law", "x": x, "x_low": x_low, "x_high": x_high,
        "y": tonnes["mean"], "y_low": tonnes["low"], "y_high": tonnes["high"],
    }  # fmt: skip


def plane_numbers(chart: Chart) -> Table:
    """The numbers behind it."""
    columns = ("Candidate", "Panel", X, "95 % interval", Y, "95 % interval", "Place")
    rows = tuple(_told(row) for row in chart.data.to_dict("records"))
    return Table(caption="Numbers of the figure", columns=columns, rows=rows)


def _told(row: Mapping[Any, Any]) -> tuple[str, ...]:
    panel = "net" if row["panel"] == PANELS["front"][0] else "gross"
    place = "the law" if row["kind"] == "law" else "dominated" if row["pale"] else "on the front"
    cells = []
    for name in ("x", "y"):
        value, low, high = (float(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
        cells += [number(value, 1, signed=True), f"{number(low, 1)} to {number(high, 1)}"]
    return (str(row["label"]), panel, *cells, place)


def plane_spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot; panels under one another."""
    layout = blank_layout(430 * len(chart.panels))
    layout |= {"hovermode": "closest", "annotations": []}
    layout["margin"]["t"] = 90
    height = (1 - GAP * (len(chart.panels) - 1)) / len(chart.panels)
    traces: list[Json] = []
    for at, panel in enumerate(chart.panels):
        end = "" if at == 0 else str(at + 1)
        top = 1 - at * (height + GAP)
        layout[f"xaxis{end}"] = axis(chart.x_title, anchor=f"y{end}", tickformat=",~r")
        layout[f"yaxis{end}"] = axis(chart.y_title, anchor=f"x{end}", domain=[max(top - height, 0), top])
        words = {"text": f"<b>{panel}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": top}
        layout["annotations"].append(words | {"xanchor": "left", "yanchor": "bottom", "showarrow": False})
        for series in chart.series:
            rows = chart.data[(chart.data["panel"] == panel) & (chart.data["series"] == series)]
            traces.append(_trace(rows, end))
    return {"data": traces, "layout": layout}


def _trace(rows: pd.DataFrame, end: str) -> Json:
    kind = str(rows["kind"].iloc[0])
    name, colour, symbol, _ = KINDS[kind]
    said = [
        f"{text_of(str(row['label']))}<br>leaked {number(float(row['y']), 0, signed=True)} Mt, "
        f"output lost {number(float(row['x']), 1, signed=True)} bn USD"
        for row in rows.to_dict("records")
    ]
    trace: Json = {
        "type": "scatter", "mode": "markers", "name": name, "legendgroup": kind, "showlegend": not end,
        "x": rows["x"].tolist(), "y": rows["y"].tolist(), "xaxis": f"x{end}", "yaxis": f"y{end}",
        "hovertext": said, "hoverinfo": "text",
        "marker": {
            "symbol": symbol, "size": 11, "color": colour,
            "opacity": [PALE if pale else 1.0 for pale in rows["pale"]],
        },
    }  # fmt: skip
    for name in ("x", "y"):
        trace[f"error_{name}"] = {
            "type": "data", "symmetric": False, "array": (rows[f"{name}_high"] - rows[name]).tolist(),
            "arrayminus": (rows[name] - rows[f"{name}_low"]).tolist(), "thickness": 0.8, "width": 0, "color": colour,
        }  # fmt: skip
    return trace


def plane_png(chart: Chart) -> bytes:
    """The same as a PNG file."""
    figure, axes = blank_figure(chart, 4.1 * len(chart.panels) + 0.9, len(chart.panels))
    for ax, panel in zip(axes, chart.panels, strict=True):
        _draw(ax, chart.data[chart.data["panel"] == panel])
        ax.set(xlabel=plain(chart.x_title), ylabel=plain(chart.y_title))
        ax.set_title(plain(panel), loc="left", fontsize=10, color=INK)
        ax.grid(color=GRID, lw=0.8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return saved(figure)


def _draw(ax: Axes, rows: pd.DataFrame) -> None:
    named: set[str] = set()
    for row in rows.to_dict("records"):
        name, colour, _, marker = KINDS[str(row["kind"])]
        x, y = float(row["x"]), float(row["y"])
        strength = PALE if row["pale"] else 1.0
        ax.plot([row["x_low"], row["x_high"]], [y, y], color=colour, lw=0.8, alpha=strength)
        ax.plot([x, x], [row["y_low"], row["y_high"]], color=colour, lw=0.8, alpha=strength)
        label = None if name in named else plain(name)
        ax.plot([x], [y], marker, color=colour, ms=8, ls="", alpha=strength, label=label)
        named.add(name)
    for line in (ax.axhline, ax.axvline):
        line(0, color="#8793a0", lw=1)
    ax.margins(np.float64(0.06))
