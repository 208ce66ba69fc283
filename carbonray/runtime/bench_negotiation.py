"""Speed of the climate negotiation world on this machine: region-steps per CPU-second, and where the time goes.

A region-step is one region in one activity step: decoding its levels, production, orders, matching, consumption, growth
and the climate.  CPU-seconds are those of the process; torch runs on one thread.
"""

import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carbonray.config_climate import NegotiationScenario
from carbonray.data.negotiation import negotiation_world
from carbonray.data.scenarios import load
from carbonray.runtime import exchange, inprocess
from carbonray.runtime.bench import copy_bandwidth, cpu_milliseconds, print_sizes, state_bytes
from carbonray.worlds.climate_negotiation.parameters import ACTIVITY_STEPS
from carbonray.worlds.climate_negotiation.world import NegotiationWorld
from carbonray.worlds.world import Shocks

SIZES = (1, 10, 100, 1_000)
STEPS = 200  # at least so many are timed
NOTHING = Shocks(agents={}, commons={})


def bench_negotiation(progress: Callable[[str, int, int], None] = lambda a, b, c: None) -> Any:
    """Measure the world at each number of replicas: given actions, scripted behaviour, and a whole negotiated round."""
    with inprocess.threads(1):
        bandwidth = copy_bandwidth()
        rows = []
        for done, replicas in enumerate(SIZES):
            progress("measuring", done, len(SIZES))
            rows.append(_measure(replicas, bandwidth))
        progress("measuring", len(SIZES), len(SIZES))
        return {
            "world": "climate-negotiation",
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "copy_bandwidth_gb_per_second": bandwidth / 1e9,
            "sizes": rows,
        }


def _measure(replicas: int, bandwidth: float) -> dict[str, Any]:
    world, single, treaty = _world("none"), _world("none", torch.float32), _world("bilateral")
    given = _seconds_a_step(world, replicas, _levels(world, replicas))
    regions = world.count * replicas
    held = _held(world, replicas) / regions
    rounds = 3 * _seconds_a_step(treaty, replicas, None)
    return {
        "replicas": replicas,
        "region_steps_per_cpu_second": regions / given,
        "region_steps_per_cpu_second_float32": regions / _seconds_a_step(single, replicas, _levels(single, replicas)),
        "region_steps_per_cpu_second_scripted": regions / _seconds_a_step(world, replicas, None),
        "region_rounds_per_cpu_second_negotiated": regions / rounds,
        "milliseconds_per_step": 1e3 * given,
        **_parts(world, replicas),
        "bytes_per_region_step": 2 * held,
        "share_of_copy_bandwidth": 2 * held * regions / given / bandwidth,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _world(protocol: str, dtype: torch.dtype = torch.float64) -> NegotiationWorld:
    scenario = load(f"climate-negotiation/{protocol}")
    assert isinstance(scenario, NegotiationScenario)
    return negotiation_world(scenario, dtype=dtype)


def _levels(world: NegotiationWorld, replicas: int) -> Tensor:
    """[steps, B, R, heads] int64 random levels, as a learner would hand them in; four steps, used in turn."""
    drawn = torch.Generator().manual_seed(0)
    return torch.randint(0, 10, (4, replicas, world.count, len(world.heads.sizes)), generator=drawn)


def _seconds_a_step(world: NegotiationWorld, replicas: int, levels: Tensor | None) -> float:
    ids = np.arange(world.count)
    episodes = -(-STEPS // world.steps) if replicas < SIZES[-1] else 3
    _episode(world, replicas, ids, levels)
    started = time.process_time()
    for _ in range(episodes):
        _episode(world, replicas, ids, levels)
    return (time.process_time() - started) / (episodes * world.steps)


def _episode(world: NegotiationWorld, replicas: int, ids: Any, levels: Tensor | None) -> Any:
    state = inprocess.reset(world, 0, replicas, [{"region": ids}])
    for step in range(world.steps):
        actions = None if levels is None else [{"region": levels[step % len(levels)]}]
        state = inprocess.advance(world, state, [NOTHING], [ids], actions).state
    return state


def _held(world: NegotiationWorld, replicas: int) -> float:
    """Bytes of the state of all regions and of the commons in the last year."""
    state = _episode(world, replicas, np.arange(world.count), _levels(world, replicas))
    assert state.commons.activity == ACTIVITY_STEPS
    return state_bytes((state.agents[0], state.commons))


def _parts(world: NegotiationWorld, replicas: int) -> dict[str, float]:
    """CPU milliseconds of each part of a step."""
    ids, actions = np.arange(world.count), {"region": _levels(world, replicas)[0]}
    state = inprocess.reset(world, 0, replicas, [{"region": ids}])
    state = inprocess.advance(world, state, [NOTHING], [ids], [actions]).state
    (agents,), commons = state.agents, state.commons
    acted, bid = world.act(agents, commons, actions, NOTHING)
    orders = exchange.alone(world.edges, bid)[0]
    matched = world.clear(commons, orders, NOTHING, 0)
    replied, account = world.reply(acted, matched, {}, NOTHING, 0)
    accounts = exchange.alone(world.edges, account)[0]
    repeats = 10 if replicas >= SIZES[-1] else 100
    return {
        "act_milliseconds": cpu_milliseconds(lambda: world.act(agents, commons, actions, NOTHING), repeats),
        "matching_milliseconds": cpu_milliseconds(lambda: world.clear(commons, orders, NOTHING, 0), repeats),
        "consumption_milliseconds": cpu_milliseconds(lambda: world.reply(acted, matched, {}, NOTHING, 0), repeats),
        "climate_milliseconds": cpu_milliseconds(lambda: world.clear(matched, accounts, NOTHING, 1), repeats),
        "settling_milliseconds": cpu_milliseconds(lambda: world.settle(replied, matched, {}), repeats),
        "observing_milliseconds": cpu_milliseconds(lambda: world.observe(agents, commons), max(1, repeats // 5)),
    }


def print_negotiation(table: Any) -> None:
    """Print what was measured."""
    title = f"climate-negotiation, 27 regions, {table['threads']} thread"
    columns = (
        ("replicas", "replicas", ",.0f"),
        ("region-steps per CPU-second", "region_steps_per_cpu_second", ".2e"),
        ("float32", "region_steps_per_cpu_second_float32", ".2e"),
        ("scripted", "region_steps_per_cpu_second_scripted", ".2e"),
        ("negotiated rounds", "region_rounds_per_cpu_second_negotiated", ".2e"),
        ("ms a step", "milliseconds_per_step", ".2f"),
        ("act", "act_milliseconds", ".2f"),
        ("match", "matching_milliseconds", ".2f"),
        ("consume", "consumption_milliseconds", ".2f"),
        ("climate", "climate_milliseconds", ".2f"),
        ("settle", "settling_milliseconds", ".2f"),
        ("observe", "observing_milliseconds", ".2f"),
        ("bytes per region-step", "bytes_per_region_step", ",.0f"),
        ("share of copy bandwidth", "share_of_copy_bandwidth", ".1%"),
        ("peak MiB", "peak_memory_mib", ",.0f"),
    )
    console = print_sizes(title, columns, table)
    console.print("float64 with given actions unless said otherwise; a negotiated round is three steps, scripted")
