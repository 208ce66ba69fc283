"""Sourcing and relocation: what only learned firms do.

A firm may shift its preference for one origin of a covered good, or move a tenth of its capacity to an affiliate, the
largest firm of the same good in another region.  Both cost a share of the value moved.

Axes: B replica, n firm, G covered good, R region, C cell, S good, D destination, K buyer.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.cbam.market import Preferences
from carbonray.worlds.cbam.parameters import FirmParams, TechnologyParams
from carbonray.worlds.world import Total


@dataclass(frozen=True, kw_only=True)
class Sourcing:
    """State of the firms' preferences; [B, G, n]."""

    origin: Tensor  # int64, region favoured for each covered good
    weight: Tensor  # log deviation of its weight from the cell's, zero for none, at most the limit


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What firms decided of the third head; [B, n]."""

    good: Tensor  # int64, position among the covered goods of a sourcing action, -1 for none
    origin: Tensor  # int64, region towards which
    destination: Tensor  # int64, region to which capacity moves, -1 for none


def n_choices(n_goods: int, n_regions: int) -> int:
    """Levels of the third head: nothing, each good towards each origin, capacity to each region."""
    return 1 + n_goods * n_regions + n_regions


def decode(choice: Tensor, n_goods: int, n_regions: int) -> Moves:
    """The meaning of a choice [B, n] in [0, n_choices)."""
    sourcing = (choice >= 1) & (choice <= n_goods * n_regions)
    relocating = choice > n_goods * n_regions
    place = (choice - 1).clamp(min=0)
    return Moves(
        good=torch.where(sourcing, place // n_regions, -1),
        origin=torch.where(sourcing, place % n_regions, 0),
        destination=torch.where(relocating, place - n_goods * n_regions, -1),
    )


def origin_share(technology: TechnologyParams, goods: Tensor) -> Tensor:
    """[G, R, C] share of each origin in a cell's base purchases of each covered good."""
    home = technology.home_share[goods][..., :-1]  # [G, D, S]
    foreign = (1 - home).unsqueeze(3) * technology.import_share[goods][:, :, :-1]
    torch.diagonal(foreign, dim1=1, dim2=3).add_(home.transpose(1, 2))
    return foreign.permute(0, 3, 1, 2).flatten(2)


def shift(params: FirmParams, sourcing: Sourcing, moves: Moves) -> Sourcing:
    """Preferences after this quarter's actions: a firm favours one origin of a good at a time, up to a limit."""
    goods = torch.arange(sourcing.origin.shape[1], device=moves.good.device)[:, None]
    chosen = moves.good.unsqueeze(1) == goods
    kept = torch.where(sourcing.origin == moves.origin.unsqueeze(1), sourcing.weight, 0.0)
    return Sourcing(
        origin=torch.where(chosen, moves.origin.unsqueeze(1), sourcing.origin),
        weight=torch.where(chosen, (kept + params.sourcing_step).clamp(max=params.sourcing_limit), sourcing.weight),
    )


def favoured_share(sourcing: Sourcing, shares: Tensor, cell: Tensor) -> Tensor:
    """[B, G, n] base share of the favoured origin in the firm's cell."""
    n_cells = shares.shape[2]
    index = sourcing.origin * n_cells + cell
    return torch.gather(shares.flatten(1).expand(len(index), -1, -1), 2, index)


def moved_share(sourcing: Sourcing, before: Sourcing, shares: Tensor, cell: Tensor) -> Tensor:
    """[B, G, n] share of a good's purchases that this quarter's shift moves to the favoured origin."""
    now, then = (
        share * state.weight.exp() / (1 + share * (state.weight.exp() - 1))
        for state in (sourcing, before)
        for share in (favoured_share(sourcing, shares, cell),)
    )
    return torch.where(sourcing.origin == before.origin, now - then, now).clamp(min=0.0)


