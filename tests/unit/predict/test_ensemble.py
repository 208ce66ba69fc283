"""Laws run side by side say what each says alone, and their books add up."""

from collections.abc import Callable

import numpy as np
import pytest

from carbonray.config import Scenario
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
