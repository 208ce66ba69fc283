"""Have the agents stopped changing? How far the state-action pairs of one training iteration lie from the last one's.

A critic D estimates their Wasserstein-1 distance by its dual form, with a gradient penalty in place of the bound on
its slope (Gulrajani et al. 2017, WGAN-GP, arXiv 1704.00028):

    maximise  e - lambda E[max(0, |grad D(x)| - 1)^2],   e = E_new[D] - E_old[D],   x = t new + (1 - t) old, t ~ U(0, 1)
    W = lambda (sqrt(1 + 2 e / lambda) - 1)

lambda -> params.penalty;  W -> the return value of `Distance.update`

The penalty gives way: distributions W apart pull the slope to 1 + W / (2 lambda), so e = W (1 + W / (2 lambda)), which
the second line undoes.  e is taken over halves of the samples that the critic is never trained on.

What the number means:
- Its unit is a standard deviation of an observation; one head of which every agent changes its level counts sqrt(2).
- It is an estimate from below.  The critic is small, its slope is bounded and it takes few steps an iteration: a shift
  it finds at once, a change in how actions answer to many observations it may read as half of what it is.  Read it as
  a trend and choose the tolerance by it; more `steps` come nearer to the truth.
- Between equal distributions it is zero on average, with a standard error of about 2 / sqrt(samples), so it may be
  negative; exact optimal transport of the same samples would be far above zero.  A tolerance below that error waits
  for luck.
- What the agents of an iteration have in common, such as a market's shocks, is in both halves: iterations of few
  replicas are apart though nobody learned anything.

Differences from the paper: the penalty is its one-sided variant (section 4), because the two-sided one also forbids
slopes below 1, which a critic must pass to turn round: it can stay at zero beside a change of scale.  The critic is
small and keeps its weights from iteration to iteration; its learning rate is higher and falls to zero within each.
At the paper's 1e-4 it takes thousands of steps to see anything, and what sees nothing reads as converged.

Axes: n sample, F feature, H head.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


@dataclass(frozen=True, kw_only=True)
class CriticParams:
    """The critic and its training; the defaults cost about a tenth of a second an iteration on one core."""

    hidden: int = 64  # units of each of two layers
    learning_rate: float = 3e-3  # of Adam, betas (0, 0.9), at the first step of an iteration
    penalty: float = 10.0  # lambda
    one_sided: bool = True  # whether only slopes above 1 are penalised
    steps: int = 100  # of training, per iteration
    batch: int = 128  # samples of each distribution in a step
    samples: int = 8192  # kept of an iteration

    def __post_init__(self) -> None:
        """Refuse what could only measure nothing."""
        for name, value in vars(self).items():
            if name != "one_sided" and not value > 0:
                raise ValueError(f"the critic's {name} must be positive (got {value})")
        if self.samples < 2:
            raise ValueError("the critic's samples must be at least 2, for half of them are held out (got 1)")


class Distance:
    """Distance of each iteration's samples to the last one's; the same for the same seed and samples."""

    def __init__(self, width: int, params: CriticParams = CriticParams(), seed: int = 0) -> None:
        """Begin with an untrained critic and nothing to compare with.

        Args:
            width: of a sample, see `state_actions`.
            params: of the critic.
            seed: of its first weights, the halves and the batches.
        """
        self.width = width
        self.params = params
        self._generator = torch.Generator().manual_seed(seed)
        self._critic = _critic(width, params.hidden, self._generator)
        self._last: Tensor | None = None

    def update(self, samples: Tensor) -> float | None:
        """Compare with the samples of the update before, and keep these for the next.

        Args:
            samples: [n, width] float, of this iteration; see `state_actions`.
        Returns:
            The distance; None at the first update.
        Raises:
            ValueError: of another shape, fewer than two, or holding what is no finite number.
        """
        new, old = self._shuffled(samples), self._last
        self._last = new
        if old is None:
            return None
        self._train(_halves(new)[0], _halves(old)[0])
        with torch.no_grad():
            apart = self._apart(_halves(new)[1], _halves(old)[1])
        penalty = self.params.penalty
        return math.copysign(penalty * (math.sqrt(1 + 2 * abs(apart) / penalty) - 1), apart)

    def state(self) -> dict[str, Any]:
        """All that the next update depends on, for a checkpoint."""
        weights = {name: weight.clone() for name, weight in self._critic.state_dict().items()}
        return {"critic": weights, "generator": self._generator.get_state(), "last": self._last}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises:
            ValueError: of a critic of another width or size.
        """
        theirs, ours = ([*weights["0.weight"].shape] for weights in (state["critic"], self._critic.state_dict()))
        if theirs != ours:
            raise ValueError(f"the checkpoint's critic is {theirs} [hidden, width], but this one {ours}")
        self._critic.load_state_dict(state["critic"])
        self._generator.set_state(state["generator"])
        self._last = state["last"]

    def _shuffled(self, samples: Tensor) -> Tensor:
        """[at most params.samples, width] once for all: what is held out now is not trained on in the next update."""
        if samples.ndim != 2 or samples.shape[1] != self.width or len(samples) < 2:
            raise ValueError(f"samples are {[*samples.shape]}, but must be [at least 2, {self.width}]")
        samples = samples.detach().to("cpu", torch.float32)
        wrong = int((~samples.isfinite()).sum())
        if wrong:
            raise ValueError(f"samples hold {wrong} values that are no finite numbers, of {samples.numel()}")
        return samples[torch.randperm(len(samples), generator=self._generator)[: self.params.samples]]

    def _train(self, new: Tensor, old: Tensor) -> None:
        """Raise the critic on new samples over old ones, turning it round first where it points the wrong way."""
        with torch.no_grad():
            if self._apart(new, old) < 0:
                for weight in self._critic[-1].parameters():
                    weight.neg_()
        adam = torch.optim.Adam(self._critic.parameters(), self.params.learning_rate, betas=(0.0, 0.9), fused=True)
        rate = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, self.params.steps)
        for _ in range(self.params.steps):
            adam.zero_grad()
            self._loss(self._batch(new), self._batch(old)).backward()  # type: ignore[no-untyped-call]
            adam.step()
            rate.step()

    def _batch(self, samples: Tensor) -> Tensor:
        """[params.batch, width] drawn with replacement."""
        return samples[torch.randint(len(samples), (self.params.batch,), generator=self._generator)]

    def _loss(self, new: Tensor, old: Tensor) -> Tensor:
        """[] what the critic is trained to lower."""
        share = torch.rand(len(new), 1, generator=self._generator)
        between = torch.lerp(old, new, share).requires_grad_()
        (gradient,) = torch.autograd.grad(self._critic(between).sum(), between, create_graph=True)
        excess = gradient.norm(dim=1) - 1
        if self.params.one_sided:
            excess = excess.relu()
        penalty: Tensor = self.params.penalty * excess.square().mean()
        return penalty - self._apart(new, old)

    def _apart(self, new: Tensor, old: Tensor) -> Tensor:
        """[] E_new[D] - E_old[D]."""
        apart: Tensor = self._critic(new).mean() - self._critic(old).mean()
        return apart


