"""The static oracle of a scenario: where its economy would come to rest under one year's policy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carbonray.config import Scenario, ScenarioError, by_sector
from carbonray.data.worlds import economy_of
from carbonray.kpi.leakage import UNDEFINED, Array, Mask, leakage
from carbonray.worlds.cbam import Economy, paths
from carbonray.worlds.cbam.abatement import abatement_at, cost_of_abatement
from carbonray.worlds.cbam.border_charge import CarbonTerms, border_charge, carbon_terms
from carbonray.worlds.cbam.clearing import declared_default
from carbonray.worlds.cbam.equilibrium import Elasticities, Equilibrium, solve
from carbonray.worlds.cbam.parameters import PolicyParams, calibrate_firms, calibrate_market, calibrate_policy


@dataclass(frozen=True, kw_only=True)
class Rest:
    """An economy at rest under a policy; [C] unless said otherwise."""

    solution: Equilibrium
    intensity: Array  # t CO2 / USD
    charge: Array  # border charge per unit that crosses, USD / USD
    carbon_cost: Array  # net of free allowances, USD / USD of output

    @property
    def emissions(self) -> Array:
        """[C] Mt CO2 a year."""
        return self.intensity * self.solution.output


def at_rest(economy: Economy, scenario: Scenario, year: int) -> Rest:
    """Solve the static equilibrium of a scenario under the policy of one calendar year.

    The benchmark refers to the same year's intensity at home, since an economy at rest has no other.

    Raises:
        ScenarioError: if the year lies outside the scenario, or something has no static counterpart.
    """
    index = _index(scenario, year)
    if missing := without_counterpart(scenario):
        raise ScenarioError(
            f"{scenario.name}: {missing[0]}: has no counterpart in the static equilibrium; leave it out"
        )
    rest = _solve(economy, scenario, index, fuel_price=1.0)
    if scenario.fuel.channel:
        then = _then(economy, scenario, index)
        base = float((_grown(then.economy, then.growth) * then.intensity).sum())
        log_price, supply, demand = 0.0, scenario.fuel.supply_elasticity, scenario.fuel.demand_elasticity
        for _ in range(FUEL_ITERATIONS):
            wanted = math.log(float(rest.emissions.sum()) / base) / supply
            log_price += (wanted - log_price) / (1 + demand / supply)
            rest = _solve(economy, scenario, index, fuel_price=math.exp(log_price))
    return rest


def _index(scenario: Scenario, year: int) -> int:
    """A calendar year counted from the scenario's first."""
    index = year - scenario.start_year
    if not 0 <= index < scenario.years:
        last = scenario.start_year + scenario.years - 1
        raise ScenarioError(f"{scenario.name}: year: {year} is outside the scenario's {scenario.start_year} to {last}")
    return index


FUEL_ITERATIONS = 6
"""Newton steps of the fuel market, whose demand all but has the slope of its elasticity."""


def without_counterpart(scenario: Scenario) -> list[str]:
    """Keys of a scenario that the static equilibrium cannot represent."""
    used = {
        "policy.threshold_t": scenario.policy.threshold_t > 0,
        "firms.exporters_abate": scenario.firms.exporters_abate,
    }
    return [key for key, there in used.items() if there]


@dataclass(frozen=True, kw_only=True)
class CarbonCosts:
    """What a year's policy asks of a unit of output before any market answers; [C]."""

    intensity: Array  # t CO2 / USD, abated as far as the price pays
    price: Array  # USD / t CO2 that producers pay
    allocation: Array  # USD / USD of output, value of free allowances
    abatement: Array  # USD / USD of output, running cost of abatement
    charge: Array  # USD / USD that crosses the border of the home region, a refund on its exports


def carbon_costs(economy: Economy, scenario: Scenario, year: int) -> CarbonCosts:
    """The terms of a calendar year for each cell, at base prices and with the benchmark of `at_rest`.

    Raises:
        ScenarioError: if the year lies outside the scenario, or names are unknown.
    """
    index, policy = _index(scenario, year), calibrate_policy(economy, scenario)
    terms, intensity, abatement = _carbon(economy, scenario, policy, index, fuel_price=1.0)
    bought = economy.transactions / economy.output
    return CarbonCosts(
        intensity=intensity.numpy(),
        price=terms.price[0].numpy(),
        allocation=terms.allocation[0].numpy(),
        abatement=torch.where(terms.price[0] > 0, abatement, 0.0).numpy(),  # else a power of a clamped zero
        charge=_charge(economy, policy, terms, intensity, bought, index),
    )


