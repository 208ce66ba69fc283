"""The games pay what they should, and are worlds like any other."""

from itertools import product

import numpy as np
import pytest
import torch
from learning.games import (
    CLIMBING,
    MEETING,
    Abater,
    Board,
    Forbidden,
    Game,
    MatrixGame,
    Recall,
    Seldom,
    Tastes,
    TwoStepGame,
    two_kinds,
)
from torch import Tensor

from carbonray.learn.networks import Heads
from carbonray.runtime import inprocess
from carbonray.runtime.batched_env import BatchedEnv

GAMES: tuple[Game, ...] = (
    MatrixGame(),
    TwoStepGame(),
    Abater(),
    Recall(),
    Forbidden(),
    Seldom(),
    Tastes(kinds=two_kinds(4)),
)
TIGHT = 1e-5


def board(levels: list[list[list[int]]], chance: float = 0.5) -> Board:
    """Of one replica: [T, N, H]."""
    played = torch.tensor([levels])
    return Board(played=played, chance=torch.full((1, played.shape[1] + 1), chance))


def played(game: Game, replicas: int, shards: int) -> tuple[list[Tensor], list[Tensor]]:
    """What rules see and earn, step by step, the players dealt to shards in turn."""
    ids = [{"player": np.arange(game.players)[shard::shards]} for shard in range(shards)]
    edges = [each["player"] for each in ids]
    order = torch.as_tensor(np.argsort(np.concatenate(edges)))
    state, seen, earned = inprocess.reset(game, 3, replicas, ids), [], []
    for step in range(game.steps):
        looks = [game.observe(agents, state.commons)["player"].values for agents in state.agents]
        seen.append(torch.cat(looks, 1)[:, order])
        taken = inprocess.advance(game, state, [game.shocks(3, replicas, step, each) for each in ids], edges)
        earned.append(torch.cat([each["player"] for each in taken.rewards], 1)[:, order])
        state = taken.state
    assert taken.terminated
    return seen, earned


@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_shards_and_replicas_change_nothing(game: Game) -> None:
    whole = played(game, 4, 1)
    for now, also in zip(played(game, 4, 3), whole, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(now, also, strict=True))
    for now, also in zip(played(game, 2, 1), whole, strict=True):
        assert all(torch.equal(a, b[:2]) for a, b in zip(now, also, strict=True))


@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_views_for_learners_can_step_them(game: Game) -> None:
    env = BatchedEnv(game, 2)
    seen, infos = env.reset(seed=1)
    ended = torch.tensor(0.0)
    for _ in range(game.steps):
        best = Heads(game.heads).best(infos["action_mask"]["player"].float())
        seen, _, ends, _, infos = env.step({"player": best})
        ended += ends["player"].all()
    assert seen["player"].shape == (2, game.players, game.features)
    assert ended == 1


def test_a_matrix_game_pays_the_entry_to_both() -> None:
    for payoff, (row, column) in product((CLIMBING, MEETING), product(range(3), range(3))):
        paid = MatrixGame(payoff=payoff).pay(board([[[row], [column]]]))
        assert paid.tolist() == [[payoff[row][column]] * 2]


def test_the_two_step_game_is_safe_after_the_first_choice_of_the_first_player_alone() -> None:
    game = TwoStepGame()
    for lead, other, first, second in product(range(2), repeat=4):
        start = [[lead], [other]]
        assert not game.pay(board([start])).any()
        wanted = 7.0 if lead == 0 else game.agreeing[first][second]
        assert game.pay(board([start, [[first], [second]]])).tolist() == [[wanted] * 2]


def test_abatement_is_cheapest_where_its_marginal_cost_is_the_price() -> None:
    game = Abater(heads=(1001,))
    for chance in (0.0, 0.3, 0.9):
        cost = torch.stack([-game.pay(board([[[level]]], chance))[0, 0] for level in range(1001)])
        best = game.best(game.price(board([[[0]]], chance)))[0, 0]
        assert abs(int(cost.argmin()) - float(best)) <= 1  # levels are steps of a thousandth


def test_a_cue_is_seen_once_and_paid_for_in_the_end() -> None:
    game = Recall()
    for chance, cue in ((0.2, 0), (0.8, 1)):
        shown = [game.look(board([[[0]]] * step, chance) if step else blank(chance))[0, 0, 0] for step in range(4)]
        assert [float(each) for each in shown] == [2.0 * cue - 1, 0, 0, 0]
        answers = [float(game.pay(board([[[0]]] * 3 + [[[level]]], chance))) for level in range(2)]
        assert answers == [float(cue == 0), float(cue == 1)]
        assert not game.pay(board([[[cue]]] * 3, chance)).any()


def blank(chance: float) -> Board:
    """Before the first step of a game of one."""
    return Board(played=torch.zeros(1, 0, 1, 1, dtype=torch.int64), chance=torch.tensor([[chance]]))


def test_forbidden_levels_would_pay_most() -> None:
    game, heads = Forbidden(), Heads((4, 3))
    for step, (first, second) in product(range(2), product(range(4), range(3))):
        before = [[[0, 0], [0, 0]]] * step
        paid = float(game.pay(board([*before, [[first, second]] * 2]))[0, 0])
        mask = game.legal(Board(played=torch.zeros(1, step, 2, 2, dtype=torch.int64), chance=torch.zeros(1, step + 1)))
        allowed = heads.chosen(mask.float(), torch.tensor([first, second]))
        best = sum(game.best(step))
        assert paid <= best if bool(allowed.all()) else paid >= game.temptation > best
        assert (paid == best) == ((first, second) == game.best(step))


def test_a_choice_that_holds_is_better_judged_over_its_interval() -> None:
    game = Seldom()
    paid = [[float(game.pay(board([[[level]]] * (step + 1)))) for step in range(3)] for level in range(2)]
    assert sum(paid[1]) > sum(paid[0])
    assert paid[0][0] > paid[1][0]


def test_a_taste_is_worth_little_beside_chance() -> None:
    game = Tastes(kinds=two_kinds(4))
    own, none = ([[[(taste + shift) % 3] for taste in game.tastes]] for shift in (0, 1))
    assert torch.allclose(game.pay(board(own)) - game.pay(board(none)), torch.tensor(game.worth), atol=TIGHT)
