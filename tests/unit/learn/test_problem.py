"""What a learner is told of a world, and what is refused before anything starts."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from learning.games import Abater, Board, Forbidden, Game, MatrixGame, Recall, Seldom, Tastes, TwoStepGame, two_kinds
from torch import Tensor

from carbonray.learn.problem import ProblemError, problem_of
from carbonray.learn.rollout import Acted, play
from carbonray.worlds.world import Role

TIGHT = 1e-5


@dataclass(frozen=True, kw_only=True)
class Court(Game):
    """A world of two roles."""

    @property
    def roles(self) -> Mapping[str, Role]:
        role = Role(count=1, features=1, heads=(2,))
        return {"judge": role, "clerk": role}


@pytest.mark.parametrize(
    ("world", "given", "said"),
    [
        (Court(), {}, "--role: choose one of judge, clerk"),
        (Court(), {"role": "king"}, "--role king: this world has judge, clerk"),
        (Recall(), {"role": "firm"}, "--role firm: this world has player"),
        (Recall(), {"team": "sector"}, "--team sector: players know agent, economy"),
        (Tastes(kinds=two_kinds(4)), {"team": "club"}, "--team club: players know agent, kind, economy"),
        (Tastes(), {"ids": np.array([8])}, "ids: give some of the players 0 to 7"),
        (Tastes(), {"ids": np.array([-1])}, "ids: give some of the players 0 to 7"),
        (Tastes(), {"ids": np.array([], dtype=np.int64)}, "ids: give some of the players 0 to 7"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(world: Game, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        problem_of(world, **given)
    assert str(refusal.value) == said


def test_all_agents_of_the_only_role_learn_unless_said_otherwise() -> None:
    problem = problem_of(Tastes())
    assert problem.role == "player"
    assert problem.whole
    assert problem.ids.tolist() == list(range(8))


def test_some_agents_learn_with_their_own_stakes_and_kinds() -> None:
    game = Tastes(kinds=two_kinds(4), stake=torch.arange(1.0, 9.0))
    problem = problem_of(game, ids=np.array([7, 5, 5, 4]), team="kind")
    assert problem.ids.tolist() == [4, 5, 7]
    assert not problem.whole
    assert problem.stake.tolist() == [5, 6, 8]
    assert problem.team_of.tolist() == problem.kind_of.tolist() == [0, 0, 0]  # of the kinds that learn, one is left
    assert problem.teams == 1


@pytest.mark.parametrize(("team", "teams"), [("agent", 8), ("kind", 2), ("economy", 1)])
def test_the_shares_of_a_team_add_up_to_one(team: str, teams: int) -> None:
    stake = torch.arange(1.0, 9.0)
    problem = problem_of(Tastes(kinds=two_kinds(4), stake=stake), team=team)
    assert problem.teams == teams
    assert torch.allclose(problem.by_team(problem.share), torch.ones(teams))
    assert torch.allclose(problem.share[1] / problem.share[0], torch.tensor(1.0 if team == "agent" else 2.0))


def test_without_kinds_all_are_alike() -> None:
    problem = problem_of(MatrixGame())
    assert problem.kind_of.tolist() == [0, 0]
    assert problem.traits.shape == (2, 1)
    assert not problem.traits.any()


def test_traits_tell_kinds_and_stakes() -> None:
    problem = problem_of(Tastes(kinds=two_kinds(4), stake=torch.tensor([1.0] * 7 + [1e6])))
    assert problem.traits[:, 1:].tolist() == [[1, 0]] * 4 + [[0, 1]] * 4
    assert float(problem.traits[:, 0].mean()) == pytest.approx(0, abs=TIGHT)
    assert float(problem.traits[7, 0]) == pytest.approx(7**0.5, abs=1e-3)  # one of eight that differs


@pytest.mark.parametrize(("game", "decisions"), [(Seldom(), 3), (Abater(), 8), (MatrixGame(), 1)])
def test_decisions_are_counted_by_intervals(game: Game, decisions: int) -> None:
    assert problem_of(game).decisions == decisions


@dataclass(frozen=True, kw_only=True)
class Loud(Tastes):
    """Rewards a thousand times as large."""

    def pay(self, board: Board) -> Tensor:
        return 1000 * super().pay(board)


def test_rewards_are_counted_in_deviations_whatever_their_unit() -> None:
    soft, loud = problem_of(Tastes(steps=40)), problem_of(Loud(steps=40))
    assert loud.reward_scale == pytest.approx(1000 * soft.reward_scale, rel=TIGHT)
    staked = problem_of(Loud(steps=40, stake=torch.full((8,), 1000.0)))
    assert staked.reward_scale == pytest.approx(soft.reward_scale, rel=TIGHT)
    assert 0.2 < soft.reward_scale < 0.6  # chance is uniform in [0, 1): its deviation is 0.29, by quartiles 0.37


@dataclass(frozen=True, kw_only=True)
class Quiet(Recall):
    """Pays nothing."""

    def pay(self, board: Board) -> Tensor:
        return torch.zeros(len(board.chance), 1)


def test_a_world_that_pays_nothing_is_counted_in_its_own_unit() -> None:
    assert problem_of(Quiet()).reward_scale == 1


def test_features_are_met_before_training() -> None:
    problem = problem_of(Abater(steps=40))
    assert float(problem.mean[0]) == pytest.approx(50, abs=10)  # uniform between 10 and 90
    assert float(problem.deviation[0]) == pytest.approx(80 / 12**0.5, abs=6)
    never = problem_of(TwoStepGame())
    assert bool((never.deviation > 0).all())


def test_the_same_seed_meets_the_same() -> None:
    one, also, other = (problem_of(Forbidden(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.mean, also.mean)
    assert one.reward_scale == also.reward_scale
    assert (one.reward_scale, one.mean.tolist()) != (other.reward_scale, other.mean.tolist())


@dataclass(frozen=True)
class Always:
    """The same level."""

    level: int

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        return Acted(levels=torch.full((*seen.shape[:2], 1), self.level))


def test_a_problem_is_the_same_after_it_was_sent_elsewhere() -> None:
    problem = problem_of(Seldom())
    sent = pickle.loads(pickle.dumps(problem)).to("cpu")
    one, also = (play(each, Always(1), replicas=2, seed=0) for each in (problem, sent))
    assert all(torch.equal(one[name], also[name]) for name in one)


def test_worlds_beside_are_met_too() -> None:
    alone, both = problem_of(Tastes(steps=40)), problem_of(Tastes(steps=40), beside=[Loud(steps=40)])
    assert len(both.worlds) == 2
    assert both.world is both.worlds[0]
    assert both.reward_scale > 10 * alone.reward_scale
    assert replace(both, worlds=both.worlds[:1]).spec == both.spec
