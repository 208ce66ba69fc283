"""Agents by name: what PettingZoo expects of a world, and what is refused."""

import importlib
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from carbonray.runtime.parallel_env import ParallelEnv

AGENTS = ["firm_0", "firm_1", "government_0"]
QUIET = {"firm_0": [1, 0], "firm_1": [1, 0], "government_0": [0]}
Make = Callable[..., Any]


def test_agents_are_named_by_role_and_id(governed: Make) -> None:
    env = ParallelEnv(governed())
    assert env.possible_agents == AGENTS
    assert env.agents == []
    env.reset()
    assert env.agents == AGENTS
    assert str(env) == "GovernedWorld"


def test_what_agents_see_and_do_lies_in_their_spaces(governed: Make) -> None:
    env = ParallelEnv(governed())
    observations, infos = env.reset()
    for agent in AGENTS:
        assert observations[agent] in env.observation_space(agent)
        assert observations[agent].dtype == np.float32
        assert env.action_space(agent).sample(infos[agent]["action_mask"]) in env.action_space(agent)
    assert env.action_space("government_0").nvec.tolist() == [4]
    assert [mask.tolist() for mask in infos["firm_0"]["action_mask"]] == [[1, 1, 0], [1, 1]]


def test_the_state_is_what_all_agents_see(governed: Make) -> None:
    env = ParallelEnv(governed())
    with pytest.raises(RuntimeError, match=r"call reset\(\)"):
        env.state()
    observations, _ = env.reset()
    assert env.state() in env.state_space
    np.testing.assert_array_equal(env.state(), np.concatenate([observations[agent] for agent in AGENTS]))


def test_what_was_seen_does_not_change_later(governed: Make) -> None:
    env = ParallelEnv(governed())
    observations, infos = env.reset()
    before = {agent: seen.copy() for agent, seen in observations.items()}
    observations["firm_1"][:] = 0  # nor does the world if the learner writes to it
    env.step({**QUIET, "firm_1": [2, 0]})
    np.testing.assert_array_equal(observations["firm_0"], before["firm_0"])
    assert infos["government_0"]["action_mask"][0].tolist() == [1, 1, 1, 1]
    other = ParallelEnv(governed())
    other.reset()
    other.step({**QUIET, "firm_1": [2, 0]})
    np.testing.assert_array_equal(env.state(), other.state())


def test_samples_without_a_mask_are_legal(governed: Make) -> None:
    env = ParallelEnv(governed())
    space = env.action_space("firm_0")
    space.seed(0)
    assert {int(space.sample()[0]) for _ in range(100)} == {0, 1, 2}
    env.reset()
    assert {int(space.sample()[0]) for _ in range(100)} == {0, 1}
    one_sided = (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0]))
    assert space.sample(probability=one_sided).tolist() == [0, 1]


def test_agents_between_two_decisions_need_not_act(governed: Make) -> None:
    world = governed()
    env = ParallelEnv(world)
    _, infos = env.reset()
    assert infos["government_0"]["decides"]
    *_, infos = env.step({**QUIET, "government_0": [3]})
    assert not infos["government_0"]["decides"]
    assert infos["government_0"]["action_mask"][0].tolist() == [0, 0, 0, 1]
    assert env.action_space("government_0").sample().tolist() == [3]
    firms = {agent: QUIET[agent] for agent in ("firm_0", "firm_1")}
    env.step(firms)
    env.step({**QUIET, "government_0": [1]})  # not read
    assert [int(told["government"]) for told in world.heard] == [3, 3, 3]
    with pytest.raises(ValueError, match="actions: government_0 decides now and is missing"):
        env.step(firms)


@pytest.mark.parametrize(("changes", "ended"), [({"steps": 2}, (False, True)), ({"ends": 2}, (True, False))])
def test_an_episode_ends_for_all_agents_together(
    governed: Make, changes: Mapping[str, int], ended: tuple[bool, bool]
) -> None:
    env = ParallelEnv(governed(**changes))
    env.reset()
    env.step(QUIET)
    observations, rewards, terminations, truncations, infos = env.step(QUIET)
    assert env.agents == []
    for told in (observations, rewards, terminations, truncations, infos):
        assert list(told) == AGENTS
    assert (set(terminations.values()), set(truncations.values())) == ({ended[0]}, {ended[1]})
    assert all(type(reward) is float for reward in rewards.values())
    with pytest.raises(RuntimeError, match=r"no episode is under way: call reset\(\) first"):
        env.step(QUIET)
    env.reset()
    assert env.agents == AGENTS


def test_seeds_are_those_of_the_batch(governed: Make) -> None:
    env = ParallelEnv(governed(), 7)
    env.reset()
    assert env.episode_seed == 7
    env.reset()
    second = env.episode_seed
    env.reset(seed=7)
    env.reset()
    assert env.episode_seed == second != 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"firm_2": [1, 0]}, "actions: there is no agent 'firm_2'"),
        ({"firm_1": None}, "actions: firm_1 decides now and is missing"),
        ({"firm_1": [1]}, "firm_1: an action is 2 integers, one per head, but got int64 [1]"),
        ({"firm_1": [1.0, 0.0]}, "firm_1: an action is 2 integers, one per head, but got float64 [2]"),
        ({"firm_1": [3, 0]}, "firm_1, head 0: level 3 is out of range; its levels are 0-2"),
        ({"firm_1": [1, -1]}, "firm_1, head 1: level -1 is out of range; its levels are 0-1"),
        ({"firm_0": [2, 0]}, "firm_0, head 0: level 2 is forbidden by the mask; legal now: 0-1"),
    ],
)
def test_a_wrong_action_is_refused_in_one_line(governed: Make, change: Mapping[str, Any], message: str) -> None:
    env = ParallelEnv(governed())
    env.reset()
    actions = {agent: action for agent, action in {**QUIET, **change}.items() if action is not None}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        env.step(actions)


def test_a_learner_that_ignores_masks_gets_the_nearest_legal_level(governed: Make) -> None:
    world = governed()
    env = ParallelEnv(world, illegal="nearest")
    env.reset()
    env.step({**QUIET, "firm_0": [2, 1]})
    assert world.heard[0]["firm"][0].tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("package", "modules"), [("pettingzoo", ["parallel_env"]), ("gymnasium", ["parallel_env", "env_spaces"])]
)
def test_a_missing_package_is_one_line_that_names_the_extra(
    package: str, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for module in modules:
        monkeypatch.delitem(sys.modules, f"carbonray.runtime.{module}")
    extra = r"pip install 'carbonray\[marl\]', in a checkout pip install -e '.\[marl\]'"
    with pytest.raises(ImportError, match=rf"^{package} is not installed; [^\n]*{extra}$"):
        importlib.import_module("carbonray.runtime.parallel_env")
