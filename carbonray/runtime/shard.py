"""A shard of agents and the worlds that it is stepped in: what every runtime drives, in one process or on actors.

A shard opens a step by acting, says a bid for each world, hears pool and mail, and so on until it has settled.  What
settling booked is said with the next bid, so that a step costs one exchange for each time the world clears.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.worlds.world import Bid, Ids, Mail, Outcome, Pool, Shocks, World

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")
A_contra = TypeVar("A_contra", contravariant=True)
K_contra = TypeVar("K_contra", contravariant=True)
Heard = tuple[Pool, Mail]


def conversation(
    world: World[A, K, D], agents: A, commons: K, shocks: Shocks, actions: D | None = None
) -> Generator[Bid, Heard, tuple[A, K, Outcome]]:
    """One step of a shard: act, clear, reply where there is an answer, settle.

    Yields bids and is sent what they were exchanged for.

    Args:
        world: the world.
        agents: of the shard, before the step.
        commons: before the step.
        shocks: of the step.
        actions: of the shard's agents; what the rules say where left out.

    Returns:
        Agents and commons after the step, and its outcome.
    """
    if actions is None:
        actions = world.scripted(agents, commons, shocks)
    agents, bid = world.act(agents, commons, actions, shocks)
    mail: dict[str, Any] = {}
    for round in range(world.rounds):
        pool, letters = yield bid
        mail.update(letters)
        commons = world.clear(commons, pool, shocks, round)
        if round < world.rounds - 1:
            agents, bid = world.reply(agents, commons, mail, shocks, round)
    agents, outcome = world.settle(agents, commons, mail)
    return agents, commons, outcome


class Recorder(Protocol[A_contra, K_contra]):
    """Keeps what a run's tables need of one world and one shard."""

    kept: Any  # a dataclass of tensors, numbers and plain containers of them: it goes into checkpoints

    def add(self, agents: A_contra, commons: K_contra, accounts: Pool | None) -> None:
        """Take in a step; only the shard that keeps the books is told the merged accounts."""


@dataclass(frozen=True, kw_only=True)
class Play(Generic[A, K, D]):
    """What a runtime steps: worlds beside each other that meet the same random numbers."""

    worlds: tuple[World[A, K, D], ...]
    seed: int
    replicas: int
    steps: int
    recorder: Callable[[Any], Recorder[A, K]]  # of a world, for each shard
    so_far: Callable[[Sequence[Any]], Mapping[str, float]]  # from what the worlds' books hold: figures for progress
    actions: NDArray[np.int64] | None = None  # [step, agent, head] levels for all replicas; scripted if left out

    @property
    def rounds(self) -> int:
        """Exchanges of a step, the same in all worlds."""
        return max(world.rounds for world in self.worlds)


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """A shard between two steps: all that a checkpoint holds of it."""

    step: int
    agents: tuple[Any, ...]  # by world
    commons: tuple[Any, ...]  # by world
    unbooked: tuple[Bid, ...]  # accounts of the last step, by world; none before the first and once they are booked
    kept: tuple[Any, ...]  # by world


class Shard:
    """Agents of one shard in every world of a play."""

    def __init__(self, play: Play[Any, Any, Any], ids: Ids) -> None:
        """Prepare; `begin` opens a step."""
        self.play, self.ids = play, ids
        self.recorders = [play.recorder(world) for world in play.worlds]
        self.bids: list[Bid] = []
        """Said and not yet exchanged, by world; none after the last step."""

    @property
    def count(self) -> int:
        """Agents of the first role, who are at the edges of the graph."""
        return len(next(iter(self.ids.values())))

    def begin(self, at: Boundary | None = None) -> None:
        """Open a step: the first, or the one after a boundary."""
        play = self.play
        if at is None:
            made = [world.reset(play.seed, play.replicas, self.ids) for world in play.worlds]
            kept = tuple(play.recorder(world).kept for world in play.worlds)
            agents, commons = tuple(a for a, _ in made), tuple(k for _, k in made)
            at = Boundary(step=0, agents=agents, commons=commons, unbooked=(), kept=kept)
        self.boundary = at
        for recorder, records in zip(self.recorders, at.kept, strict=True):
            recorder.kept = records
        self._open()

    def _open(self) -> None:
        """Act in every world, unless the play is over."""
        play, at = self.play, self.boundary
        self.bids = []
        if at.step == play.steps:
            return
        shocks = play.worlds[0].shocks(play.seed, play.replicas, at.step, self.ids)
        self._conversations = [
            conversation(world, agents, commons, shocks, self._recorded(world))
            for world, agents, commons in zip(play.worlds, at.agents, at.commons, strict=True)
        ]
        self.bids = [next(each) for each in self._conversations]

    def _recorded(self, world: World[Any, Any, Any]) -> Any:
        """The actions of a step that a play prescribes, if it does."""
        if self.play.actions is None:
            return None
        role, mine = next(iter(self.ids.items()))
        levels = torch.as_tensor(self.play.actions[self.boundary.step][mine])
        return world.decode({role: levels.expand(self.play.replicas, -1, -1)})

    def book(self, accounts: Sequence[Pool | None]) -> None:
        """Record the last step, with the merged accounts of each world where this shard keeps the books."""
        at = self.boundary
        for recorder, agents, commons, booked in zip(self.recorders, at.agents, at.commons, accounts, strict=True):
            recorder.add(agents, commons, booked)
        self.boundary = replace(at, unbooked=())

    def hear(self, heard: Sequence[Heard]) -> None:
        """Go on in every world with what its bids were exchanged for: to the next bids, or into the next step."""
        bids, ended = [], []
        for each, told in zip(self._conversations, heard, strict=True):
            try:
                bids.append(each.send(told))
            except StopIteration as end:
                ended.append(end.value)
        self.bids = bids
        if ended:
            self.boundary = replace(
                self.boundary,
                step=self.boundary.step + 1,
                agents=tuple(agents for agents, _, _ in ended),
                commons=tuple(commons for _, commons, _ in ended),
                unbooked=tuple(outcome.accounts for _, _, outcome in ended),
            )
            self._open()


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a play leaves."""

    kept: tuple[tuple[Any, ...], ...]  # by world, by shard; the first shard kept the books
    ids: tuple[Ids, ...]  # by shard
    interrupted: bool  # stopped by the user before the end


class Tell(Protocol):
    """Told how many steps are done, of how many, and figures so far."""

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take note."""


def untold(done: int, of: int, so_far: Mapping[str, float]) -> None:
    """No progress."""


class Runtime(Protocol):
    """Steps a play to its end."""

    def play(self, play: Play[Any, Any, Any], tell: Tell) -> Played:
        """Step to the end, or until Ctrl-C."""
