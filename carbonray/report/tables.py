"""The tables of the page, as text ready to print."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel

from carbonray.config import ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.data.scenarios import load
from carbonray.report import figure_data
from carbonray.report.charts import Chart
from carbonray.report.run_directory import Run
from carbonray.report.wording import megatonnes, number, percent, region_label, sector_label, spread


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text; the first cell of a row is its header."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def key_figures(run: Run) -> Table:
    """Leakage of all sectors and of CBAM goods, side by side."""
    summary = run.summary
    tonnes = [str(name) for name in run.steps if str(name).endswith("_mt")]
    sums = dict(zip(tonnes, run.steps.groupby("replica")[tonnes].sum().to_numpy(dtype=float).mean(0), strict=True))
    pairs = (
        ("Leakage rate over the run", "leakage_rate", "leakage_rate_cbam_goods"),
        (f"Leakage rate in {summary.years[1]}", "leakage_rate_final_year", "leakage_rate_cbam_goods_final_year"),
    )
    rows = []
    for label, *keys in pairs:
        rows.append((label, *(_with_interval(getattr(summary, key), summary.interval(key)) for key in keys)))
    for label, name in (("Fall at home", "home_reduction"), ("Rise abroad", "foreign_increase")):
        rows.append((label, *(megatonnes(float(sums[f"{name}{part}_mt"])) for part in ("", "_cbam_goods"))))
    for label, key in (
        ("Without electricity", "leakage_rate_without_electricity"),
        ("With transport between regions", "leakage_rate_with_transport"),
    ):
        if getattr(summary, key) is not None:
            rows.append((f"{label}, over the run", _with_interval(getattr(summary, key), summary.interval(key)), "–"))
    note = "" if summary.intervals else "One draw of the firms, so there are no intervals over replicas."
    columns = ("Figure", "All sectors", "CBAM goods")
    return Table(caption="Key figures", columns=columns, rows=tuple(rows), note=note)


def _with_interval(value: float | None, bounds: tuple[float, float] | None) -> str:
    return percent(value) + (f" ({spread(bounds)})" if bounds else "")


def by_sector(run: Run) -> Table:
    """Leakage, emissions, output and trade of each sector."""
    summary = run.summary
    emissions = figure_data.emissions_by_sector(run.cells, run.home)
    rows = []
    for sector, tonnes in zip(map(str, emissions.index), emissions.to_numpy(dtype=float), strict=True):
        shares = (summary.output_change_by_sector, summary.exports_change_by_sector, summary.imports_change_by_sector)
        rows.append(
            (
                f"{sector_label(sector)} ({sector})" if sector_label(sector) != sector else sector,
                percent(summary.leakage_rate_by_sector.get(sector)),
                *(number(float(value), 1) for value in tonnes),
                *(percent(table[sector], signed=True) if table.get(sector) is not None else "–" for table in shares),
            )
        )
    columns = ("Sector", "Leakage rate", "Fall at home, Mt", "Rise abroad, Mt", "Output at home", "Exports", "Imports")
    note = "Changes over the run against the reference. A rate over a fall of a few Mt says little."
    return Table(caption="By sector", columns=columns, rows=tuple(rows), note=note)


def by_partner(run: Run) -> Table | None:
    """Emissions of each partner, and its trade with home in covered sectors."""
    changes = {r: v for r, v in run.summary.foreign_increase_by_partner_mt.items() if v is not None}
    if not changes:
        return None
    trade = figure_data.trade_changes(run.flows, run.home, run.covered) if run.covered else None
    rows = []
    for region, change in sorted(changes.items(), key=lambda item: -item[1]):
        cells = [_trade_cell(trade, region_label(region), s) for s in ("Imports into home", "Exports from home")]
        shown = f"{region_label(region)} ({region})" if region_label(region) != region else region
        rows.append((shown, number(change, 1, signed=True), *cells))
    columns = ("Partner", "Emissions, Mt", "Covered goods it sells to home", "Covered goods it buys from home")
    note = f"Emissions over the run; trade in {run.flows.year.max()}, billion USD of 2011, against the reference."
    return Table(caption="By partner", columns=columns, rows=tuple(rows), note=note)


def _trade_cell(trade: pd.DataFrame | None, label: str, series: str) -> str:
    row = trade[(trade.label == label) & (trade.series == series)] if trade is not None else None
    if row is None or row.empty:
        return "–"
    change, before = float(row["value"].iloc[0]), float(row["reference"].iloc[0])
    share = f" ({percent(change / before, signed=True)})" if before > 0 else ""
    return number(change, 2, signed=True) + share


def ablation(run: Run) -> Table | None:
    """The run without one part of the model at a time."""
    rows = run.summary.ablation
    if not rows:
        return None
    stress = any(row.stress_output_loss_share is not None for row in rows)
    shares = ["stress_output_loss_share"] if stress else ["supply_shortfall_share"]
    cells = tuple(
        (
            row.without[:1].upper() + row.without[1:],
            percent(row.leakage_rate),
            percent(row.leakage_rate_cbam_goods),
            "–" if row.home_reduction_mt is None else number(row.home_reduction_mt, 0),
            *(_fine(getattr(row, name)) for name in shares),
        )
        for row in rows
    )
    last = "Output lost in a stress test" if stress else "Supply shortfall"
    note = "One draw of the firms in each row: compare rows with the first one, not with the headline."
    if stress:
        note += " Stress test: the ten largest firms of the main foreign supplier of metals stop for a year."
    columns = ("Without", "Leakage, all sectors", "Leakage, CBAM goods", "Fall at home, Mt", last)
    return Table(caption="What each part of the model contributes", columns=columns, rows=cells, note=note)


def _fine(share: float | None) -> str:
    return "–" if share is None else f"{number(100 * share, 3)}\u00a0%"


def oracle(run: Run) -> Table | None:
    """The static equilibrium under the policy of the final year."""
    found = run.summary.oracle
    rows = (
        ("All sectors", found.leakage_rate),
        ("CBAM goods", found.leakage_rate_cbam_goods),
        ("All sectors but electricity", found.leakage_rate_without_electricity),
        ("All sectors, with the fossil-price channel", found.leakage_rate_with_fuel_channel),
    )
    if all(rate is None for _, rate in rows):
        return None
    return Table(
        caption="Leakage at rest",
        columns=("What is counted", "Leakage rate"),
        rows=tuple((label, percent(rate)) for label, rate in rows),
        note=f"Static equilibrium under the policy of {run.summary.years[1]}, reached after all adjustment, with all "
        "firms of a cell alike. The run sums its years and has cleaner and dirtier firms, so signs may differ.",
    )


def of_chart(chart: Chart) -> Table:
    """The numbers behind a figure."""
    names = {"when": "When", "series": "Series", "panel": "Panel", "y": "Value", "low": "Low", "high": "High",
             "base": "As assumed", "label": "Where", "value": "Change", "reference": "Without the policy",
             "source": "Supplier", "target": "Buyer", "change_mt": "Change, Mt CO2 a year"}  # fmt: skip
    kept = [name for name in names if name in chart.data and not _blank(chart.data[name])]
    rows = tuple(tuple(_cell(value, chart) for value in row) for row in chart.data[kept].itertuples(index=False))
    return Table(caption=f"Numbers of the figure: {chart.title}", columns=tuple(names[k] for k in kept), rows=rows)


def _blank(values: "pd.Series[Any]") -> bool:
    return bool((values == "").all() or values.isna().all())


def _cell(value: object, chart: Chart) -> str:
    if not isinstance(value, float | np.floating):
        return str(value)
    if not np.isfinite(value):
        return "–"
    return percent(float(value)) if chart.as_percent else number(float(value), 2)


def assumptions(scenario: BaseModel) -> list[Table]:
    """Every key of the scenario, its value and what it means, a table for each group."""
    top, groups = [], []
    for name, info in type(scenario).model_fields.items():
        value = getattr(scenario, name)
        if isinstance(value, BaseModel) and name != "abatement_other":
            rows = tuple(
                (f"{name}.{key}", shown(getattr(value, key)), _meaning(inner.description))
                for key, inner in type(value).model_fields.items()
            )
            groups.append(Table(caption=info.description or name, columns=("Key", "Value", "Meaning"), rows=rows))
        else:
            top.append((name, shown(value), _meaning(info.description)))
    return [Table(caption="Scenario", columns=("Key", "Value", "Meaning"), rows=tuple(top)), *groups]


def _meaning(description: str | None) -> str:
    return (description or "").replace("`", "")


def shown(value: object) -> str:
    """A value of the scenario on one line."""
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {shown(getattr(value, name))}" for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    return ", ".join(shown(item) for item in value) or "none" if isinstance(value, Iterable) else str(value)


def command(scenario: AnyScenario) -> str | None:
    """The command that runs the scenario again; None if it is not a built-in one with keys changed."""
    try:
        built_in = load(f"{scenario.world}/{scenario.name}")
    except ScenarioError:
        return None
    parts = ["carbonray", "simulate", f"{scenario.world}/{scenario.name}"]
    for key, value in _changed(scenario.model_dump(mode="json"), built_in.model_dump(mode="json")):
        text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
        parts += ["--set", f"{key}={text.removesuffix('...' + chr(10)).strip()}"]
    return shlex.join(parts)


def _changed(wanted: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys to set, with their values; a mapping that lost a key is set as a whole."""
    for key, value in wanted.items():
        before = given.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and set(before) <= set(value):
            yield from _changed(value, before, f"{prefix}{key}.")
        elif key not in given or value != before:
            yield f"{prefix}{key}", value