def bid(
    params: FirmParams, sourcing: Sourcing, shares: Tensor, cell: Tensor, scale: Tensor, bound: float
) -> dict[str, Total]:
    """What the market must know of preferences, weighted by firms' scale h.

    favour_rest [G * C] = sum h / n;  favour [G * R * C] = sum over firms favouring r of h (k - 1) / n,
    with k = exp(weight) and n = 1 + share (k - 1), so that a firm's shares still sum to one.
    """
    n_goods, n_regions, n_cells = shares.shape
    most = max(1.0, math.exp(params.sourcing_limit))
    excess = sourcing.weight.exp() - 1
    rest = scale.unsqueeze(1) / (1 + favoured_share(sourcing, shares, cell) * excess)
    goods = torch.arange(n_goods, device=cell.device)[:, None]
    by_good = (goods * n_cells + cell).expand(rest.shape)
    by_origin = (goods * n_regions + sourcing.origin) * n_cells + cell
    return {
        "favour_rest": exact.keyed_totals(rest, by_good, n_goods * n_cells, bound),
        "favour": exact.keyed_totals(rest * excess, by_origin, n_goods * n_regions * n_cells, bound * most),
    }


def preferences(
    base: Preferences, totals: Mapping[str, Tensor], goods: Tensor, scale: Tensor, n_regions: int
) -> Preferences:
    """Weights of origins after the firms' shifts; final demand keeps the base year's.

    Args:
        base: of the base year.
        totals: pooled `favour_rest` [B, G * C] and `favour` [B, G * R * C].
        goods: [G] sector of each covered good.
        scale: [B, C] pooled scale of the buying cells.
        n_regions: R.
    """
    batch, n_cells = scale.shape
    n_goods, n_sectors = len(goods), n_cells // n_regions
    rest = totals["favour_rest"].view(batch, n_goods, 1, n_cells)
    factor = (rest + totals["favour"].view(batch, n_goods, n_regions, n_cells)) / scale.clamp(min=1e-300)[:, None, None]
    factor = torch.where(scale[:, None, None] > 0, factor, 1.0)
    factor = factor.view(batch, n_goods, n_regions, n_regions, n_sectors).permute(0, 1, 3, 4, 2)  # [B, G, D, S, R]
    factor = torch.cat([factor, torch.ones_like(factor[..., :1, :])], 3)  # [B, G, D, K, R]
    home, imports = base.home[goods], base.imports[goods]
    own = home * torch.diagonal(factor, dim1=2, dim2=4).transpose(2, 3)
    foreign = (1 - home).unsqueeze(3) * imports * factor
    all_home = base.home.expand(batch, -1, -1, -1).clone()
    all_imports = base.imports.expand(batch, -1, -1, -1, -1).clone()
    all_home[:, goods] = own
    total = foreign.contiguous().sum(-1, keepdim=True)
    all_imports[:, goods] = torch.where(total > 0, foreign / total.clamp(min=1e-300), imports)
    return Preferences(home=all_home, imports=all_imports, imports_by_buyer=all_imports.transpose(3, 4).contiguous())


def no_moves(like: Tensor) -> Moves:
    """Nothing re-sourced or relocated; `like` is [B, n]."""
    none = torch.full(like.shape, -1, dtype=torch.int64, device=like.device)
    return Moves(good=none, origin=none.clamp(min=0), destination=none)


def leave(params: FirmParams, moves: Moves) -> Tensor:
    """[B, n] share of capacity and plan that moves away."""
    return params.relocation_step * (moves.destination >= 0).to(torch.float64)


def arrivals(moves: Moves, leaving: Tensor, cell: Tensor, n_regions: int, n_cells: int, bound: float) -> Total:
    """[C] capacity that arrives in each cell; `leaving` [B, n] in million USD a quarter."""
    n_sectors = n_cells // n_regions
    target = moves.destination.clamp(min=0) * n_sectors + cell % n_sectors
    return exact.keyed_totals(leaving, target, n_cells, bound)
