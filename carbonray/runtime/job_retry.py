"""A job that may have run before: nothing of it is left to do, or the way from its checkpoint, or all of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carbonray.config_worlds import WORLDS, AnyScenario
from carbonray.runtime.job_order import (
    AGAIN,
    DEFAULT,
    JobError,
    Order,
    files_of,
    hashes_of,
    nameable,
    scenario_of,
)

Note = Callable[[str], object]
"""Takes a line that a user should read, and that refuses nothing."""


def quiet(line: str) -> None:
    """No note."""


def remaining(order: Order, *, note: Note = quiet) -> Order | None:
    """What is left of an order that may have run before: all of it, the way from its checkpoint, or nothing.

    Args:
        order: of a user, or of a job that is tried again.
        note: told what of the order goes unheeded.

    Raises:
        JobError: if its folder or its checkpoint is that of another run.
        CheckpointError: if its folder is there, and the checkpoint that tells what it should hold is not.
    """
    out, checkpoint = order.given("out"), order.given("checkpoint")
    if order.command == "train":
        return _training(order)
    if order.command == "backtest":
        return None if out is not None and _is_backtest(order, Path(out)) else order
    if order.command != "simulate":  # sweeps and builds of predictors find what is finished themselves
        return order
    if out is not None and Path(out).exists():
        _check_done(_wanted(order), Path(out), note)
        if order.given("device") not in (None, "cpu"):
            note(f"{out}: does not tell on which device it ran; --device {order.given('device')} is not compared")
        return None
    if checkpoint is not None and _holds(str(checkpoint), order, note):
        again = {name: order.given(name) for name in AGAIN}
        return Order(command=order.command, options={"resume": checkpoint, **again})
    return order


def _is_backtest(order: Order, out: Path) -> bool:
    """Whether a folder is there and holds this very backtest.

    Raises:
        JobError: if it holds anything else.
    """
    if not out.exists():
        return False
    try:
        held = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        told = {"seed": held["seed"], "firms": held["n_firms"], "raw": not held["skipped"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise JobError(f"{out}: exists already and holds no backtest; give another --out") from None
    for name in ("seed", "firms"):
        if order.given(name) is not None and order.given(name) != told[name]:
            raise JobError(f"{out}: holds a backtest with another --{name}, {told[name]}; give another --out")
    if (order.given("raw") is not None) and not told["raw"]:
        raise JobError(f"{out}: holds a backtest without --raw; give another --out")
    return True


def _training(order: Order) -> Order:
    """A training goes on in its folder, and finds out there whether anything is left to do.

    Raises:
        JobError: if the folder holds anything else.
    """
    out = order.given("out")
    if out is None or not Path(out).exists():
        return order
    try:
        held = json.loads((Path(out) / "training.json").read_text(encoding="utf-8"))
        told = {**held, "scenario": held["scenario"]["name"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise JobError(f"{out}: exists already and holds no training; give another --out") from None
    scenario = scenario_of(order, order.targets[0] if order.targets else DEFAULT).name
    asked = {"scenario": scenario, "algorithm": order.given("algorithm") or "ppo", "seed": order.given("seed") or 0}
    asked |= {name: order.given(name) for name in COMPARED if order.given(name) is not None}
    for name, value in asked.items():
        if told.get(name) != value:
            raise JobError(f"{out}: holds a training with another {name}, {told.get(name)}; give another --out")
    budget = {} if order.given("budget") is None else {"budget": order.given("budget")}
    return Order(command="train", options={"resume": out, **budget})


COMPARED = ("role", "team", "alone", "replicas", "runners", "learners", "tolerance", "patience")
"""Options of a training that a retry may not change; a budget may."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The run that an order, or the checkpoint that it goes on from, asks for."""

    scenario: AnyScenario
    datasets: Mapping[str, str]  # names and SHA-256 of the files that the scenario reads
    robust: bool
    uncertainty: int | None
    actions: Path | None
    policy: str | None = None  # its name as a run's summary may tell it


def _wanted(order: Order) -> _Wanted:
    """What an order asks for.

    Raises:
        CheckpointError: if the checkpoint that it goes on from is not there.
        ScenarioError: if its scenario is refused.
    """
    if order.given("resume") is None:
        scenario = scenario_of(order, order.targets[0] if order.targets else DEFAULT)
        datasets: Mapping[str, str] = hashes_of(scenario)
        options: Mapping[str, Any] = order.options
    else:
        run = _read(str(order.given("resume")))
        scenario, datasets, options = run["scenario"], run.get("datasets", {}), run["options"]
    return _Wanted(
        scenario=scenario,
        datasets=datasets,
        robust=options.get("robust") is not False,
        uncertainty=options.get("uncertainty"),
        actions=Path(options["actions"]) if options.get("actions") else None,
        policy=str(options["policy"]) if options.get("policy") else None,
    )


def _read(place: str) -> dict[str, Any]:
    """The run.json of a place of checkpoints, with its scenario read.

    Raises:
        CheckpointError: if no checkpoint stands there.
        JobError: if its scenario is none of these worlds.
    """
    from carbonray.data.scenarios import parse
    from carbonray.runtime.checkpoint import read_run
    from carbonray.runtime.place import Place

    run = read_run(Place(place))
    if run["world"] not in WORLDS:
        raise JobError(f"{place}: tells of a world {run['world']} that is not here")
    return run | {"scenario": parse(run["scenario"], origin=place, kind=WORLDS[run["world"]].scenario)}


