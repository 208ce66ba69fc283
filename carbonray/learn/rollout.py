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
from carbonray.worlds.world import Observation, Shocks, WorldError

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
    """What `play_together` gives where agents of one role learn."""
    (batch,) = play_together([problem], [actor], replicas=replicas, seed=seed, progress=progress, together=together)
    return batch


def play_together(
    problems: Sequence[Problem],
    actors: Sequence[Actor],
    *,
    replicas: int,
    seed: int,
    progress: float = 0.0,
    together: float = 0.0,
) -> list[dict[str, Tensor]]:
    """An episode of every replica of every world, as a batch for each role: the rows of one world after the other's.

    Args:
        problems: what is played, of one role each and in the same worlds, on the device where the actors are.
        actors: who decides for the learning agents of each.
        replicas: of each world.
        seed: of the worlds, who meet the same random numbers, and of exploration.
        progress: share of the training that is over.
        together: what an agent loses by doing what nobody of its kind does; see `apart`.

    An episode in which the agents bring the world to an impossible state, such as a market without prices, ends there;
    the batches are shorter then.

    Raises:
        WorldError: if that happens in the first step.
    """
    worlds = range(len(problems[0].worlds))
    played = [
        _episode(problems, actors, _Table(problems, place, replicas, seed), progress, together) for place in worlds
    ]
    by_role = [equally_long(batches) for batches in zip(*played, strict=True)]
    return [{name: torch.cat([each[name] for each in cut]) for name in cut[0]} for cut in by_role]


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


ROLES_APART = 1 << 30
"""Between the seeds with which two roles explore."""


def _episode(
    problems: Sequence[Problem], actors: Sequence[Actor], table: "_Table", progress: float, together: float
) -> list[dict[str, Tensor]]:
    """An episode in one world: the batch of each role."""
    seats = []
    for number, (problem, actor) in enumerate(zip(problems, actors, strict=True)):
        rng = torch.Generator(problem.team_of.device).manual_seed(table.seed + table.place + number * ROLES_APART)
        seats.append(_Seat(problem, actor, rng, together))
    with torch.no_grad():
        while not table.over:
            due = [seat for seat in seats if table.step % seat.problem.spec.every == 0]
            looks = table.look() if due else {}
            for seat in due:
                seat.decide(looks, progress)
            try:
                rewards = table.advance(seats)
            except WorldError:
                if not table.step:
                    raise
                break
            for seat in seats:
                seat.earn(rewards)
        looks = table.look()
    rows = {"terminated": float(table.terminated), "progress": progress}
    return [seat.batch(looks, rows) for seat in seats]


