"""What a training is asked for, as its folder keeps it: enough to go on with it, or to do it again."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carbonray.config_worlds import WORLDS, AnyScenario
from carbonray.learn.problem import ProblemError, problem_of
from carbonray.learn.task import Task, pack, settings_of

FILE = "training.json"
"""Of a training's folder."""


class TrainingOrder(BaseModel):
    """A scenario, and how its agents are trained."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    world: str
    """Of the scenario."""
    scenario: dict[str, Any]
    """In full."""
    algorithm: str = "ppo"
    """vdn, actor-critic or ppo."""
    role: str | None = None
    """Who learns; the only role if left out."""
    team: str = "agent"
    """Who shares a reward: agent, sector, region or economy."""
    settings: dict[str, Any] = {}
    """Of the algorithm, where they are not its defaults."""
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Of the scenario and of its reference in each runner."""
    runners: Annotated[int, Field(ge=0, le=1000)] = 0
    """Ray actors that play; the loop plays itself if none."""
    learners: Annotated[int, Field(ge=0, le=100)] = 0
    """Ray actors that learn; the loop learns itself if none."""
    gpus_per_learner: Annotated[float, Field(ge=0, le=8)] = 0
    """Of each learner."""
    budget: Annotated[float, Field(ge=1, le=1e13)] = 5e6
    """Decisions of agents after which training is over."""
    tolerance: Annotated[float, Field(gt=0)] = 0.05
    """Distance between iterations under which it has converged."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Iterations in a row that it must be."""
    searches: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Trainings among which Tune searches learning rate, entropy and size."""
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    """Of networks, episodes and batches."""

    @model_validator(mode="after")
    def _rows_for_all(self) -> Self:
        rows = 2 * self.replicas * max(1, self.runners)
        if rows % max(1, self.learners):
            raise ValueError(
                f"learners: {self.learners} cannot share {rows} rows evenly, which are runners x replicas x 2 worlds"
            )
        return self

    @property
    def spec(self) -> AnyScenario:
        """The scenario."""
        found: AnyScenario = WORLDS[self.world].scenario.model_validate(self.scenario)
        return found

    @property
    def command(self) -> str:
        """That trains it again, but for changed keys of its scenario."""
        words = ["carbonray", "train", f"{self.world}/{self.scenario['name']}", "--algorithm", self.algorithm]
        if self.world == "cbam":
            words += ["--firms", str(self.scenario["firms"]["number"]), "--years", str(self.scenario["years"])]
        plain = ("role", "team", "replicas", "runners", "learners", "budget", "seed", "tolerance", "patience")
        for name in plain:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
        words += [word for name, value in self.settings.items() for word in ("--learn", f"{name}={value}")]
        return shlex.join(words)

    def task(self) -> Task:
        """What every worker needs of it.

        Raises:
            ProblemError: if the scenario's agents cannot be trained so.
            ScenarioError: if its world cannot be built.
        """
        from carbonray.data.load_world import load_world
        from carbonray.runtime.outputs import HASHES

        scenario, settings = self.spec, settings_of(self.algorithm, self.settings)
        worlds = [load_world(each) for each in (scenario, scenario.reference())]
        problem = problem_of(worlds[0], beside=worlds[1:], role=self.role, team=self.team, seed=self.seed)
        return Task(
            packed=pack(problem),
            algorithm=self.algorithm,
            settings=settings,
            replicas=self.replicas,
            seed=self.seed,
            budget=self.budget,
            tolerance=self.tolerance,
            patience=self.patience,
            scenario=scenario,
            origin={
                "world": self.world,
                "scenario": scenario.name,
                "role": problem.role,
                "command": self.command,
                "datasets": dict(HASHES[self.world](scenario)),
            },
        )

    def write(self, folder: Path) -> None:
        """Keep it in a folder."""
        (folder / FILE).write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def order_of(**asked: Any) -> TrainingOrder:
    """An order, checked.

    Raises:
        ProblemError: naming the option and the rule.
    """
    try:
        return TrainingOrder.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ProblemError(
            f"--{name}: {first['msg']}" if name else first["msg"].removeprefix("Value error, ")
        ) from None


def read_order(folder: Path) -> TrainingOrder:
    """The order in a training's folder.

    Raises:
        ProblemError: if there is none, or it is spoilt.
    """
    try:
        return TrainingOrder.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProblemError(f"{folder}: is no folder of a training ({FILE}: {error.strerror})") from None
    except ValueError as error:
        raise ProblemError(f"{folder}/{FILE}: is spoilt ({str(error).splitlines()[0]})") from None
