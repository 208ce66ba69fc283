"""Cost of a step against the number of shards and of nodes, several nodes being raylets on this machine."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from carbonray.runtime import cluster
from carbonray.runtime.bench_runtime_watch import (
    SETTLED,
    Watch,
    ensemble,
    equal_shards,
    in_process,
    law,
    played,
    typical,
)
from carbonray.runtime.processes import available, crew
from carbonray.runtime.shard import Play

STORE = 300_000_000
"""Bytes of shared memory of each raylet."""
Grow = Callable[[int], None]
"""Brings a cluster to so many raylets."""


def scaling(
    firms: int,
    steps: int,
    *,
    shards: Sequence[int],
    raylets: Sequence[int],
    growing: Callable[[], AbstractContextManager[Grow]],
    progress: Callable[[str], None] = lambda note: None,
) -> dict[str, Any]:
    """Milliseconds of a step of `law` for every number of shards on every number of raylets that it can fill.

    Args:
        firms: of the scenario.
        steps: timed of each.
        shards: numbers of them.
        raylets: numbers of them, ascending.
        growing: a cluster, for a while, that this process is connected to.
        progress: told what is measured.
    """
    with crew(_median, firms, 1) as ask:
        alone = ask(steps).result()
    play, rows = law(firms, steps + SETTLED), []
    with growing() as grow:
        for nodes in raylets:
            grow(nodes)
            for number in (each for each in shards if each >= nodes):
                progress(f"{number} shards on {nodes} raylets")
                rows.append({"raylets": nodes, "shards": number, **_spread(play, equal_shards(firms, number))})
    return {"firms": firms, "in_process_ms": alone, "rows": rows}


def _median(firms: int, steps: int) -> float:
    return typical(in_process(law(firms, steps + SETTLED), 1).milliseconds())["median"]


def _spread(play: Play[Any, Any, Any], shard: str) -> dict[str, float]:
    watch = Watch()
    with ensemble(play, shard) as members:
        played(members, watch)
        used = len({member.node for member in members.members.values()})
    taken = typical(watch.milliseconds())
    return {"nodes_used": used, "step_ms": taken["median"], "p10": taken["p10"], "p90": taken["p90"]}


@contextmanager
def local_raylets() -> Iterator[Grow]:
    """A cluster on this machine whose raylets have a core each, and this process connected to it."""
    import ray
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": max(available() // 4, 1), "object_store_memory": STORE}
    inner: Any = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})

    def grow(number: int) -> None:
        for _ in range(number - len(cluster.nodes())):
            inner.add_node(**node)
        inner.wait_for_nodes()

    try:
        with cluster.undisturbed():
            ray.init(address=inner.address, log_to_driver=False, logging_level=logging.ERROR)
            yield grow
    finally:
        ray.shutdown()
        inner.shutdown()


def plot_scaling(table: dict[str, Any], path: Path) -> None:
    """Draw the cost of a step against the number of shards, a line for each number of raylets.

    Args:
        table: what `scaling` gave.
        path: of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator

    drawing = Figure(figsize=(7.6, 4.4), layout="constrained", facecolor="white")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots()
    for raylets in sorted({row["raylets"] for row in table["rows"]}):
        rows = [row for row in table["rows"] if row["raylets"] == raylets]
        label = f"{raylets} raylet{'s' if raylets > 1 else ''}"
        axes.plot([row["shards"] for row in rows], [row["step_ms"] for row in rows], marker="o", label=label)
    axes.axhline(table["in_process_ms"], color="0.4", linestyle="--", label="one process")
    ticks = sorted({row["shards"] for row in table["rows"]})
    axes.set(xscale="log", yscale="log", xlabel="shards", ylabel="milliseconds a step")
    axes.set_title(f"Cost of a step of {table['firms']:,} firms", loc="left", fontsize=11)
    axes.set_xticks(ticks, [str(each) for each in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    drawing.savefig(path, format="png", dpi=130, metadata={"Software": None})
