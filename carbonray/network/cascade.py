"""What the loss of one supplier does to everybody else: bottlenecks downstream, extraction upstream.

Axes: C cell (region, sector), region-major; R region; S good.  Losses are shares of base-year output.
Static: no prices, stocks or time; the simulation has those.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.network.leontief import input_coefficients
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]

HIT = 0.01  # a cell counts as hit when it loses more than this share of its output
TOLERANCE = 1e-12
MAX_ROUNDS = 200_000  # on the world table 29,000 were the most seen, beside a tipping point


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """The end of a cascade."""

    losses: pd.DataFrame  # index cell: lost_share of its output, lost_musd; largest lost_musd first
    lost_output_share: float  # of the output of all cells, the removed one included
    cells_hit: int  # cells losing more than 1 % of their output, the removed one included
    rounds: int  # rounds of propagation until nothing changed


def cascade(economy: Economy, removed: str, *, spot_share: float, removed_share: float = 1.0) -> Cascade:
    """Remove a cell, or a firm of it, and let the shortage travel downstream.

    loss[j]  = max(d[j], max over goods s of (1 - spot_share alive[s]) sum_r share[r|s, j] loss[(r, s)])
    alive[s] = 1 - sum_r X[(r, s)] loss[(r, s)] / sum_r X[(r, s)]

    iterated from loss = d (the removed share of the removed cell, else 0) until nothing changes.  share[r|s, j] is
    origin r's part of what j buys of good s.  Inputs do not replace each other (Leontief production, Miller and
    Blair 2009, chapter 2) and a supplier rations all its customers alike (Ghosh allocation, chapter 12), so the
    scarcest good sets output: output_j = min over goods of the available share.  `spot_share` of what is missing is
    bought from whoever still makes the good, less as more of its makers are lost, nothing when all are.  Survivors of
    the removed cell take over its inputs.  Losses rise from round to round, so the end is the smallest loss that
    explains itself.  A bottleneck this strict is an upper bound: with `spot_share` 0 and trade among all cells, one
    removed cell stops the whole economy.

    Args:
        removed: name of the cell that loses output.
        spot_share: in [0, 1].
        removed_share: part of that cell's output removed; a firm's share of its cell for one firm.
    Raises:
        ValueError: an unknown cell, or a share outside [0, 1].
        RuntimeError: no rest within 200,000 rounds (a `spot_share` near 0, or at a tipping point).
    """
    cell = _position(economy, removed)
    for name, share in (("spot_share", spot_share), ("removed_share", removed_share)):
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name} must lie in [0, 1], got {share}")
    lost, rounds = _propagate(_origin_shares(economy), economy.output, cell, spot_share, removed_share)
    output = economy.output
    losses = pd.DataFrame({"lost_share": lost, "lost_musd": lost * output}, index=pd.Index(economy.cells, name="cell"))
    return Cascade(
        losses=losses.sort_values("lost_musd", ascending=False, kind="stable"),
        lost_output_share=float(lost @ output / output.sum()),
        cells_hit=int(np.count_nonzero(lost > HIT)),
        rounds=rounds,
    )


def criticality(economy: Economy, *, spot_share: float) -> pd.DataFrame:
    """Rank cells by the cascade that removing each of them sets off.

    Returns:
        Index `cell`; `output_share` of the cell itself, `lost_output_share` and `cells_hit` of its `cascade`,
        `amplification` = lost_output_share / output_share; largest loss first.
    """
    output, shares = economy.output, _origin_shares(economy)
    rows = []
    for cell, name in enumerate(economy.cells):
        if output[cell] <= 0.0:
            continue
        lost, _ = _propagate(shares, output, cell, spot_share, 1.0)
        own, whole = float(output[cell] / output.sum()), float(lost @ output / output.sum())
        rows.append((name, own, whole, int(np.count_nonzero(lost > HIT)), whole / own))
    columns = ["cell", "output_share", "lost_output_share", "cells_hit", "amplification"]
    table = pd.DataFrame(rows, columns=columns).set_index("cell")
    return table.sort_values("lost_output_share", ascending=False, kind="stable")


def extraction(economy: Economy, removed: str) -> pd.DataFrame:
    """Output that hangs on a cell's purchases and sales: the hypothetical extraction method.

    lost = X - (I - A*)^-1 F*,  A* and F* with the rows and columns of the removed cell set to zero

    (Miller and Blair 2009, chapter 12.)  Demand-driven: suppliers upstream lose sales, customers downstream are
    taken to find the good elsewhere; the mirror image of `cascade`.

    Returns:
        Index `cell`; `lost_musd`, `lost_share` of the cell's output; largest first.
    Raises:
        ValueError: an unknown cell.
    """
    cell = _position(economy, removed)
    coefficients, demand = input_coefficients(economy).copy(), economy.final_demand.sum(1)
    coefficients[cell, :] = 0.0
    coefficients[:, cell] = 0.0
    demand[cell] = 0.0
    output = economy.output
    lost = output - np.linalg.solve(np.eye(len(output)) - coefficients, demand)
    share = lost / np.where(output > 0.0, output, 1.0)
    table = pd.DataFrame({"lost_musd": lost, "lost_share": share}, index=pd.Index(economy.cells, name="cell"))
    return table.sort_values("lost_musd", ascending=False, kind="stable")


def _origin_shares(economy: Economy) -> Array:
    """[R, S, C] share of each origin region in what a cell buys of a good; zero where it buys none."""
    bought = economy.transactions.reshape(len(economy.regions), len(economy.sectors), -1)
    of_good = bought.sum(0)
    return np.asarray(bought / np.where(of_good > 0.0, of_good, 1.0))


def _propagate(shares: Array, output: Array, cell: int, spot_share: float, removed_share: float) -> tuple[Array, int]:
    """Iterate losses to rest; they never fall from round to round and never exceed one.

    Args:
        shares: [R, S, C] from `_origin_shares`.
        output: [C] million USD / year.
    Returns:
        [C] lost share of output, and the number of rounds.
    """
    n_regions, n_goods, n_cells = shares.shape
    direct = np.zeros(n_cells)
    direct[cell] = removed_share
    supply = output.reshape(n_regions, n_goods)
    weight = supply / np.maximum(supply.sum(0), np.finfo(np.float64).tiny)
    lost = direct
    for done in range(MAX_ROUNDS):
        of_maker = lost.reshape(n_regions, n_goods)
        alive = 1.0 - (weight * of_maker).sum(0)
        short = np.einsum("rsj,rs->sj", shares, of_maker) * (1.0 - spot_share * alive)[:, None]
        following = np.maximum(direct, np.minimum(short.max(0), 1.0))  # shares may sum to one and a rounding
        if float(np.max(np.abs(following - lost))) <= TOLERANCE:
            return following, done
        lost = following
    raise RuntimeError(f"the cascade is not at rest after {MAX_ROUNDS:,} rounds; use a larger spot_share")


def _position(economy: Economy, cell: str) -> int:
    """Index of a cell by name."""
    if cell not in economy.cells:
        raise ValueError(f"unknown cell {cell!r}; cells are named like {economy.cells[0]}")
    return economy.cells.index(cell)
