"""The data of each figure of a negotiation: pure functions from the tables of a run to a tidy table.

Tables of lines have `panel, series, when, x, y, low, high`; low and high are the 5 and 95 % quantiles over the
replicas, NaN where there is one replica.  The first year is the state before the first step: nothing flows in it, so
only stocks are drawn there.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from carbonray.report.figure_data import LINES
from carbonray.report.negotiation_run import NegotiationRun
from carbonray.report.negotiation_summary import NegotiationSummary

POLICY, REFERENCE = "With agreement", "Nobody bound"
"""Short, so that both stand on one line of a phone's legend."""
RUN_NAMES: Mapping[str, str] = {"policy": POLICY, "reference": REFERENCE}
MEMBERS, OTHERS, WORLD = "Members", "Others", "World"
PAIRS = ("Members on others", "Others on members", "Members on members", "Others on others")
"""Who charges a tariff on whose goods."""
ALL_SHARES = "Of regions, output and emissions"
"""The one line where members' shares of the three are the same."""
KEYS = ["replica", "year", "region"]
SMALLEST = 1e-9
"""A reference value under this is no denominator."""


def line(panel: str, series: str, values: pd.DataFrame) -> pd.DataFrame:
    """One line: mean over the replicas (columns) in each year (rows), and its range; years without a value left out."""
    kept = values.dropna()
    y = kept.to_numpy(dtype=float)
    many = y.shape[1] > 1 and len(y) > 0
    low, high = np.quantile(y, [0.05, 0.95], axis=1) if many else np.full((2, len(y)), np.nan)
    columns = {"when": kept.index.astype(str), "x": kept.index.astype(float), "y": y.mean(axis=1)}
    bounds = {"low": low, "high": high}
    return pd.DataFrame({"panel": panel, "series": series} | columns | bounds, columns=LINES)


def steps(table: pd.DataFrame) -> pd.DataFrame:
    """The rows after the first year."""
    after: pd.DataFrame = table[table["year"] > table["year"].min()]
    return after


def by_replica(table: pd.DataFrame, run: str, column: str) -> pd.DataFrame:
    """[year, replica] sum of a column in one of the two runs."""
    rows = table[table["run"] == run]
    sums: pd.DataFrame = rows.pivot_table(index="year", columns="replica", values=column, aggfunc="sum")
    return sums


def both_runs(table: pd.DataFrame, column: str, panel: str = "") -> list[pd.DataFrame]:
    """A line for each of the two runs."""
    return [line(panel, series, by_replica(table, run, column)) for run, series in RUN_NAMES.items()]


def temperature(years: pd.DataFrame) -> pd.DataFrame:
    """Temperature of the atmosphere in every year, degrees C above 1900."""
    return pd.concat(both_runs(years, "temperature_c"), ignore_index=True)


