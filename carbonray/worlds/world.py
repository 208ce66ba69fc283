"""Act, clear, settle: the protocol that every world and every runtime speaks.

A world is many agents around one commons. Agents bid, the commons clears the pooled bids, agents settle.
A bid's fields speak in one of three ways: a `Total` is added over all agents, `Rows` are listed in order of agent
id, and `Letters` go along the edges of a graph to the agent at the other end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Ids = Mapping[str, NDArray[np.int64]]  # role -> sorted ids of the agents of this shard


@dataclass(frozen=True, kw_only=True)
class Role:
    """A kind of agent and what a learner needs to know of it."""

    count: int  # agents over all shards
    features: int  # length of an observation
    heads: tuple[int, ...]  # levels of each action head
    every: int = 1  # steps between decisions
    beside: bool = True  # whether it has anything to decide in a reference run
    rest: tuple[int, ...] | None = None  # level of each head that changes nothing, where there is one
    stake: Tensor | None = None  # [count] unit in which each agent's reward is counted; one where left out
    kinds: Mapping[str, Tensor] = field(default_factory=dict)  # sector, region -> [count] int64: who belongs together


@dataclass(frozen=True, kw_only=True)
class Total:
    """Sums over agents in fixed point, so that they are equal for any sharding.

    The grain is the finest power of two for which `bound` fits 62 bits.
    """

    sums: Tensor  # int64
    bound: float  # largest magnitude a merged sum may reach


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One row per agent, merged by concatenation in order of agent id."""

    ids: Tensor  # [n] int64
    values: Tensor  # [B, n, ...]


@dataclass(frozen=True, kw_only=True)
class Letters:
    """What is said along the edges of the world's graph.

    To the supplier: [B, slots, n], one number per edge of the customers of this shard; a supplier receives the sum over
    its edges, [B, n], added in order of edge id.  To the customer: [B, n], one number per supplier, the same to all its
    customers; a customer receives [B, slots, n], one per edge.
    """

    values: Tensor
    to_supplier: bool


@dataclass(frozen=True, kw_only=True)
class Bid:
    """All that is said in one round."""

    totals: Mapping[str, Total] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
    letters: Mapping[str, Letters] = field(default_factory=dict)


Mail = Mapping[str, Tensor]  # letters received, by name


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The merged bid as everybody hears it: totals as floats, rows in order of agent id."""

    totals: Mapping[str, Tensor]
    rows: Mapping[str, Rows]


@dataclass(frozen=True, kw_only=True)
class Shocks:
    """The random numbers of one step, keyed by (seed, replica, step, agent id, draw)."""

    agents: Mapping[str, Mapping[str, Tensor]]
    commons: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a role's agents see, and which levels of each head are legal."""

    values: Tensor  # [B, n, features]
    mask: Tensor  # [B, n, sum of heads] bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step gave: rewards for learners, totals and rows for the run's tables."""

    reward: Mapping[str, Tensor]  # role -> [B, n]
    terminated: bool  # whether the world has ended; an episode cut at `steps` is not
    accounts: Bid


A = TypeVar("A")  # the agents of a world: role -> state, [replica, agent, ...]
K = TypeVar("K")  # its commons
D = TypeVar("D")  # what the agents of a role decide


class WorldError(RuntimeError):
    """A world that has no next state: what its agents did cannot be cleared or settled."""


class World(Protocol[A, K, D]):
    """Frozen parameters, graph and mechanisms; every function is pure."""

    @property
    def roles(self) -> Mapping[str, Role]:
        """The kinds of agents."""

    @property
    def agents_by_region(self) -> Mapping[str, int]:
        """Regions, and how many agents of the first role each has; the agents of a region follow each other."""

    @property
    def steps(self) -> int:
        """Steps of an episode."""

    @property
    def rounds(self) -> int:
        """Clears per step: 1 unless agents reply."""

    @property
    def edges(self) -> Tensor:
        """[slots, count] int64: the supplier that each customer's letters go to, slot by slot."""

    def draws(self, replicas: int) -> Sequence[int]:
        """The draw that each replica has: equal numbers meet the same random numbers, those of policies too."""

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[A, K]:
        """The state before the first step."""

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """The random numbers of a step; a replay hands in recorded ones."""

    def observe(self, agents: A, commons: K) -> Mapping[str, Observation]:
        """What learners see."""

    def scripted(self, agents: A, commons: K, shocks: Shocks) -> Mapping[str, D]:
        """Behaviour without learning, by role: the actions of the rule agents, who may toss the coins of this step."""

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, D]:
        """Actions of those roles whose learners chose a level for each head, [B, n, heads] by role."""

    def encode(self, actions: Mapping[str, D]) -> Mapping[str, Tensor]:
        """Shares of levels that stand for the actions of rule agents on average, [B, n, sum of heads] by role.

        Policies that are learned may start from them; roles for whose rules no levels stand are left out.
        """

    def act(self, agents: A, commons: K, actions: Mapping[str, D], shocks: Shocks) -> tuple[A, Bid]:
        """Each agent, from its own state and action, says a bid; every role has actions."""

    def clear(self, commons: K, pool: Pool, shocks: Shocks, round: int) -> K:
        """The commons meets the pooled bids."""

    def reply(self, agents: A, commons: K, mail: Mail, shocks: Shocks, round: int) -> tuple[A, Bid]:
        """An answer to what was cleared; called only where `rounds` exceeds 1."""

    def settle(self, agents: A, commons: K, mail: Mail) -> tuple[A, Outcome]:
        """Each agent books what clearing and its letters gave it."""
