"""The worlds that can be swept: how their scenarios are checked, and the figures that a sweep keeps of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from carbonray.counterfactual import sweep_cbam, sweep_negotiation
from carbonray.counterfactual.sweep_figures import Column, Shown


@dataclass(frozen=True, kw_only=True)
class SweptWorld:
    """What a sweep needs to know of a world."""

    checker: Callable[[], Callable[[Any], None]]
    """Gives what refuses a scenario that its data do not fit; it loads each table once."""
    figures: Callable[[Sequence[Any]], list[Column]]
    """The figures of a run's summary that are kept, for these scenarios."""
    by_year: Sequence[Column]
    """The columns by year."""
    years: Callable[[Any], pd.DataFrame]
    """The rows by year of a result."""
    shown: Sequence[Shown]
    """The main figures, told at the end."""


SWEPT: Mapping[str, SweptWorld] = {
    "cbam": SweptWorld(
        checker=sweep_cbam.checker,
        figures=sweep_cbam.figures,
        by_year=sweep_cbam.BY_YEAR,
        years=sweep_cbam.years,
        shown=sweep_cbam.SHOWN,
    ),
    "climate-negotiation": SweptWorld(
        checker=sweep_negotiation.checker,
        figures=sweep_negotiation.figures,
        by_year=sweep_negotiation.BY_YEAR,
        years=sweep_negotiation.years,
        shown=sweep_negotiation.SHOWN,
    ),
}
"""Every world."""
