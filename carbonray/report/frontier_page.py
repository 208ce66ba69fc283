"""The page of a frontier: one figure, the table, and what it says in plain words."""

import base64
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from carbonray.report import frontier_words as words
from carbonray.report.frontier_figure import plane, plane_numbers, plane_png, plane_spec
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.page import Drawn
from carbonray.report.run_directory import ReportError
from carbonray.report.tables import Table
from carbonray.report.wording import number

COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("Leaked, Mt", "leaked_mt", 1, 0),
    ("Gross, Mt", "leaked_gross_mt", 1, 0),
    ("First 5 years, Mt", "leaked_5_years_mt", 1, 0),
    ("CBAM goods, Mt", "leaked_goods_mt", 1, 0),
    ("CBAM goods gross, Mt", "leaked_goods_gross_mt", 1, 0),
    ("Output lost, bn USD", "output_loss_musd", 1e-3, 1),
    ("Output lost, %", "output_loss_share", 100, 3),
    ("Revenue, bn USD", "revenue_musd", 1e-3, 1),
    ("Support at home, bn USD", "support_home_musd", 1e-3, 1),
    ("Support abroad, bn USD", "support_abroad_musd", 1e-3, 1),
    ("Objective, bn USD", "objective_musd", 1e-3, 1),
)
"""Heading, figure, scale and decimals."""


def write_frontier_report(folder: Path) -> Path:
    """Write report.html and figures/frontier.png into the folder of a frontier, replacing earlier ones.

    Raises:
        ReportError: if the folder holds no frontier, or the page cannot be written.
    """
    try:
        summary = json.loads((folder / "frontier.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{folder}: is not the folder of a frontier ({str(error).splitlines()[0]})") from None
    chart = plane(summary)
    still = plane_png(chart)
    drawn = Drawn(
        chart=chart,
        still="data:image/png;base64," + base64.b64encode(still).decode(),
        interactive=plane_spec(chart),
        numbers=plane_numbers(chart),
    )
    return write_page(folder, render(summary, drawn), {chart.key: still}, [chart.key])


def render(summary: Mapping[str, Any], drawn: Drawn) -> str:
    """The page as HTML."""
    page: str = template("frontier.html.j2").render(
        version=metadata.version("carbonray"),
        summary=summary,
        findings=words.headline(summary),
        learned=words.learned(summary),
        setting=words.setting(summary),
        remarks=[*words.idle(summary), *words.unmatched(summary)],
        limits=words.LIMITS,
        drawn=drawn,
        absolute=absolute(summary),
        compared=[against(summary, other) for other in ("law", "no-cbam")],
        charts={drawn.chart.key: drawn.interactive},
        plotly_js=plotly_js(),
    )
    return page


def absolute(summary: Mapping[str, Any]) -> Table:
    """Means over the draws, against the reference without any policy at home."""
    rows = []
    for one in _ordered(summary):
        figures = one["figures"]
        cells = [_cell(figures[name], scale, decimals) for _, name, scale, decimals in COLUMNS]
        rows.append((one["name"], _cell(figures["price_factor"], 1, 2), f"{one['matched']}/{one['judged']}", *cells))
    columns = ("Candidate", "Price factor", "Draws", *(heading for heading, *_ in COLUMNS))
    note = "Means over the draws of what each changes against the reference, in which nobody at home pays for carbon."
    return Table(caption="Against no policy at all", columns=columns, rows=tuple(rows), note=note)


def against(summary: Mapping[str, Any], other: str) -> Table:
    """Paired differences with their 95 % intervals, and the range of nine draws in ten."""
    kept = [COLUMNS[place] for place in (0, 1, 2, 3, 5)]
    rows = []
    for one in _ordered(summary):
        found = one["against"].get(other, {})
        if one["name"] != other and found.get("leaked_mt"):
            cells = [_difference(found[name], scale, decimals) for _, name, scale, decimals in kept]
            rows.append((one["name"], *cells, _range(found["leaked_mt"])))
    columns = ("Candidate", *(heading for heading, *_ in kept), "Nine of ten draws, leaked")
    return Table(caption=f"Against {other}, draw by draw", columns=columns, rows=tuple(rows))


def _ordered(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Least leaked first, those without a figure last."""
    return sorted(
        summary["candidates"],
        key=lambda one: (one["figures"]["leaked_mt"] is None, one["figures"]["leaked_mt"] or 0.0),
    )


def _cell(value: float | None, scale: float, decimals: int) -> str:
    return "–" if value is None else number(scale * value, decimals)


def _difference(found: Mapping[str, float] | None, scale: float, decimals: int) -> str:
    if found is None:
        return "–"
    mean, low, high = (number(scale * found[name], decimals) for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _range(found: Mapping[str, float]) -> str:
    return f"{number(found['p05'])} to {number(found['p95'])}"
