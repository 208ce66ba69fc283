"""The frontier of leaked tonnes and output lost at home: which policy cuts leakage, and what does it cost?

>>> import carbonray
>>> found = carbonray.frontier("law", draws=12, budget=240)
>>> found.table.groupby("candidate")[["leaked_mt", "output_loss_musd"]].mean()
>>> found.write("runs/frontier")
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.config import Scenario, ScenarioError
from carbonray.counterfactual.frontier_candidates import (
    Candidate,
    check_levers,
    fixed,
    forbidden,
    learned,
    sized,
)
from carbonray.counterfactual.frontier_judge import Draw, Shared, Verdict, judge
from carbonray.counterfactual.frontier_levers import effects
from carbonray.counterfactual.frontier_search import WEIGHTS, Ground, check_cmaes, evaluating, search
from carbonray.counterfactual.frontier_summary import UNITS, best, lines, summarise
from carbonray.data.scenarios import load
from carbonray.data.worlds import economy_of
from carbonray.runtime import outputs
from carbonray.runtime.simulate import Progress, silent
from carbonray.runtime.uncertain_parameters import UNCERTAIN, changed, drawn
from carbonray.runtime.uncertainty import redrawn
from carbonray.runtime.work import Place, Work
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.parameters import MINIMUM_FIRMS

DRAWS, BUDGET = 12, 240
SEARCHING, JUDGING = 2_000, 10_000
"""Firms, unless told."""


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Candidates judged in the same economies."""

    scenario: Scenario
    candidates: tuple[Candidate, ...]
    table: pd.DataFrame  # frontier.parquet: a row for each candidate and draw
    summary: dict[str, Any]  # frontier.json

    def __repr__(self) -> str:
        count, draws = len(self.candidates), self.summary["draws"]
        return f"<Frontier of {self.scenario.name}: {count} candidates in {draws} draws; see .table and .summary>"

    def lines(self) -> list[str]:
        """What the command line prints."""
        return lines(self.summary)

    def write(self, out: str | Path, finish: Callable[[Path], object] = lambda folder: None) -> Path:
        """Write frontier.parquet, frontier.json and config.yaml into a new folder, and call `finish` with it.

        Raises:
            OutputError: if the folder exists or cannot be written.
        """
        out = Path(out)
        with outputs.whole_folder(out) as draft:
            outputs.write_table(self.table, draft / "frontier.parquet", "summed over the run", UNITS)
            outputs.write_json(self.summary, draft / "frontier.json")
            outputs.write_config(self.scenario, draft / "config.yaml")
            finish(draft)
        return out


def fresh_folder(scenario: Scenario, parent: Path = Path("runs")) -> Path:
    """The first free `runs/cbam-SCENARIO-frontier-N`."""
    number = 1
    while (parent / f"{scenario.world}-{scenario.name}-frontier-{number}").exists():
        number += 1
    return parent / f"{scenario.world}-{scenario.name}-frontier-{number}"


def frontier(
    target: str | Path | Scenario = "law",
    *,
    regulators: Sequence[str | Path] = (),
    draws: int = DRAWS,
    budget: int = BUDGET,
    without: Sequence[str] = (),
    firms: int | None = None,
    settings: Sequence[str] = (),
    economy: Economy | None = None,
    place: Place | None = None,
    progress: Progress = silent,
) -> Frontier:
    """Trace what a regulator can reach, and judge it by equal reduction of emissions at home.

    Args:
        target: the scenario whose law is compared, its name or the path of a YAML file.
        regulators: folders of trained policies of the role `regulator`.
        draws: economies with parameters and firms of their own, none of which the search met.
        budget: decrees that the grid tries, and CMA-ES for each weight of leakage; 0 for no search.
        without: levers; regulators that may not turn them are searched and judged beside those that may.
        firms: number of firms; 2,000 in the search and 10,000 in the judging if left out.
        settings: `KEY=VALUE` overrides of the scenario.
        economy: its tables, if they are loaded already.
        place: where draws are judged; the processes of this machine if left out.
        progress: told the task, and how much of it is done.

    Raises:
        ScenarioError: if something asked for makes no sense.
    """
    scenario = _checked(target, settings, draws, budget)
    levers = scenario.regulator.levers
    without = check_levers(without, levers)
    own = learned(regulators)
    if budget:
        check_cmaes()
    economy, place = economy or economy_of(scenario), place or Place()
    least = 2 * MINIMUM_FIRMS * len(economy.cells)
    candidates = [*fixed(scenario.years, levers), *own]
    if budget:
        ground = Ground(scenario=sized(scenario, firms or max(SEARCHING, least)), economy=economy)
        candidates += _searched(ground, budget, without, place.jobs, progress)
    if without:
        candidates += [forbidden(one, without) for one in own]
    judged = sized(scenario, firms or max(JUDGING, least))
    verdicts = _judged(judged, economy, candidates=candidates, draws=draws, place=place, progress=progress)
    table = table_of(verdicts)
    facts = {"firms": judged.firms.number, "budget": budget, "without": list(without), "weights": list(WEIGHTS)}
    summary = summarise(judged, candidates, table, verdicts, facts)
    summary["levers"] = _levers(judged, economy, candidates, summary, progress)
    return Frontier(scenario=judged, candidates=tuple(candidates), table=table, summary=summary)


