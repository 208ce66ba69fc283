"""What learners are made of: factored heads under masks, and small networks that all agents of a role share.

Axes: ... any (row, step, agent), F feature, H head, L level of any head, laid end to end as in a mask.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import torch
from torch import Tensor, nn

FORBIDDEN = -1e9
"""In place of the value of a level that the mask forbids."""


class Heads:
    """Levels laid end to end, read head by head; neighbouring heads with equally many levels are read at once."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """Take the levels of each head."""
        self.sizes = tuple(sizes)
        self.levels = sum(sizes)
        self._runs = [(size, len(list(run))) for size, run in groupby(self.sizes)]
        self._widths = [size * count for size, count in self._runs]
        self._starts = list(accumulate((count for _, count in self._runs), initial=0))

    def parts(self, values: Tensor) -> list[Tensor]:
        """Views [..., heads, levels of each] of values [..., L], for each run of equal heads."""
        split = torch.split(values, self._widths, -1)
        return [part.view(*part.shape[:-1], count, size) for part, (size, count) in zip(split, self._runs, strict=True)]

    def chosen(self, values: Tensor, choices: Tensor) -> Tensor:
        """[..., H] the values of the chosen levels, of values [..., L] and choices [..., H]."""
        found = [
            part.gather(-1, choices[..., first : first + part.shape[-2], None]).squeeze(-1)
            for part, first in zip(self.parts(values), self._starts, strict=False)
        ]
        return torch.cat(found, -1)

    def best(self, values: Tensor) -> Tensor:
        """[..., H] int64, the level of each head with the highest value, the lowest of equals."""
        return torch.cat([part.argmax(-1) for part in self.parts(values)], -1)

    def highest(self, values: Tensor) -> Tensor:
        """[..., H] the highest value of each head."""
        return torch.cat([part.amax(-1) for part in self.parts(values)], -1)

    def log_shares(self, logits: Tensor) -> Tensor:
        """[..., L] log probabilities of the levels of each head."""
        return torch.cat([part.contiguous().log_softmax(-1).flatten(-2) for part in self.parts(logits)], -1)

    def entropy(self, log_shares: Tensor) -> Tensor:
        """[..., H] as a share of the most that a head with so many levels can have."""
        parts = self.parts(log_shares.exp() * log_shares)
        return torch.cat([part.sum(-1) / -math.log(max(2, part.shape[-1])) for part in parts], -1)

    def drawn(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """[..., H] levels drawn with the probabilities of logits [..., L], and those probabilities.

        The level at which the running sum passes `uniform` [..., H], which lies in [0, 1), of the whole.
        """
        levels, shares = [], []
        for part, first in zip(self.parts(logits), self._starts, strict=False):
            weight = (part - part.amax(-1, keepdim=True)).exp_()  # softmax is many times slower where levels are few
            running = weight.cumsum(-1)
            total = running[..., -1:].contiguous()
            place = uniform[..., first : first + part.shape[-2], None] * total
            passed = torch.searchsorted(running, place, right=True)
            level = torch.minimum(passed, torch.searchsorted(running, total))  # never one without weight
            levels.append(level.squeeze(-1))
            shares.append((weight.gather(-1, level) / total).squeeze(-1))
        return torch.cat(levels, -1), torch.cat(shares, -1)

    def any_of(self, mask: Tensor | None, uniform: Tensor) -> Tensor:
        """[..., H] levels, each legal one equally likely, from numbers `uniform` [..., H] in [0, 1)."""
        if mask is not None:
            return self.drawn(torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, FORBIDDEN), uniform)[0]
        return (uniform * torch.tensor(self.sizes, device=uniform.device)).to(torch.int64)

    def within(self, values: Tensor) -> Tensor:
        """[..., L] the sum of each head's values, at each of its levels."""
        return torch.cat([part.sum(-1, keepdim=True).expand_as(part).flatten(-2) for part in self.parts(values)], -1)

    def one_hot(self, choices: Tensor) -> Tensor:
        """[..., L] float32, one at each chosen level."""
        places = choices + torch.tensor(list(accumulate(self.sizes, initial=0))[:-1], device=choices.device)
        found = torch.zeros(*choices.shape[:-1], self.levels, device=choices.device)
        return found.scatter_(-1, places, 1.0)


