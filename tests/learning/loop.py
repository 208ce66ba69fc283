"""Training without an engine: play, learn, again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carbonray.learn import rollout
from carbonray.learn.method import Method
from carbonray.learn.networks import Decider, legal_only
from carbonray.learn.problem import Problem
from carbonray.learn.rollout import Acted, Batch
from carbonray.learn.task import Task, pack, settings_of

METHODS = ("vdn", "actor-critic", "ppo")
UNSEEN = 1 << 40
"""Seed of episodes in which what was learned is judged."""


def train(
    problem: Problem,
    algorithm: str,
    *,
    iterations: int,
    replicas: int,
    seed: int = 0,
    watch: Callable[[Batch], None] = lambda batch: None,
    **settings: Any,
) -> Method:
    """Play an episode of every replica, take the gradient steps that the method asks for, and again.

    Args:
        problem: what is learned.
        algorithm: one of METHODS.
        iterations: episodes of every replica.
        replicas: of the world.
        seed: of networks, worlds and exploration.
        watch: shown every batch.
        settings: of the algorithm.
    """
    (method,) = train_together(
        [problem], algorithm, iterations=iterations, replicas=replicas, seed=seed, watch=watch, **settings
    )
    return method


def train_together(
    problems: Sequence[Problem],
    algorithm: str,
    *,
    iterations: int,
    replicas: int,
    seed: int = 0,
    watch: Callable[[Batch], None] = lambda batch: None,
    **settings: Any,
) -> list[Method]:
    """As `train`, for several roles that learn at once."""
    checked = settings_of(algorithm, settings)
    task = Task(packed=pack(*problems), algorithm=algorithm, settings=checked, replicas=replicas, seed=seed)
    learners = [Learner(task.method(problem.role), seed) for problem in problems]
    for iteration in range(iterations):
        batches = rollout.play_together(
            problems,
            [learner.method for learner in learners],
            replicas=replicas,
            seed=(seed << 20) + iteration,
            progress=iteration / iterations,
            together=checked.together,
        )
        for learner, batch in zip(learners, batches, strict=True):
            watch(batch)
            learner.learn(batch)
    return [learner.method for learner in learners]


class Learner:
    """A method, its optimiser and its random numbers."""

    def __init__(self, method: Method, seed: int) -> None:
        """Begin."""
        self.method, self.rng = method, torch.Generator().manual_seed(seed)
        method.begin(seed)
        self.trained = [each for each in method.parameters() if each.requires_grad]
        self.optimiser = torch.optim.Adam(self.trained, lr=method.settings.learning_rate, eps=1e-5)

    def learn(self, batch: Batch) -> None:
        """The gradient steps that follow from a batch."""
        for minibatch in self.method.minibatches(batch, self.rng):
            self.optimiser.zero_grad()
            self.method(minibatch)["loss"].backward()
            torch.nn.utils.clip_grad_norm_(self.trained, self.method.settings.gradient_clip)
            self.optimiser.step()
            self.method.after_step()


@dataclass(frozen=True)
class Greedy:
    """What was learned, without exploration: the best level of each head."""

    decider: Decider

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """Decide."""
        values, memory = self.decider(seen[:, None], memory)
        return Acted(levels=self.decider.heads.best(legal_only(values[:, 0], mask)), memory=memory)


def judged(problem: Problem, method: Method, *, replicas: int = 1) -> Batch:
    """Episodes that the method has not seen, played without exploration."""
    return rollout.play(problem, Greedy(method.learned), replicas=replicas, seed=UNSEEN)


def paid(problem: Problem, batch: Batch) -> Tensor:
    """[B, n] what each agent earned in an episode, in the world's units."""
    return batch["reward"].sum(1) * problem.stake * problem.reward_scale
