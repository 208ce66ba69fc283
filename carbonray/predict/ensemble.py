"""One economy under several laws, each beside the one reference: what the predictor learns from.

Axes: L law, Y year, C cell, P partner (a region that is not home), S sector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.config import Policy, Scenario
from carbonray.data.worlds import build_world, supply_graph
from carbonray.runtime.shard import RULES
from carbonray.runtime.shard import Policy as Behaviour
from carbonray.runtime.year_books import yearly_accounts
from carbonray.worlds.cbam import Economy

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
    policy = yearly_accounts(world, scenario.seed, len(laws), behaviour)
    beside = yearly_accounts(reference, scenario.seed, 1, behaviour)
    home, n_sectors = world.policy.home.numpy(), len(world.sectors)
    change = {name: _placed(policy[name] - beside[name], n_sectors) for name in ("emissions", "output")}
    return Outcome(
        foreign=change["emissions"][:, :, ~home],
        home=-change["emissions"][:, :, home].sum(2),
        output=change["output"][:, :, home].sum(2),
        base_output=_placed(beside["output"], n_sectors)[0][:, home].sum(1),
        money=_money(policy, np.repeat(home, n_sectors)),
    )


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
