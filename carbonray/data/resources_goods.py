"""The built-in tables of the economy with goods in tonnes.

Imported by `resources`, so it takes from there what it needs as arguments.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from carbonray.data.resources_history import USGS
from carbonray.data.resources_vintage import STEEL
from carbonray.data.schema import Column, Resource, Source
from carbonray.data.sources import BENCHMARKS_LAW, CC_BY, CC_BY_PATH, DEFAULTS_LAW, JRC, WIOD

text = partial(Column, kind="text")
amount = partial(Column, kind="number", minimum=0.0)
figure = partial(Column, kind="number")

DECLARED = Source(
    title="Figures declared by hand in carbonray/data/declared/goods_*.csv, each with its source and tag",
    publisher="carbonray",
    licence="MIT, as the package",
    licence_path="https://opensource.org/license/mit",
)
COMEXT = Source(
    title="Comext DS-045409, chapter 72, EU27 by partner; only sums of 2011 are cited",
    publisher="Eurostat",
    licence=f"Commission reuse policy ({CC_BY})",
    licence_path=CC_BY_PATH,
    path="https://ec.europa.eu/eurostat/comext/newxtweb/",
)
T_PER_T = "t CO2e / t of good"
GOODS_COLUMNS = (
    text(name="region", description="where the good is made"),
    text(name="sector", description="STL crude steel; ALU unwrought aluminium; CEM cement; FER ammonia in products"),
    amount(name="tonnes", unit="t / year", description="production"),
    amount(name="unit_value_usd_t", unit="USD of the base year / t", description="output over tonnes, basic prices"),
    amount(name="benchmark_t_per_t", unit=T_PER_T, description="legal benchmark, mean over the region's routes"),
    amount(name="default_value_t_per_t", unit=T_PER_T, description="legal default value as charged, before mark-up"),
    amount(name="default_benchmark_t_per_t", unit=T_PER_T, description="legal benchmark of the default value's route"),
)
SPLIT = (
    "The 12 x 12 table with metals split into iron and steel, aluminium and other metals, minerals into cement and "
    "other, chemicals into fertiliser (with sold hydrogen) and other. Output of a good is tonnes times a declared "
    "unit value, the residual sector has the rest of its parent (goods at most 0.6 of it). Each flow of the parents "
    "is first divided by who buys what, by what each new sector needs and by what a region has to spare, all "
    "declared; power of aluminium, fuel of ammonia and hydrogen, ore and coal of steel are held at tonnes times "
    "requirement times price. The rest is then scaled by rows, columns, destinations and blocks (iterative "
    "proportional fitting) until output and inputs of every new cell, every region's use of each good and every flow "
    "of the parents hold. Value added is the parent's, shared by output and a declared ratio. CO2: cement, fertiliser "
    "and aluminium by tonnes and physical anchors, steel and other metals share the rest of the account of basic "
    "metals by anchors."
)
LIMITS = (
    "Weak points. Steel into the EU26 in this table and in Comext, Mt: Russia {goods_steel_import_RUS:.1f} and "
    "{goods_steel_import_RUS_comext:.1f}, India {goods_steel_import_IND:.1f} and {goods_steel_import_IND_comext:.1f}, "
    "China {goods_steel_import_CHN:.1f} and {goods_steel_import_CHN_comext:.1f}, all {goods_steel_import_all:.1f} and "
    "{goods_steel_import_all_comext:.1f} (Comext with scrap and pig iron), out of it {goods_steel_export:.1f} and "
    "{goods_steel_export_comext:.1f}. Minerals of the rest of the world have too little CO2 in the accounts, so its "
    "cement comes out at a third of what clinker must emit. Accounts hold CO2 only; the law counts N2O of nitrates."
)
LAW = (
    "Benchmarks: column B by the region's production routes (steel C, D, E; aluminium K, L), cement by clinker ratio "
    "times grey clinker, fertiliser a basket of six nitrogen products and hydrogen per tonne of ammonia in them. "
    "Default values: the same baskets, mean over the region's countries by production; the rest of the world is "
    "those of its countries that the annex lists and that report production. The EU has none; its benchmark stands in."
)


def goods_resource(economy: str) -> Resource:
    """The table of tonnes of an economy."""
    return Resource(
        name=f"{economy}-goods",
        path=f"{economy.replace('-', '_')}/goods.parquet",
        title=f"Goods in tonnes with legal benchmarks and default values, economy {economy}",
        year=economy.rsplit("-", 1)[-1],
        method=f"{SPLIT} {LAW} {LIMITS}",
        columns=GOODS_COLUMNS,
        key=("region", "sector"),
        sources=(WIOD, JRC, STEEL, USGS, BENCHMARKS_LAW, DEFAULTS_LAW, DECLARED),
    )


def split_resource(resource: Resource) -> Resource:
    """A table of the world of 2011 with 16 sectors."""
    return replace(
        resource,
        name=resource.name.replace("world", "goods"),
        path=resource.path.replace("world", "goods"),
        title=f"{resource.title}, 16 sectors",
        method=SPLIT,
        sources=(WIOD, JRC, STEEL, USGS, DECLARED),
    )


CHECK = Resource(
    name="goods-2011-check",
    path="goods_2011/check.parquet",
    title="What a tonne of each good emits in the economy of 2011, physically, and by law; cost shares; net exports",
    year="2011",
    method=f"Computed from the tables of goods-2011. {SPLIT} {LAW} {LIMITS}",
    columns=(
        text(name="region", description="region"),
        text(name="good", description="STL, ALU, CEM or FER"),
        amount(name="tonnes", unit="t / year", description="production"),
        text(name="basis", description="observed, interpolated, declared or extrapolated; recycled metal is declared"),
        amount(name="implied_t_per_t", unit="t CO2 / t", description="direct CO2 of the cell over its tonnes"),
        amount(name="anchor_t_per_t", unit="t CO2 / t", description="by the region's routes, before the accounts"),
        amount(name="benchmark_t_per_t", unit=T_PER_T, description="legal benchmark"),
        amount(name="default_value_t_per_t", unit=T_PER_T, description="legal default value, before mark-up"),
        amount(
            name="cost_share",
            unit="share of output",
            description="purchases of steel from MIN and REF, of aluminium from ELE, of the others from MIN, REF, ELE",
        ),
        amount(name="export_share", unit="share of tonnes", description="sold to other regions"),
        figure(name="net_export_t", unit="t / year", description="production less use"),
    ),
    key=("region", "good"),
    sources=(WIOD, JRC, STEEL, USGS, BENCHMARKS_LAW, DEFAULTS_LAW, COMEXT, DECLARED),
)
PARAMETERS = Resource(
    name="goods-parameters",
    path="goods_2011/parameters.parquet",
    title="Figures declared by hand for the split into goods",
    year="2000-2024",
    method="Every row of carbonray/data/declared/goods_*.csv. Tag: read (seen in the named source), recall (generally "
    "known, not checked), assumption.",
    columns=(
        text(name="file", description="table it is declared in"),
        text(name="item", description="quantity, good or selling sector"),
        text(name="place", description="region, country, buying sector or CN code; all where it holds for all"),
        text(name="year", description="calendar year; empty where it holds for all"),
        amount(name="value", unit="see unit", description="figure"),
        text(name="unit", description="unit of the value"),
        text(name="source", description="where it comes from"),
        text(name="tag", description="read, recall or assumption"),
    ),
    key=("file", "item", "place", "year"),
    sources=(DECLARED,),
)


EVIDENCE = (CHECK, PARAMETERS)
"""Tables beside those of the economy itself."""


def goods_resources(world: Sequence[Resource]) -> tuple[Resource, ...]:
    """Every table of the economy with goods.

    Args:
        world: transactions, final demand and cells of the built-in world of 2011.
    """
    return (*(split_resource(resource) for resource in world), goods_resource("goods-2011"))
