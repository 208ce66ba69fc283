"""What a region decides: the layout of its action heads, and which levels are legal.

| heads | decide | levels |
| --- | --- | --- |
| 0, 1, 2 | savings, mitigation, export limit | 10 |
| 3 .. 2 + R | tariff on each region's goods | 10 |
| 3 + R .. 2 + 2R | bid for each region's goods | 10 |
| 3 + 2R .. 2 + 4R | pairs: rate promised to, rate requested of each region | 10 |
| 3 + 4R .. 2 + 5R | whether to accept each region's proposal | 2 |

The last two exist where there is a protocol.  A level is a rate: tenths, 0 to 0.9, in the reference; or ninths, so that
1 can be reached.  (The reference names the third and fourth block the other way round and reads them like this.)
"""

import math
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from carbonray.worlds.climate_negotiation.protocols import Treaty

LEVELS = 10
SAVINGS, MITIGATION, EXPORT_LIMIT = 0, 1, 2
ROUNDING = 1e-4  # of a level: a floor that misses a level by less is that level, in single precision too


class Stage(Enum):
    """Steps of a round of negotiation."""

    PROPOSAL = 0
    EVALUATION = 1
    ACTIVITY = 2


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Where each decision stands among the heads of R regions."""

    regions: int
    negotiates: bool
    full_rates: bool = False

    @property
    def tariffs(self) -> slice:
        """On each region's goods."""
        return slice(3, 3 + self.regions)

    @property
    def bids(self) -> slice:
        """For each region's goods."""
        return slice(3 + self.regions, 3 + 2 * self.regions)

    @property
    def promised(self) -> slice:
        """To each region."""
        return slice(3 + 2 * self.regions, 3 + 4 * self.regions, 2)

    @property
    def requested(self) -> slice:
        """Of each region."""
        return slice(4 + 2 * self.regions, 4 + 4 * self.regions, 2)

    @property
    def accepted(self) -> slice:
        """Each region's proposal."""
        return slice(3 + 4 * self.regions, 3 + 5 * self.regions)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Levels of each head."""
        activity = (LEVELS,) * (3 + 2 * self.regions)
        return activity + ((LEVELS,) * (2 * self.regions) + (2,) * self.regions if self.negotiates else ())

    @property
    def most(self) -> int:
        """Heads of a region that negotiates."""
        return 3 + 5 * self.regions

    @property
    def steps_per_rate(self) -> int:
        """Levels from a rate of zero to a rate of one."""
        return LEVELS - 1 if self.full_rates else LEVELS

    def rate(self, levels: Tensor, like: Tensor) -> Tensor:
        """The rates of some levels, in the type of `like`."""
        return levels.to(like.dtype) / self.steps_per_rate

    def level(self, rate: float) -> int:
        """The level nearest to a rate."""
        return min(LEVELS - 1, round(rate * self.steps_per_rate))

    def level_at_least(self, rate: float) -> int:
        """The lowest level at or above a rate; the highest there is, if none is."""
        return min(LEVELS - 1, math.ceil(rate * self.steps_per_rate - ROUNDING))

    def at_least(self, rates: Tensor) -> Tensor:
        """The lowest level at or above some rates; the highest there is, where none is."""
        return torch.ceil(rates * self.steps_per_rate - ROUNDING).clamp(0, LEVELS - 1).to(torch.int8)

    def at_most(self, rates: Tensor) -> Tensor:
        """The highest level at or below some rates."""
        return torch.floor(rates * self.steps_per_rate + ROUNDING).clamp(0, LEVELS - 1).to(torch.int8)

    def legal(self, stage: Stage, treaty: Treaty, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Lowest and highest legal level of each head, [B, n, heads] int8.

        Where there is nothing to choose only level 0 is left: heads of other stages, and towards oneself.  Tariffs
        below a minimum all become the minimum, so that only the level just under it is left of them.
        """
        lowest = torch.zeros(len(treaty.member), len(ids), len(self.sizes), dtype=torch.int8, device=ids.device)
        highest = torch.zeros_like(lowest)
        if stage is Stage.ACTIVITY:
            highest[..., : self.bids.stop] = LEVELS - 1
            lowest[..., MITIGATION] = self.at_least(treaty.minimum_mitigation[:, ids])
            lowest[..., self.tariffs] = self.at_most(treaty.minimum_tariff[:, ids])
        elif stage is Stage.PROPOSAL:
            highest[..., self.promised] = highest[..., self.requested] = LEVELS - 1
        else:
            highest[..., self.accepted] = 1
        own = torch.arange(len(ids), device=ids.device)
        blocks = (self.tariffs, self.bids)
        for block in blocks + ((self.promised, self.requested, self.accepted) if self.negotiates else ()):
            mine = block.start + ids * (block.step or 1)
            highest[:, own, mine] = lowest[:, own, mine] = 0
        return lowest, highest

    def mask(self, lowest: Tensor, highest: Tensor) -> Tensor:
        """[B, n, sum of levels] bool: the legal levels of each head, one head after the other."""
        level = torch.arange(LEVELS, device=lowest.device)
        legal = (level >= lowest[..., None]) & (level <= highest[..., None])
        tens = self.promised.start + 2 * self.regions if self.negotiates else len(self.sizes)
        return torch.cat([legal[..., :tens, :].flatten(2), legal[..., tens:, :2].flatten(2)], 2)
