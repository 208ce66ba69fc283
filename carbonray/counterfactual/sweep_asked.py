"""What a user asks of a sweep: values of the grid and seeds as texts, and what may not be asked twice."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import yaml

from carbonray.config import ScenarioError
from carbonray.runtime.simulate import COMMON, RUNNERS

MOST_RUNS = 100_000
"""Runs that a sweep may have: each is a file of its own."""
OPTIONS = ("firms", "plants", "years", "replicas")
"""Options of `simulate` that a sweep takes; the seed is a dimension of its own."""
TOLD_APART = ("world", "name", "summary")
"""Keys that a grid may not vary: they say which run it is, not what happens in it."""
HIGHEST_SEED = 2**63 - 1

Grid = Mapping[str, Sequence[Any]]


def written(value: Any) -> str:
    """A value as YAML on one line.

    Raises:
        ScenarioError: if it is nothing that YAML knows.
    """
    plain = value.item() if hasattr(value, "item") else value  # a number of numpy's
    try:
        text = yaml.safe_dump(plain, default_flow_style=True, width=10**9, allow_unicode=True)
    except yaml.YAMLError:
        raise ScenarioError(f"grid: {value!r} is no value of a scenario") from None
    return text.strip().removesuffix("...").strip()


def parse_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Keys and values of `KEY=VALUE,VALUE...`; values are YAML.

    Raises:
        ScenarioError: if a text is not of that form, or a key is there twice.
    """
    grid: dict[str, list[Any]] = {}
    for text in texts:
        key, separator, values = text.partition("=")
        if not separator or not key:
            raise ScenarioError(f"--grid {text}: write KEY=VALUE,VALUE...")
        if _plain(key) in grid:
            raise ScenarioError(f"--grid {key}: is given twice; write all its values after one =")
        grid[_plain(key)] = _values(key, values)
    return grid


def listed(grid: Grid) -> dict[str, list[Any]]:
    """A grid with its keys as scenarios write them and its values as lists.

    Raises:
        ScenarioError: if the values of a key are no list, or none.
    """
    found: dict[str, list[Any]] = {}
    for key, values in grid.items():
        found[_plain(key)] = [] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
        if not found[_plain(key)]:
            raise ScenarioError(f"--grid {key}: give a list of at least one value")
    return found


def _plain(key: str) -> str:
    """Keys may be written with hyphens."""
    return key.replace("-", "_")


def _values(key: str, values: str) -> list[Any]:
    try:
        found = yaml.safe_load(f"[{values}]")
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ScenarioError(f"--grid {key}: {values} is not a list of values in YAML")
    return found


def seeds_of(seeds: str | Sequence[int]) -> tuple[int, ...]:
    """Seeds from `0-9`, `0,3,7`, both, or a sequence.

    Raises:
        ScenarioError: if they are none, not whole, negative, twice there, or too many.
    """
    if isinstance(seeds, str):
        found = [seed for part in seeds.split(",") for seed in _span(part.strip(), seeds)]
    else:
        found = [_whole(seed) for seed in seeds]
    if not found:
        raise ScenarioError("--seeds: give at least one")
    if not 0 <= min(found) <= max(found) <= HIGHEST_SEED:
        raise ScenarioError("--seeds: a seed is a whole number from 0 to 2^63 - 1")
    twice = next((seed for seed, after in pairwise(sorted(found)) if seed == after), None)
    if twice is not None:
        raise ScenarioError(f"--seeds: {twice} is given twice")
    return tuple(found)


def _span(part: str, seeds: str) -> range:
    """The seeds of `3` or `0-9`."""
    first, dash, last = part.partition("-")
    ends = (first, last) if dash else (first, first)
    if not all(end.isascii() and end.isdecimal() for end in ends):
        raise ScenarioError(f"--seeds {seeds}: write 0-9 or 0,3,7")
    low, high = map(int, ends)
    if high < low:
        raise ScenarioError(f"--seeds {part}: the first is above the last")
    check_count(high - low + 1)
    return range(low, high + 1)


def _whole(seed: Any) -> int:
    try:
        if isinstance(seed, bool | str) or int(seed) != seed:
            raise ValueError
        return int(seed)
    except (TypeError, ValueError):
        raise ScenarioError(f"--seeds: {seed!r} is not a whole number") from None


def span_text(seeds: Sequence[int]) -> str:
    """Seeds as they are asked for, in short."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], seed]
        else:
            parts.append([seed])
    return ",".join("-".join(map(str, part)) for part in parts)


def check_count(runs: int) -> None:
    """Refuse more runs than a sweep may have.

    Raises:
        ScenarioError: with their number.
    """
    if runs > MOST_RUNS:
        raise ScenarioError(f"the sweep would have {runs:,} runs or more; {MOST_RUNS:,} are the most")


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given.

    Raises:
        ScenarioError: if a sweep takes no such option.
    """
    foreign = next((name for name in options if name not in OPTIONS), None)
    if foreign is not None:
        raise ScenarioError(f"{foreign}: a sweep takes no such option; it takes {', '.join(OPTIONS)}")
    return {name: value for name, value in options.items() if value is not None}


def check_asked(grid: Grid, settings: Sequence[str], options: Mapping[str, Any], *, seeded: bool) -> None:
    """Refuse keys that cannot be varied, and what is said in two places.

    Args:
        grid: keys and their values.
        settings: `KEY=VALUE` of every run.
        options: of every run.
        seeded: whether seeds are given.

    Raises:
        ScenarioError: naming the key.
    """
    if isinstance(settings, str):
        raise ScenarioError(f"settings: give a list of KEY=VALUE (got {settings!r})")
    key_of = dict(COMMON)
    for runner in RUNNERS.values():
        key_of |= runner.keys
    said = {_plain(setting.partition("=")[0]): "set" for setting in settings} | {key_of[name]: name for name in options}
    if seeded and "seed" in said:
        raise ScenarioError("--set seed: --seeds has the seeds; give one of both")
    for key in grid:
        if key == "seed":
            raise ScenarioError("--grid seed: give --seeds")
        if key in TOLD_APART:
            raise ScenarioError(f"--grid {key}: says which run it is and cannot be varied")
        twice = next((other for other in said if other == key or other.startswith(f"{key}.")), None)
        if twice is not None:
            raise ScenarioError(f"--grid {key}: --{said[twice]} gives {twice} too; give one of both")
