"""Frontiers: equal reduction at home, fair comparisons, and optimisers that are no worse than where they start."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from policies import always, lively, saved, shape_of, trained

from carbonray.config import Scenario, ScenarioError
from carbonray.counterfactual import frontier_search
from carbonray.counterfactual.frontier import Frontier, frontier
from carbonray.counterfactual.frontier_candidates import (
    HIGHEST,
    LOWEST,
    Candidate,
    check_levers,
    constant,
    fixed,
    forbidden,
    learned,
    path,
    sized,
)
from carbonray.counterfactual.frontier_judge import FACTORS, TOLERANCE, Draw, Shared, judge, next_log_factor
from carbonray.counterfactual.frontier_levers import effects
from carbonray.counterfactual.frontier_play import Played, play
from carbonray.counterfactual.frontier_search import Ground, Quest, climb, corners, evaluated, grid, neighbours, worth
from carbonray.data.worlds import build_world
from carbonray.report.frontier_page import write_frontier_report
from carbonray.runtime import outputs
from carbonray.runtime.work import Place
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.parameters import calibrate_objective
from carbonray.worlds.cbam.regulator import LEVERS, role

Make = Callable[..., Scenario]
EXACT = 1e-12
YEARS = 3


@pytest.fixture(scope="module")
def ground(small_economy: Economy, small_scenario: Make) -> Ground:
    scenario = small_scenario("law", years=YEARS, **{"regulator.settled": 0})
    return Ground(scenario=sized(scenario, 240), economy=small_economy)


def turned(lever: str, value: float) -> Candidate:
    """The law with one lever turned."""
    decree = np.zeros(len(LEVERS))
    decree[list(LEVERS).index(lever)] = value
    return Candidate(name=f"{lever} {value}", kind="lever", decree=constant(decree, YEARS))


LAW = Candidate(name="law", kind="law")
FREE = Candidate(name="no-cbam", kind="scenario", law={"cbam": False, "free_allocation": {2026: 1.0}})
SOME = (LAW, turned("support_home", 0.5), turned("support_abroad", 0.1), FREE)


@pytest.fixture(scope="module")
def rows(ground: Ground) -> list[dict[str, Any]]:
    verdict = judge(Shared(economy=ground.economy, candidates=SOME), Draw(number=0, scenario=ground.scenario))
    assert not verdict.failure
    return [dict(row) for row in verdict.rows]


class TestEqualReduction:
    def test_every_candidate_cuts_as_much_at_home_as_the_law(self, rows: list[dict[str, Any]]) -> None:
        aim = rows[0]["home_reduction_mt"]
        assert aim > 0
        for row in rows:
            assert row["matched"]
            assert abs(row["home_reduction_mt"] / aim - 1) <= TOLERANCE
        assert rows[0]["price_factor"] == 1.0
        assert rows[1]["price_factor"] < 0.95  # support at home lets a lower price do

    def test_where_no_factor_does_it_there_are_no_figures(self, ground: Ground) -> None:
        dear = Candidate(name="dear", kind="scenario", law={"price": {2026: 400.0}})
        verdict = judge(
            Shared(economy=ground.economy, candidates=(LAW, dear)), Draw(number=0, scenario=ground.scenario)
        )
        row = verdict.rows[1]
        assert not row["matched"]
        assert row["price_factor"] == pytest.approx(FACTORS[0])
        assert row["home_reduction_mt"] > verdict.rows[0]["home_reduction_mt"]
        assert math.isnan(row["leaked_mt"])
        assert math.isnan(row["output_loss_musd"])

    def test_a_law_that_cuts_nothing_cannot_be_matched(self, small_economy: Economy, small_scenario: Make) -> None:
        nothing = sized(small_scenario("law", years=2, **{"policy.price": {2026: 0.0}, "policy.cbam": False}), 240)
        verdict = judge(Shared(economy=small_economy, candidates=(LAW,)), Draw(number=0, scenario=nothing))
        assert verdict.failure == "law: its law cuts no emissions at home; there is nothing to match"

    @pytest.mark.parametrize("elasticity", [0.3, 0.7, 1.4])
    @pytest.mark.parametrize("factor", [0.35, 0.8, 1.2, 2.8])
    def test_the_secant_finds_a_factor_there_is(self, elasticity: float, factor: float) -> None:
        tried = [(0.0, -elasticity * math.log(factor))]
        while abs(tried[-1][1]) > TOLERANCE:
            later = next_log_factor(tried)
            assert later is not None
            tried.append((later, elasticity * (later - math.log(factor))))
        assert len(tried) <= 5

    def test_the_secant_gives_up_at_the_ends(self) -> None:
        tried = [(0.0, 2.0)]
        while (later := next_log_factor(tried)) is not None:
            tried.append((later, 2.0 + 0.1 * later))
        assert tried[-1][0] == math.log(FACTORS[0])


class TestFairness:
    def test_candidates_in_another_order_have_the_same_rows(self, ground: Ground, rows: list[dict[str, Any]]) -> None:
        order = [2, 0, 3, 1]
        shared = Shared(economy=ground.economy, candidates=tuple(SOME[place] for place in order))
        verdict = judge(shared, Draw(number=0, scenario=ground.scenario))
        assert [dict(row) for row in verdict.rows] == [rows[place] for place in order]

    def test_gross_leaves_out_what_is_bought_abroad_and_that_alone(self, rows: list[dict[str, Any]]) -> None:
        law, home, abroad, _ = rows
        assert abroad["support_abroad_musd"] > 0
        assert abroad["leaked_mt"] < law["leaked_mt"]
        assert abroad["leaked_gross_mt"] == pytest.approx(law["leaked_mt"], rel=1e-3)
        assert home["leaked_gross_mt"] == home["leaked_mt"]

    def test_tonnes_that_a_promise_buys_are_not_gross_even_if_nothing_is_paid(self, ground: Ground) -> None:
        decree = np.zeros((YEARS, len(LEVERS)))
        decree[1, list(LEVERS).index("support_abroad")] = 0.1
        brief = Candidate(name="brief", kind="constant", decree=decree)
        shared = Shared(economy=ground.economy, candidates=(LAW, brief))
        law, row = judge(shared, Draw(number=0, scenario=ground.scenario)).rows
        assert row["leaked_mt"] < 0.9 * law["leaked_mt"]
        assert row["leaked_gross_mt"] == pytest.approx(law["leaked_mt"], rel=1e-3)

    def test_objectives_differ_as_the_scenario_weighs_their_parts(
        self, ground: Ground, rows: list[dict[str, Any]]
    ) -> None:
        weights = calibrate_objective(ground.scenario)
        for row in rows[1:]:
            change = {name: row[name] - rows[0][name] for name, value in row.items() if isinstance(value, float)}
            expected = (
                weights.revenue * (change["revenue_musd"] - change["support_home_musd"] - change["support_abroad_musd"])
                - weights.leakage * change["leaked_mt"]
                + weights.home * change["home_reduction_mt"]
                - weights.output * (change["output_loss_musd"] + change["support_abroad_musd"])
            )
            assert change["objective_musd"] == pytest.approx(expected, rel=1e-6)

    def test_a_learned_regulator_that_always_says_the_same_is_that_decree(self, ground: Ground) -> None:
        said = {"free_allocation": -0.25, "export_rebate": 0.5, "support_home": 0.1}
        levels = [values.index(said.get(name, 0.0)) for name, values in LEVERS.items()]
        values = [said.get(name, 0.0) for name in LEVERS]
        policy = trained(always(shape_of(role()), levels), "regulator")
        one = Candidate(name="learned", kind="learned", policy=policy)
        other = Candidate(name="constant", kind="constant", decree=constant(values, YEARS))
        found = play(ground.scenario, ground.economy, [LAW, one, other], [1.0] * 3)
        law, first, second = (each for each in found if each is not None)
        assert np.array_equal(first.decree, second.decree)
        assert all(np.array_equal(first.figures[name], second.figures[name]) for name in first.figures)
        assert not np.array_equal(first.figures["emissions_home"], law.figures["emissions_home"])

    def test_a_learned_regulator_does_the_same_beside_others(self, ground: Ground, tmp_path: Path) -> None:
        folders = [
            saved(tmp_path / str(seed), lively(shape_of(role(), hidden=8), seed), role="regulator", acts="sampled")
            for seed in (1, 2)
        ]
        candidates = learned(folders)
        assert [one.name for one in candidates] == ["learned 1, drawn", "learned 1", "learned 2, drawn", "learned 2"]
        together = play(ground.scenario, ground.economy, [LAW, *candidates], [1.0] * 5)[1:]
        assert len({each.decree.tobytes() for each in together if each is not None}) == 4
        for candidate, beside in zip(candidates, together, strict=True):
            (alone,) = play(ground.scenario, ground.economy, [candidate], [1.0])
            assert alone is not None
            assert beside is not None
            assert np.array_equal(alone.decree, beside.decree)
            assert np.array_equal(alone.figures["emissions_abroad"], beside.figures["emissions_abroad"])

    def test_forbidden_levers_stay_at_rest(self, ground: Ground) -> None:
        everything = Candidate(name="all", kind="constant", decree=constant(HIGHEST, YEARS))
        kept = forbidden(everything, ["support_abroad", "coverage"])
        (found,) = play(ground.scenario, ground.economy, [kept], [1.0])
        assert found is not None
        names = list(LEVERS)
        assert not found.decree[:, [names.index("support_abroad"), names.index("coverage")]].any()
        assert found.decree[1:, names.index("export_rebate")].min() == 1.0
        assert found.figures["support_abroad"].sum() == 0

    def test_a_candidate_without_a_next_state_fails_alone(
        self, ground: Ground, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from carbonray.counterfactual import frontier_play
        from carbonray.worlds.cbam.market import MarketError

        def together(scenario: Any, economy: Any, candidates: Any, factors: Any) -> list[Played]:
            if any(candidate.name == "bad" for candidate in candidates):
                raise MarketError("none", (0, 0))
            return [Played(figures={}, decree=np.zeros((1, 1))) for _ in candidates]

        monkeypatch.setattr(frontier_play, "_together", together)
        names = ["a", "b", "bad", "c", "d"]
        found = play(ground.scenario, ground.economy, [Candidate(name=name, kind="lever") for name in names], [1.0] * 5)
        assert [one is None for one in found] == [False, False, True, False, False]

    def test_a_lever_alone_is_all_that_its_candidate_does(self, ground: Ground) -> None:
        law, whole = (
            one for one in play(ground.scenario, ground.economy, [LAW, SOME[2]], [1.0, 1.0]) if one is not None
        )
        found = effects(ground.scenario, ground.economy, SOME[2], 1.0)
        assert list(found) == ["support_abroad"]
        expected = float((whole.figures["emissions_abroad"] - law.figures["emissions_abroad"]).sum())
        assert found["support_abroad"]["leaked_mt"] == pytest.approx(expected, rel=1e-9)


class TestDecrees:
    def test_paths_are_straight_from_the_second_year_and_within_bounds(self) -> None:
        found = path(LOWEST - 1, HIGHEST + 1, 10)
        assert not found[0].any()
        assert (found >= LOWEST).all()
        assert (found <= HIGHEST).all()
        assert np.array_equal(found[1], LOWEST)
        assert np.array_equal(found[-1], HIGHEST)
        inside = path(np.zeros(6), HIGHEST, 10)
        np.testing.assert_allclose(np.diff(inside[1:], axis=0), np.tile(HIGHEST / 8, (8, 1)), atol=EXACT)

    def test_fixed_candidates_begin_with_the_law_and_turn_one_lever_each(self) -> None:
        found = fixed(10)
        assert [one.name for one in found[:4]] == ["law", "no-cbam", "moderate", "aggressive"]
        assert found[0].law == {}
        assert found[1].law["cbam"] is False
        for one in found[4:]:
            assert one.decree is not None
            assert (one.decree[1:] != 0).sum(1).tolist() == [1] * 9

    def test_levers_that_the_scenario_takes_away_are_left_out(self) -> None:
        found = fixed(10, ["export_rebate"])
        assert [one.name for one in found[4:]] == ["export_rebate +1"]

    def test_a_corner_is_any_combination_and_rest_is_first(self) -> None:
        every = corners(range(len(LEVERS)))
        assert len(set(every)) == len(every) == 2 * 3 * 3 * 2 * 2 * 2
        assert not any(every[0])
        assert corners([5]) == [(0.0,) * 6, (0.0,) * 5 + (0.1,)]
        assert len(neighbours(np.zeros(6), [0, 5])) == 2 + 3


class TestSearch:
    def test_cma_es_is_no_worse_than_the_grid_point_it_starts_from(self, ground: Ground) -> None:
        plays: list[int] = []

        def evaluate(decrees: Any) -> Any:
            plays.append(len(decrees))
            return evaluated(ground, decrees)

        value = calibrate_objective(ground.scenario).leakage
        quest = Quest(turned=tuple(range(len(LEVERS))), years=YEARS, value=value, budget=24)
        starts = grid(evaluate, quest, (1.0,))
        assert sum(plays) <= 24
        ends = climb(evaluate, quest, starts, seed=0)
        tried = evaluated(ground, [constant(starts[1.0].decree, YEARS), ends[1.0], constant(np.zeros(6), YEARS)])
        start, end, law = worth(tried, value, 1.0)
        assert start == starts[1.0].worth
        assert end >= start >= law

    def test_a_sphere_is_climbed(self) -> None:
        top = np.array([0.7, 0.2, 0.1, 0.4, 0.3, 0.05])

        def evaluate(decrees: Any) -> Any:
            return np.array([[-(((decree[1:] - top) / (HIGHEST - LOWEST)) ** 2).sum(), 0.0] for decree in decrees])

        quest = Quest(turned=tuple(range(6)), years=10, value=1.0, budget=1200)
        starts = grid(evaluate, quest, (1.0,))
        ends = climb(evaluate, quest, starts, seed=3)
        assert evaluate([ends[1.0]])[0, 0] > -0.01 > starts[1.0].worth

    def test_forbidden_levers_are_not_searched(self, ground: Ground) -> None:
        tried: list[Any] = []

        def evaluate(decrees: Any) -> Any:
            tried.extend(decrees)
            return np.array([[decree.sum(), 0.0] for decree in decrees])

        found = frontier_search.search(
            ground.scenario, evaluate, budget=24, without=["support_abroad"], weights=(1.0, 3.0)
        )
        assert [one.name for one in found] == [
            f"{kind}, leakage x {weight}, without support_abroad" for weight in (1, 3) for kind in ("constant", "path")
        ]
        assert not any(decree[:, 5].any() for decree in tried)
        assert any(decree[:, 4].any() for decree in tried)

    def test_weights_shift_what_a_play_is_worth(self) -> None:
        tried = np.array([[10.0, 2.0], [9.0, 1.0], [np.nan, np.nan]])
        assert worth(tried, 1.0, 1.0).tolist() == [10.0, 9.0, -math.inf]
        assert worth(tried, 1.0, 3.0).tolist() == [6.0, 7.0, -math.inf]


def small_frontier(scenario: Scenario, economy: Economy, **options: Any) -> Frontier:
    given = {"draws": 2, "budget": 0, "firms": 240, "place": Place(jobs=1)} | options
    return frontier(scenario, economy=economy, **given)


@pytest.mark.slow
class TestWhole:
    def test_the_law_differs_from_itself_by_nothing_and_same_seed_same_bytes(
        self, small_economy: Economy, small_scenario: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(outputs.HASHES, "cbam", lambda scenario: {})  # type: ignore[misc]
        scenario = small_scenario("law", years=2)
        folders = []
        for name, jobs in (("one", 1), ("two", 2)):
            found = small_frontier(
                scenario, small_economy, budget=13, without=["support-abroad"], place=Place(jobs=jobs)
            )
            law = found.summary["candidates"][0]
            assert all(value["mean"] == value["low"] == value["high"] == 0 for value in law["against"]["law"].values())
            folders.append(found.write(tmp_path / name, finish=write_frontier_report))
        for file in ("frontier.parquet", "frontier.json", "report.html"):
            assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file
        summary = json.loads((folders[0] / "frontier.json").read_text(encoding="utf-8"))
        assert len({row["name"] for row in summary["candidates"]}) == len(summary["candidates"])
        assert any(one["front"] for one in summary["candidates"])
        page = (folders[0] / "report.html").read_text(encoding="utf-8")
        assert "leaks least" in page
        assert "No learned regulator was judged" in page

    def test_draws_are_economies_of_their_own(self, small_economy: Economy, small_scenario: Make) -> None:
        found = small_frontier(small_scenario("law", years=2), small_economy, draws=3)
        assert found.table["seed"].nunique() == 3
        assert 0 not in set(found.table["seed"])
        assert found.table.groupby("draw")["home_reduction_mt"].first().nunique() == 3

    def test_a_learned_regulator_is_held_against_the_best_script(
        self, small_economy: Economy, small_scenario: Make, tmp_path: Path
    ) -> None:
        scenario = sized(small_scenario("law", years=2), 240)
        shape = shape_of(build_world(scenario, small_economy).roles["regulator"])
        folder = saved(tmp_path / "greens", lively(shape), role="regulator")
        found = small_frontier(scenario, small_economy, budget=12, regulators=[folder])
        (told,) = found.summary["learned"]
        assert told["name"] == "learned greens"
        assert told["objective_musd"]["count"] == 2


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"draws": 1}, "--draws 1: an interval needs at least two"),
        ({"budget": -1}, "--budget -1: give a number of decrees, or 0 for no search"),
        ({"without": ["tariffs"]}, "--without tariffs: no such lever; there are coverage, free_allocation"),
        ({"without": ["coverage"], "settings": ["regulator.levers=[export_rebate]"]}, "--without coverage: no such"),
        ({"without": list(LEVERS)}, "--without: leave the regulator a lever"),
        ({"regulators": ["absent"]}, "policy absent: there is no such folder"),
        ({"target": "climate-negotiation/none"}, "none: a frontier is of the cbam world"),
        ({"settings": ["years=1"]}, "law: years: a regulator turns the law from the second year on"),
        ({"settings": ["policy.enforced=false"]}, "law: policy.enforced: there is no law to compare with"),
    ],
)
def test_what_makes_no_sense_is_one_line(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        frontier(**options)
    assert str(refused.value).startswith(rule)


def test_a_policy_of_another_role_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "firm", lively(shape_of(role())))
    with pytest.raises(ScenarioError, match="decides for each firm, not for the regulator"):
        learned([folder])


def test_without_cmaes_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cmaes", None)
    with pytest.raises(ScenarioError, match=r"cmaes is not installed; pip install 'carbonray\[frontier\]'"):
        frontier("law")


def test_levers_may_be_written_with_hyphens() -> None:
    assert check_levers(["support-abroad", "support_abroad"], list(LEVERS)) == ("support_abroad",)
