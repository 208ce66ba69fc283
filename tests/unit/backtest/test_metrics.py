"""Scores and naive forecasts against values worked out by hand."""

import math

import numpy as np
import pytest

from carbonray.backtest.metrics import changes, correlation, scores, skill, turning_points
from carbonray.backtest.naive import constant_share, last_value, linear_trend

EXACT = 1e-12


def test_a_perfect_forecast_scores_perfectly() -> None:
    observed = np.array([1.0, 3.0, 2.0, 4.0])
    found = scores(observed, observed, 2.0)
    assert (found.mape, found.rmse, found.bias, found.direction) == (0.0, 0.0, 0.0, 1.0)
    assert found.r == pytest.approx(1.0, abs=EXACT)
    assert found.r_changes == pytest.approx(1.0, abs=EXACT)
    assert (found.turns, found.turns_hit, found.turns_predicted) == (3, 3, 3)  # down to 1, up to 3, down to 2, up


def test_errors_are_those_of_a_worked_example() -> None:
    found = scores(np.array([10.0, 20.0]), np.array([11.0, 18.0]), 10.0)
    assert found.mape == pytest.approx((0.1 + 0.1) / 2, rel=EXACT)
    assert found.rmse == pytest.approx(math.sqrt((1 + 4) / 2), rel=EXACT)
    assert found.bias == pytest.approx(-0.5 / 15, rel=EXACT)
    assert found.rmse_changes == pytest.approx(math.sqrt((1 + 9) / 2), rel=EXACT)


def test_a_constant_series_has_no_correlation() -> None:
    assert math.isnan(correlation(np.ones(5), np.arange(5.0)))
    assert math.isnan(correlation(np.arange(2.0), np.arange(2.0)))
    flat = scores(np.arange(1.0, 5.0), np.full(4, 2.0), 1.0)
    assert math.isnan(flat.r)
    assert flat.direction == 0.0  # it rises once, when the series does not, and then stands


def test_a_turn_missed_by_one_year_still_counts_and_by_two_does_not() -> None:
    peak_at_2 = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 0.5])
    peak_at_3 = np.array([1.0, 2.0, 3.0, 4.0, 1.0, 0.5])
    peak_at_4 = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.5])
    assert turning_points(peak_at_2, 0.5) == [2]
    assert scores(peak_at_2, peak_at_3, 0.5).turns_hit == 1
    assert scores(peak_at_2, peak_at_4, 0.5).turns_hit == 0
    assert scores(peak_at_2, peak_at_4, 0.5).turn_score == 0.0
    assert scores(peak_at_2, peak_at_3, 0.5).turn_score == 1.0


def test_predicting_turns_that_never_come_lowers_the_turn_score() -> None:
    one_peak, restless = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 4.0]), np.array([2.0, 1.0, 2.0, 1.0, 2.0, 1.0])
    found = scores(one_peak, restless, 0.5)
    assert (found.turns, found.turns_hit, found.turns_predicted, found.turns_right) == (1, 1, 5, 2)
    assert found.turn_score == pytest.approx(2 * 1.0 * 0.4 / 1.4)


def test_the_first_change_is_from_the_anchor() -> None:
    assert changes(np.array([3.0, 5.0]), 1.0).tolist() == [2.0, 2.0]


def test_skill_is_one_for_perfect_zero_for_equal_and_negative_for_worse() -> None:
    assert skill(0.0, 2.0) == 1.0
    assert skill(2.0, 2.0) == 0.0
    assert skill(4.0, 2.0) == -1.0
    assert math.isnan(skill(1.0, 0.0))


def test_naive_forecasts_are_those_of_a_worked_example() -> None:
    years = range(2005, 2008)
    assert last_value(7.0, years).tolist() == [7.0, 7.0, 7.0]
    assert linear_trend({2000: 1.0, 2001: 2.0, 2002: 3.0}, years) == pytest.approx([6.0, 7.0, 8.0], rel=EXACT)
    assert constant_share(5.0, {2005: 100.0, 2006: 120.0, 2007: 80.0}, 100.0, years) == pytest.approx([5.0, 6.0, 4.0])


def test_a_falling_trend_stops_at_zero_and_one_year_is_no_trend() -> None:
    assert linear_trend({2000: 2.0, 2001: 1.0}, range(2002, 2005)).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="a trend needs two years"):
        linear_trend({2000: 1.0}, range(2001, 2002))
