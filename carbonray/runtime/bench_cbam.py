"""Speed of the CBAM world on this machine: firm-steps per CPU-second, and where the time goes.

A firm-step is one firm taking one whole quarter: act, pooling, clearing, letters along the supply graph, settlement.
CPU-seconds are those of the process; torch runs on one thread, since a waiting thread burns CPU time too.
"""

import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from carbonray.data.scenarios import load
from carbonray.data.worlds import build_world
from carbonray.runtime import exchange, inprocess, pair
from carbonray.runtime.bench import copy_bandwidth, cpu_milliseconds, print_sizes, state_bytes
from carbonray.runtime.inprocess import State
from carbonray.worlds.cbam import CbamWorld
from carbonray.worlds.cbam.firms import totals_by_cell
from carbonray.worlds.world import Bid

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WARM_UP = 3
PAIR_FIRMS = 10_000


def bench_cbam(
    largest: int | None = None,
    economy: str | None = None,
    progress: Callable[[str, int, int], None] = lambda a, b, c: None,
) -> Any:
    """Measure the law scenario at each size up to `largest`, and its economies beside each other.

    Args:
        largest: number of firms; a million if left out.
        economy: on which the sizes are measured; the scenario's own if left out.
        progress: told what is under way.
    """
    with inprocess.threads(1):
        return _bench(largest or SIZES[-1], economy, progress)


def _bench(largest: int, economy: str | None, progress: Callable[[str, int, int], None]) -> Any:
    sizes = [size for size in SIZES if size <= largest]
    bandwidth = copy_bandwidth()
    rows = []
    for done, size in enumerate(sizes):
        progress("measuring", done, len(sizes) + 1)
        rows.append(_measure(size, bandwidth, economy))
    progress("measuring", len(sizes), len(sizes) + 1)
    scenario = load("law", (f"firms.number={PAIR_FIRMS}",), economy=economy)
    started = time.perf_counter()
    pair.run(scenario)
    seconds = time.perf_counter() - started
    progress("measuring", len(sizes) + 1, len(sizes) + 1)
    return {
        "scenario": "law",
        "economy": scenario.economy,
        "economies": compare_economies([size for size in (10_000, 100_000) if size <= largest]),
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "copy_bandwidth_gb_per_second": bandwidth / 1e9,
        "pair_10000_firms_40_steps_seconds": seconds,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sizes": rows,
    }


COMPARED = ("world-2026", "goods-2026")


def compare_economies(sizes: list[int], rounds: int = 3) -> list[dict[str, Any]]:
    """Milliseconds a step on 12 and on 16 sectors, measured in turn; the least of the rounds, and the ratio."""
    rows = []
    for size in sizes:
        least = dict.fromkeys(COMPARED, float("inf"))
        for _ in range(rounds):
            for economy in COMPARED:
                taken = _steps_per_cpu_second(size, 20, disrupted=False, economy=economy)["cpu_seconds_per_step"]
                least[economy] = min(least[economy], 1e3 * taken)
        few, many = least.values()
        rows.append({"firms": size, "milliseconds_12": few, "milliseconds_16": many, "ratio": many / few})
    return rows


def _measure(size: int, bandwidth: float, economy: str | None) -> dict[str, Any]:
    steps = 30 if size <= 100_000 else 8
    plain = _steps_per_cpu_second(size, steps, disrupted=False, economy=economy)
    struck = _steps_per_cpu_second(size, steps, disrupted=True, economy=economy)
    state: State[Any, Any] = plain["state"]
    world: CbamWorld = plain["world"]
    held = state_bytes(state.agents[0]) / size
    per_step = plain["cpu_seconds_per_step"]
    return {
        "firms": size,
        "firm_steps_per_cpu_second": size / per_step,
        "firm_steps_per_cpu_second_disrupted": size / struck["cpu_seconds_per_step"],
        "milliseconds_per_step": 1e3 * per_step,
        **_parts(world, state, size),
        "state_bytes_per_firm": held,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "share_of_copy_bandwidth": 2 * held * size / per_step / bandwidth,
    }


