"""The 12 x 16 economy: steel, aluminium, cement and fertiliser split off a 12 x 12 table, in money and in tonnes.

Output of a good is tonnes times a unit value; the rest of its parent is the fourth kind of residual product.  Parents'
flows, emissions and outputs are kept to rounding; so is every figure of the sectors that are not split.

Axes: C cell (region, sector), region-major; R region; S sector.  Money million USD, mass Mt CO2; both a year.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_goods_balance import Beliefs, Nesting, divide
from carbonray.data.build_goods_emissions import divide_emissions, main_share
from carbonray.data.build_goods_figures import (
    GOODS,
    PRICE_YEAR,
    by_region,
    dollars,
    matrix,
    price_level,
    rule,
)
from carbonray.data.build_goods_inputs import inputs_of, requirements
from carbonray.data.build_goods_law import law
from carbonray.data.build_goods_production import REGIONS, quantities
from carbonray.data.errors import DataError
from carbonray.worlds.cbam.economy import PARENT_SECTOR, Economy, Goods

Array = NDArray[np.float64]
Parts = dict[str, pd.Series]

PARENTS = ("AGR", "MIN", "REF", "CHE", "NMM", "MET", "ELE", "CON", "EQP", "OMF", "TRA", "SRV")
SECTORS = (
    "AGR", "MIN", "REF", "FER", "OCH", "CEM", "ONM", "STL", "ALU", "OMT", "ELE", "CON", "EQP", "OMF", "TRA", "SRV",
)  # fmt: skip
USE = {"STL": "steel", "ALU": "aluminium", "CEM": "cement", "FER": "nitrogen"}
RESIDUAL = {"CHE": "OCH", "NMM": "ONM", "MET": "OMT"}


def split(economy: Economy, *, raw: Path, money_year: int = PRICE_YEAR) -> Economy:
    """Split metals, minerals and chemicals of a 12-sector table of 2000-2015 into goods and the rest.

    Args:
        economy: the built-in 12 x 12 table, or one of another year in the same regions and sectors.
        raw: folder of raw tables.
        money_year: of the dollars that the table is in.
    Returns:
        The 12 x 16 table with `goods`; freight is left out.
    Raises:
        DataError: other regions or sectors, no figures for the year, or totals that contradict each other.
    """
    if economy.regions != REGIONS or economy.sectors != PARENTS:
        raise DataError("goods: table: regions or sectors are not those of the built-in world; only that can be split")
    place = [PARENTS.index(PARENT_SECTOR.get(sector, sector)) for sector in SECTORS]
    nesting = Nesting(regions=REGIONS, sectors=SECTORS, parents=PARENTS, parent=np.array(place, dtype=np.intp))
    parts = quantities(raw, economy.year)
    prices = {good: price_level(good, year=economy.year, money_year=money_year) for good in GOODS}
    value = good_values(economy, parts, prices)
    output = outputs(economy, value)
    inputs, held = inputs_of(economy, nesting, output=output, held=requirements(economy, nesting, parts, prices))
    beliefs = Beliefs(
        output=output.reshape(-1),
        inputs=inputs.reshape(-1),
        purchases=matrix("purchases", sellers=SECTORS, buyers=(*SECTORS, "FINAL")),
        needs=matrix("inputs", sellers=PARENTS, buyers=SECTORS),
        tradability=np.array([rule(f"tradability_{s}") if s in PARENT_SECTOR else 1.0 for s in SECTORS]),
        use=use_of(parts, quantities(raw, PRICE_YEAR), value),
        held=held,
    )
    table = divide(np.concatenate([economy.transactions, economy.final_demand], axis=1), nesting, beliefs)
    cells = len(REGIONS) * len(SECTORS)
    return Economy(
        regions=REGIONS,
        sectors=SECTORS,
        year=economy.year,
        transactions=table[:, :cells].copy(),
        final_demand=table[:, cells:].copy(),
        emissions=emissions_of(economy, raw, parts, output=output * dollars(money_year, PRICE_YEAR)),
        goods=goods_of(raw, parts, table.sum(1).reshape(output.shape), year=economy.year),
    )


def by_parent(economy: Economy, sector: str, values: Array) -> Array:
    """[R] the entries of a parent sector in an array over the old cells."""
    return np.asarray(values.reshape(len(economy.regions), -1)[:, economy.sectors.index(sector)])


def good_values(economy: Economy, parts: Parts, prices: dict[str, float]) -> dict[str, Array]:
    """[R] output of each good, million USD: tonnes times unit value, together at most a declared share of the parent.

    Where the share binds, the unit value falls, so that tonnes times unit value stays the output.
    """
    unit = {
        "STL": parts["STL"] * by_region("unit_value_steel", REGIONS),
        "ALU": parts["ALU"] * by_region("unit_value_aluminium", REGIONS),
        "CEM": parts["CEM"] * by_region("unit_value_cement", REGIONS),
        "FER": parts["ammonia"] * by_region("unit_value_nitrogen", REGIONS)
        + parts["hydrogen"] * by_region("unit_value_hydrogen", REGIONS),
    }
    value = {good: unit[good].to_numpy(dtype=np.float64) * prices[good] / 1e6 for good in GOODS}
    for parent in RESIDUAL:
        children = [good for good in GOODS if PARENT_SECTOR[good] == parent]
        wanted = np.sum([value[good] for good in children], axis=0)
        most = rule("value_share_limit") * by_parent(economy, parent, economy.output)
        for good in children:
            value[good] = value[good] * np.minimum(1.0, most / wanted)
    return value


def outputs(economy: Economy, value: dict[str, Array]) -> Array:
    """[R, S] output of the new cells: goods as valued, residuals what is left of the parent."""
    columns = []
    for sector in SECTORS:
        parent = PARENT_SECTOR.get(sector, sector)
        whole = by_parent(economy, parent, economy.output)
        goods = [value[good] for good in GOODS if PARENT_SECTOR[good] == parent]
        columns.append(value[sector] if sector in value else whole - np.sum([np.zeros_like(whole), *goods], axis=0))
    return np.stack(columns, axis=1)


def use_of(parts: Parts, base: Parts, value: dict[str, Array]) -> Array:
    """[S, R] purchases of each good, million USD: output less net exports at the world's mean unit value.

    Net exports in tonnes are production less use of 2011, scaled with the world's production in other years and at most
    a declared share of output.
    """
    found = np.full((len(SECTORS), len(REGIONS)), np.nan)
    for good, name in USE.items():
        made = parts[good].to_numpy(dtype=np.float64)
        used, then = by_region(f"use_{name}_2011", REGIONS), base[good].to_numpy(dtype=np.float64)
        net = (then / then.sum() - used / used.sum()) * made.sum()
        net = np.minimum(net, rule("export_share_limit") * made)
        net = np.where(net < 0, net * net[net > 0].sum() / -net[net < 0].sum(), net)
        found[SECTORS.index(good)] = value[good] - net * value[good].sum() / made.sum()
    return found


def emissions_of(economy: Economy, raw: Path, parts: Parts, *, output: Array) -> Array:
    """[C] Mt CO2 of the new cells."""
    parents = {parent: by_parent(economy, parent, economy.emissions) for parent in RESIDUAL}
    children = divide_emissions(
        parents,
        main_share(raw, REGIONS, year=economy.year),
        parts,
        alumina=by_region("alumina_2011", REGIONS)
        * parts["primary"].sum()
        / quantities(raw, PRICE_YEAR)["primary"].sum(),
        other_metals=output[:, SECTORS.index("OMT")],
    )
    columns = [
        children[sector] if sector in children else by_parent(economy, sector, economy.emissions) for sector in SECTORS
    ]
    return np.stack(columns, axis=1).reshape(-1)


def goods_of(raw: Path, parts: Parts, output: Array, *, year: int) -> Goods:
    """Unit values, benchmarks and default values of the new cells, NaN where nothing is counted in tonnes."""
    found = law(raw, parts, REGIONS, year=year)
    values = np.full((4, *output.shape), np.nan)
    for good in GOODS:
        tonnes, column = parts[good].to_numpy(dtype=np.float64), SECTORS.index(good)
        made = tonnes > 0
        values[0, made, column] = output[made, column] * 1e6 / tonnes[made]
        legal = found[good]
        for row, figure in enumerate((legal.benchmark, legal.default_value, legal.default_benchmark), start=1):
            values[row, made, column] = figure[made]
    unit_value, benchmark, default_value, default_benchmark = values.reshape(4, -1)
    return Goods(
        unit_value=unit_value,
        benchmark=benchmark,
        default_value=default_value,
        default_benchmark=default_benchmark,
    )
