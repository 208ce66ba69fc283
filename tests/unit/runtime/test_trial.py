"""What a first user's trial found: side runs, the fuel market, disrupted trade, refunds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from carbonray.config import Scenario, ScenarioError
from carbonray.kpi.history import yearly
from carbonray.runtime import pair, robustness
from carbonray.runtime.equilibrium import static_leakage
from carbonray.worlds.cbam import Economy

TIGHT = 1e-9
Fit = Callable[..., Scenario]


def test_an_interrupted_side_run_is_never_compared(
    small_economy: Economy, small_scenario: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pair.run(small_scenario("law", years=1), economy=small_economy)
    monkeypatch.setattr(pair, "run", lambda *_, **__: replace(whole, interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        robustness.ablation(small_scenario("law", years=1), small_economy)


def test_trade_adds_up_to_what_was_delivered_under_outages(small_economy: Economy, small_scenario: Fit) -> None:
    scenario = small_scenario("law", **{"disruptions.outage_rate": 0.2})
    run = pair.run(scenario, economy=small_economy).policy
    np.testing.assert_allclose(run.volume.sum(3), yearly(run.output), rtol=TIGHT)
    np.testing.assert_allclose(run.charge.sum(3), yearly(run.accounts["border_charge"]), rtol=TIGHT, atol=TIGHT)


def test_the_fuel_market_settles_for_stiff_supply(small_economy: Economy, small_scenario: Fit) -> None:
    rates = [
        static_leakage(
            small_scenario("law", **{"fuel.channel": True, "fuel.supply_elasticity": elasticity}), economy=small_economy
        )["leakage_rate"]
        for elasticity in (4.0, 1.0, 0.5, 0.2)
    ]
    assert rates == sorted(rates)
    assert 0 < rates[-1] < 1


def test_refunds_on_exports_stand_apart_from_the_charge(small_economy: Economy, small_scenario: Fit) -> None:
    found = robustness.summary_of(
        pair.run(small_scenario("law", **{"policy.export_rebate": 1.0}), economy=small_economy)
    )
    assert found["revenue_musd"]["export_refund"] > 0
    assert found["revenue_musd"]["border_charge"] > 0


@pytest.mark.parametrize("setting", [{"policy.threshold_t": 5.0}, {"firms.exporters_abate": True}])
def test_what_has_no_static_counterpart_is_refused(
    small_economy: Economy, small_scenario: Fit, setting: dict[str, object]
) -> None:
    with pytest.raises(ScenarioError, match=next(iter(setting))):
        static_leakage(small_scenario("law", **setting), economy=small_economy)


def test_the_stress_strikes_at_most_a_quarter_of_a_small_cell(small_economy: Economy, small_scenario: Fit) -> None:
    assert robustness.stress(small_scenario("law", **{"firms.number": 120}), small_economy).largest == 1
