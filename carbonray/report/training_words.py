"""What the page of a training says in sentences."""

from collections.abc import Mapping, Sequence

from carbonray.report.training_figures import LEAKAGE, RETURN, WARMING, Curves, curves, plain
from carbonray.report.training_runs import INTERRUPTED, RESTED, SPENT, TrainingRun
from carbonray.report.wording import number, percent

ROLES: Mapping[str, str] = {"cbam": "firm", "climate-negotiation": "region"}
"""Who learns if nobody says otherwise, by world."""
PURSES: Mapping[str, str] = {
    "agent": "each for itself",
    "sector": "those of a sector for a common purse",
    "region": "those of a region for a common purse",
    "economy": "all for one common purse",
}
"""What teams learn for."""


def lead(runs: Sequence[TrainingRun]) -> str:
    """Who learned what, and how."""
    order = runs[0].order
    roles = order.role or (ROLES.get(order.world, "agent"),)
    role = roles[0]
    who, others = f"All {'s and '.join(roles)}s learn", ""
    if order.against is not None:
        others = f", among others who follow the policy {order.against}"
    if order.alone:
        who = f"{order.alone} {role}s learn" if order.alone > 1 else f"One {role} learns"
        others = f", among others who follow {'rules' if order.against is None else f'the policy {order.against}'}"
    return (
        f"{who} by {order.algorithm}, {PURSES.get(order.team, order.team)}{others}, in {order.world}/"
        f"{order.scenario['name']} and in its reference side by side."
    )


def ended(runs: Sequence[TrainingRun]) -> str:
    """How it ended, in a sentence."""
    if len(runs) == 1:
        run = runs[0]
        rest = f"; carbonray train --resume {run.folder} goes on" if run.ended == INTERRUPTED else ""
        return f"It ended after {run.iterations:,} iterations and {run.decisions:,} decisions: {run.ended}{rest}."
    counts = {why: sum(run.ended == why for run in runs) for why in (RESTED, SPENT, INTERRUPTED)}
    told = "; ".join(f"{why} in {count}" for why, count in counts.items() if count)
    shortest = min(run.decisions for run in runs)
    return f"The {len(runs)} trainings ended so: {told}. Means go as far as all have come, {shortest:,} decisions."


def found(runs: Sequence[TrainingRun]) -> list[str]:
    """What the curves show, and how sure that is."""
    told = curves(runs, RETURN)
    if told is None or len(told.main) < 2:
        return ["There are too few iterations to tell whether anything was learned."]
    first, last = told.ends
    said = [f"An episode's return was {plain(first)} at first and {plain(last)} at last{_sure(told)}."]
    if last < first:
        said.append(_fell(runs))
    for figure in (LEAKAGE, WARMING):
        other = curves(runs, figure)
        if other is not None and len(other.main) > 1:
            begin, end = map(figure.show, other.ends)
            said.append(f"{figure.name} was {begin} when first measured and {end} when last{_sure(other)}.")
    return said


def _sure(told: Curves) -> str:
    """The interval of a change, and whether it may be chance."""
    bounds = told.change
    if bounds is None:
        return ""
    if told.figure is LEAKAGE:
        span = " to ".join(percent(end, signed=True).replace("%", "points") for end in bounds)
    else:
        span = " to ".join(number(end, 2, signed=True) for end in bounds)
    chance = ", which cannot be told from chance" if told.by_chance else ""
    return f", a change of {span} (95 % interval over {len(told.single)} trainings){chance}"


def _fell(runs: Sequence[TrainingRun]) -> str:
    order = runs[0].order
    why = "they learned too little" if order.team == "economy" else "they compete, or learned too little"
    return f"Agents earn less than at first: {why}; carbonray evaluate tells."


def how_sure(runs: Sequence[TrainingRun]) -> str:
    """What the number of trainings means."""
    if len(runs) > 1:
        return (
            f"Means are over {len(runs)} trainings that differ in their seed alone, so in networks, episodes and what "
            "was tried; intervals (95 %, Student) say how sure the mean is over such seeds, and nothing of the "
            "assumptions that all share."
        )
    if runs[0].others:
        return (
            "A search: its trials differ in their settings, so they are no draws of one thing and have no interval. "
            "That the best of many did well is chance in part."
        )
    return (
        "This is one training, so there is no interval: another seed may end elsewhere. Train with other --seed and "
        "put them together: carbonray report FOLDER FOLDER ..."
    )


def meanings(runs: Sequence[TrainingRun]) -> list[tuple[str, str]]:
    """Each figure: what it means, and what not."""
    order = runs[0].order
    compete = "" if order.team == "economy" else " Where agents compete, each may do its best and all earn less."
    measured = (
        "measured by simulating the scenario and its reference as a user would, with what agents had learned by then; "
        "one draw of the scenario's own seed."
    )
    drawn = [figure for figure in (LEAKAGE, WARMING) if curves(runs, figure) is not None]
    return [
        (
            "Return",
            "the sum of an episode's rewards of an agent over its stake (a firm's size; one for a region), in mean "
            "absolute deviations of a step's reward. Its course tells whether they learned, its level little. "
            "Agents try things out while they learn, and every iteration meets other chance; carbonray evaluate tells "
            f"what the policy earns when it is followed.{compete}",
        ),
        *((figure.name, measured) for figure in drawn),
        (
            "Distance",
            "a critic's estimate, from below, of how far (Wasserstein-1) observations and choices of an iteration lie "
            "from the last one's: one standard deviation of an observation is 1, one choice that every agent changes "
            "1.41. Read it as a trend. It may be negative by chance, and iterations that meet other chance are apart "
            "though nobody learned anything. Small for long means that agents change no more, not that they found the "
            "best, nor an equilibrium; before half of the budget it ends nothing.",
        ),
        (
            "Entropy",
            "falls while agents settle. That it falls says nothing of what they settled on.",
        ),
        ("All of it", "is about learning in this model. It is no forecast of what anybody will do."),
    ]
