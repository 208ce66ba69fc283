"""The page of a backtest: what passed, what failed and why, with every number behind it."""

import base64
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.report import backtest_words, tables
from carbonray.report.backtest_figures import Found, allocation_chart, leak_chart, line_charts
from carbonray.report.backtest_stills import placebo_still, scatter_still, skill_still
from carbonray.report.charts import Chart
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.interactive import spec
from carbonray.report.page import Card, Drawn
from carbonray.report.run_directory import ReportError
from carbonray.report.stills import png
from carbonray.report.tables import Table
from carbonray.report.wording import listed, number, percent

PICTURES: dict[str, tuple[Callable[[Found], bytes], str, str]] = {
    "skill": (
        skill_still,
        "Skill by row",
        "Each row against the three naive forecasts; a tick marks rows that reach every aim. Marks at the left edge "
        "lie beyond it.",
    ),
    "scatter": (
        scatter_still,
        "Movements, predicted and observed",
        "Every series and year, relative to the value that all forecasts start from; on the line the model is right. "
        "Movements beyond a factor of four are drawn at the edge.",
    ),
    "placebo": (
        placebo_still,
        "Placebo",
        "Changes of net embodied imports, drivers taken out, against changes of the allowance price: in the "
        "observed order of years, and in 2,000 shuffled ones. On the right the same before there was a price.",
    ),
}


def write_backtest_report(folder: Path) -> Path:
    """Write report.html and figures/*.png into the folder of a backtest, replacing earlier ones.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if a file of the folder is missing or malformed, or the report cannot be written.
    """
    found = read(folder)
    charts = [*line_charts(found), leak_chart(found), allocation_chart(found)]
    stills = {chart.key: png(chart) for chart in charts} | {key: make(found) for key, (make, _, _) in PICTURES.items()}
    return write_page(folder, render(found, charts, stills), stills, stills)


def read(folder: Path) -> Found:
    """Read the tables of a backtest.

    Raises:
        ReportError: naming the file.
    """
    names = ("scores", "points", "leakage", "placebo")
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    except (OSError, ValueError) as error:
        raise ReportError(f"{folder}: is not the folder of a backtest ({str(error).splitlines()[0]})") from None
    return Found(summary=summary, **frames)


def render(found: Found, charts: list[Chart], stills: Mapping[str, bytes]) -> str:
    """The page as HTML."""
    data = {key: "data:image/png;base64," + base64.b64encode(content).decode() for key, content in stills.items()}
    drawn = {
        chart.key: Drawn(chart=chart, still=data[chart.key], interactive=spec(chart), numbers=tables.of_chart(chart))
        for chart in charts
    }
    headline = found.scores[found.scores["headline"]]
    summary: Mapping[str, Any] = found.summary
    split = int(summary["calibrated_on"][1])
    page: str = template("backtest.html.j2").render(
        version=metadata.version("carbonray"),
        summary=found.summary,
        cards=cards(found),
        results=results(headline, split=split),
        causes=[
            (str(row["label"]), str(row["missed"]), str(row["likely_cause"]))
            for _, row in headline.iterrows()
            if not row["passed"]
        ],
        notes=[(str(row["label"]), str(row["note"])) for _, row in headline.iterrows() if row["note"]],
        origins=results(found.scores[~found.scores["headline"]], split=split, caption="By origin"),
        leakage=leakage_table(found),
        words={
            name: sentence(getattr(backtest_words, name)(found.summary)) for name in ("leak", "verdict", "association")
        },
        drawn=drawn,
        pictures={key: (title, caption, data[key]) for key, (_, title, caption) in PICTURES.items()},
        charts={chart.key: spec(chart) for chart in charts},
        plotly_js=plotly_js(),
    )
    return page


def cards(found: Found) -> list[Card]:
    """The headline numbers."""
    summary: Mapping[str, Any] = found.summary
    leakage, placebo = summary["leakage"], summary["placebo"]
    first, last = leakage["window"]
    return [
        Card(
            label="Rows that pass",
            value=f"{summary['rows_passed']} of {summary['rows']}",
            detail="error under 15 %, r over 0.7, better than three naive forecasts",
        ),
        Card(
            label=f"Leakage of the ETS, {first}–{last}",
            value=f"{number(leakage['predicted_mt_a_year'], 1)}\u00a0Mt a year",
            detail=f"{percent(leakage['rate'])} of the model's own cut; the record could show "
            f"{number(leakage['detectable_mt_a_year'])} Mt; "
            + ("agrees with" if leakage["agrees_with_studies"] else "contradicts")
            + " studies that find none",
        ),
        Card(
            label="Do imports follow the price?",
            value=backtest_words.p_of(placebo["p_value"]),
            detail=("more than by chance" if placebo["associated"] else "not beyond chance")
            + f", r {number(placebo['r_observed'], 2)}; before there was a price "
            + ("too" if placebo["before_the_ets_associated"] else "not beyond chance")
            + f", r {number(placebo['before_the_ets_r'], 2)}, {backtest_words.p_of(placebo['before_the_ets_p_value'])}",
        ),
        Card(
            label="Cut at home in the model",
            value=percent(leakage["home_reduction_share"]),
            detail=backtest_words.home_cut(leakage["home_reduction_share"]),
        ),
    ]


