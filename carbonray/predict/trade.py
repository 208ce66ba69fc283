"""How open the market of each good of the home region is, and to whom: base-year trade, indicator and cheapest origin.

Axes: C cell (region, sector), region-major; R region; S sector (good).  Money million USD of the base year.
"""

import numpy as np
from numpy.typing import NDArray

from carbonray.units import USD_2011_PER_EURO_2026
from carbonray.worlds.cbam.economy import Array, Economy
from carbonray.worlds.cbam.named_firms import LongArray

Mask = NDArray[np.bool_]

AT_RISK = 0.2
"""Indicator above which a sector is deemed at risk, Directive 2003/87/EC art. 10b(1)."""
REAL_ORIGIN = 0.02
"""Share of imports from which on an origin counts as one that could sell more."""
KG = 1e3
"""kg in a tonne."""


def trade_exposure(economy: Economy, home: Mask) -> Array:
    """[C] (exports + imports) / (output + imports) of the good in the cell's region; `home` [R].

    Only trade with regions that are not home counts.
    """
    exports, imports = (values.ravel() for values in _trade(economy, home))
    return np.asarray((exports + imports) / (economy.output + imports))


def official_indicator(economy: Economy, home: Mask) -> Array:
    """[S] carbon leakage indicator of the EU, trade intensity times emission intensity; `home` [R] is taken as one.

    (exports + imports) / (output + imports) x kg CO2 / EUR of gross value added     (Directive 2003/87/EC art. 10b(1);
    the list for 2021 to 2030 is Delegated Decision (EU) 2019/708)

    Emissions are those of the base year, with those of bought electricity, which the Commission counts too; a sector
    is deemed at risk above `AT_RISK`.  The law looks at classes of mining and manufacturing: a sector here may hold
    some on either side of the threshold, and electricity, transport and services are never on the list.
    """
    n_sectors = len(economy.sectors)
    exports, imports = (values[home].sum(0) for values in _trade(economy, home))
    power = np.tile(np.array(economy.sectors) == "ELE", len(home))
    bought = (economy.emissions / economy.output * power) @ economy.transactions
    output, value_added, emissions = (
        values.reshape(-1, n_sectors)[home].sum(0)
        for values in (economy.output, economy.value_added, economy.emissions + np.where(power, 0.0, bought))
    )
    per_euro = emissions / value_added * KG * USD_2011_PER_EURO_2026
    return np.asarray((exports + imports) / (output + imports) * per_euro)


def cheapest_origin(economy: Economy, home: Mask, charge: Array) -> tuple[LongArray, Array]:
    """Who sells the good of each cell to its region at the smallest charge, the largest of equals.

    Args:
        economy: says who sells.
        home: [R] regions that are no origin.
        charge: [C] border charge on what each cell sells to the home region, USD / USD.
    Returns:
        [C] the region, of those with at least `REAL_ORIGIN` of the imports; -1 where nothing is imported.
        [C] its charge; NaN there.
    """
    bought = np.where(home[:, None, None], 0.0, _sold(economy)).transpose(2, 1, 0).reshape(-1, len(home))  # [C, R]
    total = bought.sum(1, keepdims=True)
    share = bought / np.where(total > 0, total, 1.0)
    by_good = np.tile(charge.reshape(len(home), -1).T, (len(home), 1))  # [C, R]
    asked = np.where(share >= REAL_ORIGIN, by_good, np.inf)
    first = np.lexsort((-share, asked), axis=1)[:, 0]
    least = asked[np.arange(len(first)), first]
    found = np.isfinite(least)
    return np.where(found, first, -1), np.where(found, least, np.nan)


def _trade(economy: Economy, home: Mask) -> tuple[Array, Array]:
    """What each cell sells to regions that are not home, and what its region buys of its good there; [R, S] each."""
    sold = _sold(economy)
    return sold[:, :, ~home].sum(2), sold[~home].sum(0).T


def _sold(economy: Economy) -> Array:
    """[R, S, R] from each cell to each region, inputs and final goods."""
    n_regions, n_sectors = len(economy.regions), len(economy.sectors)
    inputs = economy.transactions.reshape(n_regions, n_sectors, n_regions, n_sectors).sum(3)
    return np.asarray(inputs + economy.final_demand.reshape(n_regions, n_sectors, n_regions))
