"""Exchange: what shards tell each other is what one shard with all agents hears."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.runtime import exchange
from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Letters, Rows


def random_bid(rng: np.random.Generator, ids: np.ndarray, whole: dict[str, torch.Tensor], cells: np.ndarray) -> Bid:
    """What a shard says of agents whose numbers lie in `whole`."""
    mine = torch.as_tensor(ids)
    ends = torch.as_tensor(np.searchsorted(cells[ids], np.arange(cells.max() + 1), side="right"))
    return Bid(
        totals={
            "flat": exact.cell_totals(whole["value"][:, mine], ends, 1e3),
            "deep": exact.cell_totals(whole["deep"][:, :, mine], ends, 1e3),
            "keyed": exact.keyed_totals(whole["value"][:, mine], whole["key"][:, mine], 7, 1e3),
        },
        rows={"row": Rows(ids=mine, values=whole["value"][:, mine])},
        letters={
            "down": Letters(values=whole["value"][:, mine], to_supplier=False),
            "up": Letters(values=whole["edge"][:, :, mine], to_supplier=True),
        },
    )


@given(
    agents=st.integers(1, 30), slots=st.integers(0, 3), shards=st.integers(1, 6), batch=st.integers(1, 2),
    seed=st.integers(0, 10_000),
)  # fmt: skip
@settings(deadline=None)
def test_any_shards_hear_what_one_would(agents: int, slots: int, shards: int, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, agents, (slots, agents))
    cells = np.sort(rng.integers(0, 4, agents))
    cells[-1] = 3
    whole = {
        "value": torch.as_tensor(rng.normal(size=(batch, agents))),
        "deep": torch.as_tensor(rng.normal(size=(batch, 2, agents))),
        "key": torch.as_tensor(rng.integers(0, 7, (batch, agents))),
        "edge": torch.as_tensor(rng.normal(size=(batch, slots, agents))),
    }
    everyone = np.arange(agents)
    pool, mail = exchange.alone(torch.as_tensor(edges), random_bid(rng, everyone, whole, cells))
    owner = rng.integers(0, shards, agents)  # some shards may have nobody
    ids = [np.flatnonzero(owner == shard) for shard in range(shards)]
    bids = [random_bid(rng, mine, whole, cells) for mine in ids]
    ways = [exchange.routes(edges, ids, place) for place in range(shards)]
    for mine, (heard, letters) in zip(ids, exchange.together(torch.as_tensor(edges), ids, bids, ways), strict=True):
        for name, total in pool.totals.items():
            assert heard.totals[name].numpy().tobytes() == total.numpy().tobytes()
        assert torch.equal(heard.rows["row"].ids, torch.as_tensor(everyone))
        assert heard.rows["row"].values.is_contiguous()
        assert torch.equal(heard.rows["row"].values, pool.rows["row"].values)
        picked = torch.as_tensor(mine)
        assert letters["up"].numpy().tobytes() == mail["up"][:, picked].contiguous().numpy().tobytes()
        assert letters["down"].numpy().tobytes() == mail["down"][:, :, picked].contiguous().numpy().tobytes()


def test_a_shard_says_only_the_columns_where_it_has_something_to_add() -> None:
    sums = torch.zeros(1, 1000, dtype=torch.int64)
    sums[0, 400:410] = 3
    (block,), _ = exchange.packed(Bid(totals={"output": exact.Total(sums=sums, bound=1.0)}))
    first, columns = block
    assert (first, columns.shape) == (400, (1, 10))


def test_a_parcel_holds_each_supplier_once_however_many_name_it() -> None:
    edges = np.array([[3, 3, 3, 0]])  # three customers of the first shard name the supplier 3, twice of another shard
    ids = [np.array([0, 1, 2]), np.array([3])]
    way = exchange.routes(edges, ids, 1)
    letters = {"down": Letters(values=torch.tensor([[7.0]]), to_supplier=False)}
    assert [part.tolist() for part in exchange.parcel(letters, way, 0)] == [[[7.0]]]


def test_shards_without_a_common_edge_are_not_linked() -> None:
    edges = np.array([[1, 0, 3, 2]])
    ids = [np.array([0, 1]), np.array([2, 3])]
    assert not exchange.routes(edges, ids, 0).linked(1)
    assert exchange.routes(edges, ids, 0).linked(0)


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_letters_are_added_in_order_of_edge_id(shards: int) -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last bit
    edges = np.zeros((1, 5), np.int64)
    values = torch.tensor([[[0.1, 0.2, 0.3, 0.0, 0.0]]], dtype=torch.float64)
    ids = np.array_split(np.arange(5)[::-1], shards)
    ids = [np.sort(mine) for mine in ids]
    bids = [Bid(letters={"up": Letters(values=values[:, :, torch.as_tensor(mine)], to_supplier=True)}) for mine in ids]
    heard = exchange.together(torch.as_tensor(edges), ids, bids)
    (place,) = [place for place, mine in enumerate(ids) if 0 in mine]
    assert heard[place][1]["up"][0, 0].item() == (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3)
