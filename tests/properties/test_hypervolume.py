"""Hypervolume: equal to independent ways of measuring the area, and what holds for any points."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.kpi.negotiation import contributions, hypervolume, pareto_front

TIGHT = 1e-9
SIDE = 12  # cells a side of the grid
DRAWS = 20_000  # points of the Monte Carlo area
FIVE_SIGMA = 5 * 0.5 / np.sqrt(DRAWS)  # a share of the draws errs by more in fewer than one of a million

inside = st.floats(0.0, 1.0)
anywhere = st.floats(-0.5, 1.5)
on_grid = st.integers(-2, SIDE + 2).map(lambda cell: cell / SIDE)


def points_of(element: st.SearchStrategy[float], largest: int = 8) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, largest).flatmap(lambda n: arrays(float, (n, 2), elements=element))


@given(points_of(on_grid))
def test_on_a_grid_it_is_the_count_of_dominated_cells(points: np.ndarray) -> None:
    middles = (np.arange(SIDE) + 0.5) / SIDE
    x, y = np.meshgrid(middles, middles)
    covered = np.zeros_like(x, dtype=bool)
    for first, second in points:
        covered |= (x < first) & (y < second)
    assert abs(hypervolume(points) - covered.mean()) < TIGHT


@given(points_of(anywhere, largest=6))
def test_it_is_the_inclusion_exclusion_of_the_boxes(points: np.ndarray) -> None:
    boxes = np.clip(points, 0.0, 1.0)
    area = sum(
        (-1) ** (size + 1) * float(np.prod(boxes[list(chosen)].min(0)))
        for size in range(1, len(boxes) + 1)
        for chosen in combinations(range(len(boxes)), size)
    )
    assert abs(hypervolume(points) - area) < TIGHT


@settings(max_examples=30)
@given(points_of(anywhere), st.integers(0, 2**32 - 1))
def test_it_is_the_share_of_random_points_that_are_dominated(points: np.ndarray, seed: int) -> None:
    drawn = np.random.default_rng(seed).random((DRAWS, 2))
    hit = (drawn[:, None] <= points[None]).all(-1).any(-1)
    assert abs(hypervolume(points) - hit.mean()) < FIVE_SIGMA


@given(points_of(anywhere), st.randoms(use_true_random=False))
def test_the_order_of_the_points_and_of_the_indices_does_not_matter(points: np.ndarray, random) -> None:
    order = list(range(len(points)))
    random.shuffle(order)
    assert hypervolume(points[order]) == hypervolume(points)
    assert abs(hypervolume(points[:, ::-1]) - hypervolume(points)) < TIGHT


@given(points_of(anywhere), anywhere, anywhere)
def test_another_point_never_takes_area_away(points: np.ndarray, first: float, second: float) -> None:
    more = np.vstack([points, [[first, second]]])
    box = np.prod(np.clip([first, second], 0.0, 1.0))
    assert hypervolume(points) - TIGHT <= hypervolume(more) <= min(1.0, hypervolume(points) + box) + TIGHT
    assert hypervolume(more) >= box - TIGHT


@given(points_of(inside))
def test_only_the_front_counts_and_twice_the_same_points_is_once(points: np.ndarray) -> None:
    whole = hypervolume(points)
    assert abs(hypervolume(points[pareto_front(points)]) - whole) < 1e-7  # nearly equal points count as twins
    assert abs(hypervolume(np.vstack([points, points])) - whole) < TIGHT


@given(points_of(anywhere))
def test_contributions_are_no_more_than_the_whole_and_zero_off_the_front(points: np.ndarray) -> None:
    found = contributions(points)
    assert (found >= 0).all()
    assert found.sum() <= hypervolume(points) + TIGHT
    assert (found[~pareto_front(points)] < 1e-7).all()
