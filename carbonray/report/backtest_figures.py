"""The figures of a backtest: lines of observed, model and naive forecasts, skill, scatter, leakage and placebo."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from carbonray.report.backtest_words import round_percent
from carbonray.report.charts import BLUE, GREEN, GREY, INK, ORANGE, RED, Chart
from carbonray.report.wording import listed, number, percent

OBSERVED, MODEL = "observed", "model"
NAIVES = {"last_value": "last value", "trend": "trend of 1995–2004", "constant_share": "constant share"}
COLOURS = {
    OBSERVED: INK, MODEL: RED, "last value": GREY, "trend of 1995–2004": ORANGE, "constant share": BLUE,
}  # fmt: skip
SHORT = {
    "trade": "Trade by origin", "embodied": "Embodied CO2", "ets": "ETS emissions", "production": "Production",
}  # fmt: skip
GROUP_COLOURS = {"trade": BLUE, "embodied": RED, "ets": GREEN, "production": ORANGE}


@dataclass(frozen=True, kw_only=True)
class Found:
    """The tables of a backtest folder."""

    summary: Mapping[str, object]
    scores: pd.DataFrame
    points: pd.DataFrame
    leakage: pd.DataFrame
    placebo: pd.DataFrame


def line_charts(found: Found) -> list[Chart]:
    """Observed against model and naive forecasts, one figure for each group."""
    return [chart for chart in (_trade(found), _embodied(found), _ets(found), _production(found)) if chart is not None]


def _panels(found: Found, keys: list[str], names: Mapping[str, str]) -> pd.DataFrame:
    """Long table of a line chart: a panel for each series that is there."""
    parts = []
    for key in keys:
        rows = found.points[found.points["key"] == key]
        for column, series in {"observed": OBSERVED, "model": MODEL, **NAIVES}.items():
            parts.append(
                pd.DataFrame(
                    {
                        "panel": names.get(key, key),
                        "series": series,
                        "when": rows["year"].astype(str),
                        "x": rows["year"].astype(float),
                        "y": rows[column].astype(float),
                        "low": np.nan,
                        "high": np.nan,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _lines(found: Found, key: str, keys: list[str], title: str, caption: str) -> Chart | None:
    known = [name for name in keys if (found.points["key"] == name).any()]
    if not known:
        return None
    rows = found.scores.set_index("key").loc[known]
    names = {str(name): f"{row['label']}: {verdict(row)}" for name, row in rows.to_dict("index").items()}
    return Chart(
        key=key,
        kind="lines",
        data=_panels(found, known, names),
        title=title,
        caption=caption,
        x_title="year",
        y_title=str(rows["unit"].iloc[0]),
        colours=COLOURS,
    )


def verdict(row: Mapping[Hashable, Any]) -> str:
    """A row in a few words."""
    mape, r = float(row["mape"]), float(row["r"])
    correlation = "r undefined" if np.isnan(r) else f"r {number(r, 2)}"
    return f"{'pass' if row['passed'] else 'fail'}, error {percent(mape)}, {correlation}"


def _passes(found: Found, keys: list[str]) -> str:
    rows = found.scores[found.scores["key"].isin(keys)]
    return f"{int(rows['passed'].sum())} of {len(rows)}"


ALL_START = "All forecasts start from the last value known when they were made. "


def _trade(found: Found) -> Chart | None:
    keys = [f"trade {good} extra-EU" for good in ("MET", "NMM", "CHE")]
    return _lines(
        found,
        "trade",
        keys,
        f"Purchases from outside the EU: {_passes(found, keys)} goods pass",
        ALL_START + "Observed: WIOD tables, at the price level of the United States. The model knows GDP, exchange "
        "rates and the origins' sizes of each year, and no trade after 2004.",
    )


def _embodied(found: Found) -> Chart | None:
    keys = ["embodied EU26", "embodied EU26+GBR"]
    return _lines(
        found,
        "embodied",
        keys,
        f"Net embodied CO2 imports: {_passes(found, keys)} series pass",
        ALL_START + "Observed: consumption-based less territorial CO2 (Our World in Data), revised by 15–20 % between "
        "vintages.",
    )


def _ets(found: Found) -> Chart | None:
    keys = [f"ets {sector}" for sector in ("iron_steel", "cement", "refining", "combustion", "chemicals")]
    return _lines(
        found,
        "ets",
        keys,
        f"Verified emissions under the EU ETS: {_passes(found, keys)} sectors pass",
        "Sums over the registries that report throughout, without the changes of scope of 2008 and 2013. Forecasts "
        "start from the mean of 2005–2007 (chemicals: 2013), within the years foretold; the trend is that of the "
        "region's CO2. Total CO2 of the region, and CO2 of power, are drivers: combustion tests little.",
    )


def _production(found: Found) -> Chart | None:
    keys = [f"production {good}" for good in ("cement", "steel", "aluminium")]
    return _lines(
        found,
        "production",
        keys,
        f"Production in the EU-27: {_passes(found, keys)} goods pass",
        ALL_START + "The model's output in real euros, times tonnes per real euro on their trend of 1995–2004.",
    )


def leak_chart(found: Found) -> Chart:
    """The predicted leak beside what the record could show."""
    leakage = found.summary["leakage"]
    assert isinstance(leakage, Mapping)
    rows = found.leakage[found.leakage["allocation"] == found.leakage["allocation"].iloc[0]]
    first, last = leakage["window"]
    rows = rows[rows["year"].between(first, last)]
    low = float(leakage["rate_low_end_of_studies"])
    parts = {
        "leak predicted": rows["foreign_increase_mt"],
        "mean leak that could be found": rows["year"] * 0.0 + float(leakage["detectable_mt_a_year"]),
        f"{round_percent(low)} of the model's cut at home": low * rows["home_reduction_mt"],
    }
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": "",
                    "series": name,
                    "when": rows["year"].astype(str),
                    "x": rows["year"].astype(float),
                    "y": y.astype(float),
                    "low": np.nan,
                    "high": np.nan,
                }
            )
            for name, y in parts.items()
        ],
        ignore_index=True,
    )
    shown = "no trace of" if leakage["undetectable"] else "a trace of"
    noisy = "–".join(str(year) for year in leakage["noise_years"])
    return Chart(
        key="leakage",
        kind="lines",
        data=data,
        title=f"At {first}–{last} prices the record could show {shown} the leak that the model predicts: "
        f"{number(float(leakage['predicted_mt_a_year']), 1)} Mt a year",
        caption="Predicted: foreign emissions of the run with the observed allowance price and free allocation less "
        "those of the same run without a price. Could be found: the mean leak, in step with the price, that a test of "
        f"the whole window finds four times in five if it knows the noise, that of observed net imports in {noisy}. "
        f"{round_percent(low)} is the low end of what studies without free allocation find (Branger and Quirion 2014). "
        "Most studies of these years find no leakage (Naegele and Zaklan 2019; Dechezleprêtre and others 2022; "
        "Branger, Quirion and Chevallier 2016); a gravity study finds some.",
        x_title="year",
        y_title="Mt CO2",
        colours=dict(zip(parts, (RED, INK, GREY), strict=True)),
    )


def allocation_chart(found: Found) -> Chart:
    """What would have leaked under other rules of allocation."""
    names = list(dict.fromkeys(found.leakage["allocation"]))
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": "",
                    "series": name,
                    "when": rows["year"].astype(str),
                    "x": rows["year"].astype(float),
                    "y": rows["foreign_increase_mt"].astype(float),
                    "low": np.nan,
                    "high": np.nan,
                }
            )
            for name in names
            if len(rows := found.leakage[found.leakage["allocation"] == name])
        ],
        ignore_index=True,
    )
    last = int(found.leakage["year"].max())
    final = found.leakage[found.leakage["year"] == last].set_index("allocation")["foreign_increase_mt"]
    word = "holds the leak down" if final[names[0]] < final[names[-1]] else "does not hold the leak down"
    return Chart(
        key="allocation",
        kind="lines",
        data=data,
        title=f"Free allocation {word}: {number(float(final[names[0]]), 1)} Mt in {last} as allocated, "
        f"{number(float(final[names[-1]]), 1)} Mt without",
        caption=f"Rise of foreign emissions under the observed price: {listed(names)}.",
        x_title="year",
        y_title="Mt CO2",
        colours=dict(zip(names, (RED, BLUE, INK), strict=False)),
    )
