"""The CBAM world: firms on a supply graph, Armington markets, a carbon price at home and a charge at the border.

One step is a quarter. act: firms decide output and abatement and bid what they make; clear: prices at which demand
equals output; where something is struck, orders and deliveries travel along the graph in two more rounds; settle:
firms book sales, costs, carbon and stocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from carbonray.config import Policy, Scenario
from carbonray.units import QUARTERS
from carbonray.worlds import draws
from carbonray.worlds.cbam import act, clearing, deliveries, firms, regulator, sourcing
from carbonray.worlds.cbam.act import CUTS, GROWTHS, FirmActions
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.deliveries import Slots
from carbonray.worlds.cbam.economy import Economy
from carbonray.worlds.cbam.firms import Firms
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.named_firms import NamedFirms
from carbonray.worlds.cbam.observe import FEATURES, observe
from carbonray.worlds.cbam.outages import outages
from carbonray.worlds.cbam.parameters import (
    TechnologyParams,
    calibrate_firms,
    calibrate_market,
    calibrate_objective,
    calibrate_policy,
    calibrate_technology,
)
from carbonray.worlds.cbam.regulator import Decrees
from carbonray.worlds.cbam.settle import settle
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Rows, Shocks

Decided = FirmActions | Decrees
COMMITMENT_DRAW = 100  # plus the region's number


@dataclass(frozen=True, kw_only=True)
class CbamWorld(Model):
    """The CBAM world in the protocol of every world."""

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """Firms: change of output, cut of intensity and, where they can learn, sourcing and relocation.

        A firm's stake is its output at rest; its kinds are its sector and its region.
        """
        moves = (sourcing.n_choices(len(self.policy.covered), len(self.regions)),) if self.firms.learned else ()
        heads = (len(GROWTHS), len(CUTS), *moves)
        ends = self.firms.cell_ends
        cell = torch.repeat_interleave(torch.diff(ends, prepend=ends.new_zeros(1)))
        kinds = {"sector": cell % len(self.sectors), "region": cell // len(self.sectors)}
        count, stake = len(self.firms.size), self.firms.size
        rest = (GROWTHS.index(0.0), CUTS.index(0.0), 0)[: len(heads)]
        firm = Role(count=count, features=len(FEATURES), heads=heads, rest=rest, stake=stake, kinds=kinds)
        return {"firm": firm, "regulator": regulator.role()} if self.policy.regulated else {"firm": firm}

    @property
    def agents_by_region(self) -> Mapping[str, int]:
        """Firms of each region."""
        ends = self.firms.cell_ends.view(len(self.regions), -1)[:, -1]
        counts = torch.diff(ends, prepend=ends.new_zeros(1))
        return dict(zip(self.regions, counts.tolist(), strict=True))

    @property
    def covered_sectors(self) -> tuple[str, ...]:
        """Sectors with CBAM goods."""
        return tuple(self.sectors[place] for place in self.policy.covered.tolist())

    @property
    def rounds(self) -> int:
        """Three where deliveries can fail, else one."""
        return 3 if self.disruptions.any else 1

    @property
    def edges(self) -> Tensor:
        """[E, N] int64 supplier named in each slot."""
        return self.supplier

    def alike(self, replicas: int) -> "CbamWorld":
        """The same world, in which so many replicas draw the same random numbers."""
        return replace(self, policy=replace(self.policy, law=self.policy.law.repeated(replicas)))

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[Firms, Commons]:
        """Everything at rest in the base year."""
        shard = firms.make_shard(self.firms, self.supplier, self.slots.used, ids)
        n_goods, laws = len(self.policy.covered), self.policy.law.count
        agents = firms.reset(
            self.firms, self.technology, shard, seed=seed, replicas=replicas, laws=laws, n_goods=n_goods
        )
        return agents, clearing.first_commons(self, replicas)

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """Outages of firms and moves of the partners' commitments."""
        agents = {"firm": outages(self, seed, replicas, step, ids["firm"])} if self.disruptions.any else {}
        commons: dict[str, Tensor] = {}
        if self.policy.commitment_step > 0 and (step + 1) % QUARTERS == 0:
            moves = [
                [draws.uniform(seed, b, step, COMMITMENT_DRAW + r, np.array([-1]))[0] for r in range(len(self.regions))]
                for b in self.draws(replicas)
            ]
            commons["commitment"] = torch.tensor(moves, device=self.device, dtype=torch.float64) * 2 - 1
        return Shocks(agents=agents, commons=commons)

    def observe(self, agents: Firms, commons: Commons) -> Mapping[str, Observation]:
        """What each firm sees, and the regulator if there is one."""
        seen = {"firm": observe(self, agents, commons)}
        if self.policy.regulated:
            seen["regulator"] = regulator.observe(self, commons, len(agents.shard.regulators))
        return seen

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Decided]:
        """Actions from the levels that a learner chose for each head, [B, n, heads] by role."""
        decided: dict[str, Decided] = {}
        for name, levels in choices.items():
            if name == "firm":
                decided[name] = act.decode(levels, len(self.policy.covered), len(self.regions))
            else:
                decided[name] = regulator.decode(levels)
        return decided

    def encode(self, actions: Mapping[str, Decided]) -> Mapping[str, Tensor]:
        """Shares of neighbouring levels whose mean is what a rule firm does; none re-source or relocate."""
        levels = sum(self.roles["firm"].heads)
        return {
            name: act.encode(each, levels) if isinstance(each, FirmActions) else regulator.encode(each)
            for name, each in actions.items()
        }

    def scripted(self, agents: Firms, commons: Commons, shocks: Shocks) -> Mapping[str, Decided]:
        """Behaviour without learning; a regulator leaves the law as it stands."""
        ruled: dict[str, Decided] = {"firm": act.rule(self.firms, agents, commons)}
        if self.policy.regulated:
            ruled["regulator"] = regulator.rule(commons, len(agents.shard.regulators))
        return ruled

    def act(self, agents: Firms, commons: Commons, actions: Mapping[str, Decided], shocks: Shocks) -> tuple[Firms, Bid]:
        """Firms decide and bid; a regulator says its decree."""
        decided, decrees = actions["firm"], actions.get("regulator")
        assert isinstance(decided, FirmActions)
        agents, bid = act.act(self, agents, commons, decided, shocks.agents.get("firm", {}))
        if isinstance(decrees, Decrees):
            bid = replace(bid, rows={"decree": Rows(ids=agents.shard.regulators, values=decrees.values)})
        return agents, bid

    def clear(self, commons: Commons, pool: Pool, shocks: Shocks, round: int) -> Commons:
        """Prices first; then, where deliveries can fail, what the pool of each product can fill."""
        if round == 0:
            commons = clearing.clear_market(self, commons, pool)
        if round == 2:
            commons = clearing.clear_deliveries(self, commons, pool)
        return clearing.advance(self, commons, shocks) if round == self.rounds - 1 else commons

    def reply(self, agents: Firms, commons: Commons, mail: Mail, shocks: Shocks, round: int) -> tuple[Firms, Bid]:
        """Orders to named suppliers; then the suppliers' answer."""
        assert commons.cleared is not None
        if round == 0:
            order = deliveries.order(self.firms, agents, commons.cleared, self.slots)
            return agents, Bid(letters={"orders": order})
        totals, letters = deliveries.answer(agents, mail["orders"])
        return agents, Bid(totals=firms.totals_by_cell(agents.shard, totals, self.bounds), letters=letters)

    def settle(self, agents: Firms, commons: Commons, mail: Mail) -> tuple[Firms, Outcome]:
        """Firms book the quarter."""
        agents, outcome = settle(self, agents, commons, mail)
        if self.policy.regulated:
            judged = regulator.reward(commons, len(agents.shard.regulators))
            outcome = replace(outcome, reward={**outcome.reward, "regulator": judged})
        return agents, outcome


