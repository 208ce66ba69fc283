"""Figures of the goods split that are declared by hand: unit values, routes, requirements, prices, purchases, rules.

Every row of `declared/goods_*.csv` carries value, unit, source and tag (read, recall or assumption).
Axes: R region of the 12-region table.  Money USD of 2011.
"""

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_history import declared
from carbonray.data.errors import DataError
from carbonray.data.vintage_observed import figures_of_money

Array = NDArray[np.float64]

GOODS = ("STL", "ALU", "CEM", "FER")
PRICE_YEAR = 2011
HYDROGEN_AS_AMMONIA = 5.63
"""t NH3 made of a t of hydrogen, by mass: 17.03 / 3.024."""
NITROGEN_IN_AMMONIA = 0.822
"""t N in a t of NH3."""


@cache
def table(name: str) -> pd.DataFrame:
    """One of the declared tables: figures, inputs, purchases, prices, production or basket."""
    return declared(f"goods_{name}")


def by_region(quantity: str, regions: tuple[str, ...]) -> Array:
    """[R] a declared figure, the same everywhere where it is declared for all.

    Raises:
        DataError: a region has no figure.
    """
    rows = table("figures")
    values = rows[rows["quantity"] == quantity].set_index("region")["value"].astype(float)
    found = values.reindex(list(regions)).fillna(values.get("all", np.nan))
    if found.isna().any():
        region = found.index[found.isna()][0]
        raise DataError(f"declared/goods_figures.csv: {region}: {quantity} is missing; every region needs a figure")
    return np.asarray(found.to_numpy(dtype=np.float64))


def rule(quantity: str) -> float:
    """A declared figure that holds everywhere."""
    return float(by_region(quantity, ("all",))[0])


def price_level(good: str, *, year: int, money_year: int) -> float:
    """Price of a good in `year` over its price in 2011, in USD of `money_year` over USD of 2011.

    Raises:
        DataError: no price is declared for the year.
    """
    rows = table("prices")
    found = rows.loc[(rows["good"] == good) & (rows["year"] == year), "value"]
    if found.empty:
        raise DataError(f"declared/goods_prices.csv: {good} {year}: no price; goods can be split off in 2000-2015")
    return float(found.iloc[0]) * dollars(year, money_year)


def dollars(year: int, money_year: int) -> float:
    """USD of `money_year` that buy what one USD of `year` does, by the deflator of the United States."""
    deflator = figures_of_money()
    return deflator["us_deflator", money_year] / deflator["us_deflator", year]


def matrix(name: str, *, sellers: tuple[str, ...], buyers: tuple[str, ...]) -> Array:
    """[seller, buyer] a declared table of the relation between two sectors; one where nothing is declared."""
    rows = table(name).pivot(index="seller", columns="buyer", values="value")
    return rows.reindex(index=list(sellers), columns=list(buyers)).fillna(1.0).to_numpy(dtype=np.float64)


def parameters() -> pd.DataFrame:
    """All declared figures in one table: what, of whom, for whom or when, value, unit, source, tag."""
    keys = {
        "figures": ("quantity", "region", None),
        "production": ("good", "region", "year"),
        "prices": ("good", None, "year"),
        "purchases": ("seller", "buyer", None),
        "inputs": ("seller", "buyer", None),
        "countries": ("good", "country", None),
    }
    parts = []
    for name, (item, place, year) in keys.items():
        rows = table(name)
        part = rows[["value", "unit", "source", "tag"]].assign(
            file=f"goods_{name}",
            item=rows[item],
            place=rows[place] if place else "all",
            year=rows[year].astype(str) if year else "",
        )
        parts.append(part.assign(value=part["value"].astype(float)))
    basket = table("basket")
    parts.append(
        pd.DataFrame(
            {
                "file": "goods_basket",
                "item": basket["good"],
                "place": basket["cn_code"].astype(str),
                "year": "",
                "value": basket["weight"].astype(float),
                "unit": "share of the basket",
                "source": basket["description"] + "; " + basket["source"],
                "tag": basket["tag"],
            }
        )
    )
    return pd.concat(parts, ignore_index=True)[["file", "item", "place", "year", "value", "unit", "source", "tag"]]
