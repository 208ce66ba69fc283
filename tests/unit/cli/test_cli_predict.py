"""`carbonray predict` and `carbonray predictor` as a user types them."""

import json
from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_the_law_in_words(carbonray: Run) -> None:
    code, out, _ = carbonray("predict", "law")
    assert code == 0
    assert out.startswith(
        "law: predicted, with the 90 % interval of what the simulation of firms that follow rules would say"
    )
    for words in (
        "leakage, all goods, 10 years",
        "2035",
        "where emissions rise and fall most",
        "nearest simulated runs",
    ):
        assert words in out


def test_all_of_it_as_json(carbonray: Run) -> None:
    code, out, _ = carbonray("predict", "law", "--json", "--level", "0.5", "--set", "policy.cbam=false")
    told = json.loads(out)
    assert (code, told["level"], told["reliable"]) == (0, 0.5, True)


def test_who_leaks_most(carbonray: Run) -> None:
    code, out, _ = carbonray("predict", "law", "--risk", "plants", "--top", "3", "--year", "2034")
    assert code == 0
    assert "Yara Sluiskil" in out
    code, out, _ = carbonray("predict", "law", "--risk", "cells", "--json")
    assert {row["sector"] for row in json.loads(out)} >= {"STL", "CEM", "ELE"}


def test_the_card(carbonray: Run) -> None:
    code, out, _ = carbonray("predictor", "show")
    assert code == 0
    assert "it is as good as the simulation, no better" in out
    assert "build it again: carbonray predictor build --size full" in out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("predict", "lew"), "lew: unknown scenario"),
        (("predict", "law", "--risk", "all"), "--risk all: choose cells or plants"),
        (("predict", "law", "--level", "0.7"), "level: 0.7 was not calibrated"),
        (("predict", "law", "--predictor", "nowhere"), "nowhere: is no folder of a predictor"),
        (("predict", "law", "--set", "economy=world-2011"), "economy: this predictor was built for goods-2026"),
        (("predictor", "build", "--size", "huge"), "--size huge: choose trial or small or full"),
        (("predictor", "show", "--predictor", "nowhere"), "nowhere: is no folder of a predictor"),
    ],
)
def test_what_is_refused_is_one_line(carbonray: Run, typed: tuple[str, ...], said: str) -> None:
    code, out, error = carbonray(*typed)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1
    assert out == ""


def test_a_ranking_of_what_was_never_simulated_says_so(carbonray: Run) -> None:
    code, out, error = carbonray("predict", "law", "--set", "policy.price.2035=900", "--risk", "cells", "--top", "1")
    assert code == 0
    assert "NOT SIMULATED LIKE THIS" in error
    assert out.startswith("   1  ")
