"""Judge candidates by equal reduction of emissions at home: each one's carbon price is scaled until it cuts as much.

Axes: Y year, H lever.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.config import Scenario, ScenarioError
from carbonray.counterfactual.frontier_candidates import LAW, NO_CBAM, Candidate
from carbonray.counterfactual.frontier_play import Played, bought_nothing, play
from carbonray.kpi.leakage import SMALLEST_REDUCTION
from carbonray.runtime.inprocess import threads
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.regulator import LEVERS

Array = NDArray[np.float64]

TOLERANCE = 0.005
"""Relative difference of reductions at home that counts as equal."""
FACTORS = (0.3, 3.0)
"""Between which a factor of the carbon price is sought."""
ROUNDS = 9
"""Plays of a candidate until none is found."""
ELASTICITY = 0.7
"""Of the reduction to the price, for the first step; later ones take what they saw."""
DIFFERENCES_TO = (LAW, NO_CBAM)
"""Candidates that the others are compared with, draw by draw."""
SHORT = 5
"""Years of the shorter span over which leaked tonnes are told."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A candidate at the carbon price at which it cuts as much at home as the law."""

    factor: float  # of its carbon price
    reduction: float  # Mt CO2 at home over the run; of the last try, where none is equal
    played: Played | None  # none where no factor does it


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all draws have."""

    economy: Economy
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """An economy to judge in."""

    number: int
    scenario: Scenario


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Rows of a draw, in the order of the candidates; none, and why, where the law itself has no next state."""

    number: int
    rows: tuple[Mapping[str, Any], ...] = ()
    failure: str = ""


def judge(shared: Shared, draw: Draw) -> Verdict:
    """Match every candidate to the law in one economy, and tell what each does against the reference."""
    scenario, candidates = draw.scenario, shared.candidates
    with threads(1):
        (reference,) = play(scenario.reference(), shared.economy, [Candidate(name=LAW, kind="law")], [1.0])
        if reference is None:
            return Verdict(number=draw.number, failure="its reference has no next state")
        try:
            matched = match(scenario, shared.economy, candidates, reference)
        except ScenarioError as error:
            return Verdict(number=draw.number, failure=str(error))
        gross = _gross(scenario, shared.economy, candidates, matched)
    rows = [
        _row(draw, candidate, one, other, reference)
        for candidate, one, other in zip(candidates, matched, gross, strict=True)
    ]
    return Verdict(number=draw.number, rows=tuple(rows))


def match(scenario: Scenario, economy: Economy, candidates: Sequence[Candidate], reference: Played) -> list[Matched]:
    """Scale the carbon price of each candidate until emissions at home fall as much as under the law.

    All are played side by side; one that has found its factor is played no more.

    Raises:
        ScenarioError: if the law cuts nothing at home, so that there is nothing to match.
    """
    law = next(place for place, candidate in enumerate(candidates) if candidate.kind == "law")
    tried: list[list[tuple[float, float]]] = [[] for _ in candidates]
    found: list[Matched | None] = [None] * len(candidates)
    aim, next_try = math.nan, dict.fromkeys(range(len(candidates)), 0.0)
    for _ in range(ROUNDS):
        factors = np.exp([next_try[place] for place in next_try])
        played = play(scenario, economy, [candidates[place] for place in next_try], factors)
        cuts = [math.nan if one is None else reduction(one, reference) for one in played]
        if math.isnan(aim):
            aim = cuts[list(next_try).index(law)]
            if not aim > SMALLEST_REDUCTION:
                raise ScenarioError(f"{scenario.name}: its law cuts no emissions at home; there is nothing to match")
        trials = zip(dict(next_try).items(), factors, played, cuts, strict=True)
        for (place, log_factor), factor, one, cut in trials:
            equal = abs(cut / aim - 1) <= TOLERANCE
            tried[place].append((log_factor, math.log(max(cut, 1e-3 * aim) / aim)))
            later = None if equal or one is None else next_log_factor(tried[place])
            found[place] = Matched(factor=float(factor), reduction=cut, played=one if equal else None)
            next_try[place] = math.nan if later is None else later
        next_try = {place: value for place, value in next_try.items() if not math.isnan(value)}
        if not next_try:
            break
    return [one for one in found if one is not None]


