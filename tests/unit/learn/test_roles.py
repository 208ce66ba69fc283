"""Several roles: one learns among others who follow rules or a policy, or all learn in one episode."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from learning.tax import PARTS, Law, People, TaxWorld
from policies import always, shape_of, trained
from torch import Tensor

from carbonray.learn.actor_critic import ActorCriticSettings
from carbonray.learn.policy import Together
from carbonray.learn.ppo import Ppo
from carbonray.learn.problem import Problem, problem_of
from carbonray.learn.rollout import Acted, play, play_together
from carbonray.learn.vdn import Vdn, VdnSettings
from carbonray.worlds.world import Bid, Shocks, WorldError

WORLD = TaxWorld()
TIGHT = 1e-5


@dataclass(frozen=True)
class Drawn:
    """Levels at random."""

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        return Acted(levels=torch.randint(PARTS, (*seen.shape[:2], 1), generator=rng))


@dataclass(frozen=True)
class Decrees:
    """A tax for each interval."""

    levels: tuple[int, ...] = (1, 3, 5)

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        place = 0 if memory is None else int(memory[0, 0, 0]) + 1
        chosen = torch.full((*seen.shape[:2], 1), self.levels[place])
        return Acted(levels=chosen, memory=torch.full((*seen.shape[:2], 2), float(place)))


def paid(problem: Problem, reward: Tensor) -> Tensor:
    return reward * problem.stake * problem.reward_scale


def welfare(tax: float, damage: float = WORLD.damage) -> float:
    """Of a step in which all polluters answer a tax."""
    return -(tax**2 / 2 + damage * (1 - tax))


def test_a_government_decides_now_and_then_while_polluters_follow_their_rules() -> None:
    problem = problem_of(WORLD, role="government")
    batch = play(problem, Decrees(), replicas=2, seed=0)
    assert batch["levels"][0, :, 0, 0].tolist() == [1, 3, 5]
    assert batch["seen"][0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 0.6, 1.0])  # what was abated before each
    wanted = [welfare(0) + 3 * welfare(0.2), welfare(0.2) + 3 * welfare(0.6), welfare(0.6) + 3 * welfare(1.0)]
    assert paid(problem, batch["reward"])[0, :, 0].tolist() == pytest.approx(wanted, rel=TIGHT)


def test_polluters_learn_under_a_government_of_rules_or_of_a_policy() -> None:
    tax = trained(always(shape_of(WORLD.roles["government"]), [2]), role="government")
    for others, taxes in ((None, [0.0] * 13), (tax, [0.0] + [0.4] * 12), (Together(parts=(tax,)), [0.0] + [0.4] * 12)):
        problem = problem_of(WORLD, role="polluter", others=others)
        batch = play(problem, Drawn(), replicas=2, seed=0)
        assert batch["reward"].shape == (2, 12, 6)
        assert batch["seen"][1, :, 3, 0].tolist() == pytest.approx(taxes)


def test_some_polluters_learn_among_others_and_under_a_government_who_follow_a_policy() -> None:
    tax, calm = (trained(always(shape_of(WORLD.roles[role]), [2]), role=role) for role in ("government", "polluter"))
    problem = problem_of(WORLD, role="polluter", ids=np.array([1, 4]), others=Together(parts=(calm, tax)))
    batch = play(problem, Drawn(), replicas=2, seed=0)
    assert batch["levels"].shape == (2, 12, 2, 1)
    assert batch["seen"][0, 1:, 0, 0].tolist() == pytest.approx([0.4] * 12)


def test_both_roles_are_played_in_one_episode() -> None:
    problems = [problem_of(WORLD, role=role) for role in WORLD.roles]
    polluters, government = play_together(problems, [Drawn(), Decrees()], replicas=2, seed=0)
    assert polluters["reward"].shape == (2, 12, 6)
    assert government["reward"].shape == (2, 3, 1)
    assert polluters["seen"][0, :, 0, 0].tolist() == pytest.approx([0] + [0.2] * 4 + [0.6] * 4 + [1.0] * 4)
    abated = polluters["levels"][..., 0].double() / 5
    each = -((abated**2 / 2).mean(2) + WORLD.damage * (1 - abated.mean(2)))  # [B, T]
    earned = paid(problems[1], government["reward"])[..., 0]
    torch.testing.assert_close(earned, each.view(2, 3, 4).sum(2), rtol=TIGHT, atol=TIGHT)


def test_a_role_explores_alike_whoever_else_learns() -> None:
    """The first role; a further one has random numbers of its own."""
    polluter, government = (problem_of(WORLD, role=role) for role in WORLD.roles)
    alone = play(polluter, Drawn(), replicas=2, seed=3)
    both, tax = play_together([polluter, government], [Drawn(), Drawn()], replicas=2, seed=3)
    assert torch.equal(alone["levels"], both["levels"])
    assert not torch.equal(tax["levels"][:, :, 0], both["levels"][:, :3, 0])


class Fragile(TaxWorld):
    """Breaks in the seventh step."""

    def act(self, agents: People, commons: Law, actions: object, shocks: Shocks) -> tuple[People, Bid]:
        if commons.step == 6:
            raise WorldError("nothing clears")
        return super().act(agents, commons, actions, shocks)


def test_an_episode_that_breaks_keeps_what_each_role_earned_before() -> None:
    problems = [replace(problem_of(WORLD, role=role), worlds=(Fragile(),)) for role in WORLD.roles]
    polluters, government = play_together(problems, [Drawn(), Decrees()], replicas=2, seed=0)
    assert polluters["reward"].shape[1] == 6
    assert government["reward"].shape[1] == 2
    assert [len(each["seen"][0]) for each in (polluters, government)] == [7, 3]


def test_what_a_decision_earns_is_met_before_training() -> None:
    problem = problem_of(replace(WORLD, steps=40), role="government")
    seldom = problem_of(replace(WORLD, steps=40, every=1), role="government")
    assert problem.mean.shape == (1,)
    assert 2 * seldom.reward_scale < problem.reward_scale < 6 * seldom.reward_scale  # sums of four steps, not one


@pytest.mark.slow
def test_a_policy_starts_from_its_own_roles_rules() -> None:
    settings = ActorCriticSettings(hidden=8)
    for role, ruled in (("polluter", True), ("government", False)):
        method = Ppo(problem_of(WORLD, role=role), settings)
        method.begin(seed=0)
        assert bool(method.started) is ruled


def test_a_policy_of_another_role_is_nothing_to_start_from() -> None:
    calm = trained(always(shape_of(WORLD.roles["polluter"], hidden=8), [3]), role="polluter", sampled=True)
    government = Ppo(problem_of(WORLD, role="government", others=calm), ActorCriticSettings(hidden=8))
    government.begin(seed=0)
    assert not government.started


@pytest.mark.parametrize("kind", ["ppo", "vdn"])
def test_a_training_goes_on_from_a_policy(kind: str) -> None:
    decider = always(shape_of(WORLD.roles["government"], hidden=8), [4])
    start = trained(decider, role="government", sampled=kind == "ppo")
    problem = problem_of(WORLD, role="government", start=start)
    method = Ppo(problem, ActorCriticSettings(hidden=8)) if kind == "ppo" else Vdn(problem, VdnSettings(hidden=8))
    method.begin(seed=0)
    seen = torch.rand(3, 1, 1, 1)
    for network in (method.decider, method.learned):
        torch.testing.assert_close(network(seen)[0], decider(seen)[0], rtol=TIGHT, atol=TIGHT)
