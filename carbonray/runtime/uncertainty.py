"""Intervals of every headline figure, and which uncertain parameter decides it.

The elasticities and costs that no table gives are drawn from their literature ranges (`uncertain_parameters`), every
draw is run beside its reference with firms drawn anew and solved at rest, and what the draws give is told: 5 to 95 %,
the median, how many did not clear, and the share of each parameter in the spread.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.config import Scenario, ScenarioError
from carbonray.data.worlds import economy_of
from carbonray.kpi.spread import quantiles, rank_correlation, variance_shares
from carbonray.runtime import pair
from carbonray.runtime.equilibrium import static_leakage, without_counterpart
from carbonray.runtime.processes import available, crew
from carbonray.runtime.robustness import summary_of
from carbonray.runtime.uncertain_parameters import UNCERTAIN, changed, described, drawn
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.equilibrium import NotConvergedError
from carbonray.worlds.cbam.market import MarketError
from carbonray.worlds.cbam.parameters import MINIMUM_FIRMS
from carbonray.worlds.cbam.settle import SettlementError
from carbonray.worlds.exact import SumOutOfBoundError

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

DRAWS = 24
"""Draws of `carbonray simulate` unless told otherwise: what fits its time on two cores."""
FIRMS = 10_000
"""Firms above which draws run on a smaller population.  Fewer would not do: where the firms of a good lie on both sides
of the benchmark, who the largest ones are moves the rate of the CBAM goods by a point or two at 2,000 firms."""
RATES = ("leakage_rate", "leakage_rate_cbam_goods")
FIGURES = (
    "leakage_rate", "leakage_rate_cbam_goods", "leakage_rate_without_electricity", "leakage_rate_final_year",
    "leakage_rate_cbam_goods_final_year", "home_reduction_mt", "foreign_increase_mt", "home_reduction_cbam_goods_mt",
    "foreign_increase_cbam_goods_mt", "output_change_share", "leakage_rate_with_transport",
)  # fmt: skip
"""Of the run; each is a key of summary.json."""
REST_FIGURES = (
    "leakage_rate", "leakage_rate_cbam_goods", "leakage_rate_without_electricity", "home_reduction_mt",
    "foreign_increase_mt",
)  # fmt: skip
"""Of the economy at rest under the last year's policy, Mt CO2 a year."""
RANKED = (*RATES, *(f"{name}_final_year" for name in RATES))
FAILURES = (MarketError, SettlementError, NotConvergedError, SumOutOfBoundError)
"""What a draw may fail of; anything else is a fault of the program."""


def smaller(scenario: Scenario, economy: Economy) -> Scenario:
    """The scenario with the population of the draws: one replica, and at most 10,000 firms or ten a cell."""
    number = min(scenario.firms.number, max(FIRMS, 2 * MINIMUM_FIRMS * len(economy.cells)))
    firms = scenario.firms.model_copy(update={"number": number})
    return scenario.model_copy(update={"replicas": 1, "firms": firms})


def redrawn(scenario: Scenario, draw: int) -> Scenario:
    """The scenario with firms of its own draw, so that an interval holds what the sample of firms adds."""
    return scenario.model_copy(update={"seed": (scenario.seed + 1 + draw) % 2**63})


@dataclass(frozen=True, kw_only=True)
class Task:
    """A scenario to try, at rest in a year, as a run, or both."""

    scenario: Scenario
    year: int | None = None  # at rest; the last if left out
    run: bool = True
    rest: bool = True


Answer = dict[str, Any]


