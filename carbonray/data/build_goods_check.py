"""Evidence on the split: implied intensities beside physical anchors and legal default values, shares, and trade.

Axes: C cell (region, sector), region-major; R region.  Tonnes and million USD a year.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_goods_emissions import anchored
from carbonray.data.build_goods_figures import GOODS
from carbonray.data.build_goods_inputs import FUELS, ORES
from carbonray.data.build_goods_production import basis, quantities
from carbonray.data.goods_tonnes import flow_tonnes, goods_table
from carbonray.data.vintage_observed import read
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

COMEXT = "trade/comext_hs72_eu27_2010_2024.csv.gz"
REQUIRED = {"STL": ORES, "ALU": ("ELE",), "CEM": FUELS, "FER": FUELS}
"""Sectors whose share in a good's cost is shown: ore and coal, power, fuel and power."""
PARTNERS = {"all": "Extra-EU27", "CHN": "China", "IND": "India", "RUS": "Russian Federation"}


def evidence(economy: Economy, raw: Path) -> pd.DataFrame:
    """One row for each good and region: what a tonne emits here, physically and by law; cost share; net exports."""
    goods = goods_table(economy)
    place = pd.Index(economy.cells).get_indexer(pd.Index(goods["region"] + "-" + goods["sector"]))
    sold = flow_tonnes(economy).reshape(len(economy.regions), len(economy.sectors), len(economy.regions))
    used = sold.sum(0).T.reshape(-1)
    at_home = np.einsum("rsr->rs", sold).reshape(-1)
    physical = anchor_table(economy, quantities(raw, economy.year))
    found = pd.DataFrame(
        {
            "region": goods["region"],
            "good": goods["sector"],
            "tonnes": goods["tonnes"],
            "basis": [basis(good, economy.year) for good in goods["sector"]],
            "implied_t_per_t": economy.emissions[place] * 1e6 / goods["tonnes"],
            "anchor_t_per_t": physical[place],
            "benchmark_t_per_t": goods["benchmark_t_per_t"],
            "default_value_t_per_t": goods["default_value_t_per_t"],
            "cost_share": cost_shares(economy)[place],
            "export_share": 1.0 - at_home[place] / goods["tonnes"],
            "net_export_t": goods["tonnes"] - used[place],
        }
    )
    return found.sort_values(["good", "region"], kind="stable").reset_index(drop=True)


def anchor_table(economy: Economy, parts: dict[str, pd.Series]) -> Array:
    """[C] t CO2 that a tonne of a good emits physically, NaN elsewhere."""
    table = np.full((len(economy.regions), len(economy.sectors)), np.nan)
    for good, emitted in anchored(parts).items():
        tonnes = parts[good].to_numpy(dtype=np.float64)
        where = tonnes > 0
        table[where, economy.sectors.index(good)] = emitted[where] * 1e6 / tonnes[where]
    return table.reshape(-1)


def cost_shares(economy: Economy) -> Array:
    """[C] share in a good's output of the inputs named in `REQUIRED`, NaN elsewhere."""
    regions, sectors = len(economy.regions), len(economy.sectors)
    bought = economy.transactions.reshape(regions, sectors, regions, sectors).sum(0)  # [s, d, t]
    shares = np.full((regions, sectors), np.nan)
    for good in GOODS:
        column = economy.sectors.index(good)
        rows = [economy.sectors.index(name) for name in REQUIRED[good]]
        shares[:, column] = bought[rows][:, :, column].sum(0) / economy.output.reshape(regions, sectors)[:, column]
    return shares.reshape(-1)


def steel_trade(economy: Economy, raw: Path) -> dict[str, float]:
    """Steel trade of the EU26 with the others in this table and in Comext (chapter 72, EU27 of today), Mt."""
    rows = read(raw, COMEXT)
    rows = rows[(rows["reporter"] == "EU27") & (rows["year"] == economy.year)]
    traded = dict(zip(zip(rows["partner"], rows["flow"], strict=True), rows["tonnes"].astype(float) / 1e6, strict=True))
    sold = flow_tonnes(economy).reshape(len(economy.regions), len(economy.sectors), len(economy.regions))
    home, steel = economy.regions.index("EU26"), sold[:, economy.sectors.index("STL")] / 1e6
    np.fill_diagonal(steel, 0.0)
    facts = {
        "goods_steel_export": float(steel[home].sum()),
        "goods_steel_export_comext": traded["Extra-EU27", "export"],
    }
    for region, partner in PARTNERS.items():
        found = steel[:, home].sum() if region == "all" else steel[economy.regions.index(region), home]
        facts[f"goods_steel_import_{region}"] = float(found)
        facts[f"goods_steel_import_{region}_comext"] = traded[partner, "import"]
    return facts
