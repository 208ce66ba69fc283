"""Constants of the climate negotiation world, from the built-in tables `rice-regions` and `rice-constants`."""

from dataclasses import fields
from pathlib import Path

import torch

from carbonray.data.tables import load_table
from carbonray.worlds.climate_negotiation.parameters import Climate, Parameters, RegionParameters, TradeRules


def load_parameters(
    device: str | torch.device = "cpu", dtype: torch.dtype = torch.float64, *, root: Path | None = None
) -> Parameters:
    """Constants of all 27 regions, by id, and of climate and trade.

    Args:
        device: where the figures of the regions go.
        dtype: of the figures of the regions; those of climate and trade are Python floats.
        root: folder of tables; the built-in one if left out.
    Raises:
        DataError: a table is missing, changed or breaks a rule.
    """
    regions = load_table("rice-regions", root)
    constants = load_table("rice-constants", root).set_index("name")["value"]
    one = {str(name): float(value) for name, value in constants.items()}
    return Parameters(
        names=tuple(regions["region"]),
        regions=RegionParameters(
            **{
                field.name: torch.tensor(regions[field.name].to_numpy(), device=device, dtype=dtype)
                for field in fields(RegionParameters)
            }
        ),
        climate=Climate(
            temperature_0=(one["temperature_0_1"], one["temperature_0_2"]),
            temperature_transfer=(
                (one["temperature_transfer_11"], one["temperature_transfer_12"]),
                (one["temperature_transfer_21"], one["temperature_transfer_22"]),
            ),
            temperature_response=(one["temperature_response_1"], one["temperature_response_2"]),
            carbon_0=triple(one, "carbon_0_"),
            carbon_transfer=tuple(triple(one, f"carbon_transfer_{row}") for row in (1, 2, 3)),
            carbon_response=triple(one, "carbon_response_"),
            carbon_preindustrial=one["carbon_preindustrial"],
            forcing_doubling=one["forcing_doubling"],
            forcing_first=one["forcing_first"],
            forcing_last=one["forcing_last"],
            forcing_steps=one["forcing_steps"],
            land_emissions_0=one["land_emissions_0"],
            land_emissions_decline=one["land_emissions_decline"],
        ),
        trade=TradeRules(**{field.name: one[field.name] for field in fields(TradeRules)}),
    )


def triple(constants: dict[str, float], start: str) -> tuple[float, float, float]:
    """The constants of the three layers of carbon, whose names begin alike."""
    return constants[f"{start}1"], constants[f"{start}2"], constants[f"{start}3"]
