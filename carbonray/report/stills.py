"""A chart as PNG bytes, drawn by matplotlib without a display; equal charts give equal bytes."""

import io
import textwrap
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, PercentFormatter

from carbonray.report.charts import BLUE, FALL, GRID, INK, RISE, Chart, columns_of, edge_width
from carbonray.report.interactive import number_of
from carbonray.report.wording import number, percent

WIDTH = 7.6  # inches
DPI = 130


def png(chart: Chart) -> bytes:
    """The figure with its title, as a PNG file."""
    drawing = {"lines": _lines, "bars": _bars, "ranges": _ranges, "network": _network}[chart.kind](chart)
    return saved(drawing)


def saved(drawing: Figure) -> bytes:
    """A drawing as a PNG file."""
    FigureCanvasAgg(drawing)
    out = io.BytesIO()
    drawing.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def blank_figure(chart: Chart, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Axes under one another, and the title above them."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    axes = list(np.atleast_1d(np.asarray(figure.subplots(panels, 1), dtype=object)))
    figure.suptitle(
        plain("\n".join(textwrap.wrap(chart.title, 72))), x=0.01, ha="left", fontsize=12, weight="bold", color=INK
    )
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color("#8793a0")
        ax.tick_params(colors=INK, labelsize=9)
        ax.xaxis.label.set(color=INK, fontsize=9.5)
        ax.yaxis.label.set(color=INK, fontsize=9.5)
        ax.set_axisbelow(True)
    return figure, axes


def plain(text: str) -> str:
    """Text that matplotlib takes as it is: no mathematics between dollar signs."""
    return text.replace("$", r"\$")


def _lines(chart: Chart) -> Figure:
    panels = chart.panels
    figure, axes = blank_figure(chart, 4.2 if len(panels) == 1 else 2.9 * len(panels) + 0.6, len(panels))
    for ax, panel in zip(axes, panels, strict=True):
        for series in chart.layers:
            rows = chart.data[(chart.data.panel == panel) & (chart.data.series == series)]
            x, y = (rows[name].to_numpy(dtype=float) for name in ("x", "y"))
            colour = chart.colour(series)
            if series in chart.thin:
                ax.plot(x, y, color=colour, lw=0.8)
                continue
            dash = ("-", "--", ":", "-.")[chart.series.index(series) % 4]
            marker = "o" if chart.marked(series) else ""
            if series in chart.dots:
                dash, marker = "", "D"
            ax.plot(x, y, color=colour, lw=2, label=plain(series), ls=dash, marker=marker, ms=4)
            for bounds in chart.bands:
                low, high = (rows[name].to_numpy(dtype=float) for name in bounds)
                if np.isfinite(low).any():
                    ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        if "y" in chart.zeros:
            ax.axhline(0, color="#8793a0", lw=1)
        if "x" in chart.zeros:
            ax.set_xlim(left=0)
        ax.grid(color=GRID, lw=0.8)
        ax.set_ylabel(plain(chart.y_title))
        if panel:
            ax.set_title(plain(panel), loc="left", fontsize=10, color=INK)
        if chart.whole_years:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        elif chart.data["x"].max() >= 1e4:
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.yaxis.set_major_formatter(_formatter(chart))
    axes[-1].set_xlabel(plain(chart.x_title))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return figure


def _formatter(chart: Chart) -> FuncFormatter | PercentFormatter:
    return (
        PercentFormatter(1.0, decimals=1)
        if chart.as_percent
        else FuncFormatter(lambda value, _: number(value, 0 if value == round(value) else chart.decimals))
    )


def _bars(chart: Chart) -> Figure:
    labels, series = chart.labels, chart.series
    grouped = len(labels) < len(chart.data)
    figure, (ax,) = blank_figure(chart, 1.5 + (0.42 if grouped else 0.32) * len(labels))
    thick = 0.38 if grouped else 0.7
    show = percent if chart.as_percent else number_of
    span = float(chart.data.value.max() - min(chart.data.value.min(), 0.0)) or 1.0
    for at, name in enumerate(series):
        rows = chart.data[chart.data.series == name]
        shift = (at - (len(series) - 1) / 2) * thick if grouped else 0.0
        places = np.array([labels.index(label) + shift for label in rows.label])
        values = rows.value.to_numpy(dtype=float)
        ax.barh(places, values, height=thick, color=chart.colour(name), label=plain(name))
        for place, value in zip(places, values, strict=True):
            side = -1 if value < 0 else 1
            align: Literal["left", "right"] = "right" if value < 0 else "left"
            size = 7.5 if grouped else 8.5
            ax.text(value + side * 0.01 * span, place, show(value), fontsize=size, color=INK, ha=align, va="center")
    ax.set_yticks(range(len(labels)), [plain(label) for label in labels])
    ax.invert_yaxis()
    ax.axvline(0, color="#8793a0", lw=1)
    ax.grid(axis="x", color=GRID, lw=0.8)
    ax.margins(x=0.12)
    ax.set_xlabel(plain(chart.x_title))
    ax.xaxis.set_major_formatter(_formatter(chart))
    if len(series) > 1:
        patches = [Patch(color=chart.colour(name), label=plain(name)) for name in series]
        figure.legend(handles=patches, loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return figure


def _ranges(chart: Chart) -> Figure:
    data = chart.data
    figure, (ax,) = blank_figure(chart, 1.7 + 0.45 * len(data))
    show = percent if chart.as_percent else number_of
    for at, row in enumerate(data.itertuples()):
        low, middle, high, base = (float(getattr(row, name)) for name in ("low", "y", "high", "base"))
        ax.plot([low, high], [at, at], color=BLUE, lw=4, solid_capstyle="round")
        ax.plot([middle], [at], "o", color=BLUE, ms=7)
        ax.plot([base], [at], "|", color=INK, ms=16, mew=2.2)
        ax.text(middle, at - 0.2, f"{show(low)} to {show(high)}", fontsize=8, color=INK, ha="center", va="bottom")
    ax.set_yticks(range(len(data)), [plain(name) for name in data.series])
    ax.set_ylim(len(data) - 0.5, -0.8)
    ax.axvline(0, color="#8793a0", lw=1)
    ax.grid(axis="x", color=GRID, lw=0.8)
    ax.set_xlabel(plain(chart.x_title))
    ax.xaxis.set_major_formatter(_formatter(chart))
    key = [
        Line2D([], [], color=BLUE, lw=4, marker="o", ms=7, label=chart.spread),
        Line2D([], [], color=INK, ls="", marker="|", ms=14, mew=2.2, label="As assumed"),
    ]
    figure.legend(
        handles=key if data.base.notna().any() else key[:1],
        loc="outside lower left",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def _network(chart: Chart) -> Figure:
    edges, places = chart.data, columns_of(chart.data)
    rows = max(len(names) for names in places.values())
    figure, (ax,) = blank_figure(chart, 1.6 + 0.25 * rows)
    largest = float(edges.change_mt.abs().max())
    steps = np.linspace(0.0, 1.0, 41)
    ease = steps * steps * (3 - 2 * steps)
    for source, target, change in zip(edges.source, edges.target, edges.change_mt, strict=True):
        start, stop = places["source"][source], places["target"][target]
        colour, style = (RISE, (0, (3, 1))) if change > 0 else (FALL, "-")
        width = edge_width(float(change), largest)
        ax.plot(steps, start + (stop - start) * ease, color=colour, ls=style, lw=width, alpha=0.72)
    for side, x, align in (("source", 0.0, "right"), ("target", 1.0, "left")):
        for name, height in places[side].items():
            ax.plot([x], [height], "o", color=INK, ms=5)
            gap = -0.015 if x == 0 else 0.015
            ax.text(x + gap, height, plain(name), ha=align, va="center", fontsize=8.5, color=INK)
        heading = "Supplier" if x == 0 else "Buyer"
        ax.text(x, 1.005, heading, ha=align, va="bottom", fontsize=9, weight="bold", color=INK)
    ax.set(xlim=(-0.2, 1.2), ylim=(0, 1.03))
    ax.axis("off")
    key = [
        Line2D([], [], color=FALL, lw=3, label="Less CO2"),
        Line2D([], [], color=RISE, lw=3, ls="--", label="More CO2"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return figure
