"""manifest.json: what was asked of a sweep, and whether two sweeps are the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from carbonray.config_worlds import AnyScenario
from carbonray.counterfactual.sweep_asked import span_text
from carbonray.counterfactual.sweep_origin import tables, versions
from carbonray.counterfactual.sweep_plan import Plan, plan_sweep
from carbonray.data.scenarios import load
from carbonray.runtime import outputs
from carbonray.runtime.outputs import OutputError
from carbonray.runtime.simulate import Progress, silent

MANIFEST = "manifest.json"
SCENARIOS = "scenarios"
"""Folder with the first run of each scenario, resolved: with the grid and the seeds all that a sweep needs."""
LONGEST = 60
"""Characters of a value that a refusal shows."""


def manifest_of(plan: Plan) -> dict[str, Any]:
    """What is written of a sweep; `asked` is how it was typed, and is not compared.

    Raises:
        DataError: if a table that it reads is not there.
    """
    return {
        "asked": dict(plan.asked),
        "world": plan.world,
        "scenarios": list(plan.names),
        "seeds": list(plan.seeds),
        "grid": plan.grid,
        "runs": plan.count,
        "versions": dict(versions()),
        "datasets": tables(one.scenario for one in plan.combinations),
        "scenarios_sha256": _digest(plan),
    }


def _digest(plan: Plan) -> str:
    """Of every combination's scenario, resolved."""
    whole = hashlib.sha256()
    for one in plan.combinations:
        whole.update(json.dumps(one.scenario.model_dump(mode="json"), sort_keys=True).encode())
    return whole.hexdigest()


def write_manifest(plan: Plan, folder: Path) -> None:
    """Write manifest.json and the scenarios."""
    outputs.write_json(manifest_of(plan), folder / MANIFEST)
    (folder / SCENARIOS).mkdir()
    for scenario in plan.firsts:
        outputs.write_config(scenario, folder / SCENARIOS / f"{scenario.name}.yaml")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest in a folder.

    Raises:
        OutputError: if there is none, or it is none of a sweep.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise OutputError(f"{folder}: holds no sweep ({MANIFEST} is missing)") from None
    except ValueError:
        raise OutputError(f"{path}: is not JSON") from None
    needed = ("world", "scenarios", "seeds", "grid", "versions", "datasets")
    lacking = next((key for key in needed if not isinstance(found, dict) or key not in found), None)
    if lacking:
        raise OutputError(f"{path}: is not the manifest of a sweep; it has no {lacking}")
    return dict(found)


def planned_in(folder: Path, progress: Progress = silent) -> Plan:
    """The plan of the sweep in a folder, from its manifest and scenarios alone.

    Raises:
        OutputError: if the folder holds no sweep, or one that would not be the same here and now.
    """
    there = read_manifest(folder)
    grid = {key: [yaml.safe_load(value) for value in values] for key, values in there["grid"].items()}
    targets = [folder / SCENARIOS / f"{name}.yaml" for name in there["scenarios"]]
    plan = plan_sweep(targets, seeds=there["seeds"], grid=grid, progress=progress)
    check_same(folder, plan)
    return plan


def check_same(folder: Path, plan: Plan) -> None:
    """Refuse a folder that holds another sweep.

    Raises:
        OutputError: naming the first thing that differs.
    """
    difference = next(_differences(folder, read_manifest(folder), plan), None)
    if difference is not None:
        raise OutputError(f"{folder}: holds another sweep: {difference}; give a new name with --out")


def _differences(folder: Path, there: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    """What differs, in words; what explains most comes first."""
    here = manifest_of(plan)
    for key in ("world", "scenarios"):
        yield from _unlike(key, there[key], here[key])
    yield from _unlike("--seeds", span_text(there["seeds"]), span_text(here["seeds"]))
    for key in dict.fromkeys([*there["grid"], *here["grid"]]):
        yield from _unlike(f"--grid {key}", *(one["grid"].get(key, ["not varied"]) for one in (there, here)))
    yield from _unlike("order of the grid", list(there["grid"]), list(here["grid"]))
    for scenario in plan.firsts:
        yield from _changed(load(str(folder / SCENARIOS / f"{scenario.name}.yaml")), scenario)
    for name, version in here["versions"].items():
        yield from _unlike(f"version of {name}", there["versions"].get(name), version)
    for name in sorted(there["datasets"].keys() | here["datasets"].keys()):
        if there["datasets"].get(name) != here["datasets"].get(name):
            yield f"{name} is not the table that it began with"
    if there.get("scenarios_sha256") != here["scenarios_sha256"]:
        yield "its scenarios are not those that it began with"


def _changed(there: AnyScenario, here: AnyScenario) -> Iterator[str]:
    """Keys of a scenario that differ."""
    keys = [dict(_leaves(one.model_dump(mode="json"))) for one in (there, here)]
    for key in dict.fromkeys([*keys[0], *keys[1]]):
        yield from _unlike(f"{here.name}: {key}", *(one.get(key, "not given") for one in keys))


def _leaves(place: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in place.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _unlike(what: str, there: Any, here: Any) -> Iterator[str]:
    if there != here:
        told = [", ".join(map(str, one)) if isinstance(one, list) else str(one) for one in (there, here)]
        there, here = (text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in told)
        yield f"{what}: {there} there, {here} here"
