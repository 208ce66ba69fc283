"""The built-in tables of the aged economy: what was known of the years between, the table itself, and its error.

Imported by `resources`, so it takes from there what it needs as arguments.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from carbonray.data.resources_history import EMBER, USGS
from carbonray.data.schema import Column, Resource, Source
from carbonray.data.sources import CC_BY, CC_BY_PATH, JRC, OWID, WIOD

text = partial(Column, kind="text")
amount = partial(Column, kind="number", minimum=0.0)

GCB = Source(
    title="Global Carbon Budget 2025, fossil CO2 by country and fuel",
    publisher="Global Carbon Project",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://globalcarbonbudget.org/",
)
STEEL = Source(
    title="Crude steel production by country; only ratios of regional sums between single years are used",
    publisher="World Steel Association",
    licence="cited figures with acknowledgement; the series is not shipped",
    licence_path="https://worldsteel.org/data/",
    path="https://worldsteel.org/data/",
)
GDP = Source(
    title="GDP at current USD (NY.GDP.MKTP.CD); Taiwan: International Monetary Fund",
    publisher="World Bank",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://data.worldbank.org/indicator/NY.GDP.MKTP.CD",
)
OBSERVED = (GDP, OWID, GCB, EMBER, STEEL, USGS)

LIMITS = (
    "What ageing can know: how large each region has become, how many tonnes and kWh it makes and what it emits, and "
    "which mix of inputs and origins is nearest to the old one under these totals. What it cannot know: new products, "
    "new technology within a sector, who trades with whom since (sanctions, new suppliers), changed trade balances, "
    "and prices of goods, which stay at their unit values. The table of 2000 aged to 2011 in the same way "
    "(ageing-error) is {ageing_output:.0f} % off the true one in output by cell, {ageing_trade:.0f} % in single flows "
    "between regions and {ageing_co2:.0f} % in CO2 by cell, against {naive_output:.0f}, {naive_trade:.0f} and "
    "{naive_co2:.0f} % for the table of 2000 grown with the world; in purchases of metals by the EU "
    "({ageing_metals:.0f} against {naive_metals:.0f} %) and its net imports of embodied CO2 ({ageing_carbon:.0f} "
    "against {naive_carbon:.0f} %) it is worse than that. Use it for levels and shares of regions and sectors, and "
    "mistrust single bilateral flows. That test has all totals observed; the steps from 2024 to 2026 are projections "
    "on top."
)
AGEING = (
    "The table of 2011 with 16 sectors (goods-2011), bordered by value added, is scaled by rows and columns (RAS) "
    "until these totals are met; the 12-sector table is its sum. Value added by region moves with GDP at current USD "
    "of 2024 over 2011: trade happens at those exchange rates, and constant-price GDP would hide that Japan's fell. "
    "One current USD of 2024 counts {vintage_money:.3f} USD of 2011, by the library's convention that a euro of 2026 "
    "is a dollar of 2011, so that a carbon price in EUR / t weighs as much as it does in Europe (the US deflator "
    "would give {vintage_money_us:.3f}). Final demand keeps its ratio to value added in each region, but for one "
    "world-wide factor, so that trade balances stay nearly the same share of GDP. Output of STL, ALU, CEM and FER "
    "moves with tonnes, at the unit values of 2011; of ELE with power used times the region's price level; all other "
    "sectors share the rest of value added as before. CO2 by region moves with territorial CO2, of ELE with Ember's "
    "demand times intensity, of cement with CO2 of calcination, of steel, aluminium and fertiliser with tonnes, less "
    "the scenarios' default trend of intensity (1 % a year); the other cells share the region's rest as they did. "
    "Households are left out throughout. From 2024 to 2026 GDP grows by the scenarios' defaults and everything else "
    "by its own trend of ten years."
)


def vintage_resources(world: Sequence[Resource], goods: Sequence[Resource]) -> tuple[Resource, ...]:
    """Every table of the aged economies.

    Args:
        world: transactions, final demand and cells of the built-in world of 2011.
        goods: all tables of the economy of 2011 with goods, of which those of an economy are aged.
    """
    tables = [resource for resource in (*world, *goods) if resource.name.endswith(TABLES)]
    return (*(aged(resource) for resource in tables), INDICES, AGEING_ERROR)


TABLES = ("-transactions", "-final-demand", "-cells", "-goods")


def aged(resource: Resource) -> Resource:
    """A table of 2026 in the columns of that of 2011."""
    return replace(
        resource,
        name=resource.name.replace("2011", "2026"),
        path=resource.path.replace("2011", "2026"),
        title=f"{resource.title.replace('2011', '2026')}: aged from 2011",
        year="2026",
        columns=tuple(
            replace(column, unit=column.unit.replace("the base year", "2011")) for column in resource.columns
        ),
        method=f"{GOODS if resource.name.endswith('-goods') else ''}{AGEING} {LIMITS}",
        sources=tuple(dict.fromkeys((*resource.sources, WIOD, JRC, *OBSERVED))),
    )


GOODS = "Unit values, benchmarks and default values are those of goods-2011, tonnes are aged output over unit value. "
INDICES = Resource(
    name="vintage-indices",
    path="vintage/indices.parquet",
    title="What moved between 2011 and 2026 by region: GDP, price level, CO2, power, and goods in tonnes",
    year="2011-2026",
    method=(
        "Ratios to 2011 of sums over a region's countries, rounded; ROW is the world less the eleven regions, bunkers "
        "included in its CO2. GDP at current USD, in money of 2011 ({vintage_money:.3f} for a USD of 2024); price "
        "level is GDP in this money over GDP at constant prices. Tonnes as the goods tables count them. Figures "
        "declared by hand stand in carbonray/data/declared/vintage_*.csv and goods_production.csv, each row tagged "
        "read, recall or assumption: recycled aluminium, hydrogen and most of ammonia are assumed or recalled. Empty "
        "where a region has nothing to compare."
    ),
    columns=(
        text(name="quantity", description="what is measured"),
        text(name="region", description="region"),
        text(name="unit", description="what the ratio is of"),
        amount(name="observed_ratio", unit="1", description="2024 over 2011", required=False),
        amount(name="target_ratio", unit="1", description="2026 over 2011", required=False),
    ),
    key=("quantity", "region"),
    sources=OBSERVED,
)
AGEING_ERROR = Resource(
    name="ageing-error",
    path="vintage/ageing_error.parquet",
    title="How wrong ageing is: the table of 2000 aged to 2011 against the true one",
    year="2000-2011",
    method=(
        "The WIOD table of 2000, in USD of 2011 by the US deflator, split into 16 sectors, aged by the recipe of "
        "goods-2026 with the totals of 2011 as other sources give them, and summed to 12 sectors; the table of 2011 "
        "is only compared with. error = sum of absolute differences over sum of true entries; for a single figure the "
        "difference over the true one. unchanged: the table of 2000; world growth: that table times the world's "
        "growth of GDP, and of CO2. Embodied CO2 by the Leontief inverse, households left out. Where the recipe fails "
        "and why: goods keep their unit values of 2000, while prices of metals rose much faster than others by 2011; "
        "trade balances did not stay, and a sector's share of a region's value added did not either. " + LIMITS
    ),
    columns=(
        text(name="quantity", description="what is compared, entry by entry"),
        text(name="method", description="aged, unchanged or world growth"),
        amount(name="error_percent", unit="%", description="weighted absolute percentage error"),
        Column(name="estimate", kind="number", unit="see the column unit", description="sum of the estimated entries"),
        Column(name="truth", kind="number", unit="see the column unit", description="sum of the true entries"),
        text(name="unit", description="unit of estimate and truth"),
    ),
    key=("quantity", "method"),
    sources=(WIOD, JRC, *OBSERVED),
)
