"""An episode as a batch: what was seen, chosen and earned, in units that lead back to what the world paid."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from learning.games import Board, Forbidden, MatrixGame, Recall, Seldom, Tastes, two_kinds
from torch import Tensor

from carbonray.learn import rollout
from carbonray.learn.networks import Heads, legal_only
from carbonray.learn.problem import Problem, problem_of
from carbonray.learn.rollout import Acted, play
from carbonray.worlds.duopoly import CournotWorld
from carbonray.worlds.world import WorldError

TIGHT = 1e-5


@dataclass
class Anyone:
    """Chooses legal levels at random, and says the progress it was told."""

    heads: Heads

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        uniform = torch.rand(*seen.shape[:2], self.heads.levels, generator=rng)
        told = torch.full(seen.shape[:2], progress)
        return Acted(levels=self.heads.best(legal_only(uniform, mask)), kept={"told": told})


@dataclass
class Script:
    """Chooses what is written down, [T, n, H], in every replica, and remembers how often it was asked."""

    levels: Tensor
    memories: list[Tensor | None] = field(default_factory=list)

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        self.memories.append(memory)
        made = torch.full((*seen.shape[:2], 2), float(len(self.memories)))
        return Acted(levels=self.levels[len(self.memories) - 1].expand(len(seen), -1, -1), memory=made)


def in_units_of_the_world(problem: Problem, reward: Tensor) -> Tensor:
    """What a batch says was earned."""
    return reward * problem.stake * problem.reward_scale


def test_the_same_seed_plays_the_same_and_another_does_not() -> None:
    problem = problem_of(Tastes(kinds=two_kinds(4)))
    one, also, other = (play(problem, Anyone(problem.heads), replicas=3, seed=seed) for seed in (5, 5, 6))
    assert one.keys() == also.keys()
    assert all(torch.equal(one[name], also[name]) for name in one)
    assert not torch.equal(one["levels"], other["levels"])
    assert not torch.equal(one["reward"], other["reward"])


def test_a_replica_meets_the_same_world_beside_any_number_of_others() -> None:
    problem = problem_of(Tastes())
    script = torch.arange(8).view(8, 1, 1).expand(8, 8, 1) % 3
    two, four = (play(problem, Script(script), replicas=replicas, seed=1) for replicas in (2, 4))
    for name in ("seen", "levels", "reward"):
        assert torch.equal(two[name], four[name][:2])
    assert not torch.equal(four["reward"][0], four["reward"][1])  # replicas differ by chance


def test_a_batch_tells_what_was_seen_before_and_after_each_decision() -> None:
    problem = problem_of(Recall())
    batch = play(problem, Anyone(problem.heads), replicas=4, seed=0, progress=0.25)
    assert batch["seen"].shape == (4, 5, 1, 2)
    assert batch["levels"].shape == (4, 4, 1, 1)
    assert batch["reward"].shape == (4, 4, 1)
    assert batch["mask"].shape == (4, 5, 1, 2)
    assert batch["seen"][:, :, 0, 1].tolist() == [[0, 0, 0, 1, 0]] * 4
    assert set(batch["seen"][:, 0, 0, 0].tolist()) <= {-1.0, 1.0}
    assert torch.equal(batch["told"], torch.full((4, 4, 1), 0.25))
    assert torch.equal(batch["progress"], torch.full((4,), 0.25))


def test_rewards_times_stake_and_scale_are_what_the_world_paid() -> None:
    stake = torch.tensor([1.0, 1.0, 2.0, 4.0, 3.0, 1.0, 1.0, 0.5])
    game = Tastes(stake=stake)
    problem = problem_of(game)
    batch = play(problem, Anyone(problem.heads), replicas=3, seed=2)
    assert problem.reward_scale != 1
    for step in range(game.steps):
        chance = torch.cat([game.shocks(2, 3, before - 1, {}).commons["chance"] for before in range(step + 2)], 1)
        board = Board(played=batch["levels"][:, : step + 1], chance=chance)
        earned = in_units_of_the_world(problem, batch["reward"][:, step])
        assert torch.allclose(earned, game.pay(board).double(), atol=TIGHT)


def test_a_decision_earns_what_comes_until_the_next() -> None:
    problem = problem_of(Seldom())
    for level, wanted in ((0, [3.0, 3.0, 3.0]), (1, [4.0, 4.0, 0.0])):
        batch = play(problem, Script(torch.full((3, 1, 1), level)), replicas=2, seed=0)
        assert in_units_of_the_world(problem, batch["reward"])[0, :, 0].tolist() == pytest.approx(wanted)
        assert batch["seen"][0, :, 0, 0].tolist() == pytest.approx([0, 3 / 7, 6 / 7, 1])


def test_memory_is_handed_on_and_nothing_is_remembered_at_first() -> None:
    problem, script = problem_of(Recall()), Script(torch.zeros(4, 1, 1, dtype=torch.int64))
    play(problem, script, replicas=2, seed=0)
    first, *later = script.memories
    assert first is None
    assert [float(each[0, 0, 0]) for each in later if each is not None] == [1.0, 2.0, 3.0]


def test_masks_are_kept_with_the_steps_that_they_rule() -> None:
    game = Forbidden()
    problem = problem_of(game)
    batch = play(problem, Anyone(problem.heads), replicas=2, seed=0)
    assert batch["mask"][0, 0, 0].int().tolist() == [1, 0, 1, 0, 1, 1, 0]
    assert batch["mask"][0, 1, 0].int().tolist() == [1, 1, 0, 1, 0, 0, 1]
    assert bool(play(problem_of(Recall()), Anyone(Heads((2,))), replicas=1, seed=0)["mask"].all())


def free_market(firms: int, steps: int) -> CournotWorld:
    """Without costs."""
    none = torch.zeros(firms, dtype=torch.float64)
    return CournotWorld(intercept=1.0, slope=1.0, cost=none, intensity=none + 1, taxed=none.bool(), steps=steps)


def test_only_a_world_that_ends_by_itself_has_ended() -> None:
    ended = play(problem_of(MatrixGame()), Anyone(Heads((3,))), replicas=2, seed=0)
    cut = play(problem_of(free_market(2, 3)), Anyone(Heads((3,))), replicas=2, seed=0)
    assert ended["terminated"].tolist() == [1.0, 1.0]
    assert cut["terminated"].tolist() == [0.0, 0.0]


def test_those_who_do_not_learn_follow_the_rules() -> None:
    world = free_market(3, 30)
    problem = problem_of(world, ids=np.array([1]))
    still = Script(torch.ones(30, 1, 1, dtype=torch.int64))  # the level that changes nothing
    batch = play(problem, still, replicas=2, seed=0)
    assert batch["seen"].shape == (2, 31, 1, 2)
    assert not batch["seen"][..., 1].any()
    assert batch["seen"][0, -1, 0, 0].item() == pytest.approx(1 / 3, abs=1e-4)  # the price of the two others' duopoly


def test_all_learning_is_as_some_learning_beside_none() -> None:
    world = free_market(2, 5)
    whole = problem_of(world)
    alone = replace(whole, ids=np.array([0, 1]))
    batch, also = (play(each, Anyone(each.heads), replicas=2, seed=4) for each in (whole, alone))
    assert torch.equal(batch["reward"], also["reward"])


@dataclass(frozen=True, kw_only=True)
class Fragile(Recall):
    """Breaks in a step."""

    breaks: int = 2

    def pay(self, board: Board) -> Tensor:
        if board.step > self.breaks:
            raise WorldError(f"step {board.step}: no prices clear this market")
        return super().pay(board)


def test_an_episode_ends_where_the_world_breaks() -> None:
    problem = replace(problem_of(Recall()), worlds=(Fragile(breaks=2),))
    batch = play(problem, Anyone(problem.heads), replicas=3, seed=0)
    assert batch["reward"].shape[1] == batch["levels"].shape[1] == batch["told"].shape[1] == 2
    assert batch["seen"].shape[1] == batch["mask"].shape[1] == 3
    assert batch["terminated"].tolist() == [0.0] * 3


def test_a_world_that_breaks_at_once_is_an_error() -> None:
    problem = replace(problem_of(Recall()), worlds=(Fragile(breaks=0),))
    with pytest.raises(WorldError, match="no prices clear"):
        play(problem, Anyone(problem.heads), replicas=1, seed=0)


def test_worlds_beside_each_other_are_rows_of_one_batch_as_long_as_the_shortest() -> None:
    problem = replace(problem_of(Recall()), worlds=(Recall(), Fragile(breaks=3)))
    batch = play(problem, Anyone(problem.heads), replicas=2, seed=0)
    assert batch["reward"].shape == (4, 3, 1)
    assert batch["terminated"].tolist() == [0.0] * 4
    assert torch.equal(batch["seen"][:2, 0], batch["seen"][2:, 0])  # the same random numbers


def test_apart_is_the_share_of_ones_kind_that_chose_otherwise() -> None:
    game = Tastes(kinds=two_kinds(4))
    problem = problem_of(game)
    levels = torch.tensor([[0, 0, 1, 2, 1, 1, 1, 1]]).view(1, 8, 1)
    assert rollout.apart(problem, levels).tolist() == [[0.5, 0.5, 0.75, 0.75, 0, 0, 0, 0]]


def test_apart_is_a_mean_over_heads() -> None:
    problem = problem_of(Forbidden())
    assert rollout.apart(problem, torch.tensor([[[0, 1], [2, 1]]])).tolist() == [[0.25, 0.25]]


def test_being_apart_costs_so_many_deviations_of_reward() -> None:
    problem = problem_of(Tastes(kinds=two_kinds(4)))
    free, dear = (play(problem, Anyone(problem.heads), replicas=2, seed=0, together=cost) for cost in (0.0, 0.5))
    assert torch.equal(free["levels"], dear["levels"])
    for step in range(8):
        cost = 0.5 * rollout.apart(problem, free["levels"][:, step])
        assert torch.allclose(free["reward"][:, step] - dear["reward"][:, step], cost, atol=TIGHT)
