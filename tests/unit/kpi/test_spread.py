"""Quantiles of draws, and the shares of parameters in a spread, against closed forms."""

import numpy as np
import pytest
from scipy.stats import norm, qmc

from carbonray.kpi.spread import quantiles, rank_correlation, variance_shares

EXACT = 1e-12


def cube(draws: int, parameters: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.asarray(qmc.LatinHypercube(parameters, rng=rng, optimization="random-cd").random(draws))


def test_quantiles_pass_over_what_is_undefined_and_none_is_none() -> None:
    values = np.append(np.linspace(0.0, 1.0, 101), [np.nan, np.inf])
    assert quantiles(values) == pytest.approx({"low": 0.05, "median": 0.5, "high": 0.95})
    assert quantiles(np.array([np.nan])) is None


def test_the_shares_of_a_sum_of_normals_are_its_squared_rank_correlations() -> None:
    weights = np.array([3.0, -2.0, 1.0])
    inputs = norm.ppf(cube(800, 3))
    found = variance_shares(inputs, inputs @ weights)
    assert found is not None
    shares, r2 = found
    pearson = weights / np.sqrt((weights**2).sum())
    np.testing.assert_allclose(shares, (6 / np.pi * np.arcsin(pearson / 2)) ** 2, atol=0.01)  # Pearson 1907
    assert shares.sum() == pytest.approx(r2, abs=EXACT)


def test_one_increasing_function_of_one_parameter_is_decided_by_it_whole() -> None:
    inputs = cube(40, 3)
    found = variance_shares(inputs, np.exp(9 * inputs[:, 1]))
    assert found is not None
    np.testing.assert_allclose(found[0], [0, 1, 0], atol=0.02)
    assert found[1] == pytest.approx(1.0, abs=EXACT)


def test_two_parameters_that_always_move_together_share_alike() -> None:
    column = cube(50, 1)[:, 0]
    found = variance_shares(np.stack([column, column, cube(50, 2)[:, 1]], 1), column)
    assert found is not None
    np.testing.assert_allclose(found[0][:2], 0.5, atol=0.02)
    assert found[0].sum() == pytest.approx(1.0, abs=EXACT)


def test_a_parameter_that_never_moves_has_no_share() -> None:
    inputs = np.column_stack([cube(30, 2), np.full(30, np.inf)])
    inputs[:, 2] = 2.0
    found = variance_shares(inputs, inputs[:, 0])
    assert found is not None
    assert found[0][2] == 0


def test_order_of_the_parameters_does_not_matter() -> None:
    inputs = cube(30, 4)
    outcome = inputs[:, 0] * inputs[:, 1] - inputs[:, 3] ** 2
    order = np.array([2, 0, 3, 1])
    one, other = variance_shares(inputs, outcome), variance_shares(inputs[:, order], outcome)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one[0][order], other[0], atol=EXACT)


def test_too_few_draws_or_a_figure_that_never_moves_have_no_ranking() -> None:
    inputs = cube(8, 5)
    outcome = inputs.sum(1)
    assert variance_shares(inputs, outcome) is not None
    outcome[0] = np.nan
    assert variance_shares(inputs, outcome) is None
    assert variance_shares(inputs, np.ones(8)) is None
    assert variance_shares(inputs, np.full(8, np.nan)) is None


def test_rank_correlation_needs_three_pairs_and_a_spread() -> None:
    rising = np.array([1.0, 2.0, 3.0, np.nan])
    assert rank_correlation(rising, rising**3) == pytest.approx(1.0)
    assert rank_correlation(rising[2:], rising[2:]) is None
    assert rank_correlation(rising, np.ones(4)) is None
