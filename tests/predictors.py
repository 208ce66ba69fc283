"""Predictors that tests make by hand: small random networks, judged on figures near their own; nothing is simulated."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carbonray.predict import folder as folders
from carbonray.predict import judge
from carbonray.predict.build import runs_table
from carbonray.predict.dataset import Cases
from carbonray.predict.domain import Domain
from carbonray.predict.ensemble import MONEY
from carbonray.predict.gather import Ground
from carbonray.predict.ground import ground_of, place_of
from carbonray.predict.inputs import features
from carbonray.predict.model import Model, calibration_of, floors, shape_of
from carbonray.predict.network import Network
from carbonray.predict.quantities import Figures, Place
from carbonray.predict.space import YEARS
from carbonray.runtime.outputs import HASHES

CASES = 100
"""For each use."""


@cache
def ground() -> Ground:
    """Of every predictor made here: the built-in economy."""
    return ground_of(firms=1000, seed=0)


def model(seed: int = 0) -> Model:
    """A calibrated model: home emissions fall by some 3 %, a tenth of that reappears, less with China."""
    place = place_of(ground().base, ground().economy)
    bare = _bare(place, np.random.default_rng(seed))
    floor = floors(bare, *_parts(cases(bare, 1)))
    return replace(bare, calibration=calibration_of(bare, floor, *_parts(cases(bare, 2))))


def _bare(place: Place, rng: np.random.Generator) -> Model:
    layout, shape = ground().layout, shape_of(place, _count(place))
    seen = features(layout, rows(50, 0)).reshape(-1, features(layout, rows(1, 0)).shape[-1])
    sectors, partners = len(place.sectors), len(place.partners)
    home = 0.03 * place.home_emissions
    abroad = 0.1 * home * rng.uniform(-0.4, 1.0, (partners, 1)) / partners * 3
    unit = np.concatenate([abroad.ravel(), home, np.full(sectors, -0.01), np.full(len(MONEY), 1000.0)])
    networks = []
    for number in range(2):
        torch.manual_seed(number)
        network = Network(seen.shape[1], shape.count, hidden=8, rank=4)
        with torch.no_grad():
            network.basis.bias.fill_(1.0)
            network.basis.weight.mul_(1.5)
        networks.append(network.eval())
    return Model(
        layout=layout, place=place, networks=tuple(networks), center=seen.mean(0),
        width=np.maximum(seen.std(0), 0.1), unit=unit,
    )  # fmt: skip


def _count(place: Place) -> int:
    """Figures of a year."""
    return len(place.partners) * len(place.sectors) + 2 * len(place.sectors) + len(MONEY)


def rows(count: int, seed: int) -> np.ndarray:
    """[N, I] inputs anywhere between their bounds."""
    low, high = _bounds()
    drawn = np.random.default_rng(seed).uniform(low, high, (count, len(low)))
    return np.where(np.isin(ground().layout.names, ["cbam", "fuel"]), drawn.round(), drawn)


def _bounds() -> tuple[np.ndarray, np.ndarray]:
    bounds = ground().layout.bounds
    return np.array([one.low for one in bounds]), np.array([one.high for one in bounds])


def cases(made: Model, seed: int) -> Cases:
    """Cases whose figures are those predicted, some per cent off."""
    rng, given = np.random.default_rng([seed, 1]), rows(CASES, seed)
    found = made.figures(given)
    off = {
        name: getattr(found, name) * (1 + 0.05 * rng.normal(size=(CASES, 1, 1)))[(...,) + (None,) * (name == "foreign")]
        for name in ("foreign", "home", "output", "money")
    }
    return Cases(group=np.arange(CASES), rows=given, figures=Figures(**off))


def _parts(given: Cases) -> tuple[np.ndarray, Figures]:
    return given.rows, given.figures


def domain() -> Domain:
    """All between the bounds; no path is unlike the others."""
    low, high = _bounds()
    return Domain(low=low, high=high, examples=np.zeros((3, 1, len(YEARS))), usual=np.full(3, np.inf))


def saved(folder: Path) -> Path:
    """The folder of a predictor; `carbonray.predict.predictor.predictor` reads it."""
    made, base = model(), ground().base
    test = cases(made, 3)
    accuracy = judge.accuracy(made, test)
    told: dict[str, Any] = {
        "about": "Made by hand.", "command": "carbonray predictor build --size small", "size": "small", "seed": 0,
        "firms": 1000, "economy": base.economy, "datasets": HASHES["cbam"](base), "base": base.model_dump(mode="json"),
        "runs": dict.fromkeys(("train", "calibrate", "test", "corner"), CASES), "failed": 0,
        "measured": {
            "accuracy": accuracy, "r2": judge.fits(made, test), "coverage": judge.coverages(made, test),
            "corner": {"flagged": 1.0, **accuracy["leakage_rate_10_years"]}, "within": 1.0,
            "monotone": judge.monotone(made, test),
            "baselines": {"linear regression": accuracy, "nearest neighbours": accuracy},
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    folders.write(folder, made, domain(), runs_table(made, cases(made, 0)), told)
    return folder
