"""A shard of agents and the worlds that it is stepped in: what every runtime drives, in one process or on actors.

A shard opens a step by acting, says a bid for each world, hears pool and mail, and so on until it has settled.  What
settling booked is said with the next bid, so that a step costs one exchange for each time the world clears.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.runtime.memory import give_back
from carbonray.worlds.world import Bid, Ids, Mail, Outcome, Pool, Shocks, World

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")
A_contra = TypeVar("A_contra", contravariant=True)
K_contra = TypeVar("K_contra", contravariant=True)
Heard = tuple[Pool, Mail]
Said = tuple[A, Bid]


def conversation(
    world: World[A, K, D], agents: A, commons: K, shocks: Shocks, actions: Mapping[str, D] | None = None
) -> Generator[Said[A], Heard, tuple[A, K, Outcome]]:
    """One step of a shard: act, clear, reply where there is an answer, settle.

    Yields its agents and their bid, and is sent what the bids of all shards were exchanged for.

    Args:
        world: the world.
        agents: of the shard, before the step.
        commons: before the step.
        shocks: of the step.
        actions: of the shard's agents, by role; what the rules say where left out.

    Returns:
        Agents and commons after the step, and its outcome.
    """
    if actions is None:
        actions = world.scripted(agents, commons, shocks)
    agents, bid = world.act(agents, commons, actions, shocks)
    mail: dict[str, Any] = {}
    for round in range(world.rounds):
        pool, letters = yield agents, bid
        mail.update(letters)
        commons = world.clear(commons, pool, shocks, round)
        if round < world.rounds - 1:
            agents, bid = world.reply(agents, commons, mail, shocks, round)
    agents, outcome = world.settle(agents, commons, mail)
    return agents, commons, outcome


Memory = Any  # None, or a dict of tensors by name, [replica, ...]; it goes into checkpoints


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When somebody decides, and who."""

    seed: int
    step: int
    ids: Ids


class Policy(Protocol):
    """How the agents of a shard behave; frozen, and the same for any sharding."""

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Refuse a world that it was not made for, with a ScenarioError that calls it by its name."""

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """What it remembers before the first step."""

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """By role, what all agents of the shard do in a step, and what it remembers after that."""


@dataclass(frozen=True)
class Rules:
    """Behaviour without learning."""

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Every world has rules."""

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """Nothing."""
        return None

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """As the world's rules say."""
        return world.scripted(agents, commons, shocks), None


RULES = Rules()


