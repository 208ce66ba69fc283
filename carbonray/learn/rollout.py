"""Play an episode and keep what learners need: rows are replicas, so that the agents of a step stay together.

An episode is a function of the actor, the seed and the progress alone, so that a training goes on after a loss as if
nothing had been lost.

Axes: B row (a replica's episode), T decision, n learning agent, F feature, H head, L level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from carbonray.learn.policy import blend
from carbonray.learn.problem import Problem
from carbonray.runtime import inprocess
from carbonray.runtime.shard import Moment
from carbonray.worlds.world import Shocks, WorldError

Batch = Mapping[str, Tensor]
"""By name:

    seen        [B, T + 1, n, F]  float32, before each decision and after the last
    mask        [B, T + 1, n, L]  bool, legal levels
    levels      [B, T, n, H]      int64
    reward      [B, T, n]         float32, per stake and in deviations, as each agent earned it
    terminated  [B]               float32, one where the world ended with the last step, not just the run
    progress    [B]               float32, share of the training that was over

and what a method wants to know again of how it acted.
"""


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What a method decided."""

    levels: Tensor  # [B, n, H] int64
    memory: Tensor | None = None  # [B, n, 2 hidden]
    kept: Mapping[str, Tensor] = field(default_factory=dict)  # [B, n, ...] by name, for the batch


class Actor(Protocol):
    """The part of a method that plays."""

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """Decide.

        Args:
            seen: [B, n, F] float32.
            mask: [B, n, L] legal levels; all if left out.
            memory: [B, n, 2 hidden]; none at the start of an episode.
            rng: for exploration.
            progress: share of the training that is over.
        """


def play(
    problem: Problem, actor: Actor, *, replicas: int, seed: int, progress: float = 0.0, together: float = 0.0
) -> dict[str, Tensor]:
    """An episode of every replica of every world, as a batch: the rows of one world after those of the other.

    Args:
        problem: what is played, on the device where the actor is.
        actor: who decides for the learning agents.
        replicas: of each world.
        seed: of the worlds, who meet the same random numbers, and of exploration.
        progress: share of the training that is over.
        together: what an agent loses by doing what nobody of its kind does; see `apart`.

    An episode in which the agents bring the world to an impossible state, such as a market without prices, ends there;
    the batch is shorter then.

    Raises:
        WorldError: if that happens with the first decision.
    """
    played = [
        _episode(problem, actor, _Table(problem, place, replicas, seed), progress, together)
        for place in range(len(problem.worlds))
    ]
    cut = equally_long(played)
    return {name: torch.cat([each[name] for each in cut]) for name in cut[0]}


