"""The inputs and quantities of a predictor, as a reader meets them."""

from collections.abc import Callable, Sequence
from functools import partial

from carbonray.predict.domain import Outside
from carbonray.predict.drivers import TURNS
from carbonray.predict.ensemble import MONEY
from carbonray.predict.inputs import Layout
from carbonray.report.wording import number, percent, region_name, sector_name

Show = Callable[[float | None], str]

GROUPS = {turn.name: turn.words for turn in TURNS} | {
    "partner_price": "carbon price in", "coverage": "coverage of", "price_growth": "growth of partners' prices",
}  # fmt: skip
FIGURES = {
    "leakage_rate": "Leakage rate", "leaked_mt": "Rise abroad", "foreign_increase_mt": "Rise abroad",
    "home_reduction_mt": "Fall at home", "output_change": "Output at home", "revenue_musd": "Net revenue",
} | {
    f"{name}_musd": words for name, words in zip(MONEY, (
        "Allowances at the carbon price", "Allowances given free", "Charge at the border", "Refund to exporters",
        "Support at home", "Support abroad"), strict=True)
}  # fmt: skip
PARTS = {"cbam_goods": "CBAM goods", "by_sector": "by sector", "by_partner": "by partner"}


def known(value: float | None) -> float | None:
    """A figure, or none where it is undefined."""
    return None if value is None or value != value else float(value)


def between(low: float | None, high: float | None, show: Show) -> str:
    """An interval with its unit at the end; a dash where there is none."""
    if known(low) is None or known(high) is None:
        return "–"
    first, last = show(low), show(high)
    figure, _, unit = first.rpartition("\u00a0")
    return f"{figure if figure and last.endswith(unit) else first} to {last}"


def input_name(name: str) -> str:
    """An input such as `price.2030` or `partner_price.CHN`."""
    group, _, part = name.partition(".")
    words = GROUPS.get(group, group)
    if group == "partner_price":
        return f"{words} {region_name(part)}"
    return f"{words} {sector_name(part) if group == 'coverage' else part}".strip()


def input_value(layout: Layout, name: str, value: float | None) -> str:
    """A value of an input with its unit."""
    if value is None:
        return "unknown"
    unit = layout.bounds[layout.names.index(name)].unit
    if unit.startswith("EUR"):
        return f"{number(value, 0 if abs(value) >= 99.5 else 1)}\u00a0EUR/t"
    if unit == "no or yes":
        return "yes" if value > 0.5 else "no"
    if unit.startswith(("share", "a year")):
        return percent(value) if abs(value) >= 5e-5 else "0\u00a0%"
    return number(value, 2)


def beyond(layout: Layout, outside: Sequence[Outside]) -> list[str]:
    """Inputs beyond what was simulated, one line a group: the one that lies furthest out, and how many are like it."""
    groups: dict[str, list[Outside]] = {}
    for one in outside:
        groups.setdefault(one.name.partition(".")[0], []).append(one)
    lines = []
    for found in groups.values():
        worst = max(found, key=_away)
        show: Show = partial(input_value, layout, worst.name)
        more = f", and {len(found) - 1} more like it" if len(found) > 1 else ""
        simulated = between(worst.low, worst.high, show)
        lines.append(f"{input_name(worst.name)}: {show(worst.value)}, where {simulated} was simulated{more}")
    return lines


def _away(one: Outside) -> float:
    return max(one.low - one.value, one.value - one.high) / (one.high - one.low or 1.0)


def quantity_label(name: str) -> str:
    """A quantity such as `leakage_rate_10_years_cbam_goods`."""
    stem = next(stem for stem in FIGURES if name.startswith(stem))
    rest = name.removeprefix(stem).strip("_")
    part = next((words for end, words in PARTS.items() if rest.endswith(end)), "")
    span = f"over {rest.partition('_')[0]} years" if rest[:1].isdigit() else "by year"
    return ", ".join(words for words in (FIGURES[stem], span, part) if words)
