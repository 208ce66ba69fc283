"""What a test against history needs: early world tables, observed drivers, and what happened in trade and emissions.

Axes: C cell (region, sector), region-major; R region.  Money million USD of the year, mass Mt CO2.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_economy import (
    CO2_ACCOUNTS,
    CO2_COUNTRIES,
    FINAL_LABELS,
    HOUSEHOLDS,
    LABELS,
    Facts,
    Frames,
    Grouping,
    clip_negatives,
    mapped,
    read_csv,
    read_grouping,
    sum_groups,
)
from carbonray.data.economy_frames import economy_frames
from carbonray.data.errors import DataError
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

TABLE_YEARS = range(1995, 2012)
BASE_YEARS = (1995, 2004)
PATTERN_YEAR = 2000  # the first year with CO2 by sector
YEARS = range(1995, 2023)
TABLES = tuple(f"wiod/wiot2013_{year}.npz" for year in TABLE_YEARS)
OWID = "owid_co2/owid_co2_1990_2023.csv.gz"
EMBER = "grid/ember_yearly_intensity.csv.gz"
CEMENT = "production/cement_kt_usgs_1990_2016.csv.gz"
CEMENT_LATER = "production/cement_kt_usgs_2013_2017.csv"
METALS = "production/aluminium_bauxite_ironore_1970_2015.csv.gz"
COMPLIANCE = "euets/eutl_compliance_2005_2022.parquet"
RAW_FILES = (*(f for f in TABLES if "2011" not in f), OWID, EMBER, CEMENT, CEMENT_LATER, METALS)
"""Beside those of the economy of 2011 and of the installations."""

ISO = {"ROM": "ROU"}  # WIOD's code of Romania
ENTITIES = {"EU27": "EU26", "KOR": "KTW", "TWN": "KTW", "BRA": "BMX", "MEX": "BMX", "CAN": "CAU", "AUS": "CAU"}
"""Declared GDP by model region; every other entity is a region of its own."""
EU_COUNTRIES = {
    "Austria", "Belgium", "Bulgaria", "Cyprus", "Czech Republic", "Czechia", "Germany", "Denmark", "Spain", "Estonia",
    "Finland", "France", "Greece", "Hungary", "Ireland", "Italy", "Lithuania", "Luxembourg", "Latvia", "Malta",
    "Netherlands", "Poland", "Portugal", "Romania", "Slovak Republic", "Slovakia", "Slovenia", "Sweden",
}  # fmt: skip
"""Names of the 26 countries in tables that have no codes."""
REGISTRIES = (
    "AT", "BE", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL",
    "PL", "PT", "SE", "SI", "SK",
)  # fmt: skip
"""Registries that report in every year from 2005: the EU-27 without Bulgaria, Romania and Croatia."""
SCOPE_BREAKS = (2008, 2013)  # second and third trading phase: activities and plants were added


def build_history(raw: Path) -> tuple[Frames, Facts]:
    """The tables of `history/` and `history_YEAR/`, and the figures of their method text."""
    grouping = read_grouping(raw)
    owid = read_owid(raw)
    tables = {year: _table(raw, grouping, year) for year in TABLE_YEARS}
    regions = build_regions(raw, grouping, owid, tables)
    frames: Frames = {
        "history-eu-use": pd.concat(
            [_eu_use(grouping, year, *tables[year]) for year in TABLE_YEARS], ignore_index=True
        ),
        "history-regions": regions,
        "history-embodied": build_embodied(grouping, owid),
        "history-ets": build_ets(raw),
        "history-production": build_production(raw),
        "history-money": declared("history_money").rename(columns={"quantity": "name"}),
    }
    facts: Facts = {}
    for year in BASE_YEARS:
        made, clipped = _world(grouping, year, tables[year], _emissions(raw, grouping, owid, year))
        frames |= made
        facts[f"history_{year}_clipped_busd"] = clipped
    return frames, facts


def declared(name: str) -> pd.DataFrame:
    """A table declared by hand, with the source and tag of each figure."""
    return pd.read_csv(str(files("carbonray.data") / "declared" / f"{name}.csv"))


def read_owid(raw: Path) -> pd.DataFrame:
    """Our World in Data's CO2 table; `NA` is Namibia."""
    return pd.read_csv(raw / OWID, keep_default_na=False, na_values=[""])


def _table(raw: Path, grouping: Grouping, year: int) -> tuple[Array, Array]:
    """Intermediate use [C, C] and final demand [C, R] of a year, inventories netted, negatives as they are."""
    regions, sectors = list(grouping.regions["region"]), list(grouping.sectors["sector"])
    labels, final_labels = read_csv(raw, LABELS), read_csv(raw, FINAL_LABELS)
    row_region = pd.Index(regions).get_indexer(mapped(labels["country"], grouping.region_of, LABELS))
    sector_of = grouping.sector_of("wiod_industries")
    row_sector = pd.Index(sectors).get_indexer(mapped(labels["industry"], sector_of, LABELS))
    column_region = pd.Index(regions).get_indexer(mapped(final_labels["country"], grouping.region_of, FINAL_LABELS))
    cell = row_region * len(sectors) + row_sector
    with np.load(raw / f"wiod/wiot2013_{year}.npz") as table:
        transactions, final_demand = table["Z"].astype(np.float64), table["F"].astype(np.float64)
    return sum_groups(transactions, cell, cell), sum_groups(final_demand, cell, column_region)


