"""The figures of an evaluation: rates in percentage points, and all else in per cent of its value under rules."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart
from carbonray.report.learning_words import several, subject, worded
from carbonray.report.summary_model import Learning, LearningFigure

RATES, AMOUNTS = "learning-rates", "learning-amounts"
KEYS = (RATES, AMOUNTS)
"""Of the figures there could be, in their order."""
POINT = 0.01


def charts(told: Learning | None) -> list[Chart]:
    """The figures of an evaluation; a figure without a difference that has an interval is left out."""
    if told is None:
        return []
    known = [(each, words) for each, words in worded(told.role, told.figures) if words.drawn]
    rates = [(words.label, each, POINT) for each, words in known if words.is_rate]
    amounts = [(words.label, each, abs(each.rule) / 100) for each, words in known if not words.is_rate and each.rule]
    found = (
        _chart(told, RATES, _differences(rates), "rates", "percentage points"),
        _chart(told, AMOUNTS, _differences(amounts), "amounts", "% of the value under rules"),
    )
    return [chart for chart in found if chart is not None]


def _differences(figures: Sequence[tuple[str, LearningFigure, float]]) -> pd.DataFrame:
    """Differences with their intervals, each in the unit that is given beside it."""
    rows = [
        (label, *(value / unit for value in (figure.difference, *figure.difference_interval)), np.nan)
        for label, figure, unit in figures
        if figure.difference is not None and figure.difference_interval is not None
    ]
    return pd.DataFrame(rows, columns=["series", "y", "low", "high", "base"])


def _chart(told: Learning, key: str, data: pd.DataFrame, noun: str, unit: str) -> Chart | None:
    if data.empty:
        return None
    apart = int(((data["low"] > 0) | (data["high"] < 0)).sum())
    return Chart(
        key=key,
        kind="ranges",
        data=data,
        title=f"{subject(told)} {'differs' if told.one else 'differ'} from the rules beyond chance in {apart} of "
        f"{len(data)} {noun}",
        caption=f"Difference of trained and rule {told.role}s in {unit}, paired by seed: the dot is the mean of "
        f"{several(told.seeds)}, the line its 95\u00a0% interval (Student).",
        x_title=f"Trained less rules ({unit})",
        spread="Mean, and its 95\u00a0% interval",
    )
