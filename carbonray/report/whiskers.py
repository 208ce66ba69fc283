"""Bars with intervals, and tornados, for plotly and for matplotlib."""

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from carbonray.report.charts import BLUE, GREY, GRID, INK, ORANGE, Chart
from carbonray.report.interactive import Json, axis, blank_layout, label_of, number_of, text_of
from carbonray.report.stills import blank_figure, plain, saved
from carbonray.report.wording import percent

SIMULATED = "Simulated"
ENDS = {"low": ("The end named first", BLUE), "high": ("The end named last", ORANGE)}
"""Of a tornado: column, name and colour."""
LETTERS = 26
"""In a line beside a tornado."""
ROOM = {"whiskers": 0.16, "tornado": 0.3}
"""Share of the span that numbers need beside bars, on a phone too."""


def whisker_spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot: bars, a line over the interval, a diamond where it was simulated."""
    data = chart.data
    layout = _layout(chart, 120 + 34 * len(data))
    layout["yaxis"] |= {"categoryorder": "array", "categoryarray": [label_of(name) for name in chart.labels[::-1]]}
    traces: list[Json] = []
    for series in chart.series:
        rows = data[data["series"] == series]
        bar: Json = {
            "type": "bar", "orientation": "h", "name": text_of(series), "x": rows["value"].tolist(),
            "y": [label_of(name) for name in rows["label"]], "marker": {"color": chart.colour(series)},
            "hovertext": [_said(chart, row) for _, row in rows.iterrows()], "hoverinfo": "text",
            "textposition": "none",
        }  # fmt: skip
        if rows["low"].notna().all():
            bar["error_x"] = {
                "type": "data", "symmetric": False, "array": (rows["high"] - rows["value"]).tolist(),
                "arrayminus": (rows["value"] - rows["low"]).tolist(), "color": INK, "thickness": 1.6, "width": 4,
            }  # fmt: skip
        traces.append(bar)
    done = data[data["simulated"].notna()]
    if len(done):
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": SIMULATED, "x": done["simulated"].tolist(),
                "y": [label_of(name) for name in done["label"]], "hoverinfo": "x+name",
                "marker": {"symbol": "diamond", "size": 9, "color": "#ffffff", "line": {"color": INK, "width": 2}},
            }
        )  # fmt: skip
    for _, row in data.iterrows():
        side = -1 if row["value"] < 0 else 1
        layout["annotations"].append(
            {
                "x": _outer(row), "y": label_of(str(row["label"])), "text": _show(chart, row["value"]),
                "showarrow": False, "xanchor": "left" if side > 0 else "right", "xshift": 6 * side,
                "font": {"size": 12},
            }
        )  # fmt: skip
    layout["showlegend"] = len(traces) > 1
    layout["margin"]["t"] = 40 if len(traces) > 1 else 16
    return {"data": traces, "layout": layout}


def whisker_still(chart: Chart) -> bytes:
    """The same as a PNG file."""
    data = chart.data
    figure, (ax,) = blank_figure(chart, 1.5 + 0.32 * len(data))
    for at, (_, row) in enumerate(data.iterrows()):
        value, side = float(row["value"]), -1 if row["value"] < 0 else 1
        ax.barh(at, value, height=0.7, color=chart.colour(str(row["series"])))
        if np.isfinite(row["low"]):
            ax.errorbar(value, at, xerr=[[value - row["low"]], [row["high"] - value]], color=INK, lw=1.3, capsize=3)
        ax.plot(row["simulated"], at, "D", mfc="white", mec=INK, mew=1.6, ms=6)
        _beside(ax, _outer(row), at, _show(chart, value), side)
    ax.set_yticks(range(len(data)), [plain(name) for name in data["label"]])
    ax.set_xlim(*_span(chart))
    _dressed(ax, chart)
    key: list[Patch | Line2D] = [Patch(color=chart.colour(name), label=plain(name)) for name in chart.series]
    if data["simulated"].notna().any():
        key.append(Line2D([], [], ls="", marker="D", mfc="white", mec=INK, mew=1.6, label=SIMULATED))
    if len(key) > 1:
        figure.legend(handles=key, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return saved(figure)


def tornado_spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot: from the base, a bar to either end of each driver."""
    data = chart.data
    layout = _layout(chart, 150 + 62 * len(data))
    base = float(data["base"].iloc[0])
    places = list(range(len(data)))
    labels = [[f"<b>{text_of(line)}</b>" for line in _wrapped(words)] for words in data["label"]]
    ends = [[text_of(line) for line in _wrapped(words)] for words in data["ends"]]
    names = ["<br>".join([*label, *end]) for label, end in zip(labels, ends, strict=True)]
    layout["yaxis"] |= {"tickvals": places, "ticktext": names, "tickfont": {"size": 11.5}}
    layout["yaxis"] |= {"autorange": "reversed", "zeroline": False}
    layout["barmode"], layout["bargap"] = "group", 0.3
    layout["shapes"] = [
        {"type": "line", "x0": base, "x1": base, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": INK, "width": 2}}
    ]
    traces = [
        {
            "type": "bar", "orientation": "h", "name": name, "base": base, "x": (data[end] - base).tolist(),
            "y": places, "marker": {"color": colour}, "text": [_show(chart, value) for value in data[end]],
            "textposition": "outside", "cliponaxis": False, "textfont": {"size": 11}, "hoverinfo": "text+name",
        }
        for end, (name, colour) in ENDS.items()
    ]  # fmt: skip
    layout["margin"]["t"] = 40
    return {"data": traces, "layout": layout}


def tornado_still(chart: Chart) -> bytes:
    """The same as a PNG file."""
    data = chart.data
    figure, (ax,) = blank_figure(chart, 1.7 + 0.56 * len(data))
    for at, (_, row) in enumerate(data.iterrows()):
        for shift, (end, (_, colour)) in zip((-0.18, 0.18), ENDS.items(), strict=True):
            value, base = float(row[end]), float(row["base"])
            ax.barh(at + shift, value - base, left=base, height=0.34, color=colour)
            _beside(ax, value, at + shift, _show(chart, value), -1 if value < base else 1)
    ax.axvline(float(data["base"].iloc[0]), color=INK, lw=1.6)
    names = ["\n".join([label, *_wrapped(words)]) for label, words in zip(data["label"], data["ends"], strict=True)]
    ax.set_yticks(range(len(data)), [plain(name) for name in names])
    ax.set_xlim(*_span(chart))
    _dressed(ax, chart)
    key = [Patch(color=colour, label=name) for name, colour in ENDS.values()]
    figure.legend(handles=key, loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return saved(figure)


def _layout(chart: Chart, height: int) -> Json:
    """Bars that lie: numbers beneath, names at the left, and the title of the numbers where a phone shows it whole."""
    layout = blank_layout(height)
    ticks = {"tickformat": ",.1~%"} if chart.as_percent else {"tickformat": ",~r"}
    layout["xaxis"] = axis("", range=list(_span(chart)), nticks=5, tickangle=0, **ticks)
    layout["yaxis"] = axis("", ticklabelstandoff=6, showgrid=False)
    layout["barmode"], layout["bargap"] = "overlay", 0.25
    layout["margin"]["b"] = 66
    place = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top", "yshift": -26}
    title = {"text": "<br>".join(textwrap.wrap(chart.x_title, 42)), "align": "right", "showarrow": False}
    layout["annotations"] = [title | place]
    return layout


def _numbers(chart: Chart) -> Iterator[float]:
    """Every number on the axis."""
    for name in ("value", "low", "high", "simulated", "base"):
        if name in chart.data:
            yield from chart.data[name].dropna().astype(float)


def _span(chart: Chart) -> tuple[float, float]:
    """Ends of the axis, with room for the numbers; bars stand on zero."""
    numbers = [*_numbers(chart), *([0.0] if chart.kind == "whiskers" else [])]
    low, high = min(numbers), max(numbers)
    room = ROOM[chart.kind] * (high - low or 1.0)
    return (low if low == 0 else low - room), (high if high == 0 else high + room)


def _outer(row: "pd.Series") -> float:
    """Where the number of a bar stands: beyond bar, interval and mark."""
    ends = row[["value", "low", "high", "simulated"]].dropna().astype(float)
    return float(ends.min() if row["value"] < 0 else ends.max())


def _said(chart: Chart, row: "pd.Series") -> str:
    said = f"{text_of(str(row['label']))}: {_show(chart, row['value'])}"
    return said + (f" ({_show(chart, row['low'])} to {_show(chart, row['high'])})" if row["low"] == row["low"] else "")


def _wrapped(words: object) -> list[str]:
    return textwrap.wrap(str(words), LETTERS)


def _show(chart: Chart, value: float) -> str:
    return percent(float(value)) if chart.as_percent else number_of(float(value))


def _beside(ax: Axes, x: float, y: float, words: str, side: int) -> None:
    """Words to the right of a point, or to its left."""
    ax.annotate(
        words, (x, y), (7 * side, 0), textcoords="offset points", va="center", ha="left" if side > 0 else "right",
        fontsize=8, color=INK,
    )  # fmt: skip


def _dressed(ax: Axes, chart: Chart) -> None:
    """Names from above, a line at zero, and what the numbers are."""
    ax.invert_yaxis()
    if ax.get_xlim()[0] <= 0 <= ax.get_xlim()[1]:
        ax.axvline(0, color=GREY, lw=1)
    ax.grid(axis="x", color=GRID, lw=0.8)
    ax.set_xlabel(plain(chart.x_title))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(
        PercentFormatter(1.0) if chart.as_percent else FuncFormatter(lambda value, _: number_of(value))
    )
