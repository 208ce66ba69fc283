"""Trained agents beside rule agents: paired by seed, for all and for one, as figures, files and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from policies import always, saved, shape_of

from carbonray.config import ScenarioError
from carbonray.data.load_world import load_world
from carbonray.data.scenarios import load
from carbonray.kpi.leakage import interval
from carbonray.kpi.negotiation import NO_OTHER
from carbonray.learn import evaluate as evaluate_module
from carbonray.learn.evaluate import Evaluation, evaluate, summarised
from carbonray.learn.evaluate_text import learning_lines
from carbonray.learn.measures import FOCAL, QUANTITIES, focal
from carbonray.learn.networks import Decider
from carbonray.learn.policy_folder import load as load_policy
from carbonray.report import write_report
from carbonray.report.learning import section
from carbonray.report.learning_figures import KEYS, charts
from carbonray.report.summary_model import Learning, TrainedPolicy
from carbonray.runtime import pair
from carbonray.runtime.simulate import simulate
from carbonray.worlds.climate_negotiation.heads import MITIGATION, SAVINGS
from carbonray.worlds.world import WorldError

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

SIZE: dict[str, Any] = {"firms": 960, "years": 1}
EXACT = 1e-12


def firm(levels: tuple[int, int, int]) -> Decider:
    return always(
        shape_of(load_world(load("law", **{"firms.number": 960, "firms.learned": True})).roles["firm"]), levels
    )


def region(world: str, **levels: int) -> Decider:
    """Regions that save and cut, and nothing else."""
    shape = shape_of(load_world(world).roles["region"])
    wanted = {SAVINGS: levels["savings"], MITIGATION: levels["mitigation"]}
    return always(shape, [wanted.get(head, 0) for head in range(len(shape.heads))])


@pytest.fixture(scope="module")
def shrinking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("policies") / "shrinking", firm((0, 0, 0)))


@pytest.fixture(scope="module")
def everyone(shrinking: Path) -> Evaluation:
    return evaluate(shrinking, seeds=3, **SIZE)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Regions that cut everything."""
    decider = region("climate-negotiation/none", savings=2, mitigation=9)
    origin = {"world": "climate-negotiation", "scenario": "none", "role": "region"}
    return evaluate(saved(tmp_path_factory.mktemp("policies") / "calm", decider, **origin), seeds=2)


def figure(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in told["figures"] if each["name"] == name)


@pytest.mark.slow
class TestFirms:
    def test_every_seed_has_both_and_is_the_run_of_its_seed(self, everyone: Evaluation, shrinking: Path) -> None:
        table = everyone.learning.set_index(["seed", "run"])
        assert list(table.index) == [(seed, run) for seed in range(3) for run in ("trained", "rule")]
        scenario = load("law", seed=2, years=1, **{"firms.number": 960, "firms.learned": True})
        runs = {"rule": pair.run(scenario), "trained": pair.run(scenario, policy=load_policy(shrinking).trained)}
        for name, found in runs.items():
            years = found.policy.firms[0]
            output = 4 * found.world.firms.size.numpy()
            row = table.loc[(2, name)]
            assert row["output_musd"] == pytest.approx(found.policy.output.sum(), rel=EXACT)
            assert row["emissions_mt"] == pytest.approx(found.policy.emissions.sum(), rel=EXACT)
            assert row["reward_per_size"] == pytest.approx((years["profit"] / output).mean(), rel=1e-9)

    def test_firms_that_shrink_make_less_in_every_seed(self, everyone: Evaluation) -> None:
        told = figure(everyone.summary["learning"], "output_musd")
        assert told["difference_interval"][1] < -0.1 * told["rule"]
        assert everyone.summary["learning"]["seeds"] == [0, 1, 2]

    def test_seeds_draw_their_own_firms(self, everyone: Evaluation) -> None:
        assert everyone.learning.groupby("run")["reward_per_size"].nunique().tolist() == [3, 3]

    def test_of_one_the_firm_alone_is_told_and_the_economy_goes_on(self, shrinking: Path) -> None:
        alone = evaluate(shrinking, seeds=2, one=True, **SIZE)
        told = alone.summary["learning"]
        assert told["one"] is True
        assert alone.summary["replicas"] == FOCAL
        table = alone.learning.set_index(["seed", "run"])
        share = table["output_per_size"].xs("trained", level="run") / table["output_per_size"].xs("rule", level="run")
        assert (share < 0.85).all()
        rates = [table["leakage_rate"].xs(run, level="run") for run in ("trained", "rule")]
        assert np.abs(rates[0] - rates[1]).max() < 0.01

    def test_the_folder_is_a_run_with_a_page(self, everyone: Evaluation, tmp_path: Path) -> None:
        out = everyone.write(tmp_path / "run", write_report)
        back = pd.read_parquet(out / "learning.parquet")
        pd.testing.assert_frame_equal(back, everyone.learning)
        page = (out / "report.html").read_text(encoding="utf-8")
        assert "Trained firms beside rule firms" in page
        assert "The policy is shrinking: one small network, trained by vdn under cbam/law" in page
        assert "carbonray evaluate shrinking --on-scenario cbam/law" in page
        assert "Firms follow the trained policy shrinking" in page
        assert all((out / "figures" / f"{key}.png").stat().st_size > 5000 for key in KEYS)
        assert page.index("Trained firms beside rule firms: law") < page.index("The trained run of seed 0")

    def test_the_command_line_has_a_row_for_every_figure(self, everyone: Evaluation) -> None:
        lines = learning_lines(everyone.summary["learning"])
        said = [line.strip().partition("  ")[0] for line in lines[1:]]
        told = [figure["name"] for figure in everyone.summary["learning"]["figures"]]
        labels = [QUANTITIES["firm"][name].label for name in told]
        assert said[: len(labels)] == [f"{label[0].lower()}{label[1:]}" for label in labels]
        assert set(lines) <= set(everyone.lines())

    def test_a_scenario_that_is_changed_to_fit_is_told_as_in_a_run(self, everyone: Evaluation, shrinking: Path) -> None:
        told = simulate("law", policy=shrinking, robust=False, **SIZE).notices
        assert list(everyone.notices) == list(told) == ["firms.learned=true: this policy re-sources and relocates"]
        fitting = evaluate(shrinking, seeds=1, settings=["firms.learned=true"], **SIZE)
        assert fitting.notices == []


