"""Sweeps: what they run, what they refuse, what they write, and that a stopped one goes on with the same bytes."""

import importlib
import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from carbonray.config import ScenarioError
from carbonray.counterfactual import sweep_folder
from carbonray.counterfactual.sweep import go_on, resume_sweep, sweep
from carbonray.counterfactual.sweep_asked import parse_grid, seeds_of, span_text, written
from carbonray.counterfactual.sweep_columns import Tables, flat, layout_of, tables_of
from carbonray.counterfactual.sweep_figures import Shown
from carbonray.counterfactual.sweep_folder import alone, finished, keep, open_folder, part
from carbonray.counterfactual.sweep_manifest import manifest_of, planned_in, read_manifest
from carbonray.counterfactual.sweep_plan import Plan, Run, plan_sweep
from carbonray.counterfactual.sweep_result import SweepResult, _over_seeds
from carbonray.counterfactual.sweep_run import carry_out, work_of
from carbonray.counterfactual.sweep_worlds import SWEPT
from carbonray.data import DataError
from carbonray.runtime.outputs import OutputError
from carbonray.runtime.simulate import RUNNERS, simulate
from carbonray.runtime.simulate_cbam import TIMINGS
from carbonray.runtime.work import MOST_LOST, on_processes, on_ray, place_for

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

