"""Intervals hold as often as they say, on fresh cases, whatever the model."""

import numpy as np
import pytest

from carbonray.predict.conformal import LEVELS, Calibration, calibrated, coverage, half_width


def cases(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, a poor prediction with misses that grow with x, and a spread that hardly knows."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3, count)
    truth = np.sin(x) + x * rng.standard_t(4, count) * 0.2
    return truth[:, None], (0.8 * x)[:, None], (0.1 + 0.05 * rng.uniform(size=count))[:, None]


def fitted(count: int = 800, seed: int = 0) -> Calibration:
    truth, mean, spread = cases(count, seed)
    return calibrated({"y": truth}, {"y": mean}, {"y": spread}, {"y": np.array([0.1])})


def half(calibration: Calibration, mean: np.ndarray, spread: np.ndarray, level: float) -> np.ndarray:
    return half_width(mean, spread, calibration.floor["y"], calibration.score["y"][LEVELS.index(level)])


@pytest.mark.parametrize("level", LEVELS)
def test_fresh_cases_lie_within(level: float) -> None:
    held = []
    for seed in range(20):
        calibration = fitted(seed=seed)
        truth, mean, spread = cases(2000, 1000 + seed)
        held.append(coverage(truth, mean, half(calibration, mean, spread, level))[0])
    assert np.mean(held) == pytest.approx(level, abs=0.012)


def test_intervals_of_misses_that_are_halved_hold_less() -> None:
    truth, mean, spread = cases(800, 0)
    flattered = calibrated({"y": (truth + mean) / 2}, {"y": mean}, {"y": spread}, {"y": np.array([0.1])})
    fresh, told, doubt = cases(2000, 1000)
    assert coverage(fresh, told, half(flattered, told, doubt, 0.9))[0] < 0.8


def test_too_few_cases_give_no_end() -> None:
    calibration = fitted(count=8)
    truth, mean, spread = cases(5, 3)
    assert np.isinf(half(calibration, mean, spread, 0.95)).all()
    assert np.isfinite(half(calibration, mean, spread, 0.5)).all()
    assert truth.shape == mean.shape


def test_cases_without_a_rate_do_not_count() -> None:
    truth, mean, spread = cases(800, 0)
    some = np.where(np.arange(800)[:, None] % 2 == 0, truth, np.nan)
    with_gaps = calibrated({"y": some}, {"y": mean}, {"y": spread}, {"y": np.array([0.1])})
    without = calibrated({"y": truth[::2]}, {"y": mean[::2]}, {"y": spread[::2]}, {"y": np.array([0.1])})
    np.testing.assert_array_equal(with_gaps.score["y"], without.score["y"])