def _emissions(raw: Path, grouping: Grouping, owid: pd.DataFrame, year: int) -> Array:
    """[C] Mt CO2: the accounts' figures; before them, those of 2000 scaled by the region's territorial CO2."""
    accounts = read_csv(raw, CO2_ACCOUNTS)
    accounts = accounts[accounts["year"] == max(year, PATTERN_YEAR)].reset_index(drop=True)
    region = mapped(accounts["country"].replace(CO2_COUNTRIES), grouping.region_of, CO2_ACCOUNTS)
    sector = mapped(accounts["sector"], {**grouping.sector_of("nace2_codes"), HOUSEHOLDS: HOUSEHOLDS}, CO2_ACCOUNTS)
    total = accounts["kt_co2"].groupby([region.rename("region"), sector.rename("sector")]).sum() / 1000.0
    index = pd.MultiIndex.from_product([grouping.regions["region"], grouping.sectors["sector"]])
    found = total.reindex(index).to_numpy(dtype=np.float64).reshape(len(grouping.regions), -1)
    if year < PATTERN_YEAR:
        co2 = by_region(grouping, owid, "co2")
        found = found * (co2.loc[year] / co2.loc[PATTERN_YEAR]).to_numpy()[:, None]
    return np.asarray(found.reshape(-1))


def _world(grouping: Grouping, year: int, table: tuple[Array, Array], emissions: Array) -> tuple[Frames, float]:
    """The three tables of an economy, and the negatives cut off, billion USD."""
    transactions, _, clipped_z = clip_negatives(table[0])
    final_demand, _, clipped_f = clip_negatives(table[1])
    economy = Economy(
        regions=tuple(grouping.regions["region"]),
        sectors=tuple(grouping.sectors["sector"]),
        year=year,
        transactions=transactions,
        final_demand=final_demand,
        emissions=emissions,
    )
    return economy_frames(economy, f"history-{year}-"), (clipped_z + clipped_f) / 1000.0


def _eu_use(grouping: Grouping, year: int, transactions: Array, final_demand: Array) -> pd.DataFrame:
    """Purchases of EU26 and GBR by origin and good, all buyers together, million USD of the year."""
    regions, sectors = list(grouping.regions["region"]), list(grouping.sectors["sector"])
    buys = np.isin(regions, ["EU26", "GBR"])
    bought = transactions[:, np.repeat(buys, len(sectors))].sum(1) + final_demand[:, buys].sum(1)
    index = pd.MultiIndex.from_product([[year], regions, sectors], names=["year", "origin", "sector"])
    return pd.DataFrame({"musd": np.maximum(bought, 0.0)}, index=index).reset_index()


def by_region(grouping: Grouping, owid: pd.DataFrame, column: str) -> pd.DataFrame:
    """[year, R] sums of a country column; ROW is the world less the others."""
    region_of = {ISO.get(country, country): region for country, region in grouping.region_of.items()}
    countries = owid[owid["iso_code"].isin([c for c, r in region_of.items() if r != "ROW"])]
    found = countries.assign(region=countries["iso_code"].map(region_of)).pivot_table(
        index="year", columns="region", values=column, aggfunc="sum", min_count=1
    )
    world = owid[owid["country"] == "World"].set_index("year")[column]
    found["ROW"] = world - found.sum(axis=1)
    return found.reindex(index=list(YEARS), columns=list(grouping.regions["region"]))


def build_regions(
    raw: Path, grouping: Grouping, owid: pd.DataFrame, tables: dict[int, tuple[Array, Array]]
) -> pd.DataFrame:
    """Observed drivers by region and year: GDP in USD of the year and in constant prices, CO2, CO2 of power."""
    regions = list(grouping.regions["region"])
    value_added = pd.DataFrame(
        {year: (z.sum(1) + f.sum(1) - z.sum(0)).reshape(len(regions), -1).sum(1) for year, (z, f) in tables.items()},
        index=regions,
    ).T
    parts = {
        "gdp_musd": gdp(value_added),
        "real_gdp_musd": by_region(grouping, owid, "gdp") / 1e6,
        "mt_co2": by_region(grouping, owid, "co2"),
        "power_mt_co2": by_region(grouping, _power(raw), "mt"),
    }
    parts["real_gdp_musd"]["ROW"] = _other_real_gdp(grouping, owid)
    index = pd.MultiIndex.from_product([list(YEARS), regions], names=["year", "region"])
    columns = {
        name: part.reindex(index=list(YEARS), columns=regions).to_numpy(dtype=float).reshape(-1)
        for name, part in parts.items()
    }
    return pd.DataFrame(columns, index=index).reset_index()


