"""What a training of several roles is asked for, what its folder holds, and what is refused in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning.tax import TaxWorld
from policies import always, lively, saved, shape_of
from torch import Tensor

from carbonray.config import ScenarioError
from carbonray.data import load_world as loading
from carbonray.data.scenarios import load as load_scenario
from carbonray.learn.evaluate import evaluate
from carbonray.learn.order import TrainingOrder, order_of, read_order
from carbonray.learn.policy import Together
from carbonray.learn.policy_folder import WEIGHTS, PolicyError, SavedTogether, load
from carbonray.learn.problem import ProblemError
from carbonray.runtime import inprocess
from carbonray.runtime.shard import Moment

WORLD = TaxWorld()
BOTH = ("polluter", "government")
HIDDEN = 8


@pytest.fixture(autouse=True)
def _taxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scenario is that world."""
    monkeypatch.setattr(loading, "load_world", lambda scenario: WORLD)


def order(**changes: Any) -> TrainingOrder:
    scenario = load_scenario("law").model_dump(mode="json")
    return order_of(world="cbam", scenario=scenario, settings={"hidden": HIDDEN}, **changes)


def policy(folder: Path, role: str, *, level: int = 2, **changes: Any) -> Path:
    """That always takes a level."""
    decider = always(shape_of(WORLD.roles[role], hidden=changes.pop("hidden", HIDDEN)), [level])
    return saved(folder, decider, role=role, **{"method": "ppo", "acts": "sampled", **changes})


@pytest.fixture
def together(tmp_path: Path) -> Path:
    """Policies of both roles, as a training leaves them."""
    for role, level in (("polluter", 4), ("government", 2)):
        policy(tmp_path / "both" / "policy" / role, role, level=level)
    return tmp_path / "both"


def test_each_role_has_a_problem_in_the_same_worlds() -> None:
    task = order(role=BOTH).task()
    assert list(task.problems) == list(BOTH)
    polluter, government = task.problems.values()
    assert polluter.worlds[0] is government.worlds[0]
    assert task.problem is polluter
    sizes = {role: task.method(role).decider.shape.features for role in BOTH}
    assert sizes == {role: WORLD.roles[role].features for role in BOTH}


def test_an_order_with_several_roles_says_its_command_and_is_read_again(tmp_path: Path, together: Path) -> None:
    asked = order(role=BOTH, start=[str(together)])
    assert f"--role polluter --role government --start {together}" in asked.command
    asked.write(tmp_path)
    assert read_order(tmp_path) == asked
    assert order(role="polluter") == order(role=["polluter"])
    assert order(role=None).role == ()


def test_one_alone_shares_with_nobody_whatever_the_team() -> None:
    task = order(role=BOTH, team="economy").task()
    assert [problem.team for problem in task.problems.values()] == ["economy", "agent"]


def test_policies_of_several_roles_are_written_and_read_as_one(tmp_path: Path) -> None:
    task = order(role=BOTH).task()
    task.save_policies(tmp_path / "t" / "policy", {role: task.method(role) for role in BOTH}, 7)
    found = load(tmp_path / "t")
    assert isinstance(found, SavedTogether)
    assert (found.name, found.card.agent_steps) == ("t", 7)
    assert sorted(found.heads) == sorted(BOTH)
    assert set(found.files) == {f"{role}/{WEIGHTS}" for role in BOTH}
    assert load(tmp_path / "t" / "policy" / "polluter").card.role == "polluter"
    told = found.told()
    assert told["name"] == "t"
    assert told["sha256"] not in {part.card.sha256 for part in found.parts}
    (tmp_path / "t" / "policy" / "polluter" / WEIGHTS).write_bytes(b"junk")
    with pytest.raises(PolicyError, match=r"its bytes have changed"):
        load(tmp_path / "t")


def test_a_single_role_is_written_as_before(tmp_path: Path) -> None:
    task = order(role="government").task()
    task.save_policies(tmp_path, {"government": task.method()}, 7)
    assert load(tmp_path).card.role == "government"


def stepped(behaviour: Any) -> list[Mapping[str, Tensor]]:
    """What everybody did, step by step."""
    ids = {role: np.arange(spec.count) for role, spec in WORLD.roles.items()}
    state, memory, found = inprocess.reset(WORLD, 0, 2, [ids]), behaviour.begin(WORLD, 2, ids), []
    for step in range(WORLD.steps):
        shocks, now = WORLD.shocks(0, 2, step, ids), Moment(seed=0, step=step, ids=ids)
        actions, memory = behaviour.decide(WORLD, state.agents[0], state.commons, shocks, now, memory)
        found.append(actions)
        state = inprocess.advance(WORLD, state, [shocks], [ids["polluter"]], [actions]).state
    return found


