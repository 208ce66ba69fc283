"""Behaviour: what firms do without learning, what an action means, and what they bid.

Axes: B replica, n firm of this shard, C cell, G covered good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds import exact
from carbonray.worlds.cbam import sourcing
from carbonray.worlds.cbam.abatement import abatement_at
from carbonray.worlds.cbam.border_charge import border_charge
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import Firms, by_cell, totals_by_cell
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.parameters import FirmParams, MarketParams, PolicyParams
from carbonray.worlds.cbam.sourcing import Moves
from carbonray.worlds.cbam.support import carbon_value, claim
from carbonray.worlds.world import Bid, Letters, Total


@dataclass(frozen=True, kw_only=True)
class FirmActions:
    """What firms decide in a quarter; [B, n]."""

    growth: Tensor  # change of planned output, share
    cut: Tensor  # cut of emission intensity, share of what is left
    moves: Moves | None = None  # sourcing and relocation, where firms can learn


GROWTHS = (-0.10, -0.05, 0.0, 0.05, 0.10)
"""Levels of the first head: change of planned output."""
CUTS = (0.0, 0.05, 0.10, 0.20)
"""Levels of the second head: cut of emission intensity."""


def decode(choices: Tensor, n_goods: int, n_regions: int) -> FirmActions:
    """Actions from the levels that a learner chose, [B, n, heads] int64."""
    growths = torch.tensor(GROWTHS, dtype=torch.float64, device=choices.device)
    cuts = torch.tensor(CUTS, dtype=torch.float64, device=choices.device)
    moves = sourcing.decode(choices[..., 2], n_goods, n_regions) if choices.shape[-1] > 2 else None
    return FirmActions(growth=growths[choices[..., 0]], cut=cuts[choices[..., 1]], moves=moves)


def encode(actions: FirmActions, levels: int) -> Tensor:
    """[B, n, levels] shares of levels whose mean is what was decided; moves are the level that changes nothing."""
    moves = torch.zeros(*actions.growth.shape, levels - len(GROWTHS) - len(CUTS), device=actions.growth.device)
    moves[..., :1] = 1.0
    return torch.cat([_between(GROWTHS, actions.growth), _between(CUTS, actions.cut), moves], -1)


def _between(levels: tuple[float, ...], values: Tensor) -> Tensor:
    """[..., levels] shares of the two levels next to each value; all of the last one beyond the ends."""
    points = torch.tensor(levels, dtype=torch.float64, device=values.device)
    values = values.clamp(levels[0], levels[-1])
    after = torch.bucketize(values, points[1:-1], right=True).unsqueeze(-1) + 1
    share = (values.unsqueeze(-1) - points[after - 1]) / (points[after] - points[after - 1])
    shares = torch.zeros(*values.shape, len(levels), dtype=torch.float64, device=values.device)
    return shares.scatter(-1, after, share).scatter(-1, after - 1, 1 - share)


def rule(params: FirmParams, firms: Firms, commons: Commons) -> FirmActions:
    """Behaviour without learning: plans follow the margin and the trend, abatement the carbon price at the margin."""
    cell = firms.shard.cell
    growth = params.growth_response * firms.margin + by_cell(commons.trend_growth, cell)
    terms = commons.terms
    paid = carbon_value(terms.price, commons.strike)
    wanted = by_cell(abatement_at(params, paid), cell)
    if params.exporters_abate:
        at_border = paid + (terms.rate - terms.offset).clamp(min=0.0) * commons.crossing_share
        wanted = torch.where(firms.charge > 0, by_cell(abatement_at(params, at_border), cell), wanted)
    return FirmActions(
        growth=growth.clamp(-params.growth_limit, params.growth_limit),
        cut=(1 - (1 - wanted) / (1 - firms.pending[-1]).clamp(min=1e-12)).clamp(min=0.0),
        moves=sourcing.no_moves(firms.plan) if params.learned else None,
    )


def act(
    model: Model, firms: Firms, commons: Commons, actions: FirmActions, outages: Mapping[str, Tensor]
) -> tuple[Firms, Bid]:
    """Decide output and abatement, and bid what the market must know.

    `outages` has nothing, or the shares of output lost this quarter: `known` beforehand, and `struck` of the rest.
    """
    shard, params = firms.shard, model.firms
    plan = firms.plan * (1 + actions.growth)
    output = torch.minimum(plan, firms.cover / firms.scale)
    buying = firms.scale * output
    if outages:
        restock = params.stock_adjustment * params.stock_target
        buying = buying * (1 - outages["known"] / (1 + restock))
        output = output * (1 - outages["known"])
    decided = 1 - (1 - firms.pending[-1]) * (1 - actions.cut)
    decided = torch.minimum(decided, by_cell(params.abatement_cap, shard.cell))
    abated = firms.pending[0]
    unabated = firms.base_intensity * by_cell(commons.intensity_factor, shard.cell)
    intensity = unabated * (1 - abated)
    acted = replace(
        firms,
        plan=plan,
        output=output,
        buying=buying,
        abated=abated,
        pending=(*firms.pending[1:], decided),
        intensity=intensity,
        charge=_charge(model.policy, commons, shard.cell, intensity, output),
        struck=outages.get("struck", firms.struck),
        growth=actions.growth,
    )
    totals = {
        "output": output,
        "emissions": intensity * output,
        "charge": acted.charge * output,
        "scale": buying,
        "stock": firms.stock,
        "embodied": firms.embodied * output,
    }
    if commons.strike is not None:
        price, strike = commons.terms.price, commons.strike
        per_unit = claim(params, price=price, strike=strike, abated=abated, unabated=unabated, cell=shard.cell)
        totals["support"] = per_unit * output
    letters = {"embodied": Letters(values=firms.embodied, to_supplier=False)} if len(shard.supplier) else {}
    said = totals_by_cell(shard, totals, model.bounds)
    if params.learned:
        acted, moved = _move(model, acted, commons, actions)
        said |= moved
        letters["suppliers_growth"] = Letters(values=actions.growth, to_supplier=False)
        told = actions.growth.unsqueeze(1) * shard.used
        letters["customers_growth"] = Letters(values=told, to_supplier=True)
    return acted, Bid(totals=said, letters=letters)


def _move(model: Model, firms: Firms, commons: Commons, actions: FirmActions) -> tuple[Firms, dict[str, Total]]:
    """Sourcing and relocation: new preferences, capacity that leaves, and what both cost."""
    params, policy, technology, bound = model.firms, model.policy, model.technology, model.bounds["scale"]
    cell, goods = firms.shard.cell, policy.covered
    n_regions, n_cells = len(policy.home), len(policy.home_cell)
    shares = sourcing.origin_share(technology, goods)
    scale = firms.buying
    before = firms.sourcing
    assert before is not None
    moves = actions.moves or sourcing.no_moves(firms.plan)
    after = sourcing.shift(params, before, moves)
    bought = by_cell(technology.inputs[goods].flatten(1).expand(len(scale), -1, -1), cell) * scale.unsqueeze(1)
    moved_value = exact.add_up(bought * sourcing.moved_share(after, before, shares, cell), 1)
    leaving = sourcing.leave(params, moves)
    capacity = firms.capacity * by_cell(commons.trend, cell)
    cost = params.sourcing_cost * moved_value + params.relocation_cost * leaving * capacity * QUARTERS
    totals = sourcing.bid(params, after, shares, cell, scale, bound)
    totals["arriving_capacity"] = sourcing.arrivals(moves, leaving * capacity, cell, n_regions, n_cells, bound)
    totals["arriving_plan"] = sourcing.arrivals(moves, leaving * firms.plan, cell, n_regions, n_cells, bound)
    moved = replace(
        firms,
        sourcing=after,
        plan=firms.plan * (1 - leaving),
        capacity=firms.capacity * (1 - leaving),
        transaction_cost=cost,
    )
    return moved, totals


def _charge(policy: PolicyParams, commons: Commons, cell: Tensor, intensity: Tensor, output: Tensor) -> Tensor:
    """Border charge per unit that crosses; a refund, negative, for exporters of the home region."""
    if not policy.crosses:
        return torch.zeros_like(intensity)
    terms = commons.terms
    at_home = by_cell(policy.home_cell, cell)
    declared = intensity
    if commons.indirect is not None:
        declared = declared + by_cell(commons.indirect, cell)
    if commons.declared is not None:
        declared = torch.where(at_home, declared, by_cell(commons.declared, cell))
    charge = border_charge(
        intensity=declared,
        deduction=by_cell(terms.deduction, cell),
        rate=by_cell(terms.rate, cell),
        offset=by_cell(terms.offset, cell),
    )
    if policy.threshold > 0:
        charge = charge * (intensity * output * by_cell(commons.crossing_share, cell) >= policy.threshold)
    return torch.where(at_home, 0.0 - charge, charge)


def unit_cost(
    market: MarketParams, factor_share: Tensor, input_cost: Tensor, utilisation: Tensor
) -> tuple[Tensor, Tensor]:
    """Log of the CES cost of a unit of output, and the share of it that stays with the firm as rent of its capacity.

    c = (v w^(1-eps) + sum_s a pc^(1-eps))^(1/(1-eps)),   w = (P / K)^(1/chi)

    v -> factor_share;  sum_s a pc^(1-eps) -> input_cost;  P / K -> utilisation;  chi -> market.factor_supply

    All of the firm's own factor is valued at the price w of the last unit, so most of it costs less than that.  What
    is left over is the rent R of capacity, dR/dP = P dc/dP; with s the factor's share of c, about

    R / (P c) = s / (chi + 1 - min(eps, 1) (1 - s))

    This is exact without inputs and for eps = 1, else within 0.2 % of c at the defaults and 2 % for eps up to 0.8 and
    chi from 0.5.  So c is the cost of one unit more: who takes prices as given earns most where the price is c.
    """
    eps, chi = market.inputs, market.factor_supply
    factor = factor_share * exact.power(utilisation, (1 - eps) / chi)
    total = factor + input_cost
    share = factor / total
    return total.log() / (1 - eps), share / (chi + 1 - min(eps, 1.0) * (1 - share))
