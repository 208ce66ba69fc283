"""An economy as the three tables that `economy_tables` reads."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]


def economy_frames(economy: Economy, prefix: str = "") -> dict[str, pd.DataFrame]:
    """`PREFIXcells`, `PREFIXtransactions` and `PREFIXfinal-demand`; flows of zero are left out."""
    index = pd.MultiIndex.from_product([economy.regions, economy.sectors])
    cells = index.to_frame(index=False, name=["region", "sector"])
    suppliers = cells.set_axis(["from_region", "from_sector"], axis=1)
    users = cells.set_axis(["to_region", "to_sector"], axis=1)
    markets = pd.DataFrame({"to_region": list(economy.regions)})
    return {
        f"{prefix}cells": cells.assign(
            output_musd=economy.output, value_added_musd=economy.value_added, mt_co2=economy.emissions
        ),
        f"{prefix}transactions": flows(economy.transactions, suppliers, users),
        f"{prefix}final-demand": flows(economy.final_demand, suppliers, markets),
    }


def flows(matrix: Array, rows: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Long table of the positive entries, row-major: labels of row and column, and `musd`."""
    row, column = np.nonzero(matrix)
    parts = [rows.iloc[row].reset_index(drop=True), columns.iloc[column].reset_index(drop=True)]
    return pd.concat(parts, axis=1).assign(musd=matrix[row, column])
