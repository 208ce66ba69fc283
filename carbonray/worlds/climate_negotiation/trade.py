"""Trade: bids for others' goods, scaled to what buyers can pay and sellers will let go.

Axes: B replica, n importer of this shard, R region; [B, R, R] is importer, exporter.  Trillion USD a year.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.worlds import exact


@dataclass(frozen=True, kw_only=True)
class Trade:
    """Trade of an activity step."""

    imports: Tensor  # [B, R, R] what importers bought, before tariffs
    exports: Tensor  # [B, R]
    tariffs: Tensor  # [B, R, R] rates in force, chosen a step before


def orders(bids: Tensor, output: Tensor, balance: Tensor, capital_0: Tensor, debt_multiplier: float) -> Tensor:
    """What a region orders: its bids, no more than its output, less where it is in debt.

    M_ij = bid_ij Y_i min(1, 1 / sum_j bid_ij) (1 + rho_i),   rho_i = clip(10 B_i / K0_i, -1, 0)

    Args:
        bids: [B, n, R] shares of own gross output, own entry zero.
        output: [B, n] gross output Y.
        balance: [B, n] B with interest, debts negative.
        capital_0: [n] initial capital K0.
        debt_multiplier: 10 in the reference.
    """
    affordable = output / bids.sum(2).clamp(min=1.0)
    debt = (debt_multiplier * balance / capital_0).clamp(-1.0, 0.0)
    return bids * (affordable * (1.0 + debt))[:, :, None]


def matched(ordered: Tensor, exportable: Tensor) -> tuple[Tensor, Tensor]:
    """Imports [B, R, R] and exports [B, R]: orders scaled so that nobody exports more than `exportable`, [B, R]."""
    wanted = exact.add_up(ordered, 1)
    imports = ordered * torch.where(wanted > exportable, exportable / wanted, 1.0)[:, None, :]
    return imports, torch.minimum(wanted, exportable)


def arriving(imports: Tensor, tariffs: Tensor, *, revenue_returned: bool) -> Tensor:
    """[B, n, R] goods that reach consumers.

    The reference destroys what tariffs take.  Returned, the goods taken are handed out in the proportions of those that
    passed, so that nothing is lost and a tariff only turns consumption towards other origins.
    """
    passed = imports * (1.0 - tariffs)
    if not revenue_returned:
        return passed
    bought, left = imports.sum(2), passed.sum(2)
    share = torch.where(left > 0, bought / left, 0.0)
    return torch.where((left > 0)[:, :, None], passed * share[:, :, None], imports)
