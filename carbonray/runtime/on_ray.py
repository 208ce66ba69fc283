"""From what a user asks of `simulate --on ray` to the runtime that does it, and back from a checkpoint to the run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from carbonray.config import ScenarioError
from carbonray.config_worlds import WORLDS, AnyScenario
from carbonray.runtime import checkpoint as checkpoints
from carbonray.runtime.actors import ShardActor
from carbonray.runtime.checkpoint import CheckpointError, Place
from carbonray.runtime.distributed import PATIENCE, OnRay
from carbonray.runtime.outputs import HASHES
from carbonray.runtime.trained import read_policy

EVERY = 10
"""Steps between checkpoints."""


class RayOptions(TypedDict, total=False):
    """Options of `simulate` with `on="ray"`."""

    address: str | None  # of the cluster, host:port or auto; one of this machine's cores if left out
    shard: str | int | None  # region, firm or a number of agents for each actor; one actor for each core if left out
    checkpoint: str | Path | None  # directory or URL; without one a loss costs all steps so far
    every: int | None  # steps between checkpoints
    patience: float | None  # seconds without an answer after which a shard or node is given up


def runtime_of(scenario: AnyScenario, options: RayOptions, told: Mapping[str, Any]) -> OnRay:
    """The runtime that a user asks for.

    Args:
        scenario: what it will run.
        options: of Ray.
        told: the other options of the run, for its checkpoints.

    Raises:
        ScenarioError: if an option is out of range, or the policy cannot be read.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    every, patience = given.get("every", EVERY), given.get("patience", PATIENCE)
    check_options(every, patience)
    shard = str(given["shard"]) if "shard" in given else None
    run = {
        "name": scenario.name,
        "world": scenario.world,
        "scenario": scenario.model_dump(mode="json"),
        "options": dict(told),
        "shard": shard,
        "every": every,
        "versions": ShardActor.versions(),
        "datasets": _hashes(scenario, told),
    }
    return OnRay(
        address=given.get("address"),
        shard=shard,
        place=Place(str(given["checkpoint"])) if "checkpoint" in given else None,
        every=every,
        patience=patience,
        run=run,
    )


def _hashes(scenario: AnyScenario, told: Mapping[str, Any]) -> dict[str, str]:
    """Of all that a run reads, its policy included."""
    policy = {} if told.get("policy") is None else {"policy": str(read_policy(told["policy"]).told()["sha256"])}
    return HASHES[scenario.world](scenario) | policy


def check_options(every: int | None, patience: float | None) -> None:
    """Refuse what is out of range; None is left out.

    Raises:
        ScenarioError: naming the option.
    """
    if every is not None and every < 1:
        raise ScenarioError(f"--every {every}: give a number of steps, at least 1")
    if patience is not None and not (math.isfinite(patience) and patience > 0):
        raise ScenarioError(f"--patience {patience:g}: give a number of seconds above 0")


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """A run that a checkpoint tells of."""

    scenario: AnyScenario
    options: Mapping[str, Any]  # of `simulate`
    runtime: OnRay


def resumed(place: str | Path, *, address: str | None = None, patience: float | None = None) -> Resumed:
    """The run that stands at a place, ready to go on.

    Raises:
        CheckpointError: if no checkpoint stands there, or what it was run on has changed.
    """
    patience = PATIENCE if patience is None else patience
    check_options(EVERY, patience)
    at = Place(str(place))
    run = checkpoints.read_run(at)
    now = ShardActor.versions()
    for name, version in run["versions"].items():
        if now.get(name) != version:
            raise CheckpointError(f"{place}: was written with {name} {version}, not {now.get(name)}")
    if run["world"] not in WORLDS:
        raise CheckpointError(f"{place}: tells of a world {run['world']} that is not here")
    scenario = WORLDS[run["world"]].scenario.model_validate(run["scenario"])
    hashes = _hashes(scenario, run["options"])
    changed = [name for name in run["datasets"] if hashes.get(name) != run["datasets"][name]]
    if changed:
        raise CheckpointError(f"{place}: {changed[0]} has changed since the checkpoint was written")
    runtime = OnRay(
        address=address,
        shard=run["shard"],
        place=at,
        every=run["every"],
        patience=patience,
        run=run,
        resume=True,
    )
    return Resumed(scenario=scenario, options=run["options"], runtime=runtime)
