"""The flows of a split table: nearest to what is believed of each good, with every parent's flow kept.

A first guess divides each flow of the parents by who buys what (`declared/goods_purchases.csv`), by what each new
sector needs (`goods_inputs.csv`) and by how much of each good a region has to spare.  It is then scaled by rows (output
of each new cell), columns (its inputs), destinations (a region's use of a good) and blocks (the parents' flows) in turn
until all hold: iterative proportional fitting, the table nearest to the guess in relative entropy (Ireland, Kullback
1968).  Flows of an input requirement are held where they are put.

Axes: C new cell, P parent's cell, R region, S new sector.  Money million USD.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.data.ageing import ratio
from carbonray.data.errors import DataError

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # of a row's or column's total
USE_TOLERANCE = 1e-6  # of a region's purchases of a good, which are a belief and no identity
SWEEPS = 20_000
SURPLUS_LIMIT = 5.0  # a region's self-sufficiency shifts the odds of trade at most so far


@dataclass(frozen=True, kw_only=True)
class Nesting:
    """Which parent each new sector comes from; children of a parent stand side by side, in the parents' order."""

    regions: tuple[str, ...]
    sectors: tuple[str, ...]  # [S]
    parents: tuple[str, ...]  # sectors of the table to split
    parent: NDArray[np.intp]  # [S] position of each new sector's parent

    def starts(self, extra: int = 0) -> NDArray[np.intp]:
        """First new cell of each parent's cell, then `extra` more places of one each."""
        first = np.flatnonzero(np.r_[True, np.diff(self.parent) > 0])
        cells = (np.arange(len(self.regions))[:, None] * len(self.sectors) + first).reshape(-1)
        return np.asarray(np.r_[cells, len(self.regions) * len(self.sectors) + np.arange(extra)], dtype=np.intp)

    def owner(self, extra: int = 0) -> NDArray[np.intp]:
        """[C + extra] the parent's cell of each new cell."""
        cells = (np.arange(len(self.regions))[:, None] * len(self.parents) + self.parent).reshape(-1)
        return np.asarray(np.r_[cells, len(self.regions) * len(self.parents) + np.arange(extra)], dtype=np.intp)


@dataclass(frozen=True, kw_only=True)
class Beliefs:
    """What the first guess is made of."""

    output: Array  # [C] of the new cells
    inputs: Array  # [C] intermediate inputs of the new cells
    purchases: Array  # [S, S + 1] what of a buyer's purchases of the parent each new good is; last column final demand
    needs: Array  # [P sectors, S] purchase of a parent's good per unit of output, relative between children
    tradability: Array  # [S] odds of sale abroad, relative between children
    use: Array  # [S, R] purchases of each good by region, NaN where unknown
    held: Array  # [R, P sectors, S] share of the parent's purchase that is a child's requirement, NaN where free


def divide(flows: Array, nesting: Nesting, beliefs: Beliefs) -> Array:
    """[C, C + R] the new table's transactions and final demand.

    Args:
        flows: [P, P + R] transactions and final demand of the table to split.
        nesting: which parent each new sector comes from.
        beliefs: output and inputs to meet, and the first guess.
    Raises:
        DataError: the totals contradict each other.
    """
    guess = first_guess(flows, nesting, beliefs)
    held = held_flows(flows, nesting, beliefs)
    return fitted(np.where(held > 0, 0.0, guess), held, flows, nesting=nesting, beliefs=beliefs)


def by_buyer(nesting: Nesting, beliefs: Beliefs) -> Array:
    """[P sectors, R, S] share of each child in its parent's purchases of a good."""
    regions, sectors = len(nesting.regions), len(nesting.sectors)
    weight = beliefs.needs[:, None, :] * beliefs.output.reshape(regions, sectors)
    return np.asarray(weight / sum_children(weight, nesting)[..., nesting.parent])


def sum_children(values: Array, nesting: Nesting) -> Array:
    """Sum the last axis [S] over the children of each parent."""
    first = np.flatnonzero(np.r_[True, np.diff(nesting.parent) > 0])
    return np.add.reduceat(values, first, axis=-1)


def first_guess(flows: Array, nesting: Nesting, beliefs: Beliefs) -> Array:
    """[C, C + R] parents' flows divided among children of the buyer, then of the seller."""
    regions, sectors, parents = len(nesting.regions), len(nesting.sectors), len(nesting.parents)
    to_cells = flows[:, : regions * parents].reshape(regions, parents, regions, parents)[..., nesting.parent]
    to_cells = to_cells * by_buyer(nesting, beliefs)[None]  # [r, p, d, t]
    to_final = flows[:, regions * parents :].reshape(regions, parents, regions, 1)
    bought = np.concatenate([to_cells, to_final], axis=3)[:, nesting.parent]  # [r, s, d, t + 1]
    odds = beliefs.purchases[None, :, None, :] * trade_odds(bought, nesting, beliefs)[..., None]
    total = sum_children(np.moveaxis(odds, 1, -1), nesting)[..., nesting.parent]
    table = bought * odds / np.moveaxis(total, -1, 1)
    final = np.ascontiguousarray(table[..., -1]).reshape(regions * sectors, regions)
    return np.concatenate([table[..., :-1].reshape(regions * sectors, regions * sectors), final], axis=1)


