"""Any world as a PettingZoo `ParallelEnv`: one replica, an agent by name, NumPy in and out."""

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.runtime.batched_env import BatchedEnv, ByRole, Infos
from carbonray.runtime.choices import Illegal
from carbonray.runtime.env_spaces import MARL_EXTRA, Levels, LevelSpace, unbounded
from carbonray.worlds.world import Role, World

try:
    import pettingzoo
except ImportError:
    raise ImportError(f"pettingzoo is not installed; this view of a world needs it: {MARL_EXTRA}") from None

if TYPE_CHECKING:
    from gymnasium import spaces

Seen = NDArray[np.float32]


class ParallelEnv(pettingzoo.ParallelEnv[str, Seen, Levels]):
    """One replica of a world for learners that speak PettingZoo.

    An agent is named by role and id: `firm_12`. Observations are float32. `infos[agent]` has `action_mask`, one int8
    array per head as `MultiDiscrete.sample` takes it, and `decides`: whether the next action of the agent is read.
    An agent whose role decides every so many steps stays among `agents`; in between its last choice holds, the mask
    leaves nothing else, and an action may be left out. Rewards, ends and seeds are those of `BatchedEnv`.
    """

    def __init__(self, world: World[Any, Any, Any], seed: int = 0, *, illegal: Illegal = "refuse") -> None:
        """Prepare; `reset` begins.

        Args:
            world: what to step.
            seed: of the first episode if `reset` names none.
            illegal: what becomes of levels that the mask forbids.
        """
        self._batch = BatchedEnv(world, 1, seed, illegal=illegal)
        self._names = {name: [f"{name}_{i}" for i in range(role.count)] for name, role in world.roles.items()}
        self._seen: dict[str, Seen] = {}
        self.possible_agents = [agent for agents in self._names.values() for agent in agents]
        self.agents: list[str] = []
        self.metadata = {"name": type(world).__name__, "render_modes": []}
        self.render_mode = None
        self.observation_spaces: dict[str, Any] = {}
        self.action_spaces: dict[str, Any] = {}
        for name, role in world.roles.items():
            self.observation_spaces |= dict.fromkeys(self._names[name], unbounded((role.features,)))
            self.action_spaces |= {agent: LevelSpace(list(role.heads)) for agent in self._names[name]}
        self.state_space = unbounded((sum(role.count * role.features for role in world.roles.values()),))

    @property
    def episode_seed(self) -> int:
        """Of the episode under way: `reset(seed=episode_seed)` plays it again."""
        return self._batch.episode_seed

    def observation_space(self, agent: str) -> "spaces.Box":
        """Box [features], float32; no bounds, for worlds declare none."""
        return self.observation_spaces[agent]  # type: ignore[no-any-return]

    def action_space(self, agent: str) -> LevelSpace:
        """MultiDiscrete [H], one entry per head also where there is one."""
        return self.action_spaces[agent]  # type: ignore[no-any-return]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Seen], dict[str, Infos]]:
        """Begin an episode.

        Args:
            seed: of this episode; later ones get seeds drawn from a generator that it seeds. None goes on with that.
            options: none are known.
        Returns:
            observations and infos by agent.
        """
        observations, infos = self._batch.reset(seed)
        self.agents = list(self.possible_agents)
        return self._tell(observations, infos)

    def step(
        self, actions: Mapping[str, Levels]
    ) -> tuple[dict[str, Seen], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Infos]]:
        """One step of the world.

        Args:
            actions: [H] integers by agent, the level of each head.
        Returns:
            observations, rewards, terminations, truncations and infos by agent; after the last step `agents` is empty.
        Raises:
            ValueError: an agent is missing or unknown, or its action is of another shape, out of range or forbidden;
                names agent, head and rule.
            RuntimeError: no episode is under way.
        """
        if not self.agents:
            raise RuntimeError("no episode is under way: call reset() first")
        for agent in actions:
            if agent not in self.action_spaces:
                raise ValueError(f"actions: there is no agent {agent!r}")
        roles = self._batch.world.roles
        choices = {name: self._levels(name, role, actions) for name, role in roles.items() if self._batch.decides(name)}
        observations, rewards, terminations, truncations, infos = self._batch.step(choices)
        seen, told = self._tell(observations, infos)
        terminated, truncated = self._by_agent(terminations), self._by_agent(truncations)
        if any((*terminated.values(), *truncated.values())):
            self.agents = []
        return seen, self._by_agent(rewards), terminated, truncated, told

    def state(self) -> Seen:
        """[all features] what all agents see, float32, in the order of `possible_agents`."""
        if not self._seen:
            raise RuntimeError("no episode is under way: call reset() first")
        return np.concatenate([values.ravel() for values in self._seen.values()])

    def render(self) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to close."""

    def _levels(self, name: str, role: Role, actions: Mapping[str, Levels]) -> torch.Tensor:
        """[1, n, H] what the agents of a role chose."""
        rows = []
        for agent in self._names[name]:
            if agent not in actions:
                raise ValueError(f"actions: {agent} decides now and is missing")
            row = np.asarray(actions[agent])
            if row.shape != (len(role.heads),) or row.dtype.kind not in "iu":
                got = f"{row.dtype} {list(row.shape)}"
                raise ValueError(f"{agent}: an action is {len(role.heads)} integers, one per head, but got {got}")
            rows.append(row)
        return torch.tensor(np.array(rows, dtype=np.int64).reshape(1, role.count, len(role.heads)))

    def _tell(self, observations: ByRole, infos: Infos) -> tuple[dict[str, Seen], dict[str, Infos]]:
        """What each agent sees and may do; its action space learns of it."""
        self._seen = {
            name: values[0].to("cpu", torch.float32, copy=True).numpy() for name, values in observations.items()
        }
        told: dict[str, Infos] = {}
        for name, role in self._batch.world.roles.items():
            rows = infos["action_mask"][name][0].to("cpu", torch.int8).numpy()
            heads = [slice(*ends) for ends in pairwise(accumulate(role.heads, initial=0))]
            for agent, row in zip(self._names[name], rows, strict=True):
                mask = tuple(row[head] for head in heads)
                self.action_spaces[agent].legal = mask
                told[agent] = {"action_mask": mask, "decides": infos["decides"][name]}
        return self._by_agent(self._seen), told

    def _by_agent(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Rows of [n, ...] arrays, or numbers of [1, n] tensors, by the name of the agent."""
        return {
            agent: row
            for name, agents in self._names.items()
            for agent, row in zip(agents, _rows(values[name]), strict=True)
        }


def _rows(values: Any) -> Any:
    return values[0].tolist() if isinstance(values, torch.Tensor) else values
