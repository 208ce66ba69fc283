"""The tables of two runs, compared by their bytes."""

import hashlib
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every table of a run."""
    return {each.stem: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.glob("*.parquet"))}


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Tables that differ, or that only one of two runs has."""
    return [name for name in sorted(one | other) if one.get(name) != other.get(name)]


def print_digests(one: dict[str, str], other: dict[str, str]) -> None:
    """Print the beginnings of digests side by side."""
    differ = differing(one, other)
    print(f"          {'SHA-256':12}{'one process':20}three nodes")
    for name in sorted(one | other):
        sides = "".join(f"{digest.get(name, 'none')[:16]:20}" for digest in (one, other))
        print(f"          {name:12}{sides}{'differs' if name in differ else 'same'}")
