"""Run the model through history and read off what it says of each observed series.

Axes: Y year, C cell (region, sector), region-major; R region; J buyer (C cells, then R final demands).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.backtest.drivers import Parameters, observed_intensity, scenario_of, with_intensity
from carbonray.backtest.metrics import Array
from carbonray.backtest.record import HOME, Record, Series, yearly_values
from carbonray.config import Scenario
from carbonray.data.worlds import build_world, supply_graph
from carbonray.kpi.history import History, yearly
from carbonray.runtime import inprocess
from carbonray.runtime.pair import play_of
from carbonray.runtime.recorder import history as history_of
from carbonray.runtime.shard import untold
from carbonray.worlds.cbam.economy import Economy


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run says year by year, before it is brought to the level of an observed series."""

    first: int
    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    sales_home: Array  # [Y, C] sold to buyers in the EU and the United Kingdom, million USD of the base year
    net_import: Array  # [Y, R] Mt CO2 embodied in imports less exports
    emissions: Array  # [Y, C] Mt CO2
    output: Array  # [Y, C] million USD of the base year at base prices

    def by_year(self, values: Array) -> dict[int, float]:
        """[Y] values by calendar year."""
        return {self.first + at: float(value) for at, value in enumerate(values)}

    def cell(self, region: str, sector: str) -> int:
        """Place of a cell."""
        return self.regions.index(region) * len(self.sectors) + self.sectors.index(sector)


def history(
    record: Record, economy: Economy, parameters: Parameters, *, last: int, firms: int, seed: int = 0
) -> Scenario:
    """The scenario of a hindcast from the economy's year to the last, with everything observed in it.

    Two passes: output first, then the intensities at which that output emits what was emitted.
    """
    plain = scenario_of(record, economy, parameters, last=last, firms=firms, seed=seed)
    output = pd.DataFrame(without_policy(plain, economy).output, columns=list(economy.cells))
    output.index = pd.RangeIndex(economy.year, last + 1)
    return with_intensity(plain, observed_intensity(record, economy, output))


def without_policy(scenario: Scenario, economy: Economy) -> Told:
    """Simulate only the reference run of a scenario, which takes half the time."""
    scenario = scenario.reference()
    with inprocess.threads(1):
        world = build_world(scenario, economy, supply_graph(economy, scenario))
    played = inprocess.IN_PROCESS.play(play_of(scenario, [world], record_firms=False), untold)
    (kept,) = played.kept
    if played.interrupted:
        raise KeyboardInterrupt
    return told(economy, history_of(kept, [ids["firm"] for ids in played.ids], kept[0].years), economy.year)


def told(economy: Economy, run: History, first: int) -> Told:
    """Read off one side of a run that begins in the year `first`.

    The first year is the table's own: in the run, paths begin to move in its middle.
    """
    here = np.isin(economy.regions, HOME)
    emissions = yearly(run.emissions).mean(1)
    emissions[0] = economy.emissions
    output = yearly(run.output).mean(1)
    output[0] = economy.output
    table = np.hstack([economy.transactions, economy.final_demand])
    sales = run.value.mean(1)[:, :, here].sum(2)
    buyer_here = np.concatenate([np.repeat(here, len(economy.sectors)), here])
    sales[0] = table[:, buyer_here].sum(1)
    purchases = [table, *run.purchases[1:]]
    return Told(
        first=first,
        regions=economy.regions,
        sectors=economy.sectors,
        sales_home=sales,
        net_import=np.stack([net_import(bought, made) for bought, made in zip(purchases, emissions, strict=True)]),
        emissions=emissions,
        output=output,
    )


def net_import(purchases: Array, emissions: Array) -> Array:
    """[R] Mt CO2 embodied in imports less exports: consumption-based less production-based emissions.

    m (I - A) = e,  consumption_d = sum_o m_o F_od   (Miller and Blair 2009, chapter 10; volumes at base prices)

    Args:
        purchases: [C, J] what each buyer bought of each product in a year.
        emissions: [C] Mt CO2 of the year.
    """
    cells = len(purchases)
    sold = purchases.sum(1)
    coefficients = purchases[:, :cells] / sold
    embodied = np.linalg.solve((np.eye(cells) - coefficients).T, emissions / sold)
    consumed = embodied @ purchases[:, cells:]
    return np.asarray(consumed - emissions.reshape(len(consumed), -1).sum(1))


def index_of(said: Told, series: Series, volumes: Mapping[int, float]) -> dict[int, float]:
    """What a run says of a series, in its own unit: only its movement is compared.

    Args:
        said: the run.
        series: which outcome.
        volumes: real GDP over GDP in dollars of the EU, by year: from dollars to physical volumes.
    """
    if series.group == "embodied":
        places = [said.regions.index(region) for region in series.region.split("+")]
        return said.by_year(said.net_import[:, places].sum(1))
    if series.group == "trade":
        abroad = [region for region in said.regions if region not in HOME]
        origins = {"extra-EU": abroad, "EU-made": list(HOME)}.get(series.origin, [series.origin])
        places = [said.cell(origin, series.sector) for origin in origins]
        return said.by_year(said.sales_home[:, places].sum(1))
    place = said.cell(series.region, series.sector)
    if series.group == "ets":
        return said.by_year(said.emissions[:, place])
    made = said.by_year(said.output[:, place])
    return {year: value * volumes[year] for year, value in made.items()}


def forecast(said: Told, series: Series, volumes: Mapping[int, float], trend: float = 0.0) -> dict[int, float]:
    """What a run says of a series, at the observed level of its anchor.

    forecast_y = anchor * index_y / index_anchor * exp(trend (y - anchor year))

    Published levels of embodied carbon differ by 15-20 % between vintages, so the level is not what is tested.

    Args:
        said, series, volumes: as `index_of`.
        trend: growth a year of tonnes per real dollar, fitted on the early years; zero for series in dollars or CO2.
    """
    index = index_of(said, series, volumes)
    base = float(np.mean([index[year] for year in series.anchor_years]))
    middle = float(np.mean(series.anchor_years))
    return {
        year: series.anchor * index[year] / base * float(np.exp(trend * (year - middle)))
        for year in series.test_years
        if year in index
    }


def volumes_of(record: Record, region: str = "EU26") -> dict[int, float]:
    """Real GDP over GDP in constant dollars, by year: what a dollar of output is in volume."""
    ratio = record.real_gdp[region] / (record.gdp[region] / record.deflator)
    return yearly_values(ratio)
