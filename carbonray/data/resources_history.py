"""The built-in tables of the backtest: early world tables, observed drivers, and what happened.

Imported by `resources`, so it takes from there what it needs as arguments.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from carbonray.data.schema import Column, Resource, Source
from carbonray.data.sources import CC_BY, CC_BY_PATH, EUTL, JRC, OWID, WIOD, WORLD_BANK

text = partial(Column, kind="text")
year = Column(name="year", kind="integer", unit="calendar year", description="year", minimum=0.0)
amount = partial(Column, kind="number", minimum=0.0)
figure = partial(Column, kind="number")

EMBER = Source(
    title="Yearly electricity data, release of May 2025",
    publisher="Ember",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://ember-energy.org/data/yearly-electricity-data/",
)
USGS = Source(
    title="Minerals Yearbook: cement; and, through Clio Infra, primary aluminium",
    publisher="United States Geological Survey",
    licence="public domain",
    licence_path="https://www.usgs.gov/information-policies-and-instructions/copyrights-and-credits",
)
CITED = Source(
    title="Single yearly figures declared by hand: BEA implicit price deflator of GDP, ECB reference rates",
    publisher="Bureau of Economic Analysis; European Central Bank",
    licence="cited figures; free reuse with acknowledgement",
    licence_path="https://www.ecb.europa.eu/services/disclaimer/html/index.en.html",
)
MUSD_YEAR = "million USD of the year"

EARLY = {
    1995: "CO2 by sector is that of the accounts of 2000 times the region's territorial CO2 of 1995 over 2000 (there "
    "are no accounts before 2000)",
    2004: "CO2 of 56 NACE 2 industries of 2004 is summed to the 12 sectors",
}


def early_world(base: int, resources: Sequence[Resource]) -> tuple[Resource, ...]:
    """The tables of a world of an earlier year, in the columns of the built-in world of 2011."""
    method = (
        f"As the table of 2011, from the WIOD table of {base}: inventories netted into final demand, then negatives "
        f"set to zero ({{history_{base}_clipped_busd:.3f}} billion USD), output is the row sum; {EARLY[base]}."
    )
    return tuple(
        replace(
            resource,
            name=resource.name.replace("world-2011", f"history-{base}"),
            path=resource.path.replace("world_2011", f"history_{base}"),
            title=resource.title.replace("2011", str(base)),
            year=str(base),
            method=method,
            sources=(WIOD, JRC, OWID) if base < 2000 else (WIOD, JRC),
        )
        for resource in resources
    )


EU_USE = Resource(
    name="history-eu-use",
    path="history/eu_use.parquet",
    title="What the EU-26 and the United Kingdom buy, by origin and good, 1995-2011",
    year="1995-2011",
    method="WIOD tables of each year summed to 12 x 12; intermediate and final purchases of EU26 and GBR together, at "
    "basic prices in USD of the year: prices and exchange rates move them.",
    columns=(
        year,
        text(name="origin", description="supplying region"),
        text(name="sector", description="good"),
        amount(name="musd", unit=MUSD_YEAR, description="purchases"),
    ),
    key=("year", "origin", "sector"),
    sources=(WIOD,),
)
HISTORY_REGIONS = Resource(
    name="history-regions",
    path="history/regions.parquet",
    title="What drove the world by region, 1995-2022: GDP, CO2, CO2 of power",
    year="1995-2022",
    method="GDP in USD of the year: value added of the WIOD tables to 2011, carried on with the growth of GDP at "
    "current USD declared in carbonray/data/declared/history_gdp.csv (read from World Bank figures or recalled, each "
    "row tagged). GDP in constant prices and territorial CO2: sums of countries. CO2 of power: demand times intensity "
    "of generation, life-cycle factors. ROW is the world less the eleven regions, bunkers included.",
    columns=(
        year,
        text(name="region", description="region"),
        amount(name="gdp_musd", unit=MUSD_YEAR, description="GDP at current prices and exchange rates"),
        amount(
            name="real_gdp_musd",
            unit="million international USD of 2011",
            description="GDP at constant prices; ROW: the countries outside the regions with a figure every year",
        ),
        amount(name="mt_co2", unit="Mt CO2 / year", description="territorial fossil CO2"),
        amount(
            name="power_mt_co2", unit="Mt CO2e / year", description="CO2 of power; empty before 2000", required=False
        ),
    ),
    key=("year", "region"),
    sources=(WIOD, OWID, EMBER, WORLD_BANK),
)
EMBODIED = Resource(
    name="history-embodied",
    path="history/embodied.parquet",
    title="Net CO2 embodied in imports of the EU, 1995-2022",
    year="1995-2022",
    method="Consumption-based less territorial CO2, sums of the 26 countries, and of these with the United Kingdom.",
    columns=(
        text(name="area", description="EU26, or EU26+GBR"),
        year,
        figure(name="net_import_mt", unit="Mt CO2 / year", description="CO2 of imports less CO2 of exports"),
        amount(name="production_mt", unit="Mt CO2 / year", description="territorial fossil CO2"),
    ),
    key=("area", "year"),
    sources=(OWID,),
)
ETS = Resource(
    name="history-ets",
    path="history/ets.parquet",
    title="EU ETS emissions and free allocation by sector, 2005-2022, registries that report throughout",
    year="2005-2022",
    method="Sums over installations of 24 registries: the EU-27 without Bulgaria, Romania and Croatia, which joined "
    "later. linked_mt is free of the changes of scope of 2008 and 2013: accounts without emissions the year before "
    "count as new to the system, and their share of that year is taken off it and every later year; plants that were "
    "truly built in those two years are taken off too.",
    columns=(
        text(name="sector", description="sector, from the activity of the account"),
        year,
        amount(name="verified_mt", unit="Mt CO2e / year", description="verified emissions"),
        amount(name="free_mt", unit="Mt CO2e / year", description="free allocation"),
        amount(name="linked_mt", unit="Mt CO2e / year", description="verified emissions without breaks of scope"),
    ),
    key=("sector", "year"),
    sources=(EUTL,),
)
PRODUCTION = Resource(
    name="history-production",
    path="history/production.parquet",
    title="Cement and primary aluminium made in the EU-26, 1995-2017",
    year="1995-2017",
    method="Sums of the countries: cement to 2017, primary aluminium to 2015.",
    columns=(
        text(name="good", description="cement or aluminium"),
        year,
        amount(name="kt", unit="kt / year", description="production"),
    ),
    key=("good", "year"),
    sources=(USGS,),
)
MONEY = Resource(
    name="history-money",
    path="history/money.parquet",
    title="Price level of the United States and the euro's exchange rate, 1995-2022",
    year="1995-2022",
    method="Declared by hand in carbonray/data/declared/history_money.csv, each row with source and tag; the deflator "
    "agrees within 1.2 % with GDP at current over GDP at constant prices.",
    columns=(
        text(name="name", description="us_deflator or usd_per_euro"),
        year,
        amount(name="value", unit="see the column unit", description="figure"),
        text(name="unit", description="unit"),
        text(name="source", description="publisher"),
        text(name="tag", description="read, recall or assumption"),
    ),
    key=("name", "year"),
    sources=(CITED,),
)


def history_resources(world: Sequence[Resource]) -> tuple[Resource, ...]:
    """Every table of the backtest.

    Args:
        world: transactions, final demand and cells of the built-in world of 2011.
    """
    tables = [table for base in EARLY for table in early_world(base, world)]
    return (*tables, EU_USE, HISTORY_REGIONS, EMBODIED, ETS, PRODUCTION, MONEY)
