"""Scores of the backtest with fixed parameters against stored ones; `regenerate_backtest.py` renews them."""

import copy
import importlib
from pathlib import Path
from types import ModuleType

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GOLDEN))
    return importlib.import_module("regenerate_backtest")


@pytest.mark.slow
def test_scores_of_fixed_parameters_are_the_stored_ones(golden: ModuleType) -> None:
    assert not golden.differing(golden.figures(), golden.stored())


def test_the_golden_check_can_fail(golden: ModuleType) -> None:
    changed = copy.deepcopy(golden.stored())
    changed["rows"]["trade MET extra-EU"]["mape"] *= 1.001
    assert len(golden.differing(changed, golden.stored())) == 1