def with_members(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of both runs after the first year, with `inside`: whether the region is a member then in the run."""
    after = steps(table)
    held = after.loc[after["run"] == "policy", [*KEYS, "member"]].rename(columns={"member": "inside"})
    return after.merge(held.astype({"inside": bool}), on=KEYS)


def emissions(years: pd.DataFrame, regions: pd.DataFrame) -> pd.DataFrame:
    """CO2 a year, Gt: the world, and members of each year apart from others where there are both."""
    lines = both_runs(steps(years), "emissions_gtco2", WORLD)
    rows = with_members(regions)
    if rows["inside"].nunique() == 2:
        for panel, inside in ((MEMBERS, rows["inside"]), (OTHERS, ~rows["inside"])):
            lines += both_runs(rows.assign(part=rows["emissions_gtco2"] * inside), "part", panel)
    return pd.concat(lines, ignore_index=True)


def against_reference(years: pd.DataFrame) -> pd.DataFrame:
    """World output and consumption a year, change against the reference; fractions."""
    lines = []
    for series, column in (("Output", "output_tusd"), ("Consumption", "consumption_tusd")):
        policy, reference = (by_replica(steps(years), run, column) for run in RUN_NAMES)
        lines.append(line("", series, policy / reference.where(reference > SMALLEST) - 1))
    return pd.concat(lines, ignore_index=True)


def imports(years: pd.DataFrame) -> pd.DataFrame:
    """What all regions import a year, trillion USD."""
    return pd.concat(both_runs(steps(years), "imports_tusd"), ignore_index=True)


def tariffs(trade: pd.DataFrame, regions: pd.DataFrame) -> pd.DataFrame:
    """Mean tariff over pairs of regions, first replica: by members or others, on members or others; fractions.

    Groups that never charge any are left out.
    """
    first = regions[(regions["run"] == "policy") & (regions["replica"] == regions["replica"].min())]
    member = first.astype({"member": bool}).set_index(["year", "region"])["member"]
    rows = trade.join(member.rename("charging"), on=["year", "importer"])
    rows = rows.join(member.rename("charged"), on=["year", "exporter"])
    who = {True: "members", False: "others"}
    rows["series"] = rows["charging"].map(who).str.capitalize() + " on " + rows["charged"].map(who)
    policy = rows[rows["run"] == "policy"]
    groups = {name: policy[policy["series"] == name] for name in PAIRS} if policy["charging"].nunique() == 2 else {}
    groups = groups or {"All pairs": policy}
    groups[REFERENCE] = rows[rows["run"] == "reference"]
    lines = [
        line("", name, part.groupby("year")[["tariff"]].mean()) for name, part in groups.items() if part["tariff"].any()
    ]
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(columns=LINES)


def membership(regions: pd.DataFrame) -> pd.DataFrame:
    """Members' share of regions, output and emissions in each year; output and emissions are those of the reference.

    One line where the three are the same, as where everybody is a member.
    """
    held = with_members(regions).assign(one=1.0)
    lines = []
    for series, column in (
        ("Of the regions", "one"), ("Of the output", "output_tusd"), ("Of the emissions", "emissions_gtco2"),
    ):  # fmt: skip
        inside = by_replica(held.assign(part=held[column] * held["inside"]), "reference", "part")
        whole = by_replica(held, "reference", column)
        lines.append(line("", series, inside / whole.where(whole > SMALLEST)))
    if all(len(other) == len(lines[0]) and np.allclose(other["y"], lines[0]["y"], atol=0.005) for other in lines[1:]):
        return lines[0].assign(series=ALL_SHARES)
    return pd.concat(lines, ignore_index=True)


def mitigation(regions: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Cells of the heat map: mitigation rate by region (in the order of `labels`) and year, mean of the replicas.

    Returns:
        region, label, when, x, value, minimum (what an agreement asks for).
    """
    rows = steps(regions[regions["run"] == "policy"])
    means = rows.groupby(["region", "year"])[["mitigation", "minimum_mitigation"]].mean().reset_index()
    place = means["region"].map({name: at for at, name in enumerate(labels)})
    means = means.iloc[np.lexsort((means["year"], place))].reset_index(drop=True)
    return pd.DataFrame(
        {
            "region": means["region"],
            "label": means["region"].map(labels),
            "when": means["year"].astype(str),
            "x": means["year"].astype(float),
            "value": means["mitigation"],
            "minimum": means["minimum_mitigation"],
        }
    )


def by_region(regions: pd.DataFrame, column: str) -> pd.DataFrame:
    """[region] mean over replicas of a column's sum: policy and reference."""
    sums = regions.groupby(["region", "run"])[column].sum().unstack("run")
    return sums[["policy", "reference"]] / regions["replica"].nunique()


def change(table: pd.DataFrame) -> "pd.Series[float]":
    """[region] policy over reference, less one; NaN where the reference has next to nothing."""
    return table["policy"] / table["reference"].where(table["reference"] > SMALLEST) - 1


def consumption(run: NegotiationRun) -> pd.DataFrame:
    """Bars: change of each region's consumption over the run against the reference, largest rise first.

    Over the run, because debts make a region's single years jump.
    """
    changes = change(by_region(steps(run.regions), "consumption_tusd")).dropna()
    members = set(run.members)
    ranked = sorted(changes.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [(str(name), MEMBERS if name in members else OTHERS, value) for name, value in ranked]
    return pd.DataFrame(rows, columns=["label", "series", "value"]).astype({"value": float})


def index(summary: NegotiationSummary) -> pd.DataFrame:
    """Points of the plane of the economic (x) and the climate index (y), with the range over the replicas."""
    rows = []
    for series, end in ((POLICY, ""), (REFERENCE, "_reference")):
        place = [getattr(summary, f"{name}_index{end}") for name in ("economic", "climate")]
        ranges = [summary.interval(f"{name}_index{end}") or (np.nan, np.nan) for name in ("economic", "climate")]
        rows.append((series, *place, *ranges[0], *ranges[1]))
    extremes = ("Everything is cut, nothing saved", 0.0, 1.0), ("Nothing is cut, everything saved", 1.0, 0.0)
    rows += [(*extreme, *[np.nan] * 4) for extreme in extremes]
    columns = ["series", "x", "y", "x_low", "x_high", "y_low", "y_high"]
    return pd.DataFrame(rows, columns=columns).dropna(subset=["x", "y"]).reset_index(drop=True)
