"""Carbon of carrying goods between regions: distance, how goods travel, and what a tonne is worth.

Axes: R region of origin, D region of destination.  Distances km, factors kg CO2e / tonne-km, values USD of 2011 / t.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.data.build_economy import CO2_COUNTRIES, Frames, Grouping, read_csv, read_grouping
from carbonray.data.build_history import OWID
from carbonray.data.errors import DataError
from carbonray.data.resources_freight import ECONOMIES

Array = NDArray[np.float64]

DISTANCES = "distance/cepii_geodist.csv.gz"
FACTORS = "distance/desnz2025_freight_factors.csv"
RAW_FILES = (DISTANCES, FACTORS, OWID)
DECLARED = Path(__file__).parent / "declared"

YEAR = 2011
REST = "ROW"
AIR = "air"
VALUE = "usd_per_tonne"
ROAD_AND_RAIL = "road and rail"


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A way to carry a tonne."""

    factor: float  # kg CO2e / tonne-km
    detour: float  # route / great circle; ships have the detour of the pair of regions on top


@dataclass(frozen=True, kw_only=True)
class Route:
    """How goods go between two regions, either way."""

    km: float  # great circle
    sea_detour: float
    land_share: float = 0.0  # of tonnes
    rail_share: float = 0.0  # of tonnes on land


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """What a sector's goods are worth, and the ships and aircraft that carry them where no land joins."""

    usd_per_tonne: float
    overseas: Mapping[str, float]  # mode -> share of tonnes, summing to 1


@dataclass(frozen=True, kw_only=True)
class Carriage:
    """A tonne's way from one region to another."""

    kg_per_tonne: float
    km: float  # mean length of the routes
    mode: str  # of most tonnes


def carriage(route: Route, cargo: Cargo, modes: Mapping[str, Mode]) -> Carriage:
    """Carbon of a tonne: sum over modes of its share x kilometres x factor."""
    shares = {
        "road": route.land_share * (1 - route.rail_share),
        "rail": route.land_share * route.rail_share,
        **{mode: (1 - route.land_share) * share for mode, share in cargo.overseas.items()},
    }
    ships = {mode for mode in cargo.overseas if mode != AIR}
    km = {m: route.km * modes[m].detour * (route.sea_detour if m in ships else 1.0) for m in shares}
    overseas = max(cargo.overseas, key=lambda mode: cargo.overseas[mode])
    return Carriage(
        kg_per_tonne=sum(share * km[mode] * modes[mode].factor for mode, share in shares.items()),
        km=sum(share * km[mode] for mode, share in shares.items()),
        mode=ROAD_AND_RAIL if route.land_share > 0.5 else overseas,
    )


def distances(raw: Path, grouping: Grouping) -> pd.DataFrame:
    """[R, D] km between regions: harmonic mean over pairs of countries, weighted by both GDPs of 2011.

    1 / km = sum_ij w_i w_j / d_ij: with trade proportional to w_i w_j / d_ij, this is the mean distance of trade.
    """
    table = pd.read_csv(raw / DISTANCES, keep_default_na=False, na_values={"distw": [""]})
    weight = _gdp(raw)
    known = table[table["iso_o"].isin(weight.index) & table["iso_d"].isin(weight.index) & table["distw"].notna()]
    region_of = {CO2_RENAMED.get(code, code): region for code, region in grouping.region_of.items()}
    sides = [known[side].map(region_of).fillna(REST) for side in ("iso_o", "iso_d")]
    product = known["iso_o"].map(weight) * known["iso_d"].map(weight)
    keys = [sides[0].rename("from_region"), sides[1].rename("to_region")]
    near = (product / known["distw"]).groupby(keys).sum()
    found = (product.groupby(keys).sum() / near).unstack()
    regions = list(grouping.regions["region"])
    missing = [code for code in regions if code not in found.index]
    if missing:
        raise DataError(f"{DISTANCES}: region {missing[0]} has no country with a distance and a GDP")
    return found.loc[regions, regions]


CO2_RENAMED = {old: new for new, old in CO2_COUNTRIES.items() if old != "RoW"}
"""WIOD's code of a country -> its present ISO code."""


def _gdp(raw: Path) -> "pd.Series[float]":
    table = pd.read_csv(raw / OWID, keep_default_na=False, na_values={"gdp": [""]})
    rows = table[(table["year"] == YEAR) & (table["iso_code"].str.len() == 3) & table["gdp"].notna()]
    return rows.set_index("iso_code")["gdp"].astype(float)


