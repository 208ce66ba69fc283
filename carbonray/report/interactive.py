"""A chart as the JSON that plotly.js draws; nothing in it is random or dated, so that equal runs give equal bytes."""

import html
import math
import textwrap
from functools import partial
from typing import Any

import numpy as np

from carbonray.report.charts import BLUE, FALL, GRID, INK, RISE, Chart, columns_of, edge_width
from carbonray.report.wording import megatonnes, number, percent

Json = dict[str, Any]
FONT = {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif", "size": 13}


def spec(chart: Chart) -> Json:
    """`data` and `layout` for Plotly.newPlot."""
    return {"lines": _lines, "bars": _bars, "ranges": _ranges, "network": _network}[chart.kind](chart)


def blank_layout(height: int) -> Json:
    """What every figure shares: font, margins, and a legend above it."""
    return {
        "height": height,
        "autosize": True,
        "font": {**FONT, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 10, "r": 16, "t": 16, "b": 10},
        "dragmode": False,
        "hoverlabel": {"font": FONT},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "y": 1.0,
            "yanchor": "top",
            "yref": "container",
        },
    }


def axis(title: str, **more: Any) -> Json:
    """An axis with its title."""
    line = {"gridcolor": GRID, "zerolinecolor": "#8793a0", "zerolinewidth": 1.2, "automargin": True, "fixedrange": True}
    return {"title": {"text": title, "standoff": 8, "font": {"size": 13}}, **line, **more}


def _lines(chart: Chart) -> Json:
    """Panels stand under one another, so that a phone shows them whole."""
    panels = chart.panels
    layout = blank_layout(380 if len(panels) == 1 else 300 * len(panels))
    gap = 0.12
    height = (1 - gap * (len(panels) - 1)) / len(panels)
    traces: list[Json] = []
    annotations = []
    ticks = {"tickformat": ".1%"} if chart.as_percent else {"tickformat": ",~r"}
    modes = {name: {"rangemode": "tozero" if name in chart.zeros else "normal"} for name in "xy"}
    for at, panel in enumerate(panels):
        end = "" if at == 0 else str(at + 1)
        top = 1 - at * (height + gap)
        last = at == len(panels) - 1
        place = {"domain": [max(top - height, 0), top], "anchor": f"x{end}"}
        layout[f"yaxis{end}"] = axis(chart.y_title, **place, **ticks, **modes["y"])
        years = {"dtick": _years_a_tick(chart), "tickformat": "d", "ticklabelstandoff": 4}
        spacing = years if chart.whole_years else {}
        layout[f"xaxis{end}"] = axis(chart.x_title if last else "", anchor=f"y{end}", **spacing, **modes["x"])
        if panel:
            heading = {"text": f"<b>{text_of(panel)}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": top}
            annotations.append(heading | {"xanchor": "left", "yanchor": "bottom", "showarrow": False})
        for series in chart.layers:
            traces += _line(chart, panel, series, end)
    layout["annotations"] = annotations
    layout["hovermode"] = "closest"
    layout["margin"]["t"] = 64
    return {"data": traces, "layout": layout}


def _years_a_tick(chart: Chart) -> int:
    years = int(chart.data["x"].max() - chart.data["x"].min())
    return next(step for most, step in ((6, 1), (40, 2), (math.inf, 20)) if years <= most)


