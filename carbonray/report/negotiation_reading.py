"""A negotiation in plain words: every number comes from the run, and what cannot be said is not said."""

from collections.abc import Callable

from carbonray.report.learning_words import follows
from carbonray.report.negotiation_data import SMALLEST
from carbonray.report.negotiation_run import SAME_DEGREES, SAME_SHARE, NegotiationRun
from carbonray.report.negotiation_summary import SwitchEffect
from carbonray.report.negotiation_words import (
    count_of,
    degrees,
    gigatonnes,
    protocol_name,
    protocol_sentence,
    regions_named,
    switch_label,
)
from carbonray.report.reading import Passage
from carbonray.report.wording import number, percent


def passages(run: NegotiationRun) -> list[Passage]:
    """What happens, who takes part, at what cost, what leaks, and how certainly."""
    found = (
        Passage("What happens", tuple(_what_happens(run))),
        Passage("Who is a member", tuple(_members(run))),
        Passage("What it costs", tuple(_costs(run))),
        Passage("Do emissions move to others", tuple(_leakage(run))),
        Passage("How certain this is", tuple(_certainty(run))),
    )
    return [passage for passage in found if passage.sentences]


def _what_happens(run: NegotiationRun) -> list[str]:
    summary, last = run.summary, run.last
    warm, without = summary.temperature_c, summary.temperature_reference_c
    first = f"From {summary.years[0]} to {last} the world emits"
    if not run.negotiates:
        return [
            "No agreement binds anybody in this run, so there is nothing to compare it with: the run and its reference "
            "are the same.",
            f"In {last} it is {degrees(warm)} warmer than in 1900.",
            f"{first} {gigatonnes(summary.emissions_gtco2)}.",
        ]
    gap = warm - without
    if abs(gap) < SAME_DEGREES:
        how = "in both runs" if run.replays else "with the agreement or without it"
        said = [f"In {last} it is {degrees(warm)} warmer than in 1900, {how}."]
    else:
        said = [
            f"In {last} it is {degrees(warm)} warmer than in 1900 with the agreement, and {degrees(without)} if nobody "
            f"is bound: {degrees(abs(gap))} {'less' if gap < 0 else 'more'}."
        ]
        if bounds := summary.interval("temperature_change_c"):
            said.append(f"In nine of ten replicas the change is {_between(bounds, degrees)}.")
    emitted, before = summary.emissions_gtco2, summary.emissions_reference_gtco2
    share = emitted / before - 1 if before > SMALLEST else 0.0
    if abs(share) < SAME_SHARE:
        return [*said, f"{first} {gigatonnes(emitted)} either way."]
    return [*said, f"{first} {gigatonnes(emitted)} instead of {gigatonnes(before)} ({percent(share, signed=True)})."]


def _members(run: NegotiationRun) -> list[str]:
    protocol = run.scenario.negotiation.protocol
    said = [f"The protocol is {protocol_name(protocol)}. {protocol_sentence(protocol)}"]
    if not run.negotiates:
        return said
    number = run.summary.members_last
    if number == 0:
        ever = bool(run.regions["member"].any())
        return [*said, f"No region is a member in {run.last}" + ("." if ever else ", nor ever before.")]
    whole = f"{count_of(number)} of {run.summary.n_regions} regions" + (
        " on average over the replicas" if number != round(number) else ""
    )
    said.append(f"In {run.last}, {whole} {'is a member' if number == 1 else 'are members'}.")
    if run.members and run.others:
        tail = " (in at least half of the replicas)" if number != len(run.members) else ""
        said.append(f"By name{tail}: {regions_named(run.members, run.others)}.")
    return said


def _costs(run: NegotiationRun) -> list[str]:
    summary = run.summary
    if not run.negotiates:
        return []
    pairs = {
        "output": (summary.output_tusd, summary.output_reference_tusd),
        "consumption": (summary.consumption_tusd, summary.consumption_reference_tusd),
        "welfare": (summary.welfare, summary.welfare_reference),
    }
    changes = {name: here / there - 1 for name, (here, there) in pairs.items() if abs(there) > SMALLEST}
    if not any(abs(change) >= SAME_SHARE for change in changes.values()):
        return ["Output, consumption and welfare are those of the reference."]
    parts = [f"{name} {percent(change, signed=True)}" for name, change in changes.items()]
    said = [
        f"Against the run in which nobody is bound, summed over the run: {', '.join(parts)}. Welfare is the "
        "utility of what people consume, later years counting less; consumption counts the variety of goods, so lost "
        "imports weigh on it."
    ]
    ranges = {
        "consumption": (summary.interval("consumption_change_share"), percent),
        "welfare": (summary.interval("welfare_change"), _utility),
    }
    told = {name: (bounds, show) for name, (bounds, show) in ranges.items() if bounds}
    if told:
        parts = [f"{name} {_between(bounds, show)}" for name, (bounds, show) in told.items()]
        said.append(f"In nine of ten replicas: {', '.join(parts)}.")
        unclear = [name for name, (bounds, _) in told.items() if bounds[0] < 0 < bounds[1]]
        if unclear:
            said.append(f"So whether {' and '.join(unclear)} rises or falls depends on the draw.")
    bought, before = summary.imports_tusd, summary.imports_reference_tusd
    if before > SMALLEST:
        said.append(f"Imports: {percent(bought / before - 1, signed=True)}.")
    if run.scenario.switches.tariff_revenue == "lost" and run.trade["tariff"].any():
        said.append("What tariffs take is lost in this run, as in the published model: nobody gets the revenue.")
    return said


