"""The figures of a run, in the order of the page; one that cannot be drawn says why."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from carbonray.report import border, exposed, figure_data, findings, uncertainty
from carbonray.report.charts import BLUE, FALL, GREEN, GREY, INK, ORANGE, RED, RISE, Chart, LeftOut
from carbonray.report.figure_data import GOODS, TOTAL
from carbonray.report.run_directory import Run
from carbonray.report.wording import listed, number, region_name, sector_name

TWO = {TOTAL: INK, GOODS: BLUE}


def figures(run: Run) -> list[Chart | LeftOut]:
    """Every figure of a run, or why it is left out."""
    return [build(run) for build in BUILDERS]


def home_name(run: Run) -> str:
    """The home region in a sentence."""
    return listed([region_name(code) for code in run.home])


def goods_note(run: Run) -> str:
    """Which sectors count as CBAM goods."""
    parts = [f"{sector_name(sector)} ({number(100 * run.coverage[sector])}\u00a0% of output)" for sector in run.covered]
    return f"CBAM goods: {listed(parts)}; the whole sector is counted." if parts else "No sector has CBAM goods."


def _band(data: pd.DataFrame) -> str:
    shown = np.isfinite(data["low"].to_numpy(dtype=float)).any()
    return " Bands are 95 % intervals over the replicas." if shown else ""


def _leakage(run: Run) -> Chart | LeftOut:
    data = figure_data.leakage_over_time(run.steps)
    if data.empty:
        reason = run.summary.undefined_reason or "emissions at home do not fall in any quarter"
        return LeftOut(key="leakage", title="Leakage over time", reason=reason)
    quarters = run.steps["step"].nunique()
    hidden = quarters - int((data.series == TOTAL).sum())
    left_out = (
        f" {hidden} of {quarters} quarters are not drawn: the fall at home is still under"
        f" {number(100 * figure_data.SMALL_FALL)}\u00a0% of its largest, and a ratio of two small numbers says little."
    )
    return Chart(
        key="leakage",
        kind="lines",
        data=data,
        title=findings.leakage_title(data, home_name(run)),
        caption="Rise of emissions abroad as a share of the fall at home, each quarter against the reference run. "
        + goods_note(run) + (left_out if hidden else "") + _band(data),
        x_title="Year",
        y_title="Leakage rate (% of the fall at home)",
        as_percent=True,
        colours=TWO,
    )  # fmt: skip


def _emissions(run: Run) -> Chart:
    data = figure_data.emissions_over_time(run.steps)
    return Chart(
        key="emissions",
        kind="lines",
        data=data,
        title=findings.emissions_title(data, home_name(run)),
        caption="Change of CO2 emissions against the reference run, summed from the start. "
        "The two panels have scales of their own." + _band(data),
        x_title="Year",
        y_title="Cumulative change (Mt CO2)",
        colours=TWO,
    )


def _sectors(run: Run) -> Chart | LeftOut:
    title = "Leakage by sector"
    if not run.summary.leakage_rate_by_sector:
        return LeftOut(key="sectors", title=title, reason="summary.json has no leakage_rate_by_sector")
    by_sector = figure_data.emissions_by_sector(run.cells, run.home)
    data = figure_data.leakage_by_sector(run.summary.leakage_rate_by_sector, by_sector, run.covered)
    if data.empty:
        return LeftOut(key="sectors", title=title, reason="no sector's emissions fall at home, so no rate is defined")
    return Chart(
        key="sectors",
        kind="bars",
        data=data,
        title=findings.sectors_title(data),
        caption="Rise of a sector's emissions abroad as a share of its fall at home, over the run. Sectors with at "
        f"least {number(100 * figure_data.SMALL_SECTOR)}\u00a0% of the home reduction, largest first; the others are "
        "in the table.",
        x_title="Leakage rate (% of the sector's fall at home)",
        as_percent=True,
        colours={GOODS: BLUE, "Other sectors": GREY},
    )


def _partners(run: Run) -> Chart | LeftOut:
    data = figure_data.partners(run.summary.foreign_increase_by_partner_mt)
    if data.empty:
        reason = "summary.json has no foreign_increase_by_partner_mt"
        return LeftOut(key="partners", title="Where emissions go", reason=reason)
    return Chart(
        key="partners",
        kind="bars",
        data=data,
        title=findings.partners_title(data),
        caption="Change of each partner's CO2 emissions over the run against the reference, all sectors.",
        x_title="Change of emissions (Mt CO2)",
        colours={"Rise": RISE, "Fall": FALL},
    )


def _trade(run: Run) -> Chart | LeftOut:
    data = figure_data.trade_changes(run.flows, run.home, run.covered) if run.covered else pd.DataFrame()
    if data.empty:
        return LeftOut(key="trade", title="Trade in covered goods", reason="no covered sector crosses the home border")
    return Chart(
        key="trade",
        kind="bars",
        data=data,
        title=findings.trade_title(data, home_name(run)),
        caption=f"Change of trade with each partner in {run.flows.year.max()} against the reference. {goods_note(run)}",
        x_title="Change of trade (billion USD of 2011 a year, base-year prices)",
        colours={"Imports into home": BLUE, "Exports from home": ORANGE},
    )


def _output(run: Run) -> Chart | LeftOut:
    data = figure_data.output_changes(run.summary.output_change_by_sector, run.priced)
    if data.empty:
        return LeftOut(key="output", title="Output at home", reason="summary.json has no output_change_by_sector")
    return Chart(
        key="output",
        kind="bars",
        data=data,
        title=findings.output_title(data),
        caption=f"Change of what {home_name(run)} makes over the run, at base-year prices, against the reference.",
        x_title="Change of output (%)",
        as_percent=True,
        colours={"Pays the price": RED, "Does not pay": GREY},
    )


def _hotspots(run: Run) -> Chart | LeftOut:
    if run.hotspots.empty:
        reason = "no edge of the supply graph changes against the reference"
        return LeftOut(key="hotspots", title="Supply chain", reason=reason)
    data = figure_data.hotspot_edges(run.hotspots, run.home)
    inside, outside = int((~data.outside).sum()), int(data.outside.sum())
    return Chart(
        key="hotspots",
        kind="network",
        data=data,
        title=findings.hotspots_title(data),
        caption=f"CO2 embodied in what a supplier (left) sells to a buyer (right) in {run.summary.years[1]}, change "
        f"against the reference: the {inside} edges inside {home_name(run)} and the {outside} other edges that change "
        "most. Width grows with the change; solid blue is less, dashed red is more. Embodied CO2 is counted on every "
        "edge it passes, so edges do not add up.",
    )


def _costs(run: Run) -> Chart:
    data = figure_data.costs_over_time(run.cells, run.home)
    return Chart(
        key="costs",
        kind="lines",
        data=data,
        title=findings.costs_title(data),
        caption="Carbon cost is price times emissions before free allocation is taken off; abatement cost is the "
        "running cost of cleaner production; the border charge is what customs collect." + _band(data),
        x_title="Year",
        y_title="Billion USD of 2011 a year",
        colours={"Carbon cost at home": INK, "Free allocation": GREEN, "Border charge": BLUE,
                 "Abatement cost at home": ORANGE},
    )  # fmt: skip


def _sensitivity(run: Run) -> Chart | LeftOut:
    data = figure_data.sensitivity_lines(run.summary.sensitivity)
    if data.empty:
        reason = "the run was made without its sensitivity analysis"
        return LeftOut(key="sensitivity", title="Sensitivity to elasticities", reason=reason)
    return Chart(
        key="sensitivity",
        kind="lines",
        data=data,
        title=findings.sensitivity_title(data),
        caption=f"Static equilibrium under the policy of {run.summary.years[1]}, for {number(len(data) / 2)} pairs of "
        "assumptions: how readily buyers change origin (scale of the trade elasticities) and how readily plants "
        "expand (elasticity of capacity, a line for each).",
        x_title="Scale of the trade elasticities (1 = as assumed)",
        y_title="Leakage rate at rest (%)",
        as_percent=True,
        whole_years=False,
    )


BUILDERS: tuple[Callable[[Run], Chart | LeftOut], ...] = (
    _leakage, _emissions, _partners, _sectors, _trade, border.chart, _output, _costs, exposed.chart, _hotspots,
    uncertainty.intervals, uncertainty.ranking, _sensitivity,
)  # fmt: skip
SECTIONS: Mapping[str, str] = {
    "leakage": "How much leaks", "emissions": "How much leaks", "partners": "Where emissions go",
    "sectors": "Where emissions go", "trade": "Where emissions go", "border": "At the border",
    "output": "What it costs", "costs": "What it costs", "exposed": "What it costs",
    "hotspots": "Along the supply chain", "uncertainty": "How certain this is", "ranking": "How certain this is",
    "sensitivity": "How certain this is",
}  # fmt: skip
"""Heading of the page that each figure stands under."""
