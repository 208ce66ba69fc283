"""Any method on RLlib: its runners, module and learner.  Nothing distributed is written by hand.

A joint step of all agents is never split: the rows of a batch are replicas, and RLlib shards rows among learners.  Each
role that learns is a module under its own name, with a method and an optimiser of its own.  All names of RLlib that are
not public stand here and in `training`.
"""

import time
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import ray
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch.torch_rl_module import TorchRLModule
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from carbonray.learn import rollout
from carbonray.learn.method import Method
from carbonray.learn.problem import Problem, moved
from carbonray.learn.task import Task
from carbonray.runtime.memory import keep_memory


class MethodModule(TorchRLModule):
    """A method as RLlib's module: its forward pass is the loss, so that torch's data parallelism sees it all."""

    method: Method

    def setup(self) -> None:
        """Make the networks."""
        given: Any = self.model_config
        self.method = given["task"].method(given["role"])

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        told: dict[str, Any] = self.method(batch)
        return told


def modules(task: Task) -> MultiRLModuleSpec:
    """A module for each role that learns."""
    specs = {}
    for role, problem in task.problems.items():
        seen, choices = spaces(problem)
        specs[role] = RLModuleSpec(
            module_class=MethodModule,
            observation_space=seen,
            action_space=choices,
            model_config={"task": task, "role": role},
        )
    return MultiRLModuleSpec(rl_module_specs=specs)


def spaces(problem: Problem) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    """What one agent sees and chooses."""
    spec = problem.spec
    seen = gymnasium.spaces.Box(-np.inf, np.inf, (spec.features,), np.float32)
    return seen, gymnasium.spaces.MultiDiscrete(list(spec.heads))


