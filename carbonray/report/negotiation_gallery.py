"""The figures of a negotiation, in the order of the page; one that cannot be drawn says why."""

from collections.abc import Callable, Mapping

import pandas as pd

from carbonray.report import negotiation_data as data_of
from carbonray.report import negotiation_findings as findings
from carbonray.report.charts import BLUE, GREY, INK, ORANGE, RED, Chart, LeftOut
from carbonray.report.negotiation_data import MEMBERS, OTHERS, POLICY, REFERENCE
from carbonray.report.negotiation_run import NegotiationRun

TWO = {POLICY: BLUE, REFERENCE: INK}
NO_AGREEMENT = "no agreement binds anybody in this run, so it is its own reference"


def figures(run: NegotiationRun) -> list[Chart | LeftOut]:
    """Every figure of a run, or why it is left out."""
    return [build(run) for build in BUILDERS]


def _shown(run: NegotiationRun, lines: pd.DataFrame) -> pd.DataFrame:
    """Both runs, or the one there is where nothing is negotiated."""
    return lines if run.negotiates else lines[lines["series"] != POLICY].reset_index(drop=True)


def _band(run: NegotiationRun) -> str:
    return " Bands hold nine of ten replicas." if run.summary.replicas > 1 else ""


def _temperature(run: NegotiationRun) -> Chart:
    data = _shown(run, data_of.temperature(run.years))
    return Chart(
        key="temperature",
        kind="lines",
        data=data,
        title=findings.temperature_title(run, data),
        caption="Temperature of the air above that of 1900. It follows the carbon of the step before, so the last "
        "cuts do not show yet." + _band(run),
        x_title="Year",
        y_title="Degrees C above 1900",
        colours=TWO,
    )


def _emissions(run: NegotiationRun) -> Chart:
    data = _shown(run, data_of.emissions(run.years, run.regions))
    groups = (
        " Members are those of each year; the panels have scales of their own." if MEMBERS in set(data["panel"]) else ""
    )
    return Chart(
        key="emissions",
        kind="lines",
        data=data,
        title=findings.emissions_title(data),
        caption="CO2 from production and land use." + groups + _band(run),
        x_title="Year",
        y_title="Gt CO2 a year",
        colours=TWO,
    )


def _economy(run: NegotiationRun) -> Chart | LeftOut:
    title = "Output and consumption against the reference"
    if not run.negotiates:
        return LeftOut(key="economy", title=title, reason=NO_AGREEMENT)
    data = data_of.against_reference(run.years)
    if data.empty or not data["y"].abs().max() > 0:
        return LeftOut(key="economy", title=title, reason="both are those of the reference in every year")
    return Chart(
        key="economy",
        kind="lines",
        data=data,
        title=findings.economy_title(run),
        caption="World gross output and consumption, change against the run in which nobody is bound. Abatement and "
        "lost imports cost at once; less damage pays late. Debts that stop a region's imports make consumption jump: "
        "no single late year shows what the agreement does." + _band(run),
        x_title="Year",
        y_title="Change against the reference (%)",
        as_percent=True,
        colours={"Output": INK, "Consumption": RED},
    )


def _imports(run: NegotiationRun) -> Chart:
    data = _shown(run, data_of.imports(run.years))
    return Chart(
        key="imports",
        kind="lines",
        data=data,
        title=findings.imports_title(data),
        caption="What all regions buy from one another, before tariffs take their part. Debts stop a region's imports "
        "until it has paid, so trade jumps from year to year, and no single year is an effect of the agreement."
        + _band(run),
        x_title="Year",
        y_title="Trillion USD a year",
        colours=TWO,
    )


def _tariffs(run: NegotiationRun) -> Chart | LeftOut:
    data = data_of.tariffs(run.trade, run.regions)
    data = data if run.negotiates else data[data["series"] == REFERENCE]
    if data.empty:
        return LeftOut(key="tariffs", title="Tariffs", reason="nobody charges any")
    return Chart(
        key="tariffs",
        kind="lines",
        data=data.reset_index(drop=True),
        title=findings.tariffs_title(data, run.last),
        caption="Mean tariff over pairs of regions, each pair counted once, in the first replica. A tariff acts one "
        "step after it is chosen. Members are those of each year; groups that never charge any are not drawn.",
        x_title="Year",
        y_title="Tariff (% of the value)",
        as_percent=True,
        colours={"Members on others": RED, "Others on members": ORANGE, "Members on members": BLUE,
                 "Others on others": GREY, "All pairs": BLUE, REFERENCE: INK},
    )  # fmt: skip


