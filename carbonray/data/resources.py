"""The built-in tables: what each holds, from where, on which terms, and how it was made."""

from carbonray.data.resources_freight import RESOURCES_FREIGHT
from carbonray.data.resources_goods import EVIDENCE, goods_resources
from carbonray.data.resources_history import history_resources
from carbonray.data.resources_plants import RESOURCES_PLANTS
from carbonray.data.resources_rice import RESOURCES_RICE
from carbonray.data.resources_vintage import vintage_resources
from carbonray.data.schema import Column, Resource
from carbonray.data.sources import (
    BENCHMARKS_LAW,
    CERTIFICATE,
    DEFAULTS_LAW,
    EUTL,
    ICAP,
    JRC,
    SCHEDULE_LAW,
    WIOD,
    WORLD_BANK,
)


def text(name: str, description: str, *, required: bool = True) -> Column:
    """A column of codes or words."""
    return Column(name=name, kind="text", description=description, required=required)


def amount(name: str, unit: str, description: str, *, required: bool = True, noun: str = "value") -> Column:
    """A column of numbers that are never negative."""
    return Column(
        name=name, kind="number", unit=unit, description=description, required=required, minimum=0.0, noun=noun
    )


def figure(name: str, unit: str, description: str, *, required: bool = True) -> Column:
    """A column of numbers of either sign."""
    return Column(name=name, kind="number", unit=unit, description=description, required=required)


def count(name: str, unit: str, description: str) -> Column:
    """A column of whole numbers."""
    return Column(name=name, kind="integer", unit=unit, description=description, minimum=0.0)


MUSD = "million USD of the base year per year"
T_PER_T = "t CO2e / t of good"
FALLBACK = "Other countries and territories"  # whose row stands in for an empty one, and for unlisted countries
MODEL_REGION = "model region; ROW where the country has none of its own"
AGGREGATION = (
    "The 41 countries and 35 industries of the WIOD table of 2011 are summed to 12 regions and 12 sectors; "
    "the five categories of final demand of each country are summed, so that changes in inventories are netted; "
    "what is then negative is set to zero ({clipped_cells:.0f} cells, {clipped_busd:.3f} billion USD)"
)

