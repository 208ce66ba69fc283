"""Firms: their state, what they do without learning, what they bid, and what they book.

Axes: B replica, n firm of this shard (sorted by id, and so by cell), S good, C cell, E supplier slot.
Money million USD of the base year, mass Mt CO2, flows a quarter; per unit means per USD of base-year output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.worlds import draws, exact
from carbonray.worlds.cbam.border_charge import border_charge
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.parameters import FirmParams, MarketParams, PolicyParams, TechnologyParams
from carbonray.worlds.world import Bid, Letters, Total

INTENSITY_DRAW = 1


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Which firms these are: constant over a run."""

    ids: Tensor  # [n] int64, ascending
    cell: Tensor  # [n] int64
    ends: Tensor  # [C] int64, firms of the shard up to and including each cell
    supplier: Tensor  # [E, n] int64, the firm named in each slot


@dataclass(frozen=True, kw_only=True)
class Firms:
    """State of the firms of a shard; [B, n] unless said otherwise."""

    shard: Shard
    plan: Tensor  # planned output
    capacity: Tensor  # output at which the fixed factor's price is one, at the scale of the base year
    base_intensity: Tensor  # t CO2 / USD before trend and abatement
    abated: Tensor  # share of emissions cut and in effect
    pending: tuple[Tensor, ...]  # shares decided, oldest first; one takes effect each quarter
    stock: Tensor  # [B, S, n] inputs in stock
    cover: Tensor  # largest effective scale that every stock allows
    scale: Tensor  # inputs per unit of output relative to the cell: unit cost to the power epsilon
    margin: Tensor  # profit per unit over unit cost, last quarter
    embodied: Tensor  # t CO2 / USD, with inputs
    struck: Tensor  # share of output lost after the market cleared
    output: Tensor  # made this quarter
    intensity: Tensor  # t CO2 / USD this quarter
    charge: Tensor  # border charge per unit that crosses; negative is a refund on exports
    paid: Tensor  # border charge paid this quarter
    profit: Tensor  # this quarter


@dataclass(frozen=True, kw_only=True)
class FirmActions:
    """What firms decide in a quarter; [B, n]."""

    growth: Tensor  # change of planned output, share
    cut: Tensor  # cut of emission intensity, share of what is left


def by_cell(values: Tensor, cell: Tensor) -> Tensor:
    """Spread [..., C] over firms: [..., n]."""
    return torch.gather(values, -1, cell.expand(*values.shape[:-1], len(cell)))


def make_shard(params: FirmParams, supplier: Tensor, ids: NDArray[np.int64]) -> Shard:
    """The constant part of a shard's state."""
    all_ends = params.cell_ends.cpu().numpy()
    device = params.size.device
    return Shard(
        ids=torch.as_tensor(ids, device=device),
        cell=torch.as_tensor(np.searchsorted(all_ends, ids, side="right"), device=device),
        ends=torch.as_tensor(np.searchsorted(ids, all_ends), device=device),
        supplier=supplier[:, torch.as_tensor(ids, device=device)].contiguous(),
    )


def draw_intensities(
    params: FirmParams, technology: TechnologyParams, *, seed: int, replica: int
) -> NDArray[np.float64]:
    """Log-normal intensities [N] of all firms, scaled so that each cell emits exactly what it did."""
    size, ends = params.size.cpu().numpy(), params.cell_ends.cpu().numpy()
    counts = np.diff(ends, prepend=0)
    emissions = (technology.intensity * technology.output).cpu().numpy()
    spread = np.ones(len(size))
    if params.intensity_spread > 0:
        normal = draws.normal(seed, replica, 0, INTENSITY_DRAW, np.arange(len(size)))
        spread = np.exp(params.intensity_spread * normal)
    total = np.add.reduceat(spread * size, ends - counts)
    return np.asarray(spread * np.repeat(emissions / total, counts))


def reset(
    params: FirmParams, technology: TechnologyParams, shard: Shard, embodied: Tensor, *, seed: int, replicas: int
) -> Firms:
    """Firms at rest in the base year; `embodied` [C] is each cell's emissions with those of its inputs."""
    ids = shard.ids.cpu().numpy()
    drawn = [draw_intensities(params, technology, seed=seed, replica=b)[ids] for b in range(replicas)]
    intensity = torch.as_tensor(np.stack(drawn), device=params.size.device)
    size = params.size[shard.ids].expand(replicas, -1).contiguous()
    inputs = technology.inputs.flatten(1)  # [S, C]
    stock = params.stock_target * by_cell(inputs, shard.cell) * size.unsqueeze(1)
    zero, one = torch.zeros_like(size), torch.ones_like(size)
    return Firms(
        shard=shard,
        plan=size,
        capacity=size,
        base_intensity=intensity,
        abated=zero,
        pending=(zero,) * params.abatement_lag,
        stock=stock,
        cover=params.stock_target * size,
        scale=one,
        margin=zero,
        embodied=intensity + by_cell(embodied - technology.intensity, shard.cell),
        struck=zero,
        output=size,
        intensity=intensity,
        charge=zero,
        paid=zero,
        profit=zero,
    )


