"""Record a run step by step.

Axes: T quarter, Y year, B replica, C cell, R region, J buyer (C cells, then R final demands), N firm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.kpi.history import Array, History
from carbonray.units import QUARTERS
from carbonray.worlds.cbam.commons import Cleared, Commons
from carbonray.worlds.cbam.firms import Firms, by_cell, own_allocation
from carbonray.worlds.cbam.world import CbamWorld
from carbonray.worlds.world import Pool

ALL_YEARS_UP_TO = 100_000
"""Firms above which only the first and the last year are recorded by firm."""


@dataclass
class Kept:
    """What a recorder keeps: by firm of the shard's own firms, all else only where the books are kept."""

    steps: int = 0  # quarters taken in whole
    accounts: list[dict[str, Tensor]] = field(default_factory=list)  # [B, C] by quarter
    price: list[Tensor] = field(default_factory=list)  # [B, C] by quarter
    lost: list[Tensor] = field(default_factory=list)  # [B, C] by quarter
    trade: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)  # [B, C, R] by year
    purchases: list[Tensor] = field(default_factory=list)  # [C, J] by year
    year: dict[str, Tensor] = field(default_factory=dict)  # sums of the year so far
    firms: dict[int, dict[str, Tensor]] = field(default_factory=dict)  # [B, n] by year
    firm_year: dict[str, Tensor] = field(default_factory=dict)  # sums of the year so far
    iterations: int = 0
    emitted: tuple[float, float] = (0.0, 0.0)  # Mt CO2 so far at home and abroad, mean of the replicas

    @property
    def years(self) -> int:
        """Whole years taken in."""
        return self.steps // QUARTERS


@dataclass
class Recorder:
    """Collects what a History is made of, step by step."""

    world: CbamWorld
    record_firms: bool = True
    kept: Kept = field(default_factory=Kept)

    def add(self, agents: Firms, commons: Commons, accounts: Pool | None) -> None:
        """Take in a step."""
        self._add_firms(agents, commons)
        if accounts is not None:
            self._book(commons, accounts)
        self.kept.steps += 1

    def _book(self, commons: Commons, booked: Pool) -> None:
        kept, cleared = self.kept, commons.cleared
        assert cleared is not None
        accounts: dict[str, Tensor] = dict(booked.totals)
        accounts["carbon_cost"] = cleared.carbon_price * accounts["emissions"]
        accounts.setdefault("allocation", cleared.allocation * accounts["output"])
        accounts["value_added"] = self.world.technology.factor_share * accounts["output"]
        accounts["arriving_capacity"] = cleared.arriving_capacity
        kept.accounts.append({name: values.cpu() for name, values in accounts.items()})
        kept.price.append(cleared.price.cpu())
        kept.lost.append((cleared.lost * cleared.market.demand.transpose(1, 2).flatten(1)).cpu())
        kept.iterations += cleared.iterations
        self._add_trade(cleared, accounts["border_charge"])
        emitted = accounts["emissions"].mean(0)
        at_home = float(emitted[self.world.policy.home_cell].sum())
        kept.emitted = (kept.emitted[0] + at_home, kept.emitted[1] + float(emitted.sum()) - at_home)
        if commons.step % QUARTERS == 0:
            self._close_year()

    def _add_trade(self, cleared: Cleared, border_charge: Tensor) -> None:
        sold = cleared.flows.sum(3).permute(0, 3, 1, 2).flatten(1, 2)  # [B, C, R]
        home = self.world.policy.home
        crosses = (home.repeat_interleave(len(self.world.sectors))[:, None] != home).to(sold.dtype)
        arrived = 1 - cleared.lost  # a shortfall is spread over a product's buyers as their orders are
        sold = sold * arrived.unsqueeze(2)
        across = sold * crosses
        charged = border_charge / across.sum(2).clamp(min=1e-300)
        by_good = arrived.view(len(arrived), len(home), -1).transpose(1, 2)[:, :, None, None, :]
        self._accumulate("volume", sold)
        self._accumulate("value", sold * cleared.price.unsqueeze(2))
        self._accumulate("charge", across * charged.unsqueeze(2))
        self._accumulate("flows", (cleared.flows * by_good).mean(0))

    def _accumulate(self, name: str, values: Tensor) -> None:
        year = self.kept.year
        year[name] = year[name] + values if name in year else values

    def _close_year(self) -> None:
        kept = self.kept
        volume, value, charge = (kept.year[name].cpu() for name in ("volume", "value", "charge"))
        kept.trade.append((volume, value, charge))
        flows = kept.year["flows"].permute(3, 0, 1, 2)  # [R, S, D, K]
        n_sectors = len(self.world.sectors)
        cells = flows[..., :n_sectors].flatten(2, 3).flatten(0, 1)
        kept.purchases.append(torch.cat([cells, flows[..., n_sectors].flatten(0, 1)], 1).cpu())
        kept.year = {}

    def _carbon(self, firms: Firms, cleared: Cleared) -> dict[str, Tensor]:
        """What each firm pays for its emissions, and the value of what it is allocated."""
        cell, params = firms.shard.cell, self.world.firms
        allocated = own_allocation(params, firms.shard, by_cell(cleared.allocation, cell))
        cost = by_cell(cleared.carbon_price, cell) * firms.intensity * firms.output
        return {"carbon_cost": cost, "allocation": allocated * firms.output}

    def _add_firms(self, firms: Firms, commons: Commons) -> None:
        assert commons.cleared is not None
        kept, year = self.kept, (commons.step - 1) // QUARTERS
        last = self.world.steps // QUARTERS - 1
        wanted = self.record_firms and (len(self.world.firms.size) <= ALL_YEARS_UP_TO or year in (0, last))
        if not wanted:
            return
        values = {
            "output": firms.output,
            "emissions": firms.output * firms.intensity,
            "profit": firms.profit,
            "border_charge": firms.paid,
        }
        if self.world.firms.own_allocation is not None:
            values |= self._carbon(firms, commons.cleared)
        for name, value in values.items():
            kept.firm_year[name] = kept.firm_year[name] + value if name in kept.firm_year else value
        if commons.step % QUARTERS == 0:
            kept.firms[year] = {name: value.cpu() for name, value in kept.firm_year.items()}
            kept.firm_year = {}