def _line(chart: Chart, panel: str, series: str, end: str) -> list[Json]:
    rows = chart.data[(chart.data.panel == panel) & (chart.data.series == series)]
    colour = chart.colour(series)
    x, y = rows.x.tolist(), rows.y.tolist()
    common: Json = {"type": "scatter", "xaxis": f"x{end}", "yaxis": f"y{end}", "legendgroup": series}
    traces: list[Json] = []
    for low, high in chart.bands:
        band = rows[np.isfinite(rows[low])]
        if band.empty:
            continue
        around = {"x": band.x.tolist() + band.x.tolist()[::-1], "y": band[high].tolist() + band[low].tolist()[::-1]}
        look = {
            "mode": "lines",
            "line": {"width": 0},
            "fill": "toself",
            "fillcolor": _faint(colour),
            "hoverinfo": "skip",
        }
        traces.append(common | around | look | {"name": series, "showlegend": False})
    show = percent if chart.as_percent else partial(number_of, decimals=chart.decimals)
    said = [f"{text_of(series)}<br>{when}: {show(value)}" for when, value in zip(rows.when, y, strict=True)]
    mode = "markers" if series in chart.dots else "lines+markers" if chart.marked(series) else "lines"
    thin = series in chart.thin
    dash = ("solid", "dash", "dot", "dashdot")[0 if thin else chart.series.index(series) % 4]
    stroke = {"color": colour, "width": 1 if thin else 2.5, "dash": dash}
    line = {"x": x, "y": y, "name": text_of(series), "mode": mode, "line": stroke}
    if series in chart.dots:
        line["marker"] = {"symbol": "diamond", "size": 9, "color": colour}
    return [*traces, common | line | {"hovertext": said, "hoverinfo": "text", "showlegend": not (end or thin)}]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def number_of(value: float, decimals: int = 1) -> str:
    """A number without its unit, which is on the axis."""
    return number(value, 0 if abs(value) >= 99.5 else decimals)


def _bars(chart: Chart) -> Json:
    data = chart.data
    grouped = len(chart.labels) < len(data)
    layout = blank_layout(130 + (44 if grouped else 34) * len(chart.labels))
    low, high = min(float(data.value.min()), 0.0), max(float(data.value.max()), 0.0)
    room = 0.36 * (high - low or 1.0)
    span = [low - (room if low < 0 else 0), high + (room if high > 0 else 0)]
    ticks = {"tickformat": ",.1~%"} if chart.as_percent else {"tickformat": ",~r"}
    layout["xaxis"] = axis("", range=span, nticks=4, tickangle=0, **ticks)
    layout["yaxis"] = axis("", categoryorder="array", categoryarray=[label_of(n) for n in chart.labels[::-1]])
    layout["yaxis"] |= {"ticklabelstandoff": 6, "showgrid": False}
    layout["barmode"] = "group" if grouped else "overlay"
    layout["bargap"] = 0.25
    layout["showlegend"] = len(chart.series) > 1
    layout["margin"] |= {"t": 40 if len(chart.series) > 1 else 16, "b": 66}
    place = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top", "yshift": -26}
    title = {"text": "<br>".join(textwrap.wrap(chart.x_title, 42)), "align": "right", "showarrow": False}
    layout["annotations"] = [title | place]  # an axis title would be cut on a phone: it is centred on the bars
    traces = [_bar(chart, series, 11 if grouped else 13) for series in chart.series]
    if grouped:
        traces.reverse()
        layout["legend"]["traceorder"] = "reversed"
    return {"data": traces, "layout": layout}


def _bar(chart: Chart, series: str, size: int) -> Json:
    rows = chart.data[chart.data.series == series]
    show = percent if chart.as_percent else number_of
    said = [show(value) for value in rows.value]
    where = {"x": rows.value.tolist(), "y": [label_of(name) for name in rows.label], "orientation": "h"}
    text = {"text": said, "textposition": "outside", "cliponaxis": False, "textfont": {"size": size}}
    look = {"type": "bar", "name": text_of(series), "marker": {"color": chart.colour(series)}}
    return look | {"hoverinfo": "y+name+text"} | where | text


