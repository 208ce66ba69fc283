"""A predictor: networks, calibration, and what it was built for.

Axes: K network, N case, I input, Y year, F feature, D figure of a year.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.predict import network
from carbonray.predict.conformal import Calibration, calibrated
from carbonray.predict.inputs import Layout, features
from carbonray.predict.network import Network, Settings
from carbonray.predict.quantities import Figures, Place, Totals, quantities, totals_of

Array = NDArray[np.float64]
Tell = Callable[[int, int], None]

NETWORKS = 3
KEPT = 0.1
"""Share of the training's economies that set the floor of hardness, and are not fitted."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is predicted of cases: of the mean of the networks, and how far they disagree, by quantity."""

    mean: Mapping[str, Array]
    spread: Mapping[str, Array]


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
        seen, sizes = self._seen(rows), [getattr(self._summing, name).shape[-1] for name in TOTALS]
        ends = np.cumsum(sizes)[:-1]
        with torch.no_grad():
            each = [
                torch.addmm(bias, network.hidden(seen.flatten(0, 1)), weight).double().view(*seen.shape[:2], -1).numpy()
                for network, (weight, bias) in zip(self.networks, self._bases, strict=True)
            ]
        mean, *alone = (
            quantities(Totals(**dict(zip(TOTALS, np.split(one, ends, -1), strict=True))), self.place)
            for one in (sum(each[1:], each[0]) / len(each), *each)
        )
        return Found(mean=mean, spread={name: _spread([one[name] for one in alone]) for name in mean})

    def figures(self, rows: Array) -> Figures:
        """All figures of cases [N, I], by year, partner and sector."""
        seen = self._seen(rows)
        with torch.no_grad():
            row = np.mean([network(seen).double().numpy() for network in self.networks], 0) * self.unit
        return figures_of(row, self.place)

    def _seen(self, rows: Array) -> Tensor:
        center, width = (torch.as_tensor(each, dtype=torch.float32) for each in (self.center, self.width))
        return torch.as_tensor(features(self.layout, rows), dtype=torch.float32).sub_(center).div_(width)

    @cached_property
    def _summing(self) -> Totals:
        """[1, D, T] what each figure adds to each total."""
        return totals_of(figures_of(np.eye(len(self.unit))[None], self.place))

    @cached_property
    def _bases(self) -> list[tuple[Tensor, Tensor]]:
        """[hidden, T] and [T] of each network: its shapes summed up, so that cells are made only if asked for."""
        summing = np.concatenate([getattr(self._summing, name)[0] for name in TOTALS], -1) * self.unit[:, None]
        matrix = torch.as_tensor(summing)
        with torch.no_grad():
            found = []
            for network in self.networks:
                (third, shift), (basis, offset) = (
                    (part.weight.double(), part.bias.double()) for part in (network.third, network.basis)
                )
                weight, bias = (basis @ third).T @ matrix, (basis @ shift + offset) @ matrix
                found.append((weight.float(), bias.float()))
        return found


def _spread(values: Sequence[Array]) -> Array:
    """Standard deviation of a few arrays; away from the first of them, so that nothing cancels."""
    away = [each - values[0] for each in values[1:]]
    mean = sum(away[1:], away[0]) / len(values)
    squares = sum((each * each for each in away[1:]), away[0] * away[0]) / len(values)
    squares -= mean * mean
    return np.asarray(np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares))


TOTALS = tuple(item.name for item in fields(Totals))


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
