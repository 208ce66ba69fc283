"""The world table aged to the first scenario year, and how wrong ageing was where the outcome is known.

Axes: C cell (region, sector), region-major; R region.  Money million USD of 2011, mass Mt CO2; both a year.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario
from carbonray.data.ageing import Targets, age, proportional_demand, same_totals
from carbonray.data.build_economy import (
    Facts,
    Frames,
    Grouping,
    aggregate,
    clip_negatives,
    emissions,
    read_grouping,
)
from carbonray.data.build_goods import split
from carbonray.data.build_goods_production import quantities
from carbonray.data.build_goods_tables import tables
from carbonray.data.vintage_error import AGED, GROWN, errors, parents
from carbonray.data.vintage_observed import (
    LAST_YEAR,
    RAW_FILES,
    TREND_YEARS,
    UNITS,
    figures_of_money,
    indices,
    money,
    observe,
)
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

__all__ = ["RAW_FILES", "build_vintage"]

BASE_YEAR = 2011
TEST_YEAR = 2000
TARGET_YEAR = 2026
TONNES = {"STL": "steel", "ALU": "aluminium", "CEM": "cement", "FER": "fertiliser"}
"""Goods and the quantity that counts their tonnes."""
OUTPUT_FOLLOWS = {**{good: (name,) for good, name in TONNES.items()}, "ELE": ("power", "price_level")}
"""What a sector's output moves with: the product of these; other sectors share the rest of value added as they did."""
EMISSIONS_FOLLOW = {"ELE": "power_co2", "CEM": "calcination"}
"""What a sector's emissions are observed to move with."""
BY_TONNES = {"STL": "steel", "ALU": "aluminium", "FER": "fertiliser"}
"""Goods whose emissions move with tonnes, and fall per tonne as the scenarios' intensity does by default."""
NAMED = {
    "output": "output by cell",
    "trade": "flows between regions",
    "co2": "CO2 by cell",
    "metals": "EU26 purchases of metals by origin",
    "carbon": "EU26 net imports of embodied CO2",
}
"""Errors that the method text names."""
WORDS = {"ageing": AGED, "naive": GROWN}


def base_table(raw: Path, grouping: Grouping, *, year: int) -> Economy:
    """The raw table of a year as the built-in one of 2011 is made, in USD of 2011."""
    factor = 1.0 / money(base=year, year=BASE_YEAR)
    transactions, final_demand = aggregate(raw, grouping, year=year)
    regions, sectors = tuple(grouping.regions["region"]), tuple(grouping.sectors["sector"])
    index = pd.MultiIndex.from_product([regions, sectors])
    production, _ = emissions(raw, grouping, year=year)
    return Economy(
        regions=regions,
        sectors=sectors,
        year=year,
        transactions=clip_negatives(transactions)[0] * factor,
        final_demand=clip_negatives(final_demand)[0] * factor,
        emissions=production.reindex(index).to_numpy(dtype=np.float64),
    )


def targets_of(economy: Economy, index: pd.DataFrame, *, year: int) -> Targets:
    """Totals of another year from a table and what changed since.

    Args:
        economy: the table to age.
        index: [R, quantity] ratios as `vintage_observed.indices` gives them.
        year: of the targets.
    """
    base = same_totals(economy)
    index = index.loc[list(economy.regions)]
    value_added = base.value_added * index["gdp"].to_numpy()
    output = {sector: index[list(names)].prod(axis=1, skipna=False) for sector, names in OUTPUT_FOLLOWS.items()}
    emitted = {sector: index[name] for sector, name in EMISSIONS_FOLLOW.items()}
    cleaner = (1.0 + Scenario(name="defaults").firms.intensity_trend) ** (year - economy.year)
    emitted |= {sector: index[name] * cleaner for sector, name in BY_TONNES.items()}
    return Targets(
        year=year,
        value_added=value_added,
        final_demand=proportional_demand(economy, value_added),
        output=positive(followed(economy, economy.output, output)),
        emissions=base.emissions * index["co2"].to_numpy(),
        cell_emissions=followed(economy, economy.emissions, emitted),
    )


