"""A job that may have run before: nothing of it is left to do, or the way from its checkpoint, or all of it."""

import json
from pathlib import Path

from carbonray.config_worlds import WORLDS
from carbonray.runtime.job_order import AGAIN, DEFAULT, JobError, Order, files_of, nameable, scenario_of


def remaining(order: Order) -> Order | None:
    """What is left of an order that may have run before: all of it, the way from its checkpoint, or nothing.

    Raises:
        JobError: if its folder or its checkpoint is that of another run.
    """
    out, checkpoint = order.given("out"), order.given("checkpoint")
    if order.command != "simulate":  # a sweep finds its finished runs itself
        return order
    if out is not None and Path(out).exists():
        _check_done(order, Path(out))
        return None
    if checkpoint is not None and _holds(str(checkpoint), order):
        again = {name: order.given(name) for name in AGAIN}
        return Order(command=order.command, options={"resume": checkpoint, **again})
    return order


def _holds(place: str, order: Order) -> bool:
    """Whether a checkpoint of this very run stands at a place; its files are then taken from where they are now.

    Raises:
        JobError: if it is the checkpoint of another run.
    """
    from carbonray.runtime.checkpoint import RUN, Place, exists, read_run

    if not exists(place):
        return False
    run, rule = read_run(Place(place)), "give another --checkpoint"
    held = WORLDS[run["world"]].scenario.model_validate(run["scenario"])
    asked = scenario_of(order, order.targets[0] if order.targets else DEFAULT)
    if nameable(held) != nameable(asked):
        raise JobError(f"{place}: holds the checkpoint of another scenario; {rule}")
    options = {"robust": order.given("robust") is not False, "uncertainty": order.given("uncertainty")}
    for name, value in options.items():
        if run["options"].get(name) != value:
            raise JobError(f"{place}: holds the checkpoint of a run with another --{name}; {rule}")
    actions = order.given("actions") and str(Path(order.given("actions")).absolute())
    if files_of(held) != files_of(asked) or run["options"].get("actions") != actions:
        moved = {"scenario": asked.model_dump(mode="json"), "options": {**run["options"], "actions": actions}}
        Place(place).write(RUN, json.dumps(run | moved, indent=2).encode())
    return True


def _check_done(order: Order, out: Path) -> None:
    """Refuse a folder that does not hold the whole run that the order asks for."""
    from carbonray.data.scenarios import load

    rule = "give another --out"
    try:
        interrupted = json.loads((out / "summary.json").read_text(encoding="utf-8"))["interrupted"]
        held = load(str(out / "config.yaml"))
    except (OSError, ValueError, KeyError, TypeError):
        raise JobError(f"{out}: exists already and holds no run; {rule}") from None
    if interrupted:
        raise JobError(f"{out}: holds a run that was interrupted; remove it, or {rule}")
    if any(nameable(scenario_of(order, target)) != nameable(held) for target in order.targets):
        raise JobError(f"{out}: holds the run of another scenario; {rule}")
