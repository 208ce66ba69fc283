"""Fixed-point totals, powers and the inverse: exact, in any order, and refused where they cannot be."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.runtime import exchange
from carbonray.worlds import exact
from carbonray.worlds.world import Bid, Pool, Total

EXACT = 1e-15
TIGHT = 1e-12
BOUND = 1e6

amounts = st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=1, max_size=60)


def total_of(values: list[float], bound: float = BOUND) -> Total:
    numbers = torch.tensor([values], dtype=torch.float64)
    return exact.cell_totals(numbers, torch.tensor([len(values)]), bound)


class TestGrain:
    @given(bound=st.floats(1e-9, 1e30))
    @settings(deadline=None)
    def test_the_grain_is_the_finest_power_of_two_for_which_the_bound_fits(self, bound: float) -> None:
        unit = exact.grain(bound)
        assert math.frexp(unit)[0] == 0.5
        assert bound / unit <= 2**62
        assert bound / (unit / 2) > 2**62


def merged(bids: list[Bid]) -> Pool:
    return exchange.merged(bids[0], [exchange.packed(bid) for bid in bids])


class TestTotals:
    @given(values=amounts)
    @settings(deadline=None)
    def test_a_total_is_the_exact_sum_to_one_grain_a_value(self, values: list[float]) -> None:
        found = exact.as_float("money", total_of(values)).item()
        assert abs(found - math.fsum(values)) <= len(values) * exact.grain(BOUND) + EXACT * abs(found)

    @given(values=amounts, data=st.data())
    @settings(deadline=None)
    def test_a_total_does_not_depend_on_order(self, values: list[float], data: st.DataObject) -> None:
        assert torch.equal(total_of(values).sums, total_of(data.draw(st.permutations(values))).sums)

    @given(values=amounts, data=st.data())
    @settings(deadline=None)
    def test_a_total_does_not_depend_on_shards(self, values: list[float], data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, len(values)))
        parts = [Bid(totals={"money": total_of(part)}) for part in (values[:cut], values[cut:])]
        whole = merged([Bid(totals={"money": total_of(values)})])
        assert torch.equal(merged(parts).totals["money"], whole.totals["money"])

    @given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=8), seed=st.integers(0, 1000))
    @settings(deadline=None)
    def test_cells_get_their_own_agents_and_empty_cells_nothing(self, counts: list[int], seed: int) -> None:
        values = np.random.default_rng(seed).uniform(-1, 1, (2, sum(counts)))
        cell = np.repeat(np.arange(len(counts)), counts)
        ends = torch.as_tensor(np.cumsum(counts))
        found = exact.as_float("x", exact.cell_totals(torch.as_tensor(values), ends, 100.0))
        expected = np.stack([np.bincount(cell, row, len(counts)) for row in values])
        np.testing.assert_allclose(found, expected, atol=TIGHT)
        keys = torch.as_tensor(np.tile(cell, (2, 1)))
        by_key = exact.as_float("x", exact.keyed_totals(torch.as_tensor(values), keys, len(counts), 100.0))
        assert torch.equal(by_key, found)

    @pytest.mark.parametrize("values", [[0.6, 0.6], [-0.6, -0.6], [1.5]])
    def test_a_total_beyond_its_bound_is_refused_by_name(self, values: list[float]) -> None:
        with pytest.raises(
            exact.SumOutOfBoundError, match=r"^output: a total of 1\.[25] exceeds its declared bound of 1$"
        ):
            exact.as_float("output", total_of(values, bound=1.0))

    def test_a_total_at_its_bound_is_taken(self) -> None:
        assert exact.as_float("output", total_of([0.5, 0.5], bound=1.0)).item() == 1.0

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_not_a_finite_number_is_refused_by_name(self, value: float) -> None:
        with pytest.raises(exact.SumOutOfBoundError, match=r"^emissions: "):
            exact.as_float("emissions", total_of([1.0, value]))

    def test_shards_beyond_the_bound_together_are_refused(self) -> None:
        bids = [Bid(totals={"stock": total_of([0.7], bound=1.0)}) for _ in range(2)]
        with pytest.raises(exact.SumOutOfBoundError, match=r"^stock: "):
            merged(bids)

    @pytest.mark.parametrize("value", [math.nan, 1.0])
    @pytest.mark.parametrize("shards", [2, 3, 4, 8])
    def test_what_shards_add_never_wraps_into_bounds(self, value: float, shards: int) -> None:
        bids = [Bid(totals={"stock": total_of([value], bound=1.0)}) for _ in range(shards)]
        with pytest.raises(exact.SumOutOfBoundError, match=r"^stock: "):
            merged(bids)


class TestPower:
    @given(base=st.floats(1e-9, 1e9), exponent=st.floats(-3, 3))
    @settings(deadline=None)
    def test_power_is_the_librarys(self, base: float, exponent: float) -> None:
        found = exact.power(torch.tensor([base], dtype=torch.float64), exponent).item()
        assert found == pytest.approx(base**exponent, rel=1e-13)

    def test_zero_to_a_positive_power_is_zero(self) -> None:
        assert exact.power(torch.zeros(2, dtype=torch.float64), 0.3).tolist() == [0.0, 0.0]


def random_matrix(seed: int, n: int) -> Tensor:
    """I - A with column sums of A below one, as an input-output table has."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(0, 1, (n, n))
    return torch.as_tensor(np.eye(n) - inputs / inputs.sum(0) * rng.uniform(0.1, 0.9, n))


class TestMatrices:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 30))
    @settings(max_examples=30, deadline=None)
    def test_the_inverse_is_numpys(self, seed: int, n: int) -> None:
        matrix = random_matrix(seed, n)
        np.testing.assert_allclose(exact.inverse(matrix), np.linalg.inv(matrix.numpy()), rtol=1e-11, atol=1e-13)

    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=20, deadline=None)
    def test_apply_is_a_matrix_times_a_vector(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        matrix, vector = rng.normal(size=(3, 5, 7)), rng.normal(size=(3, 7))
        found = exact.apply(torch.as_tensor(matrix), torch.as_tensor(vector))
        np.testing.assert_allclose(found, np.einsum("bij,bj->bi", matrix, vector), atol=TIGHT)
