"""Scripted optimisers of the regulator's objective: a grid over constant decrees, and CMA-ES over straight paths.

Both play the scenario as it is.  The objective is linear in leaked tonnes, so that one play is worth what it is for
every weight of leakage:

    objective at weight k w = objective - (k - 1) w E_abroad

Axes: N decree, Y year, H lever.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.config import Scenario, ScenarioError
from carbonray.counterfactual.frontier_candidates import HIGHEST, LOWEST, Candidate, constant, path
from carbonray.counterfactual.frontier_play import play
from carbonray.runtime.inprocess import threads
from carbonray.runtime.processes import available, crew
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.parameters import calibrate_objective
from carbonray.worlds.cbam.regulator import LEVERS

Array = NDArray[np.float64]
Tell = Callable[[int, int], None]

WEIGHTS = (0.3, 1.0, 3.0)
"""Of leakage, times the scenario's: a frontier is traced by them."""
POPULATION = 12
SPREAD = 0.2
"""First standard deviation of CMA-ES, as a share of what a lever may be turned."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where decrees are tried."""

    scenario: Scenario
    economy: Economy


Evaluate = Callable[[Sequence[Array]], Array]
"""Decrees [Y, H] -> [N, 2] objective in million USD and Mt CO2 abroad; NaN where a market does not clear."""


def evaluated(ground: Ground, decrees: Sequence[Array]) -> Array:
    """Play decrees together at the scenario's own price."""
    candidates = [Candidate(name="tried", kind="constant", decree=decree) for decree in decrees]
    with threads(1):
        found = play(ground.scenario, ground.economy, candidates, [1.0] * len(candidates))
    kept = ("objective", "emissions_abroad")
    nothing = [np.nan] * len(kept)
    return np.array([nothing if one is None else [one.figures[name].sum() for name in kept] for one in found])


@contextmanager
def evaluating(ground: Ground, jobs: int | None = None) -> Iterator[Evaluate]:
    """What tries decrees, spread over processes; the numbers do not depend on how many."""
    number = jobs or available()
    with crew(evaluated, ground, number) as submit:

        def evaluate(decrees: Sequence[Array]) -> Array:
            shares = [part for part in np.array_split(np.arange(len(decrees)), number) if len(part)]
            answers = [submit([decrees[place] for place in part]) for part in shares]
            return np.concatenate([answer.result() for answer in answers])

        yield evaluate


def worth(tried: Array, leakage_value: float, weight: float) -> Array:
    """[N] objective at a weight of leakage; the worst there is where a market does not clear.

    Args:
        tried: [N, 2] of `Evaluate`.
        leakage_value: of the scenario, million USD / Mt CO2.
        weight: times that value.
    """
    values = tried[:, 0] - (weight - 1) * leakage_value * tried[:, 1]
    return np.where(np.isnan(values), -np.inf, values)


def search(
    scenario: Scenario,
    evaluate: Evaluate,
    *,
    budget: int,
    without: Sequence[str] = (),
    weights: Sequence[float] = WEIGHTS,
    progress: Tell = lambda done, of: None,
) -> list[Candidate]:
    """The best constant decree and the best path for each weight of leakage.

    Args:
        scenario: what is played; its seed is that of CMA-ES.
        evaluate: tries decrees in it.
        budget: decrees that the grid tries, and CMA-ES for each weight.
        without: levers that may not be turned.
        weights: of leakage, times the scenario's.
        progress: told decrees tried, and of how many.

    Raises:
        ScenarioError: if no `cmaes` is installed.
    """
    check_cmaes()
    allowed = [name in scenario.regulator.levers and name not in without for name in LEVERS]
    quest = Quest(
        turned=tuple(np.flatnonzero(allowed).tolist()),
        years=scenario.years,
        value=calibrate_objective(scenario).leakage,
        budget=budget,
    )
    total, done = budget * (1 + len(weights)), [0]

    def trying(decrees: Sequence[Array]) -> Array:
        found = evaluate(decrees)
        done[0] += len(decrees)
        progress(min(done[0], total), total)
        return found

    starts = grid(trying, quest, weights)
    ends = climb(trying, quest, starts, seed=scenario.seed)
    found = []
    for weight in weights:
        said = f"leakage x {weight:g}"
        found.append(_candidate(f"constant, {said}", "constant", constant(starts[weight].decree, quest.years), without))
        found.append(_candidate(f"path, {said}", "path", ends[weight], without))
    progress(total, total)
    return found


def _candidate(name: str, kind: str, decree: Array, without: Sequence[str]) -> Candidate:
    ending = f", without {' and '.join(without)}" if without else ""
    return Candidate(name=name + ending, kind=kind, decree=decree, without=tuple(without))


@dataclass(frozen=True, kw_only=True)
class Quest:
    """What is searched."""

    turned: tuple[int, ...]  # places of the levers that may be turned
    years: int  # of the run
    value: float  # of a tonne abroad at weight one, million USD / Mt CO2
    budget: int  # decrees that are tried by the grid, and by CMA-ES for each weight


