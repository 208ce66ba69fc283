"""How wrong an aged table is where the true one is known, beside two naive yardsticks.

Axes: C cell (region, sector), region-major; R region; S sector.  Money million USD of 2011, mass Mt CO2; both a year.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.tables import load_table
from carbonray.worlds.cbam.economy import PARENT_SECTOR, Economy

Array = NDArray[np.float64]

HOME = "EU26"
GOODS = {"MET": "metals", "NMM": "minerals", "CHE": "chemicals"}
AGED = "aged"
GROWN = "world growth"
METHODS = (AGED, "unchanged", GROWN)
MUSD = "million USD of 2011 a year"
MT = "Mt CO2 a year"


def ageing_error() -> pd.DataFrame:
    """The table `ageing-error`: the table of 2000 aged to 2011 against the true one, beside naive yardsticks.

    Returns:
        One row for each quantity and method, with error_percent, the sums estimate and truth, and their unit.
    Raises:
        DataError: the table is missing or changed.
    """
    return load_table("ageing-error")


def ageing_text(errors: pd.DataFrame | None = None) -> str:
    """The errors as a small table in text, one line for each quantity, in per cent.

    Args:
        errors: as `ageing_error` gives them, and those if left out.
    """
    table = ageing_error() if errors is None else errors
    wide = table.pivot_table(index="quantity", columns="method", values="error_percent", sort=False)
    width = max(len(name) for name in wide.index)
    columns = [f"{method:>14}" for method in METHODS]
    lines = [f"{'error in per cent, 2000 aged to 2011':<{width}}" + "".join(columns)]
    for name, row in wide.iterrows():
        lines.append(f"{name!s:<{width}}" + "".join(f"{row[method]:14.1f}" for method in METHODS))
    loses = [str(name) for name, row in wide.iterrows() if row[METHODS[0]] > row.min()]
    lines += [
        "Error: sum of the absolute differences from the true table of 2011 over its sum.",
        f"Worse than a simpler way in: {'; '.join(loses) or 'nothing'}.",
    ]
    return "\n".join(lines)


def errors(*, aged: Economy, before: Economy, truth: Economy) -> pd.DataFrame:
    """Compare the aged table, the old one, and the old one grown as the world did, with the true one.

    error = 100 sum |estimate - truth| / sum truth      (weighted absolute percentage error over the entries)

    Args:
        aged: the old table aged to the year of the true one.
        before: the old table, in the same money, with the same regions and sectors as the true one.
        truth: the table of that year.
    """
    growth = aged.value_added.sum() / before.value_added.sum()
    grown = replace(
        before,
        transactions=before.transactions * growth,
        final_demand=before.final_demand * growth,
        emissions=before.emissions * (aged.emissions.sum() / before.emissions.sum()),
    )
    actual = dict(quantities(truth))
    rows = []
    for method, economy in zip(METHODS, (aged, before, grown), strict=True):
        for (quantity, unit), values in quantities(economy):
            true = actual[quantity, unit]
            percent = 100.0 * np.abs(values - true).sum() / np.abs(true).sum()
            rows.append((quantity, method, percent, values.sum(), true.sum(), unit))
    columns = ["quantity", "method", "error_percent", "estimate", "truth", "unit"]
    return pd.DataFrame(rows, columns=columns)


def quantities(economy: Economy) -> Iterator[tuple[tuple[str, str], Array]]:
    """What is compared: name and unit, and the entries."""
    regions, sectors = len(economy.regions), len(economy.sectors)
    sales = deliveries(economy)
    abroad = np.repeat(np.arange(regions), sectors)[:, None] != np.arange(regions)
    home = economy.regions.index(HOME)
    yield ("value added by region", MUSD), economy.value_added.reshape(regions, -1).sum(1)
    yield ("output by cell", MUSD), economy.output
    yield ("final demand", MUSD), economy.final_demand
    yield ("intermediate flows", MUSD), economy.transactions
    yield ("flows between regions", MUSD), sales[abroad]
    for good, words in GOODS.items():
        bought = sales[:, home].reshape(regions, sectors)[:, economy.sectors.index(good)]
        yield (f"EU26 purchases of {words} by origin", MUSD), bought
        yield (f"EU26 imports of {words} by origin", MUSD), np.delete(bought, home)
    yield ("EU26 net imports of embodied CO2", MT), np.array([net_embodied(economy, home)])
    yield ("CO2 by cell", MT), economy.emissions


def deliveries(economy: Economy) -> Array:
    """[C, R] what each cell sells to the cells and the final demand of each region."""
    regions = len(economy.regions)
    return np.asarray(economy.transactions.reshape(-1, regions, len(economy.sectors)).sum(2) + economy.final_demand)


def net_embodied(economy: Economy, region: int) -> float:
    """Mt CO2 of what a region uses less Mt CO2 of what it makes, by the Leontief inverse; households left out."""
    output = np.maximum(economy.output, np.finfo(float).tiny)
    needed = np.linalg.solve(np.eye(output.size) - economy.transactions / output, economy.final_demand[:, region])
    made = economy.emissions.reshape(len(economy.regions), -1)[region].sum()
    return float((economy.emissions / output) @ needed - made)


def parents(economy: Economy) -> Economy:
    """The table with split sectors summed to their parents, goods in tonnes left out; itself if nothing is split."""
    names = [PARENT_SECTOR.get(sector, sector) for sector in economy.sectors]
    kept = tuple(dict.fromkeys(names))
    if len(kept) == len(names):
        return economy
    sums = np.eye(len(kept))[:, [kept.index(name) for name in names]]
    cells = np.kron(np.eye(len(economy.regions)), sums)
    return Economy(
        regions=economy.regions,
        sectors=kept,
        year=economy.year,
        transactions=cells @ economy.transactions @ cells.T,
        final_demand=cells @ economy.final_demand,
        emissions=cells @ economy.emissions,
    )
