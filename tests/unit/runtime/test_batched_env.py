"""Replicas in lockstep: ends, autoreset, seeds, and a role that decides every third step."""

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from carbonray.data.load_world import load_world
from carbonray.runtime.batched_env import BatchedEnv

BATCH = 4
Make = Callable[..., Any]


def levels(firms: int = 1, government: int = 0) -> dict[str, Tensor]:
    """Every firm the same level of its first head, and the government's."""
    firm = torch.tensor([firms, 0]).expand(BATCH, 2, -1)
    return {"firm": firm, "government": torch.full((BATCH, 1, 1), government)}


def test_spaces_and_tensors_agree(governed: Make) -> None:
    env = BatchedEnv(governed(), BATCH)
    observations, infos = env.reset()
    assert env.num_envs == BATCH
    assert env.metadata["autoreset_mode"] == "NextStep"
    for role, values in observations.items():
        assert values.shape[0] == BATCH
        assert env.single_observation_space[role].contains(values[0].numpy())
        assert infos["action_mask"][role].shape == (*values.shape[:2], sum(env.world.roles[role].heads))
    np.testing.assert_array_equal(env.single_action_space["firm"].nvec, [[3, 2], [3, 2]])
    assert env.single_action_space["government"].shape == (1, 1)


def test_steps_give_flags_and_rewards_of_every_agent(governed: Make) -> None:
    env = BatchedEnv(governed(), BATCH)
    env.reset()
    _, rewards, terminations, truncations, _ = env.step(levels())
    for told in (rewards, terminations, truncations):
        assert {role: tuple(values.shape) for role, values in told.items()} == {
            "firm": (BATCH, 2),
            "government": (BATCH, 1),
        }
    assert terminations["firm"].dtype == truncations["firm"].dtype == torch.bool


def test_a_choice_holds_until_the_role_decides_again(governed: Make) -> None:
    world = governed()
    env = BatchedEnv(world, BATCH)
    _, infos = env.reset()
    decided, told, masks = [], [], []
    for step in range(7):
        decided.append(infos["decides"]["government"])
        masks.append(infos["action_mask"]["government"][0, 0].tolist())
        choices = levels(government=step % 4)
        if step == 4:
            del choices["government"]  # it need not say anything
        infos = env.step(choices)[-1]
        told.append(int(world.heard[-1]["government"][0, 0, 0]))
        choices.get("government", torch.zeros(1)).fill_(9)  # a learner may use its tensor again
    assert decided == [True, False, False, True, False, False, True]
    assert told == [0, 0, 0, 3, 3, 3, 2]
    anything = [True] * 4
    zero, three = [True, False, False, False], [False, False, False, True]
    assert masks == [anything, zero, zero, anything, three, three, anything]


def test_rewards_between_two_decisions_are_paid_with_the_last_step_before_the_next(governed: Make) -> None:
    env = BatchedEnv(governed(steps=5), BATCH)
    env.reset()
    outputs, paid = [], []
    for _ in range(5):
        observations, rewards, *_ = env.step(levels() | {"firm": _growing()})
        outputs.append(float(observations["government"][0, 0, 0]))
        paid.append(float(rewards["government"][0, 0]))
    assert outputs[0] > 0
    assert paid == [0, 0, sum(outputs[:3]), 0, sum(outputs[3:])]  # the episode's end pays what is owed


def test_a_new_episode_owes_nothing_of_the_last(governed: Make) -> None:
    env = BatchedEnv(governed(), BATCH)
    env.reset()
    env.step(levels() | {"firm": _growing()})  # in the middle of an interval
    env.reset()
    paid = [env.step(levels())[1]["government"] for _ in range(3)]  # nobody makes anything
    assert not torch.stack(paid).any()


def _growing() -> Tensor:
    """Firm 1 grows, firm 0 stays."""
    return torch.tensor([[1, 0], [2, 0]]).expand(BATCH, -1, -1)


def test_the_last_step_is_a_truncation_unless_the_world_ends(governed: Make) -> None:
    for changes, ends in (({"steps": 3}, (False, True)), ({"steps": 9, "ends": 3}, (True, False)),
                          ({"steps": 3, "ends": 3}, (True, False))):  # fmt: skip
        env = BatchedEnv(governed(**changes), BATCH)
        env.reset()
        for step in range(3):
            _, _, terminations, truncations, _ = env.step(levels())
            expected = ends if step == 2 else (False, False)
            assert (bool(terminations["firm"].all()), bool(truncations["government"].all())) == expected
            assert (bool(terminations["firm"].any()), bool(truncations["government"].any())) == expected