def leakage_so_far(kept: Sequence[Kept]) -> dict[str, float]:
    """Leakage of the run beside its reference, all sectors, up to now; nothing while emissions at home do not fall."""
    if len(kept) != 2:
        return {}
    (home, abroad), (home_before, abroad_before) = (each.emitted for each in kept)
    fall = home_before - home
    return {"leakage_rate": (abroad - abroad_before) / fall} if fall > 0 else {}


def history(parts: Sequence[Kept], ids: Sequence[NDArray[np.int64]], years: int) -> History:
    """The first so many years of a run.

    Args:
        parts: of every shard; the first kept the books.
        ids: the firms of every shard.
        years: whole years that all have.
    """
    books, quarters = parts[0], years * QUARTERS
    order = np.argsort(np.concatenate(ids), kind="stable")
    accounts = books.accounts[:quarters]
    volume, value, charge = (torch.stack(part).numpy() for part in zip(*books.trade[:years], strict=True))
    return History(
        accounts={name: torch.stack([step[name] for step in accounts]).numpy() for name in accounts[0]},
        price=torch.stack(books.price[:quarters]).numpy(),
        lost=torch.stack(books.lost[:quarters]).numpy(),
        volume=volume,
        value=value,
        charge=charge,
        purchases=torch.stack(books.purchases[:years]).numpy(),
        firms={
            year: {name: _in_line([part.firms[year][name] for part in parts], order) for name in values}
            for year, values in books.firms.items()
            if year < years
        },
        iterations=books.iterations,
    )


def _in_line(parts: Sequence[Tensor], order: NDArray[np.int64]) -> Array:
    return parts[0].numpy() if len(parts) == 1 else torch.cat(list(parts), 1).numpy()[:, order]