def rule(params: FirmParams, firms: Firms, commons: Commons) -> FirmActions:
    """Behaviour without learning: plans follow the margin and the trend, abatement the carbon price at the margin."""
    cell = firms.shard.cell
    growth = params.growth_response * firms.margin + by_cell(commons.trend_growth, cell)
    terms = commons.terms
    wanted = by_cell(abatement_at(params, terms.price), cell)
    if params.exporters_abate:
        at_border = terms.price + (terms.rate - terms.offset).clamp(min=0.0) * commons.crossing_share
        wanted = torch.where(firms.charge > 0, by_cell(abatement_at(params, at_border), cell), wanted)
    return FirmActions(
        growth=growth.clamp(-params.growth_limit, params.growth_limit),
        cut=(1 - (1 - wanted) / (1 - firms.pending[-1]).clamp(min=1e-12)).clamp(min=0.0),
    )


def abatement_at(params: FirmParams, price: Tensor) -> Tensor:
    """[..., C] share at which the marginal cost P_b (m / m_max)^(k - 1) equals the carbon price, at most the cap."""
    share = params.abatement_potential * exact.power(
        price / params.abatement_price, 1 / (params.abatement_exponent - 1)
    )
    return torch.minimum(share, params.abatement_cap) * (params.price_response == 0)


def cost_of_abatement(params: FirmParams, share: Tensor, cell: Tensor | None = None) -> Tensor:
    """Running cost per t CO2 that would be emitted: P_b m_max / k (m / m_max)^k, the integral of the marginal cost.

    `share` is [..., C], or [..., n] with the firms' cells.
    """
    k, most = params.abatement_exponent, params.abatement_potential
    level = params.abatement_price * most / k * exact.power(most.reciprocal(), k)
    if cell is not None:
        level, k = by_cell(level, cell), by_cell(k, cell)
    return level * exact.power(share, k)


def act(
    params: FirmParams,
    policy: PolicyParams,
    firms: Firms,
    commons: Commons,
    actions: FirmActions,
    *,
    outages: Mapping[str, Tensor],
    bounds: Mapping[str, float],
) -> tuple[Firms, Bid]:
    """Decide output and abatement, and bid what the market must know.

    `outages` has nothing, or the shares of output lost this quarter: `known` beforehand, and `struck` of the rest.
    """
    shard = firms.shard
    plan = firms.plan * (1 + actions.growth)
    output = torch.minimum(plan, firms.cover / firms.scale)
    if outages:
        output = output * (1 - outages["known"])
    decided = 1 - (1 - firms.pending[-1]) * (1 - actions.cut)
    decided = torch.minimum(decided, by_cell(params.abatement_cap, shard.cell))
    abated = firms.pending[0]
    intensity = firms.base_intensity * by_cell(commons.intensity_factor, shard.cell) * (1 - abated)
    acted = replace(
        firms,
        plan=plan,
        output=output,
        abated=abated,
        pending=(*firms.pending[1:], decided),
        intensity=intensity,
        charge=_charge(policy, commons, shard.cell, intensity, output),
        struck=outages.get("struck", firms.struck),
    )
    totals = {
        "output": output,
        "emissions": intensity * output,
        "charge": acted.charge * output,
        "scale": firms.scale * output,
        "stock": firms.stock,
        "embodied": firms.embodied * output,
    }
    return acted, Bid(
        totals=totals_by_cell(shard, totals, bounds),
        letters={"embodied": Letters(values=firms.embodied, to_supplier=False)} if len(shard.supplier) else {},
    )


def _charge(policy: PolicyParams, commons: Commons, cell: Tensor, intensity: Tensor, output: Tensor) -> Tensor:
    """Border charge per unit that crosses; a refund, negative, for exporters of the home region."""
    if not policy.crosses:
        return torch.zeros_like(intensity)
    terms = commons.terms
    at_home = by_cell(policy.home_cell, cell)
    declared = intensity
    if commons.declared is not None:
        declared = torch.where(at_home, intensity, by_cell(commons.declared, cell))
    if commons.indirect is not None:
        declared = declared + by_cell(commons.indirect, cell)
    charge = border_charge(
        intensity=declared,
        deduction=by_cell(terms.deduction, cell),
        rate=by_cell(terms.rate, cell),
        offset=by_cell(terms.offset, cell),
    )
    if policy.threshold > 0:
        charge = charge * (intensity * output * by_cell(commons.crossing_share, cell) >= policy.threshold)
    return torch.where(at_home, -charge, charge)


def totals_by_cell(shard: Shard, values: Mapping[str, Tensor], bounds: Mapping[str, float]) -> dict[str, Total]:
    """Add firms' values by cell in fixed point."""
    return {name: exact.cell_totals(value, shard.ends, bounds[name]) for name, value in values.items()}


def replace(firms: Firms, **changes: object) -> Firms:
    """A copy with some fields changed."""
    return Firms(**{f.name: changes.get(f.name, getattr(firms, f.name)) for f in fields(firms)})  # type: ignore[arg-type]


def unit_cost(market: MarketParams, factor_share: Tensor, input_cost: Tensor, utilisation: Tensor) -> Tensor:
    """Log of the CES cost of a unit of output.

    c = (v w^(1-eps) + sum_s a pc^(1-eps))^(1/(1-eps)),   w = (P / K)^(1/chi)

    v -> factor_share;  sum_s a pc^(1-eps) -> input_cost;  P / K -> utilisation;  chi -> market.factor_supply
    """
    rest = 1 - market.inputs
    factor = factor_share * exact.power(utilisation, rest / market.factor_supply)
    return (factor + input_cost).log() / rest