@dataclass(frozen=True)
class Recorded:
    """Levels that were written down, the same in all replicas."""

    levels: NDArray[np.int64]  # [step, agent of the first role, head]

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Done where they are read."""

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """The numbers of the replicas."""
        return {"replicas": torch.arange(replicas)}

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """As it was written down."""
        role, mine = next(iter(now.ids.items()))
        levels = torch.as_tensor(self.levels[now.step][mine])
        decided = world.decode({role: levels.expand(len(memory["replicas"]), -1, -1)})
        return beside_rules(world, agents, commons, shocks, decided), memory


def beside_rules(
    world: World[A, K, D], agents: A, commons: K, shocks: Shocks, decided: Mapping[str, D]
) -> Mapping[str, D]:
    """Actions of every role: what was decided for some, and what the rules say of the others."""
    return decided if len(decided) == len(world.roles) else {**world.scripted(agents, commons, shocks), **decided}


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
    policy: Policy = RULES  # of all agents, in every world

    def __post_init__(self) -> None:
        """Refuse worlds that cannot be stepped beside each other."""
        if len({world.rounds for world in self.worlds}) != 1:
            raise ValueError("worlds beside each other must clear equally often in a step")

    @property
    def rounds(self) -> int:
        """Exchanges of a step."""
        return self.worlds[0].rounds


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """A shard between two steps: all that a checkpoint holds of it."""

    step: int
    agents: tuple[Any, ...]  # by world
    commons: tuple[Any, ...]  # by world
    memory: tuple[Memory, ...]  # of the policy, by world
    unbooked: tuple[Bid, ...]  # accounts of the last step, by world; none before the first and once they are booked
    kept: tuple[Any, ...]  # by world


class Shard:
    """Agents of one shard in every world of a play."""

    def __init__(self, play: Play[Any, Any, Any], ids: Ids) -> None:
        """Prepare; `begin` opens a step."""
        self.play, self.ids = play, ids
        self.recorders = [play.recorder(world) for world in play.worlds]
        self.said: list[Said[Any]] = []
        """Agents as they are within the step and what they said that is not yet exchanged; none after the last step."""

    @property
    def bids(self) -> list[Bid]:
        """Said and not yet exchanged, by world."""
        return [bid for _, bid in self.said]

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
            memory = tuple(play.policy.begin(world, play.replicas, self.ids) for world in play.worlds)
            at = Boundary(step=0, agents=agents, commons=commons, memory=memory, unbooked=(), kept=kept)
        self.boundary = at
        for recorder, records in zip(self.recorders, at.kept, strict=True):
            recorder.kept = records
        self._open()

    def _open(self) -> None:
        """Act in every world, unless the play is over."""
        play, at = self.play, self.boundary
        self.said = []
        if at.step == play.steps:
            return
        shocks = play.worlds[0].shocks(play.seed, play.replicas, at.step, self.ids)
        now = Moment(seed=play.seed, step=at.step, ids=self.ids)
        told = list(zip(play.worlds, at.agents, at.commons, at.memory, strict=True))
        decided = [
            play.policy.decide(world, agents, commons, shocks, now, memory) for world, agents, commons, memory in told
        ]
        self._memory = tuple(memory for _, memory in decided)
        self._conversations = [
            conversation(world, agents, commons, shocks, actions)
            for (world, agents, commons, _), (actions, _) in zip(told, decided, strict=True)
        ]
        self.said = [next(each) for each in self._conversations]

    def book(self, accounts: Sequence[Pool | None]) -> None:
        """Record the last step, with the merged accounts of each world where this shard keeps the books."""
        at = self.boundary
        for recorder, agents, commons, booked in zip(self.recorders, at.agents, at.commons, accounts, strict=True):
            recorder.add(agents, commons, booked)
        self.boundary = replace(at, unbooked=())
        give_back(at.step)

    def hear(self, heard: Sequence[Heard]) -> None:
        """Go on in every world with what its bids were exchanged for: to the next bids, or into the next step."""
        said, ended = [], []
        for each, told in zip(self._conversations, heard, strict=True):
            try:
                said.append(each.send(told))
            except StopIteration as end:
                ended.append(end.value)
        self.said = said
        if ended:
            self.boundary = replace(
                self.boundary,
                step=self.boundary.step + 1,
                agents=tuple(agents for agents, _, _ in ended),
                commons=tuple(commons for _, commons, _ in ended),
                memory=self._memory,
                unbooked=tuple(outcome.accounts for _, _, outcome in ended),
            )
            self._open()

    def ill(self) -> str:
        """The first agent that holds something that is no finite number, and what; nothing if there is none."""
        role, ids = next(iter(self.ids.items()))
        for agents in (*(agents for agents, _ in self.said), *self.boundary.agents):
            for name, values in _tensors(agents):
                bad = (~torch.isfinite(values)).nonzero()
                axis = next((axis for axis in (1, -1) if values.dim() > 1 and values.shape[axis] == len(ids)), None)
                if len(bad) and axis is not None:
                    return f"{role} {ids[int(bad[0, axis])]}: {name} is not a finite number"
        return ""


def _tensors(part: Any) -> Iterator[tuple[str, Tensor]]:
    """Tensors of floats in nested dataclasses, by name."""
    inside = part if isinstance(part, Mapping) else {item.name: getattr(part, item.name) for item in fields(part)}
    for name, value in inside.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            yield name, value
        elif is_dataclass(value) or isinstance(value, Mapping):
            yield from _tensors(value)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a play leaves."""

    kept: tuple[tuple[Any, ...], ...]  # by world, by shard; the first shard kept the books
    ids: tuple[Ids, ...]  # by shard
    interrupted: bool  # stopped by the user before the end
    hint: str = ""  # how an interrupted run can go on


class Tell(Protocol):
    """Told how many steps are done, of how many, and figures so far; of none while a cluster is made ready."""

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take note."""


def untold(done: int, of: int, so_far: Mapping[str, float]) -> None:
    """No progress."""


class Runtime(Protocol):
    """Steps a play to its end."""

    def play(self, play: Play[Any, Any, Any], tell: Tell) -> Played:
        """Step to the end, or until Ctrl-C."""
