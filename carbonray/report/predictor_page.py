"""The card of a predictor as a page: how far it may be trusted, on runs that it never saw."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.predict.build import JUDGED
from carbonray.predict.card_text import SHOWN
from carbonray.predict.conformal import LEVELS
from carbonray.predict.folder import Card as Saved
from carbonray.predict.followed import words_of
from carbonray.report.charts import Chart, LeftOut
from carbonray.report.html import plotly_js, template, write_page
from carbonray.report.page import Card, Drawn
from carbonray.report.pairs import COLOURS, HELD, MISSED, view
from carbonray.report.predicted_words import GROUPS, known, quantity_label
from carbonray.report.prediction_figures import PANELS
from carbonray.report.prediction_page import draw
from carbonray.report.run_directory import ReportError
from carbonray.report.tables import Table
from carbonray.report.wording import number, percent
from carbonray.runtime.outputs import whole_folder

RATE = "leakage_rate_10_years"


def write_card(card: Saved, out: Path) -> Path:
    """Write report.html of a predictor's card into a new folder.

    Returns:
        The path of report.html.

    Raises:
        OutputError: if `out` exists or cannot be written.
    """
    page = render(card, {})
    with whole_folder(out) as draft:
        write_page(draft, page, {}, ())
    return out / "report.html"


def write_build_report(folder: Path, card: Saved) -> Path:
    """Write report.html and figures/*.png into the folder of a build, replacing earlier ones.

    Returns:
        The path of report.html.

    Raises:
        ReportError: if judged.parquet is malformed, or the report cannot be written.
    """
    charts = scatters(_judged(folder / JUDGED))
    drawn = draw(charts, {item.key: numbers(item) for item in charts if isinstance(item, Chart)})
    stills = {key: still for key, (_, still) in drawn.items() if still}
    return write_page(folder, render(card, {key: item for key, (item, _) in drawn.items()}), stills, drawn)


def _judged(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path).astype(float)
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None


def render(card: Saved, drawn: Mapping[str, Drawn | LeftOut]) -> str:
    """The page as HTML."""
    page: str = template("predictor.html.j2").render(
        version=metadata.version("carbonray"),
        card=card,
        firms=words_of(card.policy),
        runs=", ".join(f"{count:,} to {use}" for use, count in card.runs.items()),
        failed=card.failed,
        cards=cards(card),
        tables=[accuracy(card), baselines(card)],
        coverage=coverage(card),
        fits=fits(card),
        monotone=monotone(card),
        flagged=percent(known(card.measured["corner"]["flagged"])),
        drawn=drawn,
        charts={key: item.interactive for key, item in drawn.items() if isinstance(item, Drawn)},
        plotly_js=plotly_js(),
    )
    return page


def cards(card: Saved) -> list[Card]:
    """The headline numbers."""
    measured = card.measured
    found = []
    for goods, panel in PANELS.items():
        one = measured["accuracy"][f"{RATE}{goods}"]
        simple = [known(table[f"{RATE}{goods}"]["mape"]) for table in measured["baselines"].values()]
        best = min((error for error in simple if error is not None), default=None)
        found.append(
            Card(
                label=f"Off by, {panel[0].lower() + panel[1:] if not goods else panel}",
                value=percent(known(one["mape"])),
                detail=f"of leakage over ten years, on average; the best simpler model {percent(best)}",
            )
        )
    total, covered = (measured["coverage"][f"{RATE}{goods}"] for goods in PANELS)
    found.append(
        Card(
            label="90\u00a0% intervals hold",
            value=percent(known(total["0.9"])),
            detail=f"of {total['cases']:,.0f} cases, leakage over ten years; CBAM goods {_share(covered['0.9'])}",
        )
    )
    return found


def accuracy(card: Saved) -> Table:
    """Errors of every rate."""
    rows = tuple(
        (_capital(words), f"{one['cases']:,.0f}", *_errors(one))
        for name, words in SHOWN.items()
        if (one := card.measured["accuracy"][name])
    )
    note = (
        "Means over cases: the error as a share of the simulated rate where that is a percentage point or more (MAPE, "
        "and its median), in points where it is less and for all (MAE); r is the correlation."
    )
    return Table(caption="Accuracy on runs that it never saw", columns=("Rate", "Cases", *ERRORS), rows=rows, note=note)


ERRORS = ("MAPE", "Median", "MAE below a point", "MAE", "r")


def _errors(one: Mapping[str, Any]) -> tuple[str, ...]:
    shares = (_share(one[name]) for name in ("mape", "median_ape"))
    points = (_points(one[name]) for name in ("mae_below_a_point", "mae"))
    return (*shares, *points, _plain(one["r"], 3))


def baselines(card: Saved) -> Table:
    """What simpler models reach on the same runs."""
    ours = {"this predictor": card.measured["accuracy"], **card.measured["baselines"]}
    rows = tuple(
        (_capital(f"{words}{', CBAM goods' if goods else ''}"), *_errors(table[f"{RATE}{goods}"]))
        for goods in PANELS
        for words, table in ours.items()
    )
    return Table(caption="Leakage over ten years, beside simpler models", columns=("Model", *ERRORS), rows=rows)


def coverage(card: Saved) -> Table:
    """How often intervals hold, by quantity and level."""
    rows = tuple(
        (quantity_label(name), f"{one['cases']:,.0f}", *(percent(known(one[f"{level:g}"])) for level in LEVELS))
        for name, one in card.measured["coverage"].items()
    )
    columns = ("Quantity", "Values", *(f"{100 * level:g}\u00a0% interval" for level in LEVELS))
    note = "Share of simulated values that lie in their interval. Years, sectors and partners count singly."
    return Table(caption="How often intervals hold", columns=columns, rows=rows, note=note)


def fits(card: Saved) -> Table:
    """R2 of the other quantities."""
    rows = tuple((quantity_label(name), _plain(value, 3)) for name, value in card.measured["r2"].items())
    note = "1 less the squared error over the squared distance from the mean: 1 is perfect, 0 no better than the mean."
    return Table(caption="Fit of the other quantities", columns=("Quantity", "R2"), rows=rows, note=note)


def monotone(card: Saved) -> Table:
    """Levers of which theory knows the sign."""
    rows = tuple(
        (
            _capital(GROUPS.get(name, name) if name != "coverage" else "goods covered"),
            f"{one['cases']:,.0f}",
            percent(known(one["wrong"])),
            _points(one["worst"]),
        )
        for name, one in card.measured["monotone"].items()
    )
    columns = ("Lever", "Cases", "Go the wrong way", "At worst by")
    note = "More deducted, no charge, or fewer goods covered should not lower leakage; the last has no sure sign."
    return Table(caption="Levers whose sign theory knows", columns=columns, rows=rows, note=note)


def scatters(judged: pd.DataFrame | None) -> list[Chart | LeftOut]:
    """Predicted against simulated leakage over ten years."""
    if judged is None:
        return [LeftOut(key="judged", title="Predicted beside simulated", reason=f"the folder has no {JUDGED}")]
    return [_scatter(judged, goods, panel) for goods, panel in PANELS.items()]


def _scatter(judged: pd.DataFrame, goods: str, panel: str) -> Chart | LeftOut:
    name, key = f"{RATE}{goods}", f"judged{goods}"
    found = judged.rename(
        columns={name: "y", f"{name}_low": "low", f"{name}_high": "high", f"{name}_simulated": "x"}
    ).dropna(subset=["x", "y"])
    if found.empty:
        return LeftOut(key=key, title=f"Predicted beside simulated, {panel}", reason="no case has a leakage rate")
    inside = ((found["low"] <= found["x"]) & (found["x"] <= found["high"])).to_numpy()
    data = found.replace([np.inf, -np.inf], np.nan).assign(series=np.where(inside, HELD, MISSED))
    data = data[["series", "x", "y", "low", "high"]].sort_values("series", kind="stable", ignore_index=True)
    chart = Chart(
        key=key,
        kind="pairs",
        data=data,
        title=f"{panel}: {inside.sum():,} of {len(inside):,} intervals hold what was simulated",
        caption="Leakage over ten years of runs that the predictor never saw; on the long line it is right. The line "
        "through a point is its 90\u00a0% interval.",
        x_title="Simulated leakage (%)",
        y_title="Predicted leakage (%)",
        as_percent=True,
        colours=COLOURS,
    )
    low, high = view(chart)
    beyond = int((~data[["x", "y"]].apply(lambda values: values.between(low, high)).all(axis=1)).sum())
    if not beyond:
        return chart
    return Chart(**{**vars(chart), "caption": f"{chart.caption} Beyond the axes: {beyond} of {len(data)}."})


def numbers(chart: Chart) -> Table:
    """Every case of a scatter."""
    rows = tuple(
        (
            percent(row["x"]),
            percent(row["y"]),
            *(_share(row[end]) for end in ("low", "high")),
        )
        for row in chart.data.to_dict("records")
    )
    return Table(caption=chart.title, columns=("Simulated", "Predicted", "Low", "High"), rows=rows)


def _share(value: float | None) -> str:
    return "–" if known(value) is None else percent(value)


def _points(rate: float | None) -> str:
    return "–" if (found := known(rate)) is None else f"{number(100 * found, 2)}\u00a0pt"


def _plain(value: float | None, decimals: int) -> str:
    return "–" if (found := known(value)) is None else number(found, decimals)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
