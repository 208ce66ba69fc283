"""The loop of a training: play, learn, send weights, and see how far it has come."""

import json
import shlex
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from carbonray.data.catalogue import sha256
from carbonray.learn.convergence import Distance, Stopping, state_actions
from carbonray.learn.method import Method
from carbonray.learn.networks import SEEN
from carbonray.learn.rllib import MethodModule, TrainingConfig, spaces
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
        width = task.problem.spec.features + task.problem.heads.levels
        self.distance = Distance(width, seed=task.seed)
        self.stopping = Stopping(tolerance=task.tolerance, patience=task.patience)
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
        rows = equally_long([each["arrays"] for each in played])
        batch = {name: np.concatenate([each[name] for each in rows]) for name in rows[0]}
        started = time.perf_counter()
        results = self._learn(batch)
        learned = time.perf_counter() - started
        done = self.agent_steps
        self.agent_steps += batch["reward"].size
        figures = {
            "agent_steps": self.agent_steps,
            "iteration_agent_steps": batch["reward"].size,
            "mean_return": float(batch["reward"].sum(1, dtype=np.float64).mean()),
            "decisions": batch["reward"].shape[1],
            "sampling_seconds": max(each["seconds"] for each in played),
            "learning_seconds": learned,
            **self._converging(batch),
            **self._measured(done),
            **{name: float(value) for name, value in _of_learners(results).items()},
        }
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

    def _learn(self, batch: dict[str, Any]) -> list[Any]:
        """Gradient steps of all learners."""
        config: Any = self.config
        learners = max(1, config.num_learners)
        rows = len(batch["reward"]) // learners * learners
        if not rows:
            raise TrainingError(f"iteration {self.iteration}: too few runners are left for {learners} learners")
        whole: Any = SampleBatch({name: values[:rows] for name, values in batch.items()})  # type: ignore[no-untyped-call]
        group: Any = self.learner_group
        results: list[Any] = group.update(batch=MultiAgentBatch({DEFAULT_MODULE_ID: whole}, env_steps=rows))
        if len(results) != learners:
            raise TrainingError(f"iteration {self.iteration}: {learners - len(results)} of {learners} learners failed")
        return results

    def _converging(self, batch: dict[str, Any]) -> dict[str, float]:
        """How far state-action pairs are from those of the last iteration, and whether that has been near for long."""
        problem = self.task.problem
        seen = (torch.from_numpy(batch["seen"][:, :-1]) - problem.mean) / problem.deviation
        rng = torch.Generator().manual_seed(self.iteration)
        levels = torch.from_numpy(batch["levels"])
        pairs = state_actions(seen.clamp(-SEEN, SEEN), levels, problem.spec.heads, COMPARED, rng)
        apart = self.distance.update(pairs)
        if apart is None:
            return {"converged": 0.0}
        calm = self.stopping.update(apart) and self.agent_steps >= self.task.budget * EARLIEST
        return {"convergence_distance": apart, "converged": float(calm)}

    def _measured(self, before: int) -> dict[str, float]:
        """What the agents as they are now make of the scenario, some times in a training.

        Simulated as a user would: leakage by two runs that meet the same random numbers.
        """
        task = self.task
        part = task.budget / MEASURED
        if task.scenario is None or before // part == self.agent_steps // part:
            return {}
        with TemporaryDirectory() as folder:
            task.save_policy(Path(folder), self.policy(), self.agent_steps)
            try:
                summary = simulate(task.scenario, policy=folder, robust=False).summary
            except WorldError:
                return {}
        found = ((name, summary.get(name)) for name in HEADLINE)
        return {name: float(value) for name, value in found if isinstance(value, float)}

    def policy(self) -> Method:
        """The method with the weights that the learners have."""
        group: Any = self.learner_group
        state = group.get_state(components="learner/rl_module")["learner"]["rl_module"][DEFAULT_MODULE_ID]
        seen, choices = spaces(self.task)
        module = MethodModule(observation_space=seen, action_space=choices, model_config={"task": self.task})
        module.set_state(state)
        return module.method

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """RLlib's checkpoint, the policy, and at last the list of all files."""
        super().save_checkpoint(checkpoint_dir)
        folder = Path(checkpoint_dir)
        self.task.save_policy(folder / "policy", self.policy(), self.agent_steps)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        sums = {str(path.relative_to(folder)): sha256(path) for path in files}
        (folder / FILES).write_text(json.dumps(sums), encoding="utf-8")

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """With the decisions so far and the critic that measures convergence."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        own = {"agent_steps": self.agent_steps, "distance": self.distance.state(), "calm": self.stopping.calm}
        return {**state, "carbonray": own}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        own = state["carbonray"]
        self.agent_steps, self.stopping.calm = own["agent_steps"], own["calm"]
        self.distance.load(own["distance"])


def whole(folder: Path) -> bool:
    """Whether a checkpoint has all that was written into it, to the last bit."""
    try:
        sums = json.loads((folder / FILES).read_text(encoding="utf-8"))
        return all(sha256(folder / name) == wanted for name, wanted in sums.items())
    except (OSError, ValueError):
        return False


def _of_learners(results: list[Any]) -> dict[str, Any]:
    """Figures of the first learner; what was learned is added up."""
    told = results[0][DEFAULT_MODULE_ID]
    learned = sum(float(each[DEFAULT_MODULE_ID]["agent_steps_learned"]) for each in results)
    return {**{name: told[name] for name in told if name in FIGURES}, "agent_steps_learned": learned}


FIGURES = ("loss", "entropy", "critic", "moved", "value", "error")
"""What methods tell of their losses."""
