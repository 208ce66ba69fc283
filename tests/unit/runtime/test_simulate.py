"""One entry for every world: its scenario is read, foreign options are refused, its own runner is called."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carbonray.config import ScenarioError
from carbonray.config_worlds import WORLDS
from carbonray.data.load_world import BUILDERS
from carbonray.data.scenarios import load
from carbonray.report.pages import PAGES
from carbonray.runtime.bench import BENCHES
from carbonray.runtime.outputs import HASHES
from carbonray.runtime.simulate import COMMON, RUNNERS, load_target, simulate
from carbonray.runtime.simulate_cbam import equilibrium

FOREIGN = "27 regions from 2015 to 2115"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """Every world's runner is one that writes down its call."""
    found: list[tuple[Any, dict[str, Any]]] = []

    def write_down(scenario: Any, **arguments: Any) -> str:
        found.append((scenario, arguments))
        return "a result"

    for runner in RUNNERS.values():
        stub = ModuleType(runner.module)
        setattr(stub, runner.function, write_down)
        monkeypatch.setitem(sys.modules, runner.module, stub)
    return found


def test_every_world_has_a_runner_a_page_and_its_hashes() -> None:
    assert set(WORLDS) == set(RUNNERS) == set(PAGES) == set(HASHES) == set(BUILDERS) == set(BENCHES)


@pytest.mark.parametrize("world", WORLDS)
def test_options_set_keys_that_the_world_has(world: str) -> None:
    keys = WORLDS[world].scenario(name="mine").model_dump()
    for dotted in {**COMMON, **RUNNERS[world].keys}.values():
        place: Any = keys
        for part in dotted.split("."):
            place = place[part]


class TestDispatch:
    def test_the_runner_of_the_world_gets_scenario_and_arguments(self, calls: list[tuple[Any, Any]]) -> None:
        recorded = Path("recorded.npz")
        target = "climate-negotiation/club"
        assert simulate(target, replicas=3, seed=2, robust=False, actions=recorded) == "a result"
        ((scenario, arguments),) = calls
        assert scenario == load(target, replicas=3, seed=2)
        assert set(arguments) == {"device", "robust", "progress", "actions", "policy"}
        assert (arguments["device"], arguments["robust"], arguments["actions"]) == ("cpu", False, recorded)

    def test_the_main_world_is_the_default(self, calls: list[tuple[Any, Any]]) -> None:
        simulate(firms=2000, years=3, uncertainty=4, settings=["seed=5"])
        ((scenario, arguments),) = calls
        assert scenario == load("law", ["seed=5"], **{"firms.number": 2000, "years": 3})
        assert set(arguments) == {"device", "robust", "progress", "uncertainty", "policy"}
        assert arguments["uncertainty"] == 4

    def test_a_scenario_object_is_run_as_it_is(self, calls: list[tuple[Any, Any]]) -> None:
        scenario = load("climate-negotiation/none")
        simulate(scenario)
        assert calls[0][0] is scenario


class TestForeignOptions:
    @pytest.mark.parametrize("option", ["firms", "years", "uncertainty"])
    def test_those_of_the_main_world_are_refused_elsewhere(self, calls: list[tuple[Any, Any]], option: str) -> None:
        with pytest.raises(ScenarioError) as refused:
            simulate("climate-negotiation/none", **{option: 5})
        assert str(refused.value) == f"--{option}: cbam only; climate-negotiation has {FOREIGN}"
        assert calls == []

    def test_plants_are_refused_elsewhere(self) -> None:
        with pytest.raises(ScenarioError, match=rf"^--plants: cbam only; climate-negotiation has {FOREIGN}$"):
            load_target("climate-negotiation/none", plants="eu")

    def test_recorded_actions_are_refused_in_the_main_world(self, calls: list[tuple[Any, Any]]) -> None:
        for target in ("law", load("law")):
            with pytest.raises(
                ScenarioError, match=r"^--actions: climate-negotiation only; cbam has firms that follow rules$"
            ):
                simulate(target, actions=Path("recorded.npz"))
        assert calls == []

    def test_a_scenario_object_takes_no_options_in_any_world(self) -> None:
        with pytest.raises(ScenarioError, match="club: change a Scenario with model_copy"):
            simulate(load("climate-negotiation/club"), seed=3)


def test_a_world_without_a_static_equilibrium_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^club: climate-negotiation has no static equilibrium; choose a cbam "):
        equilibrium("climate-negotiation/club")
