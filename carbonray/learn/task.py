"""A training, told in full: what every worker needs to build its part of it."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from carbonray.config_worlds import AnyScenario
from carbonray.learn.actor_critic import ActorCritic, ActorCriticSettings
from carbonray.learn.method import Method, Settings
from carbonray.learn.ppo import Ppo
from carbonray.learn.problem import Problem, ProblemError
from carbonray.learn.vdn import Vdn, VdnSettings

METHODS: Mapping[str, tuple[type[Method], type[Settings]]] = {
    "vdn": (Vdn, VdnSettings),
    "actor-critic": (ActorCritic, ActorCriticSettings),
    "ppo": (Ppo, ActorCriticSettings),
}
"""Every algorithm, with what can be set for it."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is trained, and how."""

    packed: bytes = field(repr=False)  # the problem of each role that learns, see `pack`
    algorithm: str  # one of METHODS
    settings: Settings
    replicas: int = 4  # of the world in each runner
    seed: int = 0
    budget: float = 1e6  # decisions of learning agents after which training is over
    tolerance: float = 0.05  # distance between iterations under which training has converged
    patience: int = 10  # iterations in a row that it must be
    scenario: AnyScenario | None = field(default=None, repr=False)  # that the world was built from
    origin: Mapping[str, Any] | None = field(
        default=None, repr=False
    )  # what the card of the trained policy tells, see `policy_folder.Origin`

    @cached_property
    def problems(self) -> Mapping[str, Problem]:
        """The problem of each role that learns; unpacked once in each process."""
        found: tuple[Problem, ...] = pickle.loads(self.packed)
        return {problem.role: problem for problem in found}

    @property
    def problem(self) -> Problem:
        """That of the first role."""
        return next(iter(self.problems.values()))

    def method(self, role: str | None = None) -> Method:
        """The algorithm of a role, or the first, with fresh networks: the same for the same seed."""
        import torch

        state = torch.random.get_rng_state()
        torch.manual_seed(self.seed)
        try:
            made: Any = METHODS[self.algorithm][0]
            method: Method = made(self.problem if role is None else self.problems[role], self.settings)
            return method
        finally:
            torch.random.set_rng_state(state)

    def by_role(self, role: str, figures: Mapping[str, float]) -> dict[str, float]:
        """Figures of a role under names of their own: plain ones of the first role, else with the role in front."""
        front = "" if role == self.problem.role else f"{role}_"
        return {f"{front}{name}": value for name, value in figures.items()}

    def with_settings(self, settings: Settings, words: str) -> "Task":
        """The same task with other settings, which the command that trains it again names by further words."""
        origin = self.origin and {**self.origin, "command": f"{self.origin['command']} {words}"}
        return replace(self, settings=settings, origin=origin)

    def save_policies(self, folder: Path, methods: Mapping[str, Method], agent_steps: int) -> None:
        """Write what acts into a folder, if it is known what it was trained for; of several roles into sub-folders."""
        if self.origin is None:
            return
        from carbonray.learn.policy_folder import Origin, save

        told = {"method": self.algorithm, "seed": self.seed, "agent_steps": agent_steps}
        for role, method in methods.items():
            origin = Origin.model_validate({**self.origin, **told, "role": role, "acts": method.acts})
            save(folder / role if len(methods) > 1 else folder, method.learned, origin)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was unpacked."""
        return {name: value for name, value in vars(self).items() if name != "problems"}


def pack(*problems: Problem) -> bytes:
    """The problems of the roles that learn, for `Task.packed`; they share their worlds."""
    return pickle.dumps(problems)


def settings_of(algorithm: str, given: Mapping[str, Any]) -> Settings:
    """The settings of an algorithm, checked.

    Raises:
        ProblemError: naming the algorithm or setting, and the rule.
    """
    if algorithm not in METHODS:
        raise ProblemError(f"--algorithm {algorithm}: choose {', '.join(METHODS)}")
    try:
        return METHODS[algorithm][1].model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(METHODS[algorithm][1].model_fields)
        rule = f"{algorithm} knows {known}" if first["type"] == "extra_forbidden" else f"{first['msg']} ({algorithm})"
        raise ProblemError(f"--learn {name}: {rule}") from None
