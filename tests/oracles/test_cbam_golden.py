"""Small runs of every scenario against their stored figures; `tests/golden/regenerate.py` shows what changed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
TIGHT = 1e-9  # relative: other processors round otherwise
NOTHING = 1e-9  # Mt CO2 or million USD that count as zero


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", GOLDEN / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script()


def wrong(script: ModuleType, found: dict[str, Any], name: str) -> list[str]:
    return sorted(script.differences(found, script.stored(name), relative=TIGHT, absolute=NOTHING))


def test_every_scenario_has_stored_figures(script: ModuleType) -> None:
    assert [name for name in script.cases() if not script.stored(name)] == []


@pytest.mark.parametrize("name", load_script().cases())
def test_a_small_run_gives_the_stored_figures(script: ModuleType, name: str) -> None:
    assert wrong(script, script.figures(name), name) == []


@pytest.mark.parametrize(
    "setting",
    [
        "market.sigma_scale=1.001",
        "firms.growth_response=0.3003",
        "policy.incidence=0.201",
        "firms.intensity_spread=0.3001",
    ],
)
def test_the_golden_check_can_fail(script: ModuleType, setting: str) -> None:
    assert "leakage_rate: " in " ".join(wrong(script, script.figures("law", [setting]), "law"))


def test_the_golden_check_sees_a_figure_that_is_gone_or_null(script: ModuleType) -> None:
    figures = script.stored("law")
    assert wrong(script, {**figures, "leakage_rate": None}, "law") != []
    assert wrong(script, {key: value for key, value in figures.items() if key != "channels"}, "law") != []
    assert wrong(script, figures, "law") == []


@pytest.mark.slow
def test_the_script_writes_only_when_told(tmp_path: Path) -> None:
    copied = tmp_path / "regenerate.py"
    copied.write_text((GOLDEN / "regenerate.py").read_text(encoding="utf-8"), encoding="utf-8")
    for file in GOLDEN.glob("run_*.json"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    changed = json.loads((tmp_path / "run_law.json").read_text(encoding="utf-8"))
    changed["figures"]["leakage_rate"] = 0.5
    (tmp_path / "run_law.json").write_text(json.dumps(changed), encoding="utf-8")
    shown = subprocess.run([sys.executable, copied], capture_output=True, text=True, check=True, timeout=240).stdout
    assert "  leakage_rate: 0.5 -> " in shown
    assert "nothing was stored" in shown
    assert json.loads((tmp_path / "run_law.json").read_text(encoding="utf-8")) == changed
    subprocess.run([sys.executable, copied, "--write"], check=True, capture_output=True, timeout=240)
    again = json.loads((tmp_path / "run_law.json").read_text(encoding="utf-8"))
    assert again["figures"]["leakage_rate"] != 0.5
