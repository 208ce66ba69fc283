"""Cournot firms of which some pay for their carbon: the smallest world, with a closed form to judge a runtime by.

One step is a round of adjustment. act: each firm moves its quantity towards its best response to what the others
made; clear: the price at which everything is sold; settle: profit and emissions.

    P = A - b Q,   k_i = c_i + t e_i where i is charged,   q_i = (A - n k_i + sum_{j != i} k_j) / (b (n + 1))

A -> intercept;  b -> slope;  Q -> output;  c, e -> cost, intensity;  t -> tax;  k -> marginal_cost;  q -> quantity

The closed form holds while every q_i is positive.  With m of n firms taxed and equal e, leakage is
(n - m) / (n - m + 1): one half for two firms; charging importers too makes it -(n - m) / m: minus one.

Axes: B replica, N firm.  Money, goods and carbon are in units of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Shocks

CHANGES = (-0.02, 0.0, 0.02)
"""Levels of a learner's head: change of quantity, share of what the market takes at a price of zero."""


@dataclass(frozen=True, kw_only=True)
class CournotFirms:
    """State of the firms of a shard."""

    ids: Tensor  # [n] int64, ascending
    quantity: Tensor  # [B, n] goods a step
    profit: Tensor  # [B, n] money a step


@dataclass(frozen=True, kw_only=True)
class CournotMarket:
    """What everybody sees."""

    step: int
    output: Tensor  # [B] goods a step, of all firms
    price: Tensor  # [B] money per good


@dataclass(frozen=True, kw_only=True)
class CournotWorld:
    """Linear demand, constant unit costs, a carbon tax on the firms at home and perhaps a charge on importers."""

    intercept: float  # A, money per good
    slope: float  # b, money per good squared
    cost: Tensor  # [N] money per good
    intensity: Tensor  # [N] carbon per good
    taxed: Tensor  # [N] bool, firms at home
    tax: float = 0.0  # t, money per carbon
    charge_imports: bool = False  # whether the others pay the tax at the border
    steps: int = 200

    @property
    def roles(self) -> Mapping[str, Role]:
        """Firms that change their quantity."""
        return {"firm": Role(count=len(self.cost), features=2, heads=(len(CHANGES),))}

    @property
    def agents_by_region(self) -> Mapping[str, int]:
        """One market."""
        return {"market": len(self.cost)}

    @property
    def rounds(self) -> int:
        """Nobody replies."""
        return 1

    @property
    def edges(self) -> Tensor:
        """[0, N]: nobody writes letters."""
        return torch.zeros(0, len(self.cost), dtype=torch.int64)

    @property
    def marginal_cost(self) -> Tensor:
        """[N] money per good, what is paid for carbon included."""
        charged = self.taxed | torch.full_like(self.taxed, self.charge_imports)
        return self.cost + self.tax * self.intensity * charged

    @property
    def saturation(self) -> float:
        """What the market takes at a price of zero, goods a step."""
        return self.intercept / self.slope

    def draws(self, replicas: int) -> range:
        """Every replica has its own."""
        return range(replicas)

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[CournotFirms, CournotMarket]:
        """Nobody makes anything."""
        nothing = torch.zeros(replicas, len(ids["firm"]), dtype=torch.float64)
        output = torch.zeros(replicas, dtype=torch.float64)
        agents = CournotFirms(ids=torch.as_tensor(ids["firm"]), quantity=nothing, profit=nothing)
        return agents, CournotMarket(step=0, output=output, price=output + self.intercept)

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """No randomness."""
        return Shocks(agents={}, commons={})

    def observe(self, agents: CournotFirms, commons: CournotMarket) -> Mapping[str, Observation]:
        """[B, n, 2] the price and one's own quantity."""
        values = torch.stack([commons.price[:, None].expand_as(agents.quantity), agents.quantity], 2)
        legal = torch.ones(*agents.quantity.shape, len(CHANGES), dtype=torch.bool)
        return {"firm": Observation(values=values, mask=legal)}

    def scripted(self, agents: CournotFirms, commons: CournotMarket, shocks: Shocks) -> Mapping[str, Tensor]:
        """[B, n] change of quantity towards the best response, damped by 3 / (n + 1) so that n firms come to rest.

        Best response: (A - k_i - b (Q - q_i)) / 2b, at least zero.
        """
        others = commons.output[:, None] - agents.quantity
        best = ((self.intercept - self.marginal_cost[agents.ids]) / self.slope - others) / 2
        return {"firm": (best.clamp(min=0.0) - agents.quantity) * min(1.0, 3 / (len(self.cost) + 1))}

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """[B, n] change of quantity from the levels that a learner chose, [B, n, 1]."""
        changes = torch.tensor(CHANGES, dtype=torch.float64)
        return {"firm": changes[choices["firm"][..., 0]] * self.saturation}

    def encode(self, actions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Nothing: learners start from nothing."""
        return {}

    def act(
        self, agents: CournotFirms, commons: CournotMarket, actions: Mapping[str, Tensor], shocks: Shocks
    ) -> tuple[CournotFirms, Bid]:
        """Firms change their quantity, within [0, saturation], and bid it."""
        acted = replace(agents, quantity=(agents.quantity + actions["firm"]).clamp(0.0, self.saturation))
        everyone = torch.zeros_like(acted.quantity, dtype=torch.int64)
        bound = self.saturation * len(self.cost)
        return acted, Bid(totals={"output": exact.keyed_totals(acted.quantity, everyone, 1, bound)})

    def clear(self, commons: CournotMarket, pool: Pool, shocks: Shocks, round: int) -> CournotMarket:
        """P = A - b Q."""
        output = pool.totals["output"][:, 0]
        return CournotMarket(step=commons.step + 1, output=output, price=self.intercept - self.slope * output)

    def reply(
        self, agents: CournotFirms, commons: CournotMarket, mail: Mail, shocks: Shocks, round: int
    ) -> tuple[CournotFirms, Bid]:
        """Never called: one round."""
        return agents, Bid()

    def settle(self, agents: CournotFirms, commons: CournotMarket, mail: Mail) -> tuple[CournotFirms, Outcome]:
        """Profit (P - k_i) q_i; emissions and output, [B, 2]: of the others, of the firms at home."""
        profit = (commons.price[:, None] - self.marginal_cost[agents.ids]) * agents.quantity
        emissions = agents.quantity * self.intensity[agents.ids]
        at_home = self.taxed[agents.ids].to(torch.int64).expand_as(profit)
        bound = self.saturation * len(self.cost)
        accounts = {
            "output": exact.keyed_totals(agents.quantity, at_home, 2, bound),
            "emissions": exact.keyed_totals(emissions, at_home, 2, bound * max(1.0, float(self.intensity.max()))),
        }
        settled = replace(agents, profit=profit)
        return settled, Outcome(reward={"firm": profit}, terminated=False, accounts=Bid(totals=accounts))

    def closed_form(self) -> Tensor:
        """[N] quantities at rest, valid while all are positive."""
        k, n = self.marginal_cost, len(self.cost)
        return (self.intercept - (n + 1) * k + k.sum()) / (self.slope * (n + 1))
