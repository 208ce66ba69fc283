"""What is said follows from the numbers: every sentence turns with the figures it is about."""

from typing import Any

import numpy as np
import pytest

from carbonray.backtest.lines import Line
from carbonray.backtest.metrics import Array, scores
from carbonray.backtest.naive import NAIVES
from carbonray.backtest.verdict import cause, note, spans
from carbonray.report.backtest_words import association, home_cut, leak, p_of, verdict

YEARS = tuple(range(2005, 2011))
GENERAL = np.array([5.0, 6.0, 4.0, 7.0, 3.0, 5.0])


def summary(p: float, before: float, *, r: float = 0.6, rate: float | None = 0.008, small: bool = True) -> Any:
    return {
        "leakage": {
            "predicted_mt_a_year": 6.0,
            "rate": rate,
            "rate_low_end_of_studies": 0.05,
            "home_reduction_mt_a_year": 738.0,
            "noise_years": [1995, 2004],
            "detectable_mt_a_year": 66.0,
            "undetectable": small,
            "agrees_with_studies": small and rate is not None and rate < 0.05,
            "associated_mt_a_year": 65.0,
        },
        "placebo": {
            "r_observed": r,
            "p_value": p,
            "associated": p <= 0.05,
            "before_the_ets_window": [1997, 2004],
            "before_the_ets_p_value": before,
            "before_the_ets_associated": before <= 0.05,
        },
    }


def line(key: str, observed: Array, model: Array, *, anchors: tuple[int, ...] = (2004,), share: float = 5.0) -> Line:
    naive = {name: np.full(len(YEARS), share if name == "constant share" else 5.0) for name in NAIVES}
    return Line(
        key=key,
        group=key.split()[0],
        label=key,
        unit="Mt",
        years=YEARS,
        anchor=5.0,
        anchor_years=anchors,
        observed=observed,
        model=model,
        naive=naive,
        scores=scores(observed, model, 5.0),
        skill=dict.fromkeys(NAIVES, -1.0),
        skill_changes={},
        turn_score={},
    )


@pytest.mark.parametrize(
    ("p", "before", "said"),
    [
        (0.04, 0.03, "so do imports of 1997–2004"),
        (0.04, 0.07, "this test does not rule out a leak"),
        (0.4, 0.5, "show none either"),
        (0.4, 0.01, "cries wolf"),
    ],
)
def test_the_association_is_told_by_the_p_values(p: float, before: float, said: str) -> None:
    words = association(summary(p, before))
    assert said in words
    assert ("more than by chance" in words) == (p <= 0.05)
    assert p_of(p) in words
    assert p_of(before) in words


def test_an_association_of_the_other_sign_is_not_called_a_leak() -> None:
    words = association(summary(0.01, 0.5, r=-0.6))
    assert "against the price" in words
    assert "if all of it were leakage" not in words
    assert "would have the other sign" in words


def test_p_values_near_a_bound_show_on_which_side_they_are() -> None:
    assert [p_of(value) for value in (0.039, 0.0504, 0.0005)] == ["p 0.04", "p 0.0504", "p 0.0005"]


def test_the_verdict_follows_its_two_halves() -> None:
    assert "agrees with" in verdict(summary(0.5, 0.5))
    assert "contradicts" in verdict(summary(0.5, 0.5, rate=0.2))
    assert "not under the 5" in verdict(summary(0.5, 0.5, rate=0.2))
    assert "large enough" in verdict(summary(0.5, 0.5, small=False))
    assert "undefined" in verdict(summary(0.5, 0.5, rate=None))


def test_the_prediction_leads_with_tonnes_and_owns_its_denominator() -> None:
    words = leak(summary(0.5, 0.5))
    assert words.startswith("6.0 Mt a year")
    assert "the model's own abatement curves" in words


def test_the_cut_at_home_is_placed_beside_the_studies() -> None:
    ends = [home_cut(share).rsplit(": ", 1)[1] for share in (0.01, 0.07, 0.18)]
    assert ends == ["less than they find", "within their range", "more than they find"]


def test_a_cause_names_the_side_on_which_the_forecast_is_off() -> None:
    for key in ("trade MET extra-EU", "embodied EU26", "ets cement", "production cement"):
        assert "too high" in cause(line(key, GENERAL, 1.5 * GENERAL))
        assert "too low" in cause(line(key, GENERAL, 0.5 * GENERAL))
        assert "on average" not in cause(line(key, GENERAL, GENERAL[::-1]))


def test_home_makers_lose_more_or_less_in_the_model_as_the_numbers_say() -> None:
    assert "takes less away" in cause(line("trade MET EU-made", GENERAL, 1.5 * GENERAL))
    assert "takes more away" in cause(line("trade MET EU-made", GENERAL, 0.5 * GENERAL))


def test_a_fall_of_embodied_imports_is_named_only_where_there_was_one() -> None:
    falling, rising = np.linspace(5.0, 3.0, 6), np.linspace(5.0, 8.0, 6)
    assert "end under the level" in cause(line("embodied EU26", falling, rising))
    assert "end under the level" not in cause(line("embodied EU26", rising, falling))


def test_a_sector_is_said_to_fall_faster_only_where_it_did() -> None:
    assert "fell faster" in cause(line("ets cement", GENERAL, 1.5 * GENERAL, share=6.0))
    assert "fell faster" not in cause(line("ets cement", GENERAL, 1.5 * GENERAL, share=4.0))


def test_a_late_anchor_is_noted_on_any_row_and_an_early_one_on_none() -> None:
    words = note(line("ets cement", GENERAL, GENERAL, anchors=(2005, 2006, 2007)))
    assert "starts from 2005-2007, within the years foretold" in words
    assert "naive trend is that of the region's CO2" in words
    assert note(line("embodied EU26", GENERAL, GENERAL)) == ""


def test_years_are_told_as_ranges() -> None:
    assert spans((2005, 2006, 2007, 2013)) == "2005-2007 and 2013"
    assert spans((2013,)) == "2013"
