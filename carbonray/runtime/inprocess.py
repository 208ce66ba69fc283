"""Step a world in one process, its agents in one shard or several: the same bytes for any sharding."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from carbonray.runtime import exchange
from carbonray.runtime.memory import keep_memory
from carbonray.runtime.shard import Play, Played, Shard, Tell, conversation
from carbonray.worlds import exact
from carbonray.worlds.world import Outcome, Rows, Shocks, World

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")
Ids = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class State(Generic[A, K]):
    """A world between two steps."""

    agents: tuple[A, ...]  # by shard
    commons: K


@dataclass(frozen=True, kw_only=True)
class Step(Generic[A, K]):
    """What a step gave."""

    state: State[A, K]
    rewards: tuple[Mapping[str, Tensor], ...]  # by shard
    accounts: Mapping[str, Tensor]  # merged totals
    rows: Mapping[str, Rows]  # accounts agent by agent, of worlds whose tables list agents
    terminated: bool


def reset(world: World[A, K, D], seed: int, replicas: int, ids: Sequence[Mapping[str, Ids]]) -> State[A, K]:
    """The state before the first step, every shard with its agents."""
    keep_memory()
    made = [world.reset(seed, replicas, mine) for mine in ids]
    return State(agents=tuple(agents for agents, _ in made), commons=made[0][1])


def advance(
    world: World[A, K, D],
    state: State[A, K],
    shocks: Sequence[Shocks],
    ids: Sequence[Ids],
    actions: Sequence[Mapping[str, D]] | None = None,
) -> Step[A, K]:
    """One step: act, clear, reply where there is an answer, settle.

    Args:
        world: the world.
        state: before the step.
        shocks: of each shard; the commons' are the same in all.
        ids: of the agents at the edges, by shard.
        actions: of each shard, by role; what the rules say where left out.

    Raises:
        SumOutOfBoundError: if a total leaves its bound.
    """
    said = [
        conversation(world, agents, state.commons, shock, None if actions is None else actions[place])
        for place, (agents, shock) in enumerate(zip(state.agents, shocks, strict=True))
    ]
    bids = [next(each)[1] for each in said]
    ended: list[tuple[A, K, Outcome]] = []
    ways = None if len(ids) == 1 else [exchange.routes(world.edges.numpy(), ids, place) for place in range(len(ids))]
    while not ended:
        heard = exchange.together(world.edges, ids, bids, ways)
        bids = []
        for each, told in zip(said, heard, strict=True):
            try:
                bids.append(each.send(told)[1])
            except StopIteration as end:
                ended.append(end.value)
    ((booked, _), *_) = exchange.together(world.edges, ids, [outcome.accounts for _, _, outcome in ended], ways)
    return Step(
        state=State(agents=tuple(agents for agents, _, _ in ended), commons=ended[0][1]),
        rewards=tuple(outcome.reward for _, _, outcome in ended),
        accounts=booked.totals,
        rows=booked.rows,
        terminated=ended[0][2].terminated,
    )


@dataclass(frozen=True)
class InProcess:
    """The runtime of one process and one shard: the fastest on one core, and the truth for all others."""

    def play(self, play: Play[Any, Any, Any], tell: Tell) -> Played:
        """Step to the end, or until Ctrl-C."""
        keep_memory()
        ids = {name: np.arange(role.count) for name, role in play.worlds[0].roles.items()}
        shard, interrupted = Shard(play, ids), False
        with threads(1):
            try:
                shard.begin()
                self._step(shard, tell)
            except KeyboardInterrupt:
                interrupted = True
        kept = tuple((recorder.kept,) for recorder in shard.recorders)
        return Played(kept=kept, ids=(ids,), interrupted=interrupted)

    def _step(self, shard: Shard, tell: Tell) -> None:
        worlds = shard.play.worlds
        while shard.bids:
            try:
                heard = [exchange.alone(world.edges, bid) for world, bid in zip(worlds, shard.bids, strict=True)]
            except exact.SumOutOfBoundError as error:
                raise exact.SumOutOfBoundError(f"step {shard.boundary.step}: {error} {shard.ill()}".strip()) from None
            shard.hear(heard)
            if shard.boundary.unbooked:
                booked = [
                    exchange.alone(world.edges, each)[0]
                    for world, each in zip(worlds, shard.boundary.unbooked, strict=True)
                ]
                shard.book(booked)
                tell(shard.boundary.step, shard.play.steps, shard.play.so_far([r.kept for r in shard.recorders]))


IN_PROCESS = InProcess()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Run torch on so many threads for a while; the bytes do not depend on it.

    One is the fastest here at every size from 1,000 to 1,000,000 firms (4.1 against 5.5 million firm-steps a second at
    the largest with two), and waiting threads take cores from others.  Numpy's linear algebra has one thread: its
    solution of 144 unknowns does depend on it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(1, "blas"):  # type: ignore[no-untyped-call]
            yield
    finally:
        torch.set_num_threads(before)
