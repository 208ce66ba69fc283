"""The climate negotiation world against recorded trajectories of the reference (Zhang et al. 2022).

Figures of `tests/golden/rice_n.json` always; whole trajectories, stepped freely in 64 bits, where the raw tables are.
A deviation is relative to the recorded figure, or to a thousandth of the array's largest where that is more.
"""

import copy
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from carbonray.data.actions import read_actions
from carbonray.data.rice import load_parameters
from carbonray.runtime import inprocess
from carbonray.runtime.negotiation_run import Moment
from carbonray.runtime.negotiation_trajectory import arrays, replay
from carbonray.runtime.shard import Recorded
from carbonray.worlds.climate_negotiation.activity import Rules
from carbonray.worlds.climate_negotiation.heads import LEVELS, MITIGATION, Stage
from carbonray.worlds.climate_negotiation.protocols import bilateral
from carbonray.worlds.climate_negotiation.world import NegotiationWorld
from carbonray.worlds.world import Shocks

GOLDEN = Path(__file__).parents[1] / "golden"
RAW = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
TRAJECTORIES = ("off_const_bau", "off_const_trade", "off_random_s0", "on_random_masked_s0")
LOOSE = 1e-5
TIGHT = 1e-6
SMOOTH = 1e-10
"""Twelve digits are stored; whole runs agree to 2e-15 in quantities that nothing amplifies."""
FLOOR = 1e-3
RESIDUAL = {"consumption_all_regions", "utility_all_regions", "social_welfare_all_regions", "reward_all_regions"}
RESIDUAL |= {"returned_reward"}
"""What holds the square root of home goods, a rounding residual where exports exhaust output."""
TRADED = {"current_balance_all_regions", "scaled_imports", "tariffed_imports", "tariff_revenue"}
"""What the debt rule amplifies rounding in."""


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GOLDEN))
    return importlib.import_module("regenerate_rice")


@pytest.fixture
def stored(golden: ModuleType) -> dict[str, Any]:
    return dict(golden.stored())


def reference_world(*, negotiates: bool, rules: Rules | None = None) -> NegotiationWorld:
    """The reference's world: no negotiation, or its bilateral protocol."""
    protocol = bilateral if negotiates else None
    return NegotiationWorld(parameters=load_parameters(), protocol=protocol, rules=rules or Rules())


