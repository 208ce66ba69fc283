"""Advantages by definition, windows that cover an episode, and sums by team."""

import pytest
import torch
from learning.games import MatrixGame, Tastes, two_kinds
from learning.tax import TaxWorld
from pydantic import ValidationError
from torch import Tensor

from carbonray.learn import rollout
from carbonray.learn.actor_critic import ActorCriticSettings
from carbonray.learn.method import MANY, Settings, advantages, standardised, windows
from carbonray.learn.ppo import Ppo
from carbonray.learn.problem import Problem, ProblemError, problem_of
from carbonray.learn.task import METHODS, settings_of
from carbonray.learn.vdn import Vdn, VdnSettings

TIGHT = 1e-5
Game = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def episode() -> Game:
    """Rewards [3, 6, 2], values [3, 7, 2], and which rows ended."""
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(3, 6, 2, generator=rng), torch.randn(3, 7, 2, generator=rng)
    return reward, value, torch.tensor([0.0, 1.0, 0.0])


@pytest.mark.parametrize("trace", [0.0, 0.6, 1.0])
def test_advantages_are_the_sum_of_later_errors(episode: Game, trace: float) -> None:
    reward, value, ended = episode
    found = advantages(reward, value, ended, discount=0.9, trace=trace)
    for row in range(3):
        for agent in range(2):
            r, v = reward[row, :, agent].tolist(), value[row, :, agent].tolist()
            v[6] *= 1 - float(ended[row])
            errors = [r[t] + 0.9 * v[t + 1] - v[t] for t in range(6)]
            wanted = [sum((0.9 * trace) ** (k - t) * errors[k] for k in range(t, 6)) for t in range(6)]
            assert found[row, :, agent].tolist() == pytest.approx(wanted, abs=TIGHT)


def test_with_a_full_trace_advantage_and_value_are_what_was_earned(episode: Game) -> None:
    reward, value, ended = episode
    found = advantages(reward, value, ended, discount=0.9, trace=1.0) + value[:, :-1]
    for row in range(3):
        later = value[row, 6] * (1 - ended[row])
        for step in range(5, -1, -1):
            later = reward[row, step] + 0.9 * later
            assert torch.allclose(found[row, step], later, atol=TIGHT)


def test_advantages_hold_for_rewards_without_agents(episode: Game) -> None:
    reward, value, ended = episode
    both = advantages(reward, value, ended, discount=0.9, trace=0.5)
    one = advantages(reward[..., 0], value[..., 0], ended, discount=0.9, trace=0.5)
    assert torch.equal(one, both[..., 0])


def batch_of(steps: int) -> dict[str, Tensor]:
    """Two rows whose every entry says its step."""
    time = torch.arange(steps + 1, dtype=torch.float32).view(1, -1, 1, 1).expand(2, -1, 3, 1)
    return {
        "seen": time,
        "mask": time.bool(),
        "levels": time[:, :-1].long(),
        "reward": time[:, :-1, :, 0],
        "terminated": torch.tensor([0.0, 1.0]),
        "progress": torch.zeros(2),
    }


@pytest.mark.parametrize(("steps", "size"), [(12, 4), (12, 5), (3, 5), (1, 1), (7, 7)])
def test_windows_cover_an_episode_but_for_its_ends(steps: int, size: int) -> None:
    wide = min(size, steps)
    rng = torch.Generator().manual_seed(steps)
    met: list[int] = []
    for cut in windows(batch_of(steps), size, rng):
        times = cut["reward"][0, :, 0].long().tolist()
        assert times == list(range(times[0], times[0] + wide))
        assert cut["seen"][0, :, 0, 0].long().tolist() == [*times, times[-1] + 1]
        assert cut["mask"].shape[1] == wide + 1
        assert torch.equal(cut["levels"][..., 0].float(), cut["reward"])
        last = times[-1] == steps - 1
        assert cut["terminated"].tolist() == [0.0, float(last)]
        met += times
    assert len(met) == len(set(met)) == steps // wide * wide


def test_windows_come_in_another_order_and_place_each_time() -> None:
    rng = torch.Generator().manual_seed(0)
    firsts = {tuple(int(cut["reward"][0, 0, 0]) for cut in windows(batch_of(13), 5, rng)) for _ in range(40)}
    assert {first % 5 for order in firsts for first in order} == {0, 1, 2, 3}  # three steps are left over
    assert any(order != tuple(sorted(order)) for order in firsts)


@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_standardised_values_have_mean_nought_and_deviation_one(shift: float) -> None:
    values = 5 * torch.randn(50, 4, 3, generator=torch.Generator().manual_seed(0)) + shift
    found = standardised(values)
    assert float(found.mean()) == pytest.approx(0, abs=1e-3)
    assert float(found.std(correction=0)) == pytest.approx(1, abs=1e-3)
    assert found.dtype == torch.float32
    assert torch.equal(found.argsort(0), values.argsort(0))


def test_equal_values_are_standardised_to_nought() -> None:
    assert not standardised(torch.full((4, 2), 3.0)).abs().max() > TIGHT


def test_teams_sum_what_their_members_earn_by_their_stakes() -> None:
    stake = torch.tensor([1.0, 1.0, 2.0, 4.0, 3.0, 1.0, 1.0, 1.0])
    game = Tastes(kinds=two_kinds(4), stake=stake)
    reward = torch.arange(8.0).expand(2, 3, 8)
    alone, kind, all_one = (vdn(problem_of(game, team=team)) for team in ("agent", "kind", "economy"))
    horizon = alone.horizon
    assert torch.allclose(alone.team_reward(reward), reward / horizon)
    assert alone.of_team(reward) is reward
    first = (0 * 1 + 1 * 1 + 2 * 2 + 3 * 4) / 8
    second = (4 * 3 + 5 * 1 + 6 * 1 + 7 * 1) / 6
    assert torch.allclose(kind.team_reward(reward)[0, 0], torch.tensor([first, second]) / horizon)
    assert kind.of_team(torch.tensor([1.0, 2.0])).tolist() == [1.0] * 4 + [2.0] * 4
    together = float((torch.arange(8.0) * stake).sum() / stake.sum())
    assert all_one.team_reward(reward).shape == (2, 3, 1)
    assert float(all_one.team_reward(reward)[0, 0, 0]) == pytest.approx(together / horizon)


