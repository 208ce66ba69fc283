"""The competition's indices against published figures and an independent run of the extremes; leakage by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.data.negotiation import negotiation_world
from carbonray.data.scenarios import load
from carbonray.kpi.negotiation import (
    NO_FALL,
    NO_MEMBER,
    NO_OTHER,
    IndexBounds,
    climate_index,
    contributions,
    dominates,
    economic_index,
    hypervolume,
    leakage,
    pareto_front,
    spread,
    temperature_rise,
    total_output,
)
from carbonray.runtime.negotiation_summary import index_bounds

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "rice_n"
EXACT, TIGHT = 1e-12, 1e-9

BOUNDS = IndexBounds(
    temperature_rise_best=1.250677658631664,
    temperature_rise_worst=7.006738923645058,
    output_worst=606.572776841543,
    output_best=9673.532836182829,
)
"""The extremes of the 27 regions; `extreme` below computes them."""


def extreme(raw: Mapping[str, Any], *, savings: float, mitigation: float) -> tuple[np.ndarray, np.ndarray]:
    """Atmospheric temperature [21] and world gross output [20] of the world without trade, all regions alike."""
    world = raw["dice"]
    region = {name: np.array(values) for name, values in raw["rice_by_region_id"].items()}
    heat, carbon = np.array([0.85, 0.0068]), np.array([851.0, 460.0, 1740.0])
    heat_moves, carbon_moves = np.array(world["xPhi_T"]), np.array(world["xPhi_M"])
    capital, people, skill, dirt = (region[name] for name in ("xK_0", "xL_0", "xA_0", "xsigma_0"))
    temperatures, outputs = [heat[0]], []
    for step in range(20):
        years = 5 * step
        other_forcing = 0.5 + min(0.5, 0.5 / 20 * step)
        land = 2.6 * (1 - 0.001) ** step
        backstop = region["xp_b"] / (1000 * region["xtheta_2"]) * (1 - region["xdelta_pb"]) ** step * dirt
        damage = 1 / (1 + region["xa_1"] * heat[0] + region["xa_2"] * heat[0] ** region["xa_3"])
        made = skill * capital ** region["xgamma"] * (people / 1000) ** (1 - region["xgamma"])
        output = damage * (1 - backstop * mitigation ** region["xtheta_2"]) * made
        emitted = (dirt * (1 - mitigation) * made).sum() + land
        forcing = world["xeta"] * np.log2(carbon[0] / world["xM_AT_1750"]) + other_forcing
        heat = heat_moves @ heat + np.array(world["xB_T"]) * forcing
        carbon = carbon_moves @ carbon + np.array(world["xB_M"]) * emitted
        capital = (1 - region["xdelta_K"]) ** 5 * capital + 5 * savings * output
        people = people * ((1 + region["xL_a"]) / (1 + people)) ** region["xl_g"]
        skill = skill * (np.exp(0.0033) + region["xg_A"] * np.exp(-region["xdelta_A"] * years))
        dirt = dirt * np.exp(-region["xg_sigma"] * (1 - region["xdelta_sigma"]) ** years * 5)
        temperatures.append(heat[0])
        outputs.append(output.sum())
    return np.array(temperatures), np.array(outputs)


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    return dict(json.loads((RAW / "parameters.json").read_text(encoding="utf-8")))


needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")


@needs_raw
@pytest.mark.raw
def test_the_independent_run_is_the_reference_without_mitigation_and_trade(raw: dict[str, Any]) -> None:
    stored = np.load(RAW / "off_const_bau_f64.npz")
    temperature, output = extreme(raw, savings=0.2, mitigation=0.0)
    assert temperature == pytest.approx(stored["global_temperature"][:, 0], rel=EXACT)
    assert output == pytest.approx(stored["gross_output_all_regions"][1:].sum(1), rel=EXACT)


@needs_raw
@pytest.mark.raw
def test_bounds_are_the_extremes_of_the_world_without_trade(raw: dict[str, Any]) -> None:
    coolest = extreme(raw, savings=0.0, mitigation=1.0)
    richest = extreme(raw, savings=1.0, mitigation=0.0)
    assert float(temperature_rise(coolest[0])) == pytest.approx(BOUNDS.temperature_rise_best, rel=TIGHT)
    assert float(temperature_rise(richest[0])) == pytest.approx(BOUNDS.temperature_rise_worst, rel=TIGHT)
    assert coolest[1].sum() == pytest.approx(BOUNDS.output_worst, rel=TIGHT)
    assert richest[1].sum() == pytest.approx(BOUNDS.output_best, rel=TIGHT)


def test_bounds_of_the_world_are_those_of_the_independent_run() -> None:
    found = index_bounds(negotiation_world(load("climate-negotiation/none")))
    assert vars(found) == pytest.approx(vars(BOUNDS), rel=TIGHT)


@pytest.mark.parametrize(("rise", "index"), [(2.39, 0.80), (3.47, 0.61), (3.89, 0.54)])
def test_climate_index_of_published_rises(rise: float, index: float) -> None:
    assert round(float(climate_index(rise, BOUNDS)), 2) == index


@pytest.mark.parametrize(("output", "index"), [(8642.0, 0.89), (7612.0, 0.77), (3610.0, 0.33)])
def test_economic_index_of_published_outputs(output: float, index: float) -> None:
    assert round(float(economic_index(output, BOUNDS)), 2) == index


def test_indices_are_zero_and_one_at_the_extremes_and_leave_the_range_beyond_them() -> None:
    rises = np.array([BOUNDS.temperature_rise_worst, BOUNDS.temperature_rise_best, 1.0, 8.0])
    found = climate_index(rises, BOUNDS)
    assert found[:2] == pytest.approx([0.0, 1.0], abs=EXACT)
    assert found[2] > 1
    assert found[3] < 0
    assert economic_index([BOUNDS.output_worst, BOUNDS.output_best], BOUNDS) == pytest.approx([0.0, 1.0], abs=EXACT)
    assert economic_index(10_000.0, BOUNDS) > 1


@pytest.mark.parametrize("swapped", [{"temperature_rise_best": 8.0}, {"output_worst": 1e5}])
def test_bounds_without_room_are_refused(swapped: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be below"):
        IndexBounds(**(vars(BOUNDS) | swapped))


def test_rise_and_output_of_several_runs_at_once() -> None:
    temperature = np.array([[0.85, 1.0, 2.0], [0.85, 0.9, 0.8]])
    assert temperature_rise(temperature) == pytest.approx([1.15, -0.05])
    output = np.array([[[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [3.0, 5.0]]])
    assert total_output(output) == pytest.approx([3.0, 8.0])


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([[0.5, 0.5]], 0.25),
        ([[0.5, 0.5], [0.5, 0.5]], 0.25),  # twins
        ([[0.5, 0.5], [0.4, 0.4]], 0.25),  # dominated
        ([[0.8, 0.2], [0.2, 0.8]], 0.16 + 0.16 - 0.04),
        ([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]], 0.2 * 0.8 + 0.3 * 0.5 + 0.3 * 0.2),
        ([[0.5, 0.5], [0.5, 0.9]], 0.45),  # ties in one index
        ([[2.0, 0.5]], 0.5),  # clipped
        ([[-1.0, 0.5]], 0.0),
        ([[1.0, 1.0], [0.3, 0.9]], 1.0),
    ],
)
def test_hypervolume_by_hand(points: list[list[float]], area: float) -> None:
    assert hypervolume(points) == pytest.approx(area, abs=EXACT)


def test_hypervolume_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="must be numbers"):
        hypervolume([[np.nan, 0.5]])


def test_contributions_by_hand() -> None:
    points = [[0.8, 0.2], [0.5, 0.5], [0.2, 0.8], [0.1, 0.1]]
    assert contributions(points) == pytest.approx([0.3 * 0.2, 0.3 * 0.3, 0.2 * 0.3, 0.0], abs=EXACT)
    assert contributions([[0.5, 0.5]] * 2) == pytest.approx([0.0, 0.0], abs=EXACT)
    assert contributions([]).shape == (0,)


def test_the_front_is_what_no_point_dominates() -> None:
    points = [[0.8, 0.2], [0.5, 0.5], [0.5, 0.4], [0.5, 0.5], [1.2, -0.1], [0.5 + 1e-13, 0.5 - 1e-13]]
    assert pareto_front(points).tolist() == [True, True, False, True, True, True]
    who = dominates(points)
    assert who[1, 2]
    assert not who.diagonal().any()
    assert not who[0].any()


def emissions(*regions: tuple[float, float]) -> np.ndarray:
    """[1, 2, R] Gt CO2 a year."""
    return np.array([regions]).transpose(0, 2, 1)


REFERENCE = emissions((10.0, 10.0), (10.0, 10.0))


def test_leakage_is_the_rise_of_the_others_over_the_fall_of_members() -> None:
    member = np.array([[[True, False], [True, False]]])
    found = leakage(emissions((9.0, 7.0), (10.0, 11.0)), REFERENCE, member, years_a_step=5)
    assert found.abatement_members == pytest.approx([20.0])
    assert found.rise_others == pytest.approx([5.0])
    assert found.rate == pytest.approx(0.25)
    assert found.undefined_reason is None


def test_leakage_counts_a_region_as_what_it_is_in_the_step() -> None:
    member = np.array([[[True, False], [False, False]]])  # leaves after the first step, and then emits more
    found = leakage(emissions((8.0, 11.0), (10.0, 10.0)), REFERENCE, member, years_a_step=5)
    assert found.rate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("first", "member", "reason"),
    [
        ((9.0, 9.0), [False, False], NO_MEMBER),
        ((9.0, 9.0), [True, True], NO_OTHER),
        ((10.0, 10.0), [True, False], NO_FALL),
        ((11.0, 11.0), [True, False], NO_FALL),
    ],
)
def test_leakage_without_a_rate_says_why(first: tuple[float, float], member: list[bool], reason: str) -> None:
    found = leakage(emissions(first, (10.0, 10.0)), REFERENCE, np.array([[member] * 2]), years_a_step=5)
    assert found.rate is None
    assert np.isnan(found.rates).all()
    assert found.undefined_reason == reason


@pytest.mark.parametrize(
    ("member", "rate"),
    [
        ([False, True, True, True], None),  # joins late
        ([True, True, False, True], None),  # is absent for a step
        ([False, False, True, True], 2 / 6),
        ([True, False, False, False], 3 / 5),
    ],
)
def test_there_is_somebody_to_leak_to_if_a_region_is_outside_for_half_of_the_steps(
    member: list[bool], rate: float | None
) -> None:
    joined = np.array([[[True, inside] for inside in member]])
    found = leakage(np.where(joined, 9.0, 11.0), np.full((1, 4, 2), 10.0), joined, years_a_step=5)
    assert found.rate == (None if rate is None else pytest.approx(rate))
    assert found.undefined_reason == (NO_OTHER if rate is None else None)


def test_one_replica_without_a_rate_leaves_the_run_without_one() -> None:
    policy = np.concatenate([emissions((8.0, 8.0), (11.0, 11.0)), REFERENCE])
    member = np.broadcast_to([True, False], (2, 2, 2))
    found = leakage(policy, np.concatenate([REFERENCE] * 2), member, years_a_step=5)
    assert found.rates[0] == pytest.approx(0.5)
    assert found.rate is None
    assert found.undefined_reason == f"in 1 of 2 replicas {NO_FALL}"


def test_spread_is_the_5th_and_95th_percentile_and_needs_two_replicas() -> None:
    assert spread(np.linspace(0.0, 1.0, 101)) == pytest.approx((0.05, 0.95))
    assert spread(np.array([1.0])) is None
    assert spread(np.array([1.0, np.nan])) is None
