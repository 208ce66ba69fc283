"""What a job runs: a command of carbonray, checked before it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from carbonray.config import ScenarioError
from carbonray.config_worlds import WORLDS, AnyScenario, file_in

COMMANDS = ("simulate", "sweep", "train", "predictor build", "backtest")
"""Commands that a cluster can be asked to run."""
CHOICE = f"{', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}"
CHANGES = ("firms", "years", "replicas", "seed")
"""Options that set a key of the scenario."""
SCENARIO = (*CHANGES, "settings", "plants", "plant_list")
"""Options that only change the scenario: a file that holds the changed scenario needs none of them."""
PLACES = ("out", "checkpoint", "resume", "raw")
"""Options that name a place on the cluster."""
AGAIN = ("out", "patience", "address")
"""Options that a run which goes on from a checkpoint can be told; the checkpoint holds all others."""
OF_RAY = ("shard", "checkpoint", "every", "patience")
"""Options of `simulate` that are for a run on Ray alone."""
ROLES = {"cbam": "firm", "climate-negotiation": "region"}
"""World -> what its agents are called, of which `--shard` may give each a shard of its own."""
DEFAULT = "law"
"""What `simulate` runs if no target is given."""
FLAGS = {"settings": "--set"}
"""Options whose flag is not their name."""


class JobError(ScenarioError):
    """A job that cannot be submitted, found or stopped; one line naming it and the rule."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command with its targets and options, by the names of the Python function; None is not given."""

    command: str
    targets: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The command line, options in order of their names: the same order gives the same words."""
        options = [word for name in sorted(self.options) for word in _words(name, self.options[name])]
        return [*self.command.split(), *self.targets, *options]

    def given(self, name: str) -> Any:
        """The value of an option, None if it is not given."""
        return self.options.get(name)

    def without(self, *names: str, **changes: Any) -> "Order":
        """The same command with some options left out, and others changed."""
        kept = {name: value for name, value in self.options.items() if name not in names}
        return replace(self, options=kept | changes)


def _words(name: str, value: Any) -> list[str]:
    """An option as a user types it: `--name VALUE`, `--name` or `--no-name`, once for each value of a list."""
    flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
    if value is None or isinstance(value, bool):
        return [] if value is None else [flag if value else f"--no-{flag[2:]}"]
    values = value if isinstance(value, list | tuple) else [value]
    return [word for each in values for word in (flag, str(each))]


def scenario_of(order: Order, target: str) -> AnyScenario:
    """The scenario that a target names, with what the order changes of it.

    Raises:
        ScenarioError: if it is refused.
    """
    from carbonray.runtime.simulate import load_target

    plants = order.given("plant_list") or ("eu" if order.given("plants") else None)
    changes = {name: order.given(name) for name in CHANGES}
    return load_target(target, order.given("settings") or (), plants=plants and str(plants), **changes)


def check(order: Order) -> None:
    """Refuse what the cluster would refuse, before anything is sent.

    Raises:
        JobError: if a result would be lost with the job's working directory.
        ScenarioError: if a scenario is refused.
        DataError: if a file that it names is missing or not in order.
    """
    if order.command not in COMMANDS:
        raise JobError(f"{order.command}: is no command for a job; choose {CHOICE}")
    found_by_resume = order.command != "simulate" and order.given("resume") is not None
    if order.given("out") is None and not found_by_resume:
        raise JobError("--out: give an absolute folder of the cluster; a job's working directory vanishes with it")
    for name in PLACES:
        _check_place(name, order.given(name))
    policy = order.given("policy")
    if policy is not None and Path(policy).exists():
        _check_place("policy", policy)
    if order.command == "simulate":
        _check_runtime(order)
    for target in order.targets:
        _check_scenario(order, scenario_of(order, target))


def _check_place(name: str, place: Any) -> None:
    """A place outlives the job if it is absolute; checkpoints may lie behind a URL too."""
    if place is None or PurePosixPath(str(place)).is_absolute() or (name != "out" and "://" in str(place)):
        return
    rule = "an absolute folder of the cluster" + ("" if name == "out" else ", or a URL")
    raise JobError(f"--{name} {place}: give {rule}; a job's working directory vanishes with it")


def _check_runtime(order: Order) -> None:
    """Refuse what makes no sense where the order is to run."""
    from carbonray.runtime.on_ray import check_options
    from carbonray.runtime.simulate import check_runtime

    check_options(order.given("every"), order.given("patience"))
    if order.given("resume") is None:
        on, device = order.given("on") or "ray", order.given("device") or "cpu"
        check_runtime(on, device, {name: order.given(name) for name in OF_RAY})
        return
    foreign = [*("TARGET" for _ in order.targets), *(f"--{name}" for name in order.options)]
    allowed = {f"--{name}" for name in (*AGAIN, "resume", "on")}
    if left := [name for name in foreign if name not in allowed]:
        raise JobError(f"{left[0]}: leave it out with --resume; the checkpoint tells what runs")


def _check_scenario(order: Order, scenario: AnyScenario) -> None:
    """Refuse options of another world or out of range, and files that are missing or not in order."""
    from carbonray.data.actions import read_actions
    from carbonray.runtime.simulate import refuse_foreign
    from carbonray.runtime.simulate_cbam import draws_of

    refuse_foreign(scenario.world, {name: order.given(name) for name in ("uncertainty", "actions")})
    draws_of(order.given("uncertainty"), robust=order.given("robust") is not False)
    _check_shard(order.given("shard"), ROLES[scenario.world])
    actions = order.given("actions")
    if actions and not on_cluster_only(actions):
        read_actions(Path(actions))
    if not any(on_cluster_only(file) for file in files_of(scenario).values()):
        hashes_of(scenario)


def _check_shard(shard: Any, role: str) -> None:
    """As the cluster would, once it has made the world."""
    names = dict.fromkeys(("region", role))
    if shard is None or shard in names or (str(shard).isdecimal() and int(shard) > 0):
        return
    raise JobError(f"--shard {shard}: choose {', '.join(names)}, or how many {role}s an actor has")


def hashes_of(scenario: AnyScenario) -> dict[str, str]:
    """Names and SHA-256 of the files that a scenario reads.

    Raises:
        JobError: if one cannot be read.
    """
    from carbonray.runtime.outputs import HASHES

    try:
        return HASHES[scenario.world](scenario)
    except OSError as error:
        raise JobError(f"{scenario.name}: {error.filename}: cannot be read ({error.strerror})") from None


def on_cluster_only(file: str | Path) -> bool:
    """Whether a path can only be meant for the cluster: absolute, and not on this machine."""
    return PurePosixPath(str(file)).is_absolute() and not Path(file).exists()


def files_of(scenario: AnyScenario) -> dict[str, str]:
    """Keys of a scenario that may name a file, and what they name, without a function in it."""
    content = scenario.model_dump(mode="json")
    return {dotted: file_in(_at(content, dotted))[0] for dotted in WORLDS[scenario.world].files}


def with_files(scenario: AnyScenario, files: Mapping[str, str]) -> dict[str, Any]:
    """The content of a scenario that names other files, and the same functions in them."""
    content: dict[str, Any] = scenario.model_dump(mode="json")
    for dotted, file in files.items():
        *path, last = dotted.split(".")
        place = _at(content, ".".join(path)) if path else content
        place[last] = f"{file}{file_in(place[last])[1]}"
    return content


def nameable(scenario: AnyScenario) -> dict[str, Any]:
    """A scenario with the names of its files instead of their paths, which differ from job to job."""
    return with_files(scenario, {dotted: Path(file).name for dotted, file in files_of(scenario).items()})


def _at(content: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        content = content[part]
    return content


def on_cluster(order: Order) -> Order:
    """The order as the cluster runs it: on Ray, which is the cluster that the job belongs to, unless it says where."""
    if order.command in ("train", "backtest"):  # always on Ray, and never
        return order
    if order.command == "simulate" and order.given("resume") is not None:  # the checkpoint is one of a run on Ray
        return order.without("on")
    return order.without(on=order.given("on") or "ray")
