"""Figures of a backtest that are only pictures: skill by row, scatter of movements, histogram of the placebo."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from carbonray.report.backtest_figures import GROUP_COLOURS, NAIVES, SHORT, Found
from carbonray.report.charts import BLUE, GREY, GRID, INK, ORANGE, RED

WIDTH, DPI = 7.6, 130
MARKERS = {"last_value": ("o", GREY), "trend": ("s", ORANGE), "constant_share": ("D", BLUE)}
FLOOR = -1.0
"""Skill below this is drawn at the edge."""


def skill_still(found: Found) -> bytes:
    """Skill of every headline row against each naive forecast."""
    rows = found.scores[found.scores["headline"]].reset_index(drop=True)
    figure, ax = _figure(
        1.6 + 0.33 * len(rows), "Skill against three naive forecasts: right of zero the model is better"
    )
    ax.axvspan(FLOOR, 0, color=RED, alpha=0.06, lw=0)
    for name, (marker, colour) in MARKERS.items():
        values = rows[f"skill_{name}"].to_numpy(dtype=float)
        ax.scatter(
            np.maximum(values, FLOOR), rows.index, marker=marker, color=colour, s=34, label=NAIVES[name], zorder=3
        )
        for place, value in zip(rows.index, values, strict=True):
            if value < FLOOR:
                ax.annotate("", (FLOOR - 0.06, place), (FLOOR, place), arrowprops={"arrowstyle": "->", "color": colour})
    labels = [f"{label}  {'✓' if passed else '✗'}" for label, passed in zip(rows["label"], rows["passed"], strict=True)]
    ax.set_yticks(rows.index.to_list(), labels, fontsize=8)
    ax.invert_yaxis()
    ax.axvline(0, color=INK, lw=1)
    ax.set_xlim(FLOOR - 0.1, 1.03)
    ax.set_xlabel("1 − error of the model / error of the naive forecast")
    ax.grid(axis="both", color=GRID, lw=0.8)
    figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return _png(figure)


def scatter_still(found: Found) -> bytes:
    """Predicted against observed movement since the anchor, every series and year."""
    figure, ax = _figure(5.6, "Predicted against observed movement since the last known value")
    anchored = found.points.groupby("key")["last_value"].transform("first")
    points = found.points.assign(
        x=np.log2(found.points["observed"] / anchored), y=np.log2(found.points["model"] / anchored)
    )
    limit = 0.1 + float(np.nanmax(np.abs(points[["x", "y"]].replace([np.inf, -np.inf], np.nan).to_numpy())))
    limit = min(limit, 2.0)
    for group, colour in GROUP_COLOURS.items():
        rows = points[points["group"] == group]
        if len(rows):
            ax.scatter(
                rows["x"].clip(-limit, limit), rows["y"].clip(-limit, limit), s=13, color=colour, alpha=0.6, lw=0,
                label=SHORT[group],
            )  # fmt: skip
    ax.plot([-limit, limit], [-limit, limit], color=INK, lw=1)
    ax.axhline(0, color="#8793a0", lw=0.8)
    ax.axvline(0, color="#8793a0", lw=0.8)
    ticks = np.arange(np.ceil(-limit), np.floor(limit) + 1)
    names = [f"×{2**tick:g}" for tick in ticks]
    ax.set_xticks(ticks, names)
    ax.set_yticks(ticks, names)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set_xlabel("observed, relative to the anchor")
    ax.set_ylabel("model, relative to the anchor")
    ax.grid(color=GRID, lw=0.8)
    figure.legend(loc="outside lower left", ncols=4, frameon=False, fontsize=9, markerscale=2)
    return _png(figure)


def placebo_still(found: Found) -> bytes:
    """Correlations with shuffled prices, and the observed one."""
    windows = list(dict.fromkeys(found.placebo["window"]))
    figure, _ = _figure(3.9, "Do net imports move with the price more than with shuffled prices?", panels=len(windows))
    names = {"2005-2017": "2005–2017", "before the ETS": "Placebo: 1997–2004, with the price of 2005–2012"}
    for ax, window in zip(figure.axes, windows, strict=True):
        rows = found.placebo[found.placebo["window"] == window]
        shuffled = rows.loc[rows["order"] == "shuffled", "r"].to_numpy(dtype=float)
        seen = float(rows.loc[rows["order"] == "observed", "r"].iloc[0])
        low, high = np.quantile(shuffled, [0.025, 0.975])
        ax.hist(shuffled, bins=40, range=(-1, 1), color=GREY, alpha=0.55)
        ax.axvspan(low, high, color=BLUE, alpha=0.1, lw=0, label="central 95 % of shuffled prices")
        ax.axvline(seen, color=RED, lw=2, label="observed order of years")
        ax.set_title(names.get(window, window), loc="left", fontsize=9.5, color=INK)
        ax.set_xlabel("correlation of yearly changes")
        ax.set_yticks([])
        ax.set_xlim(-1, 1)
        ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return _png(figure)


def _figure(height: float, title: str, panels: int = 1) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    figure.subplots(1, panels)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, weight="bold", color=INK)
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color("#8793a0")
        ax.tick_params(colors=INK, labelsize=9)
        ax.xaxis.label.set(color=INK, fontsize=9)
        ax.yaxis.label.set(color=INK, fontsize=9)
        ax.set_axisbelow(True)
    return figure, figure.axes[0]


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()
