"""Where policies start: from the rules of their world."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learning.games import MatrixGame, Tastes, two_kinds
from policies import lively, saved, trained

from carbonray.data.load_world import load_world
from carbonray.data.scenarios import load
from carbonray.learn import rollout
from carbonray.learn.actor_critic import ActorCriticSettings
from carbonray.learn.imitation import imitate
from carbonray.learn.networks import Decider, Heads, legal_only
from carbonray.learn.policy_folder import load as load_policy
from carbonray.learn.ppo import Ppo
from carbonray.learn.problem import Problem, problem_of
from carbonray.runtime import pair
from carbonray.worlds.cbam.act import CUTS, GROWTHS, FirmActions, encode

RATES = st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(rates=RATES)
def test_levels_stand_for_what_rule_firms_do_on_average(rates: list[float]) -> None:
    asked = torch.tensor([rates], dtype=torch.float64)
    shares = encode(FirmActions(growth=asked, cut=asked.abs()), len(GROWTHS) + len(CUTS) + 4)
    growth, cut, moves = torch.split(shares, [len(GROWTHS), len(CUTS), 4], -1)
    for part, levels, wanted in ((growth, GROWTHS, asked), (cut, CUTS, asked.abs())):
        points = torch.tensor(levels, dtype=torch.float64)
        torch.testing.assert_close((part * points).sum(-1), wanted.clamp(points[0], points[-1]))
        torch.testing.assert_close(part.sum(-1), torch.ones_like(wanted))
        assert bool((part >= 0).all())
        used = part > 0
        assert int(used.sum(-1).max()) <= 2
        assert not bool((used[..., :-2] & used[..., 2:]).any())  # neighbours
    assert moves[0].tolist() == [[1, 0, 0, 0]] * len(rates)


def test_whoever_leaves_a_policy_starts_from_it() -> None:
    """If it is drawn from and of the same size; else as if there were none."""
    game = Tastes(kinds=two_kinds(4))
    policy = lively(problem_of(game).shape(8))
    for others, follows in (
        (trained(policy, role="player", sampled=True), True),
        (trained(policy, role="player"), False),
        (trained(lively(problem_of(game).shape(4)), role="player", sampled=True), False),
    ):
        problem = problem_of(game, ids=np.arange(2), others=others)
        method = Ppo(problem, ActorCriticSettings(hidden=8))
        method.begin(seed=0)
        assert bool(method.started) is follows
        if follows:
            seen = torch.randn(3, 1, 4, problem.spec.features, generator=torch.manual_seed(0))
            for net in (method.decider, method.start):
                torch.testing.assert_close(net(seen)[0], policy(seen)[0], rtol=1e-5, atol=1e-5)


def test_games_without_rules_for_levels_start_from_nothing() -> None:
    problem = problem_of(MatrixGame())
    method = Ppo(problem, ActorCriticSettings())
    before = {name: value.clone() for name, value in method.decider.state_dict().items()}
    assert not imitate(method.decider, problem, seed=0)
    method.begin(seed=0)
    assert not method.started
    assert all(torch.equal(value, before[name]) for name, value in method.decider.state_dict().items())


@pytest.fixture(scope="module")
def problem() -> Problem:
    scenario = load("moderate", **{"firms.number": 960, "firms.learned": True, "years": 5})
    return problem_of(load_world(scenario))


def ppo(problem: Problem, **settings: float) -> Ppo:
    return Ppo(problem, ActorCriticSettings.model_validate({"hidden": 8, **settings}))


@pytest.mark.slow
class TestFirms:
    def test_a_first_policy_leaves_the_economy_where_rules_bring_it(
        self, problem: Problem, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        torch.manual_seed(0)
        decider = Decider(problem.shape(64), problem.mean, problem.deviation)
        assert imitate(decider, problem, seed=0)
        policy = load_policy(saved(tmp_path_factory.mktemp("rules"), decider, acts="sampled")).trained
        scenario = load("moderate", seed=3, **{"firms.number": 960, "firms.learned": True, "years": 5})
        ruled, learned = pair.run(scenario).policy, pair.run(scenario, policy=policy).policy
        for name, within in (("output", 0.03), ("emissions", 0.12)):
            mine, theirs = (getattr(run, name).sum((1, 2)) for run in (learned, ruled))
            assert mine == pytest.approx(theirs, rel=within)

    def test_who_strays_from_the_rules_pays_for_it_by_habit(self, problem: Problem) -> None:
        """The loss has habit x KL(pi || rules) more, which is nought at the start; not where there are no rules."""
        batch = rollout.play(problem, lazy := ppo(problem, habit=0.0), replicas=1, seed=1)
        lazy.begin(seed=0)
        window = next(lazy.minibatches(batch, torch.Generator().manual_seed(0)))
        strict = ppo(problem, habit=0.5)
        strict.load_state_dict(lazy.state_dict())
        assert bool(strict.started)
        torch.testing.assert_close(strict.loss(window)["loss"], lazy.loss(window)["loss"], rtol=0, atol=1e-6)
        for method in (lazy, strict):
            with torch.no_grad():
                method.decider.head.bias[: len(GROWTHS)] += torch.tensor([1.0, 0.5, 0.0, -0.5, -1.0])
        seen = window["seen"][:, :-1]
        now, then = (
            Heads(problem.spec.heads).log_shares(legal_only(net(seen)[0], window["mask"][:, :-1]))
            for net in (lazy.decider, lazy.start)
        )
        strayed = (now.exp() * (now - then)).sum(-1).mean()
        assert strayed > 0.01
        apart = strict.loss(window)["loss"] - lazy.loss(window)["loss"]
        torch.testing.assert_close(apart, 0.5 * strayed, rtol=1e-3, atol=0)

    def test_the_same_seed_gives_the_same_start(self, problem: Problem) -> None:
        found: list[dict[str, Any]] = []
        for _ in range(2):
            torch.manual_seed(0)
            decider = Decider(problem.shape(8), problem.mean, problem.deviation)
            imitate(decider, problem, seed=1)
            found.append(decider.state_dict())
        assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
