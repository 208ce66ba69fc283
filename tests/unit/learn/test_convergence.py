"""The distance between iterations is judged by exact optimal transport, by known shifts and by its own error."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import ot  # type: ignore[import-untyped]
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from carbonray.learn.convergence import CriticParams, Distance, Stopping, state_actions

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

NEAR = 0.15  # share of the distance
LOOSE = 0.2
SURE = 4.0  # standard errors: one seed in 16,000 would be outside
DEFAULT = CriticParams()
SAMPLES = DEFAULT.samples
ERROR = 2 / math.sqrt(SAMPLES)  # of a distance between equal distributions
EXACT_SAMPLES = 800  # exact transport takes time and memory of their square and more

Draw = Callable[[torch.Generator], Tensor]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def normal(width: int, *, shift: float = 0.0, scale: float = 1.0, rows: int = SAMPLES) -> Draw:
    """Independent normals, their mean `shift` from zero along the diagonal."""
    return lambda rng: scale * torch.randn(rows, width, generator=rng) + shift / math.sqrt(width)


def two_hills(axis: int) -> Draw:
    """Narrow normals at 2 and -2 on one of two axes."""

    def draw(rng: torch.Generator) -> Tensor:
        samples = 0.3 * torch.randn(SAMPLES, 2, generator=rng)
        samples[:, axis] += torch.randint(2, (SAMPLES,), generator=rng) * 4.0 - 2.0
        return samples

    return draw


def chosen(probability: float) -> Draw:
    """The first of two levels with a probability."""
    return lambda rng: one_hot((torch.rand(SAMPLES, generator=rng) >= probability).long(), 2).float()


def agreeing(sign: int) -> Draw:
    """Level 1 where two observations have the same sign, or where they have not: each column by itself is as before."""

    def draw(rng: torch.Generator) -> Tensor:
        seen = torch.randn(SAMPLES, 2, generator=rng)
        return torch.cat([seen, one_hot((seen.prod(1) * sign > 0).long(), 2)], dim=1)

    return draw


def distances(*draws: Draw, params: CriticParams = DEFAULT, seed: int = 0) -> list[float]:
    """After each iteration but the first."""
    rng = torch.Generator().manual_seed(seed)
    first = draws[0](rng)
    distance = Distance(first.shape[1], params, seed)
    assert distance.update(first) is None
    return [float(distance.update(draw(rng)) or 0.0) for draw in draws[1:]]


def exact(new: Draw, old: Draw, samples: int = EXACT_SAMPLES, seed: int = 0) -> float:
    """Wasserstein-1 distance of samples: of all where they lie on a line, else of some."""
    rng = torch.Generator().manual_seed(seed)
    before, after = old(rng).double().numpy(), new(rng).double().numpy()
    if before.shape[1] == 1:
        return float(ot.wasserstein_1d(before[:, 0], after[:, 0], p=1))
    cost = ot.dist(after[:samples], before[:samples], metric="euclidean")
    return float(ot.emd2([], [], cost, numItermax=1_000_000))


APART = {
    "small shift": (normal(1), normal(1, shift=0.25)),
    "shift on a line": (normal(1), normal(1, shift=1)),
    "shift in a plane": (normal(2), normal(2, shift=1)),
    "far shift": (normal(2), normal(2, shift=4)),
    "scale on a line": (normal(1), normal(1, scale=2)),
    "scale in a plane": (normal(2), normal(2, scale=2)),
    "mixture": (two_hills(0), two_hills(1)),
    "choice": (chosen(0.1), chosen(0.9)),
    "joint change": (agreeing(1), agreeing(-1)),
}


@pytest.mark.parametrize("case", APART)
def test_the_first_estimate_is_near_exact_transport_of_the_same_samples(case: str) -> None:
    old, new = APART[case]
    assert distances(old, new) == [pytest.approx(exact(new, old), rel=NEAR)]


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, 4.0])
def test_in_thirty_dimensions_a_shift_is_read_as_it_is(shift: float) -> None:
    _, *read = distances(*(normal(30, shift=shift * k) for k in range(4)))  # at first the critic is quite untrained
    assert sum(read) / 2 == pytest.approx(shift, rel=LOOSE)


def test_a_larger_shift_is_read_as_larger() -> None:
    read = [distances(normal(10), normal(10, shift=shift))[0] for shift in (0, 0.25, 0.5, 0.75, 1, 2, 4)]
    assert all(more > less + ERROR for less, more in pairwise(read))


def test_equal_distributions_are_apart_by_chance_alone_where_exact_transport_of_samples_is_far_above_zero() -> None:
    read = distances(*[normal(30)] * 9)
    assert max(map(abs, read)) < SURE * ERROR
    assert exact(normal(30), normal(30)) > 4


def test_what_a_critic_learns_by_heart_does_not_count() -> None:
    few, params = 64, CriticParams(steps=200)
    rng = torch.Generator().manual_seed(3)
    distance = Distance(30, params)
    read = [distance.update(normal(30, rows=few)(rng)) for _ in range(9)]
    assert abs(sum(each for each in read if each is not None)) / 8 < SURE * 2 / math.sqrt(8 * few)


def test_agents_that_go_to_and_fro_are_never_read_as_calm() -> None:
    there, back = normal(30, shift=1), normal(30)
    read = distances(*[there, back] * 5, params=CriticParams(steps=10))
    assert min(read[4:]) > 1 - LOOSE  # turned round by ten steps alone, the critic would still point the other way


def test_a_change_of_scale_after_a_drift_is_seen_unless_slopes_below_one_are_penalised() -> None:
    drift = [normal(1, shift=k) for k in range(4)]
    spread: list[Draw] = [lambda rng: 3 + 2 * normal(1)(rng), drift[3]]
    truth = exact(normal(1, scale=2), normal(1))
    assert min(distances(*drift, *spread)[3:]) > (1 - LOOSE) * truth
    assert max(distances(*drift, *spread, params=CriticParams(one_sided=False))[3:]) < truth / 2


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_drawn() -> None:
    draws = [normal(5, shift=k) for k in range(3)]
    before = torch.get_rng_state()
    once = distances(*draws)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert distances(*draws) == once
    assert distances(*draws, seed=1) != once


def test_a_loaded_state_goes_on_as_if_nothing_had_been() -> None:
    rng = torch.Generator().manual_seed(0)
    samples = [normal(5, shift=k / 2)(rng) for k in range(5)]
    through, stopped, resumed = Distance(5), Distance(5), Distance(5, seed=9)
    whole = [through.update(each) for each in samples]
    for each in samples[:3]:
        stopped.update(each)
    kept = stopped.state()
    stopped.update(samples[0])  # what was kept does not move with what it was taken of
    resumed.load(kept)
    assert [resumed.update(each) for each in samples[3:]] == whole[3:]


def test_a_state_of_another_size_is_refused() -> None:
    for other in (Distance(6), Distance(5, CriticParams(hidden=8))):
        with pytest.raises(ValueError, match=r"critic is \[\d+, \d\] \[hidden, width\], but this one \[64, 5\]$"):
            Distance(5).load(other.state())


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.tensor([[1.0, math.nan], [0.0, math.inf]]), "samples hold 2 values that are no finite numbers, of 4"),
        (torch.zeros(4, 3), "samples are [4, 3], but must be [at least 2, 2]"),
        (torch.zeros(1, 2), "samples are [1, 2], but must be [at least 2, 2]"),
        (torch.zeros(2), "samples are [2], but must be [at least 2, 2]"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_leaves_no_trace(samples: Tensor, message: str) -> None:
    draws = [normal(2)(torch.Generator().manual_seed(seed)) for seed in range(2)]
    asked, other = Distance(2), Distance(2)
    asked.update(draws[0])
    other.update(draws[0])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        asked.update(samples)
    assert asked.update(draws[1]) == other.update(draws[1])


@pytest.mark.parametrize("name", ["hidden", "learning_rate", "penalty", "steps", "batch", "samples"])
def test_a_critic_that_could_only_measure_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^the critic's {name} must be positive"):
        CriticParams(**{name: 0})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^the critic.s samples must be at least 2, .* \(got 1\)$"):
        CriticParams(samples=1)


def stops(values: list[float | None], patience: int = 3) -> list[bool]:
    stopping = Stopping(tolerance=0.1, patience=patience)
    return [stopping.update(value) for value in values]


def test_training_stops_only_after_patience_in_a_row() -> None:
    assert stops([0.05, -0.02, 0.2, 0.05, 0.05, 0.05, 0.05]) == [False] * 5 + [True] * 2
    assert stops([0.05, 0.05, 0.1, 0.05]) == [False] * 4  # at the tolerance is not under it
    assert stops([0.05, 0.05, -0.3, 0.05]) == [False] * 4  # far below zero the critic is lost, and nothing is known
    assert stops([None, 0.05], patience=1) == [False, True]
    assert stops([0.05, 0.05, math.nan, 0.05]) == [False] * 4


def test_a_rule_to_stop_goes_on_from_its_count() -> None:
    assert Stopping(tolerance=0.1, patience=3, calm=2).update(0.05)
    assert not Stopping(tolerance=0.1, patience=3, calm=1).update(0.05)


@pytest.mark.parametrize(("tolerance", "patience"), [(0.0, 3), (math.nan, 3), (0.1, 0)])
def test_a_rule_that_could_never_or_would_always_hold_is_refused(tolerance: float, patience: int) -> None:
    with pytest.raises(ValueError, match=r"^tolerance must be positive and patience at least 1 \(got "):
        Stopping(tolerance=tolerance, patience=patience)


HEADS = (3, 2)


def numbered(*shape: int) -> tuple[Tensor, Tensor]:
    """Observations that say their own place, and levels that follow from it."""
    place = torch.arange(math.prod(shape)).reshape(shape)
    return torch.stack([place, -place], dim=-1), torch.stack([place % 3, place % 2], dim=-1)


def test_rows_are_drawn_without_replacement_from_everywhere_with_their_own_levels() -> None:
    rows = state_actions(*numbered(5, 2, 70), HEADS, 100, torch.Generator().manual_seed(0))
    place = rows[:, 0].long()
    assert rows.dtype == torch.float32
    assert len(set(place.tolist())) == 100
    assert (torch.bincount(place // 70, minlength=10) - 10).abs().max() <= 1
    expected = torch.cat([torch.stack([place, -place], 1), one_hot(place % 3, 3), one_hot(place % 2, 2)], dim=1)
    assert torch.equal(rows, expected.float())


def test_every_row_is_as_likely_as_any_other() -> None:
    rng, draws = torch.Generator().manual_seed(0), 2000
    drawn = torch.cat([state_actions(*numbered(12), HEADS, 3, rng)[:, 0] for _ in range(draws)])
    share = torch.bincount(drawn.long(), minlength=12) / draws
    assert (share - 1 / 4).abs().max() < SURE * math.sqrt(1 / 4 * 3 / 4 / draws)


def test_where_there_are_too_few_rows_each_is_taken() -> None:
    rows = state_actions(*numbered(2, 3), HEADS, 100, torch.Generator())
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
