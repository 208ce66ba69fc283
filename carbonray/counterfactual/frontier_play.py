"""Play candidates side by side on the same firms, and sum up their years.

Axes: L candidate, Y year, H lever, C cell; replica b is candidate b.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.config import Scenario
from carbonray.counterfactual.frontier_candidates import ROLE, Candidate
from carbonray.data.worlds import build_world, supply_graph
from carbonray.runtime.shard import Memory, Moment
from carbonray.runtime.uncertainty import FAILURES
from carbonray.runtime.year_books import YearBooks, yearly_accounts
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import CbamWorld, Economy
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.regulator import BOOKED, Decrees
from carbonray.worlds.world import Ids, Pool, Shocks, World

Array = NDArray[np.float64]

FIGURES = (
    "emissions_home", "emissions_abroad", "emissions_abroad_goods", "value_added", "revenue", "support_home",
    "support_abroad", "basket", "profit_home", "profit_abroad_goods", "objective",
)  # fmt: skip
"""Of a year: Mt CO2; and million USD of 2011: value added at home at base prices, what auctions and the border bring,
what is paid for abatement, what consumers at home pay for the goods of the base path, profits at home and of makers of
CBAM goods abroad, and what the regulator is judged on."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a candidate."""

    figures: Mapping[str, Array]  # [Y] by name of FIGURES
    decree: Array  # [Y, H] in force


@dataclass(frozen=True)
class Decreeing:
    """Firms follow the rules; the regulator of each replica does as its candidate says."""

    candidates: tuple[Candidate, ...]

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Refuse a world that a learned regulator was not made for."""
        for candidate in self.candidates:
            if candidate.policy is not None:
                candidate.policy.check(world, name)

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """What is decreed, [B, 1, H], and what learned regulators remember."""
        learned = [c.policy and c.policy.begin(world, replicas, ids) for c in self.candidates]
        return {"decree": None, "learned": learned}

    def decide(
        self, world: World[Any, Any, Any], agents: Any, commons: Any, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, Any], Memory]:
        """A decree once a year, for the next."""
        if now.step % QUARTERS == 0:
            memory = self._decreed(world, agents, commons, shocks, now, memory)
        decrees = Decrees(values=memory["decree"])
        return {**world.scripted(agents, commons, shocks), ROLE: decrees}, memory

    def _decreed(
        self, world: World[Any, Any, Any], agents: Any, commons: Commons, shocks: Shocks, now: Moment, memory: Memory
    ) -> Memory:
        values, learned = torch.zeros_like(commons.decree), list(memory["learned"])
        for place, candidate in enumerate(self.candidates):
            if candidate.policy is not None:
                said, learned[place] = candidate.policy.decide(world, agents, commons, shocks, now, learned[place])
                values[place] = said[ROLE].values[place, 0]
            elif candidate.decree is not None:
                year = min(now.step // QUARTERS + 1, len(candidate.decree) - 1)
                values[place] = torch.as_tensor(candidate.decree[year])
            values[place] *= torch.as_tensor(candidate.allowed)
        return {"decree": values.unsqueeze(1), "learned": learned}


class FrontierBooks(YearBooks):
    """Yearly accounts with what consumers pay, what was decreed, and what the regulator is judged on."""

    def told(self, commons: Commons, accounts: Pool) -> dict[str, Tensor]:
        """What a quarter adds: [B, C], and [B, 1] or [B, H] of these."""
        cleared, world, step = commons.cleared, self.world, commons.step - 1
        assert cleared is not None
        technology = world.technology
        home, n_sectors = world.policy.home, len(world.sectors)
        bought = (technology.final_demand * technology.demand_trend[step])[:, home]
        price = cleared.market.log_composite_price[:, :, home, n_sectors].exp()
        worth = technology.output * technology.trend[step] * technology.factor_share * world.policy.home_cell
        judged = commons.quarter[:, BOOKED.index("objective"), None]
        return super().told(commons, accounts) | {
            "basket": (bought * price).flatten(1).sum(1, keepdim=True),
            "objective": judged * worth.sum(),
            "decree": commons.decree * (commons.step % QUARTERS == 0),  # the last that is said holds
        }


def play(
    scenario: Scenario, economy: Economy, candidates: Sequence[Candidate], factors: Sequence[float] | Array
) -> list[Played | None]:
    """Run candidates together; the bytes of each are those that it has alone.

    Args:
        scenario: of the economy; its regulator acts.
        economy: its tables.
        candidates: what to run.
        factors: of their carbon prices.
    Returns:
        What came of each; None where it has no next state.
    """
    try:
        return list(_together(scenario, economy, candidates, factors))
    except FAILURES:
        if len(candidates) == 1:
            return [None]
    half = len(candidates) // 2
    parts = ((candidates[:half], factors[:half]), (candidates[half:], factors[half:]))
    return [found for part in parts for found in play(scenario, economy, *part)]


def _together(
    scenario: Scenario, economy: Economy, candidates: Sequence[Candidate], factors: Sequence[float] | Array
) -> list[Played]:
    pairs = zip(candidates, factors, strict=True)
    laws = [candidate.policy_at(scenario.policy, factor) for candidate, factor in pairs]
    world = build_world(scenario, economy, supply_graph(economy, scenario), laws=laws)
    behaviour = Decreeing(tuple(candidates))
    behaviour.check(world, f"{scenario.world}/{scenario.name}")
    accounts = yearly_accounts(world, scenario.seed, len(laws), behaviour, FrontierBooks)
    figures = figures_of(world, accounts)
    said = accounts["decree"]
    in_force = np.concatenate([np.zeros_like(said[:, :1]), said[:, :-1]], 1)
    return [
        Played(figures={name: values[place] for name, values in figures.items()}, decree=in_force[place])
        for place in range(len(laws))
    ]


def figures_of(world: CbamWorld, accounts: Mapping[str, Array]) -> dict[str, Array]:
    """[L, Y] by name of FIGURES."""
    home = world.policy.home_cell.numpy()
    goods = np.isin(np.arange(len(home)) % len(world.sectors), world.policy.covered.numpy())
    added = accounts["output"] * world.technology.factor_share.numpy()
    emissions, profit = accounts["emissions"], accounts["profit"]
    support = accounts.get("support", np.zeros_like(emissions))
    auctions = (accounts["carbon_cost"] - accounts["allocation"])[..., home].sum(-1)
    values = (
        emissions[..., home].sum(-1),
        emissions[..., ~home].sum(-1),
        emissions[..., ~home & goods].sum(-1),
        added[..., home].sum(-1),
        auctions + accounts["border_charge"].sum(-1),
        support[..., home].sum(-1),
        support[..., ~home].sum(-1),
        accounts["basket"][..., 0],
        profit[..., home].sum(-1),
        profit[..., ~home & goods].sum(-1),
        accounts["objective"][..., 0],
    )
    return dict(zip(FIGURES, values, strict=True))


def bought_nothing(candidate: Candidate, found: Played) -> Candidate:
    """The candidate with the same decrees but nothing paid abroad."""
    law = {**candidate.law, "support_abroad": {0: 0.0}}
    return replace(candidate, law=law, decree=found.decree, policy=None, without=("support_abroad",))