def _ranges(chart: Chart) -> Json:
    """A line from low to high, a dot at the median, an upright mark at the base."""
    data = chart.data
    labels = [label_of(name) for name in data.series]
    show = percent if chart.as_percent else number_of
    said = [f"{show(float(low))} to {show(float(high))}" for low, high in zip(data.low, data.high, strict=True)]
    lines = max(label.count("<br>") + 1 for label in labels)
    layout = blank_layout(150 + max(44, 18 * lines) * len(labels))
    ticks = {"tickformat": ",.1~%" if chart.as_percent else ",~r", "rangemode": "tozero"}
    layout["xaxis"] = axis(chart.x_title, nticks=5, tickangle=0, **ticks)
    layout["yaxis"] = axis("", categoryorder="array", categoryarray=labels[::-1], showgrid=False)
    layout["yaxis"]["ticklabelstandoff"] = 6
    layout["margin"]["t"] = 56
    span: Json = {
        "type": "scatter", "mode": "markers+text", "name": chart.spread, "x": data.y.tolist(),
        "y": labels, "text": said, "textposition": "top center", "textfont": {"size": 11}, "cliponaxis": False,
        "marker": {"size": 10, "color": BLUE}, "hoverinfo": "y+text",
        "error_x": {
            "type": "data", "symmetric": False, "array": (data.high - data.y).tolist(),
            "arrayminus": (data.y - data.low).tolist(), "color": BLUE, "thickness": 4, "width": 0,
        },
    }  # fmt: skip
    known = data.base.notna().to_numpy()
    base: Json = {
        "type": "scatter", "mode": "markers", "name": "As assumed", "x": data.base[known].tolist(),
        "y": [label for label, there in zip(labels, known, strict=True) if there],
        "marker": {"size": 16, "color": INK, "symbol": "line-ns-open", "line": {"width": 2.5, "color": INK}},
        "hoverinfo": "x+name",
    }  # fmt: skip
    return {"data": [span, base] if known.any() else [span], "layout": layout}


def text_of(words: str) -> str:
    """Text as plotly takes it, which reads tags."""
    return html.escape(words, quote=False)


def label_of(name: str) -> str:
    """A name beside an axis, on lines of few letters."""
    return "<br>".join(text_of(part) for part in textwrap.wrap(name, 15, break_long_words=False))


def _network(chart: Chart) -> Json:
    edges, places = chart.data, columns_of(chart.data)
    largest = float(edges.change_mt.abs().max())
    traces: list[Json] = []
    steps = np.linspace(0.0, 1.0, 21)
    ease = steps * steps * (3 - 2 * steps)
    for edge in edges.itertuples():
        start, stop = places["source"][str(edge.source)], places["target"][str(edge.target)]
        change = float(str(edge.change_mt))
        ends = f"{text_of(str(edge.source))} → {text_of(str(edge.target))}"
        said = f"{ends}<br>{megatonnes(change, signed=True)} CO2 a year"
        look = {"color": RISE if change > 0 else FALL, "width": round(edge_width(change, largest), 3)}
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": np.round(steps, 4).tolist(),
                "y": np.round(start + (stop - start) * ease, 5).tolist(), "showlegend": False, "opacity": 0.72,
                "line": look | {"dash": "dash" if change > 0 else "solid"}, "hoverinfo": "text", "hovertext": said,
            }
        )  # fmt: skip
    for side, x, position in (("source", 0, "middle left"), ("target", 1, "middle right")):
        names = list(places[side])
        traces.append(
            {
                "type": "scatter", "mode": "markers+text", "x": [x] * len(names), "y": list(places[side].values()),
                "text": [text_of(name) for name in names], "textposition": position, "textfont": {"size": 12},
                "marker": {"size": 9, "color": INK}, "hoverinfo": "skip", "cliponaxis": False, "showlegend": False,
            }
        )  # fmt: skip
    layout = blank_layout(60 + 27 * max(len(names) for names in places.values()))
    layout["margin"] |= {"l": 84, "r": 84, "t": 36}
    layout["xaxis"] = {"visible": False, "range": [-0.02, 1.02], "fixedrange": True}
    layout["yaxis"] = {"visible": False, "range": [0, 1], "fixedrange": True}
    heads = (("Supplier", 0, "right"), ("Buyer", 1, "left"))
    layout["annotations"] = [
        {"text": f"<b>{text}</b>", "x": x, "xref": "x", "xanchor": anchor, "y": 1, "yref": "paper",
         "yanchor": "bottom", "showarrow": False}
        for text, x, anchor in heads
    ]  # fmt: skip
    return {"data": traces, "layout": layout}
