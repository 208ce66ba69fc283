"""What is known of the years between two vintages of the world table, by region: growth, prices, CO2, tonnes, power.

Axes: R region.  Every quantity is a frame [year, R]; only its ratio between two years is used.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from carbonray.config import Scenario
from carbonray.data.build_economy import Grouping
from carbonray.data.build_history import (
    EMBER,
    ENTITIES,
    EU_COUNTRIES,
    ISO,
    declared,
    read_owid,
)
from carbonray.data.errors import DataError
from carbonray.units import USD_2011_PER_EURO_2026

GCB = "gcb/gcb2025_territorial_mtco2_1990_2024.csv.gz"
STEEL = "production/crude_steel_kt_2000_2024.csv.gz"
RAW_FILES = (GCB, STEEL)
"""Beside those of the history."""

LAST_YEAR = 2024  # of every source but constant-price GDP
LAST_REAL_YEAR = 2022
MONEY_YEAR = 2011  # of the library
TREND_YEARS = 10  # over which a quantity's own trend is taken
REST = "ROW"
NAMES = {
    **dict.fromkeys(EU_COUNTRIES, "EU26"),
    "United Kingdom": "GBR", "United States": "USA", "China": "CHN", "India": "IND", "Russia": "RUS", "Japan": "JPN",
    "Türkiye": "TUR", "Turkey": "TUR", "South Korea": "KTW", "Taiwan, China": "KTW", "Brazil": "BMX", "Mexico": "BMX",
    "Canada": "CAU", "Australia": "CAU",
}  # fmt: skip
"""Regions of countries in tables without codes; all others are the rest of the world."""
UNITS = {
    "gdp": "GDP in current USD, in money of the base year",
    "price_level": "GDP in money of the base year over GDP at constant purchasing power parities",
    "co2": "Mt CO2, territorial",
    "power": "TWh used",
    "power_co2": "Mt CO2e of power",
    "calcination": "Mt CO2 of clinker",
    "steel": "t crude steel",
    "aluminium": "t unwrought metal, primary and recycled",
    "cement": "t cement",
    "fertiliser": "t ammonia in nitrogen products and sold hydrogen",
}
"""Every quantity and what it is measured in."""


def observe(raw: Path, grouping: Grouping) -> dict[str, pd.DataFrame]:
    """Every quantity of `UNITS` by year and region to its last observed year, but for goods in tonnes.

    Raises:
        DataError: a raw table has no figure for a region.
    """
    carbon = read(raw, GCB).rename(columns={"ISO 3166-1 alpha-3": "iso_code", "Year": "year", "Country": "country"})
    power = read(raw, EMBER).rename(columns={"country_code": "iso_code", "country_or_region": "country"})
    power["power_co2"] = power["demand_twh"] * power["emissions_intensity_gco2_per_kwh"] / 1000.0
    gdp = nominal_gdp(grouping)
    observed = {
        "gdp": gdp,
        "price_level": gdp / real_gdp(read_owid(raw), grouping).reindex(gdp.index),
        "co2": by_code(carbon, "Total", grouping, world="Global"),
        "power": by_code(power, "demand_twh", grouping),
        "power_co2": by_code(power, "power_co2", grouping),
        "calcination": by_code(carbon, "Cement", grouping, world="Global"),
    }
    return {name: frame.reindex(columns=list(grouping.regions["region"])) for name, frame in observed.items()}


def indices(observed: dict[str, pd.DataFrame], *, base: int, year: int) -> pd.DataFrame:
    """[R, quantity] value in `year` over that in `base`; NaN where a region has nothing to compare.

    To the last observed year as observed.  Beyond it GDP grows by the scenarios' defaults, everything else by its own
    trend of the last ten observed years, and price levels stay.
    """
    last = min(year, LAST_YEAR)
    result = pd.DataFrame({name: change(frame, base, last) for name, frame in observed.items()})
    result[["gdp", "price_level"]] *= money(base=base, year=last)
    ahead = year - last
    result["gdp"] *= default_growth(list(result.index)) ** ahead
    for name in (name for name in observed if ahead and name not in ("gdp", "price_level")):
        result[name] *= change(observed[name], last - TREND_YEARS, last).fillna(1.0) ** (ahead / TREND_YEARS)
    return result


def change(frame: pd.DataFrame, first: int, last: int) -> pd.Series:
    """[R] value in `last` over that in `first`; NaN unless both are above zero."""
    old, new = frame.loc[[first, last]].to_numpy(dtype=float)
    both = (old > 0) & (new > 0)
    return pd.Series(np.divide(new, old, out=np.full(old.size, np.nan), where=both), index=frame.columns)


def money(*, base: int, year: int) -> float:
    """USD of the base year that count for one current USD of `year`.

    To 2011, and from there, by the deflator of the United States; beyond 2011 by the library's convention that a euro
    of 2026 is a dollar of 2011, so that a price in EUR / t means the same in a table of any vintage.
    """
    figures = figures_of_money()
    if year <= MONEY_YEAR:
        return figures["us_deflator", base] / figures["us_deflator", year]
    to_2011 = USD_2011_PER_EURO_2026 * figures["euro_prices", 2026] / figures["usd_per_euro", year]
    return to_2011 * figures["us_deflator", base] / figures["us_deflator", MONEY_YEAR]


def figures_of_money() -> dict[tuple[str, int], float]:
    """Deflators and exchange rates declared by hand, by name and year."""
    table = pd.concat([declared("history_money"), declared("vintage_money")], ignore_index=True)
    keys = zip(table["quantity"], table["year"].astype(int), strict=True)
    return dict(zip(keys, table["value"].astype(float), strict=True))


def default_growth(regions: list[str]) -> pd.Series:
    """[R] growth factor a year of the scenarios' defaults."""
    return 1.0 + pd.Series(Scenario(name="defaults").growth).reindex(regions, fill_value=0.0)