def next_log_factor(tried: Sequence[tuple[float, float]]) -> float | None:
    """Where to look next: the secant of what was tried, between what is too low and what is too high.

    Args:
        tried: logarithms of factors, and how far above the aim the reduction's logarithm was there.
    Returns:
        The logarithm of a factor; None where the reduction is too low or too high at the end of their range.
    """
    lowest, highest = map(math.log, FACTORS)
    below = max(((at, gap) for at, gap in tried if gap < 0), default=None)
    above = min(((at, gap) for at, gap in tried if gap >= 0), default=None)
    if below and above:
        share = below[1] / (below[1] - above[1])
        return below[0] + (above[0] - below[0]) * min(max(share, 0.1), 0.9)
    at, gap = tried[-1]
    if at in (lowest, highest):
        return None
    slope = ELASTICITY
    if len(tried) > 1 and tried[-2][0] != at:
        slope = max((gap - tried[-2][1]) / (at - tried[-2][0]), ELASTICITY / 4)
    return min(max(at - gap / slope, lowest), highest)


def reduction(played: Played, reference: Played) -> float:
    """Mt CO2 less at home over the run."""
    return float((reference.figures["emissions_home"] - played.figures["emissions_home"]).sum())


def _gross(
    scenario: Scenario, economy: Economy, candidates: Sequence[Candidate], matched: Sequence[Matched]
) -> list[Played | None]:
    """The same decrees at the same prices with nothing paid abroad; as it is where nothing is promised."""
    found = [one.played for one in matched]
    promised = {place: one for place, one in enumerate(found) if one is not None and promises(one)}
    if promised:
        others = [bought_nothing(candidates[place], one) for place, one in promised.items()]
        played = play(scenario, economy, others, [matched[place].factor for place in promised])
        for place, one in zip(promised, played, strict=True):
            found[place] = one
    return found


def promises(played: Played) -> bool:
    """Whether producers abroad are promised support: they may cut for it and be paid nothing in the end."""
    decreed = played.decree[:, list(LEVERS).index("support_abroad")]
    return bool(decreed.any() or played.figures["support_abroad"].any())


def _row(draw: Draw, candidate: Candidate, matched: Matched, gross: Played | None, reference: Played) -> dict[str, Any]:
    """A row of frontier.parquet."""
    row: dict[str, Any] = {
        "candidate": candidate.name,
        "kind": candidate.kind,
        "draw": draw.number,
        "seed": draw.scenario.seed,
        "price_factor": matched.factor,
        "matched": matched.played is not None,
        "home_reduction_mt": matched.reduction,
    }
    row |= _leaked(matched.played, reference, "") | _leaked(gross, reference, "_gross")
    return row | _money(matched.played, reference) | _decree(matched.played, reference)


def _leaked(played: Played | None, reference: Played, end: str) -> dict[str, float]:
    """Mt CO2 more abroad, over the run and its first years, in all sectors and those of CBAM goods."""
    found = {}
    for part, figure in (("", "emissions_abroad"), ("_goods", "emissions_abroad_goods")):
        rise = _change(played, reference, figure)
        found[f"leaked{part}{end}_mt"] = float(rise.sum())
        found[f"leaked{part}_{SHORT}_years{end}_mt"] = float(rise[:SHORT].sum())
    return found


def _money(played: Played | None, reference: Played) -> dict[str, float]:
    """Million USD over the run, against the reference."""
    lost = -_change(played, reference, "value_added").sum()
    kept = ("revenue", "support_home", "support_abroad")
    return {
        "output_loss_musd": float(lost),
        "output_loss_share": float(lost / reference.figures["value_added"].sum()),
        **{f"{name}_musd": float(_change(played, reference, name).sum()) for name in kept},
        "consumer_cost_musd": float(_change(played, reference, "basket").sum()),
        "profit_home_musd": float(_change(played, reference, "profit_home").sum()),
        "profit_abroad_goods_musd": float(_change(played, reference, "profit_abroad_goods").sum()),
        "objective_musd": float(_change(played, reference, "objective").sum()),
    }


def _decree(played: Played | None, reference: Played) -> dict[str, list[float]]:
    """By lever, a number for each year."""
    said = np.full_like(reference.decree, math.nan) if played is None else played.decree
    return {f"decree_{name}": said[:, place].tolist() for place, name in enumerate(LEVERS)}


def _change(played: Played | None, reference: Played, figure: str) -> Array:
    """[Y] against the reference; NaN where there is nothing to compare."""
    before = reference.figures[figure]
    return np.full_like(before, math.nan) if played is None else played.figures[figure] - before
