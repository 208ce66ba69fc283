"""The title of each figure: what it shows, in plain words, computed from its data."""

import pandas as pd

from carbonray.report.figure_data import GOODS, TOTAL
from carbonray.report.wording import billions, in_sentence, listed, megatonnes, percent, region_name, sector_name

SETTLED = 0.0025
"""A rate whose yearly mean moves by less than this from one year to the next has settled."""


def _last_year(lines: pd.DataFrame, series: str) -> tuple[float, float] | None:
    """Mean rate of the last year drawn, and of the year before it (of the last one if there is no other)."""
    line = lines[lines.series == series]
    if line.empty:
        return None
    years = line.groupby(line.x.astype(int))["y"].mean()
    return float(years.iloc[-1]), float(years.iloc[-2] if len(years) > 1 else years.iloc[-1])


def leakage_title(lines: pd.DataFrame, home: str) -> str:
    """Where leakage ends, and whether it has settled."""
    total, goods = _last_year(lines, TOTAL), _last_year(lines, GOODS)
    if total is None:
        return "Leakage has no rate: emissions at home do not fall"
    last, before = total
    tail = f"; for CBAM goods {percent(goods[0])}" if goods else ""
    if abs(last - before) <= SETTLED:
        return f"Leakage settles near {percent(last)} of the fall in {home}{tail}"
    way = "rising" if last > before else "falling"
    return f"Leakage is still {way} at the end, at {percent(last)} of the fall in {home}{tail}"


def emissions_title(lines: pd.DataFrame, home: str) -> str:
    """The cumulative change at home and abroad."""
    ends = lines[lines.series == TOTAL].groupby("panel")["y"].last()
    here, abroad = float(ends["At home"]), float(ends["Abroad"])
    if here == 0 and abroad == 0:
        return "Emissions are those of the reference, at home and abroad"
    return (
        f"{home[:1].upper()}{home[1:]} emits {megatonnes(abs(here))} CO2 {'less' if here <= 0 else 'more'}, "
        f"other regions {megatonnes(abs(abroad))} {'more' if abroad >= 0 else 'less'}"
    )


def sectors_title(bars: pd.DataFrame) -> str:
    """The sectors with the highest and the lowest rate."""
    if bars.empty:
        return "No sector has a leakage rate"
    top, low = bars.iloc[int(bars["value"].argmax())], bars.iloc[int(bars["value"].argmin())]
    if top["value"] <= 0:
        return "Emissions abroad fall in every sector that carries the cut"
    title = f"Leakage is highest in {in_sentence(top['label'])}, {percent(top['value'])}"
    return title + (f"; in {in_sentence(low['label'])} emissions abroad fall too" if low["value"] < 0 else "")


def partners_title(bars: pd.DataFrame) -> str:
    """Where emissions rise and fall most."""
    top, low = bars.iloc[0], bars.iloc[-1]
    if not bars["value"].any():
        return "Emissions of no partner region change"
    if top["value"] <= 0:
        return "Emissions fall in every partner region"
    title = f"Emissions rise most in {in_sentence(top['label'])}, {megatonnes(top['value'], signed=True)}"
    if low["value"] >= 0:
        return title
    return f"{title}, and fall most in {in_sentence(low['label'])}, {megatonnes(low['value'])}"


def trade_title(bars: pd.DataFrame, home: str) -> str:
    """Change of all imports and exports of the covered sectors."""
    parts = []
    for series, noun in (("Imports into home", "imports"), ("Exports from home", "exports")):
        rows = bars[bars.series == series]
        before = float(rows["reference"].sum())
        if before > 0:
            change = float(rows["value"].sum()) / before
            parts.append(f"{noun} {'rise' if change >= 0 else 'fall'} by {percent(abs(change))}")
    return f"Covered sectors of {home}: {listed(parts)}" if parts else f"{home} does not trade covered goods"


def output_title(bars: pd.DataFrame) -> str:
    """The largest change of output."""
    low = bars.iloc[0]
    if low["value"] >= 0:
        return "No sector at home makes less than without the policy"
    return f"Output at home falls most in {in_sentence(low['label'])}, {percent(low['value'])}"


def costs_title(lines: pd.DataFrame) -> str:
    """What is paid at home and at the border in the last year."""
    last = lines[lines.x == lines.x.max()].set_index("series")["y"]
    net = 1000 * float(last["Carbon cost at home"] - last["Free allocation"])
    paid = f"In {int(lines.x.max())} firms at home pay {billions(net)} for carbon after free allocation"
    if net < 0:
        paid = f"In {int(lines.x.max())} firms at home get {billions(-net)} more free allocation than they pay"
    return f"{paid}; the border charge is {billions(1000 * float(last['Border charge']))}"


def sensitivity_title(lines: pd.DataFrame) -> str:
    """The range of the rates at rest."""
    ranges = [_range(lines[lines.panel == panel]["y"]) for panel in (TOTAL, GOODS)]
    named = zip(("Leakage at rest lies between", "for CBAM goods between"), ranges, strict=True)
    return ", ".join(f"{noun} {found}" for noun, found in named if found) or "No rate at rest is defined"


def _range(values: "pd.Series[float]") -> str:
    return f"{percent(values.min())} and {percent(values.max())}" if len(values) else ""


def hotspots_title(edges: pd.DataFrame) -> str:
    """The largest change on an edge, and how many edges rise."""
    top = edges.iloc[int(edges.change_mt.abs().argmax())]
    rises = int((edges.change_mt > 0).sum())
    change = megatonnes(top["change_mt"], signed=True)
    way = "rises" if top["change_mt"] > 0 else "falls"
    most = f"CO2 {way} most from {_node(str(top['source']))} to {_node(str(top['target']))}, {change} a year"
    return f"{most}; {rises} of {len(edges)} edges drawn carry more CO2"


def _node(name: str) -> str:
    region, _, sector = name.partition(" ")
    return f"{'final demand' if sector == 'final' else sector_name(sector)} in {region_name(region)}"