class TestRegions:
    def test_who_cuts_everything_warms_less(self, calm: Evaluation) -> None:
        told = calm.summary["learning"]
        assert figure(told, "mitigation")["trained"] == pytest.approx(0.9)
        assert figure(told, "mitigation")["rule"] == 0
        assert figure(told, "temperature_c")["difference"] < -1

    def test_a_world_without_chance_is_said_to_have_none(self, calm: Evaluation, tmp_path: Path) -> None:
        told = figure(calm.summary["learning"], "temperature_c")
        assert told["difference_interval"] == [told["difference"]] * 2
        page = calm.write(tmp_path / "run", write_report) / "report.html"
        text = page.read_text(encoding="utf-8")
        assert "Trained regions beside rule regions" in text
        assert "All seeds gave the same: nothing in this scenario is left to chance." in text
        assert "regions follow the trained policy calm, and the policy stays as it is" in text

    def test_a_club_that_all_join_leaks_to_nobody_and_says_so(self) -> None:
        found = evaluate("climate-negotiation/club", seeds=1)
        told = found.summary["learning"]
        assert figure(told, "leakage_rate")["trained"] is None
        assert told["undefined"] == [{"run": "trained", "reason": NO_OTHER, "seeds": [0]}]
        assert f"  leakage is undefined with trained regions in 1 of 1: {NO_OTHER}" in found.lines()

    def test_one_region_alone_is_each_of_them_in_turn(self, tmp_path: Path) -> None:
        origin = {"world": "climate-negotiation", "scenario": "none", "role": "region"}
        decider = region("climate-negotiation/none", savings=2, mitigation=9)
        found = evaluate(saved(tmp_path / "calm", decider, **origin), seeds=1, one=True)
        told = found.summary["learning"]
        assert found.summary["replicas"] == 27
        assert figure(told, "mitigation")["trained"] == pytest.approx(0.9)
        assert figure(told, "temperature_c")["difference"] > -0.5
        assert figure(told, "temperature_c")["difference_interval"] is None


