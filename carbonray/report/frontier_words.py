"""What a frontier means, in sentences that follow from its numbers."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import inf
from typing import Any

from carbonray.counterfactual.frontier_summary import best
from carbonray.report.wording import billions, listed, megatonnes, number, percent

Summary = Mapping[str, Any]
LEVER_WORDS = {
    "coverage": "wider coverage, up to all metals, minerals and chemicals",
    "free_allocation": "free allocation to makers of covered goods at home",
    "cbam_factor": "the share of the benchmark deducted from importers",
    "export_rebate": "the rebate to exporters of covered goods",
    "support_home": "the share of revenue for contracts with those who pay the price at home",
    "support_abroad": "the share of revenue for contracts with makers of covered goods abroad",
}
PAYERS = (
    ("consumers at home", "consumer_cost_musd", 1, "pay {} more for the goods of the base path", "pay {} less"),
    ("the treasury", "public_musd", -1, "has {} less", "has {} more"),
    ("firms at home", "profit_home_musd", -1, "lose {} of profit", "gain {} of profit"),
    ("makers of CBAM goods abroad", "profit_abroad_goods_musd", -1, "lose {} of profit", "gain {} of profit"),
)
"""Who, what they pay, its sign if they do, and how that is said."""
LIMITS = (
    "Tonnes bought abroad rest on two assumptions: that nobody there would have cut them anyway (additionality), and "
    "the abatement cost curves, whose first tonnes cost next to nothing where there is no carbon price.",
    "Contracts end with the run: neither what they would cost later is counted, nor what they would save. The fund is "
    "filled above all by the first year, in which firms have not cut yet and pay for every tonne.",
    "The gross figure leaves these tonnes out, so that leakage through markets stands by itself.",
    "Refunds on exports and support abroad raise questions of trade and budget law that are not judged here.",
    "Partners do not answer: nobody retaliates, follows with a price of their own, or redirects support.",
    "The optimisers searched one economy and are judged in others; a decree that is best here is best of those "
    "that were tried, not of all.",
    "Output lost is value added at base prices; public money and tonnes at home are weighed by the scenario's "
    "regulator, not by us.",
)


def headline(summary: Summary) -> list[str]:
    """Who cuts most, by how much, with which lever and when, and who pays; then the same with nothing bought abroad."""
    found = best(summary)
    assert found is not None  # the law is always compared
    said = _winner(summary, found, "Of all candidates")
    other = best(summary, ("support_abroad",))
    if other is not None and other["name"] != found["name"]:
        said += _winner(summary, other, "Of those that buy nothing abroad")
    return said


def _winner(summary: Summary, found: Mapping[str, Any], among: str) -> list[str]:
    if found["kind"] == "law":
        return [f"{among}, none leaks less than the law."]
    tonnes = found["against"]["law"]["leaked_mt"]
    other = found["against"].get("no-cbam", {}).get("leaked_mt")
    more = f", and {_cut(other)} than no-cbam" if other else ""
    sure = "" if tonnes["high"] < 0 else " The interval holds zero: the draws do not tell it from the law."
    said = [f"{among}, “{found['name']}” leaks least: {_cut(tonnes)} than the law{more}.{sure}"]
    gross = found["against"]["law"]["leaked_gross_mt"]
    if gross and abs(gross["mean"] - tonnes["mean"]) > 0.5:
        said.append(
            f"With nothing bought abroad the same decrees at the same price would leak {_cut(gross)} than the law: "
            f"{megatonnes(gross['mean'] - tonnes['mean'])} are reductions that support abroad buys, not leakage that "
            "markets no longer cause."
        )
    return [*said, *_levers(summary, found), _payers(found)]


def _cut(found: Mapping[str, float]) -> str:
    """`120 Mt less (95 % interval 100 to 140)`, or more."""
    mean, low, high = (found[name] for name in ("mean", "low", "high"))
    if mean > 0:
        return f"{megatonnes(mean)} more (95 % interval {number(low)} to {number(high)})"
    return f"{megatonnes(-mean)} less (95 % interval {number(-high)} to {number(-low)})"


def _levers(summary: Summary, found: Mapping[str, Any]) -> list[str]:
    """Which lever does it, and when it is turned."""
    effects = summary["levers"].get(found["name"])
    if not effects:
        return []
    first = summary["years"][0]
    ranked = sorted(effects.items(), key=lambda item: float(item[1]["leaked_mt"]))
    most, effect = ranked[0]
    said = [
        f"Most of it is {LEVER_WORDS[most]}: with it alone back at rest, at the same price, "
        f"{megatonnes(-effect['leaked_mt'])} more would leak."
    ]
    if effect["leaked_mt"] > 0:
        said = ["No lever of it alone cuts leakage at its carbon price."]
    return [*said, *_decrees(found, first)]


def _decrees(found: Mapping[str, Any], first: int) -> list[str]:
    """Each lever that is turned, and when."""
    told = [f"{LEVER_WORDS[name]} {_when(values, first)}" for name, values in found["decree"].items()]
    return [f"Its decrees, means over the draws: {'; '.join(told)}."] if told else []


def _when(values: Sequence[float], first: int) -> str:
    """`+0.05 from 2027 to +0.10 in 2035`."""
    second, last = values[min(1, len(values) - 1)], values[-1]
    if abs(second - last) < 0.005:
        return f"{number(second, 2, signed=True)} from {first + 1} on"
    return (
        f"{number(second, 2, signed=True)} in {first + 1}, {number(last, 2, signed=True)} in {first + len(values) - 1}"
    )


def _payers(found: Mapping[str, Any]) -> str:
    """Who pays against the law."""
    against = found["against"]["law"]
    means = {name: value["mean"] for name, value in against.items() if value}
    means["public_musd"] = means["revenue_musd"] - means["support_home_musd"] - means["support_abroad_musd"]
    parts = []
    for who, name, sign, pays, gains in PAYERS:
        amount = sign * means[name]
        parts.append(f"{who} {(pays if amount > 0 else gains).format(billions(abs(amount)))}")
    factor = found["figures"]["price_factor"]
    return f"Against the law, at {number(factor, 2)} times its carbon price, {listed(parts)}."


def learned(summary: Summary) -> list[str]:
    """Whether a learned regulator beats the best scripted one, and what the best decrees and who pays."""
    if not any(one["kind"] == "learned" for one in summary["candidates"]):
        return ["No learned regulator was judged."]
    if not summary["learned"]:
        return ["No scripted optimiser was judged beside it."]
    named = {one["name"]: one for one in summary["candidates"]}
    said = []
    for _, group in groupby(summary["learned"], lambda one: one["rival"]):
        rivals = list(group)
        best_one = named[max(rivals, key=lambda one: _objective(named[one["name"]]))["name"]]
        said += [_against_rival(one) for one in rivals]
        said += [f"“{best_one['name']}”: {sentence}" for sentence in _decrees(best_one, summary["years"][0])]
        said += [_payers(best_one)] if best_one["against"]["law"]["leaked_mt"] else []
    return said


def _objective(found: Mapping[str, Any]) -> float:
    value = found["figures"]["objective_musd"]
    return -inf if value is None else float(value)


def _against_rival(one: Mapping[str, Any]) -> str:
    gain, tonnes = one["objective_musd"], one["leaked_mt"]
    if gain is None or tonnes is None:
        return f"“{one['name']}” and “{one['rival']}” share too few draws to compare."
    bounds = f"(95 % interval {billions(gain['low'], signed=True)} to {billions(gain['high'], signed=True)})"
    verdict = "beats" if gain["low"] > 0 else "does worse than" if gain["high"] < 0 else "does not beat"
    return (
        f"“{one['name']}” {verdict} the best scripted one, “{one['rival']}”: its objective differs by "
        f"{billions(gain['mean'], signed=True)} {bounds}, its leaked tonnes by "
        f"{megatonnes(tonnes['mean'], signed=True)}."
    )


def unmatched(summary: Summary) -> list[str]:
    """Candidates for whom no factor of the price does it."""
    low, high = summary["factors"]
    return [
        f"“{one['name']}”: in {one['judged'] - one['matched']} of {one['judged']} draws no factor of its carbon price "
        f"from {low:g} to {high:g} cuts as much at home as the law."
        for one in summary["candidates"]
        if one["matched"] < one["judged"]
    ]


def idle(summary: Summary) -> list[str]:
    """Candidates that come out as the law itself."""
    same = [
        one
        for one in summary["candidates"]
        if one["kind"] != "law" and all(found and found["mean"] == 0 for found in one["against"]["law"].values())
    ]
    resting = [f"“{one['name']}”" for one in same if not one["decree"]]
    bound = [f"“{one['name']}”" for one in same if one["decree"]]
    said = [f"The same as the law, for nothing is decreed: {listed(resting)}."] if resting else []
    if bound:
        rule = "importers get no less deducted than is free at home"
        said.append(f"The same as the law, for {rule}: {listed(bound)}.")
    return said


def setting(summary: Summary) -> str:
    """How it was made."""
    within = percent(summary["tolerance"])
    return (
        f"Every candidate's carbon price is scaled by one factor until emissions at home fall, over all years, as much "
        f"as under the law (within {within}). {summary['draws']} draws of firms and uncertain parameters, "
        f"{summary['firms']:,} firms, none of which the search met; each candidate meets the same ones."
    )
