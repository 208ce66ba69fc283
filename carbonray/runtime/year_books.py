"""Yearly accounts of runs by cell, without anything by firm: what laws that are run side by side are compared by.

Axes: B replica, Y year, C cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.runtime.inprocess import IN_PROCESS
from carbonray.runtime.shard import RULES, Play, Policy, untold
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import CbamWorld
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import Firms
from carbonray.worlds.world import Pool

Array = NDArray[np.float64]


@dataclass
class Books:
    """Sums of whole years, and of the year so far."""

    years: list[dict[str, Tensor]] = field(default_factory=list)  # [B, C]
    year: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class YearBooks:
    """Keeps yearly sums of the accounts."""

    world: CbamWorld
    kept: Books = field(default_factory=Books)

    def add(self, agents: Firms, commons: Commons, accounts: Pool | None) -> None:
        """Take in a quarter."""
        assert accounts is not None
        year = self.kept.year
        for name, values in self.told(commons, accounts).items():
            year[name] = year[name] + values if name in year else values
        if commons.step % QUARTERS == 0:
            self.kept.years.append(self.kept.year)
            self.kept.year = {}

    def told(self, commons: Commons, accounts: Pool) -> dict[str, Tensor]:
        """What a quarter adds, [B, C]."""
        cleared = commons.cleared
        assert cleared is not None
        told = dict(accounts.totals)
        told["carbon_cost"] = cleared.carbon_price * told["emissions"]
        told.setdefault("allocation", cleared.allocation * told["output"])
        return told


def yearly_accounts(
    world: CbamWorld, seed: int, replicas: int, behaviour: Policy = RULES, books: type[YearBooks] = YearBooks
) -> Mapping[str, Array]:
    """Run a world and give [B, Y, C] by account.

    Raises:
        KeyboardInterrupt: if the user stops it.
        MarketError, SettlementError, SumOutOfBoundError: where it has no next state.
    """
    play = Play(
        worlds=(world,),
        seed=seed,
        replicas=replicas,
        steps=world.steps,
        recorder=partial(books),
        so_far=lambda kept: {},
        policy=behaviour,
    )
    played = IN_PROCESS.play(play, untold)
    if played.interrupted:
        raise KeyboardInterrupt
    ((kept,),) = played.kept
    return {name: torch.stack([year[name] for year in kept.years], 1).numpy() for name in kept.years[0]}
