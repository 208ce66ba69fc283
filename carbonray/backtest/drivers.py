"""From observed drivers to the scenario of a hindcast.

Money is USD of the base year: GDP at current exchange rates over the price level of the United States.  So a path of
demand moves with exchange rates, and an intensity is CO2 per such dollar.  The allowance price of each year, EUR of
the day, is brought to the same money; abatement costs, stated in USD of 2011, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.backtest.record import HOME, Record, yearly_values
from carbonray.config import Abatement, Paths, Policy, Scenario
from carbonray.worlds.cbam.economy import Economy

PRICED = ("REF", "CHE", "NMM", "MET", "ELE")
POWER_FREE_UNTIL = 2012
"""Power got free allowances in the first two phases and none from 2013 (Directive 2009/29/EC, art. 10a(1))."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What is fitted on the early years."""

    size: float  # exponent of a region's weight on its share of world GDP in constant prices
    price_level: float  # and on its price level in dollars relative to the world's


def dollars(record: Record, base: int) -> pd.DataFrame:
    """[year, R] GDP in USD of the base year, relative to the base year."""
    table = record.constant_dollars(record.gdp, base)
    return table / table.loc[base]


def origin_weights(record: Record, base: int, parameters: Parameters) -> pd.DataFrame:
    """[year, R] weight of a region's goods: size to one power, price level to another, relative to the base year.

    w = (real GDP share)^theta (price level)^rho.  Krugman (1980): a region's varieties grow with its economy, so at
    given prices buyers everywhere spend a share on them that is proportional to it, theta = 1.  The price level is GDP
    in dollars over real GDP, relative to the world's: it moves with exchange rates.  A dear currency makes a region's
    goods dear: in value the weight of their price is one less the elasticity in the long run, and up to one before
    buyers have turned away.

    theta -> parameters.size;  rho -> parameters.price_level
    """
    size = record.real_gdp.div(record.real_gdp.sum(axis=1), axis=0)
    level = record.gdp.div(record.gdp.sum(axis=1), axis=0) / size
    return (size / size.loc[base]) ** parameters.size * (level / level.loc[base]) ** parameters.price_level


def observed_intensity(record: Record, economy: Economy, output: pd.DataFrame) -> dict[str, pd.Series]:
    """CO2 per unit of output relative to the base year, by region, and by cell where power has its own.

    So that a run without a price emits, region by region, what was emitted: observed CO2 over what the base year's
    intensities would make of the run's output.  Power: CO2 of generation; everything else: the region's other CO2.
    Before 2000 power is not known apart.

    Args:
        output: [year, cell] of a run with the same demand and weights, at base prices.
    """
    base = economy.year
    made = output / output.loc[base] * economy.emissions
    found: dict[str, pd.Series] = {}
    for region in economy.regions:
        cells = [f"{region}-{sector}" for sector in economy.sectors]
        emitted = float(made[cells].sum(axis=1).loc[base]) * record.co2[region] / record.co2[region].loc[base]
        power = record.power_co2[region] / record.power_co2[region].loc[base]
        if bool(power.isna().all()):
            found[region] = _ratio(emitted, made[cells].sum(axis=1))
            continue
        generation = f"{region}-ELE"
        generated = float(made[generation].loc[base]) * power
        found[region] = _ratio(emitted - generated, made[cells].drop(columns=generation).sum(axis=1))
        found[generation] = _ratio(generated, made[generation])
    return found


def _ratio(observed: pd.Series, made: pd.Series) -> pd.Series:
    return pd.Series((observed / made).dropna())


def allowance_price(record: Record, base: int) -> dict[int, float]:
    """Price of an allowance in USD of the base year, zero before there were any."""
    price = record.allowance * record.usd_per_euro * record.deflator.loc[base] / record.deflator
    return {base: 0.0} | yearly_values(price)


def abatement(record: Record, base: int, scenario: Scenario) -> dict[str, Abatement]:
    """Abatement costs in USD of the base year rather than of 2011; unchanged while there is no price to answer to."""
    known = {name: scenario.abatement.get(name, scenario.abatement_other) for name in PRICED}
    if record.allowance.empty:
        return known
    level = float(record.deflator.loc[base] / record.deflator.loc[2011])
    return {name: each.model_copy(update={"price": each.price * level}) for name, each in known.items()}


