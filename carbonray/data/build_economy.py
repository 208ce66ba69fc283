"""World table of 2011 from the raw WIOD table and the CO2 accounts of the JRC: 41 countries x 35 industries to 12 x 12.

Axes: C cell (region, sector), region-major; R region; K country-industry of the raw table.  Money million USD of 2011.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.economy_frames import economy_frames
from carbonray.data.errors import DataError
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
Frames = dict[str, pd.DataFrame]
Facts = dict[str, float]

TABLE = "wiod/wiot2013_2011.npz"
LABELS = "wiod/wiot2013_labels.csv.gz"
FINAL_LABELS = "wiod/wiot2013_final_demand_labels.csv"
REGION_MAP = "wiod/agg12_regions.csv"
SECTOR_MAP = "wiod/agg12_sectors.csv"
CO2_ACCOUNTS = "wiod/jrc_wiod_co2_accounts_2000_2016.csv.gz"
RAW_FILES = (TABLE, LABELS, FINAL_LABELS, REGION_MAP, SECTOR_MAP, CO2_ACCOUNTS)

YEAR = 2011
HOUSEHOLDS = "FC_HH"
# The CO2 accounts spell Romania by its present code and hold three countries that WIOD 2013 leaves in its rest.
CO2_COUNTRIES = {"ROU": "ROM", "CHE": "RoW", "NOR": "RoW", "HRV": "RoW"}


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """From the raw tables' countries and industries to the model's regions and sectors."""

    regions: pd.DataFrame  # region, description, countries
    sectors: pd.DataFrame  # sector, description, wiod_industries, nace2_codes

    @property
    def region_of(self) -> dict[str, str]:
        """Model region of each WIOD country."""
        rows = zip(self.regions["region"], self.regions["countries"], strict=True)
        return {country: region for region, countries in rows for country in countries.split()}

    def sector_of(self, column: str) -> dict[str, str]:
        """Model sector of each industry code listed in `column`."""
        rows = zip(self.sectors["sector"], self.sectors[column], strict=True)
        return {code: sector for sector, codes in rows for code in codes.split()}


def read_csv(raw: Path, file: str) -> pd.DataFrame:
    """Read a raw CSV; `NA` is Namibia, so only numbers may be empty."""
    return pd.read_csv(raw / file, keep_default_na=False, encoding="utf-8")


def read_grouping(raw: Path) -> Grouping:
    """Read the aggregation maps."""
    regions = read_csv(raw, REGION_MAP).rename(columns={"wiod2013_countries": "countries"})
    sectors = read_csv(raw, SECTOR_MAP)
    sectors = sectors.rename(columns={"wiod2013_industries": "wiod_industries", "jrc_nace2_codes": "nace2_codes"})
    return Grouping(regions=regions, sectors=sectors)


def mapped(codes: pd.Series, mapping: dict[str, str], file: str) -> pd.Series:
    """Translate codes; DataError names the first one without a translation."""
    result = codes.map(mapping)
    if result.isna().any():
        row = int(np.flatnonzero(result.isna())[0])
        raise DataError(f"{file}: row {row}: {codes.iloc[row]} is in no group of the aggregation maps")
    return result


def sum_groups(matrix: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """Sum the rows and columns of `matrix` by group number."""
    by_row = np.zeros((int(rows.max()) + 1, matrix.shape[1]))
    np.add.at(by_row, rows, matrix)
    result = np.zeros((int(columns.max()) + 1, by_row.shape[0]))
    np.add.at(result, columns, by_row.T)
    return result.T


def aggregate(raw: Path, grouping: Grouping, *, year: int = YEAR) -> tuple[Array, Array]:
    """Intermediate use [C, C] and final demand [C, R] of a year, inventories netted, nothing clipped yet."""
    regions, sectors = list(grouping.regions["region"]), list(grouping.sectors["sector"])
    labels, final_labels = read_csv(raw, LABELS), read_csv(raw, FINAL_LABELS)
    row_region = pd.Index(regions).get_indexer(mapped(labels["country"], grouping.region_of, LABELS))
    row_sector = pd.Index(sectors).get_indexer(
        mapped(labels["industry"], grouping.sector_of("wiod_industries"), LABELS)
    )
    column_region = pd.Index(regions).get_indexer(mapped(final_labels["country"], grouping.region_of, FINAL_LABELS))
    cell = row_region * len(sectors) + row_sector
    with np.load(raw / TABLE.replace(str(YEAR), str(year))) as table:
        transactions, final_demand = table["Z"].astype(np.float64), table["F"].astype(np.float64)
    return sum_groups(transactions, cell, cell), sum_groups(final_demand, cell, column_region)


def emissions(raw: Path, grouping: Grouping, *, year: int = YEAR) -> tuple[pd.Series, pd.Series]:
    """Mt CO2 of a year by (region, sector), and of households by region."""
    accounts = read_csv(raw, CO2_ACCOUNTS)
    accounts = accounts[accounts["year"] == year].reset_index(drop=True)
    region = mapped(accounts["country"].replace(CO2_COUNTRIES), grouping.region_of, CO2_ACCOUNTS)
    sectors = {**grouping.sector_of("nace2_codes"), HOUSEHOLDS: HOUSEHOLDS}
    sector = mapped(accounts["sector"], sectors, CO2_ACCOUNTS)
    total = accounts["kt_co2"].groupby([region.rename("region"), sector.rename("sector")]).sum() / 1000.0
    households = total.xs(HOUSEHOLDS, level="sector")
    return total.drop(HOUSEHOLDS, level="sector"), households


def clip_negatives(matrix: Array) -> tuple[Array, int, float]:
    """Set negative entries to zero; also their number and their sum (million USD, positive)."""
    negative = np.minimum(matrix, 0.0)
    return np.maximum(matrix, 0.0), int(np.count_nonzero(negative)), float(-negative.sum())


def build_world(raw: Path) -> tuple[Frames, Facts]:
    """The tables of `world_2011/` and the figures of their method text.

    Conventions: inventories netted into final demand, then negatives clipped, then output := row sums, so that supply
    equals use exactly; value added is the residual.
    """
    grouping = read_grouping(raw)
    transactions, final_demand = aggregate(raw, grouping)
    transactions, cells_z, clipped_z = clip_negatives(transactions)
    final_demand, cells_f, clipped_f = clip_negatives(final_demand)
    production, households = emissions(raw, grouping)
    regions, sectors = tuple(grouping.regions["region"]), tuple(grouping.sectors["sector"])
    economy = Economy(
        regions=regions,
        sectors=sectors,
        year=YEAR,
        transactions=transactions,
        final_demand=final_demand,
        emissions=production.reindex(pd.MultiIndex.from_product([regions, sectors])).to_numpy(),
    )
    frames = {
        **economy_frames(economy, "world-2011-"),
        "world-2011-households": households.reindex(grouping.regions["region"]).rename("mt_co2").reset_index(),
        "world-2011-regions": grouping.regions,
        "world-2011-sectors": grouping.sectors,
    }
    return frames, {"clipped_cells": cells_z + cells_f, "clipped_busd": (clipped_z + clipped_f) / 1000.0}
