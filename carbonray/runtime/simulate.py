"""Simulate a scenario of any world beside its reference: read it, refuse what its world has not, hand it to its runner.

A runner is a function `(scenario, *, device, robust, progress, ...)` that gives a `RunResult`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from carbonray.config import Scenario, ScenarioError
from carbonray.config_worlds import AnyScenario
from carbonray.data.scenarios import MainScenario, load, world_of

if TYPE_CHECKING:
    from carbonray.config_climate import NegotiationScenario
    from carbonray.runtime.cbam_result import Result
    from carbonray.runtime.simulate_negotiation import NegotiationResult

Progress = Callable[[str, int, int], None]


def silent(task: str, done: int, of: int) -> None:
    """No progress."""


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
        arguments=("uncertainty",),
    ),
    "climate-negotiation": Runner(
        module="carbonray.runtime.simulate_negotiation",
        function="simulate_negotiation",
        has="27 regions from 2015 to 2115",
        keys={},
        arguments=("actions",),
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
    progress: Progress = ...,
) -> "Result": ...
@overload
def simulate(
    target: "NegotiationScenario",
    *,
    device: str = ...,
    robust: bool = ...,
    actions: str | Path | None = ...,
    progress: Progress = ...,
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
    progress: Progress = ...,
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
    progress: Progress = silent,
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
        progress: told the task, and how much of it is done.

    Returns:
        What the world's runner gives: `Result` for cbam, `NegotiationResult` for climate-negotiation.
    Raises:
        ScenarioError: if the scenario cannot be run, or an option is not for its world.
        DataError: if its data are not in order.
    """
    scenario = load_target(target, settings, firms=firms, years=years, replicas=replicas, seed=seed)
    arguments = {"uncertainty": uncertainty, "actions": actions}
    refuse_foreign(scenario.world, arguments)
    check_device(device)
    runner = RUNNERS[scenario.world]
    run = getattr(import_module(runner.module), runner.function)
    own = {name: arguments[name] for name in runner.arguments}
    result: RunResult = run(scenario, device=device, robust=robust, progress=progress, **own)
    return result


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