def trade_odds(bought: Array, nesting: Nesting, beliefs: Beliefs) -> Array:
    """[r, s, d] odds of a child in a parent's flow: abroad by tradability, surplus of origin, deficit of destination.

    What a region needs is its purchases of the parent's good by who buys; what it has is its output.
    """
    regions, sectors = len(nesting.regions), len(nesting.sectors)
    shares = beliefs.purchases / sum_children(beliefs.purchases.T, nesting)[:, nesting.parent].T
    need = (bought.sum(0) * shares[:, None, :]).sum(-1)  # [s, d]
    made = beliefs.output.reshape(regions, sectors).T
    made = made / made.sum(1, keepdims=True)
    surplus = np.clip(made * need.sum(1, keepdims=True) / need, 1 / SURPLUS_LIMIT, SURPLUS_LIMIT)
    abroad = beliefs.tradability[None, :, None] * surplus.T[:, :, None] / surplus[None]
    home = np.broadcast_to(np.eye(regions, dtype=bool)[:, None, :], abroad.shape)
    return np.where(home, 1.0, abroad)


def held_flows(flows: Array, nesting: Nesting, beliefs: Beliefs) -> Array:
    """[C, C + R] flows of requirements: from sectors that are not split, shared by origin as the parent buys."""
    regions, sectors, parents = len(nesting.regions), len(nesting.sectors), len(nesting.parents)
    block = flows[:, : regions * parents].reshape(regions, parents, regions, parents)[..., nesting.parent]
    share = np.nan_to_num(np.moveaxis(beliefs.held, 0, 1))[None]  # [1, p, d, t]
    table = (block * share)[:, nesting.parent].reshape(regions * sectors, regions * sectors)
    return np.concatenate([table, np.zeros((regions * sectors, regions))], axis=1)


def fitted(guess: Array, held: Array, flows: Array, *, nesting: Nesting, beliefs: Beliefs) -> Array:
    """Scale the guess until output, inputs, use and blocks hold; blocks come out exactly, the others within 1e-12."""
    regions = len(nesting.regions)
    starts, wide = nesting.starts(), nesting.starts(regions)
    spread = np.ix_(nesting.owner(), nesting.owner(regions))
    active = np.flatnonzero(np.tile(np.bincount(nesting.parent)[nesting.parent] > 1, regions))
    rows = (beliefs.output - held.sum(1))[active]
    columns = (beliefs.inputs - held[:, : beliefs.inputs.size].sum(0))[active]
    blocks = flows - summed(held, starts, wide)
    table = guess.copy()
    for _ in range(SWEEPS):
        table[active] *= ratio(rows, table[active].sum(1))[:, None]
        table[:, active] *= ratio(columns, table[:, active].sum(0))
        table *= use_factors(table, nesting, beliefs)
        table *= ratio(blocks, summed(table, starts, wide))[spread]
        gaps = np.stack([table[active].sum(1) / rows, table[:, active].sum(0) / columns]) - 1.0
        if (
            np.abs(gaps).max() <= TOLERANCE
            and np.abs(use_factors(table, nesting, beliefs) - 1.0).max() <= USE_TOLERANCE
        ):
            return np.asarray(table + held)
    side, worst = np.unravel_index(np.abs(gaps).argmax(), gaps.shape)
    region, sector = divmod(int(active[worst]), len(nesting.sectors))
    raise DataError(
        f"goods: {nesting.regions[region]}-{nesting.sectors[sector]}: {('output', 'inputs')[side]} is "
        f"{gaps[side, worst]:+.2g} off after {SWEEPS} sweeps; the totals contradict each other"
    )


def use_factors(table: Array, nesting: Nesting, beliefs: Beliefs) -> Array:
    """[C, C + R] factors that bring the purchases of each good by each region to what they should be; one elsewhere."""
    regions, sectors = len(nesting.regions), len(nesting.sectors)
    by_region = np.add.reduceat(table[:, : regions * sectors], np.arange(regions) * sectors, axis=1)
    bought = (by_region + table[:, regions * sectors :]).reshape(regions, sectors, regions).sum(0)
    factor = np.where(np.isfinite(beliefs.use), ratio(np.nan_to_num(beliefs.use), bought), 1.0)
    return np.tile(np.concatenate([np.repeat(factor, sectors, axis=1), factor], axis=1), (regions, 1))


def summed(table: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """[P, P + R] sums over children of rows and columns."""
    return np.asarray(np.add.reduceat(np.add.reduceat(table, rows, axis=0), columns, axis=1))