def abated(costs: Mapping[str, Abatement], price: Mapping[int, float]) -> pd.DataFrame:
    """[year, sector] share of emissions cut under a price: decided when it is worth it, in force a year later.

    m = m_max (p / P_b)^(1 / (k - 1)), never undone; P_b, m_max, k -> price, potential, exponent of `Abatement`.
    """
    years = sorted(price)
    shares = {}
    for sector, cost in costs.items():
        wanted = [min(cost.potential * (price[y] / cost.price) ** (1 / (cost.exponent - 1)), cost.cap) for y in years]
        decided = np.maximum.accumulate(wanted)
        shares[sector] = np.concatenate([[0.0], decided[:-1]])
    return pd.DataFrame(shares, index=years)


def scenario_of(
    record: Record,
    economy: Economy,
    parameters: Parameters,
    *,
    last: int,
    firms: int,
    seed: int = 0,
) -> Scenario:
    """The scenario of a hindcast without its intensities, which stay those of the base year."""
    base = economy.year
    blank = Scenario(name="backtest", start_year=base)
    money, weight = dollars(record, base), origin_weights(record, base, parameters)
    return Scenario(
        name="backtest",
        summary=f"History from {base} to {last}: observed GDP, carbon intensity and allowance price",
        economy=f"history-{base}",
        start_year=base,
        years=last - base + 1,
        seed=seed,
        home=HOME,
        policy=Policy(
            price=allowance_price(record, base),
            priced_sectors=PRICED,
            free_sectors=PRICED,
            free_allocation={POWER_FREE_UNTIL: 1.0, POWER_FREE_UNTIL + 1: 0.0},
            coverage={"ELE": 1.0},  # whose allocation follows `free_allocation`; other output keeps all of its own
            benchmark_share=1.0,
            indirect_sectors=(),
        ),
        growth={},
        paths=Paths(
            demand={region: path(money[region], base, last) for region in economy.regions},
            origin={region: path(weight[region], base, last) for region in economy.regions},
        ),
        abatement=abatement(record, base, blank),
        firms=blank.firms.model_copy(update={"number": firms, "intensity_trend": 0.0}),
    )


def with_intensity(scenario: Scenario, observed: Mapping[str, pd.Series]) -> Scenario:
    """The scenario with observed intensities.

    In sectors that paid for carbon at home the observed intensity already holds what the price did; without policy it
    was higher, by as much as the model cuts at that price.  So the run under the price emits per unit what was
    observed, and the reference run more.
    """
    base, last = scenario.start_year, scenario.start_year + scenario.years - 1
    cut = abated(scenario.abatement, scenario.policy.price)
    paths = {place: path(series, base, last) for place, series in observed.items()}
    for region in scenario.home:
        for sector in scenario.policy.priced_sectors:
            series = observed.get(f"{region}-{sector}", observed[region])
            without = series / (1 - cut[sector].reindex(series.index).fillna(0.0))
            paths[f"{region}-{sector}"] = path(without, base, last)
    return scenario.model_copy(update={"paths": scenario.paths.model_copy(update={"intensity": paths})})


HALF = 0.125
"""Weight of each neighbouring mid-year in a year's mean of four quarters on straight lines between mid-years."""


def path(yearly: pd.Series, base: int, last: int) -> dict[int, float]:
    """Mid-year knots whose straight lines have the given means over each year; one in the base year.

    mean_y = (1 - 2 h) k_y + h (k_{y-1} + k_{y+1}), the last year ending flat.  Without it a dip such as that of 2009
    would lose a quarter of its depth.
    """
    wanted = yearly.loc[base:last].to_numpy(dtype=float)
    size = len(wanted)
    system = (1 - 2 * HALF) * np.eye(size) + HALF * (np.eye(size, k=1) + np.eye(size, k=-1))
    system[-1, -1] += HALF
    system[0] = np.eye(size)[0]
    knots = np.linalg.solve(system, wanted)
    return {base + at: float(knot) for at, knot in enumerate(knots)}
