"""What a training is asked for, as its folder keeps it: enough to go on with it, or to do it again."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from carbonray.config_worlds import WORLDS, AnyScenario
from carbonray.learn.method import Settings
from carbonray.learn.policy import Trained
from carbonray.learn.policy_folder import WEIGHTS, AnySaved, Saved, load
from carbonray.learn.problem import Problem, ProblemError, alike, problem_of, role_of, spread
from carbonray.learn.task import METHODS, Task, pack, settings_of

FILE = "training.json"
"""Of a training's folder."""
PLAIN = (
    "role", "team", "alone", "against", "start", "replicas", "runners", "learners", "gpus_per_learner", "budget",
    "seed", "tolerance", "patience",
)  # fmt: skip
"""What is an option of the same name, with a plain value or several, for which it is repeated."""


def _several(given: Any) -> Any:
    """What may be given once, several times or not at all."""
    return () if given is None else (given,) if isinstance(given, str) else given


Several = Annotated[tuple[str, ...], BeforeValidator(_several)]


class TrainingOrder(BaseModel):
    """A scenario, and how its agents are trained."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    world: str
    """Of the scenario."""
    scenario: dict[str, Any]
    """In full."""
    changes: tuple[str, ...] = ()
    """KEY=VALUE of the scenario, as they were given."""
    algorithm: str = "ppo"
    """vdn, actor-critic or ppo."""
    role: Several = ()
    """Who learns, each role with networks of its own; the only role if left out."""
    team: str = "agent"
    """Who shares a reward: agent, sector, region or economy."""
    alone: Annotated[int, Field(ge=0)] = 0
    """Agents who learn, drawn by the seed, see `problem.spread`; all of the role if 0."""
    against: str | None = None
    """Folder of the policy that all others follow, of the role or of others; rules if left out."""
    start: Several = ()
    """Folders of policies from which the networks of their roles begin, instead of from rules."""
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

    @model_validator(mode="after")
    def _one_role(self) -> Self:
        for option, given in (("alone", self.alone), ("tune", self.searches)):
            if given and len(self.role) > 1:
                raise ValueError(f"--{option} {given}: only where one role learns")
        return self

    @property
    def spec(self) -> AnyScenario:
        """The scenario."""
        found: AnyScenario = WORLDS[self.world].scenario.model_validate(self.scenario)
        return found

    @property
    def command(self) -> str:
        """That trains it again."""
        words = ["carbonray", "train", f"{self.world}/{self.scenario['name']}", "--algorithm", self.algorithm]
        if self.world == "cbam":
            words += ["--firms", str(self.scenario["firms"]["number"]), "--years", str(self.scenario["years"])]
        for name in PLAIN:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                for each in value if isinstance(value, tuple) else (value,):
                    words += [f"--{name.replace('_', '-')}", f"{each:g}" if isinstance(each, float) else str(each)]
        words += [word for change in self.changes for word in ("--set", change)]
        words += [word for name, value in self.settings.items() for word in ("--learn", f"{name}={value}")]
        return shlex.join(words)

    def task(self) -> Task:
        """What every worker needs of it.

        Raises:
            ProblemError: if the scenario's agents cannot be trained so.
            ScenarioError: if its world cannot be built, or the policy of the others does not fit.
        """
        from carbonray.runtime.outputs import HASHES

        scenario, settings = self.spec, settings_of(self.algorithm, self.settings)
        others = None if self.against is None else load(self.against)
        starts = [part for folder in self.start for part in load(folder).parts]
        problems = self._problems(scenario, others, starts, settings)
        return Task(
            packed=pack(*problems),
            algorithm=self.algorithm,
            settings=settings,
            replicas=self.replicas,
            seed=self.seed,
            budget=self.budget,
            tolerance=self.tolerance,
            patience=self.patience,
            scenario=None if self.alone or others else scenario,  # it is measured with rules for all who did not learn
            origin={
                "world": self.world,
                "scenario": scenario.name,
                "command": self.command,
                "datasets": dict(HASHES[self.world](scenario))
                | ({} if others is None else {WEIGHTS: others.told()["sha256"]})
                | {f"start/{each.card.role}/{WEIGHTS}": each.card.sha256 for each in starts},
            },
        )

    def _problems(
        self, scenario: AnyScenario, others: AnySaved | None, starts: Sequence[Saved], settings: Settings
    ) -> list[Problem]:
        """Who learns, in the scenario and in its reference, among whom."""
        from carbonray.data.load_world import load_world

        worlds = [load_world(each) for each in (scenario, scenario.reference())]
        named = f"{self.world}/{scenario.name}"
        roles = list(dict.fromkeys(role_of(worlds[0], role) for role in self.role or (None,)))
        if any(worlds[0].roles[role].count == 1 for role in roles):
            worlds = [alike(world, self.replicas) for world in worlds]
        if others is not None:
            others.trained.check(worlds[0], named)
            if not self.alone and all(part.card.role in roles for part in others.parts):
                raise ProblemError(f"--against {self.against}: only with --alone; else nobody is left to follow it")
        for start in starts:
            start.trained.check(worlds[0], named)
        begin = starting(starts, roles, self.algorithm, settings)
        ids = spread(worlds[0], roles[0], self.alone, self.seed) if self.alone else None
        return [
            problem_of(
                worlds[0],
                beside=worlds[1:] if any(worlds[0].roles[each].beside for each in roles) else (),
                role=role,
                team=self.team if worlds[0].roles[role].count > 1 else "agent",  # one alone shares with nobody
                ids=ids,
                others=None if others is None else others.trained,
                start=begin.get(role),
                seed=self.seed,
            )
            for role in roles
        ]

    def write(self, folder: Path) -> None:
        """Keep it in a folder."""
        (folder / FILE).write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def starting(starts: Sequence[Saved], roles: Sequence[str], algorithm: str, settings: Settings) -> dict[str, Trained]:
    """The policies from which learning roles begin.

    Raises:
        ProblemError: if one is of a role that does not learn or has another already, or its network is none that the
            algorithm would make.
    """
    found: dict[str, Trained] = {}
    for start in starts:
        card, option = start.card, f"--start {start.folder}"
        if card.role not in roles:
            raise ProblemError(f"{option}: decides for each {card.role}, but who learns is {' and '.join(roles)}")
        if card.role in found:
            raise ProblemError(f"{option}: another one for each {card.role} is given too")
        if card.recurrent or settings.recurrent:
            raise ProblemError(f"{option}: a policy with a memory is not gone on from")
        if card.hidden != settings.hidden:
            rule = f"has layers of {card.hidden}, this training of {settings.hidden}"
            raise ProblemError(f"{option}: {rule}; give --learn hidden={card.hidden}")
        if card.acts != METHODS[algorithm][0].acts:
            raise ProblemError(f"{option}: {card.method} learned something else than {algorithm} would go on with")
        found[card.role] = start.trained
    return found


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
