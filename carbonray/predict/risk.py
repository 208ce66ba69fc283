"""Which cells and plants of the home region leak most under a policy, and why.

Axes: C cell (region, sector), region-major; S sector; P partner, a region that is not home, in the economy's order;
N plant.  Money million USD of the base year, mass Mt CO2.

How much leaks in a sector, the caller knows from a simulation or a predictor.  Who it leaks from is judged here: output
leaves where carbon costs more than elsewhere in the same sector, and what leaves is made abroad with the partners'
carbon.  So a plant leaks by what it pays and makes, not by what it emits.  Where less is emitted abroad, as behind a
high border charge, all of a sector has a share in that.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.config import Scenario
from carbonray.data.names import region_name
from carbonray.data.placing import Placed
from carbonray.kpi.leakage import Leakage
from carbonray.predict.trade import AT_RISK, Mask, cheapest_origin, official_indicator, trade_exposure
from carbonray.runtime.equilibrium import CarbonCosts, carbon_costs
from carbonray.worlds.cbam.economy import Array, Economy
from carbonray.worlds.cbam.named_firms import LongArray, NamedFirms


@dataclass(frozen=True, kw_only=True)
class Impact:
    """What a policy does to an economy against its reference, in one year or cumulated."""

    foreign_increase: Array  # [P, S] Mt CO2
    home_reduction: Array  # [S] Mt CO2
    output_change: Array  # [S] share of the home region's output in the reference


def cell_risk(scenario: Scenario, economy: Economy, impact: Impact, year: int) -> pd.DataFrame:
    """One row for each cell of the home region, the one that leaks most first.

    leaked_mt: foreign increase of its sector, split over the cells that make it by what they pay.
    leakage_rate: of its sector; NaN where emissions at home do not fall.
    reappears_mt: the same of the partners where the sector's emissions rise, falls elsewhere left out: a charge at the
        border may take more from one partner than others win.
    reappears_in: partner where they rise most; empty where they rise nowhere.
    output_change_share: change of output, expected.
    carbon_cost_share: carbon price paid less free allowances, USD / USD of output at base prices; below zero where more
        is given than paid.  Intensity is the base year's times its trend, abated as far as the price pays
        (`carbon_costs`); where a benchmark follows the intensity of the year before, it is this one.
    abatement_cost_share: running cost of that abatement, on top.
    trade_exposure: (exports + imports) / (output + imports), with regions that are not home.
    official_indicator: of its sector in EU law, by the base year; official_at_risk: whether above 0.2.
    cheapest_origin: of those with 2 % of its region's imports of the good, the one whose delivered cost the policy
        raises least, the largest of equals; a carbon price at its place is paid in the reference too.
    cheapest_origin_charge: border charge on its goods, USD / USD; NaN where nothing is imported.
    reason: these figures in words.

    Raises:
        ScenarioError: if the year lies outside the scenario, or names are unknown.
        ValueError: if the impact is of other partners or sectors than the economy has.
    """
    home, n_sectors = np.isin(economy.regions, scenario.home), len(economy.sectors)
    _check(impact, int((~home).sum()), n_sectors)
    costs = carbon_costs(economy, scenario, year)
    cell = np.flatnonzero(home.repeat(n_sectors))
    sector = cell % n_sectors
    share, relative = _split(_burden(economy, costs)[cell], economy.output[cell], sector)
    whole = Leakage(home_reduction=impact.home_reduction, foreign_increase=impact.foreign_increase.sum(0))
    partners = np.array((*np.array(economy.regions)[~home], ""))
    most = np.where((impact.foreign_increase > 0).any(0), impact.foreign_increase.argmax(0), -1)
    table = pd.DataFrame(
        {
            "cell": np.array(economy.cells)[cell],
            "region": np.array(economy.regions)[cell // n_sectors],
            "sector": np.array(economy.sectors)[sector],
            "leaked_mt": share * whole.foreign_increase[sector],
            "reappears_mt": share * impact.foreign_increase.clip(0.0).sum(0)[sector],
            "leakage_rate": whole.rate[sector],
            "reappears_in": partners[most][sector],
            "output_change_share": _changed(impact.output_change[sector], relative),
            "carbon_cost_share": (costs.price * costs.intensity - costs.allocation)[cell],
            "abatement_cost_share": costs.abatement[cell],
            **{name: values[cell] for name, values in _market(economy, home, costs).items()},
        }
    )
    return _ranked(table)


def plant_risk(scenario: Scenario, economy: Economy, plants: Placed, impact: Impact, year: int) -> pd.DataFrame:
    """One row for each plant of the home region, the one that leaks most first.

    Columns are those of `cell_risk`, but its tonnes are its share of its cell's, and both costs are its own: its
    intensity moves like the mean of its cell, its free allowances are those of its cell times its own factor.  The
    rest of a cell, firms that nobody named, has what its plants leave.  output_musd is of the base year, inferred.

    Raises:
        ScenarioError: if the year lies outside the scenario, or names are unknown.
        ValueError: if the impact is of other partners or sectors than the economy has.
    """
    cells = cell_risk(scenario, economy, impact, year).drop(columns=["rank", "reason"]).set_index("cell")
    names, named = np.array(economy.cells), plants.named
    own = np.isin(names[named.cell], cells.index)
    costs = carbon_costs(economy, scenario, year)
    paid, spent = _costs_of(economy, costs, named)
    share, relative = _split_with_rest(economy, costs, named, paid + spent)
    of_cell = cells.loc[names[named.cell[own]]].reset_index()
    table = pd.concat([_listed(plants)[own].reset_index(drop=True), of_cell], axis=1)
    return _ranked(
        table.assign(
            leaked_mt=of_cell["leaked_mt"] * share[own],
            reappears_mt=of_cell["reappears_mt"] * share[own],
            output_change_share=_changed(of_cell["output_change_share"].to_numpy(), relative[own]),
            carbon_cost_share=paid[own],
            abatement_cost_share=spent[own],
        )
    )


def _check(impact: Impact, n_partners: int, n_sectors: int) -> None:
    shapes = {
        "foreign_increase": (n_partners, n_sectors),
        "home_reduction": (n_sectors,),
        "output_change": (n_sectors,),
    }
    for name, shape in shapes.items():
        found = np.shape(getattr(impact, name))
        if found != shape:
            raise ValueError(f"{name} has shape {found}; this economy and its partners need {shape}")


def _listed(plants: Placed) -> pd.DataFrame:
    """What a plant is called, and what it makes."""
    table = plants.table
    names = {"plant_id": "plant_id", "plant": "name", "company": "company", "country": "country"}
    return pd.DataFrame({new: table[old] for new, old in names.items()} | {"output_musd": plants.named.output})


def _burden(economy: Economy, costs: CarbonCosts) -> Array:
    """[C] what cells pay for carbon and to emit less, million USD a year."""
    return economy.output * (costs.price * costs.intensity - costs.allocation + costs.abatement)


def _costs_of(economy: Economy, costs: CarbonCosts, named: NamedFirms) -> tuple[Array, Array]:
    """[N] net carbon cost and cost of abatement of each plant, USD / USD of output."""
    cell = named.cell
    dirtier = named.intensity / (economy.emissions / economy.output)[cell]
    paid = dirtier * (costs.price * costs.intensity)[cell] - named.allocation * costs.allocation[cell]
    return paid, dirtier * costs.abatement[cell]


def _split_with_rest(economy: Economy, costs: CarbonCosts, named: NamedFirms, cost: Array) -> tuple[Array, Array]:
    """`_split` of cells over plants, which pay `cost` [N] per unit, and what else is in their cells."""
    n_cells, n_plants = len(economy.cells), len(named.cell)
    burden = cost * named.output
    rest = _burden(economy, costs) - np.bincount(named.cell, burden, n_cells)
    output = economy.output - np.bincount(named.cell, named.output, n_cells)
    share, relative = _split(
        np.concatenate([burden, rest]),
        np.concatenate([named.output, output]),
        np.concatenate([named.cell, np.arange(n_cells)]),
    )
    return share[:n_plants], relative[:n_plants]


def _split(burden: Array, output: Array, group: LongArray) -> tuple[Array, Array]:
    """Shares [n] in groups by burden, none for who gains, or by output where nobody pays; and these over output's."""
    weight = burden.clip(0.0)
    total = np.bincount(group, weight)[group]
    made = output / np.bincount(group, output)[group]
    share = np.where(total > 0, weight / np.where(total > 0, total, 1.0), made)
    return share, share / made


