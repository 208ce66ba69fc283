"""A scenario read as inputs, draws of scenarios, and what is flagged."""

import numpy as np
import pytest

from carbonray.config import Scenario
from carbonray.data.scenarios import load
from carbonray.predict.domain import domain_of
from carbonray.predict.ground import ground_of
from carbonray.predict.inputs import Layout, case_of, features
from carbonray.predict.space import LEVERS, YEARS, base_scenario, economy_draw, law_draws

GROUND = ground_of(firms=2000, seed=0)


def rows(stream: str, first: int, count: int) -> np.ndarray:
    found = []
    for number in range(first, first + count):
        scenario = economy_draw(GROUND.base, GROUND.layout.partners, seed=0, stream=stream, number=number)
        for law in law_draws(scenario.policy, seed=0, stream=stream, number=number, count=8):
            one = case_of(GROUND.layout, GROUND.base, scenario.model_copy(update={"policy": law}))
            assert not one.unknown
            assert not one.approximated
            found.append(one.row)
    return np.stack(found)


def value(scenario: Scenario, name: str) -> float:
    layout = GROUND.layout
    return float(case_of(layout, GROUND.base, scenario).row[layout.names.index(name)])


class TestCases:
    def test_the_law_is_read_year_by_year(self) -> None:
        law = load("law")
        assert value(law, "price.2026") == 75
        assert value(law, "price.2035") == 130
        assert value(law, "free_allocation.2030") == pytest.approx(0.515)
        assert value(law, "cbam_factor.2034") == 0
        assert value(law, "partner_price.GBR") == 45
        assert value(law, "coverage.CEM") == 1.0
        assert value(law, "coverage.OMT") == 0.0
        case = case_of(GROUND.layout, GROUND.base, law)
        assert (case.unknown, case.approximated) == ((), ())

    def test_what_it_does_not_know_is_named(self) -> None:
        other = load("law", ["policy.retaliation=0.2", "market.domestic.STL=5", "policy.coverage.ELE=1"])
        case = case_of(GROUND.layout, GROUND.base, other)
        assert set(case.unknown) == {"policy.retaliation", "market.domestic.STL", "policy.coverage.ELE"}

    def test_what_it_knows_nearly_is_named(self) -> None:
        case = case_of(GROUND.layout, GROUND.base, load("variable"))
        assert any(line.startswith("partners.commitment") for line in case.approximated)
        assert case.unknown == ()
        changing = load("law", ["policy.support_home={2026: 0.0, 2035: 0.4}", "growth.CHN=0.02"])
        named = [line.partition(":")[0] for line in case_of(GROUND.layout, GROUND.base, changing).approximated]
        assert named == ["growth", "policy.support_home"]

    def test_number_of_firms_and_seed_are_no_inputs(self) -> None:
        plain, other = (
            case_of(GROUND.layout, GROUND.base, load("law", settings))
            for settings in ((), ("firms.number=5000", "seed=9", "replicas=3"))
        )
        assert np.array_equal(plain.row, other.row)
        assert other.unknown == ()


class TestDraws:
    def test_they_lie_within_their_bounds(self) -> None:
        found = rows("train", 0, 20)
        for place, (name, bound) in enumerate(zip(GROUND.layout.names, GROUND.layout.bounds, strict=True)):
            assert found[:, place].min() >= bound.low - 1e-9, name
            assert found[:, place].max() <= bound.high + 1e-9, name

    def test_a_draw_depends_on_its_own_number_alone(self) -> None:
        np.testing.assert_array_equal(rows("train", 3, 2)[8:], rows("train", 4, 1))
        assert not np.array_equal(rows("train", 4, 1), rows("test", 4, 1))

    def test_the_corner_is_above_any_price_simulated(self) -> None:
        price = GROUND.layout.take(rows("corner", 0, 3), "price")
        assert (price.max(1) > LEVERS["price"].high).all()


class TestDomain:
    def test_a_price_above_all_fires_and_cases_alike_do_not(self) -> None:
        train, more = rows("train", 0, 60), rows("calibrate", 0, 20)
        domain = domain_of(GROUND.layout, train, more)
        names = GROUND.layout.names
        corner = rows("corner", 0, 3)
        assert list(domain.outside(corner, names)) == list(range(len(corner)))
        fresh = rows("test", 0, 10)
        inside = np.clip(fresh, domain.low, domain.high)
        assert not domain.outside(inside, names)
        assert len(domain.unlike(GROUND.layout, inside)) < 0.1 * len(inside)

    def test_paths_that_rise_where_all_fell_are_unlike_them(self) -> None:
        domain = domain_of(GROUND.layout, rows("train", 0, 60), rows("calibrate", 0, 20))
        rising = dict(zip(YEARS, np.linspace(0.02, 0.98, 10).round(2).tolist(), strict=True))
        odd = load("law", [f"policy.free_allocation={rising}", f"policy.cbam_factor={rising}"])
        case = case_of(GROUND.layout, GROUND.base, odd)
        row = np.clip(case.row, domain.low, domain.high)
        assert domain.unlike(GROUND.layout, row[None]) == {0: ("free_allocation", "cbam_factor")}
        law = case_of(GROUND.layout, GROUND.base, load("law"))
        assert domain.unlike(GROUND.layout, law.row[None]) == {}


def test_features_of_a_year_know_nothing_of_later_years() -> None:
    found = rows("train", 0, 1)
    later = found.copy()
    layout: Layout = GROUND.layout
    for place, name in enumerate(layout.names):
        if name in ("price.2033", "free_allocation.2034", "cbam_factor.2035"):
            later[:, place] = found[:, place] * 0.5 + 0.1
    before, after = features(layout, found), features(layout, later)
    assert np.array_equal(before[:, :7], after[:, :7])
    assert not np.array_equal(before[:, 7:], after[:, 7:])


def test_the_base_is_the_law() -> None:
    assert base_scenario().policy == load("law").policy