@dataclass(frozen=True, kw_only=True)
class _Then:
    """Where the economy is, without policy, after some years."""

    economy: Economy  # with purchases split over origins by the weights of the time
    growth: Array  # [R] final demand relative to the base year
    intensity: Array  # [C] t CO2 / USD


def _then(economy: Economy, scenario: Scenario, index: int) -> _Then:
    elapsed = np.array([float(index)])
    weight = paths.origin_weights(economy, scenario, elapsed, lead=0.0)
    return _Then(
        economy=economy if weight is None else paths.reweighted(economy, weight[0].numpy()),
        growth=paths.demand_index(economy, scenario, elapsed, lead=0.0)[0].numpy(),
        intensity=economy.emissions
        / economy.output
        * paths.intensity_index(economy, scenario, elapsed, 0.0)[0].numpy(),
    )


INDIRECT_PASSES = 3
"""Times that the equilibrium is solved where the charge depends on how much electricity is bought."""


def _solve(economy: Economy, scenario: Scenario, index: int, *, fuel_price: float) -> Rest:
    policy, then = calibrate_policy(economy, scenario), _then(economy, scenario, index)
    terms, intensity, abatement = _carbon(economy, scenario, policy, index, fuel_price)
    home_cell, home = policy.home_cell.numpy(), policy.home.numpy()
    across = home_cell[:, None] != home[None, :]
    retaliation = policy.retaliation * np.tile(policy.law.coverage[0, index].numpy(), len(home))[:, None]
    net_cost = (terms.price[0] * intensity - terms.allocation[0]).numpy()
    market = calibrate_market(economy, scenario)
    bought = economy.transactions / economy.output
    for _ in range(INDIRECT_PASSES if bool(policy.indirect.any()) and policy.crosses else 1):
        charge = _charge(economy, policy, terms, intensity, bought, index)
        solution = solve(
            then.economy,
            Elasticities(
                domestic=market.domestic.numpy(),
                final_demand=market.final_demand.numpy(),
                inputs=market.inputs,
                factor=market.factor_supply,
            ),
            carbon_cost=net_cost,
            charge=charge[:, None] * across + retaliation * (home_cell[:, None] & ~home[None, :]),
            charge_incidence=market.incidence,
            final_demand_growth=then.growth,
            capacity=_grown(then.economy, then.growth),
            abatement_cost=abatement.numpy(),
        )
        bought = solution.intermediate / solution.output
    return Rest(solution=solution, intensity=intensity.numpy(), charge=charge, carbon_cost=net_cost)


def _charge(
    economy: Economy, policy: PolicyParams, terms: CarbonTerms, intensity: Tensor, bought: Array, index: int
) -> Array:
    """[C] border charge per unit that crosses, a refund for exporters at home; `bought` [C, C] inputs per unit."""
    base = economy.emissions / economy.output
    charged = intensity + torch.as_tensor(_indirect(economy, policy, intensity.numpy(), bought))
    if policy.default_values:
        at_base = base + _indirect(economy, policy, base, economy.transactions / economy.output)
        charged = torch.where(policy.home_cell, charged, declared_default(policy, torch.as_tensor(at_base), index))
    charge = border_charge(
        intensity=charged, deduction=terms.deduction[0], rate=terms.rate[0], offset=terms.offset[0]
    ).numpy()
    return np.asarray(np.where(policy.home_cell.numpy(), -charge, charge) * policy.crosses)


def _indirect(economy: Economy, policy: PolicyParams, intensity: Array, bought: Array) -> Array:
    """[C] t CO2 of bought electricity per unit of output, where it is charged."""
    electricity = np.tile(np.array(economy.sectors) == "ELE", len(economy.regions))
    return np.asarray((intensity * electricity) @ bought * np.tile(policy.indirect.numpy(), len(economy.regions)))