def results(rows: pd.DataFrame, *, split: int, caption: str = "Model against history") -> Table:
    """Scores as text; a star marks the rows whose forecasts start from years after the split."""

    def shown(value: float) -> str:
        return "–" if np.isnan(value) else number(value, 2)

    body = [
        (
            str(row["label"]) + ("*" if row["anchor_first"] > split else ""),
            f"{row['first_year']}–{row['last_year']}",
            ("pass" if row["passed"] else "fail") + ("" if row["counted"] else ", not counted"),
            percent(float(row["mape"])),
            shown(float(row["r"])),
            shown(float(row["r_changes"])),
            *(shown(float(row[f"skill_{name}"])) for name in ("last_value", "trend", "constant_share")),
            *(shown(float(row[f"skill_changes_{name}"])) for name in ("last_value", "trend", "constant_share")),
            percent(float(row["direction_rate"])),
            f"{row['turns_hit']} of {row['turns']}, {row['turns_predicted']} predicted",
            f"{shown(float(row['turn_score']))} / {shown(float(row['turn_score_constant_share']))}",
        )
        for _, row in rows.iterrows()
    ]
    columns = (
        "Row", "Years", "Verdict", "Error (MAPE)", "r", "r of changes", "Skill: last value", "trend", "constant share",
        "Skill on changes: last value", "trend", "constant share", "Right direction", "Turns found",
        "Turn score: model / constant share",
    )  # fmt: skip
    note = (
        "Skill is 1 less the model's root mean square error over the naive forecast's. A turn is found if predicted "
        "within a year; the turn score is the harmonic mean of the shares of turns found and of predicted turns that "
        "came. The last value and the trend never turn: their score is 0."
    )
    if (rows["anchor_first"] > split).any():
        note += (
            f" * All forecasts start from years after {split}, because nothing earlier was observed; the naive trend "
            "of these rows is that of the region's CO2."
        )
    return Table(caption=caption, columns=columns, rows=tuple(body), note=note)


def leakage_table(found: Found) -> Table:
    """Leakage by rule of allocation over the literature's window."""
    leakage: Any = found.summary["leakage"]
    first, last = leakage["window"]
    rows = found.leakage[found.leakage["year"].between(first, last)]
    body = []
    for name, part in rows.groupby("allocation", sort=False):
        rise, fall = float(part["foreign_increase_mt"].sum()), float(part["home_reduction_mt"].sum())
        years = len(part)
        body.append((str(name), number(rise / years, 1), number(fall / years), percent(rise / fall)))
    columns = ("Allocation", "Rise abroad, Mt a year", "Fall at home, Mt a year", "Leakage rate")
    return Table(caption=f"Predicted leakage {first}–{last}", columns=columns, rows=tuple(body))


def terminal(summary: Mapping[str, Any], scores: pd.DataFrame) -> str:
    """The headline rows as lines of text."""
    (start, split), (first, last) = summary["calibrated_on"], summary["foretold"]
    lines = [
        f"backtest {first}-{last}, calibrated on {start}-{split}",
        f"  {'row':52}{'years':>10}{'error':>8}{'r':>7}   skill: last, trend, share",
    ]
    for row in scores[scores["headline"]].to_dict("records"):
        skills = "".join(f"{row[f'skill_{name}']:8.2f}" for name in ("last_value", "trend", "constant_share"))
        years = f"{row['first_year']}-{row['last_year']}"
        word = "pass" if row["passed"] else f"fail: {row['missed']}"
        word += "" if row["counted"] else " (not counted)"
        label = row["label"] + ("*" if row["anchor_first"] > split else "")
        lines.append(f"  {label:52}{years:>10}{row['mape']:8.1%}{row['r']:7.2f}{skills}   {word}")
    lines += [f"  {key}: skipped; {why}" for key, why in summary["skipped"].items()]
    lines += later(scores, split)
    start, stop = summary["leakage"]["window"]
    lines += [
        f"  leakage {start}-{stop}: {backtest_words.leak(summary)}",
        f"  verdict: {backtest_words.verdict(summary)}",
        f"  beside it: {backtest_words.association(summary)}",
        f"  {summary['rows_passed']} of {summary['rows']} rows pass",
    ]
    return "\n".join(lines)


def later(scores: pd.DataFrame, split: int) -> list[str]:
    """What the star of a row means: a line of text, none where no row has one."""
    rows = scores[scores["headline"] & (scores["anchor_first"] > split)]
    if rows.empty:
        return []
    rows = rows[rows["series"] == 1]  # a pool starts where its series do
    spans = sorted({(int(first), int(last)) for first, last in rows[["anchor_first", "anchor_last"]].to_numpy()})
    starts = listed([f"{first}-{last}" if last > first else str(first) for first, last in spans])
    return [
        f"  * forecasts start from {starts}, within the years foretold; their trend is that of the region's CO2",
    ]


def sentence(words: str) -> str:
    """Words as a sentence of the page."""
    return words[:1].upper() + words[1:] + "."
