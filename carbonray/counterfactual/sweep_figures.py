"""How a figure that a sweep keeps is named, counted and shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Column:
    """A column of a sweep's dataset."""

    name: str  # the dotted key of a run's summary, or the column of its table
    unit: str = ""
    kind: str = "double"  # Arrow's name of its type


@dataclass(frozen=True)
class Shown:
    """A figure that is told at the end of a sweep."""

    label: str
    column: str
    unit: str
    factor: float = 1.0


def with_intervals(columns: Sequence[Column], measured: Iterable[str]) -> list[Column]:
    """The columns, and after each that is measured over replicas the bounds of its interval."""
    bounded = set(measured)
    found: list[Column] = []
    for one in columns:
        found.append(one)
        if one.name in bounded:
            found += [replace(one, name=f"{one.name}.{end}") for end in ("low", "high")]
    return found
