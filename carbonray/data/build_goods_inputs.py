"""What the split sectors buy: value added, and the inputs that a tonne of a good physically needs.

Axes: R region, S new sector, P sector of the table to split.  Money million USD a year.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_goods_balance import Nesting, sum_children
from carbonray.data.build_goods_figures import by_region, rule
from carbonray.data.errors import DataError
from carbonray.worlds.cbam.economy import PARENT_SECTOR, Economy

Array = NDArray[np.float64]
Parts = dict[str, pd.Series]

FUELS = ("MIN", "REF", "ELE")  # gas and coal come from mines, refineries and the grid
ORES = ("MIN", "REF")


def bought_by(economy: Economy) -> Array:
    """[P, R, P] purchases of a good from all origins by region and sector of use."""
    regions, sectors = len(economy.regions), len(economy.sectors)
    return np.asarray(economy.transactions.reshape(regions, sectors, regions, sectors).sum(0))


def physical_costs(
    regions: tuple[str, ...], parts: Parts, prices: dict[str, float]
) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Good -> sectors that deliver its requirement, and what it costs [R]: power, fuel, or ore and coal.

    The declared prices of inputs move with the price of the good.
    """
    mt = {name: part.to_numpy(dtype=np.float64) / 1e6 for name, part in parts.items()}
    power = mt["primary"] * by_region("power_primary_aluminium", regions)
    power = power + mt["recycled"] * by_region("power_recycled_aluminium", regions)
    fuel = mt["ammonia"] * by_region("fuel_ammonia", regions) + mt["hydrogen"] * by_region("fuel_hydrogen", regions)
    ore = by_region("share_bf_bof", regions) * by_region("ore_and_coal_bf_bof", regions)
    ore = mt["STL"] * (ore + by_region("share_dri_eaf", regions) * by_region("ore_dri_eaf", regions))
    return {
        "ALU": (("ELE",), power * by_region("power_price", regions) * prices["ALU"]),
        "FER": (FUELS, fuel * by_region("fuel_price", regions) * prices["FER"]),
        "STL": (ORES, ore * prices["STL"]),
    }


def requirements(economy: Economy, nesting: Nesting, parts: Parts, prices: dict[str, float]) -> Array:
    """[R, P, S] share of the parent's purchase that a good physically needs, NaN where nothing is required.

    At most a declared share of what the parent buys.
    """
    bought, sectors = bought_by(economy), nesting.sectors
    shares = np.full((len(economy.regions), len(economy.sectors), len(sectors)), np.nan)
    for good, (sellers, money) in physical_costs(economy.regions, parts, prices).items():
        rows = [economy.sectors.index(seller) for seller in sellers]
        have = bought[rows][:, :, economy.sectors.index(PARENT_SECTOR[good])].sum(0)
        share = np.minimum(money / have, rule("input_share_limit"))
        shares[:, rows, sectors.index(good)] = share[:, None]
    return shares


def inputs_of(economy: Economy, nesting: Nesting, *, output: Array, held: Array) -> tuple[Array, Array]:
    """[R, S] intermediate inputs of the new cells, and requirements that fit into them.

    Value added is the parent's, shared by output times a declared ratio; requirements are at most a declared share of
    all inputs.

    Raises:
        DataError: value added of a new cell is below a declared share of its output.
    """
    ratio = np.array([rule(f"value_added_ratio_{s}") if s in PARENT_SECTOR else 1.0 for s in nesting.sectors])
    weight = output * ratio
    floor = rule("value_added_floor")
    whole = economy.value_added.reshape(len(economy.regions), -1)[:, nesting.parent]
    inputs = output - whole * weight / sum_children(weight, nesting)[:, nesting.parent]
    for region, sector in np.argwhere(output - inputs < floor * output):
        share = 1.0 - inputs[region, sector] / output[region, sector]
        name = f"{economy.regions[region]}-{nesting.sectors[sector]}"
        raise DataError(f"goods: {name}: value added is {share:.3f} of output; it must be at least {floor:g}")
    required = np.nansum(np.moveaxis(bought_by(economy)[:, :, nesting.parent], 0, 1) * held, axis=1)
    most = rule("held_share_limit") * inputs
    scale = np.minimum(1.0, np.divide(most, required, out=np.ones_like(most), where=required > 0))
    return inputs, held * scale[:, None, :]
