"""Laws run side by side say what each says alone, and their books add up."""

from collections.abc import Callable

import numpy as np
import pytest
from policies import lively, shape_of, trained

from carbonray.config import Scenario
from carbonray.data.worlds import build_world
from carbonray.kpi.history import yearly
from carbonray.kpi.leakage import leakage
from carbonray.predict.ensemble import MONEY, try_laws
from carbonray.runtime import pair
from carbonray.worlds.cbam import Economy

Make = Callable[..., Scenario]


def test_an_outcome_is_that_of_a_run_beside_its_reference(small_economy: Economy, small_scenario: Make) -> None:
    scenario = small_scenario("law", years=3)
    other = scenario.policy.model_copy(update={"cbam": False, "support_home": {2026: 0.2}, "export_rebate": 0.5})
    found = try_laws(scenario, small_economy, [other, scenario.policy])
    run = pair.run(scenario, economy=small_economy, record_firms=False)
    home = run.world.policy.home_cell.numpy()
    told = leakage(yearly(run.policy.emissions)[:, 0], yearly(run.reference.emissions)[:, 0], home)
    np.testing.assert_allclose(found.foreign[1].sum((1, 2)), told.foreign_increase, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.home[1].sum(1), told.home_reduction, rtol=1e-9, atol=1e-9)
    money = {name: found.money[1, :, place].sum() for place, name in enumerate(MONEY)}
    assert money["border"] == pytest.approx(run.policy.accounts["border_charge"][..., ~home].sum(), rel=1e-12)
    assert money["auctioned"] == pytest.approx(run.policy.accounts["carbon_cost"][..., home].sum(), rel=1e-12)
    assert money["support_home"] == money["support_abroad"] == money["refunded"] == 0
    assert found.money[0, :, MONEY.index("support_home")].sum() > 0
    assert found.money[0, :, MONEY.index("border")].sum() == 0


def test_laws_in_another_order_are_the_same_laws(small_economy: Economy, small_scenario: Make) -> None:
    scenario = small_scenario("law", years=1)
    laws = [scenario.policy, scenario.policy.model_copy(update={"price": {2026: 120.0}})]
    one, other = (try_laws(scenario, small_economy, each) for each in (laws, laws[::-1]))
    assert np.array_equal(one.foreign, other.foreign[::-1])
    assert not np.array_equal(one.foreign[0], one.foreign[1])


def test_laws_of_trained_firms_share_what_chance_they_take(small_economy: Economy, small_scenario: Make) -> None:
    scenario = small_scenario("law", years=1, **{"firms.number": 180, "firms.learned": True})
    role = build_world(scenario, small_economy).roles["firm"]
    behaviour = trained(lively(shape_of(role)), sampled=True)
    free = scenario.policy.model_copy(update={"price": {2026: 20.0}})
    together = try_laws(scenario, small_economy, [free, scenario.policy, free], behaviour=behaviour)
    assert np.array_equal(together.foreign[0], together.foreign[2])
    for place, law in ((0, free), (1, scenario.policy)):
        alone = try_laws(scenario, small_economy, [law], behaviour=behaviour)
        assert np.array_equal(alone.foreign[0], together.foreign[place])
        assert np.array_equal(alone.money[0], together.money[place])
    rules = try_laws(scenario, small_economy, [free])
    assert not np.array_equal(rules.foreign[0], together.foreign[0])


def test_a_law_that_extends_coverage_keeps_what_trained_firms_know(
    small_economy: Economy, small_scenario: Make
) -> None:
    scenario = small_scenario("law", years=1, **{"firms.number": 180, "firms.learned": True})
    role = build_world(scenario, small_economy).roles["firm"]
    wider = scenario.policy.model_copy(update={"coverage": {**scenario.policy.coverage, "MIN": 1.0}})
    found = try_laws(scenario, small_economy, [wider], behaviour=trained(lively(shape_of(role))))
    assert np.isfinite(found.foreign).all()
