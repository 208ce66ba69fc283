"""Emissions of the goods: the parents' CO2 divided by accounts where they tell, and by what a tonne physically emits.

Axes: R region.  Mass Mt CO2 a year, goods in tonnes, money million USD of 2011.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_economy import CO2_ACCOUNTS, CO2_COUNTRIES, mapped, read_csv, read_grouping
from carbonray.data.build_goods_figures import by_region, rule

Array = NDArray[np.float64]

MAIN_INDUSTRY = {"MET": ("C24", "C25"), "NMM": ("C23", ""), "CHE": ("C20", "C21")}
"""Industry of the accounts that makes a parent's goods, and the one that makes none."""


def anchored(parts: dict[str, pd.Series]) -> dict[str, Array]:
    """[R] Mt CO2 of each good by its tonnes and the region's routes, before the accounts are met.

    Args:
        parts: [R] tonnes, as from `quantities`.
    """
    regions = tuple(parts["STL"].index)
    mt = {name: part.to_numpy(dtype=np.float64) / 1e6 for name, part in parts.items()}
    blast, reduced = by_region("share_bf_bof", regions), by_region("share_dri_eaf", regions)
    steel = blast * by_region("co2_bf_bof", regions) + reduced * by_region("co2_dri_eaf", regions)
    steel = steel + (1.0 - blast - reduced) * by_region("co2_scrap_eaf", regions)
    primary = mt["primary"] * by_region("co2_primary_aluminium", regions)
    ammonia = mt["ammonia"] * by_region("co2_ammonia", regions)
    return {
        "STL": mt["STL"] * steel,
        "ALU": primary + mt["recycled"] * by_region("co2_recycled_aluminium", regions),
        "CEM": mt["CEM"] * by_region("clinker_ratio", regions) * by_region("co2_clinker", regions),
        "FER": ammonia + mt["hydrogen"] * by_region("co2_hydrogen", regions),
    }


def main_share(raw: Path, regions: tuple[str, ...], *, year: int) -> dict[str, Array]:
    """[R] share of a parent's CO2 that the accounts book to the industry which makes the goods."""
    grouping, accounts = read_grouping(raw), read_csv(raw, CO2_ACCOUNTS)
    accounts = accounts[accounts["year"] == year].reset_index(drop=True)
    region = mapped(accounts["country"].replace(CO2_COUNTRIES), grouping.region_of, CO2_ACCOUNTS)
    by_industry = accounts.assign(region=region).pivot_table(
        index="region", columns="sector", values="kt_co2", aggfunc="sum"
    )
    shares = {}
    for parent, (main, other) in MAIN_INDUSTRY.items():
        rest = by_industry[other] if other else 0.0
        shares[parent] = (by_industry[main] / (by_industry[main] + rest)).reindex(list(regions)).to_numpy(np.float64)
    return shares


def divide_emissions(
    parents: dict[str, Array],
    share: dict[str, Array],
    parts: dict[str, pd.Series],
    *,
    alumina: Array,
    other_metals: Array,
) -> dict[str, Array]:
    """[R] Mt CO2 of every child; children add up to their parent.

    Cement, fertiliser and aluminium emit what their tonnes do by stoichiometry and fuel, at most a declared share of
    their account.  Steel and the other metals share what is left of the account of basic metals by one factor on
    their anchors, steel at most a declared multiple of its own; the accounts of the other industries, and the rest,
    belong to the other products.

    Args:
        parents: [R] Mt CO2 of MET, NMM and CHE.
        share: [R] of it, in the industry that makes the goods.
        parts: [R] tonnes, as from `quantities`.
        alumina: [R] kt.
        other_metals: [R] output of other metals, million USD of 2011.
    """
    regions = tuple(parts["STL"].index)
    physical, limit = anchored(parts), rule("co2_share_limit")
    account = {parent: share[parent] * parents[parent] for parent in parents}
    cement = np.minimum(physical["CEM"], limit * account["NMM"])
    nitrogen = np.minimum(physical["FER"], limit * account["CHE"])
    aluminium = np.minimum(physical["ALU"], limit * account["MET"])
    others = alumina / 1e3 * by_region("co2_alumina", regions) + other_metals * rule("co2_other_metals") / 1e3
    steel = (account["MET"] - aluminium) * physical["STL"] / (physical["STL"] + others)
    steel = np.minimum(steel, rule("steel_co2_limit") * physical["STL"])
    return {
        "STL": steel,
        "ALU": aluminium,
        "OMT": parents["MET"] - steel - aluminium,
        "CEM": cement,
        "ONM": parents["NMM"] - cement,
        "FER": nitrogen,
        "OCH": parents["CHE"] - nitrogen,
    }
