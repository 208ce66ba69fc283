"""What a sweep runs: every scenario with every value of the grid and every seed, checked before any of it starts.

Runs are numbered scenario by scenario, within one by the values of the grid, the last key fastest, and within these by
seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from carbonray.config import ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.counterfactual.sweep_asked import Grid, check_asked, check_count, given, listed, seeds_of, written
from carbonray.counterfactual.sweep_worlds import SWEPT
from carbonray.data.scenarios import world_of
from carbonray.runtime.simulate import Progress, load_target, silent


@dataclass(frozen=True, kw_only=True)
class Combination:
    """A scenario with one value of each key of the grid."""

    scenario: AnyScenario
    chosen: tuple[Any, ...]  # in the order of the keys, as the scenario understood them


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a sweep."""

    number: int
    scenario: AnyScenario
    chosen: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every run of a sweep."""

    world: str
    names: tuple[str, ...]  # of the scenarios
    keys: tuple[str, ...]  # of the grid
    combinations: tuple[Combination, ...]  # scenario by scenario, the last key fastest
    seeds: tuple[int, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)  # targets, settings and options as they were typed

    @property
    def count(self) -> int:
        """Runs."""
        return len(self.combinations) * len(self.seeds)

    @property
    def choices(self) -> tuple[Combination, ...]:
        """The combinations of the first scenario; every scenario meets the same values of the grid."""
        return self.combinations[: len(self.combinations) // len(self.names)]

    @property
    def firsts(self) -> tuple[AnyScenario, ...]:
        """The first run of each scenario; its others differ from it in the grid and the seed alone."""
        return tuple(one.scenario for one in self.combinations[:: len(self.choices)])

    @property
    def columns(self) -> list[tuple[Any, ...]]:
        """Of each key of the grid its value in every combination."""
        return list(zip(*(one.chosen for one in self.combinations), strict=True))

    @property
    def grid(self) -> dict[str, list[str]]:
        """The values of each key, as YAML."""
        return {
            key: list(dict.fromkeys(written(one.chosen[place]) for one in self.choices))
            for place, key in enumerate(self.keys)
        }

    def run(self, number: int) -> Run:
        """A run by its number."""
        place, seed = divmod(number, len(self.seeds))
        one = self.combinations[place]
        scenario = one.scenario.model_copy(update={"seed": self.seeds[seed]})
        return Run(number=number, scenario=scenario, chosen=one.chosen)


def plan_sweep(
    targets: str | Path | Sequence[str | Path],
    *,
    seeds: str | Sequence[int] | None = None,
    grid: Grid | None = None,
    settings: Sequence[str] = (),
    progress: Progress = silent,
    **options: Any,
) -> Plan:
    """Read and check every run of a sweep.

    Args:
        targets: scenarios of one world, their names or the paths of YAML files.
        seeds: `0-9`, `0,3,7` or a sequence; the scenarios' own if left out.
        grid: dotted keys and the values of each.
        settings: `KEY=VALUE` overrides of every run.
        progress: told how many combinations of scenario and grid are checked.
        options: of `simulate`: firms, plants, years, replicas.

    Raises:
        ScenarioError: if any run is refused, they are more than 100,000, or something is said twice.
        DataError: if the data of a run are not in order.
    """
    names = _targets(targets)
    keys = listed(grid or {})
    wanted = None if seeds is None else seeds_of(seeds)
    options = given(options)
    check_asked(keys, settings, options, seeded=wanted is not None)
    check_count(len(names) * prod(map(len, keys.values())) * len(wanted or (0,)))
    choices = [dict(zip(keys, values, strict=True)) for values in product(*keys.values())]
    seeded = options if wanted is None else {**options, "seed": wanted[0]}
    check = SWEPT[world_of(names[0])].checker()
    found: list[Combination] = []
    for name in names:
        for choice in choices:
            progress("checking", len(found), len(names) * len(choices))
            found.append(_combination(name, choice, settings, seeded))
            check(found[-1].scenario)
    progress("checking", len(found), len(found))
    plan = Plan(
        world=found[0].scenario.world,
        names=tuple(one.scenario.name for one in found[:: len(choices)]),
        keys=tuple(keys),
        combinations=tuple(found),
        seeds=_own_seed(found) if wanted is None else wanted,
        asked={"targets": names, "settings": list(settings), "options": options},
    )
    _check_told_apart(plan)
    return plan


def _targets(targets: str | Path | Sequence[str | Path]) -> list[str]:
    """The targets by name.

    Raises:
        ScenarioError: if there are none, one is no name or file, or they are of different worlds.
    """
    listed = [targets] if isinstance(targets, str | Path) else list(targets)
    foreign = next((each for each in listed if not isinstance(each, str | Path)), None)
    if foreign is not None:
        raise ScenarioError(f"target: a sweep takes names and files of scenarios (got {type(foreign).__name__})")
    if not listed:
        raise ScenarioError("a sweep needs at least one scenario, such as law")
    worlds = [world_of(str(each)) for each in listed]
    for each, world in zip(listed, worlds, strict=True):
        if world != worlds[0]:
            raise ScenarioError(
                f"{each}: is of world {world}, {listed[0]} of {worlds[0]}; a sweep has one world's scenarios"
            )
    return [str(each) for each in listed]


def _combination(
    target: str, choice: Mapping[str, Any], settings: Sequence[str], options: Mapping[str, Any]
) -> Combination:
    """One combination, as its scenario is read."""
    chosen = [f"{key}={written(value)}" for key, value in choice.items()]
    scenario = load_target(target, [*settings, *chosen], **options)
    keys: Any = scenario.model_dump(mode="json")
    return Combination(scenario=scenario, chosen=tuple(_understood(keys, key, choice[key]) for key in choice))


def _understood(place: Any, key: str, value: Any) -> Any:
    """The value of a key as the scenario has it: a number where YAML had a text, the whole path of a file."""
    for part in key.split("."):
        if not isinstance(place, dict) or part not in place:
            return value
        place = place[part]
    return place


def _check_told_apart(plan: Plan) -> None:
    """Refuse scenarios or values of the grid that are there twice."""
    twice = next((name for name in plan.names if plan.names.count(name) > 1), None)
    if twice is not None:
        raise ScenarioError(f"{twice}: two scenarios have this name; give one of them another")
    seen: set[tuple[str, ...]] = set()
    for one in plan.choices:
        values = tuple(map(written, one.chosen))
        if values in seen:
            raise ScenarioError(f"--grid {', '.join(plan.keys)}: {', '.join(values)} is there twice")
        seen.add(values)


def _own_seed(found: Sequence[Combination]) -> tuple[int, ...]:
    """The seed that all scenarios have."""
    own = sorted({one.scenario.seed for one in found})
    if len(own) > 1:
        raise ScenarioError(f"the scenarios have seeds {own[0]} and {own[1]}; give --seeds")
    return (own[0],)
