"""Training without an engine: play, learn, again."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carbonray.learn import rollout
from carbonray.learn.method import Method
from carbonray.learn.networks import Decider, legal_only
from carbonray.learn.problem import Problem
from carbonray.learn.rollout import Acted, Batch
from carbonray.learn.task import Task, settings_of

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
    checked = settings_of(algorithm, settings)
    task = Task(packed=pickle.dumps(problem), algorithm=algorithm, settings=checked, replicas=replicas, seed=seed)
    method, rng = task.method(), torch.Generator().manual_seed(seed)
    method.begin(seed)
    trained = [each for each in method.parameters() if each.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=checked.learning_rate, eps=1e-5)
    for iteration in range(iterations):
        batch = rollout.play(
            problem,
            method,
            replicas=replicas,
            seed=(seed << 20) + iteration,
            progress=iteration / iterations,
            together=checked.together,
        )
        watch(batch)
        for minibatch in method.minibatches(batch, rng):
            optimiser.zero_grad()
            method(minibatch)["loss"].backward()
            torch.nn.utils.clip_grad_norm_(trained, checked.gradient_clip)
            optimiser.step()
            method.after_step()
    return method


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