def read(raw: Path, file: str) -> pd.DataFrame:
    """A raw table; `NA` is Namibia, only empty fields are missing."""
    return pd.read_csv(raw / file, keep_default_na=False, na_values=[""])


def by_code(frame: pd.DataFrame, column: str, grouping: Grouping, *, world: str = "World") -> pd.DataFrame:
    """[year, R] sums over countries by ISO code; the rest is the world's row less the others."""
    region_of = {ISO.get(code, code): region for code, region in grouping.region_of.items() if region != REST}
    rows = frame[frame["iso_code"].isin(list(region_of))]
    found = rows.assign(region=rows["iso_code"].map(region_of)).pivot_table(
        index="year", columns="region", values=column, aggfunc="sum", min_count=1
    )
    missing = set(region_of.values()) - set(found.columns)
    if missing:
        raise DataError(f"{column}: {sorted(missing)[0]} is missing; every region needs a figure")
    return found.assign(**{REST: frame[frame["country"] == world].set_index("year")[column] - found.sum(axis=1)})


def by_name(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """[year, R] sums over countries by name; the rest is what else is listed, or the world's row less the others."""
    countries = frame[~frame["country"].isin(["World", "Others"])]
    region = countries["country"].map(NAMES).fillna(REST)
    found = countries.assign(region=region).pivot_table(
        index="year", columns="region", values=column, aggfunc="sum", min_count=1
    )
    world = frame[frame["country"] == "World"].set_index("year")[column].reindex(found.index)
    rest = world - found.drop(columns=REST).sum(axis=1)
    return found.assign(**{REST: rest.fillna(found[REST])})


def with_declared(found: pd.DataFrame, good: str) -> pd.DataFrame:
    """Add the years declared by hand; the rest is the declared world less the declared regions."""
    table = declared("vintage_production")
    years = table[table["good"] == good].pivot_table(index="year", columns="region", values="value")
    years[REST] = years["World"] - years.drop(columns="World").sum(axis=1)
    years = years.drop(columns="World").reindex(columns=found.columns)
    return years if found.empty else pd.concat([found, years])


def nominal_gdp(grouping: Grouping) -> pd.DataFrame:
    """[year, R] GDP at current USD, trillion, as declared; the rest is the world less the others."""
    table = pd.concat([declared("history_gdp"), declared("vintage_gdp")], ignore_index=True)
    entities = table.pivot_table(index="year", columns="entity", values="value")
    entities[REST] = entities["World"] - entities.drop(columns="World").sum(axis=1)
    entities = entities.drop(columns="World").rename(columns=ENTITIES).T
    found = entities.groupby(level=0).sum(min_count=1).T
    missing = set(grouping.regions["region"]) - set(found.columns)
    if missing:
        raise DataError(f"declared/vintage_gdp.csv: {sorted(missing)[0]} is missing; every region needs a GDP")
    return found


def real_gdp(owid: pd.DataFrame, grouping: Grouping) -> pd.DataFrame:
    """[year, R] GDP at constant prices and purchasing power parities, carried on by the scenarios' growth."""
    countries = owid[owid["iso_code"].notna()]
    world = countries.groupby("year", as_index=False)["gdp"].sum().assign(country="World", iso_code="")
    found = by_code(pd.concat([countries, world], ignore_index=True), "gdp", grouping)
    found = found[found.index <= LAST_REAL_YEAR]
    growth = default_growth(list(found.columns))
    for year in range(LAST_REAL_YEAR + 1, LAST_YEAR + 1):
        found.loc[year] = found.loc[year - 1] * growth
    return found
