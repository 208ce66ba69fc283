"""What distribution costs on this machine: steps on Ray beside bare barriers, one process, and a machine's ceiling.

Everything is measured in one run, and every step is one of the runtime that `simulate --on ray` uses.
"""

import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from carbonray.runtime import cluster
from carbonray.runtime.bench_runtime_barrier import beside
from carbonray.runtime.bench_runtime_faults import recovery
from carbonray.runtime.bench_runtime_large import job, rates
from carbonray.runtime.bench_runtime_scale import Grow, local_raylets, plot_scaling, scaling
from carbonray.runtime.bench_runtime_small import lone_firms
from carbonray.runtime.bench_runtime_text import print_runtime as print_runtime
from carbonray.runtime.bench_runtime_watch import equal_shards
from carbonray.runtime.processes import available
from carbonray.runtime.simulate import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    firms: int = 10_000  # of a small run
    actors: int = 8  # of a small run
    block: int = 40  # steps timed at a stretch
    shardings: tuple[tuple[str | None, bool], ...] = ((None, False), ("region", False), (None, True), ("region", True))
    large: int = 1_000_000  # firms of a large run
    large_steps: int = 30
    lone: int = 32  # firms that are an actor each
    job_steps: int = 100
    every: int = 10  # steps between checkpoints
    shards: tuple[int, ...] = (1, 2, 4, 8, 16)
    raylets: tuple[int, ...] = (1, 2, 4)


FULL = Sizes()
QUICK = Sizes(
    block=20,
    shardings=((None, False),),
    large=100_000,
    large_steps=15,
    job_steps=40,
    shards=(1, 4, 8),
    raylets=(1, 2),
)


def bench_runtime(*, quick: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """Measure what distribution costs.

    Args:
        quick: fewer firms, steps and shardings: to see that all works; the figures are rougher.
        progress: told what is under way.

    Returns:
        Machine, and a table for each question; `print_runtime` prints it, `plot_runtime` draws its costs by shards.
    """
    return measure(QUICK if quick else FULL, local_raylets, progress)


def measure(
    sizes: Sizes, growing: Callable[[], AbstractContextManager[Grow]], progress: Progress = silent
) -> dict[str, Any]:
    """Measure at any sizes.

    Args:
        sizes: of everything.
        growing: a cluster, for a while, that this process is connected to and that grows by raylets.
        progress: told what is under way.
    """
    told = machine()
    with cluster.connected():
        sections = _sections(sizes)
        found = {}
        for done, (name, section) in enumerate(sections.items()):
            progress("measuring", done, len(sections) + 1, name)
            found[name] = section()
    found["scaling"] = scaling(
        sizes.firms,
        sizes.block,
        shards=sizes.shards,
        raylets=sizes.raylets,
        growing=growing,
        progress=lambda note: progress("measuring", len(sections), len(sections) + 1, note),
    )
    progress("measuring", len(sections) + 1, len(sections) + 1)
    return {"machine": told | {"load_after": os.getloadavg()[0]}, **found}


def _sections(sizes: Sizes) -> dict[str, Callable[[], Any]]:
    equal = equal_shards(sizes.firms, sizes.actors)
    return {
        "barrier": lambda: [
            beside(sizes.firms, shard or equal, reference=reference, block=sizes.block)
            for shard, reference in sizes.shardings
        ],
        "lone_firms": lambda: lone_firms(sizes.lone, sizes.block),
        "recovery": lambda: [
            recovery(sizes.firms, equal, every=sizes.every),
            recovery(sizes.large, None, every=sizes.every),
        ],
        "rates": lambda: rates(sizes.large, sizes.large_steps),
        "job": lambda: job(sizes.large, sizes.job_steps),
    }


def machine() -> dict[str, Any]:
    """What is measured on."""
    return {
        "cores": available(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("ray", "torch", "numpy", "carbonray")},
        "load_before": os.getloadavg()[0],
    }


def plot_runtime(table: dict[str, Any], path: Path) -> None:
    """Draw the cost of a step against the number of shards and of raylets.

    Args:
        table: what `bench_runtime` gave.
        path: of the PNG file.
    """
    plot_scaling(table["scaling"], path)
