"""One economy under several laws, each beside the one reference: what the predictor learns from.

Axes: L law, Y year, C cell, P partner (a region that is not home), S sector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.config import Policy, Scenario
from carbonray.data.worlds import build_world, supply_graph
from carbonray.runtime.inprocess import IN_PROCESS
from carbonray.runtime.shard import RULES, Play, untold
from carbonray.runtime.shard import Policy as Behaviour
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import Firms
from carbonray.worlds.world import Pool

Array = NDArray[np.float64]

MONEY = ("auctioned", "allocated", "border", "refunded", "support_home", "support_abroad")
"""Sums of a year, million USD of 2011: allowances at the carbon price and what of them is given free, the charge on
imports, refunds to exporters, and what is paid for abatement."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What laws did, against the reference."""

    foreign: Array  # [L, Y, P, S] rise of emissions abroad, Mt CO2
    home: Array  # [L, Y, S] fall of emissions at home, Mt CO2
    output: Array  # [L, Y, S] change of output at home, million USD of 2011 at base prices
    base_output: Array  # [Y, S] output at home in the reference
    money: Array  # [L, Y, M] see MONEY


@dataclass
class Books:
    """A year's accounts by cell."""

    years: list[dict[str, Tensor]] = field(default_factory=list)  # [B, C]
    year: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class YearBooks:
    """Keeps yearly sums of the accounts, and nothing by firm."""

    world: CbamWorld
    kept: Books = field(default_factory=Books)

    def add(self, agents: Firms, commons: Commons, accounts: Pool | None) -> None:
        """Take in a quarter."""
        assert accounts is not None
        cleared = commons.cleared
        assert cleared is not None
        told = dict(accounts.totals)
        told["carbon_cost"] = cleared.carbon_price * told["emissions"]
        told.setdefault("allocation", cleared.allocation * told["output"])
        year = self.kept.year
        for name, values in told.items():
            year[name] = year[name] + values if name in year else values
        if commons.step % QUARTERS == 0:
            self.kept.years.append(self.kept.year)
            self.kept.year = {}


def try_laws(scenario: Scenario, economy: Economy, laws: Sequence[Policy], *, behaviour: Behaviour = RULES) -> Outcome:
    """Run laws side by side on the same firms, and their reference once.

    Args:
        scenario: the economy's, whose policy the laws replace.
        economy: its tables.
        laws: which differ in levers alone.
        behaviour: of firms, in all of them.

    Raises:
        ScenarioError: if the laws differ in more.
        MarketError, SettlementError, SumOutOfBoundError: where a run has no next state.
    """
    graph = supply_graph(economy, scenario)
    world = build_world(scenario, economy, graph, laws=laws)
    reference = build_world(scenario.reference(), economy, graph)
    policy = _years(world, scenario.seed, len(laws), behaviour)
    beside = _years(reference, scenario.seed, 1, behaviour)
    home, n_sectors = world.policy.home.numpy(), len(world.sectors)
    change = {name: _placed(policy[name] - beside[name], n_sectors) for name in ("emissions", "output")}
    return Outcome(
        foreign=change["emissions"][:, :, ~home],
        home=-change["emissions"][:, :, home].sum(2),
        output=change["output"][:, :, home].sum(2),
        base_output=_placed(beside["output"], n_sectors)[0][:, home].sum(1),
        money=_money(policy, np.repeat(home, n_sectors)),
    )


def _years(world: CbamWorld, seed: int, replicas: int, behaviour: Behaviour) -> Mapping[str, Array]:
    """[B, Y, C] by account."""
    play = Play(
        worlds=(world,),
        seed=seed,
        replicas=replicas,
        steps=world.steps,
        recorder=partial(YearBooks),
        so_far=lambda kept: {},
        policy=behaviour,
    )
    played = IN_PROCESS.play(play, untold)
    if played.interrupted:
        raise KeyboardInterrupt
    ((books,),) = played.kept
    return {name: torch.stack([year[name] for year in books.years], 1).numpy() for name in books.years[0]}


def _placed(by_cell: Array, n_sectors: int) -> Array:
    """[L, Y, R, S]."""
    return by_cell.reshape(*by_cell.shape[:-1], -1, n_sectors)


def _money(accounts: Mapping[str, Array], home: NDArray[np.bool_]) -> Array:
    nothing = np.zeros_like(accounts["emissions"])
    support = accounts.get("support", nothing)
    parts = {
        "auctioned": accounts["carbon_cost"][..., home],
        "allocated": accounts["allocation"][..., home],
        "border": accounts["border_charge"][..., ~home],
        "refunded": -accounts["border_charge"][..., home],
        "support_home": support[..., home],
        "support_abroad": support[..., ~home],
    }
    return np.stack([parts[name].sum(-1) for name in MONEY], -1)
