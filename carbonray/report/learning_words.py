"""How the figures of trained agents are told, by role."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from carbonray.learn.measures import QUANTITIES
from carbonray.report.negotiation_words import degrees, gigatonnes, trillions
from carbonray.report.summary_model import Learning, LearningFigure, ResponseFigure, TrainedPolicy
from carbonray.report.wording import billions, megatonnes, number, percent

Bounds = tuple[float, float]
AnyFigure = TypeVar("AnyFigure", LearningFigure, ResponseFigure)
DIGITS = 9
"""Digits within which the two ends of an interval are the same."""


def _utility(value: float, *, signed: bool = False) -> str:
    return number(value, 3, signed=signed)


def _kilograms(value: float, *, signed: bool = False) -> str:
    return f"{number(1000 * value, 1, signed=signed)}\u00a0kg/USD"


SHOWN: Mapping[str, Callable[..., str]] = {
    "%": percent, "kg CO2/USD": _kilograms, "bn USD": billions, "Mt CO2": megatonnes, "C": degrees, "": _utility,
    "Gt CO2": gigatonnes, "trillion USD": trillions,
}  # fmt: skip
"""How a value of each unit is told."""
NOT_DRAWN = ("profit_musd", "temperature_c")
"""Figures near zero, or with no zero of their own: a share of them says nothing."""


@dataclass(frozen=True)
class Words:
    """How a figure is told."""

    label: str
    unit: str
    drawn: bool

    @property
    def is_rate(self) -> bool:
        """Whether differences are percentage points."""
        return self.unit == "%"

    def show(self, value: float | None) -> str:
        """A value."""
        return "undefined" if value is None else SHOWN[self.unit](value)

    def change(self, value: float | None) -> str:
        """A difference."""
        if value is None:
            return "undefined"
        shown = SHOWN[self.unit](value, signed=True)
        return shown.replace("%", "points") if self.is_rate else shown

    def span(self, bounds: Bounds) -> str:
        """An interval of a difference; its unit stands once."""
        low, high = map(self.change, bounds)
        return f"{low.partition(NO_BREAK)[0]} to {high}"


NO_BREAK = "\u00a0"
FIGURES: Mapping[str, Mapping[str, Words]] = {
    role: {
        name: Words(quantity.label, quantity.unit, drawn=name not in NOT_DRAWN) for name, quantity in quantities.items()
    }
    for role, quantities in QUANTITIES.items()
}
"""By role and name of the figure, in the order of the table."""


def worded(role: str, figures: Sequence[AnyFigure]) -> list[tuple[AnyFigure, Words]]:
    """The figures that have words, in the order of the table."""
    found = {figure.name: figure for figure in figures}
    return [(found[name], words) for name, words in FIGURES.get(role, FIGURES["firm"]).items() if name in found]


def subject(told: Learning) -> str:
    """Who follows the policy."""
    return f"A single trained {told.role}" if told.one else f"Trained {told.role}s"


def follows(role: str, policy: TrainedPolicy, told: Learning | None) -> str:
    """What agents do in a run with a policy, which may be that of an evaluation."""
    if told is not None and told.one:
        return f"a single {role} in each replica follows the trained policy {policy.name}, all others follow rules"
    if policy.roles and role not in policy.roles:
        return f"the {' and the '.join(policy.roles)} follows the trained policy {policy.name}, {role}s follow rules"
    return f"{role}s follow the trained policy {policy.name}"


def several(seeds: Sequence[object]) -> str:
    """How many seeds."""
    return f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}"


def same(bounds: Bounds) -> bool:
    """Whether the ends of an interval are one."""
    return bool(np.isclose(*bounds, rtol=10.0**-DIGITS, atol=0.0))


def sure(bounds: Bounds | None) -> bool:
    """Whether a difference is more than chance, as far as is known."""
    return bounds is None or same(bounds) or bounds[0] > 0 or bounds[1] < 0


def told_difference(figure: LearningFigure | ResponseFigure, words: Words) -> str:
    """A difference with its interval, and whether it may be chance."""
    bounds = figure.difference_interval
    between = f" (95\u00a0% interval {words.span(bounds)})" if bounds and not same(bounds) else ""
    return f"{words.change(figure.difference)}{between}{'' if sure(bounds) else ', which cannot be told from chance'}"