def deviation(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest relative deviation; 0 where all is the same."""
    expected = np.asarray(expected, dtype=np.float64)
    scale = np.maximum(np.abs(expected), FLOOR * np.abs(expected).max(initial=0.0))
    gap = np.abs(np.asarray(found, dtype=np.float64) - expected)
    return float(np.max(gap / np.where(scale > 0, scale, 1.0), initial=0.0))


def tolerance(name: str) -> float:
    """What a quantity may deviate by in a run from reset."""
    return LOOSE if name in RESIDUAL else TIGHT if name in TRADED else SMOOTH


def beyond(deviations: Mapping[str, float]) -> dict[str, float]:
    """The quantities that deviate by more than they may; NaN is more."""
    return {name: gap for name, gap in deviations.items() if not gap <= tolerance(name)}


def digits(rows: list[str]) -> NDArray[np.int64]:
    """[rows, digits] levels."""
    return np.array([[int(digit) for digit in row] for row in rows])


def value_of(stored: Mapping[str, Any], place: tuple[str, int, str]) -> Any:
    """A stored array by name, step and trajectory: a number, a list, or the sums and entries of a matrix."""
    name, step, trajectory = place
    kept = stored["trajectories"][trajectory]
    value = kept["after"][name][kept["steps"].index(step)]
    if not isinstance(value, str):
        return value
    times, of, *elsewhere = value.split()
    earlier = (of, int(elsewhere[0]), elsewhere[1]) if elsewhere else (of, step, trajectory)
    return multiple(float(times), value_of(stored, earlier))


def multiple(times: float, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: multiple(times, part) for key, part in value.items()}
    return [times * part for part in value] if isinstance(value, list) else times * value


def pairs(name: str, found: NDArray[Any], value: Any) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """What was found beside what was stored of it, part by part."""
    if not isinstance(value, dict):
        flat = found[:, 0] if found.shape[1:] == (1,) else found
        yield name, flat, np.broadcast_to(np.array(value), flat.shape)
        return
    yield f"{name} rows", found.sum(1), np.array(value["rows"])
    yield f"{name} columns", found.sum(0), np.array(value["columns"])
    for entry, figure in value["entries"].items():
        row, column = map(int, entry.split(","))
        yield f"{name} {entry}", found[row, column], np.array(figure)


def of_constant_policy(stored: Mapping[str, Any], name: str, world: NegotiationWorld) -> dict[str, float]:
    """The largest deviation of each array from what is stored of a constant policy."""
    kept = stored["trajectories"][name]
    levels = np.broadcast_to(digits([kept["levels"]]), (world.steps, world.count, len(kept["levels"])))
    found = replay(world, Recorded(levels.copy()))
    worst: dict[str, float] = {}
    for key in kept["after"]:
        for step in kept["steps"]:
            for _, got, expected in pairs(key, found[key][step], value_of(stored, (key, step, name))):
                worst[key] = max(worst.get(key, 0.0), deviation(got, expected))
    return worst


@pytest.mark.parametrize("name", TRAJECTORIES[:2])
def test_a_constant_policy_gives_the_stored_figures(stored: dict[str, Any], name: str) -> None:
    worst = of_constant_policy(stored, name, reference_world(negotiates=False))
    assert len(worst) == 33
    assert beyond(worst) == {}


def before(world: NegotiationWorld, given: Mapping[str, Any]) -> inprocess.State[Any, Any]:
    """The world as it was before an activity step, or before the negotiation that leads to it."""
    state = inprocess.reset(world, 0, 1, [{"region": np.arange(world.count)}])
    own = {key: torch.tensor([given["before"][key]], dtype=torch.float64) for key in given["before"]}
    commons = replace(
        state.commons,
        step=(3 if world.negotiates else 1) * (given["activity"] - 1),
        activity=given["activity"] - 1,
        temperature=own.pop("temperature"),
        carbon=own.pop("carbon"),
        tariffs=torch.tensor(digits(given["tariffs"]) / 10)[None],
    )
    return inprocess.State(agents=(replace(state.agents[0], **own),), commons=commons)


def stages(given: Mapping[str, Any]) -> Iterator[NDArray[np.int64]]:
    """[27, heads] levels of each step; heads that a step does not read are nine or one, which would be noticed."""
    activity = digits(given["levels"])
    if "proposals" not in given:
        yield activity
        return
    unread = np.full((27, 138), LEVELS - 1)
    unread[:, 111:] = 1
    for first, levels in ((57, digits(given["proposals"])), (111, digits(given["answers"])), (0, activity)):
        step = unread.copy()
        step[:, first : first + levels.shape[1]] = levels
        yield step


def stepped(world: NegotiationWorld, given: Mapping[str, Any]) -> list[tuple[inprocess.State[Any, Any], Moment]]:
    """The world after each stage of one activity step."""
    state, everyone, after = before(world, given), np.arange(world.count), []
    for levels in stages(given):
        actions = torch.as_tensor(levels)[None]
        step = inprocess.advance(world, state, [Shocks(agents={}, commons={})], [everyone], [{"region": actions}])
        state = step.state
        moment = Moment(rows=step.rows, commons=state.commons, levels=actions, reward=step.rewards[0]["region"])
        after.append((state, moment))
    return after


def of_transition(given: Mapping[str, Any], world: NegotiationWorld) -> dict[str, float]:
    """The largest deviation of each array after one activity step."""
    found = arrays(world, [stepped(world, given)[-1][1]])
    worst: dict[str, float] = {}
    for key, value in given["after"].items():
        for _, got, expected in pairs(key, found[key][0], value):
            worst[key] = max(worst.get(key, 0.0), deviation(got, expected))
    return worst


@pytest.mark.parametrize("number", range(4))
def test_a_single_step_gives_the_stored_figures(stored: dict[str, Any], number: int) -> None:
    given = stored["transitions"][number]
    worst = of_transition(given, reference_world(negotiates="proposals" in given))
    assert len(worst) == 8
    assert beyond(worst) == {}


@pytest.mark.parametrize("number", [2, 3])
def test_negotiation_gives_the_stored_minimum_and_mask(stored: dict[str, Any], number: int) -> None:
    world, given = reference_world(negotiates=True), stored["transitions"][number]
    after = stepped(world, given)
    least = digits([given["minimum_mitigation"]]) / 10
    for (state, moment), name in zip(after[1:], ("answered", "after"), strict=True):
        assert moment.commons.treaty.minimum_mitigation.numpy() == pytest.approx(least, abs=SMOOTH)
        lowest = digits([given["lowest_legal_mitigation"][name]])[0]
        mask = arrays(world, [moment])["mitigation_mask_after_step"][0]
        np.testing.assert_array_equal(mask, np.arange(LEVELS) >= lowest[:, None])
        if name == "answered":
            assert world.stage(state.commons) is Stage.ACTIVITY
            seen = world.observe(state.agents[0], state.commons)["region"].mask
            head = slice(LEVELS * MITIGATION, LEVELS * (MITIGATION + 1))
            np.testing.assert_array_equal(seen[0, :, head], mask)
    carried = (after[1][0].agents[0].capital, after[1][0].commons.carbon)
    np.testing.assert_array_equal(carried[0][0], given["before"]["capital"])
    np.testing.assert_array_equal(carried[1][0], given["before"]["carbon"])


CORRECTED = {
    "revenue_returned": {"consumption_all_regions", "utility_all_regions"},
    "interest_per_year": {"current_balance_all_regions", "scaled_imports"},
    "full_rates": {"capital_all_regions", "gross_output_all_regions"},
}


@pytest.mark.parametrize("switch", sorted(CORRECTED))
def test_the_golden_check_sees_a_corrected_oddity(stored: dict[str, Any], switch: str) -> None:
    given = stored["transitions"][0]
    worst = of_transition(given, reference_world(negotiates=False, rules=Rules(**{switch: True})))
    assert CORRECTED[switch] <= beyond(worst).keys()


def test_the_golden_check_sees_a_tenth_of_a_percent_of_a_parameter(stored: dict[str, Any]) -> None:
    world = reference_world(negotiates=False)
    rules = replace(world.parameters.trade, interest_rate=0.1001)
    changed = replace(world, parameters=replace(world.parameters, trade=rules))
    assert "current_balance_all_regions" in beyond(of_constant_policy(stored, "off_const_trade", changed))
    climate = replace(world.parameters.climate, forcing_last=1.001)
    changed = replace(world, parameters=replace(world.parameters, climate=climate))
    assert {"global_temperature", "damages_all_regions"} <= beyond(
        of_constant_policy(stored, "off_const_bau", changed)
    ).keys()


def test_the_golden_check_sees_a_changed_level(stored: dict[str, Any]) -> None:
    given = copy.deepcopy(stored["transitions"][2])
    row = given["levels"][5]
    given["levels"][5] = row[:40] + ("0" if row[40] != "0" else "5") + row[41:]  # R16's bid for R20's goods
    assert "scaled_imports" in beyond(of_transition(given, reference_world(negotiates=True)))


@pytest.mark.raw
@needs_raw
def test_stored_figures_are_those_of_the_raw_trajectories(golden: ModuleType, stored: dict[str, Any]) -> None:
    assert list(golden.differences(golden.figures(RAW), stored, relative=1e-11, absolute=1e-14)) == []


@pytest.mark.raw
@needs_raw
@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_free_run_gives_the_recorded_trajectory(name: str) -> None:
    path = RAW / "rice_n" / f"{name}_f64.npz"
    with np.load(path) as file:
        recorded = dict(file)
    found = replay(reference_world(negotiates=name.startswith("on_")), Recorded(read_actions(path)))
    assert {key: (values.shape, values.dtype) for key, values in found.items()} == {
        key: (values.shape, values.dtype) for key, values in recorded.items()
    }
    for key, values in recorded.items():
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(found[key], values, err_msg=key)
    worst = {key: deviation(found[key], values) for key, values in recorded.items()}
    for key in sorted(worst, key=lambda key: -worst[key]):
        print(f"{name}: {key} deviates by {worst[key]:.1e}, may by {tolerance(key):.0e}")
    assert beyond(worst) == {}
