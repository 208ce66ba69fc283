"""The tables of `goods_2011/`: the split economy, its goods in tonnes, what was declared for it, and the evidence.

Axes: C cell (region, sector), region-major; R region.  Money million USD of 2011, mass Mt CO2; both a year.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_economy import YEAR, Facts, Frames
from carbonray.data.build_goods import split
from carbonray.data.build_goods_check import COMEXT, evidence, steel_trade
from carbonray.data.build_goods_figures import parameters
from carbonray.data.economy_frames import economy_frames
from carbonray.data.goods_tonnes import goods_table
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

RAW_FILES = (COMEXT,)
"""Beside those of the law, of the history and of the vintage."""


def build_goods(raw: Path, world: Frames) -> tuple[Frames, Facts]:
    """The tables of `goods_2011/` and the figures of their method text.

    Args:
        raw: folder of raw tables.
        world: the tables of `world_2011/`.
    """
    economy = split(assembled(world), raw=raw)
    frames = {
        **tables(economy, f"goods-{YEAR}"),
        f"goods-{YEAR}-check": evidence(economy, raw),
        "goods-parameters": parameters(),
    }
    return frames, steel_trade(economy, raw)


def assembled(world: Frames) -> Economy:
    """The economy of the tables of `world_2011/`."""
    cells = world["world-2011-cells"]
    regions, sectors = tuple(cells["region"].unique()), tuple(cells["sector"].unique())
    index = pd.MultiIndex.from_frame(cells[["region", "sector"]])
    flat = {name: world[f"world-2011-{name}"] for name in ("transactions", "final-demand")}
    rows = {
        name: index.get_indexer(pd.MultiIndex.from_frame(frame[["from_region", "from_sector"]]))
        for name, frame in flat.items()
    }
    transactions, final_demand = np.zeros((len(cells), len(cells))), np.zeros((len(cells), len(regions)))
    users = index.get_indexer(pd.MultiIndex.from_frame(flat["transactions"][["to_region", "to_sector"]]))
    transactions[rows["transactions"], users] = flat["transactions"]["musd"]
    markets = pd.Index(regions).get_indexer(pd.Index(flat["final-demand"]["to_region"]))
    final_demand[rows["final-demand"], markets] = flat["final-demand"]["musd"]
    return Economy(
        regions=regions,
        sectors=sectors,
        year=YEAR,
        transactions=transactions,
        final_demand=final_demand,
        emissions=cells["mt_co2"].to_numpy(dtype=np.float64),
    )


def tables(economy: Economy, name: str) -> Frames:
    """The four tables of an economy with goods as `NAME-cells`, `-transactions`, `-final-demand`, `-goods`."""
    return {**economy_frames(economy, f"{name}-"), f"{name}-goods": goods_table(economy)}
