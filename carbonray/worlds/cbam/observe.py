"""What a firm sees, and which of its choices are legal: never another firm's state.

Axes: B replica, n firm, C cell.
"""

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds.cbam.abatement import marginal_cost
from carbonray.worlds.cbam.act import CUTS, GROWTHS
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import Firms, by_cell, own_allocation
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.sourcing import n_choices
from carbonray.worlds.cbam.support import carbon_value
from carbonray.worlds.world import Observation

FEATURES = (
    "log_capacity",  # relative to the trend of the cell
    "utilisation",  # output over capacity
    "intensity",  # relative to the cell's base mean
    "abated",  # share of emissions cut or about to be
    "marginal_abatement_cost",  # of the next tonne cut, in 100 USD / t
    "carbon_exposure",  # what emitting costs at 100 USD / t before abatement, share of the price at rest
    "unit_cost",  # log, base year 0
    "price",  # log, base year 0
    "margin",
    "charge",  # border charge per unit that crosses
    "carbon_price",  # that a tonne less is worth now, in 100 USD / t: the price, or the strike of a contract
    "carbon_price_announced",  # next year's
    "free_allocation",  # value per unit of output
    "market_share",  # of the cell's output
    "competitors_price",  # mean delivered price of the good in the home region, log
    "suppliers_growth",  # mean last action of named suppliers
    "customers_growth",  # mean last action of customers that name the firm
    "stock_cover",  # quarters of production that stocks allow
    "year",  # share of the run that is over
)
"""Names of the columns of an observation."""


def observe(model: Model, firms: Firms, commons: Commons) -> Observation:
    """[B, n, features] and the mask of legal levels of every head."""
    params, policy = model.firms, model.policy
    cell, cleared = firms.shard.cell, commons.cleared
    batch, n_cells = commons.trend.shape
    n_regions = len(policy.home)
    n_sectors = n_cells // n_regions
    capacity = firms.capacity * by_cell(commons.trend, cell)
    output = firms.output.clamp(min=1e-300)
    year = min((commons.step // QUARTERS) + 1, model.steps // QUARTERS)
    announced = policy.price(policy.law.in_year(year, batch), policy.own_prices.expand(batch, -1), year)
    priced = (announced[:, :, None] * policy.priced).flatten(1)
    zero = torch.zeros_like(commons.trend)
    price = zero if cleared is None else cleared.price.log()
    made = zero + 1 if cleared is None else cleared.market.demand.transpose(1, 2).flatten(1)
    competitors = zero
    if cleared is not None:
        home = int(policy.home.to(torch.int64).argmax())
        delivered = cleared.market.log_import_price[:, :, home, -1]  # [B, S] as final demand at home sees it
        competitors = delivered.unsqueeze(1).expand(-1, n_regions, -1).flatten(1)
    columns = (
        (capacity / by_cell(commons.trend, cell) / params.size[firms.shard.ids]).clamp(min=1e-12).log(),
        output / capacity.clamp(min=1e-300),
        firms.intensity / by_cell(model.technology.intensity.expand(batch, -1), cell).clamp(min=1e-300),
        firms.pending[-1],
        marginal_cost(params, firms.pending[-1], cell) / 100,
        firms.base_intensity * 100,
        firms.scale.log() / model.market.inputs,
        by_cell(price, cell),
        firms.margin,
        firms.charge,
        by_cell(carbon_value(commons.terms.price, commons.strike), cell) / 100,
        by_cell(carbon_value(priced, commons.strike), cell) / 100,
        own_allocation(params, firms.shard, by_cell(commons.terms.allocation, cell)),
        output / by_cell(made, cell).clamp(min=1e-300),
        by_cell(competitors, cell),
        firms.suppliers_growth,
        firms.customers_growth,
        firms.cover / (firms.scale * output),
        torch.full_like(firms.margin, commons.step / model.steps),
    )
    return Observation(values=torch.stack(columns, 2), mask=_mask(firms, len(policy.covered), n_regions, n_sectors))


def _mask(firms: Firms, n_goods: int, n_regions: int, n_sectors: int) -> Tensor:
    """Everything is legal but to relocate to where the firm is."""
    batch, n = firms.plan.shape
    legal = torch.ones(batch, n, len(GROWTHS) + len(CUTS), dtype=torch.bool, device=firms.plan.device)
    if firms.sourcing is None:
        return legal
    third = torch.ones(n, n_choices(n_goods, n_regions), dtype=torch.bool, device=firms.plan.device)
    region = firms.shard.cell // n_sectors
    third[torch.arange(n, device=region.device), 1 + n_goods * n_regions + region] = False
    return torch.cat([legal, third.expand(batch, -1, -1)], 2)
