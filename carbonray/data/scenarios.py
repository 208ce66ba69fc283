"""Scenarios: the built-in YAML files and a user's own, read and checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from carbonray.config import Scenario, ScenarioError

FOLDER = Path(__file__).parents[1] / "scenarios"


def names(world: str = "cbam") -> list[str]:
    """Built-in scenarios of a world."""
    return sorted(path.stem for path in (FOLDER / world).glob("*.yaml"))


def load(target: str, settings: Sequence[str] = (), **changes: Any) -> Scenario:
    """Read a scenario: `SCENARIO`, `WORLD/SCENARIO` or the path of a YAML file, a run's config.yaml included.

    Args:
        target: what to read.
        settings: `KEY=VALUE` with dotted keys and YAML values, applied in order.
        changes: top-level or dotted keys (`firms.number`) and their values; None is left out.

    Raises:
        ScenarioError: one line that names file, key and rule.
    """
    path = find(target)
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
    raw.setdefault("name", path.stem)
    economy = raw.get("economy")
    if isinstance(economy, str) and (path.parent / economy).is_dir():
        raw["economy"] = str((path.parent / economy).resolve())
    firms = raw.get("firms")
    if isinstance(firms, dict) and isinstance(firms.get("plants"), str) and (path.parent / firms["plants"]).is_file():
        raw["firms"] = firms | {"plants": str((path.parent / firms["plants"]).resolve())}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise ScenarioError(f"--set {setting}: write KEY=VALUE")
        try:
            parsed = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ScenarioError(f"--set {key}: {value} is not valid YAML") from None
        _put(raw, key.replace("-", "_"), parsed, origin=path.name)
    for key, value in changes.items():
        if value is not None:
            _put(raw, key, value, origin=path.name)
    return parse(raw, origin=path.name)


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
    path = FOLDER / (world or "cbam") / f"{scenario}.yaml"
    if scenario != Path(scenario).name or not path.is_file():
        raise ScenarioError(f"{target}: unknown scenario; choose from {', '.join(names())}, or a .yaml file")
    return path


def parse(raw: Mapping[str, Any], *, origin: str) -> Scenario:
    """Check a mapping.

    Raises:
        ScenarioError: naming the origin, the first bad key and its rule.
    """
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        rule = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        value = first["input"]
        shown = "" if isinstance(value, dict) or first["type"] == "extra_forbidden" else f" (got {value!r})"
        raise ScenarioError(f"{origin}: {key or 'scenario'}: {rule}{shown}") from None


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


def _put(raw: dict[Any, Any], dotted: str, value: Any, *, origin: str) -> None:
    """Change one key. A key that stands for a default (a sector's elasticity, say) keeps its neighbours."""
    *path, last = dotted.split(".")
    default: Any = Scenario(name="default").model_dump(mode="python")
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