def test_many_teams_are_told_what_they_earned_beyond_what_most_did() -> None:
    few, many = (vdn(problem_of(Tastes(players=n, tastes=(0,) * n, stake=torch.ones(n)))) for n in (MANY - 2, MANY))
    assert torch.allclose(few.team_reward(torch.ones(1, 1, 48)), torch.ones(1, 1, 48) / few.horizon)
    reward = torch.arange(50.0).expand(2, 3, 50) + 100 * torch.rand(2, 3, 1, generator=torch.Generator().manual_seed(0))
    wanted = (torch.arange(50.0) - 24).expand(2, 3, 50) / many.horizon
    torch.testing.assert_close(many.team_reward(reward), wanted, rtol=0, atol=1e-4)


def test_an_error_that_a_critic_makes_of_all_at_once_says_nothing_of_what_anyone_did() -> None:
    """What is learned from is the same whatever the critic adds to everybody's value at a moment."""
    problem = problem_of(Tastes(players=MANY, features=MANY, tastes=(0,) * MANY, stake=torch.ones(MANY)))
    method = Ppo(problem, ActorCriticSettings(discount=0.9, trace=0.7))
    rng = torch.Generator().manual_seed(0)
    batch = rollout.play(problem, method, replicas=4, seed=1)
    judged = []
    for error in (0.0, 5.0):
        moment = error * torch.rand(1, batch["seen"].shape[1], 1, generator=rng)
        method.value = lambda seen, moment=moment: seen.mean(-1) + moment  # type: ignore[method-assign, misc]
        window = next(method.minibatches(batch, torch.Generator().manual_seed(0)))
        judged.append(window["gained"])
    torch.testing.assert_close(*judged, rtol=0, atol=1e-4)


def test_luck_that_all_replicas_share_says_nothing_of_what_one_agent_alone_did() -> None:
    method = Ppo(problem_of(TaxWorld(), role="government"), ActorCriticSettings())
    rng = torch.Generator().manual_seed(0)
    gained, luck = torch.randn(6, 3, 1, generator=rng), 100 * torch.randn(1, 3, 1, generator=rng)
    found = method.beyond_rows(gained + luck)
    torch.testing.assert_close(found, gained - gained.mean(0), rtol=0, atol=1e-4)
    assert torch.equal(method.beyond_rows(gained[:1]), gained[:1])  # one replica has nothing to be compared with
    many = Ppo(problem_of(TaxWorld(), role="polluter"), ActorCriticSettings())
    assert torch.equal(many.beyond_rows(gained), gained)


def test_many_who_share_one_purse_learn_from_what_it_holds() -> None:
    """In PPO everybody judges by itself; what is beyond all would be nothing where all earn the same."""
    problem = problem_of(
        Tastes(players=MANY, features=MANY, tastes=(0,) * MANY, stake=torch.ones(MANY)), team="economy"
    )
    method = Ppo(problem, ActorCriticSettings())
    batch = rollout.play(problem, method, replicas=4, seed=1)
    judged = []
    for reward in (batch["reward"], torch.rand(batch["reward"].shape, generator=torch.Generator().manual_seed(0))):
        window = next(method.minibatches({**batch, "reward": reward}, torch.Generator().manual_seed(0)))
        judged.append(window["gained"])
    assert float((judged[0] - judged[1]).abs().mean()) > 0.1


def vdn(problem: Problem, **settings: float) -> Vdn:
    """With the given settings."""
    return Vdn(problem, VdnSettings.model_validate(settings))


def test_in_ppo_everybody_is_told_what_the_team_earned() -> None:
    method = Ppo(problem_of(MatrixGame(), team="economy"), ActorCriticSettings())
    told = method.team_reward(torch.tensor([[[1.0, 3.0]]]))
    assert torch.allclose(told, torch.full((1, 1, 2), 2.0 / method.horizon))


def test_values_are_means_over_the_decisions_that_count() -> None:
    problem = problem_of(Tastes())  # eight steps
    assert vdn(problem, discount=0.5).horizon == pytest.approx(2 - 0.5**7)
    assert vdn(problem, discount=0.0).horizon == 1


def test_exploration_falls_and_stays() -> None:
    method = vdn(problem_of(MatrixGame()))
    explored = [method.explored(progress) for progress in (0.0, 0.3, 0.6, 1.0)]
    assert explored == pytest.approx([1.0, 0.525, 0.05, 0.05])


@pytest.mark.parametrize("algorithm", METHODS)
def test_settings_refuse_in_one_line_what_they_do_not_know(algorithm: str) -> None:
    for given in ({"no_such": 1}, {"discount": 1.0}, {"learning_rate": -1}):
        with pytest.raises(ProblemError, match=rf"^--learn {next(iter(given))}: ") as refusal:
            settings_of(algorithm, given)
        assert "\n" not in str(refusal.value)


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match=r"^--algorithm qmix: choose vdn, actor-critic, ppo$"):
        settings_of("qmix", {})


def test_settings_do_not_change_under_way() -> None:
    with pytest.raises(ValidationError):
        Settings().discount = 0.5
