"""The table `freight` of each built-in economy: CO2 of carrying a dollar's worth of goods from region to region.

Imported by `resources`, so it brings its own columns.
"""

from dataclasses import replace
from functools import partial

from carbonray.data.schema import Column, Resource, Source
from carbonray.data.sources import OWID

ECONOMIES = ("world-2011", "world-2026", "goods-2011", "goods-2026")
"""Built-in economies that have the table; each has its folder, and its `cells` (and `goods`) in the build."""

text = partial(Column, kind="text")
amount = partial(Column, kind="number", minimum=0.0)

CEPII = Source(
    title="GeoDist (Mayer and Zignago 2011, CEPII working paper 2011-25); means between the model's regions only",
    publisher="CEPII",
    licence="free to use with citation; cited figures, the table of countries is not shipped",
    licence_path="http://www.cepii.fr/CEPII/en/bdd_modele/bdd_modele_item.asp?id=6",
    path="http://www.cepii.fr/CEPII/en/bdd_modele/bdd_modele_item.asp?id=6",
)
DESNZ = Source(
    title="Greenhouse gas reporting: conversion factors 2025, freighting goods",
    publisher="UK Department for Energy Security and Net Zero",
    licence="Open Government Licence v3.0",
    licence_path="https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    path="https://www.gov.uk/government/publications/greenhouse-gas-reporting-conversion-factors-2025",
)
GDP = replace(OWID, title="CO2 and greenhouse gas data, column gdp (2011 international USD)")
METHOD = (
    "kg per USD = kg per tonne over USD per tonne. Distance between two regions: population-weighted distances of "
    "their countries, averaged harmonically with the GDP of both in 2011 as weights, which is the mean distance of a "
    "tonne where trade falls with distance one for one (gravity; Head and Mayer 2010). Route: a share of tonnes goes "
    "by road and rail where regions are joined by land (detour 1.25, pipelines count as rail), the rest overseas with "
    "a sea detour by pair of regions and ships by type of cargo, a few tonnes by air. Factors: kg CO2e per tonne-km, "
    "tank to wheel; feeder legs to port and within a region are left out, for the table's transport sector has them. "
    "Value: USD of 2011 a tonne by sector, or by cell where the economy has unit values of its goods. Mode splits, "
    "detours and values are declared in carbonray/data/declared/freight_*.csv with source and tag: most are "
    "assumptions. Services, construction and electricity weigh nothing; trade within a region has no row."
)


def freight(economy: str) -> Resource:
    """The table of an economy."""
    folder = economy.replace("-", "_")
    return Resource(
        name=f"{economy}-freight",
        path=f"{folder}/freight.parquet",
        title=f"CO2 of carrying a dollar's worth of goods between regions, economy {economy}",
        year="2011",
        method=METHOD,
        columns=(
            text(name="from_region", description="where the good is made"),
            text(name="from_sector", description="which good"),
            text(name="to_region", description="where it is delivered"),
            amount(name="kg_per_usd", unit="kg CO2e / USD of 2011", description="carbon of carriage, basic prices"),
            amount(name="km", unit="km", description="mean length of the routes by land, sea and air, by tonnes"),
            text(name="mode", description="how most tonnes go"),
        ),
        key=("from_region", "from_sector", "to_region"),
        sources=(CEPII, DESNZ, GDP),
    )


RESOURCES_FREIGHT = tuple(freight(economy) for economy in ECONOMIES)
