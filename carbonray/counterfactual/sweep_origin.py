"""What figures depend on beside their scenario: versions, CPU, tables. All machines of a sweep must agree on them."""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from types import MappingProxyType
from typing import Any

import torch

from carbonray.config_worlds import WORLDS, AnyScenario
from carbonray.data import DataError
from carbonray.runtime.outputs import HASHES

PACKAGES = ("carbonray", "torch", "numpy", "pandas", "pyarrow", "networkx")


@dataclass(frozen=True, kw_only=True)
class Reads:
    """The files that a scenario reads."""

    world: str
    names: tuple[Any, ...]
    scenario: AnyScenario = field(compare=False)


def reads(scenario: AnyScenario) -> Reads:
    """What a scenario reads; equal for scenarios that name the same files."""
    keys: Any = scenario.model_dump()
    names = []
    for dotted in WORLDS[scenario.world].files:
        place = keys
        for part in dotted.split("."):
            place = place[part]
        names.append(place)
    return Reads(world=scenario.world, names=tuple(names), scenario=scenario)


@cache
def versions() -> Mapping[str, str]:
    """Versions of this process, and the kind of its CPU, whose vector instructions decide the order of sums."""
    found = {name: metadata.version(name) for name in PACKAGES}
    here = {"python": platform.python_version(), "cpu": torch.backends.cpu.get_cpu_capability()}
    return MappingProxyType(found | here)


def tables(scenarios: Iterable[AnyScenario]) -> dict[str, str]:
    """Names and SHA-256 of everything that scenarios read here.

    Raises:
        DataError: if a table is not there.
    """
    found: dict[str, str] = {}
    for each in dict.fromkeys(map(reads, scenarios)):
        found |= HASHES[each.world](each.scenario)
    return dict(sorted(found.items()))


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Versions, kind of CPU and tables that a sweep began with."""

    versions: Mapping[str, str]
    tables: Mapping[str, str]

    def check(self, scenario: AnyScenario) -> None:
        """Refuse to run where the figures could be others.

        Raises:
            DataError: naming the machine and what differs there.
        """
        here = versions()
        for name, version in self.versions.items():
            if here.get(name) != version:
                raise DataError(f"{platform.node()}: has {name} {here.get(name)}; the sweep began with {version}")
        for name, digest in _tables(reads(scenario)).items():
            if self.tables.get(name) != digest:
                raise DataError(f"{platform.node()}: {name} is not the table that the sweep began with")


@cache
def _tables(wanted: Reads) -> dict[str, str]:
    """As `tables`, of files already known to this process."""
    return tables([wanted.scenario])
