"""A predictor made by hand: what it tells of cases, and what it cannot."""

import json
from pathlib import Path

import numpy as np
import predictors
import pytest

from carbonray.predict import judge
from carbonray.predict.card_text import card_lines
from carbonray.predict.inputs import Case
from carbonray.predict.model import TOGETHER
from carbonray.predict.prediction import predict_leakage
from carbonray.predict.predictor import Predictor


def test_what_is_unknown_is_null_in_json(built: Path) -> None:
    found = predict_leakage("law", built=built, settings=["policy.price.2035=500"])
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["years"][0]["leakage_rate_low"] is None
    assert told["years"][0]["leakage_rate"] == pytest.approx(found.years["leakage_rate"][0])
    assert found.years.dtypes.drop("year").eq(float).all()


def test_intervals_of_single_cases_hold_as_often_as_the_card_says(asked: Predictor) -> None:
    table = judge.judged(asked.model, predictors.cases(predictors.model(), 3))
    for name in ("leakage_rate_10_years", "leakage_rate_10_years_cbam_goods"):
        held = table[f"{name}_simulated"].between(table[f"{name}_low"], table[f"{name}_high"])
        assert held.mean() == pytest.approx(asked.saved.card.measured["coverage"][name]["0.9"])
    np.testing.assert_array_equal(table["economy"], np.arange(predictors.CASES))


def test_many_cases_are_answered_as_each_alone(asked: Predictor) -> None:
    cases = [Case(row=row) for row in predictors.rows(TOGETHER + 2, 4)]
    whole = asked.answer(["many"] * len(cases), cases)
    for place in (0, TOGETHER - 1, TOGETHER, TOGETHER + 1):
        alone = asked.answer(["one"], [cases[place]])
        for name in whole.mean:
            for ours, theirs in zip(whole.one(name, place), alone.one(name), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=name)


def test_of_many_cases_only_the_flagged_have_no_interval(asked: Predictor) -> None:
    rows = predictors.rows(3, 4)
    rows[1, asked.names.index("price.2035")] = 500.0
    answers = asked.answer(["a", "b", "c"], [Case(row=row) for row in rows])
    assert [each.any for each in answers.flags] == [False, True, False]
    for name, low in answers.low.items():
        assert np.isnan(low[1]).all()
        if not name.startswith("leakage_rate"):
            assert np.isfinite(low[[0, 2]]).all(), name


def test_a_card_has_lines_where_a_figure_is_unknown(asked: Predictor) -> None:
    card = asked.saved.card
    assert card.measured["accuracy"]["leakage_rate"]["mae_below_a_point"] is None  # all rates are larger
    line = next(line for line in card_lines(card) if line.startswith("leakage by year, all goods"))
    assert line.split()[5:7] == [f"{card.measured['accuracy']['leakage_rate']['mape']:.1%}", "-"]
