"""What a region sees, in the order and scale of the reference; raw values and column names on demand."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from carbonray.worlds.climate_negotiation import climate, economy
from carbonray.worlds.climate_negotiation.parameters import Parameters
from carbonray.worlds.climate_negotiation.state import Commons, Regions

LAYERS = {
    "global_temperature": ("atmosphere", "lower_ocean"),
    "global_carbon_mass": ("atmosphere", "upper_ocean", "lower_ocean"),
}
"""Names of the columns of parts that are by layer of the climate."""
Part = tuple[str, float, Tensor]  # name, what it is divided by, [B, n, width]


def parts(world: Parameters, regions: Regions, commons: Commons, *, negotiates: bool) -> Iterator[Part]:
    """The parts of an observation, one after the other."""
    everyone = len(world.names)
    shape = regions.capital.shape
    started = 1.0 if commons.activity else 0.0
    last = max(commons.activity - 1, 0)

    def same(values: Tensor) -> Tensor:
        """What all see alike, [B, k], seen by each."""
        return values[:, None, :].expand(shape[0], shape[1], values.shape[-1])

    def number(value: float) -> Tensor:
        return regions.capital.new_full((*shape, 1), value)

    one_hot = torch.nn.functional.one_hot(regions.ids, everyone).to(regions.capital.dtype)
    yield "region", 1.0, one_hot.expand(shape[0], -1, -1)
    yield "global_temperature", 10.0, same(commons.temperature)
    yield "global_carbon_mass", 1e4, same(commons.carbon)
    yield "global_exogenous_emissions", 1.0, number(started * climate.other_forcing(world.climate, last))
    yield "global_land_emissions", 1.0, number(started * climate.land_emissions(world.climate, last) / everyone)
    yield "timestep", 100.0, number(commons.step)
    if negotiates:
        yield "stage", 1.0, number(commons.step % 3)
    public = commons.public
    yield "capital_all_regions", 1e4, same(public["capital"])
    kept = started * economy.kept_capital(world.regions)
    yield "capital_depreciation_all_regions", 1.0, same(kept.expand(shape[0], -1))
    yield "labor_all_regions", 1e4, same(public["population"])
    yield "gross_output_all_regions", 1e3, same(public["output"])
    yield "investment_all_regions", 1e3, same(public["investment"])
    yield "consumption_all_regions", 1e3, same(public["consumption"])
    yield "savings_all_regions", 1.0, same(public["savings"])
    yield "mitigation_rate_all_regions", 1.0, same(public["mitigation"])
    yield "max_export_limit_all_regions", 1.0, same(public["export_limit"])
    yield "current_balance_all_regions", 1e3, same(public["balance"])
    yield "tariffs", 100.0, same(commons.tariffs.flatten(1))
    account = regions.account
    for name, scale, value in (
        ("production_factor", 100.0, regions.productivity),
        ("intensity", 0.1, regions.intensity),
        ("mitigation_cost", 1.0, account.abatement_coefficient),
        ("damages", 1.0, account.damage),
        ("abatement_cost", 1.0, account.abatement_cost),
        ("production", 1e3, account.production),
        ("utility", 1.0, account.utility),
        ("social_welfare", 1.0, account.welfare),
        ("reward", 1.0, regions.reward),
    ):
        yield name, scale, value[..., None]
    if negotiates:
        yield from _negotiation(regions, commons)


def _negotiation(regions: Regions, commons: Commons) -> Iterator[Part]:
    offers, ids = commons.offers, regions.ids
    yield "minimum_mitigation_rate", 1.0, commons.treaty.minimum_mitigation[:, ids, None]
    for name, said in (
        ("promised_mitigation_rate", offers.promised),
        ("requested_mitigation_rate", offers.requested),
        ("proposal_decisions", offers.accepted),
    ):
        yield f"{name}_mine", 1.0, said[:, ids]
        yield f"{name}_to_me", 1.0, said[:, :, ids].transpose(1, 2)


def values(seen: Sequence[Part], *, normalised: bool) -> Tensor:
    """[B, n, features] of some parts, each written once: most of them are the same for all regions."""
    first = seen[0][2]
    whole = first.new_empty(*first.shape[:2], sum(part.shape[-1] for _, _, part in seen))
    start = 0
    for _, scale, part in seen:
        place = whole[..., start : start + part.shape[-1]]
        torch.div(part, scale if normalised else 1.0, out=place)
        start += part.shape[-1]
    return whole


def columns(seen: Sequence[Part], names: Sequence[str]) -> tuple[str, ...]:
    """The name of every column: the part's, with the region's or its place where a part has several."""
    found: list[str] = []
    for name, _, part in seen:
        if part.shape[-1] == 1:
            found.append(name)
        elif name in LAYERS:
            found += [f"{name}:{layer}" for layer in LAYERS[name]]
        elif part.shape[-1] == len(names):
            found += [f"{name}:{region}" for region in names]
        else:
            found += [f"{name}:{importer}:{exporter}" for importer in names for exporter in names]
    return tuple(found)
