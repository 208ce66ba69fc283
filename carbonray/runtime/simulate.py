"""Simulate a scenario of any world beside its reference: read it, refuse what its world has not, hand it to its runner.

A runner is a function `(scenario, *, device, robust, progress, ...)` that gives a `RunResult`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack, overload

from carbonray.config import Scenario, ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.data.scenarios import MainScenario, load, world_of
from carbonray.units import QUARTERS

if TYPE_CHECKING:
    from carbonray.config_climate import NegotiationScenario
    from carbonray.runtime.cbam_result import Result
    from carbonray.runtime.distributed import OnRay
    from carbonray.runtime.on_ray import RayOptions
    from carbonray.runtime.shard import Tell
    from carbonray.runtime.simulate_negotiation import NegotiationResult


class Progress(Protocol):
    """Told a task, how much of it is done, and perhaps a few words."""

    def __call__(self, task: str, done: int, of: int, note: str = "", /) -> None:
        """Take note."""


def silent(task: str, done: int, of: int, note: str = "", /) -> None:
    """No progress."""


def telling(progress: Progress) -> "Tell":
    """Progress of a runtime, with the step rate and its figures so far in words."""
    first: list[tuple[int, float]] = []  # step and time from which on the rate is taken

    def tell(done: int, of: int, so_far: Mapping[str, float]) -> None:
        if not done:
            progress("simulating", 0, of, "starting")
            return
        if not first or done <= first[0][0]:
            first[:] = [(done, time.perf_counter())]
        seconds = time.perf_counter() - first[0][1]
        rate = {"steps_per_second": (done - first[0][0]) / seconds} if done > first[0][0] else {}
        progress("simulating", done, of, ", ".join(words(name, value) for name, value in {**rate, **so_far}.items()))

    return tell


def words(name: str, value: float) -> str:
    """A figure so far, as the progress line shows it."""
    return f"{name} {value:.3g}" if name not in WORDS else WORDS[name].format(value)


WORDS = {
    "steps_per_second": "{:.3g} steps/s",
    "leakage_rate": "leakage {:.2%} so far",
    "temperature_c": "{:.2f} C above 1900",
    "slowest_shard_seconds": "slowest shard {:.3f} s a step",
}


class RunResult(Protocol):
    """What a run of any world offers, beside the tables of its own."""

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json; `interrupted` tells whether the run was stopped before its end."""

    @property
    def notices(self) -> Sequence[str]:
        """What a user should know that is no figure; the command line prints it on the error stream."""

    def lines(self) -> list[str]:
        """What the command line prints."""

    def write(self, out: str | Path, finish: Callable[[Path], object] = ...) -> Path:
        """Write the run directory, and call `finish` with it before it gets its name."""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Who runs a world, and the options of `simulate` that are not for every world."""

    agent_steps: Callable[[Any], int]  # of a run and its reference
    agent_steps_per_second: float  # of one core, measured by `carbonray bench world`
    module: str  # imported when the world is first run
    function: str
    has: str  # what the world has instead of the options of others
    keys: Mapping[str, str]  # option -> key of the scenario that it sets
    arguments: Sequence[str]  # options that the function takes

    def takes(self, option: str) -> bool:
        """Whether an option is for this world."""
        return option in self.keys or option in self.arguments


RUNNERS: Mapping[str, Runner] = {
    "cbam": Runner(
        module="carbonray.runtime.simulate_cbam",
        function="simulate_cbam",
        has="firms that follow rules",
        keys={"firms": "firms.number", "plants": "firms.plants", "years": "years"},
        arguments=("uncertainty", "policy"),
        agent_steps=lambda scenario: 2 * scenario.firms.number * scenario.replicas * scenario.years * QUARTERS,
        agent_steps_per_second=3e6,
    ),
    "climate-negotiation": Runner(
        module="carbonray.runtime.simulate_negotiation",
        function="simulate_negotiation",
        has="27 regions from 2015 to 2115",
        keys={},
        arguments=("actions", "policy"),
        agent_steps=lambda scenario: (
            2 * 27 * scenario.replicas * (20 if scenario.negotiation.protocol == "none" else 60)
        ),
        agent_steps_per_second=1e6,
    ),
}
"""Every world."""
COMMON = {"replicas": "replicas", "seed": "seed"}
"""Options of every world, and the keys that they set."""


@overload
def simulate(
    target: MainScenario | Scenario = ...,
    *,
    firms: int | None = ...,
    years: int | None = ...,
    replicas: int | None = ...,
    seed: int | None = ...,
    device: str = ...,
    settings: Sequence[str] = ...,
    robust: bool = ...,
    uncertainty: int | None = ...,
    policy: str | Path | None = ...,
    on: str = ...,
    progress: Progress = ...,
    **ray: "Unpack[RayOptions]",
) -> "Result": ...
@overload
def simulate(
    target: "NegotiationScenario",
    *,
    device: str = ...,
    robust: bool = ...,
    actions: str | Path | None = ...,
    policy: str | Path | None = ...,
    on: str = ...,
    progress: Progress = ...,
    **ray: "Unpack[RayOptions]",
) -> "NegotiationResult": ...
@overload
def simulate(
    target: str | Path | AnyScenario,
    *,
    firms: int | None = ...,
    years: int | None = ...,
    replicas: int | None = ...,
    seed: int | None = ...,
    device: str = ...,
    settings: Sequence[str] = ...,
    robust: bool = ...,
    uncertainty: int | None = ...,
    actions: str | Path | None = ...,
    policy: str | Path | None = ...,
    on: str = ...,
    progress: Progress = ...,
    **ray: "Unpack[RayOptions]",
) -> RunResult: ...
def simulate(
    target: str | Path | AnyScenario = "law",
    *,
    firms: int | None = None,
    years: int | None = None,
    replicas: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
    settings: Sequence[str] = (),
    robust: bool = True,
    uncertainty: int | None = None,
    actions: str | Path | None = None,
    policy: str | Path | None = None,
    on: str = "process",
    progress: Progress = silent,
    **ray: "Unpack[RayOptions]",
) -> RunResult:
    """Simulate a scenario beside its reference run.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        firms: number of firms; cbam.
        years: number of years; cbam.
        replicas: independent draws, for intervals.
        seed: of every random number.
        device: `cpu` or `cuda`.
        settings: `KEY=VALUE` overrides of any key of the scenario.
        robust: whether what tests the headline figures is computed beside the run.
        uncertainty: draws of the uncertain parameters, for intervals; 24 if `robust`, else none, if left out; cbam.
        actions: file of recorded actions to replay, array `actions` [step, region, head]; climate-negotiation.
        policy: folder of a trained policy that agents follow instead of rules, in the run and its reference.
        on: `process`, or `ray` for a cluster, with the same bytes.
        progress: told the task, and how much of it is done.
        ray: options of a run on Ray: address, shard, checkpoint, every, patience; see `RayOptions`.

    Returns:
        What the world's runner gives: `Result` for cbam, `NegotiationResult` for climate-negotiation.
    Raises:
        ScenarioError: if the scenario cannot be run, or an option is not for its world.
        DataError: if its data are not in order.
    """
    scenario = load_target(target, settings, firms=firms, years=years, replicas=replicas, seed=seed)
    arguments = {"uncertainty": uncertainty, "actions": actions, "policy": policy}
    refuse_foreign(scenario.world, arguments)
    check_device(device)
    check_runtime(on, device, ray)
    told = {"robust": robust, **arguments}
    if on == "process":
        return _run(scenario, told, device=device, progress=progress)
    from carbonray.runtime.on_ray import runtime_of

    files = {name: None if file is None else str(Path(file).absolute()) for name, file in
             (("actions", actions), ("policy", policy))}  # fmt: skip
    return _run(scenario, told, runtime=runtime_of(scenario, ray, told | files), progress=progress)


def resume(
    place: str | Path, *, address: str | None = None, patience: float | None = None, progress: Progress = silent
) -> RunResult:
    """Go on with a run on Ray from the checkpoint that stands at a place; the bytes of a run that was never stopped.

    Args:
        place: directory or URL that `checkpoint` named.
        address: of the cluster; one of this machine's cores if left out.
        patience: seconds without an answer after which a shard or node is given up.
        progress: told the task, and how much of it is done.

    Raises:
        CheckpointError: if no checkpoint stands there, or what it was run on has changed.
    """
    from carbonray.runtime.on_ray import resumed

    found = resumed(place, address=address, patience=patience)
    return _run(found.scenario, found.options, runtime=found.runtime, progress=progress)


def _run(
    scenario: AnyScenario,
    options: Mapping[str, Any],
    *,
    device: str = "cpu",
    runtime: "OnRay | None" = None,
    progress: Progress,
) -> RunResult:
    """Hand a scenario to the runner of its world."""
    runner = RUNNERS[scenario.world]
    run = getattr(import_module(runner.module), runner.function)
    own = {name: options.get(name) for name in ("robust", *runner.arguments)}
    if runtime is None:
        result: RunResult = run(scenario, device=device, progress=progress, **own)
        return result
    result = run(scenario, runtime=runtime, progress=progress, **own)
    return replace(result, notices=[*runtime.notices, *result.notices])  # type: ignore[type-var]


RAY_PAYS = 60.0
"""Seconds on one core from which a run is better shared among cores."""
RAY_STARTS = 10.0
"""Seconds that a cluster and its actors take to start."""


def advice(scenario: AnyScenario, on: str, cores: int) -> list[str]:
    """Whether another place to run would be faster; nothing if it would not."""
    runner = RUNNERS[scenario.world]
    seconds = runner.agent_steps(scenario) / runner.agent_steps_per_second
    if on == "process" and seconds > RAY_PAYS and cores > 1:
        return [f"about {seconds / 60:.0f} minutes on one core; --on ray would share them among {cores}"]
    if on == "ray" and seconds < RAY_STARTS:
        return [f"about {max(seconds, 1):.0f} s in one process; starting actors on Ray takes longer"]
    return []


def check_runtime(on: str, device: str, ray: Mapping[str, Any]) -> None:
    """Refuse a place to run that is not there, and options that are not for it.

    Raises:
        ScenarioError: naming the option.
    """
    if on not in ("process", "ray"):
        raise ScenarioError(f"--on {on}: choose process or ray")
    from carbonray.runtime.on_ray import RayOptions

    unknown = sorted(set(ray) - set(RayOptions.__annotations__))
    if unknown:
        raise TypeError(f"simulate() got an unexpected keyword argument {unknown[0]!r}")
    given = [name for name, value in ray.items() if value is not None]
    if on == "ray" and ray.get("every") is not None and ray.get("checkpoint") is None:
        raise ScenarioError(f"--every {ray['every']}: only with --checkpoint")
    if on == "process" and given:
        raise ScenarioError(f"--{given[0]}: only with --on ray")
    if on == "ray" and device != "cpu":
        raise ScenarioError(f"--device {device}: only with --on process; shards on Ray have the same bytes on CPUs")


def load_target(target: str | Path | AnyScenario, settings: Sequence[str] = (), **options: Any) -> AnyScenario:
    """The scenario that a target names, with settings and options applied.

    Args:
        target: a scenario, its name, or the path of a YAML file.
        settings: `KEY=VALUE` overrides of any key of the scenario.
        options: of `simulate` that set a key: firms, plants, years, replicas, seed; None is left out.

    Raises:
        ScenarioError: if the scenario is refused, or an option is not for its world.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(settings, str):
        raise ScenarioError(f"settings: give a list of KEY=VALUE (got {settings!r})")
    target = str(target) if isinstance(target, Path) else target
    if not isinstance(target, str | AnyScenario):
        raise ScenarioError(f"target: give a scenario, its name or its file (got {type(target).__name__})")
    if not isinstance(target, str):
        if settings or given:
            raise ScenarioError(f"{target.name}: change a Scenario with model_copy, or give its name or file")
        return target
    world = world_of(target)
    refuse_foreign(world, {name: value for name, value in given.items() if name not in COMMON})
    keys = {**COMMON, **RUNNERS[world].keys}
    return load(target, settings, **{keys[name]: value for name, value in given.items()})


def refuse_foreign(world: str, options: Mapping[str, Any]) -> None:
    """Refuse options of other worlds; None is not given.

    Raises:
        ScenarioError: naming the option, and the worlds that it is for.
    """
    for name, value in options.items():
        if value is not None and not RUNNERS[world].takes(name):
            takers = ", ".join(other for other, runner in RUNNERS.items() if runner.takes(name))
            raise ScenarioError(f"--{name}: {takers} only; {world} has {RUNNERS[world].has}")


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        ScenarioError: naming it.
    """
    import torch

    if device not in ("cpu", "cuda"):
        raise ScenarioError(f"--device {device}: choose cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ScenarioError("--device cuda: no CUDA device is available to torch here; use cpu")