class EpisodeRunner(EnvRunner, Checkpointable):
    """Plays whole episodes of replicas with the weights that it was last sent."""

    def __init__(self, **kwargs: Any) -> None:
        """Prepare; the worlds are unpacked with the first episode."""
        super().__init__(**kwargs)
        keep_memory()
        self.task: Task = self.config.env_config["task"]
        self.device = "cuda" if self.config.num_gpus_per_env_runner else "cpu"
        self.weights_seen = 0
        built: Any = modules(self.task).build()
        for role in self.task.problems:
            built[role].to(self.device)
        self.module = built
        self._problems: list[Problem] = []

    def sample(self, *, seed: int = 0, progress: float = 0.0, **kwargs: Any) -> dict[str, Any]:
        """An episode of each replica, as numpy arrays by role, and how long it took; or why there is none.

        RLlib takes an exception for the death of a runner and goes on without it.
        """
        try:
            return self._sample(seed, progress)
        except Exception as error:  # whatever a world raises is told by the loop
            return {"error": f"{type(error).__name__}: {error}"}

    def _sample(self, seed: int, progress: float) -> dict[str, Any]:
        torch.set_num_threads(1)
        self._problems = self._problems or moved(list(self.task.problems.values()), self.device)
        started = time.perf_counter()
        batches = rollout.play_together(
            self._problems,
            [self.module[problem.role].method for problem in self._problems],
            replicas=self.task.replicas,
            seed=seed + (self.worker_index or 0) * len(self.task.problem.worlds),
            progress=progress,
            together=self.task.settings.together,
        )
        arrays = {
            role: {name: values.cpu().numpy() for name, values in batch.items()}
            for role, batch in zip(self.task.problems, batches, strict=True)
        }
        return {"arrays": arrays, "seconds": time.perf_counter() - started}

    def get_spaces(self) -> dict[str, Any]:
        """Of one agent of each role; the first stands for a world that RLlib never sees."""
        found = {role: spaces(problem) for role, problem in self.task.problems.items()}
        return found | dict.fromkeys((INPUT_ENV_SPACES, INPUT_ENV_SINGLE_SPACES), spaces(self.task.problem))

    def get_metrics(self) -> Any:
        """Nothing of its own: the loop logs."""
        return self.metrics.reduce()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The weights, where they are asked for."""
        if not self._check_component(COMPONENT_RL_MODULE, components, not_components):
            return {}
        return {COMPONENT_RL_MODULE: self.module.get_state(), WEIGHTS_SEQ_NO: self.weights_seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take newer weights."""
        weights, number = state.get(COMPONENT_RL_MODULE), state.get(WEIGHTS_SEQ_NO, 0)
        if weights is None or 0 < number <= self.weights_seen:
            return
        if isinstance(weights, ray.ObjectRef):
            weights = ray.get(weights)
        self.module.set_state(weights)
        self.weights_seen = number

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What it is made from."""
        return (), {"config": self.config}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """Its module."""
        return [(COMPONENT_RL_MODULE, self.module)]

    def assert_healthy(self) -> None:
        """It is built with its constructor."""


class MethodLearner(TorchLearner):
    """Takes the gradient steps that the method of each role asks for."""

    def build(self) -> None:
        """Make modules and optimisers, and learn what comes before the first episode, unless a checkpoint follows.

        Random numbers are the same in all learners, and so are weights to the last bit.
        """
        super().build()
        if not self.config.env_config.get("resumed"):
            torch.set_num_threads(1)
            for method in self.methods.values():
                self._begin(method)
        self.rngs = {role: torch.Generator().manual_seed(self.task.seed) for role in self.methods}

    def _begin(self, method: Method) -> None:
        method.begin(self.task.seed)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for values in method.state_dict().values():
                torch.distributed.broadcast(values.view(torch.uint8) if values.dtype == torch.bool else values, 0)

    @property
    def task(self) -> Task:
        """What is trained."""
        task: Task = self.config.env_config["task"]
        return task

    @property
    def methods(self) -> Mapping[str, Method]:
        """By role, its networks and what it remembers."""
        return {role: self._own(role).unwrapped().method for role in self.task.problems}

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam on what is trained; a larger epsilon than torch's keeps rounding out of the first steps."""
        params = [each for each in self.get_parameters(self._own(module_id)) if each.requires_grad]
        self.register_optimizer(
            module_id=module_id,
            optimizer=torch.optim.Adam(params, eps=1e-5),
            params=params,
            lr_or_lr_schedule=self.task.settings.learning_rate,
        )

    def _own(self, module_id: str) -> Any:
        modules: Any = self.module
        return modules[module_id]

    def compute_gradients(self, loss_per_module: Any, **kwargs: Any) -> Any:
        """Of the role whose loss it is; the others' parameters have none, which RLlib would take for numbers."""
        found = super().compute_gradients(loss_per_module, **kwargs)
        return {param: gradient for param, gradient in found.items() if gradient is not None}

    def update(self, training_data: Any = None, *, timesteps: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """The gradient steps that follow from a batch.

        A learner that fails leaves the group, so that the others fail too instead of waiting for it.
        """
        try:
            return self._steps(training_data.batch, timesteps or {})
        except Exception:
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            raise

    def _steps(self, batch: Any, timesteps: dict[str, Any]) -> Any:
        torch.set_num_threads(1)  # two of one learner wait for each other wherever a core is busy: 3 to 10 times slower
        self.before_gradient_based_update(timesteps=timesteps)
        self._weights_seq_no += 1
        for role, columns in self._convert_batch_type(batch).policy_batches.items():
            for name, value in self._learn(role, dict(columns)).items():
                self.metrics.log_value((role, name), value, window=1)
        self.after_gradient_based_update(timesteps=timesteps)
        return self.metrics.reduce()

    def _learn(self, role: str, columns: dict[str, Any]) -> dict[str, float]:
        """The gradient steps of one role, and the figures of the last."""
        rate = self.task.settings.rate(float(columns["progress"][0]))
        for optimiser in self.get_optimizers_for_module(role):
            self._set_optimizer_lr(optimiser[1], rate)
        method, learned = self.methods[role], 0
        told: dict[str, Any] = {}
        for minibatch in method.minibatches(columns, self.rngs[role]):
            told, _, _ = self._update({role: minibatch})
            method.after_step()
            learned += minibatch["reward"].numel()
        figures = {name: float(torch.as_tensor(value).detach()) for name, value in told.get(role, {}).items()}
        return {**figures, "agent_steps_learned": float(learned)}

    def compute_loss_for_module(self, *, module_id: str, config: Any, batch: Any, fwd_out: dict[str, Any]) -> Any:
        """The forward pass gave it.

        Raises:
            FloatingPointError: if it is no finite number: RLlib would skip the step and go on.
        """
        loss = fwd_out["loss"]
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError(f"the loss is {float(loss)}: a smaller learning_rate may help")
        return loss

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """With what the methods remember and where the random numbers stand; the rows of this learner only."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component("remembered", components, not_components):
            state["remembered"] = {role: self._remembered(role) for role in self.methods}
        return state

    def _remembered(self, role: str) -> dict[str, Any]:
        method, rng = self.methods[role], self.rngs[role].get_state().numpy()
        kept = [{name: values.cpu().numpy() for name, values in each.items()} for each in method.remembered]
        return {"batches": kept, "received": method.received, "rng": rng}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        for role, told in state.get("remembered", {}).items():
            method = self.methods[role]
            method.remembered = [
                {name: torch.as_tensor(values, device=self._device) for name, values in each.items()}
                for each in told["batches"]
            ]
            method.received = told["received"]
            self.rngs[role].set_state(torch.as_tensor(told["rng"]))


class TrainingConfig(AlgorithmConfig):
    """How a task is trained."""

    def __init__(self, task: Task | None = None) -> None:
        """Take RLlib's defaults, but for what makes a method run."""
        from carbonray.learn.training import Training

        super().__init__(algo_class=Training)
        changed: dict[str, Any] = {
            "env_config": {"task": task},
            "env_runner_cls": EpisodeRunner,
            "grad_clip": task.settings.gradient_clip if task else None,
            "grad_clip_by": "global_norm",
            "restart_failed_env_runners": True,
            "log_gradients": False,
            "log_level": "ERROR",
        }
        for name, value in changed.items():
            setattr(self, name, value)

    def get_default_rl_module_spec(self) -> MultiRLModuleSpec:
        """Of the methods."""
        return modules(self.env_config["task"])

    def get_multi_rl_module_spec(self, **given: Any) -> MultiRLModuleSpec:
        """The same: nothing of it is inferred from an environment."""
        return self.get_default_rl_module_spec()

    def get_default_learner_class(self) -> type[MethodLearner]:
        """Of any method."""
        return MethodLearner
