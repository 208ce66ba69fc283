"""Firm-level supply edges: the named suppliers of every firm, as arrays for stepping.

Axes: C cell (region, sector); N firm, sorted by cell; E slot, at most 8.  Money million USD of the base year.

An edge is a pair (customer, slot); its id is customer * E + slot.  What a firm buys outside its slots is a flow
from the product cell as a whole and has no edge.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carbonray.worlds import draws
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
LongArray = NDArray[np.int64]

MAX_SLOTS = 8
UNUSED = -1
SUPPLIER_DRAW = 1_000  # draw number of naming; the slot stands where a world's step would


@dataclass(frozen=True, kw_only=True)
class Adjacency:
    """Compressed sparse rows: the neighbours of firm i are `indices[indptr[i]:indptr[i + 1]]`."""

    indptr: LongArray  # [N + 1]
    indices: LongArray  # [n_edges] firm at the other end
    slots: LongArray  # [n_edges] slot of the edge, counted at the customer


@dataclass(frozen=True, kw_only=True)
class SupplyEdges:
    """Named suppliers: each customer names at most one in each of its cell's largest flows."""

    product: LongArray  # [C, E] product cell bought in slot e by the firms of cell j; -1 unused
    supplier: LongArray  # [E, N] firm named in slot e by customer firm i; -1 unused

    @property
    def n_edges(self) -> int:
        """Number of named (customer, supplier) pairs."""
        return int(np.count_nonzero(self.supplier != UNUSED))

    @cached_property
    def upstream(self) -> Adjacency:
        """From each customer to its suppliers, in order of edge id."""
        customers, slots = np.nonzero(self.supplier.T != UNUSED)
        return _adjacency(customers, self.supplier.T[customers, slots], slots, self.supplier.shape[1])

    @cached_property
    def downstream(self) -> Adjacency:
        """From each supplier to the customers that named it, in order of edge id."""
        customers, slots = np.nonzero(self.supplier.T != UNUSED)
        suppliers = self.supplier.T[customers, slots]
        order = np.argsort(suppliers, kind="stable")
        return _adjacency(suppliers[order], customers[order], slots[order], self.supplier.shape[1])


def name_suppliers(
    economy: Economy, cell_of_firm: LongArray, size: Array, *, seed: int, slots: int = MAX_SLOTS
) -> SupplyEdges:
    """Let every firm name one supplier in each of its cell's largest flows.

    The supplier is drawn among the firms of the product cell with probability proportional to size: the first firm
    whose cumulative size exceeds u times the cell's.  A firm that draws itself names the next firm of the cell (the
    first after the last); alone in its cell it names nobody.  u is keyed by (seed, firm id, slot) and so does not
    depend on how many other firms there are.

    Args:
        economy: gives the flows Z[o, j].
        cell_of_firm: [N] cell of each firm, ascending.
        size: [N] output, million USD / year, positive.
        seed: of the graph.
        slots: E, suppliers that a firm names at most, 1 to 8.
    Raises:
        ValueError: firms not sorted by cell, a cell that the economy does not have, a size that is not positive,
            or slots out of range.
    """
    _check_firms(economy, cell_of_firm, size, slots)
    n_cells, n_firms = len(economy.transactions), len(cell_of_firm)
    starts = np.searchsorted(cell_of_firm, np.arange(n_cells + 1))
    product = largest_flows(economy.transactions, np.diff(starts) > 0, slots)
    cumulative = [np.cumsum(size[starts[cell] : starts[cell + 1]]) for cell in range(n_cells)]
    supplier = np.full((slots, n_firms), UNUSED, dtype=np.int64)
    ids = np.arange(n_firms, dtype=np.int64)
    for slot in range(slots):
        chance = draws.uniform(seed, 0, slot, SUPPLIER_DRAW, ids)
        for cell in np.flatnonzero((np.diff(starts) > 0) & (product[:, slot] != UNUSED)):
            customers = slice(starts[cell], starts[cell + 1])
            origin = product[cell, slot]
            named = _draw_by_size(cumulative[origin], chance[customers])
            if origin == cell:
                named = _skip_oneself(named)
            supplier[slot, customers] = np.where(named == UNUSED, UNUSED, starts[origin] + named)
    return SupplyEdges(product=product, supplier=supplier)


def largest_flows(transactions: Array, populated: NDArray[np.bool_], slots: int) -> LongArray:
    """Rank the product cells of which each cell buys most; equal flows in order of cell.

    Args:
        transactions: [C, C] million USD / year, supplier in rows.
        populated: [C] cells that have firms; nobody can be named in the others.
        slots: E.
    Returns:
        [C, E] product cell, -1 where the cell has fewer flows than slots.
    """
    flows = np.where(populated[:, None], transactions, 0.0)
    ranked = np.argsort(-flows, axis=0, kind="stable")[:slots]
    used = np.take_along_axis(flows, ranked, axis=0) > 0.0
    product = np.full((transactions.shape[1], slots), UNUSED, dtype=np.int64)
    product[:, : len(ranked)] = np.where(used, ranked, UNUSED).T
    return product


def _draw_by_size(cumulative: Array, chance: Array) -> LongArray:
    """Position in the cell by inverse CDF; [M] chances in [0, 1) -> [M] positions."""
    position = np.searchsorted(cumulative, chance * cumulative[-1], side="right")
    return np.asarray(np.minimum(position, len(cumulative) - 1), dtype=np.int64)


def _skip_oneself(named: LongArray) -> LongArray:
    """Move customers that named their own position to the next one; [M] for the M firms of one cell."""
    own = np.arange(len(named), dtype=np.int64)
    following = (own + 1) % len(named) if len(named) > 1 else np.full_like(own, UNUSED)
    return np.where(named == own, following, named)


def _adjacency(rows: LongArray, indices: LongArray, slots: LongArray, n_firms: int) -> Adjacency:
    """Compress edges that are sorted by row."""
    indptr = np.zeros(n_firms + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=n_firms), out=indptr[1:])
    return Adjacency(indptr=indptr, indices=indices, slots=slots)


def _check_firms(economy: Economy, cell_of_firm: LongArray, size: Array, slots: int) -> None:
    """Refuse firms that cannot be placed in the economy."""
    n_cells = len(economy.transactions)
    if not 1 <= slots <= MAX_SLOTS:
        raise ValueError(f"a firm names 1 to {MAX_SLOTS} suppliers, not {slots}")
    if cell_of_firm.ndim != 1 or cell_of_firm.shape != size.shape:
        raise ValueError(f"cell_of_firm {cell_of_firm.shape} and size {size.shape} must be [N] both")
    if np.any(np.diff(cell_of_firm) < 0):
        raise ValueError("firms must be sorted by cell")
    if len(cell_of_firm) and not 0 <= cell_of_firm[0] <= cell_of_firm[-1] < n_cells:
        raise ValueError(f"cells of firms must lie in 0..{n_cells - 1}, got {cell_of_firm[0]}..{cell_of_firm[-1]}")
    unsized = np.flatnonzero(~((size > 0.0) & np.isfinite(size)))
    if len(unsized):
        raise ValueError(f"size of firm {unsized[0]} must be positive and finite, got {size[unsized[0]]}")
