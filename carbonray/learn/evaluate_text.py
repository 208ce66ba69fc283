"""What an evaluation found, as the command line prints it."""

from collections.abc import Mapping, Sequence
from typing import Any

from carbonray.learn.best_response import DEVIATES, STAYS
from carbonray.learn.measures import Quantity, quantities

Told = Mapping[str, Any]
"""The part `learning` of summary.json, or a figure of it."""


def learning_lines(told: Told) -> list[str]:
    """Trained agents beside rules, and why leakage has no rate where it has none."""
    trained = f"one trained {told['role']}" if told["one"] else f"trained {told['role']}s"
    count = len(told["seeds"])
    title = f"means over {count} seeds" if count > 1 else "one seed"
    runs = {"trained": trained, "rule": "rules"}
    return _table(told, told["figures"], runs, title) + [
        f"  leakage is undefined with {runs[each['run']]} in {len(each['seeds'])} of {count}: {each['reason']}"
        for each in told.get("undefined", ())
    ]


def response_lines(told: Told) -> list[str]:
    """What one agent gains that leaves the policy, and what that says; nothing where nobody does."""
    found = told.get("best_response")
    if found is None:
        return []
    gain = next(each for each in found["figures"] if each["name"] == "reward_per_size")
    bounds = gain["difference_interval"]
    quantity = quantities(told["role"])["reward_per_size"]
    least = f"{_number(gain['difference'] * quantity.factor)} {'points ' if quantity.unit == '%' else ''}"
    said = (
        f"at least about {least}of {_lower(quantity.label)}"
        if gain["difference"] > 0 and (bounds is None or bounds[0] > 0)
        else "not shown: nothing gained beyond chance"
    )
    return [
        *_table(told, found["figures"], {DEVIATES: DEVIATES, STAYS: STAYS}, f"one {told['role']} among trained"),
        f"  deviates: follows {found['policy']['name']}",
        f"  exploitability {said}; this is one answer, and a better one may exist",
    ]


def _table(told: Told, figures: Sequence[Told], runs: Mapping[str, str], title: str) -> list[str]:
    """A head and a line for each figure, which says in how many of the seeds it is defined if not in all.

    Args:
        told: of the evaluation.
        figures: of two runs.
        runs: their keys, and their heads.
        title: over the names of the figures.
    """
    rows = [(title, "unit", *runs.values(), "difference", "[95 %], of rates in points")]
    for figure in figures:
        count = len(told["seeds"])
        few = "" if figure["seeds"] == count else f"for both in {figure['seeds']} of {count}"
        rows.append(_row(quantities(told["role"])[figure["name"]], figure, list(runs), few))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _row(quantity: Quantity, figure: Told, runs: Sequence[str], few: str) -> tuple[str, ...]:
    def shown(value: float | None, sign: str = "") -> str:
        return "undefined" if value is None else _number(value * quantity.factor, sign)

    bounds = figure["difference_interval"]
    between = "" if bounds is None else f"[{' to '.join(shown(bound, '+') for bound in bounds)}]"
    values = (*(shown(figure[run]) for run in runs), shown(figure["difference"], "+"))
    return _lower(quantity.label), quantity.unit, *values, f"{between} {few}".strip()


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words left, numbers right."""
    return [
        cell.rjust(width) if 2 <= at < len(row) - 1 else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _number(value: float, sign: str = "") -> str:
    """Four digits that count."""
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}#.4g}"


def _lower(label: str) -> str:
    return label[:1].lower() + label[1:]