def _steps_per_cpu_second(size: int, steps: int, *, disrupted: bool, economy: str | None) -> dict[str, Any]:
    changes: dict[str, Any] = {"firms.number": size, "economy": economy}
    if disrupted:
        changes["disruptions.outage_rate"] = 0.005
    world = build_world(load("law", (), **changes))
    ids = np.arange(size)
    state = inprocess.reset(world, 0, 1, [{"firm": ids}])
    shocks = [world.shocks(0, 1, step, {"firm": ids}) for step in range(steps + WARM_UP)]
    started = 0.0
    for step, shock in enumerate(shocks):
        if step == WARM_UP:
            started = time.process_time()
        state = inprocess.advance(world, state, [shock], [ids]).state
    return {
        "cpu_seconds_per_step": (time.process_time() - started) / steps,
        "world": world,
        "state": state,
    }


def _parts(world: CbamWorld, state: State[Any, Any], size: int) -> dict[str, float]:
    """CPU milliseconds of clearing, pooling and letters in a step; the firms have the rest."""
    ids = np.arange(size)
    (agents,), commons = state.agents, state.commons
    shocks = world.shocks(0, 1, commons.step, {"firm": ids})
    agents, bid = world.act(agents, commons, world.scripted(agents, commons, shocks), shocks)
    pool, _ = exchange.alone(world.edges, bid)
    values = {
        "output": agents.output,
        "emissions": agents.intensity * agents.output,
        "charge": agents.charge * agents.output,
        "scale": agents.scale * agents.output,
        "stock": agents.stock,
        "embodied": agents.embodied * agents.output,
    }
    repeats = 10 if size <= 100_000 else 3
    return {
        "clearing_milliseconds": cpu_milliseconds(lambda: world.clear(commons, pool, shocks, 0), repeats),
        "pooling_milliseconds": cpu_milliseconds(
            lambda: exchange.alone(world.edges, Bid(totals=totals_by_cell(agents.shard, values, world.bounds))), repeats
        ),
        "mail_milliseconds": cpu_milliseconds(lambda: exchange.alone(world.edges, Bid(letters=bid.letters)), repeats),
        "firms_milliseconds": cpu_milliseconds(lambda: _firms(world, state, shocks, ids, pool), repeats),
    }


def _firms(world: CbamWorld, state: State[Any, Any], shocks: Any, ids: Any, pool: Any) -> None:
    rule = world.scripted(state.agents[0], state.commons, shocks)
    agents, _ = world.act(state.agents[0], state.commons, rule, shocks)
    mail = {"embodied": torch.zeros(1, *world.edges.shape, dtype=torch.float64)}
    world.settle(agents, state.commons, mail)


def print_cbam(table: Any) -> None:
    """Print what was measured."""
    title = f"law on {table['economy']}, float64, {table['threads']} thread"
    columns = (
        ("firms", "firms", ",.0f"),
        ("firm-steps per CPU-second", "firm_steps_per_cpu_second", ".2e"),
        ("with disruptions", "firm_steps_per_cpu_second_disrupted", ".2e"),
        ("ms a step", "milliseconds_per_step", ".2f"),
        ("clearing ms", "clearing_milliseconds", ".2f"),
        ("pooling ms", "pooling_milliseconds", ".2f"),
        ("firms ms", "firms_milliseconds", ".2f"),
        ("mail ms", "mail_milliseconds", ".2f"),
        ("bytes per firm", "state_bytes_per_firm", ",.0f"),
        ("share of copy bandwidth", "share_of_copy_bandwidth", ".1%"),
        ("peak MiB", "peak_memory_mib", ",.0f"),
    )
    console = print_sizes(title, columns, table)
    console.print(f"10,000 firms x 40 steps, policy and reference: {table['pair_10000_firms_40_steps_seconds']:.2f} s")
    for row in table["economies"]:
        console.print(
            f"{row['firms']:,} firms: {row['milliseconds_12']:.2f} ms a step on 12 sectors, "
            f"{row['milliseconds_16']:.2f} ms on 16, {row['ratio']:.2f} times"
        )