def read_modes(raw: Path) -> dict[str, Mode]:
    """Each mode with its published factor and declared detour.

    Raises:
        DataError: a mode's row is not in the published table.
    """
    factors = read_csv(raw, FACTORS)
    keys = ["mode", "class", "size", "load_or_fuel"]
    for key in keys:
        factors[key] = factors[key].str.strip()
    by_row = factors.set_index(keys)["kg_co2e_per_tonne_km"]
    modes = {}
    for row in _declared("freight_modes.csv").itertuples():
        wanted = (str(row.factor_of), str(row[3]), str(row.size_), str(row.load))
        if wanted not in by_row.index:
            raise DataError(f"{FACTORS}: {' / '.join(part for part in wanted if part)} is missing; {row.mode} needs it")
        modes[str(row.mode)] = Mode(factor=float(by_row[wanted]), detour=float(str(row.detour)))
    return modes


def read_routes(km: pd.DataFrame) -> dict[tuple[str, str], Route]:
    """Declared routes between every two regions, both ways.

    Raises:
        DataError: a pair of regions has no sea detour.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in _declared("freight_routes.csv").itertuples():
        pair = (str(row.from_region), str(row.to_region))
        for way in (pair, pair[::-1]):
            found.setdefault(way, {})[str(row.quantity)] = float(str(row.value))
    pairs = [(a, b) for a in km.index for b in km.columns if a != b]
    for pair in pairs:
        if "sea_detour" not in found.get(pair, {}):
            raise DataError(f"declared/freight_routes.csv: {pair[0]}-{pair[1]} has no sea_detour; every pair needs one")
    return {pair: Route(km=float(km.loc[pair]), **found[pair]) for pair in pairs}


def read_cargo() -> dict[str, Cargo]:
    """Declared cargo of each sector that makes goods.

    Raises:
        DataError: the shares of a sector's modes do not sum to one.
    """
    cargo = {}
    for sector, rows in _declared("freight_sectors.csv").groupby("sector", sort=False):
        values = {str(name): float(value) for name, value in zip(rows["quantity"], rows["value"], strict=True)}
        worth = values.pop(VALUE)
        if abs(sum(values.values()) - 1) > 1e-9:
            raise DataError(
                f"declared/freight_sectors.csv: {sector}: shares sum to {sum(values.values()):g}; must be 1"
            )
        cargo[str(sector)] = Cargo(usd_per_tonne=worth, overseas=values)
    return cargo


def _declared(file: str) -> pd.DataFrame:
    table = pd.read_csv(DECLARED / file, keep_default_na=False)
    return table.rename(columns={"size": "size_"})  # a frame has a size of its own


def freight_table(
    sectors: list[str],
    routes: Mapping[tuple[str, str], Route],
    modes: Mapping[str, Mode],
    *,
    cargo: Mapping[str, Cargo],
    unit_values: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """The table of an economy: a row for each good and pair of regions.

    Args:
        sectors: of the economy; those without cargo have no row.
        routes: by origin and destination.
        modes: by name.
        cargo: by sector.
        unit_values: USD of 2011 / t by region and sector, where the economy has them.
    """
    rows = []
    for (origin, destination), route in routes.items():
        for sector in sectors:
            if sector in cargo:
                way = carriage(route, cargo[sector], modes)
                worth = unit_values.get((origin, sector), cargo[sector].usd_per_tonne)
                per_usd = round(way.kg_per_tonne / worth, 9)
                rows.append((origin, sector, destination, per_usd, float(round(way.km)), way.mode))
    columns = ["from_region", "from_sector", "to_region", "kg_per_usd", "km", "mode"]
    return pd.DataFrame(rows, columns=columns)


def build_freight(raw: Path, frames: Frames) -> Frames:
    """The table `freight` of each economy that the other builders made.

    Args:
        raw: folder with the raw tables.
        frames: with `ECONOMY-cells`, and `ECONOMY-goods` where goods are counted in tonnes.
    """
    modes, cargo = read_modes(raw), read_cargo()
    routes = read_routes(distances(raw, read_grouping(raw)))
    found = {}
    for economy in ECONOMIES:
        sectors = [str(code) for code in frames[f"{economy}-cells"]["sector"].unique()]
        worth = _unit_values(frames.get(f"{economy}-goods"))
        found[f"{economy}-freight"] = freight_table(sectors, routes, modes, cargo=cargo, unit_values=worth)
    return found


def _unit_values(goods: pd.DataFrame | None) -> dict[tuple[str, str], float]:
    if goods is None:
        return {}
    keys = zip(goods["region"].astype(str), goods["sector"].astype(str), strict=True)
    return {key: float(value) for key, value in zip(keys, goods["unit_value_usd_t"], strict=True) if value > 0}
