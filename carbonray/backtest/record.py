"""What was observed, 1995-2022: drivers that a hindcast may know, and outcomes that it must foretell.

The record can be cut: `until(2004)` holds nothing of a later year, neither drivers nor outcomes, and is all that the
calibration gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from carbonray.data.errors import DataError
from carbonray.data.tables import load_prices, load_table

SPLIT = 2004
"""Last year that the calibration may read; the forecast starts from its table."""
FIRST = 1995
LAST = 2022
HOME = ("EU26", "GBR")
"""Regions under the EU ETS; the United Kingdom's own scheme from 2021 kept a like price."""
GOODS = ("MET", "NMM", "CHE")
"""Metals, minerals, chemicals: what is followed by origin."""
ETS_SECTORS = {
    "iron_steel": ("MET", "iron and steel"),
    "cement": ("NMM", "cement and lime"),
    "refining": ("REF", "refining"),
    "combustion": ("ELE", "combustion (power and heat)"),
}
"""Sectors of the transaction log that report from 2005: the model's sector that stands for them, and their name."""
CHEMICALS = ("fertiliser", "hydrogen")
PHASE_ONE = (2005, 2006, 2007)
Totals = Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One observed series and how it is forecast."""

    key: str
    group: str  # trade, embodied, ets or production
    label: str
    unit: str
    observed: Mapping[int, float]  # by year
    anchor_years: tuple[int, ...]  # whose mean the forecasts start from
    region: str = "EU26"  # of the total that the constant share is of
    share_of: str = "co2"  # that total: co2, dollars or volume
    sector: str = ""  # model sector
    origin: str = ""  # model region of origin, `extra-EU` or `` for all
    pooled: bool = True  # whether it counts in the pooled figures
    given: bool = False  # whether a driver all but gives it away

    @property
    def anchor(self) -> float:
        """The value that every forecast starts from."""
        return float(np.mean([self.observed[year] for year in self.anchor_years]))

    @property
    def test_years(self) -> tuple[int, ...]:
        """Observed years after the anchor."""
        return tuple(year for year in sorted(self.observed) if year > max(self.anchor_years))


@dataclass(frozen=True, kw_only=True)
class Record:
    """Drivers by year (rows) and region (columns), and outcome series."""

    gdp: pd.DataFrame  # million USD of the year
    real_gdp: pd.DataFrame  # million international USD of 2011
    co2: pd.DataFrame  # Mt
    power_co2: pd.DataFrame  # Mt, NaN before 2000
    deflator: pd.Series  # price level of the United States
    usd_per_euro: pd.Series
    allowance: pd.Series  # EUR / t, yearly mean
    series: tuple[Series, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)  # row left out -> why

    def until(self, year: int) -> "Record":
        """The record as it stood at the end of a year: later figures are not in it."""
        frames = ("gdp", "real_gdp", "co2", "power_co2", "deflator", "usd_per_euro", "allowance")
        cut = {name: getattr(self, name).loc[lambda table: table.index <= year] for name in frames}
        series = tuple(
            replace(one, observed={at: value for at, value in one.observed.items() if at <= year})
            for one in self.series
        )
        return replace(self, series=series, **cut)

    def constant_dollars(self, values: pd.DataFrame | pd.Series, base: int) -> pd.DataFrame:
        """Figures in USD of each year as USD of the base year, by the price level of the United States."""
        return pd.DataFrame(values).mul(self.deflator.loc[base] / self.deflator, axis=0).dropna(how="all")

    def find(self, key: str) -> Series:
        """A series by its key."""
        return next(one for one in self.series if one.key == key)


def load_record(raw: Path | None = None) -> Record:
    """Load everything that was observed.

    Args:
        raw: folder of the raw tables for the series that may not be shipped; without it their rows are skipped.

    Raises:
        DataError: a table is missing or changed.
    """
    regions, money = load_table("history-regions"), load_table("history-money")
    prices = load_prices()
    prices = prices[(prices["kind"] == "allowance") & (prices["year"] <= LAST)]

    def wide(column: str) -> pd.DataFrame:
        return regions.pivot(index="year", columns="region", values=column)

    def money_of(name: str) -> pd.Series:
        return money[money["name"] == name].set_index("year")["value"]

    record = Record(
        gdp=wide("gdp_musd"),
        real_gdp=wide("real_gdp_musd"),
        co2=wide("mt_co2"),
        power_co2=wide("power_mt_co2"),
        deflator=money_of("us_deflator"),
        usd_per_euro=money_of("usd_per_euro"),
        allowance=prices.set_index("year")["eur_per_t"],
        series=(),
    )
    steel, skipped = _steel(raw)
    made = (*_trade(record), *_embodied(), *_ets(), *_production(), *steel)
    return replace(record, series=made, skipped=skipped)


def _trade(record: Record) -> list[Series]:
    """What the EU buys by origin, USD of 2004 billions."""
    table = load_table("history-eu-use").set_index(["sector", "origin", "year"])["musd"].unstack()
    use = table.mul(record.deflator.loc[SPLIT] / record.deflator.reindex(table.columns), axis=1) / 1000.0
    names = {"MET": "metals", "NMM": "minerals", "CHE": "chemicals"}
    found = []
    for good in GOODS:
        rows = use.loc[good]
        abroad = rows.drop(index=list(HOME)).sum()
        parts = {"extra-EU": abroad, **{str(origin): rows.loc[origin] for origin in rows.index if origin not in HOME}}
        parts["EU-made"] = rows.loc[list(HOME)].sum()
        for origin, values in parts.items():
            found.append(
                Series(
                    key=f"trade {good} {origin}",
                    group="trade",
                    label=f"{names[good]} bought in the EU, {origin}",
                    unit="billion USD of 2004",
                    observed=yearly_values(values),
                    anchor_years=(SPLIT,),
                    share_of="dollars",
                    sector=good,
                    origin=origin,
                    pooled=origin not in ("extra-EU", "EU-made"),
                )
            )
    return found


def _embodied() -> list[Series]:
    table = load_table("history-embodied")
    names = {"EU26": "EU-27 (without Croatia)", "EU26+GBR": "EU-27 and United Kingdom"}
    return [
        Series(
            key=f"embodied {area}",
            group="embodied",
            label=f"net embodied CO2 imports, {name}",
            unit="Mt CO2",
            observed=_by_year(table[table["area"] == area], "net_import_mt"),
            anchor_years=(SPLIT,),
            region=area,
        )
        for area, name in names.items()
    ]


def _ets() -> list[Series]:
    table = load_table("history-ets")
    found = [
        Series(
            key=f"ets {sector}",
            group="ets",
            label=f"ETS emissions, {name}",
            unit="Mt CO2",
            observed=_by_year(table[table["sector"] == sector], "linked_mt"),
            anchor_years=PHASE_ONE,
            sector=good,
            pooled=good != "ELE",
            given=good == "ELE",  # CO2 of power is a driver
        )
        for sector, (good, name) in ETS_SECTORS.items()
    ]
    chemicals = table[table["sector"].isin(CHEMICALS) & (table["year"] >= 2013)]
    sums = chemicals.groupby("year")[["verified_mt"]].sum().reset_index()
    found.append(
        Series(
            key="ets chemicals",
            group="ets",
            label="ETS emissions, fertiliser and hydrogen",
            unit="Mt CO2",
            observed=_by_year(sums, "verified_mt"),
            anchor_years=(2013,),
            sector="CHE",
        )
    )
    return found


def _production() -> list[Series]:
    table = load_table("history-production")
    sectors = {"cement": "NMM", "aluminium": "MET"}
    names = {"cement": "cement made in the EU-27", "aluminium": "primary aluminium made in the EU-27"}
    return [
        Series(
            key=f"production {good}",
            group="production",
            label=names[good],
            unit="Mt",
            observed={year: value / 1000.0 for year, value in _by_year(table[table["good"] == good], "kt").items()},
            anchor_years=(SPLIT,),
            share_of="volume",
            sector=sector,
        )
        for good, sector in sectors.items()
    ]


STEEL = "trade/backtest_eu27_annual_1990_2025.csv"


def _steel(raw: Path | None) -> tuple[list[Series], dict[str, str]]:
    """Crude steel, from a folder of raw tables: the publisher's terms allow no copy of the series."""
    if raw is None:
        return [], {"production steel": "worldsteel's series may not be passed on; give its folder with --raw"}
    if not (raw / STEEL).is_file():
        raise DataError(f"{raw.name}/{STEEL}: file is missing; leave --raw out to skip the rows that need it")
    table = pd.read_csv(raw / STEEL).dropna(subset=["eu27_crude_steel_mt"])
    values = _by_year(table[table["year"] <= LAST], "eu27_crude_steel_mt")
    return [
        Series(
            key="production steel",
            group="production",
            label="crude steel made in the EU-27",
            unit="Mt",
            observed=values,
            anchor_years=(SPLIT,),
            share_of="volume",
            sector="MET",
        )
    ], {}


def yearly_values(values: pd.Series) -> dict[int, float]:
    """A column indexed by year, without its gaps."""
    known = values.dropna()
    return dict(zip((int(year) for year in known.index.to_list()), known.to_numpy(dtype=float).tolist(), strict=True))


def _by_year(table: pd.DataFrame, column: str) -> dict[int, float]:
    return dict(zip(table["year"].astype(int), table[column].astype(float), strict=True))
