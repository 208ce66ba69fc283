"""Exchange: from the bids of all shards to the pool and the mail of each, the only verb between agents.

A shard packs what it says as numpy arrays: its pooled part, the same for everybody, and a parcel of letters for each
shard that its letters concern.  Totals are cut to the columns where the shard has anything to add, so that all shards
together say little more than one; letters are cut to the agents whom the other shard names.

Axes: B replica, n agent of a shard, N agent, E slot of the graph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Letters, Mail, Pool, Rows, Total

WRAPS = 1.5 * 2.0**exact.BITS
"""Magnitude of a sum in grains beyond which it is out of bounds, whatever a sum of integers that wrapped would say."""
Ids = NDArray[np.int64]
Block = tuple[int, NDArray[np.int64]]  # first column, sums [rows, columns]
Packed = tuple[list[Block], list[tuple[NDArray[Any], NDArray[Any]]]]  # totals by length of the last axis; ids, rows
Parcel = list[NDArray[Any]]  # letters to one shard, in the order of their names


def alone(edges: Tensor, bid: Bid) -> tuple[Pool, Mail]:
    """The pool and the mail where one shard has all agents; on any device."""
    mail = {}
    for name, letters in bid.letters.items():
        sent = letters.values
        if letters.to_supplier:
            mail[name] = _added(sent.flatten(1), edges.flatten(), edges.shape[1])
        else:
            mail[name] = torch.gather(sent, 1, edges.flatten().expand(len(sent), -1)).view(len(sent), *edges.shape)
    return _pool(bid.totals, bid.rows), mail


def _added(values: Tensor, target: Tensor, count: int) -> Tensor:
    """[B, count] sums of values [B, edges] by supplier, in order of edge id."""
    heard = values.new_zeros(len(values), count)
    return heard.scatter_add_(1, target.expand(len(values), -1), values) if target.numel() else heard


def _pool(totals: Mapping[str, Total], rows: Mapping[str, Rows]) -> Pool:
    return Pool(totals={name: exact.as_float(name, total) for name, total in totals.items()}, rows=rows)


def packed(bid: Bid) -> Packed:
    """What everybody hears of a shard's bid: its totals where they are not zero, and its rows."""
    blocks = [_cut(np.concatenate([_matrix(bid.totals[name]) for name in names])) for names in _alike(bid)]
    return blocks, [(each.ids.numpy(), each.values.numpy()) for each in bid.rows.values()]


def _alike(bid: Bid) -> list[list[str]]:
    """Names of totals with equally many columns."""
    groups: dict[int, list[str]] = {}
    for name, total in bid.totals.items():
        groups.setdefault(total.sums.shape[-1], []).append(name)
    return list(groups.values())


def _matrix(total: Total) -> NDArray[np.int64]:
    return total.sums.reshape(-1, total.sums.shape[-1]).numpy()


def _cut(sums: NDArray[np.int64]) -> Block:
    used = np.flatnonzero(sums.any(0))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    return first, sums[:, first:last]


def merged(own: Bid, parts: Sequence[Packed]) -> Pool:
    """Merge what all shards said: totals by integer addition, rows in order of agent id.

    Args:
        own: the bid of any shard, for names, shapes and bounds, which are the same in all.
        parts: of every shard.

    Raises:
        SumOutOfBoundError: if a total leaves its bound.
    """
    merged = {}
    for place, names in enumerate(_alike(own)):
        shapes = [own.totals[name].sums.shape for name in names]
        ends = np.cumsum([shape[:-1].numel() for shape in shapes])
        sums = _summed(int(ends[-1]), shapes[0][-1], [blocks[place] for blocks, _ in parts])
        for name, shape, part in zip(names, shapes, np.split(sums, ends[:-1]), strict=True):
            merged[name] = Total(sums=torch.from_numpy(part).view(shape), bound=own.totals[name].bound)
    totals = {name: merged[name] for name in own.totals}
    rows = {name: _in_line([part[1][place] for part in parts]) for place, name in enumerate(own.rows)}
    return _pool(totals, rows)


def _summed(rows: int, columns: int, blocks: Sequence[Block]) -> NDArray[np.int64]:
    sums, rough = np.zeros((rows, columns), np.int64), np.zeros((rows, columns))
    for first, block in blocks:
        sums[:, first : first + block.shape[1]] += block
        rough[:, first : first + block.shape[1]] += block
    sums[np.abs(rough) > WRAPS] = np.iinfo(np.int64).min  # beyond any bound, where an integer sum may have wrapped
    return sums


