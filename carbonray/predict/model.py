"""A predictor: networks, calibration, and what it was built for.

Axes: K network, N case, I input, Y year, F feature, D figure of a year.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.predict import network
from carbonray.predict.conformal import Calibration, calibrated
from carbonray.predict.inputs import Layout, features
from carbonray.predict.network import Network, Settings
from carbonray.predict.quantities import Figures, Place, quantities

Array = NDArray[np.float64]
Tell = Callable[[int, int], None]

NETWORKS = 3
KEPT = 0.1
"""Share of the training's economies that set the floor of hardness, and are not fitted."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is predicted of cases: the mean of the networks and how far they disagree, by quantity."""

    figures: Figures
    mean: Mapping[str, Array]
    spread: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Model:
    """Networks that map the inputs of a case to figures of every year."""

    layout: Layout
    place: Place
    money: int
    networks: tuple[Network, ...]
    center: Array  # [F] of the features
    width: Array  # [F]
    unit: Array  # [D] of the figures
    calibration: Calibration | None = None

    @cached_property
    def shape(self) -> network.Figures:
        """How figures are laid out."""
        return shape_of(self.place, self.money)

    def predict(self, rows: Array) -> Found:
        """Figures of cases [N, I], and quantities with their spread over the networks."""
        seen = torch.as_tensor((features(self.layout, rows) - self.center) / self.width, dtype=torch.float32)
        with torch.no_grad():
            found = np.stack([each(seen).numpy() for each in self.networks]).astype(np.float64) * self.unit
        return self._told(found)

    def _told(self, found: Array) -> Found:
        each = [quantities(self._figures(one), self.place) for one in found]
        figures = self._figures(found.mean(0))
        mean = quantities(figures, self.place)
        spread = {name: np.stack([one[name] for one in each]).std(0) for name in mean}
        return Found(figures=figures, mean=mean, spread=spread)

    def _figures(self, row: Array) -> Figures:
        foreign, home, output, money = (part.numpy() for part in self.shape.split(torch.as_tensor(row)))
        return Figures(foreign=foreign, home=home, output=output, money=money)


def shape_of(place: Place, money: int) -> network.Figures:
    """Of the figures of an economy."""
    return network.Figures(
        partners=len(place.partners),
        sectors=len(place.sectors),
        money=money,
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
            shape_of(place, figures.money.shape[-1]),
            settings,
            seed=seed + number,
            tell=lambda epoch, loss, number=number: tell(number * settings.epochs + epoch + 1, of),  # type: ignore[misc]
        )
        for number in range(NETWORKS)
    )
    return Model(
        layout=layout,
        place=place,
        money=figures.money.shape[-1],
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