TIGHT = 1e-9
CLUB = "climate-negotiation/club"
SMALL: dict[str, Any] = {"settings": ["economy=world-2011"], "firms": 720, "years": 1}
"""The smallest runs that a built-in table allows."""
STUCK = ["market.final_demand={}", "disruptions.events=[{region: CHN, sector: MET, year: 2026, quarters: 4}]"]
"""A shortage in which no prices clear the market where final demand does not react to them."""


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestPlan:
    def test_runs_are_numbered_by_scenario_then_grid_then_seed(self) -> None:
        grid = {"policy.price.2035": [100, 200], "market.sigma_scale": [1, 2]}
        plan = plan_sweep(["law", "moderate"], seeds="3,5", grid=grid)
        assert plan.count == 16
        told = [(run.scenario.name, run.chosen, run.scenario.seed) for run in map(plan.run, range(16))]
        assert told[0] == ("law", (100.0, 1.0), 3)
        assert told[1] == ("law", (100.0, 1.0), 5)
        assert told[2] == ("law", (100.0, 2.0), 3)
        assert told[4] == ("law", (200.0, 1.0), 3)
        assert told[8] == ("moderate", (100.0, 1.0), 3)
        assert plan.run(6).scenario.policy.price[2035] == 200
        assert plan.run(6).scenario.market.sigma_scale == 2

    def test_values_are_those_that_the_scenario_understood(self) -> None:
        grid = parse_grid(["policy.cbam=yes,off", "policy.price.2035=1e2,150", "firms.number=720,'800'", "home=[EU26]"])
        plan = plan_sweep("law", grid=grid, settings=["economy=world-2011"])
        assert plan.run(0).chosen == (True, 100.0, 720, ["EU26"])
        assert plan.run(7).chosen == (False, 150.0, 800, ["EU26"])
        kinds = [str(kind) for kind in layout_of(plan).results.types[3:7]]
        assert kinds == ["bool", "double", "int64", "string"]

    def test_numbers_of_numpy_are_values_too(self) -> None:
        plan = plan_sweep("law", grid={"policy.price.2035": np.linspace(0, 100, 3)}, seeds=np.arange(2))
        assert plan.grid == {"policy.price.2035": ["0.0", "50.0", "100.0"]}
        assert plan.seeds == (0, 1)

    def test_without_seeds_it_is_that_of_the_scenarios(self) -> None:
        assert plan_sweep("law", settings=["seed=7"]).seeds == (7,)

    def test_a_grid_may_make_a_setting_possible(self) -> None:
        plan = plan_sweep(
            "climate-negotiation/none",
            settings=["negotiation.options.floor=0.3"],
            grid={"negotiation.protocol": ["club", "border-club"]},
        )
        assert [run.scenario.negotiation.protocol for run in map(plan.run, range(2))] == ["club", "border-club"]

    @pytest.mark.parametrize(
        ("text", "seeds"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0, 3,7", (0, 3, 7)), ("5-6,1-1", (5, 6, 1))]
    )
    def test_seeds_are_read(self, text: str, seeds: tuple[int, ...]) -> None:
        assert seeds_of(text) == seeds
        assert seeds_of(seeds) == seeds

    def test_seeds_are_told_in_short(self) -> None:
        assert span_text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"

    @pytest.mark.parametrize("value", [1e-5, 0.1, float("inf"), True, None, "yes", "1", [1, 2.5], {2030: 1.0}])
    def test_a_value_is_written_so_that_it_is_read_again(self, value: Any) -> None:
        (found,) = parse_grid([f"key={written(value)}"])["key"]
        assert found == value
        assert type(found) is type(value)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"targets": []}, "a sweep needs at least one scenario"),
    "no scenario": ({"targets": "lew"}, "lew: unknown scenario"),
    "two worlds": ({"targets": ["law", CLUB]}, f"{CLUB}: is of world climate-negotiation, law of cbam"),
    "one target twice": ({"targets": ["law", "cbam/law"]}, "law: two scenarios have this name"),
    "an object": ({"targets": [3]}, "a sweep takes names and files of scenarios (got int)"),
    "unknown key": ({"grid": {"polcy.price": [3]}}, "law.yaml: polcy: unknown key"),
    "last value bad": ({"grid": {"policy.incidence": [0.1, 1.2]}}, "law.yaml: policy.incidence: Input should be less"),
    "unknown region": ({"grid": {"home": [["EU26"], ["EU27"]]}}, "law: home: unknown region EU27"),
    "too few firms": ({"grid": {"firms.number": [960, 200]}}, "firms.number: 200 firms are too few"),
    "no value": ({"grid": {"policy.price.2035": []}}, "--grid policy.price.2035: give a list of at least one value"),
    "a single value": (
        {"grid": {"policy.price.2035": 3}},
        "--grid policy.price.2035: give a list of at least one value",
    ),
    "a text of values": ({"grid": {"policy.price.2035": "1,2"}}, "--grid policy.price.2035: give a list"),
    "value twice": ({"grid": {"policy.price.2035": [100, 100.0]}}, "--grid policy.price.2035: 100.0 is there twice"),
    "no value at all": ({"grid": {"policy.price.2035": [object()]}}, "is no value of a scenario"),
    "key set too": (
        {"grid": {"policy.price.2035": [1]}, "settings": ["policy.price.2035=2"]},
        "--grid policy.price.2035: --set gives policy.price.2035 too",
    ),
    "group set too": (
        {"grid": {"market": [{"inputs": 0.1}]}, "settings": ["market.sigma_scale=2"]},
        "--grid market: --set gives market.sigma_scale too",
    ),
    "option too": ({"grid": {"years": [1, 2]}, "years": 3}, "--grid years: --years gives years too"),
    "a grid of seeds": ({"grid": {"seed": [1, 2]}}, "--grid seed: give --seeds"),
    "a grid of names": ({"grid": {"name": ["a", "b"]}}, "--grid name: says which run it is"),
    "seeds and a seed": ({"seeds": "0-3", "settings": ["seed=2"]}, "--set seed: --seeds has the seeds"),
    "foreign option": ({"targets": CLUB, "firms": 3}, "--firms: cbam only"),
    "unknown option": ({"device": "cuda"}, "device: a sweep takes no such option"),
    "settings as a text": ({"settings": "years=1"}, "settings: give a list of KEY=VALUE"),
    "bad option of a protocol": (
        {"targets": CLUB, "grid": {"negotiation.options.floor": [0.2, 1.4]}},
        "club: negotiation.options.floor: must be a rate in [0, 1] (got 1.4)",
    ),
    "seed below zero": ({"seeds": [-1]}, "a seed is a whole number from 0"),
    "seed in halves": ({"seeds": [1.5]}, "1.5 is not a whole number"),
    "seed twice": ({"seeds": "0-3,2"}, "--seeds: 2 is given twice"),
    "seeds in words": ({"seeds": "all"}, "--seeds all: write 0-9 or 0,3,7"),
    "seeds downwards": ({"seeds": "9-0"}, "--seeds 9-0: the first is above the last"),
    "no seeds": ({"seeds": []}, "--seeds: give at least one"),
    "too many seeds": ({"seeds": "1-99999999999"}, "the sweep would have 99,999,999,999 runs"),
    "too many runs": ({"seeds": "0-99999", "targets": ["law", "moderate"]}, "the sweep would have 200,000 runs"),
    "no such place": ({"on": "moon"}, "--on moon: choose process or ray"),
    "address of processes": ({"on": "process", "address": "a:1"}, "--address a:1: is for --on ray"),
    "no jobs": ({"jobs": 0}, "--jobs 0: at least one run"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_be_run_is_refused_in_one_line_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    asked, words = REFUSED[kind]
    with pytest.raises(ScenarioError) as refused:
        sweep(**{"targets": "law", "out": tmp_path / "out"} | asked)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="atlantis"):
        sweep("law", grid={"economy": ["world-2011", "atlantis"]}, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["policy.price", "=3", "years=[1", "years=1], [2", "years={"])
