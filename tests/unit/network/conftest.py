"""Economies small enough to compute by hand."""

import numpy as np
import pytest

from carbonray.worlds.cbam.economy import Economy


@pytest.fixture
def chain() -> Economy:
    """Mine -> mill -> shop in one region; every output is 100."""
    return Economy(
        regions=("ONE",),
        sectors=("MINE", "MILL", "SHOP"),
        year=2011,
        transactions=np.array([[0.0, 60.0, 0.0], [0.0, 0.0, 80.0], [0.0, 0.0, 0.0]]),
        final_demand=np.array([[40.0], [20.0], [100.0]]),
        emissions=np.array([50.0, 20.0, 20.0]),
    )


@pytest.fixture
def triangle() -> Economy:
    """One good in three regions; B buys from A and C, C from B and itself; every output is 100."""
    return Economy(
        regions=("A", "B", "C"),
        sectors=("GOOD",),
        year=2011,
        transactions=np.array([[0.0, 30.0, 0.0], [0.0, 0.0, 20.0], [0.0, 10.0, 20.0]]),
        final_demand=np.array([[70.0, 0.0, 0.0], [0.0, 80.0, 0.0], [0.0, 0.0, 70.0]]),
        emissions=np.array([50.0, 30.0, 20.0]),
    )


@pytest.fixture
def border() -> Economy:
    """Power and metal, home and abroad: foreign power -> foreign metal -> home metal; every output is 100."""
    transactions = np.zeros((4, 4))  # HOME-ELE, HOME-MET, ABROAD-ELE, ABROAD-MET
    transactions[2, 3] = 50.0
    transactions[3, 1] = 40.0
    return Economy(
        regions=("HOME", "ABROAD"),
        sectors=("ELE", "MET"),
        year=2011,
        transactions=transactions,
        final_demand=np.array([[100.0, 0.0], [90.0, 10.0], [0.0, 50.0], [0.0, 60.0]]),
        emissions=np.array([10.0, 30.0, 80.0, 50.0]),
    )


@pytest.fixture
def broad() -> Economy:
    """Four regions and three sectors, everybody buying from everybody."""
    rng = np.random.default_rng(7)
    return Economy(
        regions=("A", "B", "C", "D"),
        sectors=("X", "Y", "Z"),
        year=2011,
        transactions=rng.lognormal(0.0, 1.0, (12, 12)),
        final_demand=rng.lognormal(2.0, 1.0, (12, 4)),
        emissions=rng.lognormal(1.0, 1.0, 12),
    )


@pytest.fixture(scope="session")
def world() -> Economy:
    """The built-in table."""
    from carbonray.data import load_economy

    return load_economy("world-2011")