def _checked(target: str | Path | Scenario, settings: Sequence[str], draws: int, budget: int) -> Scenario:
    scenario = target if isinstance(target, Scenario) else load(str(target), settings)
    if not isinstance(scenario, Scenario):
        raise ScenarioError(f"{scenario.name}: a frontier is of the cbam world, not of {scenario.world}")
    if scenario.years < 2:
        raise ScenarioError(f"{scenario.name}: years: a regulator turns the law from the second year on; give two")
    if not scenario.policy.enforced:
        raise ScenarioError(f"{scenario.name}: policy.enforced: there is no law to compare with")
    if draws < 2:
        raise ScenarioError(f"--draws {draws}: an interval needs at least two")
    if budget < 0:
        raise ScenarioError(f"--budget {budget}: give a number of decrees, or 0 for no search")
    return scenario


def _searched(
    ground: Ground, budget: int, without: Sequence[str], jobs: int | None, progress: Progress
) -> list[Candidate]:
    """Scripted optimisers that may turn every lever, and those that may not."""
    found: list[Candidate] = []
    sets: list[Sequence[str]] = [(), without] if without else [()]
    with evaluating(ground, jobs) as evaluate:
        for forbidden_levers in sets:
            name = f"searching without {forbidden_levers[0]}" if forbidden_levers else "searching"
            found += search(
                ground.scenario,
                evaluate,
                budget=budget,
                without=forbidden_levers,
                progress=lambda done, of, name=name: progress(name, done, of),  # type: ignore[misc]
            )
    return found


def _judged(
    scenario: Scenario,
    economy: Economy,
    *,
    candidates: Sequence[Candidate],
    draws: int,
    place: Place,
    progress: Progress,
) -> list[Verdict]:
    """Verdicts in the order of the draws."""
    values = drawn(scenario, draws)

    def task(number: int) -> Draw:
        own = {one.name: float(values[one.name].iloc[number]) for one in UNCERTAIN}
        return Draw(number=number, scenario=redrawn(changed(scenario, own), number))

    shared = Shared(economy=economy, candidates=tuple(candidates))
    work = Work(function=judge, shared=shared, task=task, lost=_lost)
    found: list[Verdict] = []
    progress("judging", 0, draws)
    with closing(place.answers(work, list(range(draws)))) as answers:
        for verdict in answers:
            found.append(verdict)
            progress("judging", len(found), draws)
    return sorted(found, key=lambda verdict: verdict.number)


def _levers(
    scenario: Scenario,
    economy: Economy,
    candidates: Sequence[Candidate],
    summary: dict[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """Which lever does it, in the candidate that leaks least, and in that which leaks least and buys nothing abroad."""
    named = {candidate.name: candidate for candidate in candidates}
    chosen = [one for one in (best(summary), best(summary, ("support_abroad",))) if one is not None]
    found = {}
    for done, one in enumerate(chosen):
        progress("telling levers apart", done, len(chosen))
        found[one["name"]] = effects(scenario, economy, named[one["name"]], one["figures"]["price_factor"])
    progress("telling levers apart", len(chosen), len(chosen))
    return found


def _lost(number: int, why: str) -> Verdict:
    return Verdict(number=number, failure=why)


def table_of(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """A row for each candidate and draw.

    Raises:
        ScenarioError: if no draw was judged.
    """
    rows = [row for verdict in verdicts for row in verdict.rows]
    if not rows:
        raise ScenarioError(f"frontier: no draw could be judged: {verdicts[0].failure}")
    return pd.DataFrame(rows)
