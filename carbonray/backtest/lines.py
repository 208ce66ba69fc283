"""One row of a backtest: what happened, what was forecast, how near it came, and why it missed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from carbonray.backtest.metrics import Array, Scores
from carbonray.backtest.naive import NAIVES
from carbonray.backtest.record import SPLIT

MAPE_AIM, R_AIM, SKILL_AIM = 0.15, 0.7, 0.0
"""What a row must reach: errors under 15 %, r over 0.7 and skill above zero against all three naive forecasts."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series or pool: what happened, what was forecast, and how near it came."""

    key: str
    group: str
    label: str
    unit: str
    years: tuple[int, ...]
    anchor: float
    anchor_years: tuple[int, ...]  # whose mean the forecasts start from
    observed: Array  # [Y]
    model: Array
    naive: Mapping[str, Array]  # by name, in the order of NAIVES
    scores: Scores
    skill: Mapping[str, float]  # on levels, against each naive forecast
    skill_changes: Mapping[str, float]
    turn_score: Mapping[str, float]  # of each naive forecast; one that never turns has zero
    pooled_of: int = 1  # series in it
    counted: bool = True  # False where a driver all but gives the row away
    detail: bool = False  # one of many: in the tables, not among the headline rows

    @property
    def anchored_later(self) -> bool:
        """Whether the forecasts start from years after the split, as where nothing earlier was observed."""
        return max(self.anchor_years) > SPLIT

    @property
    def failures(self) -> list[str]:
        """Which aims are missed, in words; none where it passes."""
        found = []
        if not self.scores.mape < MAPE_AIM:
            found.append(f"error {self.scores.mape:.0%}")
        if not self.scores.r > R_AIM:
            found.append("r undefined" if math.isnan(self.scores.r) else f"r {self.scores.r:.2f}")
        beaten_by = [name for name in NAIVES if not self.skill[name] > SKILL_AIM]
        if beaten_by:
            found.append(f"not better than {', '.join(beaten_by)}")
        return found

    @property
    def passed(self) -> bool:
        """Whether every aim is reached."""
        return not self.failures
