"""Scenarios: the built-in YAML files and a user's own, read and checked by the rules of their world."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import yaml
from pydantic import ValidationError

from carbonray.config import Frozen, Scenario, ScenarioError
from carbonray.config_worlds import MAIN, WORLDS, AnyScenario, file_in

FOLDER = Path(__file__).parents[1] / "scenarios"

MainScenario = Literal["aggressive", "law", "moderate", "no-cbam", "no-policy", "test-arm", "variable"]
"""The built-in scenarios of the main world, so that type checkers know what `load("law")` gives."""
S = TypeVar("S", bound=Frozen)


def names(world: str = MAIN) -> list[str]:
    """Built-in scenarios of a world."""
    return sorted(path.stem for path in (FOLDER / world).glob("*.yaml"))


def targets() -> list[str]:
    """Built-in scenarios of all worlds: bare names of the main one, WORLD/SCENARIO of the others."""
    return [name if world == MAIN else f"{world}/{name}" for world in WORLDS for name in names(world)]


@overload
def load(target: MainScenario, settings: Sequence[str] = (), **changes: Any) -> Scenario: ...
@overload
def load(target: str, settings: Sequence[str] = (), **changes: Any) -> AnyScenario: ...
def load(target: str, settings: Sequence[str] = (), **changes: Any) -> AnyScenario:
    """Read a scenario: `SCENARIO`, `WORLD/SCENARIO` or the path of a YAML file, a run's config.yaml included.

    Files that it names are found from the folder of the YAML file, those in settings and changes from here.

    Args:
        target: what to read.
        settings: `KEY=VALUE` with dotted keys and YAML values, applied in order.
        changes: top-level or dotted keys (`firms.number`) and their values; None is left out.

    Raises:
        ScenarioError: one line that names file, key and rule.
    """
    path = find(target)
    raw = _read(path)
    world = WORLDS[raw["world"]]
    defaults = world.scenario(name="default").model_dump(mode="python")
    given = [(key, value) for key, value in changes.items() if value is not None]
    for key, value in [*map(parsed, settings), *given]:
        if key == "world" and value != raw["world"]:
            raise ScenarioError(f"{path.name}: world: a scenario of {raw['world']} stays one; choose another scenario")
        _put(raw, key, value, defaults, origin=path.name)
    _locate(raw, world.files, Path())
    return parse(raw, origin=path.name, kind=world.scenario)


def world_of(target: str) -> str:
    """The world of a target.

    Raises:
        ScenarioError: as `find`, and if the file is not a scenario of any world.
    """
    return str(_read(find(target))["world"])


def find(target: str) -> Path:
    """The file of a target.

    Raises:
        ScenarioError: if there is none.
    """
    if target.endswith((".yaml", ".yml")):
        path = Path(target)
        if not path.is_file():
            raise ScenarioError(f"{target}: no such file")
        return path
    world, _, scenario = target.rpartition("/")
    path = FOLDER / (world or MAIN) / f"{scenario}.yaml"
    if (world or MAIN) not in WORLDS or scenario != Path(scenario).name or not path.is_file():
        raise ScenarioError(f"{target}: unknown scenario; choose from {', '.join(targets())}, or a .yaml file")
    return path


@overload
def parse(raw: Mapping[str, Any], *, origin: str) -> Scenario: ...
@overload
def parse(raw: Mapping[str, Any], *, origin: str, kind: type[S]) -> S: ...
def parse(raw: Mapping[str, Any], *, origin: str, kind: type[Frozen] = Scenario) -> Frozen:
    """Check a mapping.

    Args:
        raw: keys and values.
        origin: where they are from, for the refusal.
        kind: the class of the world that it must be a scenario of; the main world's if left out.

    Raises:
        ScenarioError: naming the origin, the first bad key and its rule.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        unknown = f"unknown key{_elsewhere(kind, key)}"
        rule = unknown if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        value = first["input"]
        shown = "" if isinstance(value, dict) or first["type"] == "extra_forbidden" else f" (got {value!r})"
        raise ScenarioError(f"{origin}: {key or 'scenario'}: {rule}{shown}") from None


def _elsewhere(kind: type[Frozen], key: str) -> str:
    """Which other world has a top-level key."""
    found = [
        name for name, world in WORLDS.items() if world.scenario is not kind and key in world.scenario.model_fields
    ]
    return f"; it belongs to `world: {found[0]}`" if found else ""


def _read(path: Path) -> dict[Any, Any]:
    """The mapping in a file, with its world and name, and the files that it names found from the file's folder."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        raw = _underscored(raw["scenario"] if _is_run(raw) else raw) if isinstance(raw, dict) else raw
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        reason = str(getattr(error, "problem", error)).splitlines()[0]
        raise ScenarioError(f"{path.name}: {where}is not valid YAML ({reason})") from None
    if not isinstance(raw, dict):
        raise ScenarioError(f"{path.name}: a scenario is a mapping of keys to values")
    raw = {"world": MAIN, "name": path.stem} | raw
    if not isinstance(raw["world"], str) or raw["world"] not in WORLDS:
        raise ScenarioError(f"{path.name}: world: unknown world {raw['world']}; choose from {', '.join(WORLDS)}")
    _locate(raw, WORLDS[raw["world"]].files, path.parent)
    return raw


def parsed(setting: str) -> tuple[str, Any]:
    """Key and value of `KEY=VALUE`.

    Raises:
        ScenarioError: if it is none.
    """
    key, separator, value = setting.partition("=")
    if not separator or not key:
        raise ScenarioError(f"--set {setting}: write KEY=VALUE")
    try:
        return key.replace("-", "_"), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ScenarioError(f"--set {key}: {value} is not valid YAML") from None


def _is_run(raw: Mapping[Any, Any]) -> bool:
    """Whether this is the config.yaml of a run."""
    return isinstance(raw.get("scenario"), dict)


def _underscored(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """Keys may be written with hyphens."""
    return {
        key.replace("-", "_") if isinstance(key, str) else key: _underscored(value)
        if isinstance(value, dict)
        else value
        for key, value in raw.items()
    }


def _locate(raw: dict[Any, Any], files: Mapping[str, Callable[[Path], bool]], folder: Path) -> None:
    """Make the paths that a scenario names absolute where they are found from a folder; leave every other value."""
    for dotted, is_there in files.items():
        *path, last = dotted.split(".")
        place: Any = raw
        for part in path:
            place = place.get(part) if isinstance(place, dict) else None
        value = place.get(last) if isinstance(place, dict) else None
        if isinstance(value, str):
            file, rest = file_in(value)
            place[last] = f"{(folder / file).resolve()}{rest}" if is_there(folder / file) else value


def _put(raw: dict[Any, Any], dotted: str, value: Any, defaults: Mapping[str, Any], *, origin: str) -> None:
    """Change one key. A key that stands for a default (a sector's elasticity, say) keeps its neighbours."""
    *path, last = dotted.split(".")
    default: Any = defaults
    place: Any = raw
    for part in path:
        default = default.get(part) if isinstance(default, dict) else None
        if not isinstance(place.get(part), dict):
            if place.get(part) is not None:
                raise ScenarioError(f"{origin}: {dotted}: {part} is not a group of keys")
            place[part] = dict(default) if isinstance(default, dict) else {}
        place = place[part]
    key: Any = int(last) if last.isascii() and last.isdecimal() else last
    place[key] = value
