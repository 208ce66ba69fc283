"""The uncertainty of a run or of an economy at rest, as the command line prints it."""

from collections.abc import Mapping, Sequence
from typing import Any

FEW = 20
"""Draws below which the ends of an interval are hardly more than the smallest and the largest draw."""
NAMES = {"leakage_rate": "leakage, all sectors", "leakage_rate_cbam_goods": "leakage, CBAM goods"}


def bounds(
    told: Mapping[str, Any] | None,
    figure: str,
    *,
    factor: float = 100,
    replicas: Mapping[str, Sequence[float | None]] | None = None,
) -> str:
    """The interval of a figure as `  [low, high]`: 5 to 95 % of the draws, else that of the replicas, else nothing.

    Args:
        told: `uncertainty` of summary.json, or of an economy at rest.
        figure: whose.
        factor: times which figures are printed.
        replicas: `intervals` of summary.json.
    """
    part = _part(told)
    interval = part["intervals"].get(figure) if part else None
    ends = (interval["low"], interval["high"]) if interval else (replicas or {}).get(figure)
    if not ends or None in ends:
        return ""
    low, high = (float(end or 0.0) * factor for end in ends)
    return f"  [{low:.2f}, {high:.2f}]"


def ranking_lines(told: Mapping[str, Any] | None) -> list[str]:
    """What the intervals are, the draws that failed, and which parameter decides each rate."""
    part = _part(told)
    if told is None or part is None:
        return []
    few = "; too few for an interval, read it as a range" if told["draws"] < FEW else ""
    lines = [
        f"  [5 %, 95 %] of {told['draws']} draws of {len(told['parameters'])} uncertain parameters and of firms{few}"
    ]
    if part["failed"]:
        lines.append(f"  {part['failed']} of {told['draws']} draws failed: {part['failures'][0]['reason']}")
    words = {row["name"]: row["words"] for row in told["parameters"]}
    for ranking in part["ranking"]:
        if ranking["figure"] in NAMES and ranking["parameters"]:
            first = (f"{words[row['name']]} {row['share']:.0%}" for row in ranking["parameters"][:3])
            lines.append(f"  {NAMES[ranking['figure']]:24}spread from {', '.join(first)}")
    return lines


def _part(told: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The part with intervals: the run's, else that at rest."""
    if told is None:
        return None
    return told if "intervals" in told else told.get("rest")