def _between(bounds: tuple[float, float], show: Callable[..., str]) -> str:
    return f"{show(bounds[0], signed=True)} to {show(bounds[1], signed=True)}"


def _utility(value: float, *, signed: bool = False) -> str:
    return f"{number(value, 2, signed=signed)} units"


def _leakage(run: NegotiationRun) -> list[str]:
    summary = run.summary
    if not run.negotiates:
        return []
    if summary.leakage_rate is None:
        return [f"There is no leakage rate: {undefined_reason(run)}."]
    fall, rise = summary.abatement_members_gtco2, summary.rise_others_gtco2
    said = []
    if fall is not None and rise is not None:
        theirs = f"others {gigatonnes(abs(rise))} {'more' if rise >= 0 else 'less'}"
        said.append(f"Members emit {gigatonnes(fall)} less than in the reference, {theirs}.")
    rate = percent(summary.leakage_rate)
    if summary.leakage_rate >= 0:
        said.append(f"So {rate} of the members' cut reappears elsewhere.")
    else:
        said.append(f"Others emit less too: the leakage rate is negative, {rate}.")
    if rise is not None and rise > 0:
        said.append("Others emit more because a cooler world makes more, not because trade moves: see below.")
    return said


def undefined_reason(run: NegotiationRun) -> str:
    """Why there is no leakage rate."""
    if not run.negotiates:
        return "no agreement binds anybody in this run"
    return run.summary.undefined_reason or "members' emissions do not fall against the reference run"


def _certainty(run: NegotiationRun) -> list[str]:
    summary = run.summary
    random = run.scenario.behaviour.kind == "random" and summary.actions_file is None
    bounds = summary.interval("temperature_c")
    if summary.policy is not None:
        said = ["Trained regions may draw what they do; replicas then differ, and so do the seeds of an evaluation."]
    elif not random:
        said = ["Nothing is drawn in this run: what regions do is fixed, so all replicas are alike."]
    elif bounds:
        said = [
            f"Regions act at random; over {summary.replicas} replicas nine of ten end between {degrees(bounds[0])} and "
            f"{degrees(bounds[1])}."
        ]
    else:
        said = [
            "Regions act at random, and this is one draw; run it with more replicas to see how much the draw matters."
        ]
    if summary.switches:
        said += _oddities(run)
    return said


def _oddities(run: NegotiationRun) -> list[str]:
    """Which of the switches that were measured moves the temperature most, and which consumption."""
    rows = run.summary.switches
    warmth = max(rows, key=lambda row: abs(row.temperature_change_c))
    if abs(warmth.temperature_change_c) >= SAME_DEGREES:
        said = [
            f"Of the model's oddities with a switch, this one moves the temperature most: {_lower(warmth)}, "
            f"{degrees(warmth.temperature_change_c, signed=True)}."
        ]
    else:
        said = ["None of the model's oddities that were switched moves the temperature in this run."]
    eaten = max(rows, key=lambda row: abs(row.consumption_change_share or 0.0))
    if abs(eaten.consumption_change_share or 0.0) >= SAME_SHARE:
        change = percent(eaten.consumption_change_share, signed=True)
        said.append(f"This one moves consumption most: {_lower(eaten)}, {change}.")
    return said


def _lower(row: SwitchEffect) -> str:
    label = switch_label(row.switch, row.value)
    return f"{label[:1].lower()}{label[1:]}"


KINDS = {
    "business-as-usual": "every region saves a fifth and does nothing else",
    "constant": "every region keeps the same rates all century",
    "random": "every region picks any legal level at random",
}


def behaviour_of(run: NegotiationRun) -> str:
    """What regions do, in a few words."""
    replayed, policy = run.summary.actions_file, run.summary.policy
    if policy is not None:
        return follows("region", policy, run.summary.learning)
    return f"the actions recorded in {replayed}" if replayed else KINDS[run.scenario.behaviour.kind]
