"""`carbonray train` and `carbonray evaluate` as a user types them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import policies
import pytest

from carbonray.data.load_world import load_world
from carbonray.learn import train as room
from carbonray.learn.train import TrainingResult

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--firms", "960", "--years", "1")

REFUSED = {
    "unknown scenario": (("train", "lew"), "lew: unknown scenario"),
    "algorithm": (("train", "law", "--algorithm", "sarsa"), "--algorithm sarsa: choose vdn, actor-critic, ppo"),
    "role": (("train", "law", *SMALL, "--role", "king"), "--role king: this world has firm"),
    "team": (("train", "law", *SMALL, "--team", "town"), "--team town: firms know agent, sector, region, economy"),
    "setting": (("train", "law", "--learn", "speed=1"), "--learn speed: ppo knows learning_rate, last_rate, discount"),
    "no equals sign": (("train", "law", "--learn", "speed"), "--learn speed: write KEY=VALUE"),
    "budget": (("train", "law", "--budget", "0"), "--budget: Input should be greater than or equal to 1"),
    "rows": (("train", "law", "--learners", "3"), "learners: 3 cannot share 2 rows evenly"),
    "key of the scenario": (("train", "law", "--set", "polcy=1"), "law.yaml: polcy: unknown key"),
    "foreign option": (("train", "climate-negotiation/club", "--firms", "9"), "--firms: cbam only"),
    "no training": (("train", "--resume", "."), ".: is no folder of a training (training.json: No such file"),
    "resumed otherwise": (("train", "law", "--resume", "."), "TARGET: leave it out with --resume"),
    "no policy": (("evaluate", "nowhere"), "policy nowhere: there is no such folder; built in: "),
    "no folder of a policy": (("evaluate", "."), "policy .: card.json cannot be read"),
    "no policy to simulate": (("simulate", "law", *SMALL, "--policy", "nowhere"), "policy nowhere: there is no such"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(carbonray: Run, tmp_path: Path, what: str) -> None:
    words, told = REFUSED[what]
    code, _, error = carbonray(*words)
    assert code == 2
    assert error.startswith(f"carbonray: {told}")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def ended(**changes: Any) -> TrainingResult:
    figures = {"training_iteration": [1, 2], "agent_steps": [50, 100], "mean_return": [0.5, 1.5],
               "sampling_seconds": [1.0, 1.0], "learning_seconds": [2.0, 2.0], "iteration_agent_steps": [50, 50],
               "agent_steps_learned": [200, 200]}  # fmt: skip
    told: dict[str, Any] = {"folder": Path("t"), "table": pd.DataFrame(figures), "finished": True, "converged": False}
    return TrainingResult(**{**told, **changes})


def test_a_training_tells_what_came_of_it(carbonray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(room, "train", lambda target, **how: asked.update(how, target=target) or ended())
    code, out, _ = carbonray("train", "moderate", "--learn", "entropy=0.02", "--budget", "1e7", "--set", "years=3")
    assert code == 0
    assert asked["target"] == "moderate"
    assert asked["learn"] == {"entropy": 0.02}
    assert asked["budget"] == 1e7
    assert asked["settings"] == ["years=3"]
    assert out.splitlines() == [
        "budget spent after 2 iterations and 100 decisions of agents",
        "an agent earned 0.500 in an episode at first, 1.500 at last (its rewards over its size, in mean deviations of "
        "a step's)",
        "50 decisions a second played, 100 learned",
        "policy t/policy",
        "report: t/report.html",
        "next: carbonray evaluate t/policy",
    ]


def test_an_interrupted_training_says_how_to_go_on(carbonray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "train", lambda target, **how: ended(finished=False))
    code, out, error = carbonray("train", "law")
    assert code == 130
    assert out.startswith("interrupted after 2 iterations")
    assert "report: t/report.html" in out
    assert error == "carbonray: interrupted; go on with: carbonray train --resume t\n"


@pytest.mark.slow
def test_a_policy_is_evaluated_and_simulated(carbonray: Run, tmp_path: Path) -> None:
    world = load_world("law", ("firms.learned=true", "firms.number=960"))
    shape = policies.shape_of(world.roles["firm"])
    folder = policies.saved(tmp_path / "mine", policies.always(shape, (2, 0, 0)), world="cbam", scenario="law")
    code, out, _ = carbonray("evaluate", str(folder), "--seeds", "2", *SMALL, "--out", "evaluated")
    assert code == 0
    assert "trained firms" in out
    assert "over 2 seeds" in out
    table = pd.read_parquet(tmp_path / "evaluated" / "learning.parquet")
    assert table["seed"].nunique() == 2
    code, _, _ = carbonray("simulate", "law", *SMALL, "--policy", str(folder), "--no-robust", "--out", "run")
    assert code == 0
