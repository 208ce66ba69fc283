"""Draws and shares of a spread: what holds for any numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.kpi.spread import QUANTILES, quantiles, variance_shares
from carbonray.runtime.uncertain_parameters import UNCERTAIN

LOOSE = 1e-9
numbers = st.floats(-1e6, 1e6, allow_nan=False)
tables = st.integers(8, 20).flatmap(lambda n: arrays(float, (n, 5), elements=st.floats(0, 1)))


@given(st.sampled_from(UNCERTAIN), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_of_the_draws_lies_below_a_larger_factor(one, left, right) -> None:
    low, high = one.factor(np.array(sorted((left, right))))
    assert one.low - LOOSE <= low <= high <= one.high + LOOSE


@settings(max_examples=50)
@given(tables, st.integers(0, 2**32 - 1))
def test_shares_are_never_negative_sum_to_r2_and_heed_no_order_of_draws(inputs, seed) -> None:
    rng = np.random.default_rng(seed)
    outcome = rng.normal(size=len(inputs))
    found = variance_shares(inputs, outcome)
    assert found is not None
    shares, r2 = found
    assert (shares >= 0).all()
    assert -LOOSE <= r2 <= 1 + LOOSE
    np.testing.assert_allclose(shares.sum(), r2, atol=1e-6)
    order = rng.permutation(len(inputs))
    again = variance_shares(inputs[order], outcome[order])
    assert again is not None
    np.testing.assert_allclose(again[0], shares, atol=1e-6)


@settings(max_examples=50)
@given(tables)
def test_only_ranks_matter(inputs) -> None:
    inputs = inputs.round(3)  # so that nothing ties that did not before
    outcome = inputs.sum(1).round(3)
    one, other = variance_shares(inputs, outcome), variance_shares(np.exp(5 * inputs), np.exp(3 * outcome))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        np.testing.assert_allclose(one[0], other[0], atol=1e-6)


@given(arrays(float, st.integers(1, 30), elements=numbers))
def test_the_median_lies_between_low_and_high(values) -> None:
    found = quantiles(values)
    assert found is not None
    low, median, high = (found[name] for name in QUANTILES)
    assert values.min() <= low <= median <= high <= values.max()
