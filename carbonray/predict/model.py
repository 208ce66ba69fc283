"""A predictor: networks, calibration, and what it was built for.

Axes: K network, N case, I input, Y year, F feature, D figure of a year.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.predict import network
from carbonray.predict.conformal import LEVELS, Calibration, calibrated, half_width
from carbonray.predict.inputs import Layout, features
from carbonray.predict.network import Network, Settings
from carbonray.predict.quantities import Figures, Place, Quantities, gathered, quantities, quantities_of, sums_of
from carbonray.predict.space import YEARS

Array = NDArray[np.float64]
Tell = Callable[[int, int], None]

NETWORKS = 3
KEPT = 0.1
"""Share of the training's economies that set the floor of hardness, and are not fitted."""


TOGETHER = 256
"""Cases that are asked at once: what they need fits into a core's cache."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is predicted of cases: of the mean of the networks, and how far they disagree, by quantity."""

    mean: Quantities
    spread: Quantities


@dataclass(frozen=True, kw_only=True)
class Model:
    """Networks that map the inputs of a case to figures of every year."""

    layout: Layout
    place: Place
    networks: tuple[Network, ...]
    center: Array  # [F] of the features
    width: Array  # [F]
    unit: Array  # [D] of the figures
    calibration: Calibration | None = None

    def predict(self, rows: Array) -> Found:
        """Quantities of cases [N, I], and their spread over the networks."""
        found = [self._few(rows[at : at + TOGETHER]) for at in range(0, max(len(rows), 1), TOGETHER)]
        if len(found) == 1:
            return found[0]
        mean, spread = (first.map(lambda *each: np.concatenate(each), *rest) for first, *rest in
                        ([getattr(few, name) for few in found] for name in ("mean", "spread")))  # fmt: skip
        return Found(mean=mean, spread=spread)

    def _few(self, rows: Array) -> Found:
        """The same of cases that are asked at once."""
        seen = self._seen(rows)
        flat = seen.flatten(0, 1)
        with torch.no_grad():
            alone = [
                torch.addmm(bias, network.hidden(flat), weight)
                for network, (weight, bias) in zip(self.networks, self._bases, strict=True)
            ]
            each = torch.stack(alone).view(len(alone), *seen.shape[:2], -1).numpy()
        mean = quantities_of(each.mean(0, dtype=float), self.place)
        return Found(mean=mean, spread=quantities_of(each, self.place).map(_spread))

    def half_widths(self, found: Found, level: float) -> Quantities:
        """Half of the width of each interval."""
        return found.mean.map(half_width, found.spread, self._floor, self._scores[LEVELS.index(level)])

    def figures(self, rows: Array) -> Figures:
        """All figures of cases [N, I], by year, partner and sector."""
        seen = self._seen(rows)
        with torch.no_grad():
            row = np.mean([network(seen).double().numpy() for network in self.networks], 0) * self.unit
        return figures_of(row, self.place)

    def _seen(self, rows: Array) -> Tensor:
        seen = features(self.layout, rows)
        seen -= self.center
        seen /= self.width
        return torch.as_tensor(seen, dtype=torch.float32)

    @cached_property
    def _floor(self) -> Quantities:
        """Of one case."""
        assert self.calibration is not None
        return gathered(self.calibration.floor, self.place, len(YEARS))

    @cached_property
    def _scores(self) -> tuple[Quantities, ...]:
        """Of one case, at each level."""
        assert self.calibration is not None
        scores = self.calibration.score
        levels = ({name: values[place] for name, values in scores.items()} for place in range(len(LEVELS)))
        return tuple(gathered(score, self.place, len(YEARS)) for score in levels)

    @cached_property
    def _bases(self) -> list[tuple[Tensor, Tensor]]:
        """[hidden, T] and [T] of each network: its shapes summed up, so that cells are made only if asked for."""
        summing = sums_of(figures_of(np.eye(len(self.unit))[None], self.place), self.place)[0]
        matrix = torch.as_tensor(summing * self.unit[:, None])
        with torch.no_grad():
            found = []
            for network in self.networks:
                (third, shift), (basis, offset) = (
                    (part.weight.double(), part.bias.double()) for part in (network.third, network.basis)
                )
                weight, bias = (basis @ third).T @ matrix, (basis @ shift + offset) @ matrix
                found.append((weight.float(), bias.float()))
        return found


def _spread(each: Array) -> Array:
    """[...] standard deviation of a few arrays [K, ...]; away from the first of them, so that nothing cancels."""
    away = each[1:] - each[0]
    mean, squares = away.sum(0) / len(each), (away * away).sum(0) / len(each)
    squares -= mean * mean
    return np.asarray(np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares))


def figures_of(row: Array, place: Place) -> Figures:
    """Figures from rows [N, Y, D]."""
    parts = shape_of(place, row.shape[-1]).split(torch.as_tensor(row))
    foreign, home, output, money = (part.numpy() for part in parts)
    return Figures(foreign=foreign, home=home, output=output, money=money)


def shape_of(place: Place, count: int) -> network.Figures:
    """Of the figures of an economy, so many a year."""
    partners, sectors = len(place.partners), len(place.sectors)
    return network.Figures(
        partners=partners,
        sectors=sectors,
        money=count - partners * sectors - 2 * sectors,
        covered=tuple(place.sectors.index(sector) for sector in place.covered),
    )


def rows_of(figures: Figures) -> Array:
    """[N, Y, D]."""
    flat = figures.foreign.reshape(*figures.foreign.shape[:2], -1)
    return np.concatenate([flat, figures.home, figures.output, figures.money], -1)


def trained(
    layout: Layout,
    place: Place,
    rows: Array,
    figures: Figures,
    settings: Settings,
    *,
    seed: int,
    tell: Tell = lambda done, of: None,
) -> Model:
    """Fit the networks of a model to cases [N, I] and their figures."""
    seen, wanted = features(layout, rows), rows_of(figures)
    flat = seen.reshape(-1, seen.shape[-1])
    center, width = flat.mean(0), flat.std(0)
    width = np.where(width > 1e-9, width, 1.0)
    of = NETWORKS * settings.epochs
    networks = tuple(
        network.fit(
            (seen - center) / width,
            wanted,
            shape_of(place, wanted.shape[-1]),
            settings,
            seed=seed + number,
            tell=lambda epoch, loss, number=number: tell(number * settings.epochs + epoch + 1, of),  # type: ignore[misc]
        )
        for number in range(NETWORKS)
    )
    return Model(
        layout=layout,
        place=place,
        networks=networks,
        center=center,
        width=width,
        unit=network.scales(wanted),
    )


def calibration_of(model: Model, floor: Mapping[str, Array], rows: Array, figures: Figures) -> Calibration:
    """What intervals are made from: cases [N, I] that were not fitted, and what was simulated of them."""
    found = model.predict(rows)
    return calibrated(quantities(figures, model.place), found.mean, found.spread, floor)


def floors(model: Model, rows: Array, figures: Figures) -> dict[str, Array]:
    """[...] the median miss of each quantity on cases [N, I] that are used for nothing else."""
    found, truth = model.predict(rows).mean, quantities(figures, model.place)
    floor = {}
    for name, values in truth.items():
        miss = np.abs(values - found[name])
        known = np.isfinite(miss).any(0)
        floor[name] = np.where(known, np.nanmedian(np.where(known, miss, 0.0), 0), 1.0) + 1e-9
    return floor
