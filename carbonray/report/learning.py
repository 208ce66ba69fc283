"""Trained agents beside rule agents: the section of a page whose run is an evaluation, and what other sections say."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carbonray.report.charts import Chart
from carbonray.report.summary_model import Learning, LearningFigure, TrainedPolicy
from carbonray.report.tables import Table
from carbonray.report.wording import billions, megatonnes, number, percent

KEY = "learning"
DIGITS = 9
"""Digits within which the two ends of an interval are the same."""


def _degrees(value: float) -> str:
    return f"{number(value, 2)}\u00a0°C"


def _utility(value: float) -> str:
    return number(value, 3)


def _kilograms(value: float) -> str:
    return f"{number(1000 * value, 1)}\u00a0kg/USD"


def _gigatonnes(value: float) -> str:
    return f"{number(value, 2)}\u00a0Gt"


def _trillions(value: float) -> str:
    return f"{number(value, 2)}\u00a0tn\u00a0USD"


@dataclass(frozen=True)
class Words:
    """How a figure is told."""

    label: str
    show: Callable[[float], str]
    drawn: str = ""  # in points of itself, or in % of the rules' value; not drawn if empty

    def change(self, value: float) -> str:
        """A difference."""
        return percent(value, signed=True).replace("%", "points") if self.drawn == "points" else self.show(value)


FIGURES: Mapping[str, Mapping[str, Words]] = {
    "firm": {
        "leakage_rate": Words("Leakage, all sectors", percent, "points"),
        "leakage_rate_cbam_goods": Words("Leakage, CBAM goods", percent, "points"),
        "reward_per_size": Words("Profit over output at rest, mean of the firms", percent, "points"),
        "output_per_size": Words("Output over output at rest, mean of the firms", percent, "points"),
        "emissions_per_size": Words("Emissions over output at rest, mean of the firms", _kilograms, "%"),
        "profit_musd": Words("Profit of the firms, a year", billions),
        "output_musd": Words("Output of the firms, a year", billions, "%"),
        "emissions_mt": Words("Emissions of the firms, a year", megatonnes, "%"),
        "abatement_cost_musd": Words("Abatement cost of the economy, a year", billions, "%"),
    },
    "region": {
        "temperature_c": Words("Warmer than 1900 in the last year", _degrees),
        "leakage_rate": Words("Leakage to non-members", percent, "points"),
        "reward_per_size": Words("Utility of a region and step", _utility, "%"),
        "mitigation": Words("Mitigation rate, mean of the regions", percent, "points"),
        "emissions_gtco2": Words("Emissions of the regions, a year", _gigatonnes, "%"),
        "output_tusd": Words("Output of the regions, a year", _trillions, "%"),
        "consumption_tusd": Words("Consumption of the regions, a year", _trillions, "%"),
    },
}
"""By role and name of the figure, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says of the comparison."""

    heading: str
    sentences: list[str]
    limits: list[str]
    table: Table


def section(told: Learning | None, policy: TrainedPolicy | None) -> Section | None:
    """The section of an evaluation; nothing for other runs."""
    if told is None or policy is None:
        return None
    return Section(
        heading=f"Trained {told.role}s beside rule {told.role}s",
        sentences=[_set_up(told, policy), *_found(told)],
        limits=_limits(told),
        table=_table(told),
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
    return (
        f"The policy is {policy.name}: one small network, trained by {policy.method} under {policy.scenario}. {who} "
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
    return said + _undefined(told)


SAID = ("reward_per_size", "leakage_rate", "temperature_c")


def _chance(bounds: tuple[float, float] | None) -> str:
    if bounds is None or _same(bounds) or bounds[0] > 0 or bounds[1] < 0:
        return ""
    return ", which cannot be told from chance"


def _same(bounds: tuple[float, float]) -> bool:
    return bool(np.isclose(*bounds, rtol=10.0**-DIGITS, atol=0.0))


def _undefined(told: Learning) -> list[str]:
    few = [(figure, words) for figure, words in _known(told) if figure.seeds < len(told.seeds)]
    return [f"{words.label} is defined for both in {figure.seeds} of {len(told.seeds)} seeds." for figure, words in few]


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
    return [
        chance + "They say nothing of the assumptions that all runs share.",
        together,
        f"The policy is one answer of one training to this model. It is no forecast of what real {role}s will do.",
    ]


def _table(told: Learning) -> Table:
    rows = tuple(
        (
            words.label,
            *("undefined" if value is None else words.show(value) for value in (figure.trained, figure.rule)),
            "undefined" if figure.difference is None else words.change(figure.difference),
            "–"
            if (known := figure.difference_interval) is None
            else f"{words.show(known[0])} to {words.show(known[1])}",
            str(figure.seeds),
        )
        for figure, words in _known(told)
    )
    columns = ("Figure", "Trained", "Rules", "Difference", "95 % interval of it", "Seeds")
    note = "Means over the seeds; differences are paired by seed. Every seed is in learning.parquet."
    return Table(caption=f"{_subject(told)} and rules", columns=columns, rows=rows, note=note)


def _span(words: Words, bounds: tuple[float, float] | None) -> str:
    return "–" if bounds is None else f"{words.change(bounds[0])} to {words.change(bounds[1])}"


def command(simulate: str, policy: TrainedPolicy | None, told: Learning | None) -> str:
    """The command that makes a run again, from the one that would make it with rules."""
    if policy is None:
        return simulate
    name = shlex.quote(policy.name)
    if told is None:
        return f"{simulate} --policy {name}"
    target = simulate.removeprefix("carbonray simulate ")
    return f"carbonray evaluate {name} --on-scenario {target} --seeds {len(told.seeds)}{' --one' * told.one}"