@dataclass(frozen=True, kw_only=True)
class Start:
    """The best constant decree for a weight."""

    decree: Array  # [H]
    worth: float


def grid(evaluate: Evaluate, quest: Quest, weights: Sequence[float]) -> dict[float, Start]:
    """The best constant decrees: corners of what may be decreed first, then step by step from the best of them.

    Half of the budget is for corners.
    """
    tried: dict[tuple[float, ...], Array] = {}

    def try_all(points: Sequence[tuple[float, ...]]) -> None:
        new = list(dict.fromkeys(point for point in points if point not in tried))[: quest.budget - len(tried)]
        if new:
            found = evaluate([constant(point, quest.years) for point in new])
            tried.update(zip(new, found, strict=True))

    def best(weight: float) -> Start:
        points = list(tried)
        values = worth(np.array([tried[point] for point in points]), quest.value, weight)
        place = int(values.argmax())
        return Start(decree=np.array(points[place]), worth=float(values[place]))

    try_all(corners(quest.turned)[: max(quest.budget // 2, 1)])
    before = 0
    while before < len(tried) < quest.budget:
        before = len(tried)
        try_all([point for weight in weights for point in neighbours(best(weight).decree, quest.turned)])
    return {weight: best(weight) for weight in weights}


def corners(turned: Sequence[int]) -> list[tuple[float, ...]]:
    """Every combination of rest and ends of the levers; rest first, the others in an order that mixes them."""
    every = itertools.product(
        *(sorted({0.0, low, high}) if place in turned else (0.0,) for place, (low, high) in enumerate(_ends()))
    )
    points = [point for point in every if any(point)]
    order = np.random.default_rng(0).permutation(len(points))
    return [(0.0,) * len(LEVERS), *(points[place] for place in order)]


def neighbours(decree: Array, turned: Sequence[int]) -> list[tuple[float, ...]]:
    """Decrees that differ from one in the level of one lever."""
    levels = list(LEVERS.values())
    return [
        tuple(level if place == lever else float(value) for place, value in enumerate(decree))
        for lever in turned
        for level in levels[lever]
        if level != decree[lever]
    ]


def _ends() -> list[tuple[float, float]]:
    return list(zip(LOWEST.tolist(), HIGHEST.tolist(), strict=True))


def climb(evaluate: Evaluate, quest: Quest, starts: Mapping[float, Start], *, seed: int) -> dict[float, Array]:
    """CMA-ES from the best constant decrees: for each weight the best path [Y, H], that of its start if none is better.

    A path has a decree for its first and one for its last year.  All weights go on together, a generation at a time.
    """
    turned = list(quest.turned)
    low, high = (np.tile(ends[turned], 2) for ends in (LOWEST, HIGHEST))
    best = {weight: (start.worth, constant(start.decree, quest.years)) for weight, start in starts.items()}
    searches = {}
    for number, (weight, start) in enumerate(starts.items()):
        mean = (np.tile(start.decree[turned], 2) - low) / (high - low)
        searches[weight] = _cma(mean, seed + number)
    for _ in range(quest.budget // POPULATION):
        asked = {weight: [one.ask() for _ in range(POPULATION)] for weight, one in searches.items()}
        decrees = [_path(low + point * (high - low), quest) for points in asked.values() for point in points]
        found = evaluate(decrees)
        for number, (weight, one) in enumerate(searches.items()):
            mine = slice(number * POPULATION, (number + 1) * POPULATION)
            values = worth(found[mine], quest.value, weight)
            one.tell(list(zip(asked[weight], (-values).tolist(), strict=True)))
            top = int(values.argmax())
            if values[top] > best[weight][0]:
                best[weight] = (float(values[top]), decrees[mine][top])
    return {weight: decree for weight, (_, decree) in best.items()}


def _path(knots: Array, quest: Quest) -> Array:
    """[Y, H] from the decrees of those levers that may be turned, first year's and last year's."""
    ends = np.zeros((2, len(LEVERS)))
    ends[:, list(quest.turned)] = knots.reshape(2, -1)
    return path(ends[0], ends[1], quest.years)


def _cma(mean: Array, seed: int) -> Any:
    """A search in the unit cube."""
    from cmaes import CMA

    bounds = np.tile([0.0, 1.0], (len(mean), 1))
    return CMA(mean=mean, sigma=SPREAD, bounds=bounds, seed=seed % 2**32, population_size=POPULATION)


def check_cmaes() -> None:
    """Refuse to search where `cmaes` is not installed.

    Raises:
        ScenarioError: if so.
    """
    try:
        import cmaes  # noqa: F401
    except ImportError:
        raise ScenarioError(
            "frontier: cmaes is not installed; pip install 'carbonray[frontier]', or give --budget 0"
        ) from None
