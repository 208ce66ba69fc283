"""A region's economy: what it makes, what warming and abatement cost it, what it consumes, how it grows.

Axes: B replica, n region.  Trillion USD (a year), population million, emissions Gt CO2 a year.
"""

import math

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.climate_negotiation.parameters import YEARS_A_STEP, RegionParameters, TradeRules


def production(own: RegionParameters, productivity: Tensor, capital: Tensor, population: Tensor) -> Tensor:
    """[B, n] `A K^gamma (L / 1000)^(1 - gamma)`, before damage and abatement."""
    labour = exact.power(population / 1000.0, 1.0 - own.capital_share)
    return productivity * exact.power(capital, own.capital_share) * labour


def damage(own: RegionParameters, temperature: Tensor) -> Tensor:
    """[B, n] what warming leaves of output: `1 / (1 + a_1 T + a_2 T^a_3)`, T [B] of the atmosphere."""
    warm = temperature[:, None]
    return 1.0 / (1.0 + own.damage_linear * warm + own.damage_factor * exact.power(warm, own.damage_exponent))


def backstop_price(own: RegionParameters, activity: int) -> Tensor:
    """[n] price at which all emissions are cut, trillion USD per Gt CO2 (a thousand USD per t)."""
    return own.backstop_price / 1000.0 * ((1.0 - own.backstop_decline).log() * activity).exp()


def abatement_coefficient(own: RegionParameters, intensity: Tensor, activity: int) -> Tensor:
    """[B, n] theta_1: share of output that cutting all emissions costs, `p_b sigma / theta_2`."""
    return backstop_price(own, activity) / own.abatement_exponent * intensity


def consumption(rules: TradeRules, home: Tensor, foreign: Tensor) -> Tensor:
    """[B, n] Armington aggregate `(psi_d C_dom^rho + psi_f sum_j N_j^rho)^(1/rho)` with rho one half.

    Args:
        rules: with the weights psi.
        home: [B, n] home goods consumed.
        foreign: [B, n, R] goods of others that arrived.
    """
    root = rules.home_weight * home.sqrt() + rules.foreign_weight * foreign.sqrt().sum(2)
    return root * root


def utility(own: RegionParameters, consumed: Tensor, population: Tensor) -> Tensor:
    """[B, n] `l ((C / l + 1)^(1 - alpha) - 1) / (1 - alpha)`, l population in thousand million."""
    people = population / 1000.0
    power = 1.0 - own.risk_aversion
    return people * (exact.power(consumed / people + 1.0, power) - 1.0) / power


def discounted(own: RegionParameters, felt: Tensor, activity: int) -> Tensor:
    """[B, n] utility of the k-th activity step as of the first year: `U / (1 + rho)^(5 k)`."""
    return felt * (-(1.0 + own.discount_rate).log() * (YEARS_A_STEP * (activity + 1))).exp()


def grown_capital(own: RegionParameters, capital: Tensor, investment: Tensor) -> Tensor:
    """[B, n] `(1 - delta)^5 K + 5 I`."""
    return kept_capital(own) * capital + YEARS_A_STEP * investment


def kept_capital(own: RegionParameters) -> Tensor:
    """[n] share of capital that five years leave."""
    return ((1.0 - own.capital_depreciation).log() * YEARS_A_STEP).exp()


def grown_population(own: RegionParameters, population: Tensor) -> Tensor:
    """[B, n] `L ((1 + L_a) / (1 + L))^l_g`."""
    return population * exact.power((1.0 + own.population_limit) / (1.0 + population), own.population_growth)


def grown_productivity(own: RegionParameters, productivity: Tensor, activity: int) -> Tensor:
    """[B, n] `A (e^0.0033 + g_A e^(-5 delta_A (k-1)))`."""
    slowed = torch.exp(-own.productivity_slowdown * YEARS_A_STEP * activity)
    return productivity * (math.exp(0.0033) + own.productivity_growth * slowed)


def cleaner_intensity(own: RegionParameters, intensity: Tensor, activity: int) -> Tensor:
    """[B, n] `sigma exp(-5 g_sigma (1 - delta_sigma)^(5 (k-1)))`."""
    slowed = ((1.0 - own.intensity_slowdown).log() * (YEARS_A_STEP * activity)).exp()
    return intensity * torch.exp(-own.intensity_decline * slowed * YEARS_A_STEP)


def with_interest(rules: TradeRules, balance: Tensor, *, per_year: bool) -> Tensor:
    """[B, n] balance with the interest of a step, on debts and credits alike."""
    return balance * (1.0 + rules.interest_rate) ** (YEARS_A_STEP if per_year else 1)
