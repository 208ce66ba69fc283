"""Scenarios of every world are read by one grammar, each by the rules of its own world."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from carbonray.config import Scenario, ScenarioError
from carbonray.config_climate import NegotiationScenario
from carbonray.config_worlds import MAIN, WORLDS, AnyScenario, file_in
from carbonray.data.scenarios import FOLDER, MainScenario, find, load, names, parse, targets, world_of
from carbonray.runtime.outputs import fresh_folder, write_config

CLIMATE = ("bilateral", "border-club", "club", "none")


class TestBuiltIn:
    def test_every_folder_of_scenarios_is_a_world_and_every_world_has_some(self) -> None:
        assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(WORLDS)
        assert all(names(world) for world in WORLDS)

    def test_names_are_those_of_a_world(self) -> None:
        assert tuple(names("climate-negotiation")) == CLIMATE
        assert tuple(names()) == get_args(MainScenario)

    def test_targets_are_bare_in_the_main_world_alone(self) -> None:
        assert targets() == [*names(), *(f"climate-negotiation/{name}" for name in CLIMATE)]

    @pytest.mark.parametrize("target", targets())
    def test_each_is_of_its_world_and_named_as_its_file(self, target: str) -> None:
        world, _, name = target.rpartition("/")
        found = load(target)
        assert (found.world, found.name) == (world or MAIN, name)
        assert isinstance(found, WORLDS[world or MAIN].scenario)
        assert found.summary
        assert world_of(target) == found.world

    def test_the_main_world_may_be_named(self) -> None:
        assert load("cbam/law") == load("law")

    def test_those_of_the_climate_differ_in_their_protocol_alone(self) -> None:
        found = {name: load(f"climate-negotiation/{name}") for name in CLIMATE}
        for name, each in found.items():
            assert isinstance(each, NegotiationScenario)
            assert each.negotiation.protocol == name
            assert each.behaviour == found["none"].behaviour  # type: ignore[union-attr]
            assert each.switches == found["none"].switches  # type: ignore[union-attr]


class TestFind:
    @pytest.mark.parametrize(
        "target", ["lew", "club", "cbam/club", "climate-negotiation/law", "mars/law", "../cbam/law", "cbam/../cbam/law"]
    )
    def test_an_unknown_target_is_refused_with_those_of_all_worlds(self, target: str) -> None:
        with pytest.raises(ScenarioError) as refused:
            find(target)
        assert str(refused.value) == (
            f"{target}: unknown scenario; choose from {', '.join(targets())}, or a .yaml file"
        )


class TestFiles:
    @staticmethod
    def write(folder: Path, text: str) -> str:
        (folder / "mine.yaml").write_text(text, encoding="utf-8")
        return str(folder / "mine.yaml")

    def test_without_a_world_it_is_of_the_main_one(self, tmp_path: Path) -> None:
        target = self.write(tmp_path, "years: 3")
        assert isinstance(load(target), Scenario)
        assert world_of(target) == MAIN

    @pytest.mark.parametrize("world", ["mars", "[cbam]", "{cbam: 1}", "3", "null", "climate_negotiation"])
    def test_an_unknown_world_is_refused_with_the_known_ones(self, tmp_path: Path, world: str) -> None:
        target = self.write(tmp_path, f"world: {world}")
        with pytest.raises(ScenarioError, match=r"^mine.yaml: world: unknown world .*; choose from cbam, climate-neg"):
            load(target)

    def test_keys_of_another_world_are_unknown(self, tmp_path: Path) -> None:
        target = self.write(tmp_path, "world: climate-negotiation\nfirms: {number: 2000}")
        with pytest.raises(ScenarioError, match=r"^mine.yaml: firms: unknown key; it belongs to `world: cbam`$"):
            load(target)

    def test_keys_may_have_hyphens_and_values_keep_theirs(self, tmp_path: Path) -> None:
        target = self.write(
            tmp_path,
            "world: climate-negotiation\nnegotiation: {protocol: border-club, options: {my-floor: soft-one}}\n"
            "behaviour: {export-limit: 0.3}\nswitches: {interest: per-year, tariff-revenue: returned}",
        )
        found = load(target)
        assert isinstance(found, NegotiationScenario)
        assert found.negotiation.protocol == "border-club"
        assert found.negotiation.options == {"my_floor": "soft-one"}
        assert (found.behaviour.export_limit, found.switches.interest) == (0.3, "per-year")

    def test_a_file_of_ones_own_is_found_from_the_folder_of_the_yaml(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "rules.py").touch()
        target = self.write(folder, "world: climate-negotiation\nnegotiation: {protocol: 'rules.py:treaty'}")
        monkeypatch.chdir(tmp_path)
        assert protocol_of(load(target)) == f"{folder / 'rules.py'}:treaty"

    def test_a_file_in_a_setting_is_found_from_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "rules.py").touch()
        monkeypatch.chdir(tmp_path)
        found = load("climate-negotiation/none", ["negotiation.protocol=rules.py:treaty"])
        assert protocol_of(found) == f"{tmp_path / 'rules.py'}:treaty"

    @pytest.mark.parametrize("protocol", ["club", "rules.py:treaty", "mine.rules:treaty"])
    def test_what_is_no_file_there_is_left_as_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
    ) -> None:
        (tmp_path / "club").touch()
        monkeypatch.chdir(tmp_path)
        target = self.write(tmp_path, f"world: climate-negotiation\nnegotiation: {{protocol: '{protocol}'}}")
        assert protocol_of(load(target)) == protocol

    def test_the_file_of_a_value_is_told_from_its_function(self) -> None:
        assert file_in("a/b.py:club") == ("a/b.py", ":club")
        assert file_in("a.b:club") == ("a.b:club", "")
        assert file_in("goods-2026") == ("goods-2026", "")


def protocol_of(scenario: AnyScenario) -> str:
    assert isinstance(scenario, NegotiationScenario)
    return scenario.negotiation.protocol


class TestSettings:
    def test_any_key_can_be_set(self) -> None:
        found = load(
            "climate-negotiation/club",
            ["negotiation.options.floor=0.3", "behaviour.export-limit=0.2", "behaviour.cooperators=[R2, R9]"],
            seed=7,
            replicas=None,
        )
        assert isinstance(found, NegotiationScenario)
        assert found.negotiation.options == {"floor": 0.3, "tariff": 0.2}
        assert (found.behaviour.export_limit, found.behaviour.cooperators) == (0.2, ("R2", "R9"))
        assert (found.seed, found.replicas) == (7, 1)

    def test_a_key_of_another_world_is_unknown(self) -> None:
        with pytest.raises(ScenarioError, match=r"^club.yaml: firms: unknown key; it belongs to `world: cbam`$"):
            load("climate-negotiation/club", ["firms.number=2000"])

    @pytest.mark.parametrize("world", ["climate-negotiation", "mars", "[cbam]", ""])
    def test_the_world_stays(self, world: str) -> None:
        with pytest.raises(ScenarioError, match=r"^law.yaml: world: a scenario of cbam stays one; choose another"):
            load("law", [f"world={world}"])

    def test_the_world_it_has_may_be_said(self) -> None:
        assert load("climate-negotiation/club", ["world=climate-negotiation"]) == load("climate-negotiation/club")

    def test_the_world_is_no_group(self) -> None:
        with pytest.raises(ScenarioError, match=r"^law.yaml: world.x: world is not a group of keys$"):
            load("law", ["world.x=1"])


class TestParse:
    def test_the_main_world_is_meant_unless_told(self) -> None:
        assert parse({"name": "mine"}, origin="mine.yaml") == Scenario(name="mine")
        found = parse({"name": "mine"}, origin="mine.yaml", kind=NegotiationScenario)
        assert found == NegotiationScenario(name="mine")

    def test_another_world_is_refused(self) -> None:
        with pytest.raises(ScenarioError, match=r"^config.yaml: world: Input should be 'cbam' \(got 'climate-neg"):
            parse({"name": "mine", "world": "climate-negotiation"}, origin="config.yaml")


class TestRunFolder:
    def test_it_is_named_after_world_and_scenario(self, tmp_path: Path) -> None:
        assert fresh_folder(load("climate-negotiation/club"), tmp_path).name == "climate-negotiation-club-1"

    def test_its_configuration_gives_the_scenario_again_from_anywhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "rules.py").write_text("def treaty(offers, situation): ...\n", encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        settings = ["negotiation.protocol=rules.py:treaty", "negotiation.options={who: [R2, R9], floor: 1}"]
        scenario = load("climate-negotiation/none", [*settings, "switches.rates=full", "seed=4"])
        write_config(scenario, tmp_path / "run" / "config.yaml")
        monkeypatch.chdir(tmp_path / "run")
        assert load("config.yaml") == scenario
        written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
        assert set(written) == {"scenario", "carbonray", "versions", "datasets"}
        assert "rules.py" in written["datasets"]
        assert all(len(value) == 64 for value in written["datasets"].values())
