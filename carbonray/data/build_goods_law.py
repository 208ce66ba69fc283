"""Benchmarks and default values of the law per tonne of a model good, by region.

Axes: R region.  t CO2e per tonne of good.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_goods_figures import by_region, table
from carbonray.data.build_goods_production import numbers
from carbonray.data.build_history import CEMENT, METALS
from carbonray.data.build_policy import REGION_OF_COUNTRY, build_benchmarks, build_defaults
from carbonray.data.cbam_charge import benchmark_of, default_values
from carbonray.data.vintage_observed import STEEL

Array = NDArray[np.float64]

CLINKER = "25231000"
GREY = "Grey clinker"
PRODUCERS = {"STL": (STEEL, "kt"), "ALU": (METALS, "aluminium"), "CEM": (CEMENT, "cement_kt")}
LAW_SPELLINGS = {"Turkey": "Türkiye", "Taiwan, China": "Taiwan", "Viet Nam": "Vietnam", "Korea, North": "North Korea"}
ALIKE = 1e-6  # weight of a country that makes none: counts only where its whole region makes none
HOME = ("EU26",)
"""Regions without default values of their own; the benchmark of their routes stands in."""


@dataclass(frozen=True, kw_only=True)
class Legal:
    """What the law says of a tonne of one good; [R]."""

    benchmark: Array  # of the region's routes
    default_value: Array  # as charged, before mark-up
    default_benchmark: Array  # of the route that the default values are for


def law(raw: Path, parts: dict[str, pd.Series], regions: tuple[str, ...], *, year: int) -> dict[str, Legal]:
    """Benchmarks and default values of each good.

    Args:
        raw: folder of raw tables.
        parts: [R] tonnes, as from `quantities`.
        regions: codes.
        year: of production, by which the countries of a region are weighted.
    """
    benchmarks, (defaults, _) = build_benchmarks(raw), build_defaults(raw)
    marks = {
        "STL": steel_benchmark(benchmarks, regions),
        "ALU": aluminium_benchmark(benchmarks, parts),
        "CEM": by_region("clinker_ratio", regions) * benchmark_of(benchmarks, CLINKER, route="A"),
        "FER": nitrogen_mix(parts, basket_benchmark(benchmarks, "FER"), basket_benchmark(benchmarks, "H2")),
    }
    beside = {
        "STL": np.full(len(regions), basket_benchmark(benchmarks, "STL", route="C")),
        "ALU": np.full(len(regions), basket_benchmark(benchmarks, "ALU", route="K")),
        "CEM": np.full(len(regions), basket_benchmark(benchmarks, "CEM")),
        "FER": marks["FER"],
    }
    return {
        good: Legal(
            benchmark=mark,
            default_value=default_mix(raw, defaults, good, mark, parts=parts, year=year),
            default_benchmark=np.where(np.isin(regions, HOME), mark, beside[good]),
        )
        for good, mark in marks.items()
    }


def steel_benchmark(benchmarks: pd.DataFrame, regions: tuple[str, ...]) -> Array:
    """[R] benchmark of the basket by the region's routes: C BF-BOF, D DRI-EAF, E scrap-EAF."""
    shares = {"C": by_region("share_bf_bof", regions), "D": by_region("share_dri_eaf", regions)}
    shares["E"] = 1.0 - shares["C"] - shares["D"]
    return np.asarray(
        sum(share * basket_benchmark(benchmarks, "STL", route=route) for route, share in shares.items()),
        dtype=np.float64,
    )


def aluminium_benchmark(benchmarks: pd.DataFrame, parts: dict[str, pd.Series]) -> Array:
    """[R] benchmark by the region's shares of primary (K) and recycled (L) metal."""
    primary = (parts["primary"] / parts["ALU"]).to_numpy(dtype=np.float64)
    whole, remelted = (basket_benchmark(benchmarks, "ALU", route=route) for route in ("K", "L"))
    return np.asarray(primary * whole + (1.0 - primary) * remelted)


def basket(good: str) -> pd.DataFrame:
    """Declared lines of a good: cn_code, weight (sums to one), good_t_per_t."""
    rows = table("basket")
    rows = rows[rows["good"] == good]
    return rows.assign(cn_code=rows["cn_code"].astype(str), weight=rows["weight"] / rows["weight"].sum())


def basket_benchmark(benchmarks: pd.DataFrame, good: str, *, route: str = "") -> float:
    """Mean benchmark of a basket per tonne of the model's good."""
    lines = basket(good)
    values = [benchmark_of(benchmarks, code, route=route) for code in lines["cn_code"]]
    return float((lines["weight"] * np.array(values) / lines["good_t_per_t"]).sum())


def nitrogen_mix(parts: dict[str, pd.Series], nitrogen: float | Array, hydrogen: float | Array) -> Array:
    """[R] mean of a figure per tonne of ammonia over nitrogen products and hydrogen."""
    share = (parts["ammonia"] / parts["FER"]).to_numpy(dtype=np.float64)
    return np.asarray(share * nitrogen + (1.0 - share) * hydrogen)


def default_mix(
    raw: Path, defaults: pd.DataFrame, good: str, mark: Array, *, parts: dict[str, pd.Series], year: int
) -> Array:
    """[R] default value: mean over the region's countries by production, over the basket; EU takes its benchmark."""
    regions = list(parts["STL"].index)
    weights = producers(raw, good, set(defaults["country"]), year=year)
    found = regional(defaults, good, weights, regions)
    if good == "FER":
        found = nitrogen_mix(parts, found, regional(defaults, "H2", weights, regions))
    return np.where(np.isin(regions, HOME), mark, found)


def regional(defaults: pd.DataFrame, good: str, weights: pd.Series, regions: list[str]) -> Array:
    """[R] default value of a basket, mean over countries by weight."""
    rows = pd.DataFrame({"weight": weights, "value": [country_default(defaults, name, good) for name in weights.index]})
    rows["region"] = [REGION_OF_COUNTRY.get(name, "ROW") for name in weights.index]
    sums = rows.assign(product=rows["weight"] * rows["value"]).groupby("region")[["product", "weight"]].sum()
    return np.asarray((sums["product"] / sums["weight"]).reindex(regions).to_numpy(dtype=np.float64))


def country_default(defaults: pd.DataFrame, country: str, good: str) -> float:
    """Mean default value of a basket as charged, per tonne of the model's good; grey where a line is split."""
    lines = basket(good)
    values = []
    for code in lines["cn_code"]:
        rows = default_values(defaults, country, code)
        grey = rows[rows["good"] == GREY]
        values.append(float((grey if len(grey) else rows)["charged_t_per_t"].mean()))
    return float((lines["weight"] * np.array(values) / lines["good_t_per_t"]).sum())


def producers(raw: Path, good: str, named: set[str], *, year: int) -> pd.Series:
    """Weight of each country with default values: its production, or declared weights for nitrogen."""
    if good not in PRODUCERS:
        rows = table("countries")
        return rows[rows["good"] == good].set_index("country")["value"].astype(float)
    file, column = PRODUCERS[good]
    rows = numbers(raw, file, column)
    rows = rows[rows["year"] == min(year, int(rows["year"].max()))]
    weights = rows.assign(country=rows["country"].replace(LAW_SPELLINGS)).set_index("country")[column].astype(float)
    alike = pd.Series(ALIKE, index=[name for name in REGION_OF_COUNTRY if name in named])
    return weights[weights.index.isin(list(named))].add(alike, fill_value=0.0)
