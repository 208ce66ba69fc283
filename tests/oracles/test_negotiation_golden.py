"""Shipped climate negotiations against their stored figures; `regenerate_negotiation.py` shows what changed."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
RELATIVE = 1e-6  # other processors round otherwise, and the debt rule amplifies it
NOTHING = 1e-7


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, GOLDEN / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NEGOTIATION, MAIN = script("regenerate_negotiation"), script("regenerate")
STORED: dict[str, Any] = json.loads(NEGOTIATION.FILE.read_text(encoding="utf-8"))


def wrong(found: dict[str, Any], case: str) -> list[str]:
    return sorted(MAIN.differences(found, STORED[case], relative=RELATIVE, absolute=NOTHING))


def test_every_scenario_has_stored_figures() -> None:
    from carbonray.data.scenarios import names

    assert set(NEGOTIATION.SCENARIOS) == set(names("climate-negotiation"))
    assert len(STORED) == len(NEGOTIATION.SCENARIOS) * len(NEGOTIATION.BEHAVIOURS)


@pytest.mark.parametrize("scenario", NEGOTIATION.SCENARIOS)
@pytest.mark.parametrize("behaviour", NEGOTIATION.BEHAVIOURS)
def test_a_run_gives_the_stored_figures(scenario: str, behaviour: str) -> None:
    assert wrong(NEGOTIATION.figures(scenario, behaviour), f"{scenario}, {behaviour}") == []


@pytest.mark.parametrize(
    ("scenario", "setting", "moved"),
    [
        ("club", "negotiation.options.tariff=0.201", "consumption_tusd"),
        ("border-club", "negotiation.options.floor=0.401", "consumption_tusd"),
        ("bilateral", "behaviour.savings=0.3", "output_tusd"),
        ("none", "switches.interest=per-year", "welfare"),
    ],
)
def test_the_golden_check_can_fail(scenario: str, setting: str, moved: str) -> None:
    found = NEGOTIATION.figures(scenario, "as shipped", [setting])
    assert any(line.startswith(f"{moved}: ") for line in wrong(found, f"{scenario}, as shipped"))
