"""Economies and runs that tests of the CBAM world share."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # two of one test wait for each other wherever another test has a core
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from carbonray.config import Scenario
from carbonray.data import load_economy
from carbonray.data.scenarios import load
from carbonray.runtime import pair
from carbonray.worlds.cbam import Economy

settings.register_profile("ci", derandomize=True)  # new examples are for developers, not for landing
if os.environ.get("CI"):
    settings.load_profile("ci")

REGIONS = ("EU26", "CHN", "USA", "ROW")
SECTORS = ("REF", "CHE", "NMM", "MET", "ELE", "SRV")
SMALL = {
    "economy": "small",
    "growth": {"EU26": 0.013, "CHN": 0.04, "USA": 0.02, "ROW": 0.03},
    "market.final_demand": {"ELE": 0.4, "REF": 0.5},
    "firms.number": 240,
    "years": 2,
}
"""What a built-in scenario needs changed to run on the small economy."""
PARTNERS = {
    "law": {"partners.price": {"CHN": 10.0}},
    "no-cbam": {"partners.price": {"CHN": 10.0}},
    "variable": {"partners.commitment": {"CHN": 0.2, "USA": 0.1, "ROW": 0.0}},
}


@pytest.fixture(scope="session")
def world_2011() -> Economy:
    """The built-in table, 12 regions x 12 sectors."""
    return load_economy("world-2011")


def merged(codes: tuple[str, ...], kept: tuple[str, ...]) -> np.ndarray:
    """[kept, codes] sums codes into the kept ones, every other code into the last."""
    place = [kept.index(code) if code in kept else len(kept) - 1 for code in codes]
    return np.eye(len(kept))[:, place]


@pytest.fixture(scope="session")
def small_economy(world_2011: Economy) -> Economy:
    """The built-in table summed to 4 regions x 6 sectors."""
    regions, sectors = merged(world_2011.regions, REGIONS), merged(world_2011.sectors, SECTORS)
    cells = np.kron(regions, sectors)
    return Economy(
        regions=REGIONS,
        sectors=SECTORS,
        year=world_2011.year,
        transactions=cells @ world_2011.transactions @ cells.T,
        final_demand=cells @ world_2011.final_demand @ regions.T,
        emissions=cells @ world_2011.emissions,
    )


@pytest.fixture(scope="session")
def small_scenario() -> Callable[..., Scenario]:
    """A built-in scenario fitted to the small economy: `small_scenario("law", years=1, **{"firms.slots": 0})`."""

    def fit(name: str = "law", **changes: Any) -> Scenario:
        return load(name, **(SMALL | PARTNERS.get(name, {}) | changes))

    return fit


@pytest.fixture(scope="session")
def simulated(world_2011: Economy) -> Callable[..., pair.Pair]:
    """Run a built-in scenario with 1,300 firms beside its reference; a run asked for again is not repeated."""

    @cache
    def run(name: str, *settings: str) -> pair.Pair:
        return pair.run(load(name, ("firms.number=1300", *settings)), economy=world_2011)

    return run