def test_a_grid_that_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="--grid"):
        parse_grid([text])


def test_a_key_of_the_grid_is_given_once() -> None:
    with pytest.raises(ScenarioError, match=r"--grid policy\.paid-share: is given twice"):
        parse_grid(["policy.paid_share=0.1", "policy.paid-share=0.2"])


class TestFolder:
    @pytest.fixture
    def plan(self) -> Plan:
        return plan_sweep(["law", "moderate"], seeds="0-1", grid={"policy.price.2035": [100, 150]}, **SMALL)

    def test_the_manifest_tells_what_was_asked(self, plan: Plan, tmp_path: Path) -> None:
        open_folder(plan, tmp_path / "out")
        found = read_manifest(tmp_path / "out")
        assert found["asked"] == {
            "targets": ["law", "moderate"],
            "settings": ["economy=world-2011"],
            "options": {"firms": 720, "years": 1},
        }
        assert (found["world"], found["scenarios"], found["runs"]) == ("cbam", ["law", "moderate"], 8)
        assert (found["seeds"], found["grid"]) == ([0, 1], {"policy.price.2035": ["100.0", "150.0"]})
        assert {"torch", "python", "cpu"} <= found["versions"].keys()
        assert "world-2011-transactions" in found["datasets"]
        assert len(list((tmp_path / "out" / "scenarios").iterdir())) == 2

    def test_the_same_sweep_however_it_is_typed_finds_its_folder(self, plan: Plan, tmp_path: Path) -> None:
        open_folder(plan, tmp_path / "out")
        before = files(tmp_path)
        settings = ["firms.number=720", "years=1", "economy=world-2011"]
        again = plan_sweep(
            ["cbam/law", "cbam/moderate"], seeds=[0, 1], grid={"policy.price.2035": [100.0, "150"]}, settings=settings
        )
        open_folder(again, tmp_path / "out")
        assert files(tmp_path) == before

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"targets": ["law"]}, "scenarios: law, moderate there, law here"),
            ({"seeds": "0-2"}, "--seeds: 0-1 there, 0-2 here"),
            ({"grid": {}}, "--grid policy.price.2035: 100.0, 150.0 there, not varied here"),
            ({"grid": {"policy.price.2035": [100, 160]}}, "policy.price.2035: 100.0, 150.0 there, 100.0, 160.0 here"),
            ({"firms": 721}, "law: firms.number: 720 there, 721 here"),
            ({"settings": []}, "law: economy: world-2011 there, goods-2026 here"),
        ],
    )
    def test_another_sweep_is_refused_and_told_what_differs(
        self, plan: Plan, tmp_path: Path, changed: dict[str, Any], words: str
    ) -> None:
        open_folder(plan, tmp_path / "out")
        before = files(tmp_path)
        asked = SMALL | {"firms": 960 if changed.get("settings") == [] else 720}
        asked |= {"targets": ["law", "moderate"], "seeds": "0-1", "grid": {"policy.price.2035": [100, 150]}}
        with pytest.raises(OutputError) as refused:
            sweep(**asked | changed, out=tmp_path / "out")
        assert words in str(refused.value)
        assert str(refused.value).startswith(f"{tmp_path / 'out'}: holds another sweep: ")
        assert "\n" not in str(refused.value)
        assert files(tmp_path) == before

    @pytest.mark.parametrize("key", ["versions", "datasets", "scenarios_sha256"])
    def test_runs_that_would_differ_here_and_now_are_refused(self, plan: Plan, tmp_path: Path, key: str) -> None:
        open_folder(plan, tmp_path / "out")
        path = tmp_path / "out" / "manifest.json"
        now = manifest_of(plan)
        old = {"versions": now["versions"]["torch"], "datasets": now["datasets"]["world-2011-cells"]}.get(key, now[key])
        path.write_text(path.read_text().replace(f'"{old}"', '"another"', 1))
        with pytest.raises(OutputError, match="holds another sweep: "):
            resume_sweep(tmp_path / "out")

    def test_a_folder_without_a_sweep_is_refused(self, plan: Plan, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="exists already and holds no sweep"):
            open_folder(plan, tmp_path)
        with pytest.raises(OutputError, match=r"holds no sweep \(manifest.json is missing\)"):
            resume_sweep(tmp_path)
        (tmp_path / "manifest.json").write_text("{")
        with pytest.raises(OutputError, match=r"manifest.json: is not JSON"):
            resume_sweep(tmp_path)
        (tmp_path / "manifest.json").write_text("[]")
        with pytest.raises(OutputError, match="is not the manifest of a sweep; it has no world"):
            resume_sweep(tmp_path)

    def test_a_plan_is_read_again_from_its_folder_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        home = tmp_path / "home"
        home.mkdir()
        monkeypatch.chdir(home)
        (home / "pact.py").write_text("def pact(offers, situation, *, floor=0.3): ...\n")
        (home / "mine.yaml").write_text("world: climate-negotiation\nnegotiation: {options: {floor: 0.5}}\n")
        grid = {"negotiation.protocol": ["club", "pact.py:pact"]}
        plan = plan_sweep("mine.yaml", seeds="4-5", grid=grid, replicas=2)
        open_folder(plan, tmp_path / "out")
        (home / "mine.yaml").unlink()
        monkeypatch.chdir(tmp_path)
        again = planned_in(Path("out"))
        assert [again.run(number) for number in range(4)] == [plan.run(number) for number in range(4)]
        assert (again.keys, again.world) == (plan.keys, plan.world)

    def test_values_without_end_are_read_again(self, tmp_path: Path) -> None:
        plan = plan_sweep("law", grid={"market.factor_supply": [1.0, float("inf")]})
        open_folder(plan, tmp_path / "out")
        assert planned_in(tmp_path / "out").combinations == plan.combinations

    def test_only_one_sweep_at_a_time_is_at_work_in_a_folder(self, plan: Plan, tmp_path: Path) -> None:
        open_folder(plan, tmp_path / "out")
        second = ExitStack()
        with alone(tmp_path / "out"), pytest.raises(OutputError, match="out: another sweep is at work in it"):
            second.enter_context(alone(tmp_path / "out"))
        with second:
            second.enter_context(alone(tmp_path / "out"))

    def test_a_part_is_there_only_when_both_its_files_are_whole(self, plan: Plan, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        open_folder(plan, folder)
        layout = layout_of(plan)
        for number in range(4):
            keep(folder, number, _empty(layout))
        assert finished(folder, plan) == [0, 1, 2, 3]
        part(folder, "years", 0).unlink()
        part(folder, "results", 1).write_bytes(part(folder, "results", 1).read_bytes()[:-20])
        part(folder, "results", 2).write_bytes(b"")
        assert finished(folder, plan) == [3]

    def test_what_was_half_written_is_cleared(self, plan: Plan, tmp_path: Path) -> None:
        open_folder(plan, tmp_path / "out")
        half = tmp_path / "out" / "results" / ".draft-run-000000.parquet"
        half.write_bytes(b"PAR1")
        with alone(tmp_path / "out"):
            assert not half.exists()

    def test_a_part_that_cannot_be_written_is_one_line_and_leaves_nothing(
        self, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        open_folder(plan, tmp_path / "out")
        before = files(tmp_path)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"out: cannot be written \(No space left on device\)"):
            keep(tmp_path / "out", 0, _empty(layout_of(plan)))
        assert files(tmp_path) == before


def _empty(layout: Any) -> Tables:
    return Tables(results=layout.results.empty_table(), years=layout.years.empty_table())


class TestColumns:
    def test_every_world_can_be_swept(self) -> None:
        assert set(SWEPT) == set(RUNNERS)

    @pytest.mark.parametrize(
        ("target", "options", "left_out"),
        [
            ("law", SMALL | {"replicas": 2}, {*TIMINGS, "firm_steps"}),
            (CLUB, {"replicas": 2, "settings": ["behaviour.kind=random"]}, {*TIMINGS, "region_steps"}),
        ],
    )
    def test_every_figure_of_a_summary_has_its_column(
        self, target: str, options: dict[str, Any], left_out: set[str]
    ) -> None:
        plan = plan_sweep(target, **options)
        layout, run = layout_of(plan), plan.run(0)
        result: Any = simulate(run.scenario, robust=False)
        figures = flat(result.summary)
        told_elsewhere = {"world", "interrupted", "actions_file", "region_steps_per_second"}
        bounds = {name for name in figures if name.startswith("index_bounds.")}
        assert figures.keys() - left_out - told_elsewhere - bounds <= set(layout.results.names)
        row = tables_of(layout, run, result).results.to_pylist()[0]
        shown = {name: value for name, value in row.items() if name not in ("run_number", "scenario", "seed")}
        assert {name: figures.get(name) for name in shown} == shown

    def test_all_parts_have_one_schema_even_over_economies(self) -> None:
        plan = plan_sweep("law", grid={"economy": ["world-2011", "goods-2011"]}, firms=960)
        names = layout_of(plan).results.names
        assert {"leakage_rate_by_sector.MET", "leakage_rate_by_sector.STL"} <= set(names)
        assert len(names) == len(set(names))

    def test_a_grid_over_a_figure_gives_one_column(self) -> None:
        names = layout_of(plan_sweep("law", grid={"replicas": [1, 2]}, **SMALL)).results.names
        assert names.count("replicas") == 1
        assert "leakage_rate.low" in names

    def test_columns_say_their_units(self) -> None:
        layout = layout_of(plan_sweep("law"))
        units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in layout.results}
        assert units["home_reduction_mt"] == "Mt CO2 over the run"
        assert units["leakage_rate_by_sector.STL"] == "fraction"
        assert {name for name, unit in units.items() if not unit} == {"scenario", "seed", "undefined_reason"}

    def test_years_add_up_to_the_run(self) -> None:
        plan = plan_sweep("law", **SMALL | {"years": 2})
        tables = carry_out(layout_of(plan), plan.run(0)).tables
        assert tables is not None
        (row,), years = tables.results.to_pylist(), tables.years.to_pandas()
        assert list(years["year"]) == [2026, 2027]
        pairs = {
            "home_reduction_mt": "home_reduction_mt",
            "foreign_increase_cbam_goods_mt": "foreign_increase_cbam_goods_mt",
            "carbon_cost_musd": "revenue_musd.carbon_price",
            "free_allocation_musd": "revenue_musd.free_allocation",
            "border_charge_musd": "revenue_musd.border_charge",
            "abatement_cost_musd": "abatement_cost_musd",
        }
        for column, figure in pairs.items():
            assert years[column].sum() == pytest.approx(row[figure], rel=TIGHT, abs=TIGHT)
        assert years["leakage_rate"].iloc[-1] == pytest.approx(row["leakage_rate_final_year"], rel=TIGHT)
        fall = years["emissions_home_reference_mt"] - years["emissions_home_mt"]
        assert np.allclose(fall, years["home_reduction_mt"], rtol=1e-6)

    def test_years_of_a_negotiation_have_both_runs(self) -> None:
        plan = plan_sweep(CLUB)
        tables = carry_out(layout_of(plan), plan.run(0)).tables
        assert tables is not None
        years = tables.years.to_pandas()
        assert list(years["run"].unique()) == ["policy", "reference"]
        last = years[(years["run"] == "policy") & (years["year"] == 2115)]["temperature_c"].item()
        assert last == tables.results.to_pylist()[0]["temperature_c"]

    def test_an_undefined_figure_is_null(self) -> None:
        plan = plan_sweep("no-policy", **SMALL)
        tables = carry_out(layout_of(plan), plan.run(0)).tables
        assert tables is not None
        row = tables.results.to_pylist()[0]
        assert row["leakage_rate"] is None
        assert row["undefined_reason"].startswith("emissions at home do not fall")
        assert tables.years["leakage_rate"].to_pylist() == [None]

    def test_the_same_run_gives_the_same_tables(self) -> None:
        plan = plan_sweep("law", **SMALL)
        layout, run = layout_of(plan), plan.run(0)
        first, second = (carry_out(layout, run).tables for _ in range(2))
        assert first is not None
        assert second is not None
        assert first.results.equals(second.results, check_metadata=True)
        assert first.years.equals(second.years, check_metadata=True)


