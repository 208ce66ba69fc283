"""The data of each figure: one pure function from the tables of a run to a tidy table that plotly and matplotlib share.

Tables of lines have `panel, series, when, x, y, low, high`: when is x in words, low and high are the 95 % interval over
replicas, NaN where there is one replica. Tables of bars have `label, series, value`. Rates and shares are fractions,
emissions Mt CO2, money billion USD of 2011.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from carbonray.kpi.leakage import interval
from carbonray.report.summary_model import Sensitivity
from carbonray.report.wording import region_label, sector_label

TOTAL, GOODS = "All sectors", "CBAM goods"
SMALL_FALL = 0.1
"""Quarters in which emissions at home have fallen by less than this share of their largest fall are not drawn."""
SMALL_SECTOR = 0.01
"""Sectors that carry less than this share of the home reduction have no bar: their rate is a ratio of small numbers."""
LINES = ["panel", "series", "when", "x", "y", "low", "high"]


def _line(panel: str, series: str, x: Mapping[str, float], values: pd.DataFrame) -> pd.DataFrame:
    """One line: mean over the replicas (columns) at each x (rows), with its interval; x by its name."""
    bounds = [interval(row) or (np.nan, np.nan) for row in values.to_numpy(dtype=float)]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    mean = values.mean(axis=1).to_numpy()
    columns = {"when": list(x), "x": list(x.values()), "y": mean, "low": low, "high": high}
    return pd.DataFrame({"panel": panel, "series": series} | columns, columns=LINES)


def _by_replica(steps: pd.DataFrame, column: str) -> pd.DataFrame:
    return steps.pivot_table(index=["year", "quarter"], columns="replica", values=column, dropna=False).sort_index()


def _quarters(index: Iterable[tuple[int, int]], part: float) -> dict[str, float]:
    """The point of each quarter (0 its start, 1 its end) on an axis of years, by the quarter's name."""
    return {f"{year} Q{quarter}": year + (quarter - 1 + part) / 4 for year, quarter in index}


def leakage_over_time(steps: pd.DataFrame) -> pd.DataFrame:
    """Leakage rate of each quarter, at its middle, of all sectors and of CBAM goods."""
    lines = []
    for series, suffix in ((TOTAL, ""), (GOODS, "_cbam_goods")):
        fall = _by_replica(steps, f"home_reduction{suffix}_mt").mean(axis=1)
        rates = _by_replica(steps, f"leakage_rate{suffix}")
        drawn = (fall > 0) & (fall >= SMALL_FALL * fall.max()) & rates.notna().all(axis=1)
        lines.append(_line("", series, _quarters(rates.index[drawn], 0.5), rates[drawn]))
    return pd.concat(lines, ignore_index=True)


def emissions_over_time(steps: pd.DataFrame) -> pd.DataFrame:
    """Change of emissions against the reference, cumulative to the end of each quarter, Mt CO2."""
    lines = []
    for panel, name, sign in (("At home", "home_reduction", -1), ("Abroad", "foreign_increase", 1)):
        for series, suffix in ((TOTAL, ""), (GOODS, "_cbam_goods")):
            total = sign * _by_replica(steps, f"{name}{suffix}_mt").cumsum()
            lines.append(_line(panel, series, _quarters(total.index, 1.0), total))
    return pd.concat(lines, ignore_index=True)


def emissions_by_sector(cells: pd.DataFrame, home: Sequence[str]) -> pd.DataFrame:
    """[sector] fall at home and rise abroad over the run, Mt CO2, mean of the replicas."""
    change = _change(cells.assign(home=cells.region.isin(home)), ["sector", "home"], "emissions_mt")
    wide = change.unstack("home").reindex(columns=[True, False]).fillna(0.0)
    table = pd.DataFrame({"home_reduction_mt": -wide[True], "foreign_increase_mt": wide[False]})
    return table.reindex(list(dict.fromkeys(cells.sector)))


def _change(table: pd.DataFrame, keys: list[str], value: str) -> "pd.Series[float]":
    """Policy minus reference, summed by keys, mean of the replicas."""
    replicas = table["replica"].nunique()
    sums = table.groupby([*keys, "run"])[value].sum().unstack("run").fillna(0.0)
    return (sums["policy"] - sums["reference"]) / replicas


def leakage_by_sector(
    rates: Mapping[str, float | None], by_sector: pd.DataFrame, covered: Sequence[str]
) -> pd.DataFrame:
    """Leakage rate of the sectors that carry the home reduction.

    Args:
        rates: by sector, from summary.json.
        by_sector: from `emissions_by_sector`.
        covered: sectors with CBAM goods.
    """
    falls = by_sector["home_reduction_mt"]
    large = falls[falls > SMALL_SECTOR * max(float(falls.clip(lower=0).sum()), 0.0)].sort_values(ascending=False)
    rows = [
        (sector_label(str(sector)), GOODS if sector in covered else "Other sectors", rate)
        for sector in large.index
        if (rate := rates.get(str(sector))) is not None
    ]
    return _bars(rows)