def _changed(change: Array, relative: Array) -> Array:
    """Expected change of output: a fall is the deeper the more is paid, but never of more than all; a rise is even."""
    return np.where(change < 0, np.maximum(change * relative, -1.0), change)


def _market(economy: Economy, home: Mask, costs: CarbonCosts) -> dict[str, Array]:
    """[C] what a cell's market is like."""
    indicator = np.tile(official_indicator(economy, home), len(home))
    origin, charge = cheapest_origin(economy, home, costs.charge)
    return {
        "trade_exposure": trade_exposure(economy, home),
        "official_indicator": indicator,
        "official_at_risk": indicator > AT_RISK,
        "cheapest_origin": np.array((*economy.regions, ""))[origin],
        "cheapest_origin_charge": charge,
    }


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """With its rank, which equals share, and the reason; the first rank first."""
    rank = table["leaked_mt"].rank(ascending=False, method="min").astype("int64")
    table = table.assign(reason=[_reason(*row) for row in table[list(TOLD)].itertuples(index=False)])
    table.insert(0, "rank", rank)
    return table.sort_values("rank", kind="stable", ignore_index=True)


TOLD = (
    "carbon_cost_share", "abatement_cost_share", "trade_exposure", "cheapest_origin", "cheapest_origin_charge",
    "leaked_mt", "reappears_in",
)  # fmt: skip
"""Columns that a reason tells of."""
SMALLEST = 5e-4
"""Share below which nothing is told."""


def _reason(
    paid: float, spent: float, traded: float, origin: str, charge: float, leaked: float, reappears_in: str
) -> str:
    """Why a cell or plant leaks, in words."""
    words = [f"pays {_percent(paid)} of its value for carbon" if paid >= SMALLEST else "pays nothing for carbon"]
    if paid <= -SMALLEST:
        words = [f"is given {_percent(-paid)} of its value more than it pays for carbon"]
    if spent >= SMALLEST:
        words.append(f"spends {_percent(spent)} to emit less")
    words.append(f"{_percent(traded)} of the market is traded")
    if origin:
        words.append(f"goods of {region_name(origin)} pay {_percent(charge)} at the border")
    if leaked > 0:
        words.append(f"most reappears in {region_name(reappears_in)}")
    if leaked < 0:
        but = f", though more in {region_name(reappears_in)}" if reappears_in else ""
        words.append(f"less is emitted abroad{but}")
    return "; ".join(words)


def _percent(share: float) -> str:
    """A share in words."""
    if share < SMALLEST:
        return "nothing"
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