class TestFailure:
    def test_a_market_that_does_not_clear_is_an_answer(self) -> None:
        plan = plan_sweep("law", **SMALL | {"settings": ["economy=world-2011", "market.final_demand_other=0", *STUCK]})
        answer = carry_out(layout_of(plan), plan.run(0))
        assert answer.tables is None
        assert answer.failure is not None
        assert (answer.failure.kind, answer.failure.trace) == ("MarketError", "")
        assert "no prices clear the market" in answer.failure.message

    def test_a_fault_of_the_program_is_kept_with_its_trace(self) -> None:
        plan = plan_sweep("law", **SMALL)
        answer = carry_out(layout_of(plan), Run(number=3, scenario=plan.run(0).scenario, chosen=("too", "many")))
        assert answer.number == 3
        assert answer.failure is not None
        assert "Traceback" in answer.failure.trace

    @pytest.mark.parametrize(
        ("part", "change", "words"),
        [
            ("versions", {"torch": "1.0"}, r": has torch .*; the sweep began with 1\.0"),
            ("versions", {"cpu": "Z80"}, ": has cpu .*; the sweep began with Z80"),
            ("tables", {"world-2011-cells": "0"}, ": world-2011-cells is not the table that the sweep began with"),
        ],
    )
    def test_a_machine_with_other_versions_or_tables_runs_nothing(
        self, part: str, change: dict[str, str], words: str
    ) -> None:
        plan = plan_sweep("law", **SMALL)
        layout = layout_of(plan)
        began = replace(layout.origin, **{part: getattr(layout.origin, part) | change})
        answer = carry_out(replace(layout, origin=began), plan.run(0))
        assert answer.failure is not None
        assert answer.failure.kind == "DataError"
        assert re.search(words, answer.failure.message)