# --- from a checkpoint


def _holds(place: str, order: Order, note: Note) -> bool:
    """Whether a checkpoint of this very run stands at a place; its files are then taken from where they are now.

    Raises:
        JobError: if it is the checkpoint of another run.
    """
    from carbonray.runtime.checkpoint import RUN, exists, read_run
    from carbonray.runtime.place import Place

    if not exists(place):
        return False
    run, rule = _read(place), "give another --checkpoint"
    held, asked = run["scenario"], scenario_of(order, order.targets[0] if order.targets else DEFAULT)
    if nameable(held) != nameable(asked):
        raise JobError(f"{place}: holds the checkpoint of another scenario; {rule}")
    options = {"robust": order.given("robust") is not False, "uncertainty": order.given("uncertainty")}
    for name, value in options.items():
        if run["options"].get(name) != value:
            raise JobError(f"{place}: holds the checkpoint of a run with another --{name}; {rule}")
    if unheeded := list(_unheeded(order, run)):
        note(f"{place}: the checkpoint tells how the run goes on; {' and '.join(unheeded)} left out")
    actions = order.given("actions") and str(Path(order.given("actions")).absolute())
    if files_of(held) != files_of(asked) or run["options"].get("actions") != actions:
        moved = {"scenario": asked.model_dump(mode="json"), "options": {**run["options"], "actions": actions}}
        Place(place).write(RUN, json.dumps(read_run(Place(place)) | moved, indent=2).encode())
    return True


def _unheeded(order: Order, run: Mapping[str, Any]) -> Iterator[str]:
    """Options that are other than what the checkpoint holds, which goes on as it began."""
    began = {"shard": run.get("shard"), "every": run.get("every"), "on": "ray", "device": "cpu"}
    for name, held in began.items():
        if order.given(name) is not None and str(order.given(name)) != str(held):
            yield f"--{name} {order.given(name)}"


# --- a folder that is there


def _check_done(wanted: _Wanted, out: Path, note: Note) -> None:
    """Refuse a folder that does not hold the whole run that is wanted."""
    from carbonray.data.scenarios import load

    rule = "give another --out"
    try:
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        interrupted, held = summary["interrupted"], load(str(out / "config.yaml"))
    except (OSError, ValueError, KeyError, TypeError):
        raise JobError(f"{out}: exists already and holds no run; {rule}") from None
    if interrupted:
        raise JobError(f"{out}: holds a run that was interrupted; remove it, or {rule}")
    if not _same(wanted, held):
        raise JobError(f"{out}: holds the run of another scenario; {rule}")
    config = _config(out)
    datasets = config.get("datasets") or {}
    for name, digest in wanted.datasets.items():
        if datasets.get(name) != digest:
            raise JobError(f"{out}: holds a run on another {name}; {rule}")
    for name in _other_options(wanted, summary, datasets, note):
        raise JobError(f"{out}: holds a run with another --{name}; {rule}")


def _config(out: Path) -> dict[str, Any]:
    """config.yaml with the hashes that are no part of the scenario; `load` has read it before."""
    import yaml

    return dict(yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8")))


def _same(wanted: _Wanted, held: AnyScenario) -> bool:
    """Whether a folder's scenario is the wanted one; recorded actions may have decided the protocol of it."""
    one, other = nameable(wanted.scenario), nameable(held)
    protocols = [each.get("negotiation", {}).get("protocol") for each in (one, other)]
    if wanted.actions is not None and protocols[0] != protocols[1]:
        for key in ("name", "summary", "negotiation"):  # the digest of the actions tells such runs apart
            one.pop(key), other.pop(key)
    return one == other


def _other_options(
    wanted: _Wanted, summary: Mapping[str, Any], datasets: Mapping[str, str], note: Note
) -> Iterator[str]:
    """Options of the wanted run that the run in a folder did not have."""
    from carbonray.runtime.simulate import RUNNERS
    from carbonray.runtime.simulate_cbam import draws_of

    held_policy = (summary.get("policy") or {}).get("name")
    if held_policy not in _names(wanted.policy):
        yield "policy"
    if held_policy is None and wanted.robust != ("ablation" in summary or bool(summary.get("switches"))):
        yield "robust"
    if held_policy is None and RUNNERS[wanted.scenario.world].takes("uncertainty"):
        draws = draws_of(wanted.uncertainty, robust=wanted.robust)
        if draws != (summary.get("uncertainty") or {}).get("draws", 0):
            yield "uncertainty"
    named = wanted.actions and wanted.actions.name
    if named != summary.get("actions_file") or (wanted.actions and _differs(wanted.actions, datasets, note)):
        yield "actions"


def _differs(actions: Path, datasets: Mapping[str, str], note: Note) -> bool:
    """Whether a file of actions is another than the one that a run replayed."""
    from carbonray.data.catalogue import sha256

    try:
        return datasets.get(actions.name) != sha256(actions)
    except OSError:
        note(f"{actions}: cannot be read; only the name of the actions is compared")
        return False


def _names(policy: str | None) -> tuple[str | None, ...]:
    """What a run may call the policy that an order names: one built in, a folder, or that of a training."""
    if policy is None:
        return (None,)
    path = Path(policy)
    return policy, f"cbam/{policy}", path.parent.name if path.name == "policy" else path.name
