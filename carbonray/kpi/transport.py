"""Carbon of carrying goods between regions: what a run's trade emits on its way, and leakage with it.

    T = sum over products o and regions d of freight[o, d] x volume[o, d]

Every flow that leaves its region counts, whoever burns the fuel and whoever buys; trade within a region has none.  It
stands beside the accounts, not in them: prices do not feel it, and the table's transport sector already emits for
hauling on average, so that leakage with transport counts some of it twice.  All of it is counted as foreign, for no
inventory of the home region holds international carriage: the rise abroad is the partners' plus that of T.

Axes: Y year, B replica, C cell, R region, S sector.  Mt CO2; freight t CO2 / USD, so Mt / million USD.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from carbonray.kpi.history import Array, History
from carbonray.kpi.leakage import Leakage, Mask, leakage


def carried(history: History, freight: Array | None) -> Array:
    """Carbon of carriage of each product to each region, [Y, B, C, R]; zero where the economy has no freight."""
    return history.volume * (0.0 if freight is None else freight)


def transport(
    policy: History, reference: History, freight: Array | None, *, sectors: Sequence[str], home: Mask
) -> dict[str, Any]:
    """Key figures of carriage over the run, means of the replicas; `leakage_rate_with_transport` is null without it.

    Args:
        policy: the run.
        reference: its reference.
        freight: [C, R] t CO2 / USD, of the economy.
        sectors: [S] codes.
        home: [R] regions that act.
    """
    emitted = [carried(run, freight).sum(0) for run in (policy, reference)]  # [B, C, R]
    change = (emitted[0] - emitted[1]).sum((1, 2))  # [B]
    home_cell = np.repeat(home, len(sectors))
    without = leakage(policy.emissions.sum(0), reference.emissions.sum(0), home_cell)
    rate = Leakage(home_reduction=without.home_reduction, foreign_increase=without.foreign_increase + change).rate
    imported = [run[:, ~home_cell][:, :, home].sum(2).mean(0).reshape(-1, len(sectors)).sum(0) for run in emitted]
    return {
        "transport_mt": float(emitted[0].sum((1, 2)).mean()),
        "transport_change_mt": float(change.mean()),
        "transport_by_year_mt": [float(mt) for mt in carried(policy, freight).sum((2, 3)).mean(1)],
        "leakage_rate_with_transport": None if freight is None or np.isnan(rate).any() else float(rate.mean()),
        "transport_imports_by_sector_mt": _by_sector(sectors, imported[0]),
        "transport_imports_change_by_sector_mt": _by_sector(sectors, imported[0] - imported[1]),
    }


def _by_sector(sectors: Sequence[str], values: Array) -> dict[str, float]:
    return {sector: float(value) for sector, value in zip(sectors, values, strict=True)}
