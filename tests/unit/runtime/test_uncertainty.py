"""Draws of the uncertain parameters: where they lie, that they are the seed's alone, and that failures are told."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from carbonray.config import Scenario, ScenarioError
from carbonray.data import load_economy
from carbonray.data.scenarios import load
from carbonray.runtime import uncertainty
from carbonray.runtime.processes import crew
from carbonray.runtime.simulate_cbam import draws_of, equilibrium
from carbonray.runtime.uncertain_parameters import UNCERTAIN, Uncertain, base_values, changed, described, drawn
from carbonray.runtime.uncertainty import FIGURES, Found, Task, measure, redrawn, smaller, tried
from carbonray.runtime.uncertainty_text import bounds, ranking_lines
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.equilibrium import NotConvergedError
from carbonray.worlds.cbam.parameters import calibrate_firms

pytestmark = pytest.mark.slow  # the whole suite runs them; `make check` has a minute

Fit = Callable[..., Scenario]
EXACT = 1e-12
DRAWS = 9


@pytest.fixture(scope="module")
def hauling(small_economy: Economy) -> Economy:
    """The small economy with carbon of carriage, so that every figure is defined."""
    home = np.repeat(np.eye(4), 6, axis=0) > 0
    return replace(small_economy, freight=np.where(home, 0.0, 1e-4))


@pytest.fixture(scope="module")
def found(hauling: Economy, small_scenario: Fit) -> Found:
    return measure(small_scenario("law"), economy=hauling, draws=DRAWS, processes=2)


class TestParameters:
    @pytest.mark.parametrize("one", UNCERTAIN, ids=lambda one: one.name)
    def test_factors_fill_their_range_and_have_their_mode_at_one(self, one: Uncertain) -> None:
        share = np.linspace(0, 1, 100_001)
        factor = one.factor(share)
        assert factor[0] == pytest.approx(one.low)
        assert factor[-1] == pytest.approx(one.high)
        assert (np.diff(factor) > 0).all()
        scale = np.log(factor) if one.distribution == "log-triangular" else factor
        densest = scale[np.diff(scale).argmin()]
        assert densest == pytest.approx(0.0 if one.distribution == "log-triangular" else 1.0, abs=0.01)

    def test_at_the_defaults_the_ranges_are_those_of_the_sources(self) -> None:
        rows = {row["name"]: (row["low"], row["mode"], row["high"]) for row in described(load("law"))}
        assert rows == {
            "sigma_scale": pytest.approx((0.7, 1.0, 1.3)),
            "factor_supply": pytest.approx((1.0, 2.0, 4.0)),
            "inputs": pytest.approx((0.1, 0.3, 0.8)),
            "abatement_cost": pytest.approx((0.6, 1.0, 1.7)),
            "incidence": pytest.approx((0.0, 0.2, 0.5)),
        }

    def test_the_mean_of_a_triangular_draw_is_that_of_its_ends_and_mode(self) -> None:
        values = drawn(load("law"), 400)
        assert values["sigma_scale"].mean() == pytest.approx(1.0, abs=0.002)
        assert values["incidence"].mean() == pytest.approx((0 + 0.2 + 0.5) / 3, abs=0.002)
        assert np.log(values["factor_supply"]).mean() == pytest.approx(np.log(2), abs=0.002)

    def test_every_draw_lies_in_a_stratum_of_its_own(self) -> None:
        values = drawn(load("law"), 50)
        for one in UNCERTAIN:
            edges = one.factor(np.linspace(0, 1, 51)) * base_values(load("law"))[one.name]
            assert (np.histogram(values[one.name], np.clip(edges, *one.bounds))[0] == 1).all(), one.name

    def test_the_seed_alone_decides_the_draws(self) -> None:
        law = load("law")
        assert drawn(law, 20).equals(drawn(load("no-cbam"), 20))
        assert not drawn(law, 20).equals(drawn(law.model_copy(update={"seed": 1}), 20))

    def test_a_draw_stays_in_what_a_scenario_accepts(self) -> None:
        law = load("law", ["policy.incidence=0.9", "market.inputs=4", "market.factor_supply=.inf"])
        values = drawn(law, 40)
        for row in range(40):
            Scenario.model_validate(changed(law, {n: float(values[n][row]) for n in base_values(law)}).model_dump())
        assert values["incidence"].max() == 1.0
        assert np.isinf(values["factor_supply"]).all()
        assert json.dumps(described(law), allow_nan=False)

    def test_factors_of_one_leave_the_scenario_as_it_is(self) -> None:
        law = load("law")
        assert changed(law, base_values(law)) == law

    def test_dearer_abatement_is_dearer_in_every_sector(self) -> None:
        law, economy = load("law"), load_economy("goods-2026")
        dear = changed(law, base_values(law) | {"abatement_cost": 1.5})
        prices = [calibrate_firms(economy, each).abatement_price.numpy() for each in (law, dear)]
        np.testing.assert_allclose(prices[1], 1.5 * prices[0], rtol=1e-12)

    def test_every_parameter_names_its_source(self) -> None:
        assert all(one.source and one.words and one.tag in ("read", "recall", "assumption") for one in UNCERTAIN)


class TestDraws:
    @pytest.mark.slow
    def test_the_same_seed_gives_the_same_numbers_for_any_number_of_processes(
        self, found: Found, hauling: Economy, small_scenario: Fit
    ) -> None:
        again = measure(small_scenario("law"), economy=hauling, draws=DRAWS, processes=1)
        assert json.dumps(again.summary) == json.dumps(found.summary)
        assert again.table.equals(found.table)

    def test_a_row_is_the_run_of_its_scenario(self, found: Found, hauling: Economy, small_scenario: Fit) -> None:
        base = smaller(small_scenario("law"), hauling)
        values = {one.name: float(found.table[one.name][3]) for one in UNCERTAIN}
        alone = tried(hauling, Task(scenario=redrawn(changed(base, values), 3)))
        for name in (*FIGURES, "rest_leakage_rate"):
            assert found.table[name][3] == alone[name], name

    def test_intervals_hold_the_median_and_every_draw_is_counted(self, found: Found) -> None:
        assert found.summary["draws"] == len(found.table) == DRAWS
        assert found.summary["failed"] == 0
        for name, interval in found.summary["intervals"].items():
            values = found.table[name]
            assert values.min() <= interval["low"] <= interval["median"] <= interval["high"] <= values.max()
            assert interval["count"] == DRAWS

    def test_shares_sum_to_what_is_explained_largest_first(self, found: Found) -> None:
        for ranked in (*found.summary["ranking"], *found.summary["rest"]["ranking"]):
            shares = [row["share"] for row in ranked["parameters"]]
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) == pytest.approx(ranked["r2"], abs=1e-9)

    def test_the_run_as_assumed_stands_beside_the_draws(
        self, found: Found, hauling: Economy, small_scenario: Fit
    ) -> None:
        alone = tried(hauling, Task(scenario=smaller(small_scenario("law"), hauling)))
        assert found.summary["base"] == {name: alone[name] for name in FIGURES}

    def test_fewer_firms_are_drawn_unless_there_are_few(self, world_2011: Economy) -> None:
        assert smaller(load("law"), world_2011).firms.number == uncertainty.FIRMS
        assert smaller(load("law", firms=None, **{"firms.number": 900}), world_2011).firms.number == 900

    def test_a_sectors_own_cost_stays_its_own(self, small_scenario: Fit) -> None:
        law = small_scenario("law", **{"abatement.STL": {"price": 200, "potential": 0.9, "exponent": 2.2}})
        values = {one.name: 0.5 for one in UNCERTAIN}
        assert changed(law, values).abatement == law.abatement
        assert changed(law, values).abatement_scale == 0.5

    def test_every_draw_has_firms_of_its_own(self, small_scenario: Fit) -> None:
        law = small_scenario("law")
        assert len({law.seed, *(redrawn(law, draw).seed for draw in range(5))}) == 6

    def test_a_draw_that_does_not_clear_is_told_and_left_out(
        self, hauling: Economy, small_scenario: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stuck(*_: Any, **__: Any) -> None:
            raise NotConvergedError("the market of MET did not clear")

        monkeypatch.setattr(uncertainty.pair, "run", stuck)
        answer = tried(hauling, Task(scenario=small_scenario("law")))
        assert answer["failure"] == "the market of MET did not clear"
        assert answer["rest_failure"] is None
        assert "leakage_rate" not in answer
        base = Task(scenario=small_scenario("law"))
        table = drawn(base.scenario, 2)
        told = uncertainty._found(base, table, [answer, answer, answer]).summary
        assert told["failed"] == 2
        assert told["failures"][0] == {"draw": 0, "reason": "the market of MET did not clear"}
        assert told["intervals"]["leakage_rate"] is None
        assert "2 of 2 draws failed: the market of MET did not clear" in " ".join(ranking_lines(told))

    def test_a_fault_of_the_program_is_no_failed_draw(self, hauling: Economy, small_scenario: Fit) -> None:
        broken = small_scenario("law").model_copy(update={"home": ("XXX",)})
        with pytest.raises(ScenarioError, match="unknown region XXX"):
            tried(hauling, Task(scenario=broken))

    @pytest.mark.slow
    def test_what_has_no_static_counterpart_is_only_run(self, hauling: Economy, small_scenario: Fit) -> None:
        scenario = small_scenario("law", **{"policy.threshold_t": 50.0, "years": 1})
        told = measure(scenario, economy=hauling, draws=1, processes=1)
        assert "rest" not in told.summary
        assert not [name for name in told.table if name.startswith("rest_")]
        assert told.summary["ranking"][0]["parameters"] == []


class TestProcesses:
    def test_answers_come_in_the_order_of_the_tasks(self) -> None:
        with crew(divmod, 7, 2) as submit:
            answers = [submit(task) for task in (2, 3, 4, 5)]
            assert [answer.result() for answer in answers] == [divmod(7, task) for task in (2, 3, 4, 5)]

    def test_an_error_brings_its_traceback(self) -> None:
        with crew(divmod, 7, 1) as submit, pytest.raises(RuntimeError, match="ZeroDivisionError"):
            submit(0).result()

    def test_leaving_by_an_error_ends_the_processes(self) -> None:
        def stopped() -> None:
            with crew(divmod, 7, 1) as submit:
                submit(2)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            stopped()


@pytest.mark.slow
def test_a_difference_of_scenarios_is_drawn_pair_by_pair(monkeypatch: pytest.MonkeyPatch, hauling: Economy,
                                                        small_scenario: Fit) -> None:  # fmt: skip
    monkeypatch.setattr(uncertainty, "economy_of", lambda scenario: hauling)
    same = uncertainty.paired(small_scenario("law", years=1), small_scenario("law", years=1), draws=2, processes=1)
    assert {name: (row["low"], row["high"]) for name, row in same.items() if row} == dict.fromkeys(FIGURES, (0.0, 0.0))
    with pytest.raises(ScenarioError, match="economy: other is not that of law"):
        uncertainty.paired(small_scenario("law"), small_scenario("no-cbam", economy="other"))


def test_draws_are_refused_below_none_and_default_to_the_robust_run() -> None:
    assert draws_of(None, robust=True) == uncertainty.DRAWS
    assert draws_of(None, robust=False) == 0
    assert draws_of(7, robust=False) == 7
    with pytest.raises(ScenarioError, match="--uncertainty -1"):
        draws_of(-1, robust=True)


@pytest.mark.slow
def test_the_economy_at_rest_has_intervals_of_its_own() -> None:
    found = equilibrium("test-arm", uncertainty=9)
    told = found["uncertainty"]
    assert "intervals" not in told
    assert told["rest"]["failed"] == 0
    interval = told["rest"]["intervals"]["leakage_rate"]
    assert interval["low"] < found["leakage_rate"] < interval["high"]
    shown = f"  [{100 * interval['low']:.2f}, {100 * interval['high']:.2f}]"
    assert bounds(told, "leakage_rate") == shown
    assert bounds(None, "leakage_rate", replicas={"leakage_rate": (0.01, 0.02)}) == "  [1.00, 2.00]"
    assert bounds(None, "leakage_rate") == ""
    assert ranking_lines(None) == []
