"""Step a climate negotiation world through its century, and keep what its tables need."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.runtime import inprocess
from carbonray.runtime.inprocess import State, threads
from carbonray.worlds.climate_negotiation.heads import Stage
from carbonray.worlds.climate_negotiation.parameters import FIRST_YEAR, YEARS_A_STEP
from carbonray.worlds.climate_negotiation.state import Commons, Regions
from carbonray.worlds.climate_negotiation.world import NegotiationWorld
from carbonray.worlds.world import Rows, Shocks

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The world after a step, or after reset."""

    rows: Mapping[str, Rows]  # the regions' accounts
    commons: Commons
    levels: Tensor | None = None  # [B, R, heads] that led here
    reward: Tensor | None = None  # [B, R]
    activity: bool = False  # whether the step was one of activity


def moments(
    worlds: Sequence[NegotiationWorld],
    *,
    seed: int = 0,
    replicas: int = 1,
    actions: NDArray[np.int64] | None = None,
) -> Iterator[list[Moment]]:
    """Worlds beside each other, after reset and after every step.

    Args:
        worlds: to be stepped; they differ in rules and in what binds them, and meet the same random numbers.
        seed: of every random number.
        replicas: parallel copies.
        actions: [step, region, head] recorded levels for all replicas; scripted behaviour if left out.
    """
    first = worlds[0]
    ids = {"region": np.arange(first.count)}
    states = [inprocess.reset(world, seed, replicas, [ids]) for world in worlds]
    yield [_at_first(world, state) for world, state in zip(worlds, states, strict=True)]
    for number in range(first.steps if actions is None else len(actions)):
        shocks = first.shocks(seed, replicas, number, ids)
        recorded = None if actions is None else torch.as_tensor(actions[number]).expand(replicas, -1, -1)
        seen = [_moved(world, state, shocks, recorded) for world, state in zip(worlds, states, strict=True)]
        states = [state for state, _ in seen]
        yield [moment for _, moment in seen]


def _at_first(world: NegotiationWorld, state: State[Regions, Commons]) -> Moment:
    _, outcome = world.settle(state.agents[0], state.commons, {})
    return Moment(rows=outcome.accounts.rows, commons=state.commons)


def _moved(
    world: NegotiationWorld, state: State[Regions, Commons], shocks: Shocks, recorded: Tensor | None
) -> tuple[State[Regions, Commons], Moment]:
    if recorded is None:
        levels = world.scripted(state.agents[0], state.commons, shocks)
    else:
        levels = recorded.to(state.commons.temperature.device)
    active = world.stage(state.commons) is Stage.ACTIVITY
    step = inprocess.advance(world, state, [shocks], [np.arange(world.count)], [levels])
    reward = step.rewards[0]["region"]
    return step.state, Moment(rows=step.rows, commons=step.state.commons, levels=levels, reward=reward, activity=active)


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
class _Kept:
    regions: list[dict[str, Floats]] = field(default_factory=list)
    commons: list[dict[str, Any]] = field(default_factory=list)


def run(
    world: NegotiationWorld,
    *,
    seed: int = 0,
    replicas: int = 1,
    actions: NDArray[np.int64] | None = None,
) -> Century:
    """Step one world to its end, or nothing: Ctrl-C is let through."""
    (century,) = together([world], seed=seed, replicas=replicas, actions=actions)
    if century.interrupted:
        raise KeyboardInterrupt
    return century


def together(
    worlds: Sequence[NegotiationWorld],
    *,
    seed: int = 0,
    replicas: int = 1,
    actions: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Century]:
    """Step worlds beside each other to the end, or until Ctrl-C: then the activity steps that all have done are kept.

    Args:
        worlds: with equal stages.
        seed: of every random number.
        replicas: parallel copies.
        actions: [step, region, head] recorded levels; scripted behaviour if left out.
        progress: told how many steps are done, and of how many.

    Raises:
        KeyboardInterrupt: if no step of activity was done yet.
    """
    kept, interrupted = [_Kept() for _ in worlds], False
    steps = worlds[0].steps if actions is None else len(actions)
    with threads(1):
        try:
            for done, seen in enumerate(moments(worlds, seed=seed, replicas=replicas, actions=actions)):
                for each, moment in zip(kept, seen, strict=True):
                    if moment.activity or done == 0:
                        _keep(each, moment)
                progress(done, steps)
        except KeyboardInterrupt:
            interrupted = True
    whole = min(len(each.commons) for each in kept)
    if interrupted and whole < 2:
        raise KeyboardInterrupt
    return [_century(world, each, whole, interrupted=interrupted) for world, each in zip(worlds, kept, strict=True)]


def _century(world: NegotiationWorld, kept: _Kept, whole: int, *, interrupted: bool) -> Century:
    regions, commons = kept.regions[:whole], kept.commons[:whole]
    return Century(
        names=tuple(world.parameters.names),
        years=FIRST_YEAR + YEARS_A_STEP * np.arange(whole),
        regions={name: np.stack([each[name] for each in regions]) for name in regions[0]},
        interrupted=interrupted,
        **{name: np.stack([each[name] for each in commons]) for name in commons[0]},
    )


def _keep(kept: _Kept, moment: Moment) -> None:
    commons, trade = moment.commons, moment.commons.trade
    others = trade.tariffs.shape[-1] - 1
    own = torch.diagonal(trade.tariffs, dim1=1, dim2=2)
    kept.regions.append({name: _array(rows.values) for name, rows in moment.rows.items() if rows.values.dim() == 2})
    kept.commons.append(
        {
            "temperature": _array(commons.temperature),
            "carbon": _array(commons.carbon),
            "member": commons.treaty.member.cpu().numpy(),
            "minimum_mitigation": _array(commons.treaty.minimum_mitigation),
            "imports": _array(trade.imports[0]),
            "tariffs": _array(trade.tariffs[0]),
            "tariff_mean": _array((trade.tariffs.sum(2) - own) / others),
        }
    )


def _array(values: Tensor) -> Floats:
    return values.to(torch.float64).cpu().numpy().copy()
