"""Trained agents beside rule agents: the section of a page whose run is an evaluation, and what other sections say."""

import shlex
from dataclasses import dataclass

from carbonray.report.learning_words import Words, same, several, subject, sure, told_difference, worded
from carbonray.report.summary_model import Learning, LearningFigure, ResponseFigure, TrainedPolicy
from carbonray.report.tables import Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page of an evaluation says before it shows the run of the first seed."""

    title: str  # without the scenario
    lead: str
    headline: list[tuple[str, str, str]]  # label, value, detail
    sentences: list[str]
    limits: list[str]
    tables: list[Table]
    run: str  # heading of the run


def section(told: Learning | None, policy: TrainedPolicy | None, *, stopped: bool = False) -> Section | None:
    """The section of an evaluation; nothing for other runs.

    Args:
        told: the evaluation.
        policy: that was evaluated.
        stopped: whether the user stopped it before its last seed.
    """
    if told is None or policy is None:
        return None
    found = _found(told)
    return Section(
        title=f"{subject(told)} {'among' if told.one else 'beside'} rule {told.role}s",
        lead=" ".join([f"{_means(told)}.", *found[:1]]),
        headline=_headline(told),
        sentences=[_set_up(told, policy), *found, *_exploited(told), *_undefined(told), *[STOPPED] * stopped],
        limits=_limits(told),
        tables=_tables(told),
        run=f"The {'' if told.one else 'trained '}run of seed {told.seeds[0]}"
        + f" with a single trained {told.role}" * told.one,
    )


STOPPED = "The evaluation was stopped before its last seed; whole seeds are told."
HEADLINE = ("leakage_rate", "temperature_c", "reward_per_size")
"""Figures that are told in sentences."""


def _means(told: Learning) -> str:
    return f"Means over {several(told.seeds)}" if len(told.seeds) > 1 else f"Seed {told.seeds[0]} alone"


def _headline(told: Learning) -> list[tuple[str, str, str]]:
    """Label, value and detail of each figure."""
    return [
        (words.label, words.show(figure.trained), _detail(told, figure, words))
        for figure, words in worded(told.role, told.figures)
    ]


def _detail(told: Learning, figure: LearningFigure, words: Words) -> str:
    if figure.difference is None:
        return "see below"
    few = "" if figure.seeds == len(told.seeds) else f"; in {figure.seeds} of {several(told.seeds)}"
    bounds = figure.difference_interval
    between = f", 95\u00a0% interval {words.span(bounds)}" if bounds and not same(bounds) else ""
    return f"rules {words.show(figure.rule)}; difference {words.change(figure.difference)}{between}{few}"


def _set_up(told: Learning, policy: TrainedPolicy) -> str:
    who = (
        f"In each run a single {told.role} follows it and all others follow the rules; several such {told.role}s, "
        "each in a replica of its own and drawn with equal chance where there are many, make one value of their seed."
        if told.one
        else f"All {told.role}s follow it, in the run and in its reference."
    )
    length = "" if policy.agent_steps is None else f" with {policy.agent_steps:,} decisions of {told.role}s"
    how = f" ({policy.command})" if policy.command else ""
    draws = (
        f" Each {told.role} draws what it does with the probabilities of the network, but for what is very unlikely."
        if policy.acts == "sampled"
        else ""
    )
    return (
        f"The policy is {policy.name}: one small network, trained by {policy.method} under {policy.scenario}"
        f"{length}{how}.{draws} {who} "
        f"Beside it stand the same {told.role}s under rules, with the same random numbers, for {several(told.seeds)}."
    )


def _found(told: Learning) -> list[str]:
    """What the comparison shows, in sentences."""
    return [
        f"{words.label}: {words.show(figure.trained)} instead of {words.show(figure.rule)}, a difference of "
        f"{told_difference(figure, words)}."
        for figure, words in worded(told.role, told.figures)
        if figure.name in HEADLINE and figure.difference is not None
    ]


def _undefined(told: Learning) -> list[str]:
    """Which figures some seeds do not have, and why; and which seeds came to nothing."""
    said = [
        f"{words.label} is defined for both in {figure.seeds} of {several(told.seeds)}."
        for figure, words in worded(told.role, told.figures)
        if figure.seeds < len(told.seeds)
    ]
    trained = f"a single trained {told.role}" if told.one else f"trained {told.role}s"
    who = {"trained": trained, "rule": f"rule {told.role}s"}
    said += [
        f"Leakage is undefined with {who[each.run]} in {len(each.seeds)} of {several(told.seeds)}: {each.reason}."
        for each in told.undefined
    ]
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
    elif bounds and all(same(each) for each in bounds):
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
        f"The policy is one answer of one training to this model. It is no forecast of what real {role}s will do. "
        "Another training answers otherwise, above all where little is at stake for those who decide; leakage may "
        "differ by many points even so, because emissions outside are many times what falls inside.",
    ]


def _tables(told: Learning) -> list[Table]:
    """Trained agents and rules; and the one who leaves the policy, where there is such a one."""
    note = "Means over the seeds; differences are paired by seed. Every seed is in learning.parquet."
    values = [(figure, words, figure.trained, figure.rule) for figure, words in worded(told.role, told.figures)]
    found = [
        Table(
            caption=f"{subject(told)} and rules",
            columns=("Figure", "Trained", "Rules", *COMPARED),
            rows=tuple(_row(*each) for each in values),
            note=note,
        )
    ]
    if told.best_response is None:
        return found
    alone = [
        (figure, words, figure.deviates, figure.stays)
        for figure, words in worded(told.role, told.best_response.figures)
    ]
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
        words.show(first),
        words.show(second),
        words.change(figure.difference),
        "–" if known is None else words.span(known),
        str(figure.seeds),
    )


def _exploited(told: Learning) -> list[str]:
    """What one gains that leaves the policy of all others; nothing where nobody does."""
    response = told.best_response
    answers = [] if response is None else worded(told.role, response.figures)
    gains = [each for each in answers if each[0].name == "reward_per_size"]
    if response is None or not gains:
        return []
    (figure, words), policy = gains[0], response.policy
    if figure.difference is None:
        return []
    said = (
        f"So the policy can be exploited, by at least about {words.change(figure.difference)}."
        if figure.difference > 0 and sure(figure.difference_interval)
        else "So this answer does not exploit the policy; that does not show that none does."
    )
    return [
        f"If a single {told.role} leaves it for {policy.name}, trained by {policy.method} under {policy.scenario}, and "
        f"all others stay: {words.label.lower()}: {words.show(figure.deviates)} instead of {words.show(figure.stays)}, "
        f"a difference of {told_difference(figure, words)}. {said}"
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
