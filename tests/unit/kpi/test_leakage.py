"""Leakage, channels and intervals by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from carbonray.kpi.leakage import SMALLEST_REDUCTION, channels, interval, leakage

TIGHT = 1e-12
HOME = np.array([True, True, False, False])


class TestRate:
    def test_leakage_by_hand(self) -> None:
        found = leakage(np.array([90.0, 48.0, 33.0, 20.0]), np.array([100.0, 50.0, 30.0, 20.0]), HOME)
        assert found.home_reduction == pytest.approx(12.0)
        assert found.foreign_increase == pytest.approx(3.0)
        assert found.rate == pytest.approx(0.25)

    def test_leakage_of_counted_cells_by_hand(self) -> None:
        counted = np.array([True, False, True, False])
        found = leakage(np.array([90.0, 0.0, 32.0, 99.0]), np.array([100.0, 50.0, 30.0, 20.0]), HOME, counted)
        assert found.rate == pytest.approx(0.2)

    def test_leakage_is_negative_where_foreign_emissions_fall_too(self) -> None:
        assert leakage(np.array([90.0, 50.0, 25.0, 20.0]), np.array([100.0, 50.0, 30.0, 20.0]), HOME).rate == -0.5

    @pytest.mark.parametrize("home_now", [100.0, 101.0, 100.0 - SMALLEST_REDUCTION / 2])
    def test_leakage_is_undefined_when_home_emissions_do_not_fall(self, home_now: float) -> None:
        found = leakage(np.array([home_now, 50.0, 33.0, 20.0]), np.array([100.0, 50.0, 30.0, 20.0]), HOME)
        assert np.isnan(found.rate)
        assert found.foreign_increase == pytest.approx(3.0)

    def test_each_replica_and_quarter_has_its_own_rate(self) -> None:
        reference = np.full((3, 2, 4), 10.0)
        policy = reference.copy()
        policy[0, 0] = [8.0, 10.0, 11.0, 10.0]
        policy[1, 1] = [10.0, 6.0, 10.0, 11.0]
        rate = leakage(policy, reference, HOME).rate
        assert rate[0, 0] == pytest.approx(0.5)
        assert rate[1, 1] == pytest.approx(0.25)
        assert np.isnan(rate).sum() == 4


def random_run(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    volume = rng.uniform(0, 10, (6, 9)) * (rng.uniform(size=(6, 9)) < 0.8)
    return volume, rng.uniform(0, 2, 6)


class TestChannels:
    @given(seed=st.integers(0, 10_000))
    @settings(deadline=None)
    def test_channels_sum_exactly_to_the_foreign_increase(self, seed: int) -> None:
        (policy, e_policy), (reference, e_reference) = random_run(seed), random_run(seed + 1)
        home = np.array([True, True, False, False, False, False])
        parts = channels(policy, reference, e_policy, e_reference, home, n_sectors=2)
        rise = (policy.sum(1) * e_policy - reference.sum(1) * e_reference)[~home].sum()
        assert parts.production + parts.sourcing + parts.intensity == pytest.approx(rise, abs=1e-9)

    def test_each_cause_shows_in_its_own_channel(self) -> None:
        volume, intensity = random_run(3)
        home = np.array([True, True, False, False, False, False])
        more = channels(volume * 1.1, volume, intensity, intensity, home, n_sectors=2)
        assert more.sourcing == pytest.approx(0, abs=1e-9)
        assert more.intensity == 0
        assert more.production == pytest.approx(0.1 * (volume.sum(1) * intensity)[~home].sum())
        dirtier = channels(volume, volume, intensity * 1.2, intensity, home, n_sectors=2)
        assert dirtier.production == dirtier.sourcing == 0
        assert dirtier.intensity == pytest.approx(0.2 * (volume.sum(1) * intensity)[~home].sum())
        moved = np.array([[4.0], [6.0]])
        before = np.array([[6.0], [4.0]])
        one_each = np.ones(2)
        shifted = channels(moved, before, one_each, one_each, np.array([True, False]), n_sectors=1)
        assert shifted.sourcing == pytest.approx(2.0)
        assert shifted.production == pytest.approx(0.0)


class TestInterval:
    @given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=20), confidence=st.sampled_from([0.8, 0.95]))
    @settings(deadline=None)
    def test_the_interval_is_students(self, values: list[float], confidence: float) -> None:
        found = interval(np.array(values), confidence)
        assert found is not None
        spread = stats.sem(values)
        if spread == 0:
            assert found == (pytest.approx(np.mean(values)), pytest.approx(np.mean(values)))
            return
        expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), spread)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def test_undefined_replicas_are_left_out(self) -> None:
        assert interval(np.array([1.0, np.nan, 3.0])) == interval(np.array([1.0, 3.0]))

    @pytest.mark.parametrize("values", [[], [1.0], [np.nan, 1.0]])
    def test_one_replica_has_no_interval(self, values: list[float]) -> None:
        assert interval(np.array(values)) is None
