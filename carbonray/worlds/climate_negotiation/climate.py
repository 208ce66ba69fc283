"""The climate: carbon cycle, forcing and temperature, one step of five years at a time (DICE's equations).

    E_land = E_L0 (1 - delta_EL)^(k-1)          F = f_0 + min(f_1 - f_0, (f_1 - f_0) (k-1) / t_f)
    T' = Phi_T T + B_T (eta log2(M_AT / M_1750) + F)          M' = Phi_M M + B_M E

Temperature follows the carbon of the step before; k counts activity steps from 1.
"""

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.climate_negotiation.parameters import Climate


def land_emissions(climate: Climate, activity: int) -> float:
    """Gt CO2 a year from land use, all regions, after so many activity steps."""
    return climate.land_emissions_0 * (1.0 - climate.land_emissions_decline) ** activity


def other_forcing(climate: Climate, activity: int) -> float:
    """W/m2 of gases other than CO2, after so many activity steps."""
    rise = climate.forcing_last - climate.forcing_first
    return climate.forcing_first + min(rise, rise / climate.forcing_steps * activity)


def warmed(climate: Climate, temperature: Tensor, carbon: Tensor, activity: int) -> Tensor:
    """[B, 2] K, from temperature [B, 2] and carbon [B, 3] of the step before."""
    transfer = temperature.new_tensor(climate.temperature_transfer)
    response = temperature.new_tensor(climate.temperature_response)
    forcing = climate.forcing_doubling * torch.log2(carbon[:, :1] / climate.carbon_preindustrial)
    return exact.apply(transfer, temperature) + response * (forcing + other_forcing(climate, activity))


def cycled(climate: Climate, carbon: Tensor, emissions: Tensor) -> Tensor:
    """[B, 3] Gt C, from carbon [B, 3] and the world's emissions [B], Gt CO2 a year."""
    transfer = carbon.new_tensor(climate.carbon_transfer)
    response = carbon.new_tensor(climate.carbon_response)
    return exact.apply(transfer, carbon) + response * emissions[:, None]
