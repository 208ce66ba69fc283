"""Step a climate negotiation world through its century, and keep what its tables need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.runtime import inprocess, shard
from carbonray.runtime.inprocess import State
from carbonray.runtime.shard import RULES, Play, Policy, Recorded, Runtime, Tell, untold
from carbonray.worlds.climate_negotiation.parameters import FIRST_YEAR, YEARS_A_STEP
from carbonray.worlds.climate_negotiation.state import Commons, Regions
from carbonray.worlds.climate_negotiation.world import NegotiationWorld
from carbonray.worlds.world import Pool, Rows, Shocks

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The world after a step, or after reset."""

    rows: Mapping[str, Rows]  # the regions' accounts
    commons: Commons
    levels: Tensor | None = None  # [B, R, heads] that led here
    reward: Tensor | None = None  # [B, R]


def moments(
    worlds: Sequence[NegotiationWorld], *, seed: int = 0, replicas: int = 1, policy: Policy = RULES
) -> Iterator[list[Moment]]:
    """Worlds beside each other, after reset and after every step.

    Args:
        worlds: to be stepped; they differ in rules and in what binds them, and meet the same random numbers.
        seed: of every random number.
        replicas: parallel copies.
        policy: how regions behave.
    """
    first = worlds[0]
    ids = {"region": np.arange(first.count)}
    states = [inprocess.reset(world, seed, replicas, [ids]) for world in worlds]
    memories = [policy.begin(world, replicas, ids) for world in worlds]
    yield [_at_first(world, state) for world, state in zip(worlds, states, strict=True)]
    for number in range(_steps(first, policy)):
        shocks, now = first.shocks(seed, replicas, number, ids), shard.Moment(seed=seed, step=number, ids=ids)
        decided = [
            policy.decide(world, state.agents[0], state.commons, shocks, now, memory)
            for world, state, memory in zip(worlds, states, memories, strict=True)
        ]
        memories = [memory for _, memory in decided]
        levels = [each["region"] for each, _ in decided]
        seen = [_moved(*each, shocks) for each in zip(worlds, states, levels, strict=True)]
        states = [state for state, _ in seen]
        yield [moment for _, moment in seen]


def _steps(world: NegotiationWorld, policy: Policy) -> int:
    """As many as a world has, or as were recorded."""
    return len(policy.levels) if isinstance(policy, Recorded) else world.steps


def _at_first(world: NegotiationWorld, state: State[Regions, Commons]) -> Moment:
    _, outcome = world.settle(state.agents[0], state.commons, {})
    return Moment(rows=outcome.accounts.rows, commons=state.commons)


def _moved(
    world: NegotiationWorld, state: State[Regions, Commons], levels: Tensor, shocks: Shocks
) -> tuple[State[Regions, Commons], Moment]:
    step = inprocess.advance(world, state, [shocks], [np.arange(world.count)], [{"region": levels}])
    reward = step.rewards[0]["region"]
    return step.state, Moment(rows=step.rows, commons=step.state.commons, levels=levels, reward=reward)


@dataclass(frozen=True, kw_only=True)
class Century:
    """What a run leaves; axes T year (the first is the state before any step), B replica, R region."""

    names: tuple[str, ...]
    years: NDArray[np.int64]  # [T]
    regions: Mapping[str, Floats]  # [T, B, R] by name of the account
    temperature: Floats  # [T, B, 2] K
    carbon: Floats  # [T, B, 3] Gt C
    member: NDArray[np.bool_]  # [T, B, R]
    minimum_mitigation: Floats  # [T, B, R] in force during the step
    imports: Floats  # [T, R, R] of the first replica, importer, exporter
    tariffs: Floats  # [T, R, R] of the first replica, applied
    tariff_mean: Floats  # [T, B, R] applied, over the other regions
    interrupted: bool = False

    def world(self, name: str) -> Floats:
        """[T, B] the sum over regions."""
        return np.asarray(self.regions[name].sum(2))


@dataclass
class Kept:
    """What a recorder keeps of activity steps; all of it where the books are kept, nothing elsewhere."""

    regions: list[dict[str, Tensor]] = field(default_factory=list)  # [B, R] by name of the account
    commons: list[dict[str, Tensor]] = field(default_factory=list)  # by name of the fields of Century


