"""Arithmetic that gives the same bytes for any sharding, number of threads and size of batch.

Float sums depend on their order, so sums over agents are made in fixed point; powers go through exp and log,
because the library's `pow` differs between layouts; matrices are applied as products summed along a contiguous axis.
"""

import math

import torch
from torch import Tensor

from carbonray.worlds.world import Total, WorldError

BITS = 62


class SumOutOfBoundError(WorldError):
    """A pooled total left the bound that its field declares."""


def grain(bound: float) -> float:
    """The fixed-point unit of a total: the finest power of two such that `bound` fits 62 bits."""
    return 2.0 ** -(BITS - math.ceil(math.log2(bound)))


def cell_totals(values: Tensor, ends: Tensor, bound: float) -> Total:
    """Add agents' values by cell.

    Args:
        values: [..., n] of agents sorted by cell.
        ends: [C] int64, the number of agents up to and including each cell.
        bound: largest magnitude that a sum over all shards may reach, in the unit of `values`.

    Returns:
        The total with sums [..., C].
    """
    if values.shape[-1] == 0:
        return Total(sums=ends.new_zeros(*values.shape[:-1], len(ends)), bound=bound)
    running = (values * (1.0 / grain(bound))).to(torch.int64)
    torch.cumsum(running, -1, out=running)
    running = running.index_select(-1, (ends - 1).clamp(min=0)) * (ends > 0)
    return Total(sums=running.diff(dim=-1, prepend=torch.zeros_like(running[..., :1])), bound=bound)


def keyed_totals(values: Tensor, keys: Tensor, size: int, bound: float) -> Total:
    """Add agents' values by key.

    Args:
        values: [B, ...] of agents.
        keys: [B, ...] int64 in [0, size), the sum that each value enters.
        size: number of sums.
        bound: as in `cell_totals`.

    Returns:
        The total with sums [B, size].
    """
    fixed = (values * (1.0 / grain(bound))).to(torch.int64)
    sums = torch.zeros(len(values), size, dtype=torch.int64, device=values.device)
    return Total(sums=sums.scatter_add_(1, keys.flatten(1), fixed.flatten(1)), bound=bound)


def as_float(name: str, total: Total) -> Tensor:
    """The value of a merged total.

    Raises:
        SumOutOfBoundError: naming the field, if a sum exceeds the declared bound (NaN and infinity included).
    """
    values = total.sums.to(torch.float64) * grain(total.bound)
    worst = values.abs().max().item() if values.numel() else 0.0
    if worst > total.bound:
        raise SumOutOfBoundError(f"{name}: a total of {worst:.3g} exceeds its declared bound of {total.bound:.3g}")
    return values


def power(base: Tensor, exponent: Tensor | float) -> Tensor:
    """`base ** exponent` for a non-negative base."""
    return (base.log() * exponent).exp()


def add_up(values: Tensor, dim: int) -> Tensor:
    """Sum over a short axis, slice by slice: a strided `sum` depends on how many agents lie beside it."""
    total = values.select(dim, 0).clone()
    for place in range(1, values.shape[dim]):
        total += values.select(dim, place)
    return total


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix [..., n, m] times vector [..., m], each row summed along a contiguous axis."""
    return (matrix * vector.unsqueeze(-2)).contiguous().sum(-1)


def inverse(matrix: Tensor) -> Tensor:
    """Invert an M-matrix such as I - A [n, n] by Gauss-Jordan elimination, which needs no pivoting there.

    LAPACK's solution of 144 unknowns differs with the number of threads; this one does not.
    """
    n = matrix.shape[0]
    work = torch.cat([matrix, torch.eye(n, dtype=matrix.dtype, device=matrix.device)], 1)
    for k in range(n):
        pivot = work[k] / work[k, k]
        work = work - work[:, k : k + 1] * pivot
        work[k] = pivot
    return work[:, n:].contiguous()
