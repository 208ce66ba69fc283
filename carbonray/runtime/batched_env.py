"""Any world as a batch of environments for learners that speak torch: replicas side by side, in lockstep.

Names and order follow `gymnasium.vector.VectorEnv`; where it has one array this has one tensor per role. Gymnasium is
needed by nothing but the two spaces.

Axes: B replica, n agent, H head, L level of any head, laid end to end.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from carbonray.runtime import inprocess
from carbonray.runtime.choices import Illegal, checked, only
from carbonray.worlds.world import Observation, World

if TYPE_CHECKING:
    from gymnasium import spaces

A = TypeVar("A")
K = TypeVar("K")
D = TypeVar("D")
ByRole = dict[str, Tensor]
Infos = dict[str, Any]


class BatchedEnv(Generic[A, K, D]):
    """Replicas of a world that a learner steps together.

    Observations [B, n, features] and rewards [B, n] are the world's own tensors: read them, write only to copies.

    - `infos["action_mask"][role]` [B, n, L] bool says which levels are legal; every head has at least one.
    - A role that decides every so many steps (`Role.every`) has `infos["decides"][role]` true before the steps in which
      its choices are read. In between its choices hold, the mask leaves nothing else, and what is handed in is not
      read and may be left out. Its rewards are added up and paid with the step that ends the interval, or the episode.
    - `terminations` are what the world says of itself; `truncations` mark the last of its `steps` where it does not end
      by itself: only the run stops there, so the value of the last observation still counts.
    - Replicas end together. The step after the last ignores its choices, resets, and gives the first observations
      with rewards of zero: Gymnasium's next-step autoreset.
    - Replica b of a batch is the same for any number of replicas: random numbers are keyed by seed and replica.
    """

    metadata: Mapping[str, Any] = {"autoreset_mode": "NextStep", "render_modes": []}

    def __init__(self, world: World[A, K, D], replicas: int, seed: int = 0, *, illegal: Illegal = "refuse") -> None:
        """Prepare; `reset` begins.

        Args:
            world: what to step.
            replicas: B.
            seed: of the first episode if `reset` names none.
            illegal: what becomes of levels that the mask forbids.
        Raises:
            ValueError: fewer than one replica, a seed outside [0, 2^63), or an unknown `illegal`.
        """
        if not isinstance(replicas, int) or replicas < 1:
            raise ValueError(f"replicas must be a whole number of at least 1 (got {replicas})")
        if illegal not in get_args(Illegal):
            raise ValueError(f"illegal must be one of {', '.join(get_args(Illegal))} (got {illegal})")
        self.world = world
        self.num_envs = replicas
        self.illegal = illegal
        self.episode_seed = seed_of(seed)
        """Of the episode under way: `reset(seed=episode_seed)` plays it again."""
        self._ids = {name: np.arange(role.count) for name, role in world.roles.items()}
        self._at_edges = np.arange(world.edges.shape[1])
        self._seeds: np.random.Generator | None = None
        self._state: inprocess.State[A, K] | None = None
        self._step = 0
        self._over = False
        self._mask: ByRole = {}
        self._held: ByRole = {}  # choices of roles that decide every so many steps
        self._owed: ByRole = {}  # their rewards since

    @cached_property
    def single_observation_space(self) -> "spaces.Dict":
        """Box [n, features] by role, of one replica; no bounds, for worlds declare none."""
        from carbonray.runtime.env_spaces import observation_space

        first = inprocess.reset(self.world, 0, 1, [self._ids])
        return observation_space({name: o.values[0].cpu().numpy() for name, o in self._observe(first).items()})

    @cached_property
    def single_action_space(self) -> "spaces.Dict":
        """MultiDiscrete [n, H] by role, of one replica."""
        from carbonray.runtime.env_spaces import action_space

        return action_space(self.world.roles)

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[ByRole, Infos]:
        """Begin an episode.

        Args:
            seed: of this episode; later ones get seeds drawn from a generator that it seeds. None goes on with that.
            options: none are known.
        Returns:
            observations and infos.
        """
        if seed is None and self._seeds is not None:
            self.episode_seed = int(self._seeds.integers(1 << 63))
        else:
            first = self.episode_seed if seed is None else seed_of(seed)
            self._seeds, self.episode_seed = np.random.default_rng(first), first
        self._state = inprocess.reset(self.world, self.episode_seed, self.num_envs, [self._ids])
        self._step, self._over = 0, False
        self._held, self._owed = {}, {}
        return self._look(self._state)

    def step(self, choices: Mapping[str, Tensor]) -> tuple[ByRole, ByRole, ByRole, ByRole, Infos]:
        """One step of all replicas.

        Args:
            choices: [B, n, H] int64 by role, the level of each head.
        Returns:
            observations, rewards, terminations, truncations and infos.
        Raises:
            ValueError: a role is missing or unknown, or choices are of another shape, out of range or forbidden.
            RuntimeError: before the first reset.
        """
        if self._state is None:
            raise RuntimeError("nothing to step yet: call reset() first")
        if self._over:
            observations, infos = self.reset()
            rewards = {name: values.new_zeros(values.shape[:2]) for name, values in observations.items()}
            return observations, rewards, self._flags(rewards, False), self._flags(rewards, False), infos
        actions = self.world.decode(self._read(choices))
        shocks = self.world.shocks(self.episode_seed, self.num_envs, self._step, self._ids)
        taken = inprocess.advance(self.world, self._state, [shocks], [self._at_edges], [actions])
        self._state = taken.state
        self._step += 1
        ends = self._step >= self.world.steps and not taken.terminated
        self._over = taken.terminated or ends
        rewards = self._pay(taken.rewards[0])
        observations, infos = self._look(taken.state)
        return observations, rewards, self._flags(rewards, taken.terminated), self._flags(rewards, ends), infos

    def close(self) -> None:
        """Nothing to close."""

    def decides(self, role: str) -> bool:
        """Whether the next choices of a role are read."""
        return self._step % self.world.roles[role].every == 0

    def _observe(self, state: inprocess.State[A, K]) -> Mapping[str, Observation]:
        return self.world.observe(state.agents[0], state.commons)

    def _look(self, state: inprocess.State[A, K]) -> tuple[ByRole, Infos]:
        seen = self._observe(state)
        self._mask = {
            name: seen[name].mask if self.decides(name) else only(role.heads, self._held[name])
            for name, role in self.world.roles.items()
        }
        decides = {name: self.decides(name) for name in seen}
        return {name: o.values for name, o in seen.items()}, {"action_mask": dict(self._mask), "decides": decides}

    def _read(self, choices: Mapping[str, Tensor]) -> ByRole:
        """The choices of every role: those that count now, and those that hold."""
        roles = self.world.roles
        for name in choices:
            if name not in roles:
                raise ValueError(f"choices: there is no role {name!r}; the roles are {', '.join(roles)}")
        read = dict(self._held)
        for name, role in roles.items():
            if not self.decides(name):
                continue
            if name not in choices:
                raise ValueError(f"choices: the role {name!r} decides now and is missing")
            mask = self._mask[name]
            read[name] = checked(name, role.heads, torch.as_tensor(choices[name]).to(mask.device), mask, self.illegal)
            if role.every > 1:
                self._held[name] = read[name].clone()  # the learner may write to its own tensor
        return read

    def _pay(self, rewards: Mapping[str, Tensor]) -> ByRole:
        """What is paid now: at once, or added up since the last decision."""
        paid = {}
        for name, reward in rewards.items():
            total = self._owed.pop(name) + reward if name in self._owed else reward
            due = self._over or self.decides(name)
            paid[name] = total if due else torch.zeros_like(reward)
            if not due:
                self._owed[name] = total
        return paid

    @staticmethod
    def _flags(rewards: ByRole, value: bool) -> ByRole:  # noqa: FBT001
        """[B, n] the same flag everywhere."""
        return {name: torch.tensor(value, device=reward.device).expand_as(reward) for name, reward in rewards.items()}


def seed_of(seed: int) -> int:
    """The seed, if it is one.

    Raises:
        ValueError: outside [0, 2^63).
    """
    if not 0 <= seed < 1 << 63:
        raise ValueError(f"seed must lie in [0, 2^63) (got {seed})")
    return seed
