"""Scores of any forecast: bounds, units, and one series pooled alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.backtest.evaluate import pool, scored
from carbonray.backtest.lines import Line
from carbonray.backtest.metrics import Array, scores
from carbonray.backtest.naive import NAIVES

VALUES = st.lists(st.floats(0.1, 1000.0), min_size=6, max_size=6)
TIGHT = 1e-9


def line(observed: Array, model: Array, anchor: float) -> Line:
    naive = {name: np.full(6, anchor * (1 + at / 10)) for at, name in enumerate(NAIVES)}
    return scored(
        Line(
            key="trade A",
            group="trade",
            label="a",
            unit="t",
            years=tuple(range(2005, 2011)),
            anchor=anchor,
            anchor_years=(2004,),
            observed=observed,
            model=model,
            naive=naive,
            scores=scores(observed, observed, anchor),
            skill={},
            skill_changes={},
            turn_score={},
        )
    )


@given(VALUES, VALUES, st.floats(0.1, 1000.0))
def test_scores_lie_within_their_bounds(observed: list[float], model: list[float], anchor: float) -> None:
    found = line(np.array(observed), np.array(model), anchor)
    assert found.scores.mape >= 0
    assert found.scores.rmse >= 0
    assert np.isnan(found.scores.r) or abs(found.scores.r) <= 1 + TIGHT
    assert 0 <= found.scores.direction <= 1
    assert 0 <= found.scores.turns_hit <= found.scores.turns <= 5
    assert np.isnan(found.scores.turn_score) or 0 <= found.scores.turn_score <= 1
    assert all(np.isnan(value) or value <= 1 for value in found.skill.values())


@given(VALUES, VALUES, st.floats(0.1, 1000.0), st.sampled_from([1e-3, 7.0, 1e6]))
def test_shares_and_skill_do_not_depend_on_the_unit(
    observed: list[float], model: list[float], anchor: float, unit: float
) -> None:
    found = line(np.array(observed), np.array(model), anchor)
    other = line(np.array(observed) * unit, np.array(model) * unit, anchor * unit)
    assert other.scores.mape == pytest.approx(found.scores.mape, rel=TIGHT)
    assert other.scores.rmse == pytest.approx(found.scores.rmse * unit, rel=TIGHT, abs=TIGHT)
    for name in NAIVES:
        assert other.skill[name] == pytest.approx(found.skill[name], rel=1e-6, abs=TIGHT, nan_ok=True)


@given(VALUES, VALUES, st.floats(0.1, 1000.0))
def test_a_pool_of_one_has_the_skill_of_its_series(observed: list[float], model: list[float], anchor: float) -> None:
    one = line(np.array(observed), np.array(model), anchor)
    pooled = pool("p", "p", [one])
    assert pooled.skill == pytest.approx(one.skill, nan_ok=True)
    assert pooled.scores.rmse == pytest.approx(one.scores.rmse, rel=TIGHT)
    assert pooled.scores.direction == one.scores.direction


@given(st.permutations(range(3)), VALUES, VALUES)
def test_a_pool_does_not_depend_on_the_order_of_its_series(
    order: list[int], observed: list[float], model: list[float]
) -> None:
    members = [line(np.array(observed) * (at + 1), np.array(model), 5.0 * (at + 1)) for at in range(3)]
    first, second = pool("p", "p", members), pool("p", "p", [members[at] for at in order])
    assert second.scores.mape == pytest.approx(first.scores.mape, rel=TIGHT)
    assert second.scores.rmse == pytest.approx(first.scores.rmse, rel=TIGHT)
    assert second.skill == pytest.approx(first.skill, rel=1e-6, abs=1e-6, nan_ok=True)
