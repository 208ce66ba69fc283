"""Training on RLlib: the same weights for any number of learners, and after any failure a finished training."""

import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from distributed.runs import until
from learning.tax import TaxWorld

from carbonray.data.scenarios import load
from carbonray.learn.policy_folder import load as load_policy
from carbonray.learn.problem import ProblemError, problem_of
from carbonray.learn.task import Task, pack, settings_of
from carbonray.worlds.duopoly import CournotWorld

LEARNERS_DIFFER = 1e-6
"""Largest difference of a parameter that the order of sums among learners may make."""
LEARNER = "create_executable_class.<locals>._WrappedExecutable"
"""What RLlib calls the actors of its learners."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def duopoly_task(algorithm: str, **settings: Any) -> Task:
    firms = 4
    world = CournotWorld(
        intercept=1.0,
        slope=1.0,
        cost=torch.linspace(0.0, 0.3, firms, dtype=torch.float64),
        intensity=torch.ones(firms, dtype=torch.float64),
        taxed=torch.zeros(firms, dtype=torch.bool),
        steps=20,
    )
    made = settings_of(algorithm, {"hidden": 16, **settings})
    return Task(packed=pack(problem_of(world)), algorithm=algorithm, settings=made, replicas=4, budget=1e5)


def training(task: Task, *, learners: int = 0, runners: int = 0) -> Any:
    from carbonray.learn.rllib import TrainingConfig

    config = TrainingConfig(task).env_runners(num_env_runners=runners).learners(num_learners=learners)
    config.num_cpus_per_learner = 0.5
    return config.build_algo()


def parameters(trained: Any, learner: int = 0) -> dict[str, np.ndarray]:
    """The weights of one learner."""
    told = trained.learner_group.foreach_learner(lambda each: each.get_state(components="rl_module"))
    state: Any = [each.get() if hasattr(each, "get") else each for each in told][learner]
    return {
        f"{role}.{name}" if len(state["rl_module"]) > 1 else name: value
        for role, weights in state["rl_module"].items()
        for name, value in weights.items()
    }


@pytest.fixture
def connected(cluster: Any) -> Any:
    from carbonray.runtime import cluster as clusters

    with clusters.connected(cluster.address):
        yield


@pytest.mark.parametrize(("algorithm", "numbers"), [("actor-critic", (0, 1, 2)), ("vdn", (0, 2))])
def test_any_number_of_learners_gives_the_same_parameters(
    connected: None, algorithm: str, numbers: tuple[int, ...]
) -> None:
    task = duopoly_task(algorithm)
    found = {}
    for learners in numbers:
        trained = training(task, learners=learners)
        try:
            before = parameters(trained)
            trained.train()
            found[learners] = parameters(trained)
            if learners == 2:
                other = parameters(trained, learner=1)
        finally:
            trained.stop()
    assert any(np.abs(found[0][name] - before[name]).max() > 1e-5 for name in before)
    for name, values in found[2].items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        for learners in numbers[1:]:
            np.testing.assert_allclose(
                found[learners][name], found[0][name], rtol=0, atol=LEARNERS_DIFFER, err_msg=name
            )


@pytest.mark.parametrize("algorithm", ["ppo", "vdn"])
def test_a_checkpoint_gives_the_same_next_iteration(connected: None, tmp_path: Path, algorithm: str) -> None:
    task = duopoly_task(algorithm)
    trained = training(task)
    try:
        for _ in range(3):
            trained.train()
        trained.save_checkpoint(str(tmp_path / "kept"))
        told = trained.train()
        wanted = parameters(trained)
    finally:
        trained.stop()
    again = training(task)
    try:
        again.restore_from_path(str(tmp_path / "kept"))
        retold = again.train()
        found = parameters(again)
    finally:
        again.stop()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    for name in ("agent_steps", "mean_return", "convergence_distance", "loss"):
        assert retold[name] == told[name], name


def test_all_learners_start_from_the_rules_and_a_checkpoint_keeps_them(connected: None, tmp_path: Path) -> None:
    from carbonray.learn.order import order_of

    scenario = load("law", **{"firms.number": 960, "firms.learned": True, "years": 1}).model_dump(mode="json")
    task = order_of(world="cbam", scenario=scenario, settings={"hidden": 8}, replicas=2, budget=1e6).task()
    found, started, told = {}, {}, {}
    for learners in (0, 2):
        trained = training(task, learners=learners)
        try:
            started[learners] = parameters(trained)
            told[learners] = trained.train()["mean_return"]
            found[learners] = parameters(trained)
            if learners == 2:
                other = parameters(trained, learner=1)
                trained.save_checkpoint(str(tmp_path / "kept"))
        finally:
            trained.stop()
    fresh = task.method().state_dict()
    assert bool(started[0]["method.started"])
    assert np.abs(started[0]["method.decider.head.bias"] - fresh["decider.head.bias"].numpy()).max() > 0.1
    assert told[0] == told[2]  # runners play with what learners start from
    for name, values in found[2].items():
        np.testing.assert_array_equal(started[2][name], started[0][name], err_msg=name)
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        np.testing.assert_allclose(values, found[0][name], rtol=0, atol=LEARNERS_DIFFER, err_msg=name)
        if name.startswith("method.start."):
            np.testing.assert_array_equal(values, started[0][name], err_msg=name)
    again = training(task)
    try:
        again.restore_from_path(str(tmp_path / "kept"))
        for name, values in parameters(again).items():
            np.testing.assert_array_equal(values, found[2][name], err_msg=name)
    finally:
        again.stop()


@pytest.mark.parametrize("algorithm", ["ppo", "vdn"])
def test_two_roles_learn_at_once_and_go_on_from_a_checkpoint(connected: None, tmp_path: Path, algorithm: str) -> None:
    world, task = TaxWorld(), tax_task(algorithm)
    trained = training(task)
    try:
        before = parameters(trained)
        told = trained.train()
        after = parameters(trained)
        trained.save_checkpoint(str(tmp_path / "kept"))
        trained.train()
        wanted = parameters(trained)
    finally:
        trained.stop()
    for role in world.roles:
        learned = [name for name in before if name.startswith(f"{role}.method.decider.head")]
        assert any(np.abs(after[name] - before[name]).max() > 1e-6 for name in learned), role
    assert told["agent_steps"] == 4 * (12 * world.polluters + 3)
    assert (told["decisions"], told["government_decisions"]) == (12, 3)
    assert np.isfinite([told["mean_return"], told["government_mean_return"], told["government_loss"]]).all()
    policies = load_policy(tmp_path / "kept" / "policy")
    assert sorted(policies.heads) == ["government", "polluter"]
    again = training(task)
    try:
        again.restore_from_path(str(tmp_path / "kept"))
        again.train()
        found = parameters(again)
    finally:
        again.stop()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_two_roles_learn_alike_with_any_number_of_learners(connected: None) -> None:
    found = {}
    for learners in (0, 2):
        trained = training(tax_task("ppo"), learners=learners)
        try:
            trained.train()
            found[learners] = parameters(trained)
        finally:
            trained.stop()
    for name, values in found[2].items():
        np.testing.assert_allclose(values, found[0][name], rtol=0, atol=LEARNERS_DIFFER, err_msg=name)


def test_a_training_of_two_roles_leaves_a_policy_of_each_to_start_from(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carbonray.learn.order import TrainingOrder, order_of, read_order
    from carbonray.learn.train import train
    from carbonray.report import write_report

    whole = TrainingOrder.task
    monkeypatch.setattr("carbonray.data.load_world.load_world", lambda scenario: TaxWorld())
    monkeypatch.setattr(TrainingOrder, "task", lambda order: replace(whole(order), scenario=None))
    asked = {"role": ["polluter", "government"], "address": cluster.address, "learn": {"hidden": 8}, "patience": 10_000}
    found = train("law", out=tmp_path / "t", budget=2e3, **asked)
    assert found.finished
    assert {"mean_return", "government_mean_return", "government_loss"} <= set(found.table)
    assert any(line.startswith("a government ") for line in found.lines())
    assert "All polluters and governments learn" in write_report(found.folder).read_text(encoding="utf-8")
    assert sorted(load_policy(found.policy).heads) == ["government", "polluter"]
    order = read_order(found.folder).model_dump() | {"start": [str(found.folder)]}
    more = training(order_of(**order).task())
    try:
        more.train()
    finally:
        more.stop()


def tax_task(algorithm: str) -> Task:
    world = TaxWorld()
    problems = [problem_of(world, role=role) for role in world.roles]
    made = settings_of(algorithm, {"hidden": 8})
    return Task(packed=pack(*problems), algorithm=algorithm, settings=made, replicas=4, budget=1e4, origin=ORIGIN)


ORIGIN = {"world": "cbam", "scenario": "law", "command": "carbonray train law", "datasets": {}}


def actors(cluster: Any, kind: str) -> list[int]:
    """Processes of the actors of a class."""
    from ray.util.state import list_actors

    wanted = [("class_name", "=", kind), ("state", "=", "ALIVE")]
    found = list_actors(address=cluster.jobs_url, filters=wanted)
    return sorted(int(each.pid) for each in found if each.pid)


class Strike:
    """Told the progress of a training, kills an actor of a class once it is under way."""

    def __init__(self, cluster: Any, kind: str) -> None:
        self.cluster, self.kind, self.struck = cluster, kind, 0

    def __call__(self, task: str, done: int, of: int, note: str = "", /) -> None:
        if task == "training" and done > of / 4 and not self.struck:
            self.struck = actors(self.cluster, self.kind)[0]
            os.kill(self.struck, signal.SIGKILL)


SMALL: Mapping[str, Any] = {"firms": 960, "years": 1, "budget": 5e4, "patience": 10_000, "learn": {"hidden": 8}}


def test_spoilt_checkpoints_are_not_gone_on_from(cluster: Any, tmp_path: Path) -> None:
    """Of the same size, so that only their sums tell."""
    from carbonray.learn.train import resume_training, train

    train("moderate", out=tmp_path / "t", address=cluster.address, **{**SMALL, "budget": 2e4})
    for file in (tmp_path / "t").glob("tune/*/trial-*/checkpoint_*/algorithm_state.pkl"):
        file.write_bytes(bytes(file.stat().st_size))
    found = resume_training(tmp_path / "t", budget=3e4, address=cluster.address)
    assert found.notices == ["no checkpoint is whole: trained from the beginning"]
    assert found.finished
    assert found.table["training_iteration"].iloc[0] == 1
    (tmp_path / "t" / "training.parquet").write_bytes(b"junk")
    with pytest.raises(ProblemError, match=r"training\.parquet: is spoilt"):
        resume_training(tmp_path / "t", budget=4e4, address=cluster.address)


def test_a_search_tries_settings_that_differ_and_tells_which_it_kept(cluster: Any, tmp_path: Path) -> None:
    from carbonray.learn.train import train

    asked = {**SMALL, "budget": 2e4, "learn": {}}
    found = train("moderate", out=tmp_path / "found", tune=2, address=cluster.address, **asked)
    every = pd.read_parquet(tmp_path / "found" / "training.parquet")
    first, second = (every[every["trial"] == trial]["loss"].to_numpy() for trial in (0, 1))
    assert not np.array_equal(first, second)
    card = load_policy(found.policy).card
    assert f"--learn hidden={card.hidden}" in card.command
    assert "--learn learning_rate=" in card.command
    assert card.command in found.notices[-1]
    assert set(found.table["trial"]) < {0, 1}


def test_gpus_that_are_not_there_are_refused_before_anything_starts(cluster: Any, tmp_path: Path) -> None:
    from carbonray.learn.train import train

    asked = {**SMALL, "learners": 1, "gpus_per_learner": 1, "address": cluster.address}
    with pytest.raises(ProblemError, match=r"^--gpus-per-learner 1: 1 are needed, the cluster has 0$"):
        train("moderate", out=tmp_path / "none", **asked)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "changes"), [("EpisodeRunner", {"runners": 2}), (LEARNER, {"learners": 1})])
def test_whatever_is_killed_the_training_finishes(
    cluster: Any, tmp_path: Path, kind: str, changes: dict[str, Any]
) -> None:
    from carbonray.learn.train import train

    strike = Strike(cluster, kind)
    found = train("law", out=tmp_path / "t", address=cluster.address, progress=strike, **SMALL, **changes)
    assert strike.struck
    assert found.finished
    assert found.table["agent_steps"].iloc[-1] >= SMALL["budget"]
    assert json.loads((found.policy / "card.json").read_text())["agent_steps"] >= SMALL["budget"]
    until(lambda: not actors(cluster, kind))


class Interrupt:
    """Told the progress of a training, presses Ctrl-C once when half of it is done."""

    def __init__(self) -> None:
        self.pressed = False

    def __call__(self, task: str, done: int, of: int, note: str = "", /) -> None:
        if task == "training" and done > of / 2 and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning")
def test_a_training_goes_on_to_the_same_weights_wherever_it_was_killed_or_interrupted(
    cluster: Any, tmp_path: Path
) -> None:
    from carbonray.learn.train import resume_training, train

    strike = Strike(cluster, "Training")
    whole = train("law", out=tmp_path / "whole", address=cluster.address, progress=strike, **SMALL)
    assert strike.struck
    assert whole.finished
    half = train("law", out=tmp_path / "half", address=cluster.address, progress=Interrupt(), **SMALL)
    assert not half.finished
    kept = load_policy(half.policy).card.agent_steps
    behind = f"the policy is that of the last checkpoint, after {kept:,} decisions"
    assert (behind in half.notices) == (kept < half.table["agent_steps"].iloc[-1])
    newest = max((tmp_path / "half" / "tune").glob("attempt-*/trial-*/checkpoint_*"))
    torn = newest.with_name("checkpoint_999999")
    shutil.copytree(newest, torn)
    (torn / "algorithm_state.pkl").write_bytes(b"torn")  # a copy that was cut short is passed over
    rest = resume_training(tmp_path / "half", address=cluster.address)
    assert half.table["agent_steps"].iloc[-1] < SMALL["budget"]
    assert rest.finished
    assert list(rest.table["agent_steps"]) == list(whole.table["agent_steps"])
    np.testing.assert_array_equal(rest.table["mean_return"], whole.table["mean_return"])
    weights = [np.load(each.policy / "policy.npz") for each in (whole, rest)]
    for name in weights[0].files:
        np.testing.assert_array_equal(weights[0][name], weights[1][name], err_msg=name)
    for each in weights:
        each.close()
    assert len(resume_training(tmp_path / "half", address=cluster.address).table) == len(rest.table)


def test_a_loss_that_is_no_number_ends_the_training(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carbonray.learn.train import train
    from carbonray.learn.training import TrainingError

    monkeypatch.setattr("carbonray.learn.tuning.FAILURES", 1)  # each restart takes as long as the first start
    broken = {"hidden": 8, "learning_rate": 1e37}
    with pytest.raises(TrainingError, match=r"learning_rate") as failure:
        train("law", out=tmp_path / "t", address=cluster.address, **{**SMALL, "learn": broken})
    assert "\n" not in str(failure.value)


class Failing(CournotWorld):
    """A world whose books do not close."""

    def settle(self, agents: Any, commons: Any, mail: Any) -> Any:
        raise ValueError("books do not close")


def test_a_world_that_fails_is_told_in_one_line(connected: None) -> None:
    from carbonray.learn.training import TrainingError

    task = duopoly_task("ppo")
    failing = replace(task.problem, worlds=(Failing(**vars(task.problem.world)),))
    trained = training(replace(task, packed=pack(failing)))
    try:
        with pytest.raises(TrainingError, match=r"^iteration 0: ValueError: books do not close$"):
            trained.training_step()
    finally:
        trained.stop()


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "algorithm": ({"algorithm": "sarsa"}, "--algorithm sarsa: choose vdn, actor-critic, ppo"),
    "team": ({"team": "village"}, "--team village: firms know agent, sector, region, economy"),
    "setting": ({"learn": {"learning_rate": -1}}, "--learn learning_rate: Input should be greater than 0"),
    "unknown setting": ({"learn": {"speed": 1}}, "--learn speed: ppo knows learning_rate, "),
    "role": ({"role": "king"}, "--role king: this world has firm"),
    "rows": ({"learners": 3}, "learners: 3 cannot share 2 rows evenly"),
    "budget": ({"budget": 0}, "--budget: Input should be greater than or equal to 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path, what: str) -> None:
    from carbonray.learn.train import train

    changes, told = REFUSED[what]
    with pytest.raises(ProblemError) as refusal:
        train("law", out=tmp_path / "t", **{"firms": 960, "years": 1, **changes})
    assert str(refusal.value).startswith(told)
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())