@dataclass(kw_only=True)
class Stopping:
    """Training has converged once the distance stays within a tolerance of zero for so many iterations in a row."""

    tolerance: float  # as the distance, see above
    patience: int  # iterations
    calm: int = 0  # iterations in a row so far; all there is to keep in a checkpoint

    def __post_init__(self) -> None:
        """Refuse a rule that could never, or would always, hold."""
        if not self.tolerance > 0 or self.patience < 1:
            got = f"{self.tolerance} and {self.patience}"
            raise ValueError(f"tolerance must be positive and patience at least 1 (got {got})")

    def update(self, distance: float | None) -> bool:
        """Whether to stop after an iteration of this distance.

        One without, for there was no other, is not calm; nor is one far below zero, where the critic is lost.
        """
        self.calm = self.calm + 1 if distance is not None and abs(distance) < self.tolerance else 0
        return self.calm >= self.patience


def state_actions(seen: Tensor, levels: Tensor, heads: tuple[int, ...], n: int, generator: torch.Generator) -> Tensor:
    """What some agents saw at some moment, beside what they chose: rows drawn without replacement, one of each stretch.

    Args:
        seen: [..., F] observations, every feature of about unit variance.
        levels: [..., H] int64, of the same agents and moments.
        heads: levels of each head.
        n: rows wanted.
        generator: on the CPU.
    Returns:
        [n, F + sum(heads)] float32, or all rows if there are fewer: observation, then a unit vector for each head.
    """
    rows, chosen = seen.flatten(0, -2), levels.flatten(0, -2)
    n = min(n, len(rows))
    edges = torch.arange(n + 1) * len(rows) // n
    pick = edges[:-1] + (torch.rand(n, generator=generator, dtype=torch.float64) * edges.diff()).long()
    units = [one_hot(level, count) for level, count in zip(chosen[pick].unbind(1), heads, strict=True)]
    return torch.cat([rows[pick], *units], dim=1).float()


def _halves(samples: Tensor) -> tuple[Tensor, Tensor]:
    """One to train on, one held out."""
    half = len(samples) // 2
    return samples[:half], samples[half:]


def _critic(width: int, hidden: int, generator: torch.Generator) -> nn.Sequential:
    """[n, width] -> [n, 1], with the first weights of `nn.Linear` from a generator of its own."""
    first, second, last = (_layer(ins, outs, generator) for ins, outs in pairwise((width, hidden, hidden, 1)))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def _layer(ins: int, outs: int, generator: torch.Generator) -> nn.Module:
    layer: nn.Module = nn.utils.skip_init(nn.Linear, ins, outs)  # type: ignore[no-untyped-call]
    for weight in layer.parameters():
        nn.init.uniform_(weight, -(ins**-0.5), ins**-0.5, generator=generator)
    return layer
