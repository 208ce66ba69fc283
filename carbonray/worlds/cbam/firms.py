"""Firms: their state, and how they start.

Axes: B replica, n firm of this shard (sorted by id, and so by cell), S good, C cell, E supplier slot.
Money million USD of the base year, mass Mt CO2, flows a quarter; per unit means per USD of base-year output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.worlds import draws, exact
from carbonray.worlds.cbam.parameters import FirmParams, TechnologyParams
from carbonray.worlds.cbam.sourcing import Sourcing
from carbonray.worlds.world import Ids, Total

__all__ = ["Firms", "Shard", "by_cell", "make_shard", "own_allocation", "replace", "reset", "totals_by_cell"]

INTENSITY_DRAW = 1


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Which firms these are: constant over a run."""

    ids: Tensor  # [n] int64, ascending
    cell: Tensor  # [n] int64
    ends: Tensor  # [C] int64, firms of the shard up to and including each cell
    supplier: Tensor  # [E, n] int64, the firm named in each slot
    used: Tensor  # [E, n] bool, whether the slot names anybody
    customers: Tensor  # [n] number of customers that name the firm
    leads: Tensor  # [n] bool, largest firm of its cell: where relocated capacity arrives
    regulators: Tensor  # [0 or 1] int64, ids of the regulators that live here


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
    margin: Tensor  # revenue per unit less all costs, over unit cost, last quarter
    embodied: Tensor  # t CO2 / USD, with inputs
    struck: Tensor  # share of output lost after the market cleared
    output: Tensor  # made this quarter
    buying: Tensor  # effective scale that purchases follow; a firm that is known to stand keeps its stock target
    intensity: Tensor  # t CO2 / USD this quarter
    charge: Tensor  # border charge per unit that crosses; negative is a refund on exports
    paid: Tensor  # border charge paid this quarter
    profit: Tensor  # this quarter
    growth: Tensor  # last action on output
    suppliers_growth: Tensor  # mean of the named suppliers' last actions; zero unless learned
    customers_growth: Tensor  # mean of the customers' last actions; zero unless learned
    transaction_cost: Tensor  # of re-sourcing and relocation this quarter
    sourcing: Sourcing | None  # preferences, where firms can learn


def by_cell(values: Tensor, cell: Tensor) -> Tensor:
    """Spread [..., C] over firms: [..., n]."""
    return torch.gather(values, -1, cell.expand(*values.shape[:-1], len(cell)))


def own_allocation(params: FirmParams, shard: Shard, by_firm: Tensor) -> Tensor:
    """Value of free allowances per unit [..., n]: a named firm's share of what its cell gets."""
    return by_firm if params.own_allocation is None else by_firm * params.own_allocation[shard.ids]


def make_shard(params: FirmParams, supplier: Tensor, used: Tensor, everyone: Ids) -> Shard:
    """The constant part of a shard's state; `supplier` [E, N] and `used` [E, C] are the whole graph's."""
    ids = everyone["firm"]
    all_ends = params.cell_ends.cpu().numpy()
    device = params.size.device
    cell_of_all = torch.as_tensor(np.repeat(np.arange(len(all_ends)), np.diff(all_ends, prepend=0)), device=device)
    edges_used = used[:, cell_of_all]
    customers = torch.bincount(supplier[edges_used], minlength=len(cell_of_all))
    mine = torch.as_tensor(ids, device=device)
    cell = cell_of_all[mine]
    return Shard(
        ids=mine,
        cell=cell,
        ends=torch.as_tensor(np.searchsorted(ids, all_ends), device=device),
        supplier=supplier[:, mine].contiguous(),
        used=edges_used[:, mine],
        customers=customers[mine],
        regulators=torch.as_tensor(everyone.get("regulator", ids[:0]), device=device),
        leads=mine == (params.cell_ends - torch.diff(params.cell_ends, prepend=params.cell_ends.new_zeros(1)))[cell],
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
    if params.own_intensity is not None:
        return _around_named(params.own_intensity.cpu().numpy(), spread, size, emissions, ends)
    total = np.add.reduceat(spread * size, ends - counts)
    return np.asarray(spread * np.repeat(emissions / total, counts))


def _around_named(
    own: NDArray[np.float64],
    spread: NDArray[np.float64],
    size: NDArray[np.float64],
    emissions: NDArray[np.float64],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Intensities [N]: named firms' own, the sampled ones' scaled so that each cell emits exactly what it did."""
    counts = np.diff(ends, prepend=0)
    known = np.add.reduceat(np.nan_to_num(own) * size, ends - counts)
    total = np.add.reduceat(np.where(np.isnan(own), spread * size, 0.0), ends - counts)
    return np.where(np.isnan(own), spread * np.repeat((emissions - known) / total, counts), own)


def reset(
    params: FirmParams, technology: TechnologyParams, shard: Shard, *, seed: int, replicas: int, laws: int, n_goods: int
) -> Firms:
    """Firms at rest in the base year; the laws of a draw meet the same firms."""
    ids = shard.ids.cpu().numpy()
    count = -(-replicas // laws)
    drawn = [draw_intensities(params, technology, seed=seed, replica=draw)[ids] for draw in range(count)]
    intensity = torch.as_tensor(np.repeat(np.stack(drawn), laws, axis=0)[:replicas], device=params.size.device)
    size = params.size[shard.ids].expand(replicas, -1).contiguous()
    inputs = technology.inputs.flatten(1)  # [S, C]
    stock = params.stock_target * by_cell(inputs, shard.cell) * size.unsqueeze(1)
    zero, one = torch.zeros_like(size), torch.ones_like(size)
    favours = zero.unsqueeze(1).expand(-1, n_goods, -1)
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
        embodied=intensity + by_cell(technology.embodied - technology.intensity, shard.cell),
        struck=zero,
        output=size,
        buying=size,
        intensity=intensity,
        charge=zero,
        paid=zero,
        profit=zero,
        growth=zero,
        suppliers_growth=zero,
        customers_growth=zero,
        transaction_cost=zero,
        sourcing=Sourcing(origin=favours.to(torch.int64), weight=favours) if params.learned else None,
    )


def totals_by_cell(shard: Shard, values: Mapping[str, Tensor], bounds: Mapping[str, float]) -> dict[str, Total]:
    """Add firms' values by cell in fixed point."""
    return {name: exact.cell_totals(value, shard.ends, bounds[name]) for name, value in values.items()}
