"""A trained network gives the same bytes for any batch, order, threads and layout, and what the network gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from policies import lively
from torch import Tensor

from carbonray.learn.inference import GRAIN, ROWS, Layer, Network, network, sizes
from carbonray.learn.networks import Decider, Shape

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

LOOSE = 1e-4
FIRM = Shape(features=17, heads=(5, 4, 73))
SIZES = {
    "firm": FIRM,
    "odd": Shape(features=3, heads=(5,), hidden=7),
    "region": Shape(features=1043, heads=(10,) * 57, hidden=24),
}
SHAPES = {**SIZES, **{f"{name} with memory": replace(shape, recurrent=True) for name, shape in SIZES.items()}}
N = 2 * ROWS + 301


def made(shape: Shape) -> Network:
    return network(shape, lively(shape).state_dict())


def seen(shape: Shape, rows: int = N) -> Tensor:
    return torch.as_tensor(np.random.default_rng(1).normal(0, 3, (rows, shape.features)))


def memory(shape: Shape, rows: int = N) -> Tensor | None:
    rng = np.random.default_rng(2)
    return torch.as_tensor(rng.uniform(-1, 1, (rows, 2 * shape.hidden)) // GRAIN * GRAIN) if shape.recurrent else None


def same(one: tuple[Tensor, Tensor | None], other: tuple[Tensor, Tensor | None]) -> bool:
    assert (one[1] is None) == (other[1] is None)
    return torch.equal(one[0], other[0]) and (one[1] is None or other[1] is None or torch.equal(one[1], other[1]))


def taken(whole: tuple[Tensor, Tensor | None], rows: Tensor) -> tuple[Tensor, Tensor | None]:
    return whole[0][rows], None if whole[1] is None else whole[1][rows]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
class TestSameBytes:
    def test_a_row_is_the_same_wherever_it_stands_and_whoever_is_beside_it(self, shape: Shape) -> None:
        brain, looks, before = made(shape), seen(shape), memory(shape)
        whole = brain.values(looks, before)
        rng = np.random.default_rng(3)
        for rows in (rng.permutation(N), rng.integers(0, N, 777), np.arange(13, N), np.array([N - 1]), np.array([])):
            some = torch.as_tensor(rows, dtype=torch.int64)
            found = brain.values(looks[some], None if before is None else before[some])
            assert same(found, taken(whole, some))

    def test_one_thread_and_two_and_any_layout(self, shape: Shape) -> None:
        brain, looks, before = made(shape), seen(shape), memory(shape)
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            one = brain.values(looks, before)
            torch.set_num_threads(2)
            assert same(brain.values(looks, before), one)
            assert same(brain.values(looks.T.contiguous().T, before), one)
        finally:
            torch.set_num_threads(threads)

    def test_its_weights_are_those_of_the_network(self, shape: Shape) -> None:
        state = Decider(shape).state_dict()
        assert sizes(shape) == {name: tuple(value.shape) for name, value in state.items()}

    def test_it_is_the_network(self, shape: Shape) -> None:
        decider = lively(shape)
        brain, looks, before = network(shape, decider.state_dict()), seen(shape, 50), memory(shape, 50)
        with torch.no_grad():
            there = None if before is None else before[None].float()
            expected, kept = decider(looks[None, None].float(), there)
        values, after = brain.values(looks, before)
        torch.testing.assert_close(values.float(), expected[0, 0], rtol=LOOSE, atol=LOOSE)
        if after is not None:
            torch.testing.assert_close(after.float(), kept[0], rtol=LOOSE, atol=LOOSE)


@pytest.mark.parametrize("name", ["first", "second", "head"])
def test_sums_are_exact_in_any_order(name: str) -> None:
    layer: Layer = getattr(made(FIRM), name)
    inputs = torch.randint(-10 * 2**20, 10 * 2**20, (layer.weight.shape[1],), generator=torch.manual_seed(0)) * GRAIN
    inputs = inputs if name == "first" else inputs / 16 // GRAIN * GRAIN
    terms = [[int(x * 2**60) for x in row] for row in (layer.weight * inputs).tolist()]
    exact = [sum(row) + int(bias * 2**60) for row, bias in zip(terms, layer.bias.tolist(), strict=True)]
    assert [int(value * 2**60) for value in layer(inputs[None].double())[0].tolist()] == exact


def test_weights_move_by_less_than_their_files_can_tell() -> None:
    decider = Decider(FIRM)
    brain = network(FIRM, decider.state_dict())
    for layer, own in ((brain.first, decider.trunk.layers[0]), (brain.head, decider.head)):
        assert (layer.weight - own.weight).abs().max() < 2.0**-24
