"""Step a world in one process, its agents in one shard or several: the same bytes for any sharding."""

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Mail, Pool, Rows, Shocks, Total, World

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


def merge(bids: Sequence[Bid]) -> Pool:
    """Merge what shards said: totals by integer addition, rows in order of agent id.

    Raises:
        SumOutOfBoundError: if a total leaves its bound.
    """
    first = bids[0]
    totals = {}
    for name, total in first.totals.items():
        sums = total.sums if len(bids) == 1 else torch.stack([bid.totals[name].sums for bid in bids]).sum(0)
        totals[name] = exact.as_float(name, Total(sums=sums, bound=total.bound))
    rows = first.rows if len(bids) == 1 else {name: _in_line([bid.rows[name] for bid in bids]) for name in first.rows}
    return Pool(totals=totals, rows=rows)


def _in_line(parts: Sequence[Rows]) -> Rows:
    """Rows of all shards in order of agent id."""
    ids, values = torch.cat([part.ids for part in parts]), torch.cat([part.values for part in parts], 1)
    order = ids.argsort()
    return Rows(ids=ids[order], values=values[:, order])


def deliver(edges: Tensor, ids: Sequence[Ids], bids: Sequence[Bid]) -> tuple[Mail, ...]:
    """Carry letters to the other end of their edges."""
    mails: list[dict[str, Tensor]] = [{} for _ in bids]
    order = _order(ids, edges.device)
    for name, letters in bids[0].letters.items():
        sent = _in_order(order, [bid.letters[name].values for bid in bids])
        if letters.to_supplier:
            batch, slots, count = sent.shape
            heard = sent.new_zeros(batch, count)
            if slots:
                heard.scatter_add_(1, edges.flatten().expand(batch, -1), sent.flatten(1))
            for mail, mine in zip(mails, ids, strict=True):
                mail[name] = _rows(heard, mine)
        else:
            for mail, mine in zip(mails, ids, strict=True):
                named = _rows(edges, mine)
                heard = torch.gather(sent, 1, named.flatten().expand(len(sent), -1))
                mail[name] = heard.view(len(sent), *named.shape)
    return tuple(mails)


def _order(ids: Sequence[Ids], device: torch.device) -> Tensor | None:
    """Where each agent stands when the shards are laid end to end; None if they are in order already."""
    joined = np.concatenate(ids)
    if bool((np.diff(joined) > 0).all()):
        return None
    return torch.as_tensor(np.argsort(joined, kind="stable"), device=device)


def _in_order(order: Tensor | None, values: Sequence[Tensor]) -> Tensor:
    joined = values[0] if len(values) == 1 else torch.cat(list(values), -1)
    return joined if order is None else joined[..., order].contiguous()


def _rows(values: Tensor, ids: Ids) -> Tensor:
    """The columns of some agents; a view where their ids are consecutive."""
    if len(ids) == 0:
        return values[..., :0]
    first, last = int(ids[0]), int(ids[-1])
    if last - first + 1 == len(ids):
        return values[..., first : last + 1]
    return values[..., torch.as_tensor(ids, device=values.device)]


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
    actions: Sequence[D] | None = None,
) -> Step[A, K]:
    """One step: act, clear, reply where there is an answer, settle.

    Args:
        world: the world.
        state: before the step.
        shocks: of each shard; the commons' are the same in all.
        ids: of the agents at the edges, by shard.
        actions: of each shard; what the rules say where left out.
    """
    commons = state.commons
    if actions is None:
        actions = [world.scripted(agents, commons, shock) for agents, shock in zip(state.agents, shocks, strict=True)]
    said = [
        world.act(agents, commons, action, shock)
        for agents, action, shock in zip(state.agents, actions, shocks, strict=True)
    ]
    mails: list[dict[str, Tensor]] = [{} for _ in said]
    for round in range(world.rounds):
        bids = [bid for _, bid in said]
        for mail, heard in zip(mails, deliver(world.edges, ids, bids), strict=True):
            mail.update(heard)
        commons = world.clear(commons, merge(bids), shocks[0], round)
        if round < world.rounds - 1:
            said = [
                world.reply(agents, commons, mail, shock, round)
                for (agents, _), mail, shock in zip(said, mails, shocks, strict=True)
            ]
    settled = [world.settle(agents, commons, mail) for (agents, _), mail in zip(said, mails, strict=True)]
    booked = merge([outcome.accounts for _, outcome in settled])
    return Step(
        state=State(agents=tuple(agents for agents, _ in settled), commons=commons),
        rewards=tuple(outcome.reward for _, outcome in settled),
        accounts=booked.totals,
        rows=booked.rows,
        terminated=settled[0][1].terminated,
    )


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


@cache
def keep_memory() -> None:
    """Let glibc reuse freed arrays instead of returning them to the kernel.

    A fresh array of a few MB otherwise costs more in page faults than the arithmetic that fills it
    (1.2 ms against 0.25 ms for ten MB).
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            trim_threshold, mmap_max = -1, -4
            libc.mallopt(mmap_max, 0)
            libc.mallopt(trim_threshold, (1 << 31) - 1)