def tried(economy: Economy, task: Task) -> Answer:
    """The figures of a scenario, run and at rest, `rest_` before the latter, or why it has none."""
    answer: Answer = {"failure": None, "rest_failure": None}
    if task.run:
        try:
            found = summary_of(pair.run(task.scenario, economy=economy, record_firms=False))
            answer |= {name: found[name] for name in FIGURES}
        except FAILURES as error:
            answer["failure"] = str(error)
    if task.rest:
        try:
            rest = static_leakage(task.scenario, task.year, economy=economy)
            answer |= {f"rest_{name}": rest[name] for name in REST_FIGURES}
        except FAILURES as error:
            answer["rest_failure"] = str(error)
    return answer


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the draws gave: `uncertainty` of summary.json, and a row for each draw."""

    summary: dict[str, Any]
    table: pd.DataFrame


@contextmanager
def begun(
    scenario: Scenario,
    *,
    economy: Economy | None = None,
    draws: int = DRAWS,
    run: bool = True,
    year: int | None = None,
    processes: int | None = None,
) -> Iterator[Callable[[Progress], Found]]:
    """Begin the draws in processes of their own; what is yielded waits for them.

    Args:
        scenario: whose figures; its seed draws the parameters.
        economy: if it is loaded already.
        draws: how many; one more run has the scenario as it is.
        run: whether draws are simulated too, or only solved at rest.
        year: of the policy at rest; the last if left out.
        processes: all of this machine's, eight at most, if left out; the numbers do not depend on it.
    """
    economy = economy or economy_of(scenario)
    base = smaller(scenario, economy)
    table = drawn(base, draws)
    rest = not without_counterpart(scenario)
    scenarios = [base, *(redrawn(changed(base, _row(table, draw)), draw) for draw in range(draws))]
    tasks = [Task(scenario=each, year=year, run=run, rest=rest) for each in scenarios]
    with crew(tried, economy, min(processes or available(), len(tasks))) as submit:
        answers = [submit(task) for task in tasks]
        yield lambda progress: _found(tasks[0], table, _waited(answers, progress))


def measure(
    scenario: Scenario, *, draws: int = DRAWS, progress: Progress = lambda task, done, of: None, **more: Any
) -> Found:
    """Draw the uncertain parameters, run every draw, and tell how far the figures spread.

    Args:
        scenario: whose figures.
        draws: how many.
        progress: told the task, and how much of it is done.
        more: as `begun` takes.
    """
    with begun(scenario, draws=draws, **more) as finish:
        return finish(progress)


def paired(
    scenario: Scenario, other: Scenario, *, draws: int = DRAWS, processes: int | None = None
) -> dict[str, dict[str, float] | None]:
    """Intervals of the difference between two scenarios, scenario less other, draw by draw with the same factors.

    Far narrower than the difference of two intervals: what both share cancels.  Draws in which either fails are left
    out; a figure has `count`, the draws it rests on.

    Raises:
        ScenarioError: if the two do not stand on the same economy.
    """
    if scenario.economy != other.economy:
        raise ScenarioError(f"{other.name}: economy: {other.economy} is not that of {scenario.name}; compare like")
    economy = economy_of(scenario)
    sides = [smaller(each, economy) for each in (scenario, other.model_copy(update={"seed": scenario.seed}))]
    rows = [changed(side, _row(drawn(side, draws), draw)) for side in sides for draw in range(draws)]
    tasks = [Task(scenario=each, rest=False) for each in rows]
    with crew(tried, economy, min(processes or available(), len(tasks))) as submit:
        answers = _waited([submit(task) for task in tasks], lambda task, done, of: None)
    first, second = (_columns(answers[at : at + draws], FIGURES, "failure")[list(FIGURES)] for at in (0, draws))
    return _intervals(first - second)


def _row(table: pd.DataFrame, draw: int) -> dict[str, float]:
    return {one.name: float(table[one.name].iloc[draw]) for one in UNCERTAIN}


def _waited(answers: Sequence["Future[Answer]"], progress: Progress) -> list[Answer]:
    found = []
    for done, answer in enumerate(answers):
        progress("drawing parameters", done, len(answers))
        found.append(answer.result())
    progress("drawing parameters", len(answers), len(answers))
    return found


def _columns(answers: Sequence[Answer], names: Sequence[str], failure: str) -> pd.DataFrame:
    """The figures of answers, a row each, NaN where there is no number; and the reason of a failure, else null."""
    table = pd.DataFrame({name: [answer.get(name) for answer in answers] for name in names}).astype(float)
    return table.assign(**{failure: pd.Series([answer[failure] for answer in answers], dtype="str")})


def _found(base: Task, table: pd.DataFrame, answers: Sequence[Answer]) -> Found:
    """Put together what is told; the first answer is that of the scenario as it is."""
    inputs = table[[one.name for one in UNCERTAIN]].to_numpy(dtype=float)
    scenario = base.scenario
    summary: dict[str, Any] = {"draws": len(table), "seed": scenario.seed, "parameters": described(scenario)}
    if base.run:
        figures = _columns(answers[1:], FIGURES, "failure")
        table = pd.concat([table, figures], axis=1)
        summary |= {"firms": scenario.firms.number, "base": {name: answers[0].get(name) for name in FIGURES}}
        summary |= _part(figures, inputs, "")
    if base.rest:
        at_rest = _columns(answers[1:], [f"rest_{name}" for name in REST_FIGURES], "rest_failure")
        table = pd.concat([table, at_rest], axis=1)
        summary["rest"] = _part(at_rest, inputs, "rest_")
    if base.run and base.rest:
        pairs = {name: (table[f"{name}_final_year"], table[f"rest_{name}"]) for name in RATES}
        summary["rest"]["rank_correlation"] = {
            name: rank_correlation(*(side.to_numpy(dtype=float) for side in both)) for name, both in pairs.items()
        }
    return Found(summary=summary, table=table)


def _part(figures: pd.DataFrame, inputs: Array, prefix: str) -> dict[str, Any]:
    """Failures, intervals and ranking of the run, or of the economy at rest."""
    failures = figures[f"{prefix}failure"]
    columns = figures.drop(columns=failures.name).rename(columns=lambda name: name.removeprefix(prefix))
    reasons = [{"draw": int(draw), "reason": str(failures[draw])} for draw in figures.index[failures.notna()]]
    return {
        "failed": len(reasons),
        "failures": reasons,
        "intervals": _intervals(columns),
        "ranking": [_ranking(inputs, columns[name].to_numpy(dtype=float), name) for name in columns if name in RANKED],
    }


def _intervals(columns: pd.DataFrame) -> dict[str, dict[str, float] | None]:
    """Low, median and high of each figure, and the draws that have it; None where none has."""
    found: dict[str, dict[str, float] | None] = {}
    for name in columns:
        values = columns[name].to_numpy(dtype=float)
        bounds = quantiles(values)
        found[str(name)] = None if bounds is None else {**bounds, "count": int(np.isfinite(values).sum())}
    return found


def _ranking(inputs: Array, outcome: Array, figure: str) -> dict[str, Any]:
    """Which parameter decides a figure, largest share first; nothing where too few draws have it."""
    shares = variance_shares(inputs, outcome)
    if shares is None:
        return {"figure": figure, "r2": None, "chance": None, "parameters": []}
    rows = [
        {
            "name": one.name,
            "share": float(shares[0][place]),
            "correlation": rank_correlation(inputs[:, place], outcome),
        }
        for place, one in enumerate(UNCERTAIN)
    ]
    count = int(np.isfinite(outcome).sum())
    rows.sort(key=lambda row: -float(row["share"] or 0.0))
    return {"figure": figure, "r2": shares[1], "chance": 1 / (count - 1), "parameters": rows}
