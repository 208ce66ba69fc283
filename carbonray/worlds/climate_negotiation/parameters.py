"""Constants of the RICE-N economy and climate (Zhang et al. 2022, arXiv 2208.07004).

Axes: R region.  Money trillion USD, population million, carbon Gt C, emissions Gt CO2, temperature K above 1900.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from torch import Tensor

YEARS_A_STEP = 5
FIRST_YEAR = 2015
ACTIVITY_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class Climate:
    """Carbon cycle, forcing and temperature; the symbols are those of DICE."""

    temperature_0: tuple[float, float]  # K, atmosphere and lower ocean
    temperature_transfer: tuple[tuple[float, float], tuple[float, float]]  # Phi_T, a step
    temperature_response: tuple[float, float]  # B_T, K per W/m2
    carbon_0: tuple[float, float, float]  # Gt C, atmosphere, upper and lower ocean
    carbon_transfer: tuple[tuple[float, float, float], ...]  # Phi_M, a step
    carbon_response: tuple[float, float, float]  # B_M, Gt C a step per Gt CO2 a year
    carbon_preindustrial: float  # M_AT_1750, Gt C
    forcing_doubling: float  # eta, W/m2 per doubling of carbon
    forcing_first: float  # f_0, W/m2 of other gases
    forcing_last: float  # f_1, W/m2
    forcing_steps: float  # t_f, steps from the first to the last
    land_emissions_0: float  # E_L0, Gt CO2 a year
    land_emissions_decline: float  # delta_EL, share a step


@dataclass(frozen=True, kw_only=True)
class TradeRules:
    """How balances and tastes bear on trade."""

    interest_rate: float  # on balances, per step in the reference
    debt_multiplier: float  # a debt of one over this of initial capital stops all imports
    home_weight: float  # of home goods in consumption
    foreign_weight: float  # of each other region's goods


@dataclass(frozen=True, kw_only=True)
class RegionParameters:
    """What regions differ in, [R] each."""

    capital_share: Tensor  # gamma
    capital_0: Tensor  # K_0, trillion USD
    capital_depreciation: Tensor  # delta_K, share a year
    population_0: Tensor  # L_0, million
    population_limit: Tensor  # L_a, million
    population_growth: Tensor  # l_g, exponent a step
    productivity_0: Tensor  # A_0
    productivity_growth: Tensor  # g_A, first step's
    productivity_slowdown: Tensor  # delta_A, a year
    intensity_0: Tensor  # sigma_0, Gt CO2 per trillion USD
    intensity_decline: Tensor  # g_sigma, a year
    intensity_slowdown: Tensor  # delta_sigma, a year
    damage_linear: Tensor  # a_1, per K
    damage_factor: Tensor  # a_2
    damage_exponent: Tensor  # a_3
    backstop_price: Tensor  # p_b, USD per t CO2
    backstop_decline: Tensor  # delta_pb, share a step
    abatement_exponent: Tensor  # theta_2
    risk_aversion: Tensor  # alpha
    discount_rate: Tensor  # rho, a year

    def take(self, ids: Tensor) -> "RegionParameters":
        """Those of some regions, in the order of their ids."""
        return replace(self, **{field.name: getattr(self, field.name)[ids] for field in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """All constants of the world."""

    names: Sequence[str]  # of the regions, by id
    regions: RegionParameters
    climate: Climate
    trade: TradeRules
