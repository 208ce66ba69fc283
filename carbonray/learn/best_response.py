"""Exploitability: what a single agent gains by leaving the policy of all others for one trained against it.

    gain = mean over i of (u_i(r, p) - u_i(p, p))     p -> policy of all;  r -> response of i;  u -> reward per size

No answer gains more than the best one, so that the gain of any is a lower bound of exploitability (Timbers et al. 2022,
"Approximate exploitability: learning a best response", arXiv 2004.09677).  It proves no equilibrium.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.learn.policy import Trained, blend, joined, parted
from carbonray.learn.policy_folder import AnySaved
from carbonray.runtime.shard import Memory, Moment, Policy
from carbonray.worlds.world import Ids, Shocks, World

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")
DEVIATES, STAYS = "deviates", "stays"
"""What the agent does who may leave the policy, in the two runs that are compared."""


@dataclass(frozen=True, kw_only=True)
class Deviating:
    """Everybody follows a policy, but for the few for whom another decides."""

    most: Policy
    few: Trained  # with `who`

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Refuse a world that either was not made for."""
        self.most.check(world, name)
        self.few.check(world, name)

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """What both remember, by name."""
        return joined([policy.begin(world, replicas, ids) for policy in (self.most, self.few)])

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """Actions of all agents of the shard by role, and what both remember."""
        parts = parted(memory, 2)
        usual, kept = self.most.decide(world, agents, commons, shocks, now, parts[0])
        other, also = self.few.decide(world, agents, commons, shocks, now, parts[1])
        role = self.few.role
        mixed = blend(other[role], usual[role], self._who(now.ids[role]))
        return {**usual, role: mixed}, joined([kept, also])

    def _who(self, ids: NDArray[np.int64]) -> torch.Tensor:
        """[B, n] bool, for whom the other one decides."""
        assert self.few.who is not None
        return torch.as_tensor(np.stack([np.isin(ids, each) for each in self.few.who]))


def deviating(saved: AnySaved, response: AnySaved, who: NDArray[np.int64]) -> Any:
    """A policy that all follow but agents `who` [B, k], who follow the response."""
    (few,) = response.parts
    policy: Any = Deviating(most=saved.trained, few=replace(few.trained, who=who))
    return replace(saved, trained=policy)
