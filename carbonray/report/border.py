"""The border charge by good and origin: a figure in euro a tonne, and a table per tonne and per euro."""

from typing import Any

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart, LeftOut
from carbonray.report.run_directory import Run
from carbonray.report.tables import Table
from carbonray.report.wording import number, percent, region_label, sector_label

ORIGINS = 6
"""Origins drawn, those with the largest imports of covered goods."""
ROW_CEMENT = (
    "National CO2 accounts bias some goods: cement of the rest of the world pays too little (they hold a third of what "
    "its clinker must emit), so does steel of T\u00fcrkiye; steel of Russia and India pays too much "
    "(carbonray data describe goods-2011-check)."
)
COLUMNS = ["panel", "series", "when", "x", "y", "low", "high", "bought"]


def chart(run: Run) -> Chart | LeftOut:
    """Charge per tonne over the years, a panel for each good."""
    key, title = "border", "What a tonne pays at the border"
    data = per_tonne(run.charges)
    if data.empty:
        reason = "this run has no border charge on goods that are counted in tonnes"
        return LeftOut(key=key, title=title, reason=reason)
    last = data[data["x"] == data["x"].max()]
    top = last.loc[last["bought"].idxmax()]
    return Chart(
        key=key,
        kind="lines",
        data=data,
        title=f"In {top['when']} a tonne of {top['panel'].lower()} from {top['series']} pays {number(top['y'], 0)} EUR",
        caption="Mean border charge on a tonne of imports, by origin, for the origins that sell most covered goods. "
        f"It is what the model's firms pay for {_charged_on(run)} beyond the share of the benchmark that is still "
        "free, less the carbon price paid where they are; goods of a sector are a mix, and one importer may pay far "
        "more or nothing. A tonne is one of crude steel, unwrought aluminium, cement, and ammonia in nitrogen "
        "products. The panels have scales of their own.",
        x_title="Year",
        y_title="EUR of 2026 a tonne",
    )


def _charged_on(run: Run) -> str:
    return "their default values" if run.scenario.policy.reporting == "default" else "what they emit"


def per_tonne(charges: pd.DataFrame | None) -> pd.DataFrame:
    """Lines of the chart: panel is the good, series the origin."""
    if charges is None:
        return pd.DataFrame(columns=COLUMNS)
    known = charges[charges["charge_eur_per_t"].notna()]
    if known.empty or known["charge_musd"].sum() <= 0:
        return pd.DataFrame(columns=COLUMNS)
    largest = known.groupby("region")["imports_musd"].sum().sort_values(ascending=False, kind="stable").index[:ORIGINS]
    chosen = known[known["region"].isin(largest)]
    return pd.DataFrame(
        {
            "panel": [sector_label(sector) for sector in chosen["sector"]],
            "series": [region_label(region) for region in chosen["region"]],
            "when": chosen["year"].astype(str).to_numpy(),
            "x": chosen["year"].to_numpy(dtype=float),
            "y": chosen["charge_eur_per_t"].to_numpy(dtype=float),
            "bought": chosen["imports_musd"].to_numpy(dtype=float),
            "low": np.nan,
            "high": np.nan,
        }
    ).sort_values(["panel", "series", "x"], kind="stable", ignore_index=True)


def years_shown(run: Run) -> list[int]:
    """The first year, the last, and the years of the law between them that a reader asks for: 2030 and 2034."""
    first, last = run.summary.years
    return sorted({first, *(year for year in (2030, 2034) if first < year < last), last})


def table(run: Run) -> Table | None:
    """Charge by good and origin, per tonne and per 1,000 euro, in a few years."""
    if run.charges is None or run.charges.empty or run.charges["charge_musd"].sum() <= 0:
        return None
    years, rows = years_shown(run), []
    keys = [run.charges["sector"], run.charges["region"]]
    bought = run.charges["imports_musd"].where(run.charges["year"] == years[0], 0.0).groupby(keys).transform("sum")
    ranked = run.charges.assign(bought=bought).sort_values(["sector", "bought"], ascending=[True, False], kind="stable")
    for (sector, region), found in ranked.groupby(["sector", "region"], sort=False):
        at = {year: found[found["year"] == year].iloc[0] for year in years}
        first = at[years[0]]
        if found["imports_musd"].sum() <= 0:
            continue
        rows.append(
            (
                f"{sector_label(str(sector))}, {region_label(str(region))}",
                _figure(first["imports_kt"] / 1e3, 2),
                _figure(first["intensity_t_per_t"], 2),
                _figure(first["benchmark_t_per_t"], 2),
                *(_figure(at[year]["charge_eur_per_t"], 0) for year in years),
                *(percent(float(at[year]["charge_eur_per_eur"])) for year in years),
            )
        )
    columns = (
        "Good and origin", "Imports, Mt", "Emits, t/t", "Benchmark, t/t",
        *(f"EUR/t {year}" for year in years), *(f"of value {year}" for year in years),
    )  # fmt: skip
    note = (
        "Means over what is imported; imports, emissions and benchmark in the first year. Emitted is the direct CO2 of "
        "the good's own sector; cement and fertilisers are charged for bought electricity besides. Value at the base "
        "year's prices. The rest of the world holds some exempt countries (Norway, Switzerland). A dash: no tonnes."
    )
    if run.scenario.economy.startswith("goods-") and run.scenario.policy.reporting == "actual":
        note += f" {ROW_CEMENT}"
    return Table(caption="Border charge by good and origin", columns=columns, rows=tuple(rows), note=note)


def _figure(value: Any, digits: int) -> str:
    return number(float(value), digits) if np.isfinite(value) else "–"
