"""The CBAM world: firms on a supply graph, a carbon price at home and a charge at the border."""

from carbonray.worlds.cbam.economy import Economy
from carbonray.worlds.cbam.world import CbamWorld, SupplyGraph, build

__all__ = ["CbamWorld", "Economy", "SupplyGraph", "build"]