TRANSACTIONS = Resource(
    name="world-2011-transactions",
    path="world_2011/transactions.parquet",
    title="Intermediate use between cells of the world economy, 2011",
    year="2011",
    method=AGGREGATION + ". Flows of zero are not stored.",
    columns=(
        text("from_region", "supplying region"),
        text("from_sector", "supplying sector"),
        text("to_region", "using region"),
        text("to_sector", "using sector"),
        amount("musd", MUSD, "intermediate use", noun="flow"),
    ),
    key=("from_region", "from_sector", "to_region", "to_sector"),
    sources=(WIOD,),
)
FINAL_DEMAND = Resource(
    name="world-2011-final-demand",
    path="world_2011/final_demand.parquet",
    title="Final demand by supplying cell and region of use, 2011",
    year="2011",
    method=AGGREGATION + ". Flows of zero are not stored.",
    columns=(
        text("from_region", "supplying region"),
        text("from_sector", "supplying sector"),
        text("to_region", "region of use"),
        amount("musd", MUSD, "final demand, inventories netted", noun="flow"),
    ),
    key=("from_region", "from_sector", "to_region"),
    sources=(WIOD,),
)
CELLS = Resource(
    name="world-2011-cells",
    path="world_2011/cells.parquet",
    title="Output, value added and direct CO2 by region and sector, 2011",
    year="2011",
    method=AGGREGATION + "; output is the row sum, value added is output less intermediate inputs (so it holds taxes "
    "less subsidies and the transport margin). CO2 of 56 NACE 2 industries is summed to the 12 sectors; Switzerland, "
    "Norway and Croatia count to ROW; households are apart.",
    columns=(
        text("region", "region"),
        text("sector", "sector"),
        amount("output_musd", MUSD, "gross output, basic prices"),
        figure("value_added_musd", MUSD, "output less intermediate inputs"),
        amount("mt_co2", "Mt CO2 / year", "direct CO2 of production"),
    ),
    key=("region", "sector"),
    sources=(WIOD, JRC),
)
HOUSEHOLDS = Resource(
    name="world-2011-households",
    path="world_2011/households.parquet",
    title="Direct CO2 of households by region, 2011",
    year="2011",
    method="Sum of the account FC_HH over the countries of a region.",
    columns=(text("region", "region"), amount("mt_co2", "Mt CO2 / year", "heating, cooking, own vehicles")),
    key=("region",),
    sources=(JRC,),
)
REGIONS = Resource(
    name="world-2011-regions",
    path="world_2011/regions.parquet",
    title="The 12 regions and their countries",
    year="2011",
    method="The project's own grouping of the WIOD countries.",
    columns=(
        text("region", "code"),
        text("description", "in words"),
        text("countries", "WIOD country codes, separated by blanks"),
    ),
    key=("region",),
    sources=(WIOD,),
)
SECTORS = Resource(
    name="world-2011-sectors",
    path="world_2011/sectors.parquet",
    title="The 12 sectors and their industries",
    year="2011",
    method="The project's own grouping; the bridge from NACE 2 to NACE 1.1 is approximate: sewage and waste E37-E39 "
    "and publishing J58 go to SRV, water E36 to ELE, repair C33 to EQP.",
    columns=(
        text("sector", "code"),
        text("description", "in words"),
        text("wiod_industries", "WIOD 2013 industries, separated by blanks"),
        text("nace2_codes", "industries of the CO2 accounts, separated by blanks"),
    ),
    key=("sector",),
    sources=(WIOD, JRC),
)
DEFAULTS = Resource(
    name="cbam-default-values",
    path="cbam/default_values.parquet",
    title="CBAM default values by country and CN line, before mark-up",
    year="2026",
    method="Annex I restructured. An empty or incomplete row takes the whole row of `" + FALLBACK + "` "
    "(rule of the annex; {defaults_fallback:.0f} rows); headings whose lines carry the values are left out "
    "({defaults_headings:.0f} rows); a row whose three figures stood three columns too far right was moved back "
    "({defaults_realigned:.0f} row). Mark-ups are not applied. The corrigendum IR (EU) 2026/1740 is not in.",
    columns=(
        text("country", "country of origin, English"),
        text("region", MODEL_REGION),
        text("sector", "CBAM sector"),
        text("cn_code", "CN heading, subheading or code of 4, 6 or 8 digits"),
        text("good", "description of the good"),
        text("route", "production route behind the value, a letter of the benchmark table; may be blank"),
        amount("direct_t_per_t", T_PER_T, "direct embedded emissions"),
        amount("indirect_t_per_t", T_PER_T, "embedded emissions of electricity; empty if not given", required=False),
        amount("total_t_per_t", T_PER_T, "total as published (sums are rounded)"),
        amount("charged_t_per_t", T_PER_T, "what is charged: total for cement and fertilisers, else direct"),
        text("markup_class", "column of the schedule that holds the mark-up: general or fertilisers"),
        text("origin", "country: the country's own row; fallback: the row of other countries; realigned: see method"),
    ),
    key=("country", "cn_code", "good"),
    sources=(DEFAULTS_LAW,),
)
BENCHMARKS = Resource(
    name="cbam-benchmarks",
    path="cbam/benchmarks.parquet",
    title="CBAM benchmarks (column B) by CN code and production route",
    year="2026",
    method="Workbook restructured: the note is split into route and variant. What the variants 1 and 2 stand for was "
    "not verified; see the regulation before using them.",
    columns=(
        text("sector", "CBAM sector"),
        text("cn_code", "CN code, 8 digits"),
        text("route", "A grey, B white clinker; C BF-BOF, D DRI-EAF, E scrap-EAF; F-J alloy steel; K, L aluminium"),
        text("variant", "1 or 2 where two values are given, else blank"),
        amount("benchmark_t_per_t", T_PER_T, "free allocation deducted, before the factor of the year"),
    ),
    key=("cn_code", "route", "variant"),
    sources=(BENCHMARKS_LAW,),
)
SCHEDULE = Resource(
    name="cbam-schedule",
    path="cbam/schedule.parquet",
    title="CBAM factor and mark-ups on default values, 2026-2034",
    year="2026-2034",
    method="Years of the definitive period, as in the law.",
    columns=(
        count("year", "year", "calendar year of import"),
        amount("cbam_factor", "share", "what of the benchmark stays free"),
        amount("markup_general", "share", "added to default values, all goods but fertilisers"),
        amount("markup_fertilisers", "share", "added to default values of fertilisers"),
    ),
    key=("year",),
    sources=(SCHEDULE_LAW,),
)
EU_PRICES = Resource(
    name="carbon-price-eu",
    path="carbon_price/eu.parquet",
    title="EU allowance price, yearly means 2005-2025, and the CBAM certificate price of 2026-Q1",
    year="2005-2026",
    method="Yearly mean of the secondary market, rounded to 0.1 EUR. 2005-2007 are phase 1 allowances, worthless at "
    "the end; for 2005-2008 other series differ by up to 30 % by choice of contract.",
    columns=(
        text("period", "year, or year and quarter"),
        count("year", "year", "calendar year"),
        amount("eur_per_t", "EUR / t CO2", "price, current EUR"),
        text("kind", "allowance: mean market price; certificate: official CBAM certificate price"),
    ),
    key=("period",),
    sources=(ICAP, CERTIFICATE),
)
PARTNER_PRICES = Resource(
    name="carbon-price-partners",
    path="carbon_price/partners.parquet",
    title="Carbon prices of the EU and its trade partners on 1 April, to 2022",
    year="2005-2022",
    method="Selected national and large subnational schemes, first rate only, rounded to 0.01 USD. A price on one "
    "day, not a yearly mean, and not what an exporter effectively paid after free allocation.",
    columns=(
        text("region", "model region of the jurisdiction"),
        text("jurisdiction", "as named by the World Bank"),
        text("initiative", "scheme"),
        text("instrument", "ETS or Carbon tax"),
        text("scope", "national or subnational"),
        count("year", "year", "calendar year"),
        amount("usd_per_t", "USD / t CO2e", "nominal price on 1 April"),
    ),
    key=("initiative", "year"),
    sources=(WORLD_BANK,),
)
QUANTILES = (5, 10, 25, 50, 75, 90, 95)
T_YEAR = "t CO2e / year"
INSTALLATIONS = Resource(
    name="installations-2019",
    path="installations/distributions_2019.parquet",
    title="How large EU ETS installations are, and how far they lie from their free allocation, 2019",
    year="2019",
    method="Distributions only, over operators of all 31 states with verified emissions above zero; no plant can be "
    "read off by name. Tail: Pareto fitted by maximum likelihood above the minimum that gives the smallest "
    "Kolmogorov-Smirnov distance (Clauset, Shalizi, Newman 2009), at least 10 installations; check by regression of "
    "log(rank - 1/2) on log size over the same tail (Gabaix, Ibragimov 2011). Share of the largest p %: the largest "
    "ceil(p n / 100). Log ratio: log(verified emissions / free allocation), both above zero: a proxy of the "
    "dispersion of intensity around the benchmark, and an upper bound of it, for free allocation follows historical "
    "activity, exposure to leakage and the cross-sectoral factor, and electricity gets none (for combustion and "
    "aviation it says little). Outliers are closures and starts: prefer the robust deviation (quartile range / 1.349).",
    columns=(
        text("model_sector", "sector, from the activity of the account"),
        count("year", "year", "year of the emissions"),
        count("installations", "number", "installations with verified emissions above zero"),
        amount("verified_t", T_YEAR, "sum of verified emissions"),
        amount("free_allocation_t", T_YEAR, "free allocation of the same installations"),
        *(amount(f"p{q}_t", T_YEAR, f"quantile {q} % of verified emissions") for q in QUANTILES),
        amount("pareto_exponent", "1", "exponent of the tail of P(size > x); 1 is Zipf's law"),
        amount("pareto_exponent_error", "1", "standard error, exponent / sqrt(number in the tail)"),
        amount("pareto_minimum_t", T_YEAR, "where the tail begins, rounded"),
        count("pareto_count", "number", "installations in the tail"),
        amount("pareto_distance", "share", "Kolmogorov-Smirnov distance of the fit"),
        amount("rank_size_exponent", "1", "the same exponent by rank-size regression"),
        amount("top_1_percent_share", "share", "of emissions held by the largest 1 % of installations"),
        amount("top_5_percent_share", "share", "of emissions held by the largest 5 %"),
        amount("top_10_percent_share", "share", "of emissions held by the largest 10 %"),
        count("ratio_count", "number", "installations with free allocation above zero"),
        figure("log_ratio_median", "log", "median of the log ratio"),
        amount("log_ratio_deviation", "log", "standard deviation of the log ratio"),
        amount("log_ratio_robust_deviation", "log", "quartile range of the log ratio / 1.349"),
    ),
    key=("model_sector",),
    sources=(EUTL,),
)

RESOURCES = (
    TRANSACTIONS,
    FINAL_DEMAND,
    CELLS,
    HOUSEHOLDS,
    REGIONS,
    SECTORS,
    DEFAULTS,
    BENCHMARKS,
    SCHEDULE,
    EU_PRICES,
    PARTNER_PRICES,
    INSTALLATIONS,
    *RESOURCES_PLANTS,
    *history_resources((TRANSACTIONS, FINAL_DEMAND, CELLS)),
    *vintage_resources((TRANSACTIONS, FINAL_DEMAND, CELLS), goods_resources((TRANSACTIONS, FINAL_DEMAND, CELLS))),
    *goods_resources((TRANSACTIONS, FINAL_DEMAND, CELLS)),
    *EVIDENCE,
    *RESOURCES_FREIGHT,
    *RESOURCES_RICE,
)