class _Seat:
    """The learning agents of a role in an episode: what they see, decide and earn."""

    def __init__(self, problem: Problem, actor: Actor, rng: torch.Generator, together: float) -> None:
        """Nothing is decided."""
        self.problem, self.actor, self.rng, self.together = problem, actor, rng, together
        self.own = torch.as_tensor(problem.ids, device=problem.team_of.device)
        self.unit = problem.stake * problem.reward_scale
        self.memory: Tensor | None = None
        self.columns: dict[str, list[Tensor]] = {}
        self.open: dict[str, Tensor] = {}  # the decision that holds
        self.earned: Tensor | None = None  # [B, n] by it so far

    def decide(self, looks: Mapping[str, Observation], progress: float) -> None:
        """What holds until the next decision."""
        self._close()
        seen, mask = self._look(looks)
        acted = self.actor.act(seen, mask, self.memory, self.rng, progress)
        self.memory = acted.memory
        self.open = {"seen": seen, "mask": self._legal(mask, acted.levels), "levels": acted.levels, **acted.kept}

    def earn(self, rewards: Mapping[str, Tensor]) -> None:
        """Add up what a step paid."""
        reward = self._mine(rewards[self.problem.role]).to(torch.float64)
        self.earned = (0.0 if self.earned is None else self.earned) + reward

    def choices(self) -> Tensor:
        """[B, N, H] levels of all agents of the role, 0 of those who do not learn."""
        levels = self.open["levels"]
        if self.problem.whole:
            return levels
        zeros = levels.new_zeros(len(levels), self.problem.spec.count, levels.shape[2])
        return zeros.index_copy(1, self.own, levels)

    def among(self, decided: Any, rest: Any) -> Any:
        """What the role does: what was decided, and what the others' policy says of those who do not learn."""
        return decided if self.problem.whole else blend(decided, rest, self.own)

    def batch(self, looks: Mapping[str, Observation], rows: Mapping[str, float]) -> dict[str, Tensor]:
        """All decisions that earned anything, and what was seen at last."""
        self._close()
        seen, mask = self._look(looks)
        self.columns["seen"].append(seen)
        self.columns["mask"].append(self._legal(mask, self.columns["levels"][-1]))
        batch = {name: torch.stack(values, 1) for name, values in self.columns.items()}
        return batch | {name: torch.full((len(seen),), value, device=seen.device) for name, value in rows.items()}

    def _close(self) -> None:
        """Keep the decision that held, unless the world broke before it earned anything."""
        if self.earned is not None:
            reward = (self.earned / self.unit).to(torch.float32)
            if self.together:
                reward -= self.together * apart(self.problem, self.open["levels"])
            for name, value in {**self.open, "reward": reward}.items():
                self.columns.setdefault(name, []).append(value)
        self.earned = None

    def _look(self, looks: Mapping[str, Observation]) -> tuple[Tensor, Tensor | None]:
        """[B, n, F] what these agents see, and [B, n, L] their legal levels; none where all are."""
        look = looks[self.problem.role]
        mask = self._mine(look.mask)
        return self._mine(look.values).to(torch.float32), None if bool(mask.all()) else mask

    def _mine(self, values: Tensor) -> Tensor:
        """[B, n, ...] of the role's [B, N, ...]."""
        return values if self.problem.whole else values.index_select(1, self.own)

    def _legal(self, mask: Tensor | None, levels: Tensor) -> Tensor:
        """[B, n, L] the mask; a view of one True where all are legal."""
        if mask is not None:
            return mask
        true = torch.ones((), dtype=torch.bool, device=levels.device)
        return true.expand(*levels.shape[:2], self.problem.heads.levels)


class _Table:
    """Where an episode is played: a world, and the agents who do not learn."""

    def __init__(self, problems: Sequence[Problem], place: int, replicas: int, seed: int) -> None:
        """Begin in the world at a place."""
        self.place, self.replicas, self.seed = place, replicas, seed
        self.world = problems[0].worlds[place]
        self.everyone = {name: np.arange(role.count) for name, role in self.world.roles.items()}
        self.state: Any = inprocess.reset(self.world, seed, replicas, [self.everyone])
        self.step, self.over, self.terminated = 0, False, False
        all_learn = len(problems) == len(self.world.roles) and all(problem.whole for problem in problems)
        self.others = None if all_learn else problems[0].others
        self.memory = None if self.others is None else self.others.begin(self.world, replicas, self.everyone)

    def look(self) -> Mapping[str, Observation]:
        """What all agents see."""
        return self.world.observe(self.state.agents[0], self.state.commons)

    def advance(self, seats: Sequence[_Seat]) -> Mapping[str, Tensor]:
        """By role, [B, N] the rewards of one step of the world."""
        shocks = self.world.shocks(self.seed, self.replicas, self.step, self.everyone)
        actions = self.actions(seats, shocks)
        taken = inprocess.advance(self.world, self.state, [shocks], [np.arange(self.world.edges.shape[1])], [actions])
        self.state, self.step, self.terminated = taken.state, self.step + 1, taken.terminated
        self.over = taken.terminated or self.step >= self.world.steps
        return taken.rewards[0]

    def actions(self, seats: Sequence[_Seat], shocks: Shocks) -> Mapping[str, Any]:
        """Actions of everybody: what was decided, and what the others' policy says."""
        decided = self.world.decode({seat.problem.role: seat.choices() for seat in seats})
        if self.others is None:
            return decided
        now = Moment(seed=self.seed, step=self.step, ids=self.everyone)
        agents, commons = self.state.agents[0], self.state.commons
        rest, self.memory = self.others.decide(self.world, agents, commons, shocks, now, self.memory)
        roles = [seat.problem.role for seat in seats]
        return {
            **rest,
            **{role: seat.among(decided[role], rest[role]) for role, seat in zip(roles, seats, strict=True)},
        }


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