def _carbon(
    economy: Economy, scenario: Scenario, policy: PolicyParams, index: int, fuel_price: float
) -> tuple[CarbonTerms, Tensor, Tensor]:
    firms = calibrate_firms(economy, scenario)
    law = policy.law.in_year(index, 1)
    price = policy.price(law, policy.commitment.unsqueeze(0), index)
    base = torch.as_tensor(_then(economy, scenario, index).intensity)
    base = base * fuel_price**-scenario.fuel.demand_elasticity
    blank = torch.ones(1, len(policy.priced), dtype=torch.float64)
    paid = carbon_terms(policy, law, price=price, home_intensity=blank).price[0]
    abated = abatement_at(firms, paid)
    response = torch.where(policy.home_cell, firms.price_response * paid, 0.0)
    intensity = base * (1 - abated) * (-response).exp()
    at_home = policy.home_cell.numpy()
    n_sectors = len(policy.priced)
    output = (economy.output * at_home).reshape(-1, n_sectors).sum(0)
    reference = base if policy.benchmark_follows else torch.as_tensor(economy.emissions / economy.output)
    mean = ((intensity if policy.benchmark_follows else reference).numpy() * economy.output * at_home).reshape(
        -1, n_sectors
    ).sum(0) / output
    terms = carbon_terms(policy, law, price=price, home_intensity=torch.as_tensor(mean).unsqueeze(0))
    return terms, intensity, base * cost_of_abatement(firms, abated)


def _grown(economy: Economy, growth: Array) -> Array:
    shares = economy.transactions / economy.output
    return np.asarray(np.linalg.solve(np.eye(len(shares)) - shares, economy.final_demand @ growth))


def static_leakage(scenario: Scenario, year: int | None = None, *, economy: Economy | None = None) -> dict[str, Any]:
    """Leakage of the economy at rest in a calendar year, the last of the scenario if left out.

    Raises:
        ScenarioError: as `at_rest`.
    """
    economy = economy or economy_of(scenario)
    year = scenario.start_year + scenario.years - 1 if year is None else year
    policy, reference = (at_rest(economy, s, year) for s in (scenario, scenario.reference()))
    return compare(economy, scenario, policy, reference) | {"year": year}


def compare(economy: Economy, scenario: Scenario, policy: Rest, reference: Rest) -> dict[str, Any]:
    """Key figures of two economies at rest."""
    sectors = np.tile(np.array(economy.sectors), len(economy.regions))
    home = np.repeat(np.isin(economy.regions, scenario.home), len(economy.sectors))
    goods = np.tile(np.array(by_sector(economy.sectors, scenario.policy.coverage, 0.0)) > 0, len(economy.regions))

    def rate(counted: Mask | None = None) -> float | None:
        value = float(leakage(policy.emissions, reference.emissions, home, counted).rate)
        return None if np.isnan(value) else value

    total = leakage(policy.emissions, reference.emissions, home)
    change = policy.solution.output / reference.solution.output - 1
    region = np.isin(economy.regions, scenario.home)
    return {
        "scenario": scenario.name,
        "leakage_rate": rate(),
        "leakage_rate_cbam_goods": rate(goods),
        "leakage_rate_without_electricity": rate(sectors != "ELE"),
        "undefined_reason": UNDEFINED if rate() is None else None,
        "home_reduction_mt": float(total.home_reduction),
        "foreign_increase_mt": float(total.foreign_increase),
        "customs_musd": float(policy.solution.customs[region].sum()),
        "leakage_rate_by_sector": {s: rate(sectors == s) for s in economy.sectors},
        "output_change_by_sector": _home_change(policy, reference, home, sectors, economy.sectors),
        "cells": [
            {
                "region": place,
                "sector": sector,
                "output_musd": float(policy.solution.output[i]),
                "output_change_share": float(change[i]),
                "price_index": float(policy.solution.price[i]),
                "emissions_mt": float(policy.emissions[i]),
                "emissions_change_mt": float(policy.emissions[i] - reference.emissions[i]),
                "border_charge_share": float(policy.charge[i]),
                "carbon_cost_share": float(policy.carbon_cost[i]),
            }
            for i, (place, sector) in enumerate(economy.places)
        ],
    }


def _home_change(policy: Rest, reference: Rest, home: Mask, sectors: Any, names: Sequence[str]) -> dict[str, float]:
    changes = {}
    for name in names:
        chosen = home & (sectors == name)
        made = [rest.solution.output[chosen].sum() for rest in (policy, reference)]
        changes[name] = float(made[0] / made[1] - 1)
    return changes