@dataclass(frozen=True, kw_only=True)
class SupplyGraph:
    """Named suppliers of every firm; -1 is an unused slot."""

    product: Tensor  # [E, C] int64 cell bought from in each slot of a buying cell
    supplier: Tensor  # [E, N] int64 firm


def build(
    economy: Economy,
    scenario: Scenario,
    graph: SupplyGraph,
    named: NamedFirms | None = None,
    laws: Sequence[Policy] = (),
) -> CbamWorld:
    """Calibrate a world.

    Args:
        economy: its tables.
        scenario: what to simulate.
        graph: named suppliers.
        named: firms such as plants, the first of their cells.
        laws: policies that are run together instead of the scenario's, replica b under law b % L.

    Raises:
        ScenarioError: if the scenario does not fit the economy, or the laws differ in what is no lever.
    """
    steps = scenario.years * QUARTERS
    policy = calibrate_policy(economy, scenario, laws)
    technology = calibrate_technology(economy, scenario, steps)
    product = graph.product.clamp(min=0)
    return CbamWorld(
        regions=economy.regions,
        sectors=economy.sectors,
        steps=steps,
        start_year=scenario.start_year,
        technology=technology,
        market=calibrate_market(economy, scenario),
        policy=policy,
        firms=calibrate_firms(economy, scenario, named),
        objective=calibrate_objective(scenario),
        disruptions=scenario.disruptions,
        fuel=scenario.fuel,
        slots=Slots(good=product % len(economy.sectors), product=product, used=graph.product >= 0),
        supplier=graph.supplier.clamp(min=0),
        bounds=_bounds(technology, scenario),
    )


def _bounds(technology: TechnologyParams, scenario: Scenario) -> Mapping[str, float]:
    """Largest magnitude of every pooled total: four times the world's on the base path."""
    money = 4.0 * float(technology.output.sum()) * float(technology.trend.max())
    mass = 4.0 * float((technology.output * technology.embodied).sum()) * float(technology.trend.max())
    goods = money * max(1.0, scenario.firms.stock_target)
    names_money = ("output", "scale", "lost", "named", "named_lost", "planned")
    names_value = ("charge", "profit", "border_charge", "abatement_cost", "allocation", "support")
    return (
        dict.fromkeys(names_money, money)
        | dict.fromkeys(names_value, 16.0 * money)
        | dict.fromkeys(("emissions", "embodied"), mass)
        | {"stock": goods}
    )