def legal_only(values: Tensor, mask: Tensor | None) -> Tensor:
    """Values [..., L] with forbidden levels far below all others; all are legal where there is no mask."""
    return values if mask is None else values.masked_fill(~mask, FORBIDDEN)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Of a network that decides."""

    features: int
    heads: tuple[int, ...]
    hidden: int = 64
    recurrent: bool = False  # whether it has an LSTM, for what an observation does not show


class Trunk(nn.Module):
    """Two layers, and an LSTM after them where asked for; features are standardised first.

    ReLU6, because it is bounded, as `carbonray.learn.inference` needs it, and costs a fraction of tanh.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Shape, mean: Tensor | None = None, deviation: Tensor | None = None) -> None:
        """Start from random weights; features are left as they are without mean and deviation, [F]."""
        super().__init__()
        self.shape = shape
        mean = torch.zeros(shape.features) if mean is None else mean
        deviation = torch.ones(shape.features) if deviation is None else deviation
        self.register_buffer("mean", mean.to(torch.float32))
        self.register_buffer("scale", deviation.clamp(min=1e-3).reciprocal().to(torch.float32))
        self.layers = nn.Sequential(
            nn.Linear(shape.features, shape.hidden), nn.ReLU6(), nn.Linear(shape.hidden, shape.hidden), nn.ReLU6()
        )
        self.lstm = nn.LSTM(shape.hidden, shape.hidden, batch_first=True) if shape.recurrent else None

    def forward(self, seen: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What is made of observations, in the order of time.

        Args:
            seen: [B, T, N, F].
            memory: [B, N, 2 hidden] before the first of them; forgotten where left out.
        Returns:
            [B, T, N, hidden], and the memory after the last; none without LSTM.
        """
        made = self.layers(((seen - self.mean) * self.scale).clamp(-SEEN, SEEN))
        if self.lstm is None:
            return made, None
        batch, steps, agents, hidden = made.shape
        series = made.transpose(1, 2).reshape(batch * agents, steps, hidden)
        start = None
        if memory is not None:
            start = tuple(part.reshape(1, batch * agents, hidden).contiguous() for part in memory.chunk(2, -1))
        series, (short, cell) = self.lstm(series, start)
        kept = torch.cat([short[0], cell[0]], -1).view(batch, agents, 2 * hidden)
        return series.view(batch, agents, steps, hidden).transpose(1, 2), kept


RESTING = 0.9
"""Share of first choices that change nothing: a market is learned from near where it rests, not from turmoil."""
SEEN = 10.0
"""Deviations from the mean beyond which a feature looks the same."""
MADE = 6.0
"""The most that a unit of a layer says; the least is 0."""


class Decider(nn.Module):
    """A value or a logit of every level: what acts once it is trained."""

    def __init__(self, shape: Shape, mean: Tensor | None = None, deviation: Tensor | None = None) -> None:
        """Start close to indifference."""
        super().__init__()
        self.shape = shape
        self.heads = Heads(shape.heads)
        self.trunk = Trunk(shape, mean, deviation)
        self.head = nn.Linear(shape.hidden, self.heads.levels)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def rest(self, levels: Sequence[int] | None) -> None:
        """Choose the level of each head that changes nothing most of the time at first, where there is one."""
        with torch.no_grad():
            for part, level in zip(torch.split(self.head.bias, list(self.heads.sizes)), levels or (), strict=False):
                part[level] = math.log(max(1, len(part) - 1) * RESTING / (1 - RESTING))

    def forward(self, seen: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """[B, T, N, L] of observations [B, T, N, F], and the memory after the last, as in `Trunk`."""
        made, memory = self.trunk(seen, memory)
        return self.head(made), memory


class Value(nn.Module):
    """The worth of what an agent sees."""

    def __init__(self, shape: Shape, mean: Tensor | None = None, deviation: Tensor | None = None) -> None:
        """Start at zero for everybody."""
        super().__init__()
        self.trunk = Trunk(shape, mean, deviation)
        self.head = nn.Linear(shape.hidden, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, seen: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """[B, T, N] of observations [B, T, N, F], and the memory after the last."""
        made, memory = self.trunk(seen, memory)
        return self.head(made).squeeze(-1), memory


class Weights(nn.Module):
    """How much each agent's part counts in the value of its team: never negative, about its share at first.

    w_i = share_i softplus(f(features_i)) / softplus(0)
    """

    def __init__(self, features: int, hidden: int = 16) -> None:
        """Start from the shares."""
        super().__init__()
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), last)

    def forward(self, features: Tensor, share: Tensor) -> Tensor:
        """[N] weights of agents with features [N, K] and shares [N] of their teams' stakes."""
        raw = nn.functional.softplus(self.layers(features).squeeze(-1))
        weight: Tensor = share * raw / nn.functional.softplus(torch.zeros((), device=raw.device))
        return weight