class TestOnRay:
    def test_a_cluster_without_cores_is_refused_unless_it_may_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("carbonray.runtime.cluster.connected", lambda address: ExitStack())
        monkeypatch.setattr("carbonray.runtime.cluster.cores", lambda: 0)
        plan = plan_sweep("law", **SMALL)
        with pytest.raises(ScenarioError, match=r"--on ray: the cluster has no cores to run on; .* give --jobs"):
            next(on_ray(work_of(plan, layout_of(plan)), [0]))


class TestWords:
    SHOWN = Shown("leakage", "leakage_rate", "%", 100.0)

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ([0.01, 0.03], "2.00 [1.00, 3.00]"),
            ([0.01], "1.00 of 1"),
            ([0.01, np.nan], "1.00 of 1"),
            ([np.nan, np.nan], "undefined"),
            ([], "no run"),
        ],
    )
    def test_figures_are_told_over_seeds(self, values: Sequence[float], told: str) -> None:
        assert _over_seeds(pd.Series(values, dtype=float), self.SHOWN, 2) == told

    def test_many_combinations_are_cut_short(self, tmp_path: Path) -> None:
        plan = plan_sweep("law", grid={"policy.price.2035": list(range(45))}, **SMALL)
        open_folder(plan, tmp_path / "out")
        layout = layout_of(plan)
        row = dict.fromkeys(layout.results.names) | {"run_number": 0, "leakage_rate": 0.25}
        table = layout.results.empty_table().from_pylist([row], schema=layout.results)
        keep(tmp_path / "out", 0, Tables(results=table, years=layout.years.empty_table()))
        lines = SweepResult(folder=tmp_path / "out", plan=plan, layout=layout, finished=[0]).lines()
        assert lines[0] == "1 of 45 runs"
        assert re.split(" {2,}", lines[1].strip()) == [
            "scenario", "policy.price.2035", "leakage, all sectors, %", "leakage, CBAM goods, %",
        ]  # fmt: skip
        assert lines[2].split() == ["law", "0", "25.00", "undefined"]
        assert lines[3].split() == ["law", "1", "no", "run", "no", "run"]
        assert lines[-2] == "  and 5 more combinations"

    def test_a_sweep_without_a_finished_run_has_empty_tables(self, tmp_path: Path) -> None:
        plan = plan_sweep("law", **SMALL)
        result = SweepResult(folder=tmp_path, plan=plan, layout=layout_of(plan), finished=[])
        assert len(result.table) == len(result.years) == 0
        assert "leakage_rate" in result.table
        assert result.lines()[0] == "0 of 1 runs"


