"""The loop of a training: play, learn, send weights, and see how far it has come."""

import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from carbonray.data.catalogue import sha256
from carbonray.learn.convergence import Distance, Stopping, state_actions
from carbonray.learn.method import Method
from carbonray.learn.networks import SEEN
from carbonray.learn.problem import Problem
from carbonray.learn.rllib import TrainingConfig, modules
from carbonray.learn.rollout import equally_long
from carbonray.learn.task import Task, settings_of
from carbonray.runtime.simulate import simulate
from carbonray.worlds.world import WorldError

REVIVALS = 5
"""Times that an iteration waits for runners to be restarted, if all of them are lost."""
ROWS_APART = 1 << 32
"""Between the seeds of two iterations: more than there are runners."""
FIRST_SEED = 1 << 62
"""Of all training: worlds that `simulate` and `evaluate` play have small seeds, and are met here by nobody."""
COMPARED = 8192
"""State-action pairs of an iteration that are compared with those of the last."""
EARLIEST = 0.5
"""Share of the budget before which training has not converged: those who have hardly begun change little too."""
SEARCHED = "searched"
"""Key of a configuration under which Tune puts the settings that it searches."""
MEASURED = 10
"""Times in a training that the scenario is simulated with what its agents have learned."""
HEADLINE = ("leakage_rate", "temperature_rise_c")
"""Figures of a run's summary that training tells."""
FILES = "files.json"
"""In a checkpoint, last: its files and their SHA-256, to tell a whole one from a torn or spoilt one."""


class TrainingError(RuntimeError):
    """A training that went wrong; one line."""


