"""A trained policy at work inside simulations: what it sees, decides and remembers, without Ray.

Axes: B replica, n agent of this shard, R row (an agent of a replica that it decides for), H head, L level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.config import ScenarioError
from carbonray.learn.inference import Network
from carbonray.learn.networks import Heads, legal_only
from carbonray.runtime.shard import Memory, Moment, beside_rules
from carbonray.worlds import draws
from carbonray.worlds.world import Ids, Observation, Shocks, World

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")

LEVEL_DRAW = 2000  # plus the number of the head
FINE = 2.0**40
"""Parts into which one is divided when levels are drawn: so small that sums of weights are exact in any order."""
SLIGHT = 0.02
"""Levels less likely than this share of the likeliest are not drawn: they are what is left of exploring, and what is
done once in a while and cannot be undone, such as abatement, would add up over the years."""
LEVELS, LSTM = "levels", "lstm"
"""What is remembered: the choices that hold, [B, n, H], and the memory of the network, [B, n, 2 hidden]."""


class PolicyError(ScenarioError):
    """A policy that cannot be read or does not fit; one line naming it and the rule."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network that decides for agents of a role; the others follow the rules."""

    network: Network
    role: str
    name: str = "policy"  # what it is called where it does not fit
    sampled: bool = False  # levels are drawn, see `drawn_exactly`; else the best of each head
    who: NDArray[np.int64] | None = None  # [k], or [B or more, k] by replica, agents it decides for; all if left out

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Refuse a world whose agents see or decide something else.

        Raises:
            PolicyError: if so.
        """
        if self.role not in world.roles:
            raise PolicyError(f"{self.name}: decides for each {self.role}, but {name} has {', '.join(world.roles)}")
        made, role = self.network.shape, world.roles[self.role]
        if (made.features, made.heads) != (role.features, role.heads):
            has = _sizes(role.features, role.heads)
            raise PolicyError(f"{self.name}: made for {_sizes(made.features, made.heads)}, but {name} has {has}")

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """Level 0 of every head, which nobody reads, and a memory of nothing; none where neither is needed."""
        count, role, shape = len(ids[self.role]), world.roles[self.role], self.network.shape
        memory = {}
        if role.every > 1:
            memory[LEVELS] = torch.zeros(replicas, count, len(shape.heads), dtype=torch.int64)
        if shape.recurrent:
            memory[LSTM] = torch.zeros(replicas, count, 2 * shape.hidden, dtype=torch.float64)
        return memory or None

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """Actions of all agents of the shard by role, and what is remembered."""
        if self.who is not None and not np.isin(now.ids[self.role], self.who).any():
            return world.scripted(agents, commons, shocks), memory
        look = world.observe(agents, commons)[self.role]
        mine = self._mine(now.ids[self.role], look.values)
        if memory is not None and LEVELS in memory and now.step % world.roles[self.role].every:
            levels = memory[LEVELS]
        else:
            levels, memory = self._choose(look, mine, now, memory, world.draws(len(mine)))
        decided = world.decode({self.role: levels.to(look.values.device)})
        if self.who is None:
            return beside_rules(world, agents, commons, shocks, decided), memory
        ruled = world.scripted(agents, commons, shocks)
        return {**ruled, self.role: blend(decided[self.role], ruled[self.role], mine)}, memory

    def _mine(self, ids: NDArray[np.int64], like: Tensor) -> Tensor:
        """[B, n] bool, whom it decides for."""
        if self.who is None:
            return torch.ones(like.shape[:2], dtype=torch.bool, device=like.device)
        rows = self.who[: len(like)] if self.who.ndim == 2 else [self.who] * len(like)
        return torch.as_tensor(np.stack([np.isin(ids, each) for each in rows]), device=like.device)

    def _choose(
        self, look: Observation, mine: Tensor, now: Moment, memory: Memory, draws_of: Sequence[int]
    ) -> tuple[Tensor, Memory]:
        """[B, n, H] levels, 0 for agents it does not decide for."""
        heads, device = Heads(self.network.shape.heads), look.values.device
        network = self.network.to(device)
        before = memory[LSTM].to(device) if memory and LSTM in memory else None
        values, after = network.values(look.values[mine], None if before is None else before[mine])
        values = legal_only(values, look.mask[mine])
        if self.sampled:
            chosen = drawn_exactly(heads, values, self._uniforms(draws_of, now, device)[mine])
        else:
            chosen = heads.best(values)
        levels = torch.zeros(*mine.shape, len(heads.sizes), dtype=torch.int64, device=device)
        levels[mine] = chosen
        if memory is None:
            return levels, None
        kept = {LEVELS: levels} if LEVELS in memory else {}
        if before is not None and after is not None:
            kept[LSTM] = before.index_put((mine,), after)
        return levels, kept

    def _uniforms(self, draws_of: Sequence[int], now: Moment, device: torch.device) -> Tensor:
        """[B, n, H] numbers in [0, 1), each a function of (seed, draw, step, agent, head); a draw of each replica."""
        ids, heads = now.ids[self.role], range(len(self.network.shape.heads))
        drawn = {
            draw: np.stack([draws.uniform(now.seed, draw, now.step, LEVEL_DRAW + head, ids) for head in heads], 1)
            for draw in dict.fromkeys(draws_of)
        }
        return torch.as_tensor(np.stack([drawn[draw] for draw in draws_of]), device=device)


@dataclass(frozen=True, kw_only=True)
class Together:
    """Policies of several roles; roles without one follow the rules."""

    parts: tuple[Trained, ...]

    def check(self, world: World[Any, Any, Any], name: str) -> None:
        """Refuse a world that any was not made for."""
        for part in self.parts:
            part.check(world, name)

    def begin(self, world: World[Any, Any, Any], replicas: int, ids: Ids) -> Memory:
        """What all of them remember."""
        return joined([part.begin(world, replicas, ids) for part in self.parts])

    def decide(
        self, world: World[A, K, D], agents: A, commons: K, shocks: Shocks, now: Moment, memory: Memory
    ) -> tuple[Mapping[str, D], Memory]:
        """Actions of all agents of the shard by role, and what all of them remember."""
        decided: dict[str, D] = {}
        kept = []
        for part, before in zip(self.parts, parted(memory, len(self.parts)), strict=True):
            actions, after = part.decide(world, agents, commons, shocks, now, before)
            decided |= actions if not decided else {part.role: actions[part.role]}
            kept.append(after)
        return decided, joined(kept)


def joined(memories: Sequence[Memory]) -> Memory:
    """Memories under the number of their policy; none if nobody remembers anything."""
    found = {f"{place}.{name}": value for place, each in enumerate(memories) for name, value in (each or {}).items()}
    return found or None


def parted(memory: Memory, policies: int) -> list[Memory]:
    """The memory of each policy again."""
    kept: list[dict[str, Tensor]] = [{} for _ in range(policies)]
    for key, value in (memory or {}).items():
        place, _, name = key.partition(".")
        kept[int(place)][name] = value
    return [each or None for each in kept]


def _sizes(features: int, heads: tuple[int, ...]) -> str:
    """`17 features and heads (5, 4, 73)`; many heads are counted."""
    counted = f"{len(heads)} heads of {sum(heads)} levels in all"
    return f"{features} features and {counted if len(heads) > MANY else f'heads {heads}'}"


MANY = 8
"""Heads that are not listed any more."""


def drawn_exactly(heads: Heads, logits: Tensor, uniform: Tensor) -> Tensor:
    """[R, H] levels drawn with the probabilities of logits [R, L] but for slight ones, from numbers [R, H] in [0, 1).

    As `Heads.drawn`, by which agents explore, is faster and leaves nothing out, but with the same levels for any batch
    and on any machine.

    The level is that at which the running sum of the weights passes the number's share of all; levels without weight,
    as slight and forbidden ones are, are passed over.
    """
    found, first = [], 0
    for part in heads.parts(logits):
        weight = ((part - part.amax(-1, keepdim=True)).exp() * FINE).round()
        weight = torch.where(weight < SLIGHT * FINE, 0.0, weight)
        running = weight.cumsum(-1)
        total = running[..., -1:]
        place = uniform[:, first : first + part.shape[-2], None] * total
        found.append(torch.minimum((running <= place).sum(-1), (running < total).sum(-1)))
        first += part.shape[-2]
    return torch.cat(found, -1)


def blend(own: D, others: D, who: Tensor) -> D:
    """What all agents of a role do, of what some decided and what the others do.

    Args:
        own: actions of all agents, of which some count: a tensor [B, n, ...], or nested dataclasses of such.
        others: of all agents, of which the rest count.
        who: who decided, [B, n] or [n] bool, or their places [k] int64.
    """
    if isinstance(own, Tensor) and isinstance(others, Tensor):
        if who.dtype != torch.bool:
            who = torch.zeros(own.shape[1], dtype=torch.bool, device=own.device).index_fill(0, who, value=True)
        return torch.where(who.view(*who.shape, *[1] * (own.dim() - 2)), own, others)  # type: ignore[return-value]
    if is_dataclass(own) and not isinstance(own, type):
        parts = {item.name: blend(getattr(own, item.name), getattr(others, item.name), who) for item in fields(own)}
        return replace(own, **parts)
    if own is None and others is None:
        return own
    raise TypeError(f"{type(own).__name__} and {type(others).__name__} are no actions of the same agents")