def _membership(run: NegotiationRun) -> Chart | LeftOut:
    title = "Members over the century"
    if not run.negotiates:
        return LeftOut(key="membership", title=title, reason=NO_AGREEMENT)
    data = data_of.membership(run.regions)
    if not data["y"].any():
        return LeftOut(key="membership", title=title, reason="no region ever joins")
    return Chart(
        key="membership",
        kind="lines",
        data=data,
        title=findings.membership_title(run, data),
        caption="Share that members have in the number of regions, and in the output and the emissions of the "
        "reference: what they would make and emit if nobody were bound."
        + " The three shares are the same, so one line stands for them." * (data_of.ALL_SHARES in set(data["series"]))
        + _band(run),
        x_title="Year",
        y_title="Share of members (%)",
        as_percent=True,
        colours={data_of.ALL_SHARES: INK, "Of the regions": INK, "Of the output": BLUE, "Of the emissions": RED},
    )


def _mitigation(run: NegotiationRun) -> Chart | LeftOut:
    if not run.regions.loc[run.regions["run"] == "policy", "mitigation"].any():
        return LeftOut(key="mitigation", title="Mitigation by region", reason="no region cuts any emissions")
    apart = bool(run.members and run.others)
    marked = {name: f"{name} ●" if apart else name for name in run.members} | {name: name for name in run.others}
    data = data_of.mitigation(run.regions, marked)
    mark = " Members in the last year come first and have a dot." if apart else ""
    return Chart(
        key="mitigation",
        kind="heat",
        data=data,
        title=findings.mitigation_title(run, data),
        caption="Share of its emissions that each region avoids, by year." + mark
        + (" Mean of the replicas." if run.summary.replicas > 1 else ""),
        x_title="Year",
        y_title="Mitigation rate",
        as_percent=True,
        colours={"": BLUE},
    )  # fmt: skip


def _consumption(run: NegotiationRun) -> Chart | LeftOut:
    title = "Consumption by region"
    if not run.negotiates:
        return LeftOut(key="consumption", title=title, reason=NO_AGREEMENT)
    data = data_of.consumption(run)
    if data.empty or not data["value"].abs().max() > 0:
        return LeftOut(key="consumption", title=title, reason="no region's differs from the reference")
    absent = run.summary.n_regions - len(data)
    note = f" {absent} of the regions have no consumption in the reference and no bar." if absent else ""
    return Chart(
        key="consumption",
        kind="bars",
        data=data,
        title=findings.consumption_title(data),
        caption="Change of what each region consumes, summed over the run, against the reference. Debts stop a "
        f"region's imports from one step to the next, so single years jump; {run.last} is in the table.{note}",
        x_title="Change of consumption (%)",
        as_percent=True,
        colours={MEMBERS: BLUE, OTHERS: GREY},
    )


def _index(run: NegotiationRun) -> Chart | LeftOut:
    data = data_of.index(run.summary)
    data = data if run.negotiates else data[data["series"] != POLICY].reset_index(drop=True)
    if REFERENCE not in set(data["series"]):
        return LeftOut(
            key="index", title="Climate and economic index", reason="the run was made without its two extremes"
        )
    return Chart(
        key="index",
        kind="points",
        data=data,
        title=findings.index_title(data),
        caption="Each index is 0 at the worse and 1 at the better of two extremes without trade: all regions cut all "
        "their emissions and save nothing, and none cuts any and all save everything. Further right is richer in "
        "output, further up is cooler. The extremes are no strict bounds.",
        x_title="Economic index",
        y_title="Climate index",
        colours={POLICY: BLUE, REFERENCE: INK},
    )


BUILDERS: tuple[Callable[[NegotiationRun], Chart | LeftOut], ...] = (
    _temperature, _emissions, _membership, _economy, _imports, _tariffs, _mitigation, _consumption, _index,
)  # fmt: skip
SECTIONS: Mapping[str, str] = {
    "temperature": "Climate", "emissions": "Climate", "membership": "Who takes part", "economy": "What it costs",
    "imports": "Trade", "tariffs": "Trade", "mitigation": "Region by region", "consumption": "Region by region",
    "index": "Climate against economy",
}  # fmt: skip
"""Heading of the page that each figure stands under."""
