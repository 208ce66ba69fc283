"""What a comparison of runs shows, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from carbonray.kpi.negotiation import SAME, dominates
from carbonray.report.compare_runs import RECORDED, RULES
from carbonray.report.tables import shown
from carbonray.report.wording import listed, number

EVEN = 1e-6
"""Relative difference up to which two runs are called even."""
FEW = 3
"""Names that a title holds."""
LONGEST = 40
"""Letters of values that a sentence holds."""


def degrees(value: float, *, signed: bool = False) -> str:
    """A temperature or a difference of two."""
    return f"{number(value, 2, signed=signed)}\u00a0°C"


def trillions(value: float) -> str:
    """Trillion USD."""
    return f"{number(value)}\u00a0trillion\u00a0USD"


def best(table: pd.DataFrame, column: str, *, highest: bool = True) -> list[str]:
    """Names of the runs with the highest, or lowest, value."""
    values = table[column].to_numpy(dtype=float)
    top = values.max() if highest else values.min()
    return [str(name) for name in table["run"][np.isclose(values, top, rtol=EVEN, atol=0.0)]]


def decimals(table: pd.DataFrame, column: str, least: int, most: int) -> int:
    """The fewest decimals, within bounds, that print runs apart which are not even."""
    values = np.unique(table[column].to_numpy(dtype=float))
    apart = 1 + int((np.diff(values) > EVEN * np.abs(values[1:])).sum())
    enough = (at for at in range(least, most) if len({number(float(value), at) for value in values}) >= apart)
    return next(enough, most)


def places(table: pd.DataFrame) -> list[list[str]]:
    """Names of the runs on each point of the plane: runs that share both indices together."""
    found: dict[int, list[str]] = {}
    points = table[["economic_index", "climate_index"]].to_numpy(dtype=float)
    for name, point in zip(table["run"].astype(str), points, strict=True):
        first = int(np.isclose(points, point, rtol=0.0, atol=SAME).all(1).argmax())
        found.setdefault(first, []).append(name)
    return list(found.values())


def on_front(table: pd.DataFrame) -> str:
    """The points of the Pareto front, runs on one point together."""
    points = places(table[table["on_front"]])
    if len(points) > FEW:
        return f"{len(points)} points"
    return "; ".join(listed(names) + " on one point" * (len(names) > 1) for names in points)


def few(names: Sequence[str]) -> str:
    """Names in a title: how many, where they are many."""
    return listed(names) if len(names) <= FEW else f"{len(names)} runs"


def coolest(table: pd.DataFrame, last: int) -> str:
    """Which run is coolest in the last year."""
    names = best(table, "temperature_c", highest=False)
    low, high = float(table["temperature_c"].min()), float(table["temperature_c"].max())
    if len(names) == len(table):
        return f"All runs are equally warm in {last}, {degrees(low)}."
    warm = listed(best(table, "temperature_c"))
    return (
        f"{listed(names)} {_is(names, 'coolest')}: {degrees(low)} above 1900 in {last}, "
        f"{degrees(high - low)} less than {warm}."
    )


def richest(table: pd.DataFrame) -> str:
    """Which run makes most, and which consumes most where that is another."""
    names, eaters = best(table, "output_tusd"), best(table, "consumption_tusd")
    made, eaten = float(table["output_tusd"].max()), float(table["consumption_tusd"].max())
    if len(names) == len(table):
        said = f"All runs make the same, {trillions(made)}"
    else:
        said = f"{listed(names)} {_is(names, 'richest')}: {trillions(made)} of output, summed over the steps"
    if names == eaters:
        return f"{said}."
    verb = "consumes" if len(eaters) == 1 else "consume"
    return f"{said}; {listed(eaters)} {verb} most, {trillions(eaten)}."


def dominated(table: pd.DataFrame) -> list[str]:
    """Which runs another run beats in one index without losing in the other; runs beaten by the same ones together."""
    who = dominates(table[["economic_index", "climate_index"]])
    names = table["run"].astype(str).to_list()
    beaten: dict[tuple[str, ...], list[str]] = {}
    for at, name in enumerate(names):
        if by := tuple(names[other] for other in np.flatnonzero(who[:, at])):
            beaten.setdefault(by, []).append(name)
    said = [
        f"{listed(some)} {_be(some)} dominated: {few(by)} {_be(by)} at least as cool and as rich."
        for by, some in beaten.items()
    ]
    return said or ["No run is dominated: each is cooler or richer than every other, or even with it."]


def even(table: pd.DataFrame) -> list[str]:
    """Runs that share both indices, and whether consumption tells them apart."""
    said = []
    for names in places(table):
        if len(names) > 1:
            eaten = table["consumption_tusd"][table["run"].isin(names)].to_numpy(dtype=float)
            tail = "" if np.allclose(eaten, eaten[0], rtol=EVEN, atol=0.0) else "; consumption tells them apart"
            said.append(f"{listed(names)} share both indices{tail}.")
    return said


def followed(table: pd.DataFrame) -> list[str]:
    """Which runs follow which policy; nothing where all follow rules."""
    runs = {str(policy): group["run"].astype(str).to_list() for policy, group in table.groupby("policy", sort=False)}
    if set(runs) == {RULES}:
        return []
    said = [
        f"{listed(names)} {'follows' if len(names) == 1 else 'follow'} "
        f"{policy if policy in (RULES, RECORDED) else f'the trained policy {policy}'}"
        for policy, names in runs.items()
    ]
    return [f"{'; '.join(said)}."]


def warning(beside: Mapping[str, Sequence[Any]]) -> str:
    """That runs differ in more than the protocol, and in what; nothing if they do not.

    Args:
        beside: values of each key by run, `compare_runs.beside_protocol`.
    """
    if not beside:
        return ""
    told = []
    for key, values in beside.items():
        each = ", ".join(dict.fromkeys(map(shown, values)))
        told.append(f"{key} ({each})" if len(each) <= LONGEST else key)
    return f"These runs differ in behaviour too: {listed(told)}. So differences are not the protocol's alone."


def covered(hypervolume: float) -> str:
    """The hypervolume in a sentence."""
    return (
        f"The hypervolume is {number(hypervolume, 3)}: the share of the plane between the two extremes that is no "
        "better than some run."
    )


def headline(table: pd.DataFrame, hypervolume: float, last: int) -> list[str]:
    """The findings, one sentence each."""
    if len(table) == 1:
        name, row = table["run"].iloc[0], table.iloc[0]
        return [
            f"{name} is the only run: {degrees(row['temperature_c'])} above 1900 in {last} and "
            f"{trillions(row['output_tusd'])} of output, summed over the steps.",
            *followed(table),
            covered(hypervolume),
        ]
    return [
        coolest(table, last), richest(table), *followed(table), *dominated(table), *even(table), covered(hypervolume),
    ]  # fmt: skip


def _is(names: Sequence[str], adjective: str) -> str:
    return f"{_be(names)} {adjective}"


def _be(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
