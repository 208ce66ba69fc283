"""Settlement: what each firm sold, paid, emitted and keeps in stock.

Axes: B replica, n firm, C cell, S good, E supplier slot.
"""

from dataclasses import replace

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.cbam import deliveries
from carbonray.worlds.cbam.abatement import cost_of_abatement
from carbonray.worlds.cbam.act import unit_cost
from carbonray.worlds.cbam.commons import Cleared, Commons
from carbonray.worlds.cbam.firms import Firms, by_cell, own_allocation, totals_by_cell
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.parameters import FirmParams
from carbonray.worlds.cbam.support import claim
from carbonray.worlds.world import Bid, Mail, Outcome, WorldError


class SettlementError(WorldError):
    """A firm's books hold something that is not a number."""


def settle(model: Model, firms: Firms, commons: Commons, mail: Mail) -> tuple[Firms, Outcome]:
    """Book a quarter.

    Margin per unit = price and free allowances, less border charge, carbon price, unit cost and abatement; inputs are
    valued when used, at current prices.  Profit = margin and the rent of the firm's own capacity, see `unit_cost`.

    Raises:
        SettlementError: if a profit is not finite.
    """
    cleared = commons.cleared
    assert cleared is not None
    params, disrupted = model.firms, model.disruptions.any
    cell = firms.shard.cell
    need = by_cell(cleared.input_need, cell)
    delivered = None
    if disrupted:
        delivered = deliveries.delivered_share(firms, cleared, mail, model.slots, model.disruptions.spot_share)
    stock, cover = _stocks(params, firms, need, delivered)
    made = firms.output * (1 - firms.struck) if disrupted else firms.output
    log_cost, rent_share = _cost(model, firms, cleared)
    cost = log_cost.exp()
    crossing = by_cell(cleared.crossing_share, cell)
    carbon = by_cell(cleared.carbon_price, cell) * firms.intensity
    unabated = firms.base_intensity * by_cell(cleared.intensity_factor, cell)
    abatement = unabated * cost_of_abatement(params, firms.abated, cell)
    allocation = own_allocation(params, firms.shard, by_cell(cleared.allocation, cell))
    revenue = by_cell(cleared.revenue, cell) + allocation
    support = None
    if cleared.strike is not None:
        price, strike = cleared.carbon_price, cleared.strike
        support = claim(params, price=price, strike=strike, abated=firms.abated, unabated=unabated, cell=cell)
        revenue = revenue + support
    per_unit = revenue - crossing * firms.charge - carbon - cost - abatement
    profit = (per_unit + rent_share * cost) * made - firms.transaction_cost
    paid = crossing * firms.charge * made
    new_scale = (log_cost * model.market.inputs).exp()
    settled = replace(
        firms,
        stock=stock,
        cover=cover,
        scale=new_scale,
        margin=per_unit / cost,
        embodied=_embodied(firms, cleared, mail),
        output=made,
        paid=paid,
        profit=profit,
    )
    if params.learned:
        settled = _hear(settled, cleared, mail)
    values = {
        "output": made,
        "emissions": firms.intensity * made,
        "profit": profit,
        "border_charge": paid,
        "abatement_cost": abatement * made,
        "planned": firms.plan,
    }
    if params.own_allocation is not None:
        values["allocation"] = allocation * made
    if support is not None:
        values["support"] = support * made
    if not bool(torch.isfinite(profit.sum())):
        raise SettlementError(f"quarter {commons.step - 1}: the profit of {_first_bad(model, firms, profit)}")
    accounts = Bid(totals=totals_by_cell(firms.shard, values, model.bounds))
    return settled, Outcome(reward={"firm": profit}, terminated=False, accounts=accounts)


def _first_bad(model: Model, firms: Firms, profit: Tensor) -> str:
    bad = (~torch.isfinite(profit)).any(0).nonzero()
    if not len(bad):
        return "all firms is too large to add up"
    place = bad[0, 0]
    region, sector = divmod(int(firms.shard.cell[place]), len(model.sectors))
    named = f"firm {int(firms.shard.ids[place])} ({model.sectors[sector]}, {model.regions[region]})"
    return f"{named} is not a number"


def _cost(model: Model, firms: Firms, cleared: Cleared) -> tuple[Tensor, Tensor]:
    """Log of each firm's cost of a unit, at current prices and its own use of capacity, and its rent's share of it."""
    cell = firms.shard.cell
    capacity = firms.capacity * by_cell(cleared.trend, cell)
    return unit_cost(
        model.market,
        by_cell(model.technology.factor_share, cell),
        by_cell(cleared.input_cost, cell),
        firms.output / capacity,
    )


def _hear(firms: Firms, cleared: Cleared, mail: Mail) -> Firms:
    """Neighbours' mean actions, and capacity that arrives at the largest firm of its cell."""
    shard = firms.shard
    named = shard.used.sum(0).clamp(min=1)
    heard = torch.zeros_like(firms.growth)
    if len(shard.used):
        heard = exact.add_up(mail["suppliers_growth"] * shard.used, 1)
    leads = shard.leads.to(torch.float64)
    arriving = by_cell(cleared.arriving_capacity / cleared.trend, shard.cell) * leads
    return replace(
        firms,
        suppliers_growth=heard / named,
        customers_growth=mail["customers_growth"] / shard.customers.clamp(min=1),
        capacity=firms.capacity + arriving,
        plan=firms.plan + by_cell(cleared.arriving_plan, shard.cell) * leads,
    )


def _stocks(params: FirmParams, firms: Firms, need: Tensor, delivered: Tensor | None) -> tuple[Tensor, Tensor]:
    """Input stocks [B, S, n] after deliveries and use, and the effective scale that they allow next quarter."""
    adjustment = params.stock_adjustment
    if delivered is None:  # everything bought arrives: S' = (1 - q) S + q n use
        gained = need * (firms.buying * (adjustment * params.stock_target)).unsqueeze(1)
        stock = gained.add_(firms.stock, alpha=1 - adjustment)
    else:
        arrived = deliveries.purchases(params, firms, need).mul_(delivered)
        use = need * (firms.scale * firms.output * (1 - firms.struck)).unsqueeze(1)
        stock = arrived.add_(firms.stock).sub_(use).clamp_(min=0.0)
    return stock, torch.div(stock, need, out=need).amin(1)


def _embodied(firms: Firms, cleared: Cleared, mail: Mail) -> Tensor:
    """One Leontief relaxation: direct intensity and that of inputs, named suppliers' own and else the cell's mean."""
    inputs = by_cell(cleared.embodied_inputs, firms.shard.cell)
    if "embodied" in mail:
        inputs = inputs + exact.add_up(mail["embodied"] * by_cell(cleared.slot_weight, firms.shard.cell), 1)
    return firms.intensity + firms.scale * inputs
