"""Trained agents beside rule agents: the section of a page whose run is an evaluation, and what other sections say."""

import shlex
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart
from carbonray.report.learning_words import FIGURES, Words
from carbonray.report.summary_model import BestResponse, Learning, LearningFigure, ResponseFigure, TrainedPolicy
from carbonray.report.tables import Table

KEY = "learning"
DIGITS = 9
"""Digits within which the two ends of an interval are the same."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says of the comparison."""

    heading: str
    sentences: list[str]
    limits: list[str]
    tables: list[Table]


def section(told: Learning | None, policy: TrainedPolicy | None) -> Section | None:
    """The section of an evaluation; nothing for other runs."""
    if told is None or policy is None:
        return None
    return Section(
        heading=f"Trained {told.role}s beside rule {told.role}s",
        sentences=[_set_up(told, policy), *_found(told)],
        limits=_limits(told),
        tables=_tables(told),
    )


def charts(told: Learning | None) -> list[Chart]:
    """The figure of an evaluation, if its differences have intervals."""
    data = _differences(told) if told else pd.DataFrame()
    if told is None or data.empty:
        return []
    apart = [name for name, low, high in zip(data.series, data.low, data.high, strict=True) if low > 0 or high < 0]
    return [
        Chart(
            key=KEY,
            kind="ranges",
            data=data,
            title=f"{_subject(told)} {'differ' if not told.one else 'differs'} from the rules beyond chance in "
            f"{len(apart)} of {len(data)} figures",
            caption=f"Difference of trained and rule {told.role}s, paired by seed: the dot is the mean of "
            f"{len(told.seeds)} seeds, the line its 95 % interval (Student). Rates in percentage points, all else in % "
            "of its value under rules.",
            x_title="Trained less rules (points or %)",
            as_percent=True,
            spread="Mean, and its 95 % interval",
        )
    ]


def _differences(told: Learning) -> pd.DataFrame:
    """Difference of each figure that is drawn, with its interval, as a fraction."""
    rows = []
    for figure, words in _known(told):
        bounds, unit = figure.difference_interval, 1.0 if words.drawn == "points" else abs(figure.rule or 0.0)
        if words.drawn and bounds is not None and figure.difference is not None and unit > 0:
            label = f"{words.label} ({words.drawn})"
            rows.append((label, figure.difference / unit, bounds[0] / unit, bounds[1] / unit, np.nan))
    return pd.DataFrame(rows, columns=["series", "y", "low", "high", "base"])


def _known(told: Learning) -> list[tuple[LearningFigure, Words]]:
    names = FIGURES.get(told.role, {})
    found = {figure.name: figure for figure in told.figures}
    return [(found[name], words) for name, words in names.items() if name in found]


def _subject(told: Learning) -> str:
    return f"A single trained {told.role}" if told.one else f"Trained {told.role}s"


def _set_up(told: Learning, policy: TrainedPolicy) -> str:
    count = len(told.seeds)
    who = (
        f"In each run a single {told.role} follows it and all others follow the rules; several such {told.role}s, "
        "each in a replica of its own and drawn with equal chance where there are many, make one value of their seed."
        if told.one
        else f"All {told.role}s follow it, in the run and in its reference."
    )
    length = "" if policy.agent_steps is None else f" with {policy.agent_steps:,} decisions of {told.role}s"
    how = f" ({policy.command})" if policy.command else ""
    draws = f" Each {told.role} draws what it does with the probabilities of the network." * (policy.acts == "sampled")
    return (
        f"The policy is {policy.name}: one small network, trained by {policy.method} under {policy.scenario}"
        f"{length}{how}.{draws} {who} "
        f"Beside it stand the same {told.role}s under rules, with the same random numbers, for "
        f"{count} {'seed' if count == 1 else 'seeds'}. The rest of this page shows the trained run of the first seed."
    )


def _found(told: Learning) -> list[str]:
    """What the comparison shows, in sentences."""
    said = []
    for figure, words in _known(told):
        if figure.name not in SAID or figure.difference is None or figure.trained is None or figure.rule is None:
            continue
        known = figure.difference_interval
        sure = f" ({words.change(known[0])} to {words.change(known[1])})" if known and not _same(known) else ""
        values = f"{words.show(figure.trained)} instead of {words.show(figure.rule)}"
        said.append(
            f"{words.label}: {values}, a difference of {words.change(figure.difference)}{sure}{_chance(known)}."
        )
    return said + _exploited(told) + _undefined(told)


SAID = ("reward_per_size", "leakage_rate", "temperature_c")


def _chance(bounds: tuple[float, float] | None) -> str:
    if bounds is None or _same(bounds) or bounds[0] > 0 or bounds[1] < 0:
        return ""
    return ", which cannot be told from chance"


def _same(bounds: tuple[float, float]) -> bool:
    return bool(np.isclose(*bounds, rtol=10.0**-DIGITS, atol=0.0))