class TestBrokenWorlds:
    """Seeds in which trained agents bring the world to a state that has no next."""

    @staticmethod
    def breaking(monkeypatch: pytest.MonkeyPatch, *seeds: int) -> None:
        played = evaluate_module._seed

        def play(scenario: Any, *given: Any) -> Any:
            if scenario.seed in seeds:
                raise WorldError(f"no prices in seed {scenario.seed}")
            return played(scenario, *given)

        monkeypatch.setattr(evaluate_module, "_seed", play)

    def test_they_are_left_out_and_named(
        self, shrinking: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.breaking(monkeypatch, 0)
        found = evaluate(shrinking, seeds=2, **SIZE)
        assert set(found.learning["seed"]) == {1}
        assert not found.summary["interrupted"]
        assert "seed 0 is left out: no prices in seed 0" in found.notices
        page = (found.write(tmp_path / "run", write_report) / "report.html").read_text(encoding="utf-8")
        assert "Left out, because agents brought the simulated world to an impossible state: seed 0." in page

    def test_it_is_an_error_where_all_are(self, shrinking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.breaking(monkeypatch, 0, 1)
        with pytest.raises(WorldError, match="seed 0"):
            evaluate(shrinking, seeds=2, **SIZE)


def test_focal_agents_are_drawn_from_all_and_differ_by_seed() -> None:
    several = np.concatenate([focal(seed, 10_000) for seed in range(200)])
    assert several.shape == (200 * FOCAL, 1)
    assert 0 <= several.min() < 100
    assert 9_900 <= several.max() < 10_000
    assert abs(several.mean() - 5_000) < 4 * 10_000 / np.sqrt(12 * len(several))  # one in 16,000
    assert focal(0, 27).tolist() == [[place] for place in range(27)]


TABLE = pd.DataFrame(
    {
        "seed": [0, 0, 1, 1, 2, 2],
        "run": ["trained", "rule"] * 3,
        "leakage_rate": [0.3, 0.1, 0.5, 0.2, None, 0.3],
        "emissions_mt": [90.0, 100.0, 95.0, 110.0, 80.0, 100.0],
    }
).astype({"leakage_rate": float})


class TestSummarised:
    def test_lines_name_the_unit_of_each_figure_and_align(self) -> None:
        head, leakage, emissions = learning_lines(summarised(TABLE, role="firm", one=False))
        assert head.split("  ")[1] == "means over 3 seeds"
        assert leakage.split() == [
            "leakage,", "all", "sectors", "%", "40.00", "15.00", "+25.00", "[-38.53", "to", "+88.53]", "for", "both",
            "in", "2", "of", "3",
        ]  # fmt: skip
        assert "a year  Mt CO2 " in emissions
        assert emissions.split()[-6:] == ["88.33", "103.3", "-15.00", "[-27.42", "to", "-2.579]"]
        ends = [line.index(end) + len(end) for line, end in ((head, "difference"), (leakage, "+25.00"))]
        assert ends[0] == ends[1]

    def test_differences_are_paired_and_what_a_seed_lacks_is_left_out(self) -> None:
        told = summarised(TABLE, role="firm", one=False)
        leakage, emissions = told["figures"]
        assert (leakage["seeds"], emissions["seeds"]) == (2, 3)
        assert leakage["difference"] == pytest.approx(0.25)
        assert leakage["difference_interval"] == pytest.approx(list(interval(np.array([0.2, 0.3])) or ()))
        assert emissions["difference"] == pytest.approx(-15)
        assert emissions["difference_interval"] == pytest.approx(list(interval(np.array([-10.0, -15.0, -20.0])) or ()))

    def test_the_page_tells_chance_from_more(self) -> None:
        told = Learning.model_validate(summarised(TABLE, role="firm", one=False))
        policy = TrainedPolicy(name="mine", method="ppo", scenario="cbam/law")
        found = section(told, policy)
        assert found is not None
        said = " ".join(found.sentences).replace("\u00a0", " ")
        assert "Leakage, all sectors: 40.0 % instead of 15.0 %, a difference of +25.0 points" in said
        assert "which cannot be told from chance" in said
        assert "Leakage, all sectors is defined for both in 2 of 3 seeds." in said
        rates, amounts = charts(told)
        assert rates.data["y"].tolist() == pytest.approx([25])
        assert amounts.data["y"].tolist() == pytest.approx([-100 * 15 / (310 / 3)])

    def test_other_runs_have_no_such_section(self) -> None:
        assert section(None, None) is None
        assert charts(None) == []


def test_no_seed_is_refused(shrinking: Path) -> None:
    with pytest.raises(ScenarioError, match=r"^--seeds 0: give a number of seeds, at least 1$"):
        evaluate(shrinking, seeds=0, **SIZE)


def test_a_policy_of_another_world_is_refused(shrinking: Path) -> None:
    with pytest.raises(ScenarioError, match=r"decides for each firm, but climate-negotiation/none has region"):
        evaluate(shrinking, target="climate-negotiation/none", seeds=1)


def test_ctrl_c_keeps_whole_seeds(shrinking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from carbonray.learn import evaluate as module

    whole, calls = module._seed, []

    def stopped(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return whole(*args, **options) if len(calls) < 2 else (None, [])

    monkeypatch.setattr(module, "_seed", stopped)
    found = evaluate(shrinking, seeds=5, **SIZE)
    assert found.summary["interrupted"] is True
    assert found.summary["learning"]["seeds"] == [0]
    assert "stopped after seed 0" in found.notices
    assert not any("interrupted" in line for line in found.lines())
    with pytest.raises(KeyboardInterrupt):
        evaluate(shrinking, seeds=5, **SIZE)
