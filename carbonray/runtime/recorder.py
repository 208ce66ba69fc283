"""Record a run step by step.

Axes: T quarter, Y year, B replica, C cell, R region, J buyer (C cells, then R final demands), N firm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from carbonray.kpi.history import Array, History
from carbonray.runtime.inprocess import Step
from carbonray.units import QUARTERS
from carbonray.worlds.cbam.commons import Cleared, Commons
from carbonray.worlds.cbam.firms import Firms, by_cell, own_allocation
from carbonray.worlds.cbam.world import CbamWorld

ALL_YEARS_UP_TO = 100_000
"""Firms above which only the first and the last year are recorded by firm."""


@dataclass
class Recorder:
    """Collects a History step by step."""

    world: CbamWorld
    record_firms: bool = True
    _accounts: list[Mapping[str, Array]] = field(default_factory=list)
    _price: list[Array] = field(default_factory=list)
    _lost: list[Array] = field(default_factory=list)
    _trade: list[tuple[Array, Array, Array]] = field(default_factory=list)
    _purchases: list[Array] = field(default_factory=list)
    _year: dict[str, Tensor] = field(default_factory=dict)
    _firms: dict[int, dict[str, Array]] = field(default_factory=dict)
    _firm_year: dict[str, Tensor] = field(default_factory=dict)
    _iterations: int = 0

    def add(self, step: Step[Firms, Commons]) -> None:
        """Take in a step."""
        commons = step.state.commons
        cleared = commons.cleared
        assert cleared is not None
        accounts: dict[str, Tensor] = dict(step.accounts)
        accounts["carbon_cost"] = cleared.carbon_price * accounts["emissions"]
        accounts.setdefault("allocation", cleared.allocation * accounts["output"])
        accounts["value_added"] = self.world.technology.factor_share * accounts["output"]
        accounts["arriving_capacity"] = cleared.arriving_capacity
        self._accounts.append({name: values.cpu().numpy() for name, values in accounts.items()})
        self._price.append(cleared.price.cpu().numpy())
        self._lost.append((cleared.lost * cleared.market.demand.transpose(1, 2).flatten(1)).cpu().numpy())
        self._iterations += cleared.iterations
        sold = cleared.flows.sum(3).permute(0, 3, 1, 2).flatten(1, 2)  # [B, C, R]
        home = self.world.policy.home
        crosses = (home.repeat_interleave(len(self.world.sectors))[:, None] != home).to(sold.dtype)
        arrived = 1 - cleared.lost  # a shortfall is spread over a product's buyers as their orders are
        sold = sold * arrived.unsqueeze(2)
        across = sold * crosses
        charged = step.accounts["border_charge"] / across.sum(2).clamp(min=1e-300)
        by_good = arrived.view(len(arrived), len(home), -1).transpose(1, 2)[:, :, None, None, :]
        self._accumulate("volume", sold)
        self._accumulate("value", sold * cleared.price.unsqueeze(2))
        self._accumulate("charge", across * charged.unsqueeze(2))
        self._accumulate("flows", (cleared.flows * by_good).mean(0))
        self._add_firms(step.state.agents[0], commons)
        if commons.step % QUARTERS == 0:
            self._close_year()

    def _accumulate(self, name: str, values: Tensor) -> None:
        self._year[name] = self._year[name] + values if name in self._year else values

    def _close_year(self) -> None:
        trade = tuple(self._year[name].cpu().numpy() for name in ("volume", "value", "charge"))
        self._trade.append(trade)  # type: ignore[arg-type]
        flows = self._year["flows"].permute(3, 0, 1, 2)  # [R, S, D, K]
        n_sectors = len(self.world.sectors)
        cells = flows[..., :n_sectors].flatten(2, 3).flatten(0, 1)
        self._purchases.append(torch.cat([cells, flows[..., n_sectors].flatten(0, 1)], 1).cpu().numpy())
        self._year = {}

    def _carbon(self, firms: Firms, cleared: Cleared) -> dict[str, Tensor]:
        """What each firm pays for its emissions, and the value of what it is allocated."""
        cell, params = firms.shard.cell, self.world.firms
        allocated = own_allocation(params, firms.shard, by_cell(cleared.allocation, cell))
        cost = by_cell(cleared.carbon_price, cell) * firms.intensity * firms.output
        return {"carbon_cost": cost, "allocation": allocated * firms.output}

    def _add_firms(self, firms: Firms, commons: Commons) -> None:
        assert commons.cleared is not None
        steps_done = commons.step
        year = (steps_done - 1) // QUARTERS
        last = self.world.steps // QUARTERS - 1
        wanted = self.record_firms and (len(firms.shard.ids) <= ALL_YEARS_UP_TO or year in (0, last))
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
            self._firm_year[name] = self._firm_year[name] + value if name in self._firm_year else value
        if steps_done % QUARTERS == 0:
            self._firms[year] = {name: value.cpu().numpy() for name, value in self._firm_year.items()}
            self._firm_year = {}

    @property
    def years(self) -> int:
        """Whole years recorded."""
        return len(self._trade)

    def history(self, years: int) -> History:
        """The first so many years."""
        quarters = years * QUARTERS
        accounts = self._accounts[:quarters]
        volume, value, charge = (np.stack(part) for part in zip(*self._trade[:years], strict=True))
        return History(
            accounts={name: np.stack([step[name] for step in accounts]) for name in accounts[0]},
            price=np.stack(self._price[:quarters]),
            lost=np.stack(self._lost[:quarters]),
            volume=volume,
            value=value,
            charge=charge,
            purchases=np.stack(self._purchases[:years]),
            firms={year: values for year, values in self._firms.items() if year < years},
            iterations=self._iterations,
        )