DEADLY = """
import os
from carbonray.counterfactual import sweep_run

def carry_out(layout, run):
    if run.scenario.seed == 0:
        os._exit(9)  # as a run that needs more memory than there is
    return sweep_run.carry_out(layout, run)
"""


FAILING = """
times = []

def carry_out(layout, run):
    times.append(run)
    raise KeyError(f"no such thing {len(times)}")
"""


class CountingPlan:
    """A plan that knows how many runs were handed out."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.given = 0

    def run(self, number: int) -> Run:
        self.given += 1
        return self.plan.run(number)


def crew_pids() -> set[int]:
    """Side processes of this test."""
    children = {
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }
    return {pid for pid in children if b"runtime.processes" in Path(f"/proc/{pid}/cmdline").read_bytes()}


ASKED: dict[str, Any] = SMALL | {"seeds": "0-2", "grid": {"policy.price.2035": [100, 150]}}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole sweep of six runs."""
    out = tmp_path_factory.mktemp("clean") / "out"
    result = sweep("law", out=out, jobs=2, **ASKED)
    assert (len(result.finished), result.failures, result.interrupted) == (6, [], False)
    return out


@pytest.mark.slow
class TestOnProcesses:
    @pytest.fixture
    def stopped(self, clean: Path, tmp_path: Path) -> Path:
        """The same sweep, stopped before its end."""
        out = tmp_path / "out"
        shutil.copytree(clean, out)
        for number in (1, 4, 5):
            part(out, "results", number).unlink()
        part(out, "years", 4).unlink()
        return out

    def test_the_whole_is_read_with_one_schema(self, clean: Path) -> None:
        table = pd.read_parquet(clean / "results")
        assert list(table["run_number"]) == list(range(6))
        assert list(table["policy.price.2035"]) == [100.0] * 3 + [150.0] * 3
        assert table["leakage_rate"].notna().all()
        years = pd.read_parquet(clean / "years", columns=["run_number", "policy.price.2035", "leakage_rate"])
        assert len(years) == 6
        assert len({pq.read_schema(path) for path in (clean / "results").iterdir()}) == 1

    def test_a_stopped_sweep_goes_on_with_the_same_bytes_and_leaves_what_is_there(
        self, clean: Path, stopped: Path
    ) -> None:
        kept = {number: part(stopped, "results", number).stat().st_mtime_ns for number in (0, 2, 3)}
        told: list[tuple[str, int, int]] = []
        result = sweep("law", out=stopped, jobs=1, progress=lambda *words: told.append(words), **ASKED)
        assert ("sweep", 3, 6) in told
        assert files(stopped) == files(clean)
        assert {number: part(stopped, "results", number).stat().st_mtime_ns for number in kept} == kept
        assert len(result.table) == 6

    def test_a_folder_is_enough_to_go_on(self, clean: Path, stopped: Path) -> None:
        result = resume_sweep(stopped, jobs=2)
        assert files(stopped) == files(clean)
        assert "6 of 6 runs" in result.lines()[0]

    def test_a_sweep_that_is_done_has_nothing_to_run(
        self, clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(clean, tmp_path / "out")
        monkeypatch.setattr("carbonray.runtime.work.on_processes", None)
        assert len(resume_sweep(tmp_path / "out").table) == 6

    def test_ctrl_c_leaves_what_is_finished(self, clean: Path, tmp_path: Path) -> None:
        def stop(task: str, done: int, of: int) -> None:
            if (task, done) == ("sweep", 2):
                raise KeyboardInterrupt

        result = sweep("law", out=tmp_path / "out", jobs=1, progress=stop, **ASKED)
        assert (result.interrupted, len(result.table)) == (True, 2)
        assert not crew_pids()
        resume_sweep(tmp_path / "out", jobs=1)
        assert files(tmp_path / "out") == files(clean)

    def test_a_killed_process_costs_only_its_run(self, clean: Path, tmp_path: Path) -> None:
        def kill(task: str, done: int, of: int) -> None:
            if (task, done) == ("sweep", 1):
                os.kill(crew_pids().pop(), signal.SIGKILL)

        result = sweep("law", out=tmp_path / "out", jobs=2, progress=kill, **ASKED)
        assert (len(result.finished), result.failures) == (6, [])
        assert files(tmp_path / "out") == files(clean)

    def test_a_run_that_kills_its_process_each_time_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "deadly_runs.py").write_text(DEADLY, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        deadly = importlib.import_module("deadly_runs").carry_out
        plan = plan_sweep("law", seeds="0-1", **SMALL)
        work = replace(work_of(plan, layout_of(plan)), function=deadly)
        answers = {answer.number: answer for answer in on_processes(work, [0, 1], jobs=1)}
        failure = answers[0].failure
        assert failure is not None
        assert (failure.kind, f"killed {MOST_LOST + 1} times" in failure.message) == ("lost", True)
        assert answers[1].tables is not None

    def test_a_process_that_fails_is_told_with_its_last_line_and_lives_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "failing_runs.py").write_text(FAILING, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        failing = importlib.import_module("failing_runs").carry_out
        plan = plan_sweep("law", seeds="0-1", **SMALL)
        work = replace(work_of(plan, layout_of(plan)), function=failing)
        failures = [answer.failure for answer in on_processes(work, [0, 1], jobs=1)]
        told = [(failure.kind, failure.message) for failure in failures if failure is not None]
        assert told == [("lost", "KeyError: 'no such thing 1'"), ("lost", "KeyError: 'no such thing 2'")]

    def test_never_more_runs_are_handed_out_than_jobs(self) -> None:
        plan: Any = CountingPlan(plan_sweep("law", seeds="0-5", **SMALL))
        with closing(on_processes(work_of(plan, layout_of(plan.plan)), list(range(6)), jobs=2)) as answers:
            waiting = [plan.given - done for done, _ in enumerate(answers)]
        assert plan.given == 6
        assert max(waiting) <= 2

    def test_failed_runs_are_told_and_tried_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        out = tmp_path / "out"
        asked = SMALL | {"settings": [*SMALL["settings"], *STUCK], "grid": {"market.final_demand_other": [0.0, 0.8]}}
        result = sweep("law", out=out, jobs=1, **asked)
        assert result.finished == [1]
        (failure,) = result.failures
        assert (failure["run_number"], failure["kind"], failure["market.final_demand_other"]) == (
            0,
            "MarketError",
            "0.0",
        )
        assert "1 failed, first run 0: quarter" in "\n".join(result.lines())
        assert [each["run_number"] for each in pd.read_json(out / "failures.json")["failures"]] == [0]
        tried: list[int] = []
        real = sweep_folder.finished

        def answers(work: Any, numbers: list[int], **where: Any) -> Iterator[Any]:
            tried.extend(numbers)
            yield from ()

        monkeypatch.setattr("carbonray.runtime.work.on_processes", answers)
        go_on(planned_in(out), out, place_for())
        assert tried == [0]
        assert real(out, result.plan) == [1]
        assert not (out / "failures.json").exists()