def equally_long(played: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Batches cut to as many decisions as the shortest has; a world that is cut has not ended."""
    steps = min(each["reward"].shape[1] for each in played)
    return [
        {**shortened(each, 0, steps), "terminated": each["terminated"] * (each["reward"].shape[1] == steps)}
        for each in played
    ]


def shortened(batch: Batch, first: int, size: int) -> dict[str, Any]:
    """The decisions [first, first + size) of every row."""
    return {
        name: values if name in OF_ROWS else values[:, first : first + size + (name in BEFORE_AND_AFTER)]
        for name, values in batch.items()
    }


OF_ROWS = ("terminated", "progress")
"""Columns without an axis of time."""
BEFORE_AND_AFTER = ("seen", "mask")
"""Columns that have one entry more than there are decisions."""


def _episode(problem: Problem, actor: Actor, table: "_Table", progress: float, together: float) -> dict[str, Tensor]:
    """An episode in one world."""
    rng = torch.Generator(problem.team_of.device).manual_seed(table.seed + table.place)
    columns: dict[str, list[Tensor]] = {"seen": [], "mask": [], "levels": [], "reward": []}
    memory: Tensor | None = None
    with torch.no_grad():
        seen, mask = table.look()
        while not table.over:
            acted = actor.act(seen, mask, memory, rng, progress)
            memory = acted.memory
            try:
                reward = table.decide(acted.levels)
            except WorldError:
                if not columns["reward"]:
                    raise
                break
            if together:
                reward -= together * apart(problem, acted.levels)
            for name, value in {"seen": seen, "levels": acted.levels, "reward": reward, **acted.kept}.items():
                columns.setdefault(name, []).append(value)
            columns["mask"].append(_legal(mask, acted.levels, problem))
            seen, mask = table.look()
    columns["seen"].append(seen)
    columns["mask"].append(_legal(mask, columns["levels"][-1], problem))
    batch = {name: torch.stack(values, 1) for name, values in columns.items()}
    batch["terminated"] = torch.full((len(seen),), float(table.terminated), device=seen.device)
    batch["progress"] = torch.full((len(seen),), progress, device=seen.device)
    return batch


def _legal(mask: Tensor | None, levels: Tensor, problem: Problem) -> Tensor:
    """[B, n, L] the mask; a view of one True where all are legal."""
    if mask is not None:
        return mask
    return torch.ones((), dtype=torch.bool, device=levels.device).expand(*levels.shape[:2], problem.heads.levels)


class _Table:
    """Where an episode is played: the worlds, what the learning agents see, and the others."""

    def __init__(self, problem: Problem, place: int, replicas: int, seed: int) -> None:
        """Begin in the world at a place."""
        self.problem, self.place, self.replicas, self.seed = problem, place, replicas, seed
        self.world = problem.worlds[place]
        self.everyone = {name: np.arange(role.count) for name, role in self.world.roles.items()}
        self.own = torch.as_tensor(problem.ids, device=problem.team_of.device)
        self.state: Any = inprocess.reset(self.world, seed, replicas, [self.everyone])
        self.unit = problem.stake * problem.reward_scale
        self.step, self.over, self.terminated = 0, False, False
        self.others = problem.others if not problem.whole or len(self.world.roles) > 1 else None
        self.memory = None if self.others is None else self.others.begin(self.world, replicas, self.everyone)

    def look(self) -> tuple[Tensor, Tensor | None]:
        """[B, n, F] what the learning agents see, and [B, n, L] their legal levels; none where all are."""
        look = self.world.observe(self.state.agents[0], self.state.commons)[self.problem.role]
        values, mask = look.values, look.mask
        if not self.problem.whole:
            values, mask = values.index_select(1, self.own), mask.index_select(1, self.own)
        return values.to(torch.float32), None if bool(mask.all()) else mask

    def decide(self, levels: Tensor) -> Tensor:
        """[B, n] what a decision earned until the next one is due."""
        earned = torch.zeros(levels.shape[:2], dtype=torch.float64, device=levels.device)
        for _ in range(self.problem.spec.every):
            earned += self.advance(levels)
            if self.over:
                break
        return (earned / self.unit).to(torch.float32)

    def advance(self, levels: Tensor) -> Tensor:
        """[B, n] the rewards of one step of the worlds."""
        shocks = self.world.shocks(self.seed, self.replicas, self.step, self.everyone)
        actions = self.actions(levels, shocks)
        taken = inprocess.advance(self.world, self.state, [shocks], [np.arange(self.world.edges.shape[1])], [actions])
        self.state, self.step, self.terminated = taken.state, self.step + 1, taken.terminated
        self.over = taken.terminated or self.step >= self.world.steps
        reward = taken.rewards[0][self.problem.role]
        return reward if self.problem.whole else reward.index_select(1, self.own)

    def actions(self, levels: Tensor, shocks: Shocks) -> Mapping[str, Any]:
        """Actions of everybody: what was decided, and what the others' policy says."""
        problem, role = self.problem, self.problem.role
        if self.others is None:
            return self.world.decode({role: levels})
        now = Moment(seed=self.seed, step=self.step, ids=self.everyone)
        agents, commons = self.state.agents[0], self.state.commons
        rest, self.memory = self.others.decide(self.world, agents, commons, shocks, now, self.memory)
        zeros = torch.zeros(self.replicas, problem.spec.count, levels.shape[2], dtype=torch.int64, device=levels.device)
        decided = self.world.decode({role: zeros.index_copy(1, self.own, levels)})
        return {**rest, role: blend(decided[role], rest[role], self.own)}


def apart(problem: Problem, levels: Tensor) -> Tensor:
    """[B, n] share of its kind that chose otherwise: the distance in variation from the kind's choices.

    With the one-hot choice x of an agent and the mean m of its kind, |x - m| / 2 = 1 - m[choice]; mean over heads.
    """
    heads, kind = problem.heads, problem.kind_of
    chosen = heads.one_hot(levels)
    counts = torch.bincount(kind).to(torch.float32)
    total = chosen.new_zeros(len(levels), len(counts), heads.levels).index_add_(1, kind, chosen)
    mean = (total / counts[:, None])[:, kind]
    return 1 - heads.chosen(mean, levels).mean(-1)
