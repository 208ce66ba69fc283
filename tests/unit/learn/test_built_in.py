"""The policies that come with carbonray: one for each scenario, small, and made from today's data."""

import shlex
from pathlib import Path

import pytest

from carbonray.config_worlds import WORLDS
from carbonray.data.load_world import load_world
from carbonray.data.scenarios import load as load_scenario
from carbonray.data.scenarios import names
from carbonray.learn.evaluate import evaluate
from carbonray.learn.policy_folder import LARGEST, built_in, load, place
from carbonray.learn.ship import TOLD
from carbonray.runtime.outputs import HASHES
from carbonray.runtime.simulate_cbam import fit_for

EVERY = sorted(f"{world}/{scenario}" for world in WORLDS for scenario in names(world))


def test_every_scenario_has_one() -> None:
    assert sorted(built_in()) == EVERY


@pytest.mark.parametrize("name", EVERY)
class TestEach:
    def test_it_is_small_and_says_what_it_is(self, name: str) -> None:
        saved = load(name)
        assert saved.files["policy.npz"].stat().st_size <= LARGEST
        card = saved.card
        assert f"{card.world}/{card.scenario}" == name
        assert card.agent_steps >= 1e5
        words = shlex.split(card.command)
        assert words[:3] == ["carbonray", "train", name]
        assert f"simulated {name} and knows nothing else" in card.about
        measured = {figure for figure in TOLD if f"{figure}_difference" in card.measured}
        assert "reward_per_size" in measured

    def test_it_was_trained_on_todays_data(self, name: str) -> None:
        """Whoever changes a table makes the policies anew: python -m carbonray.learn.ship."""
        assert load(name).card.datasets == dict(HASHES[name.partition("/")[0]](load_scenario(name)))

    def test_it_fits_the_agents_of_its_scenario(self, name: str) -> None:
        saved, scenario = load(name), load_scenario(name)
        if scenario.world == "cbam":
            scenario = fit_for(load_scenario(name, **{"firms.number": 960}), saved)
        saved.trained.check(load_world(scenario), name)


def test_a_scenario_of_the_main_world_needs_no_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place("law") == place("cbam/law")


@pytest.mark.slow
def test_one_is_evaluated_on_a_fresh_machine() -> None:
    found = evaluate("law", seeds=1, firms=960, years=1)
    assert found.summary["policy"]["scenario"] == "cbam/law"
    assert set(found.learning["run"]) == {"trained", "rule"}