def _bars(rows: Sequence[tuple[str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["label", "series", "value"]).astype({"value": float})


def partners(foreign_increase: Mapping[str, float | None]) -> pd.DataFrame:
    """Change of emissions of each partner over the run, Mt CO2, largest rise first."""
    known = {region: value for region, value in foreign_increase.items() if value is not None}
    ranked = sorted(known.items(), key=lambda item: (-item[1], item[0]))
    return _bars([(region_label(region), "Rise" if value >= 0 else "Fall", value) for region, value in ranked])


def trade_changes(flows: pd.DataFrame, home: Sequence[str], covered: Sequence[str]) -> pd.DataFrame:
    """Change of trade in the covered sectors with each partner in the final year, billion USD at base-year prices.

    Also `reference`, what was traded without the policy; partners by the size of their change.
    """
    final = flows[(flows.year == flows.year.max()) & flows.from_sector.isin(covered)]
    from_home, to_home = final.from_region.isin(home), final.to_region.isin(home)
    rows = []
    for series, crosses, partner in (
        ("Imports into home", to_home & ~from_home, "from_region"),
        ("Exports from home", from_home & ~to_home, "to_region"),
    ):
        traded = final[crosses]
        change = _change(traded, [partner], "volume_musd") / 1000
        before = traded[traded.run == "reference"].groupby(partner)["volume_musd"].sum() / 1000
        before = before / final["replica"].nunique()
        rows += [
            (region_label(str(region)), series, float(value), float(before.get(region, 0.0)))
            for region, value in change.items()
        ]
    table = pd.DataFrame(rows, columns=["label", "series", "value", "reference"])
    size = table.groupby("label")["value"].agg(lambda values: float(np.abs(values).sum()))
    order = sorted(size.index, key=lambda label: (-size[label], label))
    place = table["label"].map({label: at for at, label in enumerate(order)})
    return table.iloc[np.lexsort((table["series"] != "Imports into home", place))].reset_index(drop=True)


def output_changes(output_change: Mapping[str, float | None], priced: Sequence[str]) -> pd.DataFrame:
    """Change of output at home by sector over the run, share of the reference; largest fall first."""
    known = {sector: value for sector, value in output_change.items() if value is not None}
    ranked = sorted(known.items(), key=lambda item: (item[1], item[0]))
    return _bars([(sector_label(s), "Pays the price" if s in priced else "Does not pay", value) for s, value in ranked])


def costs_over_time(cells: pd.DataFrame, home: Sequence[str]) -> pd.DataFrame:
    """What the policy costs and collects each year, billion USD of 2011.

    Carbon cost, free allocation and abatement of firms at home; border charge on what partners sell there.
    """
    policy = cells[cells.run == "policy"]
    at_home = policy.region.isin(home)
    parts = (
        ("Carbon cost at home", at_home, "carbon_cost_musd"),
        ("Free allocation", at_home, "free_allocation_musd"),
        ("Abatement cost at home", at_home, "abatement_cost_musd"),
        ("Border charge", ~at_home, "border_charge_musd"),
    )
    lines = []
    for series, rows, column in parts:
        table = policy[rows].pivot_table(index="year", columns="replica", values=column, aggfunc="sum").sort_index()
        lines.append(_line("", series, {str(year): float(year) for year in table.index}, table / 1000))
    return pd.concat(lines, ignore_index=True)


def sensitivity_lines(rows: Sequence[Sensitivity]) -> pd.DataFrame:
    """Leakage at rest over the scale of the trade elasticities, a line for each supply elasticity of capacity."""
    points = []
    for row in rows:
        chi = row.factor_supply
        series = f"capacity {chi:g}" if chi is not None and np.isfinite(chi) else "capacity free"
        for panel, rate in ((TOTAL, row.leakage_rate), (GOODS, row.leakage_rate_cbam_goods)):
            if rate is not None:
                points.append((panel, series, f"scale {row.sigma_scale:g}", row.sigma_scale, rate, np.nan, np.nan))
    return pd.DataFrame(points, columns=LINES)


def hotspot_edges(hotspots: pd.DataFrame, home: Sequence[str], *, inside: int = 10, outside: int = 15) -> pd.DataFrame:
    """Edges of the supply graph whose embodied CO2 changes most: some inside the home region, some touching others.

    Returns:
        source, target (`REGION SECTOR`), change_mt, outside (whether a region other than home is at an end).
    """
    abroad = ~(hotspots.from_region.isin(home) & hotspots.to_region.isin(home))
    table = pd.DataFrame(
        {
            "source": hotspots.from_region + " " + hotspots.from_sector,
            "target": hotspots.to_region + " " + hotspots.to_sector,
            "change_mt": hotspots.change_mt,
            "outside": abroad,
        }
    )
    table["size"] = table.change_mt.abs()
    ranked = table.sort_values(["size", "source", "target"], ascending=[False, True, True])
    chosen = [ranked[~ranked.outside].head(inside), ranked[ranked.outside].head(outside)]
    return pd.concat(chosen).drop(columns="size").reset_index(drop=True)
