"""The networks of a predictor: one applied to each year, several whose mean is taken and whose spread tells doubt.

Axes: K network, N case, Y year, F feature, D figure of a year (see `Figures`), T total of figures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of a year, laid out in a row: foreign [P S], home [S], output [S], money [M]."""

    partners: int
    sectors: int
    money: int
    covered: tuple[int, ...]  # places of sectors with CBAM goods

    @property
    def count(self) -> int:
        """D."""
        return self.partners * self.sectors + 2 * self.sectors + self.money

    def split(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Foreign [..., P, S], home [..., S], output [..., S] and money [..., M] of rows [..., D]."""
        sizes = [self.partners * self.sectors, self.sectors, self.sectors, self.money]
        foreign, home, output, money = torch.split(row, sizes, -1)
        return foreign.reshape(*row.shape[:-1], self.partners, self.sectors), home, output, money

    def totals(self, row: Tensor) -> Tensor:
        """[..., T] sums that people read: abroad by sector, by partner, and of all; at home of all; of CBAM goods."""
        foreign, home, _, _ = self.split(row)
        goods = list(self.covered)
        parts = [
            foreign.sum(-2),
            foreign.sum(-1),
            foreign[..., goods].sum(-2),
            foreign.sum((-1, -2)).unsqueeze(-1),
            foreign[..., goods].sum((-1, -2)).unsqueeze(-1),
            home.sum(-1, keepdim=True),
            home[..., goods].sum(-1, keepdim=True),
        ]
        return torch.cat(parts, -1)


class Network(nn.Module):
    """Figures of a year from its features: two hidden layers and a basis of few shapes."""

    def __init__(self, features: int, figures: int, *, hidden: int, rank: int) -> None:
        """Small random weights."""
        super().__init__()
        self.first, self.second = nn.Linear(features, hidden), nn.Linear(hidden, hidden)
        self.third, self.basis = nn.Linear(hidden, rank), nn.Linear(rank, figures)

    def hidden(self, seen: Tensor) -> Tensor:
        """[..., hidden] from features [..., F] in standard deviations."""
        one = nn.functional.silu(self.first(seen))
        return one + nn.functional.silu(self.second(one))

    def forward(self, seen: Tensor) -> Tensor:
        """[..., D] figures in standard deviations."""
        found: Tensor = self.basis(self.third(self.hidden(seen)))
        return found


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of a fit."""

    hidden: int = 96
    rank: int = 48
    epochs: int = 250
    batch: int = 128  # cases
    learning_rate: float = 3e-3
    weight_decay: float = 1e-5
    rates: float = 4.0  # weight of errors of the rate beside those of figures


FLOOR = 0.02
"""Rate below which an error counts as it is, above as a share of the rate."""


def fit(
    seen: Array,
    row: Array,
    figures: Figures,
    settings: Settings,
    *,
    seed: int,
    tell: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Network:
    """Train one network on one thread: the same bytes for the same data and seed.

    Args:
        seen: [N, Y, F] features, standardised.
        row: [N, Y, D] figures in their units.
        figures: what they are.
        settings: of the fit.
        seed: of weights and batches.
        tell: told each epoch and its loss.
    """
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    network = Network(seen.shape[2], figures.count, hidden=settings.hidden, rank=settings.rank)
    torch.random.set_rng_state(before)
    rng = torch.Generator().manual_seed(seed)
    inputs, wanted = torch.as_tensor(seen, dtype=torch.float32), torch.as_tensor(row, dtype=torch.float32)
    scale = scales(row)
    unit = torch.as_tensor(scale, dtype=torch.float32)
    total_unit = figures.totals(wanted).flatten(0, 1).std(0).clamp(min=1e-9)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(inputs) / settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps)
    for epoch in range(settings.epochs):
        order, lost = torch.randperm(len(inputs), generator=rng), 0.0
        for batch in torch.split(order, settings.batch):
            found = network(inputs[batch])
            loss = _loss(found * unit, wanted[batch], figures, unit, total_unit, settings.rates)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            lost += float(loss.detach()) * len(batch)
        tell(epoch, lost / len(inputs))
    return network.eval()


def scales(row: Array) -> Array:
    """[D] standard deviation of figures [N, Y, D]; one where they never move."""
    spread = row.reshape(-1, row.shape[-1]).std(0)
    return np.where(spread > 1e-12, spread, 1.0)


def _loss(found: Tensor, wanted: Tensor, figures: Figures, unit: Tensor, total_unit: Tensor, rates: float) -> Tensor:
    """Mean squares of figures and of totals, and errors of the rate, by year and over all years."""
    cells = ((found - wanted) / unit).square().mean()
    totals = ((figures.totals(found) - figures.totals(wanted)) / total_unit).square().mean()
    loss = cells + totals
    if rates:
        for way in (_rates, lambda row, what: _rates(row.sum(1, keepdim=True), what)):
            ours, theirs = way(found, figures), way(wanted, figures)
            error = (ours - theirs) / (theirs.abs() + FLOOR)
            loss = loss + rates * nn.functional.huber_loss(error, torch.zeros_like(error), delta=0.3)
    return loss


def _rates(row: Tensor, figures: Figures) -> Tensor:
    """[N, Y, 2] leakage of all goods and of CBAM goods; a fall at home that is next to none is taken for a little."""
    foreign, home, _, _ = figures.split(row)
    goods = list(figures.covered)
    rise = torch.stack([foreign.sum((-1, -2)), foreign[..., goods].sum((-1, -2))], -1)
    fall = torch.stack([home.sum(-1), home[..., goods].sum(-1)], -1)
    return rise / fall.clamp(min=1.0)
