"""The figures of a prediction: leakage by year, where emissions rise, and what moves them."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from carbonray.predict.prediction import Prediction
from carbonray.predict.space import YEARS
from carbonray.report.charts import BLUE, FALL, INK, RISE, Chart, LeftOut
from carbonray.report.interactive import Json, spec
from carbonray.report.pairs import pairs_spec, pairs_still
from carbonray.report.predicted_words import known
from carbonray.report.stills import png
from carbonray.report.whiskers import SIMULATED, tornado_spec, tornado_still, whisker_spec, whisker_still
from carbonray.report.wording import in_sentence, megatonnes, percent, region_label, sector_label

DRAWERS: Mapping[str, tuple[Callable[[Chart], Json], Callable[[Chart], bytes]]] = {
    "lines": (spec, png),
    "whiskers": (whisker_spec, whisker_still),
    "tornado": (tornado_spec, tornado_still),
    "pairs": (pairs_spec, pairs_still),
}
"""Of each kind of chart: for plotly, and as a PNG file."""
PREDICTED = "Predicted"
PANELS = {"": "All goods", "_cbam_goods": "CBAM goods"}
INNER = 0.5
"""Level of the darker band."""
MOST = 10
"""Drivers in the tornado."""
SPAN = f"{YEARS[0]}–{YEARS[-1]}"


def charts(found: Prediction) -> list[Chart | LeftOut]:
    """Every figure of a prediction, or why it is left out."""
    return [fan(found), bars(found, "sectors"), bars(found, "partners"), tornado(found)]


def level_words(found: Prediction) -> str:
    """The interval: `90 % interval`."""
    return f"{100 * found.answers.level:g}\u00a0% interval"


def fan(found: Prediction) -> Chart | LeftOut:
    """Leakage by year with its intervals, and what was simulated."""
    data = fan_data(found)
    predicted = data[data["series"] == PREDICTED]
    if predicted.empty:
        reason = "emissions at home do not fall enough in any year for a rate to mean anything"
        return LeftOut(key="years", title="Leakage by year", reason=reason)
    shown = f"The light band is the {level_words(found)}"
    shown += ", the dark one holds half of the cases" if predicted["inner_low"].notna().any() else ""
    missing = len(PANELS) * found.scenario.years - len(predicted)
    return Chart(
        key="years",
        kind="lines",
        data=data,
        title=_fan_title(predicted),
        caption="Rise of emissions abroad as a share of the fall at home, year by year. The panels have scales of "
        "their own."
        + (f" {shown}." if predicted["low"].notna().any() else "")
        + (" Diamonds were simulated." if found.simulated is not None else "")
        + (f" {missing} values are undefined: next to nothing falls at home." if missing else ""),
        x_title="Year",
        y_title="Leakage rate (%)",
        as_percent=True,
        colours={PREDICTED: BLUE, SIMULATED: INK},
        dots=(SIMULATED,),
        bands=(("low", "high"), ("inner_low", "inner_high")),
    )


def fan_data(found: Prediction) -> pd.DataFrame:
    """[panel, series, when, x, y, low, high, inner_low, inner_high] of the years that have a rate."""
    inner = found.asked.answer([found.scenario.name], [found.case], INNER)
    tables = []
    for goods, panel in PANELS.items():
        name = f"leakage_rate{goods}"
        year = found.years["year"]
        line = {"panel": panel, "when": year.astype(str), "x": year.astype(float)}
        half_low, _, half_high = inner.one(name)
        bounds = {
            "low": found.years[f"{name}_low"],
            "high": found.years[f"{name}_high"],
            "inner_low": _finite(half_low[: len(year)]),
            "inner_high": _finite(half_high[: len(year)]),
        }
        tables.append(pd.DataFrame({**line, "series": PREDICTED, "y": found.years[name], **bounds}))
        if found.simulated is not None:
            dots = {**line, "series": SIMULATED, "y": found.years[f"{name}_simulated"], **dict.fromkeys(bounds, np.nan)}
            tables.append(pd.DataFrame(dots))
    return pd.concat(tables).dropna(subset="y").reset_index(drop=True)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _fan_title(predicted: pd.DataFrame) -> str:
    """From where to where."""
    said = []
    for panel, rows in predicted.groupby("panel", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        goods = str(panel)[0].lower() + str(panel)[1:] if panel == "All goods" else str(panel)
        said.append(f"{percent(first['y'])} in {first['when']} and {percent(last['y'])} in {last['when']} for {goods}")
    return f"Leakage is predicted at {'; '.join(said)}"


KINDS = {"sectors": ("sector", "Sector", sector_label), "partners": ("partner", "Partner", region_label)}


def bars(found: Prediction, key: str) -> Chart | LeftOut:
    """Rise of emissions abroad over ten years by sector or by partner."""
    kind, _, label = KINDS[key]
    table: pd.DataFrame = getattr(found, key)
    checked = found.simulated is not None
    data = pd.DataFrame(
        {
            "label": [label(code) for code in table[kind]],
            "series": np.where(table["prediction"] < 0, "Fall", "Rise"),
            "value": table["prediction"],
            "low": table["low"],
            "high": table["high"],
            "simulated": table["simulated"] if checked else np.nan,
        }
    )
    whole = data["low"].notna().all()
    return Chart(
        key=key,
        kind="whiskers",
        data=data,
        title=_bars_title(data),
        caption=f"Change of CO2 emissions abroad over {SPAN} against the reference, by {kind}. "
        + (f"A line over a bar is the {level_words(found)}. " if whole else "")
        + ("Diamonds were simulated. " if checked else "")
        + "Intervals of single bars are not those of their sum.",
        x_title=f"Change of emissions abroad over {SPAN} (Mt CO2)",
        colours={"Rise": RISE, "Fall": FALL},
    )


def _bars_title(data: pd.DataFrame) -> str:
    most, least = data.iloc[0], data.iloc[-1]
    parts = []
    if most["value"] > 0:
        parts.append(f"rise most in {in_sentence(most['label'])}, {megatonnes(most['value'], signed=True)}")
    if least["value"] < 0:
        parts.append(f"fall most in {in_sentence(least['label'])}, {megatonnes(least['value'])}")
    return f"Emissions abroad {' and '.join(parts) or 'do not change'}"


def tornado(found: Prediction) -> Chart | LeftOut:
    """How far each lever and assumption moves leakage over ten years."""
    base = known(found.headlines.set_index("quantity")["prediction"]["leakage_rate_10_years"])
    table = found.drivers.dropna(subset=["leakage_rate_low", "leakage_rate_high"]).head(MOST)
    if base is None or table.empty:
        reason = "leakage over ten years is undefined, here or where a driver is turned"
        return LeftOut(key="drivers", title="What moves leakage", reason=reason)
    first = table.iloc[0]
    ends = [f"{percent(first[f'leakage_rate_{end}'])} ({first[end]})" for end in ("low", "high")]
    return Chart(
        key="drivers",
        kind="tornado",
        data=pd.DataFrame(
            {
                "label": [words[:1].upper() + words[1:] for words in table["words"]],
                "ends": [f"{low} to {high}" for low, high in zip(table["low"], table["high"], strict=True)],
                "low": table["leakage_rate_low"],
                "high": table["leakage_rate_high"],
                "base": base,
            }
        ),
        title=f"Most depends on this: {first['words']}, {ends[0]} to {ends[1]}",
        caption=f"Predicted leakage over {SPAN}, all goods, if one lever or assumption is turned to either end and all "
        f"else is kept; the upright line is the prediction, {percent(base)}. The {len(table)} widest of "
        f"{len(found.drivers)}; the others are in the table. What two of them do together is not in it.",
        x_title=f"Leakage over {SPAN} (% of the fall at home)",
        as_percent=True,
    )
