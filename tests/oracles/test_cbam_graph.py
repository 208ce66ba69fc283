"""The firm-level graph matters: it concentrates a shortage on the customers of whoever is struck."""

import pytest

from carbonray.data.scenarios import load
from carbonray.runtime.robustness import _stress_loss
from carbonray.worlds.cbam import Economy

pytestmark = pytest.mark.slow


def test_named_suppliers_concentrate_a_shortage(world_2011: Economy) -> None:
    lost = [
        _stress_loss(load("law", (f"firms.slots={slots}", "firms.number=1300")), world_2011)["stress_output_loss_share"]
        for slots in (0, 8)
    ]
    assert 0 < lost[0] < lost[1]
