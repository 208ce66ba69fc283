"""Disruptions: how a shortage travels from a struck supplier to its customers.

Orders go to the named suppliers as letters, deliveries come back.  A supplier accepts named orders up to its output;
the rest of a product is a pool that serves everybody else.  When output is struck after the market cleared, a
supplier's named customers and the pool lose the same share; customers seek a spot share of what they lost in the
pool, which is then rationed.  What arrives short lowers the customer's stock.

Axes: B replica, n firm, C cell, S good, E supplier slot.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.worlds.cbam.commons import Cleared
from carbonray.worlds.cbam.firms import Firms, by_cell
from carbonray.worlds.cbam.parameters import FirmParams
from carbonray.worlds.world import Letters, Mail


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What each cell buys through its supplier slots."""

    good: Tensor  # [E, C] int64
    product: Tensor  # [E, C] int64, cell that makes it
    used: Tensor  # [E, C] bool


def purchases(params: FirmParams, firms: Firms, need: Tensor) -> Tensor:
    """[B, S, n] composite bought: use, and the part of the gap to the stock target that is closed this quarter.

    `need` [B, S, n] is the input per unit of effective scale.  A firm with far too much in stock sells inputs back.
    """
    adjustment = params.stock_adjustment
    wanted = need * (firms.buying * (1 + adjustment * params.stock_target)).unsqueeze(1)
    return wanted.sub_(firms.stock, alpha=adjustment)


def order(params: FirmParams, firms: Firms, cleared: Cleared, slots: Slots) -> Letters:
    """What each customer orders from each supplier it names: volume, million USD a quarter at base prices.

    The named flow's share of `purchases` of its good.
    """
    cell, adjustment = firms.shard.cell, params.stock_adjustment
    scale = firms.buying * (1 + adjustment * params.stock_target)
    stock = torch.gather(firms.stock, 1, _good_of(firms, slots)).mul_(by_cell(cleared.slot_order, cell))
    wanted = by_cell(cleared.slot_weight, cell).mul_(scale.unsqueeze(1))
    return Letters(values=wanted.sub_(stock, alpha=adjustment), to_supplier=True)


def _good_of(firms: Firms, slots: Slots) -> Tensor:
    return by_cell(slots.good, firms.shard.cell).expand(firms.plan.shape[0], -1, -1)


def answer(firms: Firms, orders: Tensor) -> tuple[dict[str, Tensor], dict[str, Letters]]:
    """What each supplier accepts of its named orders [B, n], and what it cannot deliver."""
    lost = firms.struck
    accepted = torch.where(orders > firms.output, firms.output / orders.clamp(min=1e-300), 1.0)
    named = torch.minimum(orders, firms.output)
    totals = {"lost": lost * firms.output, "named": named, "named_lost": lost * named}
    letters = {
        "accepted": Letters(values=accepted, to_supplier=False),
        "failed": Letters(values=accepted * lost, to_supplier=False),
    }
    return totals, letters


def pool_fill(supply: Tensor, lost: Tensor, named: Tensor, named_lost: Tensor, spot_share: float) -> Tensor:
    """[B, C] share of pooled orders delivered: (Q - L - (M - M_l)) / (Q - M + s M_l).

    Q -> supply;  L -> lost;  M -> named;  M_l -> named_lost;  s -> spot_share
    """
    pooled = (supply - named).clamp(min=0.0)
    asked = pooled + spot_share * named_lost
    offered = (pooled - (lost - named_lost)).clamp(min=0.0)
    return torch.where(asked > 0, offered / asked.clamp(min=1e-300), 1.0).clamp(max=1.0)


def delivered_share(firms: Firms, cleared: Cleared, mail: Mail, slots: Slots, spot_share: float) -> Tensor:
    """[B, S, n] share of each good bought that arrives."""
    cell = firms.shard.cell
    share = by_cell(cleared.input_fill, cell)
    if "accepted" in mail:
        products = slots.product.expand(len(cleared.fill), -1, -1)
        pool = torch.gather(cleared.fill.unsqueeze(1).expand(-1, products.shape[1], -1), 2, products)
        gain = by_cell((1 - pool) * cleared.slot_value, cell).mul_(mail["accepted"])
        loss = by_cell((1 - spot_share * pool) * cleared.slot_value, cell).mul_(mail["failed"])
        share.scatter_add_(1, _good_of(firms, slots), gain.sub_(loss))
    return share.clamp_(0.0, 1.0)