def followed(economy: Economy, values: Array, index: dict[str, pd.Series]) -> Array:
    """[C] values times the index of their sector and region, NaN for sectors without one."""
    factors = np.full((len(economy.regions), len(economy.sectors)), np.nan)
    for place, sector in enumerate(economy.sectors):
        if sector in index:
            factors[:, place] = index[sector].to_numpy()
    return np.asarray(values * factors.reshape(-1))


def positive(values: Array) -> Array:
    """NaN instead of zero: a cell that makes nothing has no target."""
    return np.where(values > 0, values, np.nan)


def build_vintage(raw: Path) -> tuple[Frames, Facts]:
    """The tables of `goods_2026/`, `world_2026/` and `vintage/`, and the figures of their method text."""
    grouping = read_grouping(raw)
    observed = everything(raw, grouping)
    base = base_table(raw, grouping, year=BASE_YEAR)
    goods = split(base, raw=raw)
    index = indices(observed, base=BASE_YEAR, year=TARGET_YEAR)
    aged = age(goods, targets_of(goods, index, year=TARGET_YEAR))
    before = base_table(raw, grouping, year=TEST_YEAR)
    measured = errors(aged=parents(aged_early(raw, grouping, observed)), before=before, truth=base)
    frames = {
        **tables(aged, f"goods-{TARGET_YEAR}"),
        **tables(parents(aged), f"world-{TARGET_YEAR}"),
        "vintage-indices": long_indices(index, indices(observed, base=BASE_YEAR, year=LAST_YEAR)),
        "ageing-error": measured,
    }
    return frames, facts_of(base, aged, measured)


def everything(raw: Path, grouping: Grouping) -> dict[str, pd.DataFrame]:
    """What is observed by region and year, with the tonnes of goods in the years that are compared."""
    years = sorted({TEST_YEAR, BASE_YEAR, LAST_YEAR - TREND_YEARS, LAST_YEAR})
    parts = {year: quantities(raw, year) for year in years}
    regions = list(grouping.regions["region"])
    tonnes = {
        name: pd.DataFrame({year: parts[year][good] for year in years}).T.reindex(columns=regions)
        for good, name in TONNES.items()
    }
    return {**observe(raw, grouping), **tonnes}


def aged_early(raw: Path, grouping: Grouping, observed: dict[str, pd.DataFrame]) -> Economy:
    """The table of 2000, split and aged to 2011 by the same recipe; the table of 2011 is not read."""
    before = split(base_table(raw, grouping, year=TEST_YEAR), raw=raw, money_year=BASE_YEAR)
    return age(before, targets_of(before, indices(observed, base=TEST_YEAR, year=BASE_YEAR), year=BASE_YEAR))


def long_indices(index: pd.DataFrame, observed: pd.DataFrame) -> pd.DataFrame:
    """One row for each quantity and region: unit, ratio to the last observed year and to the target year."""
    rows = [
        (quantity, region, unit, observed.loc[region, quantity], index.loc[region, quantity])
        for quantity, unit in UNITS.items()
        for region in index.index
    ]
    columns = ["quantity", "region", "unit", "observed_ratio", "target_ratio"]
    return pd.DataFrame(rows, columns=columns).round({"observed_ratio": 4, "target_ratio": 4})


def facts_of(base: Economy, aged: Economy, measured: pd.DataFrame) -> Facts:
    """Figures for the method text."""
    figures = figures_of_money()
    deflated = figures["us_deflator", BASE_YEAR] / figures["us_deflator", LAST_YEAR]
    found = measured.pivot_table(index="quantity", columns="method", values="error_percent")
    return {
        "vintage_growth": float(aged.value_added.sum() / base.value_added.sum()),
        "vintage_co2": float(aged.emissions.sum()),
        "vintage_money": money(base=BASE_YEAR, year=LAST_YEAR),
        "vintage_money_us": deflated,
        **{
            f"{word}_{name}": float(found[method][row]) for name, row in NAMED.items() for word, method in WORDS.items()
        },
    }