def test_the_step_after_the_last_resets_and_ignores_its_choices(governed: Make) -> None:
    env = BatchedEnv(governed(steps=2), BATCH)
    first, _ = env.reset()
    env.step(levels() | {"firm": _growing()})
    env.step(levels() | {"firm": _growing()})
    observations, rewards, terminations, truncations, infos = env.step({})
    assert torch.equal(observations["firm"], first["firm"])
    assert not any(told["firm"].any() for told in (rewards, terminations, truncations))
    assert infos["decides"] == {"firm": True, "government": True}
    _, rewards, _, _, _ = env.step(levels() | {"firm": _growing()})
    assert rewards["firm"].any()


def test_seeds_follow_the_last_one_given(governed: Make) -> None:
    def seeds(env: BatchedEnv[Any, Any, Any], *given: int | None) -> list[int]:
        found = []
        for seed in given:
            env.reset(seed)
            found.append(env.episode_seed)
        return found

    world = governed()
    found = seeds(BatchedEnv(world, 1, 5), None, None, None)
    assert found[0] == 5
    assert len(set(found)) == 3
    assert seeds(BatchedEnv(world, 1), 5, None, None) == found
    assert seeds(BatchedEnv(world, 1), None, None, 5, None, None)[2:] == found
    assert not set(seeds(BatchedEnv(world, 1), 6, None, None)) & set(found)


def test_an_episode_reset_by_itself_has_the_seed_that_a_reset_by_hand_has(governed: Make) -> None:
    env, other = (BatchedEnv(governed(steps=1), BATCH, 3) for _ in range(2))
    for each in (env, other):
        each.reset()
        each.step(levels())
    env.step({})
    other.reset()
    assert env.episode_seed == other.episode_seed != 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"firms": torch.zeros(1)}, "choices: there is no role 'firms'; the roles are firm, government"),
        ({"firm": None}, "choices: the role 'firm' decides now and is missing"),
        ({"government": torch.zeros(BATCH, 1, 2, dtype=torch.int64)}, "government: choices are int64 [4, 1, 2]"),
        ({"firm": torch.full((BATCH, 2, 2), 2)}, "firm_0 of replica 0, head 1: level 2 is out of range"),
        ({"firm": torch.tensor([2, 0]).expand(BATCH, 2, -1)}, "firm_0 of replica 0, head 0: level 2 is forbidden"),
    ],
)
def test_a_wrong_choice_is_refused_and_changes_nothing(
    governed: Make, change: Mapping[str, Tensor | None], message: str
) -> None:
    world = governed()
    env = BatchedEnv(world, BATCH)
    env.reset()
    wrong = {role: chosen for role, chosen in {**levels(government=1), **change}.items() if chosen is not None}
    with pytest.raises(ValueError, match=re.escape(message)):
        env.step(wrong)
    assert not world.heard
    env.step(levels(government=2))
    assert world.heard[0]["government"].unique().tolist() == [2]


def test_a_learner_that_ignores_masks_gets_the_nearest_legal_level(governed: Make) -> None:
    world = governed()
    env = BatchedEnv(world, BATCH, illegal="nearest")
    env.reset()
    env.step(levels(firms=2))
    assert world.heard[0]["firm"][0].tolist() == [[1, 0], [2, 0]]


def test_stepping_before_the_first_reset_says_so(governed: Make) -> None:
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        BatchedEnv(governed(), BATCH).step(levels())


def test_only_the_spaces_need_gymnasium(governed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "carbonray.runtime.env_spaces", raising=False)
    env = BatchedEnv(governed(), BATCH)
    env.reset()
    env.step(levels())
    with pytest.raises(ImportError, match=re.escape("gymnasium is not installed; views of worlds")) as error:
        _ = env.single_action_space
    assert str(error.value).endswith("in a checkout pip install -e '.[marl]'")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"replicas": 0}, "replicas must be a whole number of at least 1 (got 0)"),
        ({"replicas": 2.5}, "replicas must be a whole number of at least 1 (got 2.5)"),
        ({"replicas": 2, "illegal": "nearst"}, "illegal must be one of refuse, nearest (got nearst)"),
        ({"replicas": 2, "seed": -1}, "seed must lie in [0, 2^63) (got -1)"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        BatchedEnv(load_world("climate-negotiation/none"), **arguments)
