"""Value decomposition (Sunehag et al. 2017, arXiv 1706.05296) with learned weights, for any number of agents.

    V_tot(G) = sum over i in G of w_i phi(o_i, a_i),   w_i = share_i softplus(f(traits_i)) / softplus(0)
    loss     = (V_tot - r_G - discount V_tot^-(o', argmax of phi))^2 / 2   double Q, target network

phi is shared by all agents and a sum over the heads, so that the best joint action is everybody's own best.
Differences from the paper: weights (there all are one), several heads, no recurrence unless asked for, double
Q-learning (van Hasselt et al. 2016).  What neighbours on the supply graph did last is in the observation, as a mean
(Yang et al. 2018).  The replay lies in the learner: a ring of the last batches.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from carbonray.learn.inference import weights
from carbonray.learn.method import Method, Settings, figures, window
from carbonray.learn.networks import Decider, Weights, legal_only
from carbonray.learn.problem import Problem
from carbonray.learn.rollout import Acted, Batch
from carbonray.units import UnitInterval

STAYING = 0.5
"""Share of explored levels that change nothing, where the role tells which those are."""


class VdnSettings(Settings):
    """What can be set for VDN."""

    explore_first: UnitInterval = 1.0
    """Share of levels chosen at random in the beginning."""
    explore_last: UnitInterval = 0.05
    """The same when exploration has fallen to its last value."""
    explore_until: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Share of the training after which it has."""
    replay: Annotated[int, Field(ge=1)] = 10
    """Batches that are remembered."""
    updates: Annotated[int, Field(ge=1)] = 4
    """Gradient steps after each batch."""
    target_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Share of the target network replaced after each gradient step."""


class Vdn(Method):
    """Shared value, weights, and the target copies of both."""

    acts = "greedy"
    settings: VdnSettings

    def __init__(self, problem: Problem, settings: VdnSettings) -> None:
        """Make the networks."""
        super().__init__(problem, settings)
        shape = problem.shape(settings.hidden, recurrent=settings.recurrent)
        self.decider = Decider(shape, problem.mean, problem.deviation)
        self.weights = Weights(problem.traits.shape[1])
        self.target = Decider(shape, problem.mean, problem.deviation)
        self.target_weights = Weights(problem.traits.shape[1])
        for copy, own in self._pairs():
            copy.load_state_dict(own.state_dict())
            copy.requires_grad_(requires_grad=False)

    def begin(self, seed: int) -> None:
        """Go on from a policy, if there is one to start from."""
        if self.problem.start is not None:
            for network in (self.decider, self.target):
                network.load_state_dict(weights(self.problem.start.network))

    def _pairs(self) -> tuple[tuple[nn.Module, nn.Module], ...]:
        return (self.target, self.decider), (self.target_weights, self.weights)

    @property
    def learned(self) -> Decider:
        """The target network: a running mean, and steadier than what is being trained."""
        return self.target

    def explored(self, progress: float) -> float:
        """Share of levels chosen at random when so much of the training is over."""
        s = self.settings
        return s.explore_first + (s.explore_last - s.explore_first) * min(1.0, progress / s.explore_until)

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """The best level of each head, or with the probability of exploration a legal one at random."""
        values, memory = self.decider(seen[:, None], memory)
        heads, device = self.decider.heads, seen.device
        best = heads.best(legal_only(values[:, 0], mask))
        share = self.explored(progress)
        uniform = torch.rand(*seen.shape[:2], len(heads.sizes), generator=rng, device=device)
        any_level = heads.any_of(mask, uniform)
        if self.problem.spec.rest is not None:
            rest = torch.tensor(self.problem.spec.rest, device=device).expand_as(best)
            stays = torch.rand(best.shape, generator=rng, device=device) < STAYING
            if mask is not None:
                stays &= heads.chosen(mask, rest)
            any_level = torch.where(stays, rest, any_level)
        explores = torch.rand(best.shape, generator=rng, device=device) < share
        return Acted(levels=torch.where(explores, any_level, best), memory=memory)

    def minibatches(self, batch: Batch, rng: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Windows at random times of random batches in the replay."""
        if len(self.remembered) < self.settings.replay:
            self.remembered.append(dict(batch))
        else:
            self.remembered[self.received % self.settings.replay] = dict(batch)
        self.received += 1
        for _ in range(self.settings.updates):
            old = self.remembered[int(torch.randint(len(self.remembered), (1,), generator=rng))]
            steps = old["reward"].shape[1]
            size = steps if self.settings.recurrent else min(self.settings.window, steps)
            yield window(old, int(torch.randint(steps - size + 1, (1,), generator=rng)), size)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the teams' values against what they earned and the target network expects.

        Not Huber's: its values are nearer to medians, and are no projection of the game where rewards are skewed.
        """
        heads, mask = self.decider.heads, batch["mask"]
        values, _ = self.decider(batch["seen"])
        said = self._value(self.weights, heads.chosen(values[:, :-1], batch["levels"]))
        with torch.no_grad():
            best = heads.best(legal_only(values[:, 1:], mask[:, 1:]))
            later, _ = self.target(batch["seen"])
            after = self._value(self.target_weights, heads.chosen(later[:, 1:], best))
            left = torch.ones_like(after)
            left[:, -1] -= batch["terminated"][:, None]
            wanted = self.team_reward(batch["reward"]) + self.settings.discount * left * after
        loss = nn.functional.mse_loss(said, wanted) / 2
        return {"loss": loss, **figures(value=said.mean(), error=(said - wanted).abs().mean())}

    def _value(self, weights: nn.Module, chosen: Tensor) -> Tensor:
        """[B, T, G] of the values of chosen levels [B, T, n, H]."""
        value: Tensor = self.by_team(weights(self.traits, self.share) * chosen.sum(-1))
        return value

    def after_step(self) -> None:
        """Move the target networks a little."""
        with torch.no_grad():
            for copy, own in self._pairs():
                for old, new in zip(copy.parameters(), own.parameters(), strict=True):
                    old.lerp_(new, self.settings.target_rate)