def _undefined(told: Learning) -> list[str]:
    few = [(figure, words) for figure, words in _known(told) if figure.seeds < len(told.seeds)]
    said = [f"{words.label} is defined for both in {figure.seeds} of {len(told.seeds)} seeds." for figure, words in few]
    if told.left_out:
        seeds = ", ".join(told.left_out)
        said.append(f"Left out, because agents brought the simulated world to an impossible state: seed {seeds}.")
    return said


def _limits(told: Learning) -> list[str]:
    """What it does not mean."""
    role = told.role
    bounds = [figure.difference_interval for figure in told.figures if figure.difference_interval is not None]
    chance = "Intervals are over the seeds, so over what chance decides here. "
    if len(told.seeds) < 2:
        chance = "One seed has no interval: what is shown may be chance. "
    elif bounds and all(_same(each) for each in bounds):
        chance = "All seeds gave the same: nothing in this scenario is left to chance. "
    together = (
        f"That one {role} gains says how good the policy is against rules; were all {role}s to follow it, each would "
        "meet the others, and the gain may vanish."
        if told.one
        else f"All {role}s change at once: that they earn more together does not say that one of them would lose by "
        "going back to the rules, nor that nobody could do better still. Trained alone among rules, a "
        f"{role} may earn something else (evaluate with --one)."
    )
    best = (
        "The answer of the one who leaves was found by one training. Another may gain more, so what it gains is a "
        "lower bound of exploitability; a gain of nothing would not prove an equilibrium."
    )
    return [
        chance + "They say nothing of the assumptions that all runs share.",
        together,
        *([best] if told.best_response else []),
        f"The policy is one answer of one training to this model. It is no forecast of what real {role}s will do.",
    ]


def _tables(told: Learning) -> list[Table]:
    """Trained agents and rules; and the one who leaves the policy, where there is such a one."""
    note = "Means over the seeds; differences are paired by seed. Every seed is in learning.parquet."
    values = [(figure, words, figure.trained, figure.rule) for figure, words in _known(told)]
    found = [
        Table(
            caption=f"{_subject(told)} and rules",
            columns=("Figure", "Trained", "Rules", *COMPARED),
            rows=tuple(_row(*each) for each in values),
            note=note,
        )
    ]
    if told.best_response is None:
        return found
    alone = [(figure, words, figure.deviates, figure.stays) for figure, words in _answers(told, told.best_response)]
    caption = f"One {told.role} that leaves the policy, and the same one that stays"
    columns = ("Figure", "Leaves", "Stays", *COMPARED)
    return [*found, Table(caption=caption, columns=columns, rows=tuple(_row(*each) for each in alone), note=note)]


COMPARED = ("Difference", "95 % interval of it", "Seeds")
"""Last columns of a table of two behaviours."""


def _row(
    figure: LearningFigure | ResponseFigure, words: Words, first: float | None, second: float | None
) -> tuple[str, ...]:
    known = figure.difference_interval
    return (
        words.label,
        *("undefined" if value is None else words.show(value) for value in (first, second)),
        "undefined" if figure.difference is None else words.change(figure.difference),
        "–" if known is None else _span(words, known),
        str(figure.seeds),
    )


def _span(words: Words, bounds: tuple[float, float]) -> str:
    return f"{words.change(bounds[0])} to {words.change(bounds[1])}"


def _answers(told: Learning, response: BestResponse) -> list[tuple[ResponseFigure, Words]]:
    names = FIGURES.get(told.role, {})
    found = {figure.name: figure for figure in response.figures}
    return [(found[name], words) for name, words in names.items() if name in found]


def _exploited(told: Learning) -> list[str]:
    """What one gains that leaves the policy of all others; nothing where nobody does."""
    response = told.best_response
    gains = [] if response is None else [each for each in _answers(told, response) if each[0].name == "reward_per_size"]
    if response is None or not gains:
        return []
    (figure, words), policy = gains[0], response.policy
    if figure.difference is None or figure.deviates is None or figure.stays is None:
        return []
    known = figure.difference_interval
    sure = f" ({_span(words, known)})" if known and not _same(known) else ""
    shown = figure.difference > 0 and not _chance(known)
    said = (
        f"So the policy can be exploited, by at least about {words.change(figure.difference)}."
        if shown
        else "So this answer does not exploit the policy; that does not show that none does."
    )
    return [
        f"If a single {told.role} leaves it for {policy.name}, trained by {policy.method} under {policy.scenario}, and "
        f"all others stay: {words.label.lower()}: {words.show(figure.deviates)} instead of {words.show(figure.stays)}, "
        f"a difference of {words.change(figure.difference)}{sure}{_chance(known)}. {said}"
    ]


def command(simulate: str, policy: TrainedPolicy | None, told: Learning | None) -> str:
    """The command that makes a run again, from the one that would make it with rules."""
    if policy is None:
        return simulate
    name = shlex.quote(policy.name)
    if told is None:
        return f"{simulate} --policy {name}"
    target = simulate.removeprefix("carbonray simulate ")
    other = f" --best-response {shlex.quote(told.best_response.policy.name)}" if told.best_response else ""
    return f"carbonray evaluate {name} --on-scenario {target} --seeds {len(told.seeds)}{' --one' * told.one}{other}"