class Training(Algorithm):
    """Play, learn, send weights; again until the budget is spent or nobody changes any more."""

    @classmethod
    def get_default_config(cls) -> TrainingConfig:
        """Without a task."""
        return TrainingConfig()

    def setup(self, config: Any) -> None:
        """Build runners and learners, and go on from a checkpoint if one is named."""
        searched, start = config.env_config.pop(SEARCHED, {}), config.env_config.pop("start", None)
        if searched:
            task: Task = config.env_config["task"]
            settings = settings_of(task.algorithm, {**task.settings.model_dump(), **searched})
            found = shlex.join(word for name, value in searched.items() for word in ("--learn", f"{name}={value}"))
            config.env_config["task"] = task.with_settings(settings, found)
        self.agent_steps = 0
        config.env_config["resumed"] = start is not None
        self.config = config  # what is changed here is a copy
        super().setup(config)
        task = self.task
        self.calm = {role: Calm(problem, task) for role, problem in task.problems.items()}
        if start:
            self.restore_from_path(start)  # type: ignore[no-untyped-call]

    @property
    def task(self) -> Task:
        """What is trained."""
        config: Any = self.config
        task: Task = config.env_config["task"]
        return task

    def training_step(self) -> None:
        """One iteration.

        Raises:
            TrainingError: if a world or a learner fails.
        """
        played = self._play()
        batches = {role: _of_runners([each["arrays"][role] for each in played]) for role in self.task.problems}
        started = time.perf_counter()
        results = self._learn(batches)
        learned = time.perf_counter() - started
        done, decided = self.agent_steps, sum(batch["reward"].size for batch in batches.values())
        self.agent_steps += decided
        late = self.agent_steps >= self.task.budget * EARLIEST
        calm = [each.update(batches[role], self.iteration) and late for role, each in self.calm.items()]
        figures: dict[str, float] = {
            "agent_steps": self.agent_steps,
            "iteration_agent_steps": decided,
            "sampling_seconds": max(each["seconds"] for each in played),
            "learning_seconds": learned,
            "converged": float(all(calm)),
            "agent_steps_learned": sum(
                float(each[role]["agent_steps_learned"]) for each in results for role in batches
            ),
            **self._measured(done),
        }
        for role, batch in batches.items():
            told = {name: float(value) for name, value in results[0][role].items() if name in FIGURES}
            figures |= self.task.by_role(role, {**_played(batch), **self.calm[role].figures, **told})
        metrics: Any = self.metrics
        for name, value in figures.items():
            metrics.log_value(name, float(value), window=1)
        group: Any = self.env_runner_group
        group.sync_weights(from_worker_or_learner_group=self.learner_group, timeout_seconds=None)

    def _play(self) -> list[dict[str, Any]]:
        """Episodes of all runners that are alive."""
        seed = FIRST_SEED + (self.task.seed * 1_000_003 + self.iteration) % (1 << 28) * ROWS_APART
        group: Any = self.env_runner_group
        progress = self.agent_steps / self.task.budget
        alone = group.num_remote_env_runners() == 0
        for _ in range(REVIVALS):
            played: list[dict[str, Any]] = group.foreach_env_runner(
                lambda runner: runner.sample(seed=seed, progress=progress), local_env_runner=alone
            )
            failed = [each["error"] for each in played if "error" in each]
            if failed:
                raise TrainingError(f"iteration {self.iteration}: {failed[0]}")
            if played:
                return played
            self.restore_env_runners(group)
        raise TrainingError(f"iteration {self.iteration}: all runners are lost")

    def _learn(self, batches: Mapping[str, dict[str, Any]]) -> list[Any]:
        """Gradient steps of all learners."""
        config: Any = self.config
        learners = max(1, config.num_learners)
        rows = len(next(iter(batches.values()))["reward"]) // learners * learners
        if not rows:
            raise TrainingError(f"iteration {self.iteration}: too few runners are left for {learners} learners")
        whole: dict[Any, Any] = {
            role: SampleBatch({name: values[:rows] for name, values in batch.items()})  # type: ignore[no-untyped-call]
            for role, batch in batches.items()
        }
        group: Any = self.learner_group
        results: list[Any] = group.update(batch=MultiAgentBatch(whole, env_steps=rows))
        if len(results) != learners:
            raise TrainingError(f"iteration {self.iteration}: {learners - len(results)} of {learners} learners failed")
        return results

    def _measured(self, before: int) -> dict[str, float]:
        """What the agents as they are now make of the scenario, some times in a training.

        Simulated as a user would: leakage by two runs that meet the same random numbers.
        """
        task = self.task
        part = task.budget / MEASURED
        if task.scenario is None or before // part == self.agent_steps // part:
            return {}
        with TemporaryDirectory() as folder:
            task.save_policies(Path(folder), self.methods(), self.agent_steps)
            try:
                summary = simulate(task.scenario, policy=folder, robust=False).summary
            except WorldError:
                return {}
        found = ((name, summary.get(name)) for name in HEADLINE)
        return {name: float(value) for name, value in found if isinstance(value, float)}

    def methods(self) -> dict[str, Method]:
        """By role, the method with the weights that the learners have."""
        group: Any = self.learner_group
        built: Any = modules(self.task).build()
        built.set_state(group.get_state(components="learner/rl_module")["learner"]["rl_module"])
        return {role: built[role].method for role in self.task.problems}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """RLlib's checkpoint, the policy, and at last the list of all files."""
        super().save_checkpoint(checkpoint_dir)
        folder = Path(checkpoint_dir)
        self.task.save_policies(folder / "policy", self.methods(), self.agent_steps)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        sums = {str(path.relative_to(folder)): sha256(path) for path in files}
        (folder / FILES).write_text(json.dumps(sums), encoding="utf-8")

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """With the decisions so far and the critics that measure convergence."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        own = {"agent_steps": self.agent_steps, "calm": {role: each.state() for role, each in self.calm.items()}}
        return {**state, "carbonray": own}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        own = state["carbonray"]
        self.agent_steps = own["agent_steps"]
        for role, told in own["calm"].items():
            self.calm[role].load(told)


class Calm:
    """Whether the agents of a role have stopped changing."""

    def __init__(self, problem: Problem, task: Task) -> None:
        """Begin with nothing to compare with."""
        self.problem = problem
        self.distance = Distance(problem.spec.features + problem.heads.levels, seed=task.seed)
        self.stopping = Stopping(tolerance=task.tolerance, patience=task.patience)
        self.figures: dict[str, float] = {}

    def update(self, batch: Mapping[str, Any], iteration: int) -> bool:
        """Whether state-action pairs have been near those of the iteration before for long."""
        problem = self.problem
        seen = (torch.from_numpy(batch["seen"][:, :-1]) - problem.mean) / problem.deviation
        rng = torch.Generator().manual_seed(iteration)
        levels = torch.from_numpy(batch["levels"])
        apart = self.distance.update(state_actions(seen.clamp(-SEEN, SEEN), levels, problem.spec.heads, COMPARED, rng))
        self.figures = {} if apart is None else {"convergence_distance": apart}
        return apart is not None and self.stopping.update(apart)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"distance": self.distance.state(), "calm": self.stopping.calm}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.distance.load(state["distance"])
        self.stopping.calm = state["calm"]


def whole(folder: Path) -> bool:
    """Whether a checkpoint has all that was written into it, to the last bit."""
    try:
        sums = json.loads((folder / FILES).read_text(encoding="utf-8"))
        return all(sha256(folder / name) == wanted for name, wanted in sums.items())
    except (OSError, ValueError):
        return False


def _of_runners(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One batch of what all runners played."""
    cut = equally_long(rows)
    return {name: np.concatenate([each[name] for each in cut]) for name in cut[0]}


def _played(batch: Mapping[str, Any]) -> dict[str, float]:
    """What the agents of a role earned in an episode, and in how many decisions."""
    reward = batch["reward"]
    return {"mean_return": float(reward.sum(1, dtype=np.float64).mean()), "decisions": reward.shape[1]}


FIGURES = ("loss", "entropy", "critic", "moved", "value", "error")
"""What methods tell of their losses."""