@dataclass
class Recorder:
    """Collects what a Century is made of, step by step."""

    kept: Kept = field(default_factory=Kept)

    def add(self, agents: Regions, commons: Commons, accounts: Pool | None) -> None:
        """Take in a step; steps of negotiation leave nothing."""
        if accounts is not None and commons.activity > len(self.kept.commons):
            self.kept.regions.append(_regions(accounts.rows))
            self.kept.commons.append(_commons(commons))


def recorder_of(world: NegotiationWorld) -> Recorder:
    """A recorder of a world."""
    return Recorder()


def warming_so_far(kept: Sequence[Kept]) -> dict[str, float]:
    """Temperature of the atmosphere at last, mean of the replicas, K above 1900."""
    moments = kept[0].commons
    return {"temperature_c": float(moments[-1]["temperature"][:, 0].mean())} if moments else {}


def run(world: NegotiationWorld, *, seed: int = 0, replicas: int = 1, policy: Policy = RULES) -> Century:
    """Step one world to its end, or nothing: Ctrl-C is let through."""
    (century,) = together([world], seed=seed, replicas=replicas, policy=policy)
    if century.interrupted:
        raise KeyboardInterrupt
    return century


def together(
    worlds: Sequence[NegotiationWorld],
    *,
    seed: int = 0,
    replicas: int = 1,
    policy: Policy = RULES,
    runtime: Runtime = inprocess.IN_PROCESS,
    progress: Tell = untold,
) -> list[Century]:
    """Step worlds beside each other to the end, or until Ctrl-C: then the activity steps that all have done are kept.

    Args:
        worlds: with equal stages.
        seed: of every random number.
        replicas: parallel copies.
        policy: how regions behave.
        runtime: what steps the worlds.
        progress: told how many steps are done, of how many, and the warming so far.

    Raises:
        KeyboardInterrupt: if no step of activity was done yet.
    """
    play = Play(
        worlds=tuple(worlds),
        seed=seed,
        replicas=replicas,
        steps=_steps(worlds[0], policy),
        recorder=recorder_of,
        so_far=warming_so_far,
        policy=policy,
    )
    played = runtime.play(play, progress)
    whole = min(len(kept[0].commons) for kept in played.kept)
    if played.interrupted and not whole:
        raise KeyboardInterrupt(played.hint)
    return [
        _century(world, kept[0], whole, replicas=replicas, interrupted=played.interrupted)
        for world, kept in zip(worlds, played.kept, strict=True)
    ]


def _century(world: NegotiationWorld, kept: Kept, whole: int, *, replicas: int, interrupted: bool) -> Century:
    ids = {"region": np.arange(world.count)}
    start = _at_first(world, inprocess.reset(world, 0, replicas, [ids]))  # the same for all seeds
    regions = [_regions(start.rows), *kept.regions[:whole]]
    commons = [_commons(start.commons), *kept.commons[:whole]]
    return Century(
        names=tuple(world.parameters.names),
        years=FIRST_YEAR + YEARS_A_STEP * np.arange(whole + 1),
        regions={name: torch.stack([each[name] for each in regions]).numpy() for name in regions[0]},
        interrupted=interrupted,
        **{name: torch.stack([each[name] for each in commons]).numpy() for name in commons[0]},
    )


def _regions(rows: Mapping[str, Rows]) -> dict[str, Tensor]:
    return {name: _float(each.values) for name, each in rows.items() if each.values.dim() == 2}


def _commons(commons: Commons) -> dict[str, Tensor]:
    trade = commons.trade
    others = trade.tariffs.shape[-1] - 1
    own = torch.diagonal(trade.tariffs, dim1=1, dim2=2)
    return {
        "temperature": _float(commons.temperature),
        "carbon": _float(commons.carbon),
        "member": commons.treaty.member.cpu().clone(),
        "minimum_mitigation": _float(commons.treaty.minimum_mitigation),
        "imports": _float(trade.imports[0]),
        "tariffs": _float(trade.tariffs[0]),
        "tariff_mean": _float((trade.tariffs.sum(2) - own) / others),
    }


def _float(values: Tensor) -> Tensor:
    return values.to(torch.float64).cpu().clone()
