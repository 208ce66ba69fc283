"""Heat maps and points of a plane as PNG bytes; the other kinds are `stills`'."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from carbonray.report import stills
from carbonray.report.charts import BLUE, GRID, Chart
from carbonray.report.negotiation_interactive import PALE, colour_of, grid, span
from carbonray.report.stills import blank_figure, plain, saved

MARKERS = ("o", "D", "^", "s")


def png(chart: Chart) -> bytes:
    """The figure with its title, as a PNG file."""
    own = {"heat": _heat, "points": _points}
    return saved(own[chart.kind](chart)) if chart.kind in own else stills.png(chart)


def _heat(chart: Chart) -> Figure:
    cells = grid(chart)
    figure, (ax,) = blank_figure(chart, 1.7 + 0.21 * len(cells))
    shades = LinearSegmentedColormap.from_list("mitigation", [PALE, BLUE])
    picture = ax.imshow(cells.to_numpy(), cmap=shades, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    every = 4 if len(cells.columns) > 8 else 1
    ax.set_xticks(range(0, len(cells.columns), every), [f"{year:.0f}" for year in cells.columns[::every]])
    ax.set_yticks(range(len(cells)), [plain(str(label)) for label in cells.index], fontsize=8)
    ax.set_xticks(np.arange(-0.5, len(cells.columns)), minor=True)
    ax.set_yticks(np.arange(-0.5, len(cells)), minor=True)
    ax.grid(which="minor", color="white", lw=1)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(plain(chart.x_title))
    bar = figure.colorbar(picture, ax=ax, location="bottom", shrink=0.5, aspect=40, pad=0.02)
    bar.set_label(plain(chart.y_title), fontsize=9)
    bar.ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


def _points(chart: Chart) -> Figure:
    figure, (ax,) = blank_figure(chart, 5.0)
    for at, row in enumerate(chart.data.itertuples()):
        x, y = float(str(row.x)), float(str(row.y))
        ends = np.array([[x, y], [row.x_low, row.y_low], [row.x_high, row.y_high]], dtype=float)
        reach = np.nan_to_num(np.clip([ends[0] - ends[1], ends[2] - ends[0]], 0.0, None))
        name = str(row.series)
        ax.errorbar(
            x, y, xerr=reach[:, :1], yerr=reach[:, 1:], fmt=MARKERS[at % len(MARKERS)], ms=9, lw=1.5,
            color=colour_of(chart, name), label=plain(name), clip_on=False, zorder=3,
        )  # fmt: skip
    ax.set(xlim=span(chart.data, "x"), ylim=span(chart.data, "y"))
    ax.grid(color=GRID, lw=0.8)
    ax.set_xlabel(plain(chart.x_title))
    ax.set_ylabel(plain(chart.y_title))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return figure
