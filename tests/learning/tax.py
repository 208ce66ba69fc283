"""A world of two roles with a known answer: a government taxes emissions now and then, polluters abate in every step.

    polluter's cost = m^2 / 2 + t (1 - m), least at m = t;   government's cost = mean of m^2 / 2 + d (1 - m)

So the government does best with Pigou's tax, t = d: the damage of a unit.  A tax is paid from the step after its
decree, so that polluters have seen it when they answer.

Axes: B replica, n polluter or government of a shard.  m, t and d lie in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Rows, Shocks

PARTS = 6
"""Levels of both heads: 0, 0.2 .. 1."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Agents of a shard."""

    ids: Mapping[str, Tensor]  # by role, ascending
    abated: Tensor  # [B, n] m of polluters


@dataclass(frozen=True, kw_only=True)
class Law:
    """What everybody sees."""

    step: int
    tax: Tensor  # [B] t that is paid in the next step
    paid: Tensor  # [B] t that was paid in the last
    abated: Tensor  # [B] mean of m in the last
    cost: Tensor  # [B] mean of m^2 / 2


@dataclass(frozen=True, kw_only=True)
class TaxWorld:
    """Polluters, of whom each answers the tax, and one government."""

    polluters: int = 6
    damage: float = 0.6
    every: int = 4
    steps: int = 12
    answering: bool = True  # whether polluters do so by rule, or nothing

    @property
    def roles(self) -> Mapping[str, Role]:
        """Many, and one."""
        polluter = Role(count=self.polluters, features=1, heads=(PARTS,))
        return {"polluter": polluter, "government": Role(count=1, features=1, heads=(PARTS,), every=self.every)}

    @property
    def agents_by_region(self) -> Mapping[str, int]:
        """One country."""
        return {"country": self.polluters}

    @property
    def rounds(self) -> int:
        """Nobody replies."""
        return 1

    @property
    def edges(self) -> Tensor:
        """[0, N]: nobody writes letters."""
        return torch.zeros(0, self.polluters, dtype=torch.int64)

    def draws(self, replicas: int) -> range:
        """Every replica has its own."""
        return range(replicas)

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[People, Law]:
        """No tax, no abatement."""
        nothing = torch.zeros(replicas, dtype=torch.float64)
        mine = {role: torch.as_tensor(numbers) for role, numbers in ids.items()}
        people = People(ids=mine, abated=nothing[:, None].expand(-1, len(mine["polluter"])))
        return people, Law(step=0, tax=nothing, paid=nothing, abated=nothing, cost=nothing)

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """No randomness."""
        return Shocks(agents={}, commons={})

    def observe(self, agents: People, commons: Law) -> Mapping[str, Observation]:
        """Polluters see the tax, the government what was abated."""
        seen = {"polluter": commons.tax, "government": commons.abated}
        found = {}
        for role, values in seen.items():
            shape = (len(values), len(agents.ids[role]))
            mask = torch.ones(*shape, PARTS, dtype=torch.bool)
            found[role] = Observation(values=values[:, None, None].expand(*shape, 1), mask=mask)
        return found

    def scripted(self, agents: People, commons: Law, shocks: Shocks) -> Mapping[str, Tensor]:
        """Polluters answer the tax; the government has none."""
        answer = commons.tax[:, None].expand_as(agents.abated) * self.answering
        return {
            "polluter": answer,
            "government": commons.tax.new_zeros(len(commons.tax), len(agents.ids["government"])),
        }

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """[B, n] fifths."""
        return {role: chosen[..., 0].to(torch.float64) / (PARTS - 1) for role, chosen in choices.items()}

    def encode(self, actions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What polluters answer; that the government has no tax is no advice."""
        level = (actions["polluter"] * (PARTS - 1)).round().long()
        return {"polluter": one_hot(level, PARTS)} if self.answering else {}

    def act(self, agents: People, commons: Law, actions: Mapping[str, Tensor], shocks: Shocks) -> tuple[People, Bid]:
        """Polluters abate; the government decrees."""
        abated = actions["polluter"]
        together = torch.zeros_like(abated, dtype=torch.int64)
        totals = {
            "abated": exact.keyed_totals(abated, together, 1, self.polluters),
            "cost": exact.keyed_totals(abated.square() / 2, together, 1, self.polluters),
        }
        decree = Rows(ids=agents.ids["government"], values=actions["government"])
        return replace(agents, abated=abated), Bid(totals=totals, rows={"tax": decree})

    def clear(self, commons: Law, pool: Pool, shocks: Shocks, round: int) -> Law:
        """The decree holds from the next step."""
        abated, cost = (pool.totals[name][:, 0] / self.polluters for name in ("abated", "cost"))
        tax = pool.rows["tax"].values[:, 0]
        return Law(step=commons.step + 1, tax=tax, paid=commons.tax, abated=abated, cost=cost)

    def reply(self, agents: People, commons: Law, mail: Mail, shocks: Shocks, round: int) -> tuple[People, Bid]:
        """Never called: one round."""
        return agents, Bid()

    def settle(self, agents: People, commons: Law, mail: Mail) -> tuple[People, Outcome]:
        """Everybody pays."""
        m, paid = agents.abated, commons.paid[:, None]
        welfare = -(commons.cost + self.damage * (1 - commons.abated))
        reward = {
            "polluter": -(m.square() / 2 + paid * (1 - m)),
            "government": welfare[:, None].expand(-1, len(agents.ids["government"])),
        }
        return agents, Outcome(reward=reward, terminated=commons.step >= self.steps, accounts=Bid())
