"""What a learner needs of a world: who decides what, for whose sake, and in which units.

Axes: B replica, n learning agent, F feature, H head, L level, G team.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.config import ScenarioError
from carbonray.learn.networks import Heads, Shape
from carbonray.learn.policy import Trained, blend
from carbonray.runtime import inprocess
from carbonray.runtime.shard import Policy, Rules
from carbonray.worlds import draws
from carbonray.worlds.world import Observation, Role, World, WorldError

TEAMS = ("agent", "sector", "region", "economy")
"""Who may share a reward."""
PROBED = 40
"""Steps at most in which features and rewards are met before training."""
TRAITS = 64
"""Kinds at most that are told apart when the parts of a team's value are weighed."""
ALONE_DRAW = 4000


class ProblemError(ScenarioError):
    """A world or choice that cannot be trained; one line."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Agents of one role of a world who learn, and the others who follow a policy.

    Where several roles learn at once, each has a problem of its own, in the same worlds and with the same others.
    With the team `agent` everybody earns for itself: firms compete.  With `economy` they share one purse: they collude,
    as no cartel office would allow.  `sector` and `region` lie between.  The sum by which VDN values a team cannot
    represent every game: see the climbing game in tests/learning.
    """

    worlds: tuple[World[Any, Any, Any], ...]  # where they learn: a scenario's, and perhaps its reference
    role: str
    ids: NDArray[np.int64]  # [n] ascending, who learns
    team: str
    others: Policy  # what all agents follow who do not learn, of any role
    start: Trained | None  # whose weights the networks begin with; see `Method.begin` where left out
    team_of: Tensor  # [n] int64 in [0, G)
    stake: Tensor  # [n] unit of each agent's reward
    kind_of: Tensor  # [n] int64, of the first kind that the role knows; all alike if it knows none
    traits: Tensor  # [n, K] float32, what the weights of a team's value are made from
    mean: Tensor  # [F] float32 of the features
    deviation: Tensor  # [F] float32, mean absolute
    reward_scale: float  # mean absolute deviation of rewards per stake

    @property
    def world(self) -> World[Any, Any, Any]:
        """The first of the worlds; the others have the same roles."""
        return self.worlds[0]

    @property
    def n(self) -> int:
        """Learning agents."""
        return len(self.ids)

    @property
    def teams(self) -> int:
        """G."""
        return int(self.team_of.max()) + 1

    @property
    def whole(self) -> bool:
        """Whether all agents of the role learn."""
        return self.n == self.spec.count

    @property
    def spec(self) -> Role:
        """The role."""
        return self.world.roles[self.role]

    @property
    def heads(self) -> Heads:
        """What an agent decides."""
        return Heads(self.spec.heads)

    @property
    def decisions(self) -> int:
        """Decisions of an agent in an episode."""
        return -(-self.world.steps // self.spec.every)

    @property
    def share(self) -> Tensor:
        """[n] float32 share of each agent in the stakes of its team."""
        return (self.stake / self.by_team(self.stake)[self.team_of]).to(torch.float32)

    def by_team(self, values: Tensor) -> Tensor:
        """[..., G] sums of values [..., n]."""
        total = values.new_zeros(*values.shape[:-1], self.teams)
        return total.index_add_(-1, self.team_of.to(values.device), values)

    def shape(self, hidden: int, *, recurrent: bool = False) -> Shape:
        """Of a network that decides for these agents."""
        return Shape(features=self.spec.features, heads=self.spec.heads, hidden=hidden, recurrent=recurrent)

    def to(self, device: str, worlds: tuple[World[Any, Any, Any], ...] | None = None) -> "Problem":
        """The same on another device, where its worlds may be already."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: value.to(device) for name, value in tensors.items()}
        return replace(self, worlds=worlds or tuple(_moved(world, device) for world in self.worlds), **moved)


def moved(problems: Sequence[Problem], device: str) -> list[Problem]:
    """Problems in the same worlds, on another device."""
    first = problems[0].to(device)
    return [first, *(problem.to(device, first.worlds) for problem in problems[1:])]


def alike(world: Any, replicas: int) -> Any:
    """A world whose replicas meet the same luck, where it knows how.

    One agent among none of its kind learns what its choices did from how replicas of an episode differ; what luck does
    to a whole economy is many times that.
    """
    return world.alike(replicas) if hasattr(world, "alike") else world


def _moved(world: Any, device: str) -> Any:
    """A world on another device, where it knows of devices."""
    return world.to(device) if hasattr(world, "to") else world


def problem_of(
    world: World[Any, Any, Any],
    *,
    beside: Sequence[World[Any, Any, Any]] = (),
    role: str | None = None,
    team: str = "agent",
    ids: NDArray[np.int64] | None = None,
    others: Policy | None = None,
    start: Trained | None = None,
    seed: int = 0,
) -> Problem:
    """Prepare worlds for training: features and rewards are met in an episode of rules and one of random choices.

    Args:
        world: where agents learn.
        beside: further worlds with the same roles where they learn too, such as a reference.
        role: who; may be left out where there is one.
        team: who shares a reward: agent, economy, or a kind that the role knows.
        ids: [n] ascending, which agents of the role learn; all if left out.
        others: what the rest follows; rules if left out.
        start: a policy of these agents from which they go on.
        seed: of what is met.

    Raises:
        ProblemError: if the world has no such role or kind.
    """
    role = role_of(world, role)
    spec = world.roles[role]
    if team not in ("agent", "economy", *spec.kinds):
        raise ProblemError(f"--team {team}: {role}s know {', '.join(('agent', *spec.kinds, 'economy'))}")
    mine = np.arange(spec.count) if ids is None else np.unique(np.asarray(ids, dtype=np.int64))
    if not len(mine) or mine[0] < 0 or mine[-1] >= spec.count:
        raise ProblemError(f"ids: give some of the {role}s 0 to {spec.count - 1}")
    stake = torch.ones(spec.count) if spec.stake is None else spec.stake.cpu()
    stake = stake[mine].to(torch.float64)
    worlds = (world, *beside)
    mean, deviation, reward_scale = _met(worlds, role, mine, stake, seed)
    kinds = {name: _numbered(kind.cpu()[mine]) for name, kind in spec.kinds.items()}
    everyone = torch.zeros(len(mine), dtype=torch.int64)
    team_of = {"agent": torch.arange(len(mine)), "economy": everyone, **kinds}[team]
    return Problem(
        worlds=worlds,
        role=role,
        ids=mine,
        team=team,
        others=others or Rules(),
        start=start,
        team_of=team_of,
        stake=stake,
        kind_of=next(iter(kinds.values()), everyone),
        traits=_traits(stake, kinds),
        mean=mean,
        deviation=deviation,
        reward_scale=reward_scale,
    )


def spread(world: World[Any, Any, Any], role: str, number: int, seed: int) -> NDArray[np.int64]:
    """[number] ascending ids, drawn with a seed: one of every cell, in which all kinds are alike, before any second.

    So the few who learn among many hardly meet in a market, and none of them counts on what the others learn.

    Raises:
        ProblemError: if there are fewer agents.
    """
    spec = world.roles[role]
    if not 0 < number <= spec.count:
        raise ProblemError(f"--alone {number}: there are {spec.count} {role}s")
    everyone = np.arange(spec.count)
    kinds = [kind.cpu().numpy() for kind in spec.kinds.values()] or [np.zeros_like(everyone)]
    cell = np.unique(np.stack(kinds), axis=1, return_inverse=True)[1].ravel()
    within, between = (draws.uniform(seed, 0, 0, ALONE_DRAW + part, everyone) for part in (0, 1))
    by_cell = np.lexsort((within, cell))
    turn = np.empty_like(everyone)
    turn[by_cell] = everyone - np.searchsorted(cell[by_cell], cell[by_cell])
    return np.sort(np.lexsort((between, turn))[:number])


def role_of(world: World[Any, Any, Any], role: str | None) -> str:
    """The role that is asked for, or the only one.

    Raises:
        ProblemError: if there is no such role, or there are several and none is asked for.
    """
    names = list(world.roles)
    if role is None and len(names) > 1:
        raise ProblemError(f"--role: choose one of {', '.join(names)}")
    if role is not None and role not in names:
        raise ProblemError(f"--role {role}: this world has {', '.join(names)}")
    return role or names[0]


def _numbered(kind: Tensor) -> Tensor:
    """Kinds that occur, numbered from 0."""
    numbers: Tensor = torch.unique(kind, return_inverse=True)[1]
    return numbers


def _traits(stake: Tensor, kinds: Mapping[str, Tensor]) -> Tensor:
    """Log of the stake, standardised, and the kinds one-hot."""
    size = stake.log()
    columns = [((size - size.mean()) / size.std(correction=0).clamp(min=1.0))[:, None]]
    columns += [torch.nn.functional.one_hot(kind) for kind in kinds.values() if int(kind.max()) < TRAITS]
    return torch.cat([column.to(torch.float32) for column in columns], 1)


def _met(
    worlds: Sequence[World[Any, Any, Any]], role: str, ids: NDArray[np.int64], stake: Tensor, seed: int
) -> tuple[Tensor, Tensor, float]:
    """Mean and deviation of the features, and the deviation of what a decision earns per stake.

    Under rules and random choices.
    """
    rng = torch.Generator().manual_seed(seed)
    episodes = [list(episode(world, seed, chance, rng)) for world, chance in product(worlds, (0.0, 1.0))]
    looks = [moment.looks[role] for met in episodes for moment in met if role in moment.looks]
    features = torch.cat([look.values[0, ids].cpu() for look in looks]).to(torch.float64)
    every = worlds[0].roles[role].every
    earned = [torch.stack([moment.rewards[role][0, ids].cpu() for moment in met]) for met in episodes if met]
    rewards = torch.cat([part.sum(0) / stake for rewards in earned for part in torch.split(rewards, every)])
    deviation = (rewards - rewards.mean()).abs().mean().item()
    spread = (features - features.mean(0)).abs().mean(0)
    spread = torch.where(spread > 1e-6, spread, 1.0)
    scale = deviation if deviation > 1e-9 else 1.0
    return features.mean(0).to(torch.float32), spread.to(torch.float32), scale


@dataclass(frozen=True, kw_only=True)
class Met:
    """A step of an episode of one replica, as it was met before any training."""

    looks: Mapping[str, Observation]  # by role, what those saw who decided in this step
    ruled: Mapping[str, Any]  # by role, what everybody would have done by the rules
    rewards: Mapping[str, Tensor]  # by role, of what they did


def episode(world: World[Any, Any, Any], seed: int, chance: float, rng: torch.Generator) -> Iterator[Met]:
    """The first steps of an episode of rules, in which some choices are left to chance.

    Args:
        world: which is met.
        seed: of its shocks.
        chance: share of agents at each decision who choose anything legal; the episode then ends early if that brings
            the world to an impossible state.
        rng: of these choices.

    Raises:
        WorldError: if rules alone bring the world to an impossible state.
    """
    everyone = {name: np.arange(role.count) for name, role in world.roles.items()}
    edges = np.arange(world.edges.shape[1])
    state = inprocess.reset(world, seed, 1, [everyone])
    choices: dict[str, Tensor] = {}
    who: dict[str, Tensor] = {}
    for step in range(min(world.steps, PROBED)):
        agents, commons = state.agents[0], state.commons
        shocks = world.shocks(seed, 1, step, everyone)
        seen = world.observe(agents, commons)
        looks = {name: look for name, look in seen.items() if step % world.roles[name].every == 0}
        actions = ruled = world.scripted(agents, commons, shocks)
        if chance:
            choices |= any_legal(world, looks, rng)
            who |= _strays(looks, chance, rng)
            actions = {name: blend(own, ruled[name], who[name]) for name, own in world.decode(choices).items()}
        try:
            taken = inprocess.advance(world, state, [shocks], [edges], [actions])
        except WorldError:
            if not chance:
                raise
            return
        yield Met(looks=looks, ruled=ruled, rewards=taken.rewards[0])
        state = taken.state


def any_legal(world: World[Any, Any, Any], looks: Mapping[str, Observation], rng: torch.Generator) -> dict[str, Tensor]:
    """[B, n, H] random legal levels by role, for everybody."""
    choices = {}
    for name, look in looks.items():
        heads = Heads(world.roles[name].heads)
        uniform = torch.rand(*look.mask.shape[:2], len(heads.sizes), generator=rng)
        choices[name] = heads.any_of(look.mask.cpu(), uniform).to(look.mask.device)
    return choices


def _strays(looks: Mapping[str, Observation], share: float, rng: torch.Generator) -> dict[str, Tensor]:
    """[B, n] bool by role, a random share of the agents; all if it is 1, without a draw."""
    found = {}
    for name, look in looks.items():
        shape = look.values.shape[:2]
        stray = torch.ones(shape, dtype=torch.bool) if share >= 1 else torch.rand(shape, generator=rng) < share
        found[name] = stray.to(look.values.device)
    return found
