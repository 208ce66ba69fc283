"""A government and those whom it taxes find the known answer, one of them alone and both at once.

Seeds are of networks, worlds and exploration; all of them must pass.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from learning.loop import Greedy, judged, paid, train, train_together
from learning.tax import PARTS, TaxWorld
from policies import always, shape_of

from carbonray.learn import rollout
from carbonray.learn.problem import Problem, problem_of
from carbonray.learn.rollout import Batch

pytestmark = pytest.mark.slow
SEEDS = range(3)
WORLD = TaxWorld()
PIGOU = round(WORLD.damage * (PARTS - 1))
LOST = 0.1
"""Share of what the best tax is worth over none; a tax that is one level off throughout loses more."""
OFF = 0.25
"""Levels by which answers may miss the tax on average."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lost(problem: Problem, batch: Batch) -> float:
    """Share of what the best tax is worth over none that a government let go; polluters answer a step later."""
    worth = WORLD.damage**2 / 2 * (WORLD.steps - 1)
    nothing = -WORLD.damage * WORLD.steps
    return 1 - (float(paid(problem, batch).mean()) - nothing) / worth


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("algorithm", ["ppo", "vdn"])
def test_a_government_finds_the_damage_of_a_unit_as_its_tax(algorithm: str, seed: int) -> None:
    problem = problem_of(WORLD, role="government")
    method = train(problem, algorithm, iterations=100, replicas=64, seed=seed, learning_rate=3e-3)
    assert lost(problem, judged(problem, method)) < LOST


def test_no_tax_does_anything_where_nobody_answers() -> None:
    """What a government that learns would find there is chance."""
    problem = problem_of(replace(WORLD, answering=False), role="government")
    shape = shape_of(WORLD.roles["government"])
    taxes = [Greedy(always(shape, [level])) for level in (0, PIGOU)]
    taxed = [rollout.play(problem, tax, replicas=1, seed=0)["reward"] for tax in taxes]
    assert torch.equal(*taxed)
    assert lost(problem, {"reward": taxed[0]}) == pytest.approx(1)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_find_it_together_from_nothing(seed: int) -> None:
    world = replace(WORLD, answering=False)
    problems = [problem_of(world, role=role) for role in world.roles]
    polluters, government = train_together(
        problems, "ppo", iterations=200, replicas=64, seed=seed, learning_rate=2e-3, entropy=0.03, habit=0.0
    )
    played = rollout.play_together(
        problems, [Greedy(each.learned) for each in (polluters, government)], replicas=1, seed=1 << 40
    )
    seen, answers = played[0]["seen"][:, :-1] * (PARTS - 1), played[0]["levels"]
    assert (answers - seen).abs().mean() < OFF
    assert lost(problems[1], played[1]) < LOST