def _in_line(parts: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> Rows:
    """Rows of all shards in order of agent id."""
    ids, values = np.concatenate([ids for ids, _ in parts]), np.concatenate([rows for _, rows in parts], 1)
    order = np.argsort(ids, kind="stable")
    in_line = values.take(order, 1)  # indexing would lay the result out otherwise, and float sums depend on that
    return Rows(ids=torch.from_numpy(ids[order]), values=torch.from_numpy(in_line))


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Where a shard's letters go and come from, along the edges of the graph; itself included."""

    told: Mapping[int, Ids]  # shard -> places of own agents whom its customers name
    asked: Mapping[int, Ids]  # shard -> places in [E, n] laid flat of own edges to its suppliers
    named: Tensor  # [E, n] place of each named supplier among all that the shards tell, in order of shard
    line: Tensor  # order of edge id of all edges that the shards ask along, in order of shard
    target: Tensor  # place of the supplier of each such edge, in order of edge id

    def linked(self, other: int) -> bool:
        """Whether a parcel goes to a shard."""
        return len(self.told[other]) + len(self.asked[other]) > 0


def routes(edges: NDArray[np.int64], ids: Sequence[Ids], place: int) -> Routes:
    """The routes of one shard.

    Args:
        edges: [E, N] the supplier named in each slot.
        ids: the agents of every shard, ascending; together all N.
        place: of the shard among them.
    """
    owner, position = np.empty(edges.shape[1], np.int64), np.empty(edges.shape[1], np.int64)
    for shard, mine in enumerate(ids):
        owner[mine], position[mine] = shard, np.arange(len(mine))
    own_edges = edges[:, ids[place]]
    owner_of_own = owner[own_edges].ravel()
    named = _named(own_edges, len(owner))
    named = named[np.argsort(owner[named], kind="stable")]
    line = np.empty(len(owner), np.int64)
    line[named] = np.arange(len(named))
    edge_ids, targets = [], []
    for mine in ids:
        suppliers = edges[:, mine].ravel()
        here = np.flatnonzero(owner[suppliers] == place)
        edge_ids.append(here // max(len(mine), 1) * len(owner) + mine[here % max(len(mine), 1)])
        targets.append(position[suppliers[here]])
    order = np.argsort(np.concatenate(edge_ids), kind="stable")
    return Routes(
        told={j: position[each[owner[each] == place]] for j, each in _named_by(edges, ids, len(owner)).items()},
        asked={j: np.flatnonzero(owner_of_own == j) for j in range(len(ids))},
        named=torch.from_numpy(line[own_edges]),
        line=torch.from_numpy(order),
        target=torch.from_numpy(np.concatenate(targets)[order]),
    )


def _named_by(edges: NDArray[np.int64], ids: Sequence[Ids], count: int) -> dict[int, Ids]:
    """Shard -> suppliers whom its customers name, ascending."""
    return {shard: _named(edges[:, mine], count) for shard, mine in enumerate(ids)}


def _named(edges: NDArray[np.int64], count: int) -> Ids:
    marked = np.zeros(count, np.bool_)
    marked[edges.ravel()] = True
    return np.flatnonzero(marked)


def parcel(letters: Mapping[str, Letters], way: Routes, other: int) -> Parcel:
    """The letters that concern another shard."""
    return [
        each.values.numpy().reshape(len(each.values), -1).take(way.asked[other], 1)
        if each.to_supplier
        else each.values.numpy().take(way.told[other], 1)
        for each in letters.values()
    ]


def opened(letters: Mapping[str, Letters], way: Routes, count: int, parcels: Sequence[Parcel | None]) -> Mail:
    """What a shard hears from the parcels of all shards.

    Args:
        letters: its own, for their names.
        way: its routes.
        count: of its agents.
        parcels: of every shard, its own included; None where nothing links them.
    """
    mail = {}
    for place, (name, each) in enumerate(letters.items()):
        parts = [torch.from_numpy(part[place]) for part in parcels if part is not None]
        said = torch.cat(parts, 1) if parts else each.values.new_zeros(len(each.values), 0)
        if each.to_supplier:
            mail[name] = _added(said[:, way.line], way.target, count)
        else:
            heard = torch.gather(said, 1, way.named.flatten().expand(len(said), -1))
            mail[name] = heard.view(len(said), *way.named.shape)
    return mail


def together(
    edges: Tensor, ids: Sequence[Ids], bids: Sequence[Bid], ways: Sequence[Routes] | None = None
) -> list[tuple[Pool, Mail]]:
    """The pool and the mail of every shard of one process."""
    if len(bids) == 1:
        return [alone(edges, bids[0])]
    ways = ways or [routes(edges.numpy(), ids, place) for place in range(len(ids))]
    pool = merged(bids[0], [packed(bid) for bid in bids])
    return [
        (
            pool,
            opened(
                bid.letters,
                ways[place],
                len(ids[place]),
                [
                    parcel(other.letters, way, place) if way.linked(place) else None
                    for other, way in zip(bids, ways, strict=True)
                ],
            ),
        )
        for place, bid in enumerate(bids)
    ]