def test_each_role_follows_its_policy_and_roles_without_one_their_rules(together: Path) -> None:
    both = load(together).trained
    both.check(WORLD, "tax")
    for done in stepped(both):
        assert (done["polluter"] == 0.8).all()
        assert (done["government"] == 0.4).all()
    assert isinstance(both, Together)
    (tax,) = (part for part in both.parts if part.role == "government")
    assert all((done["polluter"] == 0.4).all() for done in stepped(Together(parts=(tax,)))[1:])


def test_policies_side_by_side_remember_what_each_does_alone(tmp_path: Path) -> None:
    for role in BOTH:
        decider = lively(shape_of(WORLD.roles[role], recurrent=True))
        saved(tmp_path / role, decider, role=role)
    both = load(tmp_path).trained
    for role in BOTH:
        alone = load(tmp_path / role).trained
        (other,) = (name for name in BOTH if name != role)
        silent = Together(parts=tuple(part for part in both.parts if part.role == role))
        for one, also in zip(stepped(alone), stepped(silent), strict=True):
            assert (one[role] == also[role]).all()
            assert (one[other] == also[other]).all()
    taxes = [float(done["government"][0, 0]) for done in stepped(both)]
    assert all(len(set(taxes[first : first + WORLD.every])) == 1 for first in range(0, WORLD.steps, WORLD.every))


def test_a_training_starts_each_role_from_its_policy(together: Path) -> None:
    task = order(role=BOTH, start=[str(together)]).task()
    assert {role: problem.start.role for role, problem in task.problems.items() if problem.start} == dict(
        zip(BOTH, BOTH, strict=True)
    )
    assert task.origin is not None
    assert {f"start/{role}/{WEIGHTS}" for role in BOTH} <= set(task.origin["datasets"])
    only = order(role=BOTH, start=[str(together / "policy" / "government")]).task()
    assert [problem.start is None for problem in only.problems.values()] == [True, False]


def test_a_role_learns_among_others_who_are_trained(tmp_path: Path) -> None:
    calm = policy(tmp_path / "calm", "polluter")
    task = order(role="government", against=str(calm)).task()
    assert task.problem.others.role == "polluter"
    assert task.problem.start is None


def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path, together: Path) -> None:
    calm, wide = policy(tmp_path / "calm", "polluter"), policy(tmp_path / "wide", "polluter", hidden=16)
    other = policy(tmp_path / "other", "polluter", method="vdn", acts="greedy")
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "--role: choose one of polluter, government"),
        ({"role": (*BOTH, "king")}, "--role king: this world has polluter, government"),
        ({"role": BOTH, "alone": 2}, "--alone 2: only where one role learns"),
        ({"role": BOTH, "searches": 2}, "--tune 2: only where one role learns"),
        (
            {"role": "polluter", "against": calm},
            f"--against {calm}: only with --alone; else nobody is left to follow it",
        ),
        ({"role": BOTH, "against": together}, f"--against {together}: only with --alone; else nobody is left"),
        (
            {"role": "government", "start": calm},
            f"--start {calm}: decides for each polluter, but who learns is government",
        ),
        ({"role": BOTH, "start": (calm, calm)}, f"--start {calm}: another one for each polluter is given too"),
        (
            {"role": "polluter", "start": wide},
            f"--start {wide}: has layers of 16, this training of 8; give --learn hidden=16",
        ),
        (
            {"role": "polluter", "start": other},
            f"--start {other}: vdn learned something else than ppo would go on with",
        ),
    ]
    for asked, said in refused:
        with pytest.raises(ProblemError) as refusal:
            order(**{name: _named(value) for name, value in asked.items()}).task()
        assert str(refusal.value).startswith(said)
        assert "\n" not in str(refusal.value)


def _named(value: Any) -> Any:
    """Folders by name, as the command line gives them."""
    return str(value) if isinstance(value, Path) else tuple(map(str, value)) if isinstance(value, tuple) else value


def test_policies_of_several_roles_are_not_evaluated_one_agent_at_a_time(together: Path) -> None:
    for option in ({"one": True}, {"best_response": together}):
        with pytest.raises(ScenarioError, match=r"give the policy of one role"):
            evaluate(together, **option)