def _other_real_gdp(grouping: Grouping, owid: pd.DataFrame) -> pd.Series:
    """[year] GDP in constant prices, million, of the countries outside the regions that have a figure every year."""
    inside = {ISO.get(country, country) for country, region in grouping.region_of.items() if region != "ROW"}
    coded = owid["iso_code"].notna() & ~owid["iso_code"].isin(inside) & owid["year"].isin(list(YEARS))
    table = owid[coded].pivot_table(index="year", columns="iso_code", values="gdp")
    return table.dropna(axis=1).sum(axis=1) / 1e6


def gdp(value_added: pd.DataFrame) -> pd.DataFrame:
    """[year, R] value added of the tables, carried on from 2011 with the declared GDP of the entities."""
    table = declared("history_gdp").pivot_table(index="year", columns="entity", values="value")
    table["ROW"] = table["World"] - table.drop(columns="World").sum(axis=1)
    table = table.drop(columns="World").T
    declared_gdp = table.groupby(table.index.map(lambda entity: ENTITIES.get(entity, entity))).sum().T
    last = TABLE_YEARS[-1]
    missing = set(value_added.columns) - set(declared_gdp.columns)
    if missing:
        raise DataError(f"declared/history_gdp.csv: {sorted(missing)[0]} is missing; every region needs a GDP")
    known = declared_gdp[list(value_added.columns)]
    growth = known[known.index > last] / known.loc[last]
    return pd.DataFrame(pd.concat([value_added, growth * value_added.loc[last]]), dtype=float)


def _power(raw: Path) -> pd.DataFrame:
    """CO2 of power by country, in the columns of the OWID table: demand times intensity of generation."""
    table = pd.read_csv(raw / EMBER, keep_default_na=False, na_values=[""])
    mt = table["demand_twh"] * table["emissions_intensity_gco2_per_kwh"] / 1000.0
    return pd.DataFrame(
        {"country": table["country_or_region"], "iso_code": table["country_code"], "year": table["year"], "mt": mt}
    )


def build_embodied(grouping: Grouping, owid: pd.DataFrame) -> pd.DataFrame:
    """Net CO2 embodied in imports, and CO2 of production, of the EU26 and of EU26 with the United Kingdom."""
    trade = by_region(grouping, owid, "trade_co2")
    made = by_region(grouping, owid, "co2")
    areas = {"EU26": ["EU26"], "EU26+GBR": ["EU26", "GBR"]}
    parts = [
        pd.DataFrame(
            {
                "area": area,
                "year": list(YEARS),
                "net_import_mt": trade[names].sum(axis=1).to_numpy(),
                "production_mt": made[names].sum(axis=1).to_numpy(),
            }
        )
        for area, names in areas.items()
    ]
    return pd.concat(parts, ignore_index=True)


def build_ets(raw: Path) -> pd.DataFrame:
    """Verified emissions and free allocation by sector, registries that report throughout; also free of scope breaks.

    In a year of a break, accounts without emissions the year before are new to the system: their share of that year
    is taken off it and off every later year.
    """
    columns = ["id", "registry", "year", "verified_emissions", "free_allocation", "model_sector"]
    table = pd.read_parquet(raw / COMPLIANCE, columns=columns)
    table = table[table["registry"].isin(REGISTRIES)]
    sums = table.groupby(["model_sector", "year"])[["verified_emissions", "free_allocation"]].sum() / 1e6
    result = sums.reset_index().set_axis(["sector", "year", "verified_mt", "free_mt"], axis=1)
    linked = result["verified_mt"].to_numpy(dtype=float).copy()
    for year in SCOPE_BREAKS:
        emitted = table["verified_emissions"] > 0
        before = set(table.loc[emitted & (table["year"] == year - 1), "id"])
        now = table[table["year"] == year]
        total = now.groupby("model_sector")["verified_emissions"].sum()
        known = now[now["id"].isin(before)].groupby("model_sector")["verified_emissions"].sum()
        kept = (known / total).reindex(result["sector"]).to_numpy(dtype=float)
        linked = np.where((result["year"] >= year) & np.isfinite(kept), linked * kept, linked)
    return result.assign(linked_mt=linked)


def build_production(raw: Path) -> pd.DataFrame:
    """Cement and primary aluminium made in the EU26, kt."""
    early, late = read_csv(raw, CEMENT)[["country", "year", "cement_kt"]], read_csv(raw, CEMENT_LATER)
    late = late[late["year"] == late["year"].max()].rename(columns={"kt": "cement_kt"})
    cement = pd.concat([early, late], ignore_index=True).rename(columns={"cement_kt": "kt"}).assign(good="cement")
    metals = read_csv(raw, METALS)[["country", "year", "aluminium"]].rename(columns={"aluminium": "kt"})
    table = pd.concat([cement, metals.assign(good="aluminium")], ignore_index=True)
    table["kt"] = pd.to_numeric(table["kt"])
    table = table[table["country"].isin(EU_COUNTRIES) & table["year"].isin(list(YEARS))]
    return pd.DataFrame(table.groupby(["good", "year"])[["kt"]].sum().reset_index())
