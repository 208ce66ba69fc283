"""What a backtest says of leakage, in sentences that follow from its numbers; for the terminal and the page."""

from collections.abc import Mapping
from typing import Any

from carbonray.report.wording import number, percent

STUDIES_CUT = (0.04, 0.1)
"""Cut that studies after the fact find (Bayer and Aklin 2020; Dechezleprêtre and others 2023; recalled)."""


def leak(summary: Mapping[str, Any]) -> str:
    """The prediction: tonnes first, and what its rate is a share of."""
    found = summary["leakage"]
    return (
        f"{number(found['predicted_mt_a_year'], 1)} Mt a year more abroad, {percent(found['rate'])} of a cut at home "
        f"of {number(found['home_reduction_mt_a_year'])} Mt a year, which is what the model's own abatement curves "
        "say, not what was observed"
    )


def verdict(summary: Mapping[str, Any]) -> str:
    """Both halves of the verdict, then whether it agrees with the studies after the fact."""
    found = summary["leakage"]
    first, last = found["noise_years"]
    small = "too small for the record to show" if found["undetectable"] else "large enough for the record to show"
    rate, low = found["rate"], found["rate_low_end_of_studies"]
    below = "the rate is undefined" if rate is None else f"the rate is {'under' if rate < low else 'not under'}"
    below += "" if rate is None else f" the {round_percent(low)} at the low end of studies without free allocation"
    agrees = "agrees with" if found["agrees_with_studies"] else "contradicts"
    return (
        f"{small} (a mean leak in step with the price would have to reach {number(found['detectable_mt_a_year'])} Mt, "
        f"by the noise of {first}–{last}); {below}: {agrees} the studies of these years that find no leakage"
    )


def association(summary: Mapping[str, Any]) -> str:
    """Whether imports move with the price, now and before there was one; decided by the p-values alone."""
    found = summary["placebo"]
    first, last = found["before_the_ets_window"]
    now, before = (p_of(found[name]) for name in ("p_value", "before_the_ets_p_value"))
    rises = found["r_observed"] > 0
    placebo = f"imports of {first}–{last}, with a price that was not there yet"
    if found["associated"]:
        mt = f"; {number(summary['leakage']['associated_mt_a_year'])} Mt a year if all of it were leakage"
        left = "this test does not rule out a leak" if rises else "a leak would have the other sign"
        also = (
            f"so do {placebo} ({before}): by itself no sign of leakage"
            if found["before_the_ets_associated"]
            else f"{placebo}, do not at that level ({before}): {left}"
        )
        way = "with" if rises else "against"
        return f"imports move {way} the price more than by chance ({now}{mt if rises else ''}); {also}"
    also = "show one: the test cries wolf there" if found["before_the_ets_associated"] else "show none either"
    return f"no association of imports with the price beyond chance ({now}); {placebo}, {also} ({before})"


def round_percent(share: float) -> str:
    """A bound in whole per cent."""
    return f"{100 * share:.0f}\u00a0%"


def p_of(value: float) -> str:
    """A p-value; one decimal more where two would hide on which side of a bound it lies."""
    short = number(value, 2)
    return f"p {number(value, 4) if short in ('0.00', '0.05') else short}"


def home_cut(share: float) -> str:
    """The model's cut at home beside the studies'."""
    low, high = STUDIES_CUT
    where = "more than they find" if share > high else "less than they find" if share < low else "within their range"
    return (
        "of all emissions at home, as the model's abatement curves have it; studies after the fact find "
        f"{100 * low:.0f} to {round_percent(high)} of covered ones: {where}"
    )
