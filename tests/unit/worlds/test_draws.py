import math
from collections.abc import Callable

import numpy as np
import pytest

from carbonray.worlds import draws

ERROR_RATE = 1e-6  # chance that a correct generator fails one of the statistical tests below
N_DRAWS = 100_000
AGENTS = np.arange(-1, N_DRAWS - 1)


def test_raw_numbers_are_those_of_philox_computed_without_numpy() -> None:
    """From a Python version of the round function of Salmon et al. 2011, blocks 1 and 2 of this key."""
    golden = [
        0x6E842115D7CEF27A,
        0xFB7777F5671A5276,
        0x6A6686DBC0468CEF,
        0x07B25D070FA62AB8,
        0x7CC40C5F9493F41C,
        0xBDDCA8B8577CEE71,
        0x360A054A3A0FF212,
        0xFC9661EA06F468F9,
    ]
    assert draws.raw(2026, 3, 7, 11, np.arange(-1, 7)).tolist() == golden


def test_numpy_philox_gives_the_known_answer_of_random123() -> None:
    everything = np.full(4, 2**64 - 1, dtype=np.uint64)  # one before block zero
    first = np.random.Philox(key=np.zeros(2, dtype=np.uint64), counter=everything).random_raw(4)
    assert first.tolist() == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_any_subset_in_any_order_draws_the_same_numbers(draw: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    whole = draw(5, 2, 3, 4, AGENTS)
    for n_chosen in (1, 2, 3, 5, 100, 5_000):
        chosen = rng.choice(AGENTS, n_chosen, replace=False)
        np.testing.assert_array_equal(draw(5, 2, 3, 4, chosen), whole[chosen + 1])


@pytest.mark.parametrize("changed", range(4))
def test_every_part_of_the_key_changes_every_number(changed: int) -> None:
    key = [5, 2, 3, 4]
    before = draws.raw(*key, AGENTS)
    key[changed] += 1
    assert not np.isin(draws.raw(*key, AGENTS), before).any()


def test_numbers_do_not_repeat_among_agents() -> None:
    assert len(np.unique(draws.raw(5, 2, 3, 4, AGENTS))) == N_DRAWS


def test_uniform_numbers_have_mean_one_half_and_variance_one_twelfth() -> None:
    """Hoeffding: a mean of n numbers in a range w is off by more than w sqrt(ln(2/d) / 2n) with chance below d."""
    numbers = draws.uniform(5, 2, 3, 4, AGENTS)
    bound = math.sqrt(math.log(2 / ERROR_RATE) / (2 * N_DRAWS))
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    assert abs(numbers.mean() - 1 / 2) < bound
    assert abs(((numbers - 0.5) ** 2).mean() - 1 / 12) < 0.25 * bound
    assert abs((numbers**1.1).mean() - 1 / 2) > bound  # power: a slight bend of the distribution is seen


def test_normal_numbers_have_mean_zero_and_variance_one() -> None:
    """Gaussian tail for the mean; Laurent and Massart 2000, lemma 1, for the sum of squares."""
    numbers = draws.normal(5, 2, 3, 4, AGENTS)
    tail = math.log(2 / ERROR_RATE)
    spread = 2 * math.sqrt(tail / N_DRAWS) + 2 * tail / N_DRAWS
    assert abs(numbers.mean()) < math.sqrt(2 * tail / N_DRAWS)
    assert abs((numbers**2).mean() - 1.0) < spread
    assert abs(((1.05 * numbers) ** 2).mean() - 1.0) > spread  # power: 5 % more spread is seen


def test_normal_numbers_invert_the_uniform_ones() -> None:
    stats = pytest.importorskip("scipy.special")
    middle = draws.uniform(5, 2, 3, 4, AGENTS) + 2.0**-54
    np.testing.assert_allclose(stats.ndtr(draws.normal(5, 2, 3, 4, AGENTS)), middle, rtol=0, atol=1e-14)


def test_no_agents_draw_no_numbers() -> None:
    assert draws.normal(5, 2, 3, 4, np.empty(0, dtype=np.int64)).shape == (0,)


def test_an_id_below_the_commons_is_refused() -> None:
    with pytest.raises(ValueError, match="at least -1"):
        draws.uniform(5, 2, 3, 4, np.array([-2, 3]))
