"""What every algorithm is to the engine, and the parts of which several are made.

Axes: B row, T decision, n learning agent, G team.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from carbonray.learn.networks import Decider
from carbonray.learn.problem import Problem
from carbonray.learn.rollout import Acted, Batch, shortened
from carbonray.units import Positive, UnitInterval


class Settings(BaseModel):
    """What can be set for every algorithm."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    learning_rate: Positive = 1e-3
    """Of Adam, at first; it falls in a straight line, so that agents who chase each other come to rest."""
    last_rate: UnitInterval = 0.05
    """Share of the learning rate that is left at the end of training."""
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Worth of a reward that comes one decision later."""
    hidden: Annotated[int, Field(ge=4, le=1024)] = 64
    """Units of each layer."""
    recurrent: bool = False
    """Whether networks have an LSTM, for what an observation does not show."""
    window: Annotated[int, Field(ge=1)] = 5
    """Decisions that follow each other in a minibatch; recurrent networks take whole episodes."""
    gradient_clip: Positive = 1.0
    """Largest norm of a gradient."""
    together: UnitInterval = 0.0
    """What an agent loses if all of its kind choose otherwise, in deviations of rewards: draws kinds together."""

    def rate(self, progress: float) -> float:
        """The learning rate when so much of the training is over."""
        return self.learning_rate * (1 + (self.last_rate - 1) * min(1.0, progress))


class Method(nn.Module, ABC):
    """An algorithm: how it acts, what it learns from, and its loss."""

    decider: Decider  # what acts while training
    acts: str  # greedy or sampled

    def __init__(self, problem: Problem, settings: Any) -> None:
        """Take what stays the same; subclasses make their networks."""
        super().__init__()
        self.problem, self.settings = problem, settings
        self.remembered: list[dict[str, Tensor]] = []
        self.received = 0  # batches so far
        steps, discount = problem.decisions, settings.discount
        self.horizon: float = sum(discount**step for step in range(steps))
        """Decisions that count in a value: values are means of so many rewards, so that networks start near them."""
        self.register_buffer("team_of", problem.team_of, persistent=False)
        self.register_buffer("share", problem.share, persistent=False)
        self.register_buffer("traits", problem.traits, persistent=False)

    team_of: Tensor
    share: Tensor
    traits: Tensor

    def begin(self, seed: int) -> None:
        """What is learned before the first episode; every learner of a group does it by itself, with the same seed.

        Args:
            seed: of the training.
        """

    @property
    def learned(self) -> Decider:
        """What acts once training is over."""
        return self.decider

    @abstractmethod
    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """Decide while training; see `rollout.Actor`."""

    @abstractmethod
    def minibatches(self, batch: Batch, rng: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """What to learn from after a batch came in, one gradient step each.

        Learners beside each other hold other rows of the same batch and the same `rng`: choose times, never rows.
        """

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` of a minibatch, and figures to be logged."""

    def after_step(self) -> None:
        """What is done after a gradient step."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss: so that torch's data parallelism sees all parameters at work."""
        return self.loss(batch)

    def by_team(self, values: Tensor) -> Tensor:
        """[..., G] sums of values [..., n]; the values themselves where everybody is a team."""
        if self.problem.team == "agent":
            return values
        total: Tensor = values.new_zeros(*values.shape[:-1], self.problem.teams).index_add_(-1, self.team_of, values)
        return total

    def of_team(self, values: Tensor) -> Tensor:
        """[..., n] what each agent's team has, of [..., G]."""
        return values if self.problem.team == "agent" else values.index_select(-1, self.team_of)

    def team_reward(self, reward: Tensor) -> Tensor:
        """[..., G] what each team earned per stake, as a share of the horizon; of many teams, beyond their median."""
        return self.beyond_all(self.by_team(reward * self.share) / self.horizon)

    def beyond_all(self, values: Tensor) -> Tensor:
        """Values [..., G] or [..., n] less their median at each moment, if there are many teams.

        What happens to all at once, such as a boom, would else be credited to what all did at the time.  The median of
        many does not depend on what one of them does, nor on a few who earn fortunes; of few it does, and they are
        left alone.
        """
        return values - values.median(-1, keepdim=True).values if self.problem.teams >= MANY else values

    def beyond_rows(self, values: Tensor) -> Tensor:
        """Values [B, T, G] of an agent alone in its role less their mean over the rows of all learners at each moment.

        Its replicas meet the same luck, see `problem.alike`, so that what is left is what it did.
        """
        if self.problem.spec.count > 1:
            return values
        sums = across(torch.cat([values.double().sum(0), torch.full_like(values[0].double(), len(values))], -1))
        total, rows = sums.chunk(2, -1)
        return (values - total / rows).to(values.dtype) if float(rows[0, 0]) > 1 else values


MANY = 50
"""Teams from which on they are compared with each other."""


def windows(batch: Batch, size: int, rng: torch.Generator) -> Iterator[dict[str, Tensor]]:
    """Parts of an episode that follow each other in time, in random order, each for all rows.

    Where `size` does not divide an episode, a few decisions at its ends are left out this time.
    """
    steps = batch["reward"].shape[1]
    size = min(size, steps)
    count = steps // size
    spare = int(torch.randint(steps - count * size + 1, (1,), generator=rng))
    for place in torch.randperm(count, generator=rng).tolist():
        first = spare + place * size
        yield window(batch, first, size)


def window(batch: Batch, first: int, size: int) -> dict[str, Tensor]:
    """The decisions [first, first + size) of every row."""
    steps = batch["reward"].shape[1]
    ended = batch["terminated"] if first + size == steps else torch.zeros_like(batch["terminated"])
    return {**shortened(batch, first, size), "terminated": ended}


def advantages(reward: Tensor, value: Tensor, terminated: Tensor, *, discount: float, trace: float) -> Tensor:
    """[B, T, ...] generalised advantages (Schulman et al. 2016, arXiv 1506.02438).

    A_t = d_t + discount trace A_t+1,   d_t = r_t + discount V_t+1 - V_t

    Args:
        reward: [B, T, ...].
        value: [B, T + 1, ...]; the last one counts unless the world ended.
        terminated: [B] one where the world ended with the last step.
        discount: of later rewards.
        trace: how far errors are carried back.
    """
    left = (1 - terminated).view(-1, *[1] * (reward.dim() - 2))
    found = torch.empty_like(reward)
    running = torch.zeros_like(reward[:, 0])
    steps = reward.shape[1]
    for step in range(steps - 1, -1, -1):
        after = value[:, step + 1] * left if step == steps - 1 else value[:, step + 1]
        running = reward[:, step] + discount * after - value[:, step] + discount * trace * running
        found[:, step] = running
    return found


def standardised(values: Tensor) -> Tensor:
    """Values [B, T, G] with mean 0 and deviation 1 for each team, over the rows of all learners.

    By team, so that what a few earn in a strange market does not drown what all others learn.
    """
    wide = values.double()
    sums = torch.stack(
        [wide.sum((0, 1)), wide.square().sum((0, 1)), torch.full_like(wide[0, 0], len(wide) * len(wide[0]))]
    )
    sums = across(sums)
    mean = sums[0] / sums[2]
    variance = (sums[1] / sums[2] - mean.square()).clamp(min=1e-12)
    return ((wide - mean) * variance.rsqrt()).to(values.dtype)


def across(sums: Tensor) -> Tensor:
    """Sums over all learners of a group."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(sums)
    return sums


def figures(**values: Tensor | float) -> Mapping[str, Tensor]:
    """Figures to be logged, without their history."""
    return {name: torch.as_tensor(value).detach() for name, value in values.items()}
