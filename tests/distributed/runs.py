"""Small runs that distributed tests share, and their bytes."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from carbonray.config import Scenario
from carbonray.data.scenarios import load
from carbonray.kpi.history import History
from carbonray.runtime import pair
from carbonray.runtime.shard import Runtime
from carbonray.worlds.cbam import Economy

REGIONS, SECTORS = ("EU26", "ROW"), ("MET", "SRV")
CHANGES: dict[str, Any] = {
    "economy": "tiny",
    "growth": {"EU26": 0.013, "ROW": 0.03},
    "partners.price": {},
    "market.final_demand": {},
    "firms.number": 20,
    "years": 1,
}
STRUCK = {"disruptions.outage_rate": 0.05}
"""Deliveries fail: three rounds, and letters both ways."""
LEARNED = {"firms.learned": True}
"""Letters of actions both ways."""


def summed(economy: Economy, sectors: tuple[str, ...] = SECTORS) -> Economy:
    """A table summed to 2 regions and a few sectors."""

    def merged(codes: tuple[str, ...], kept: tuple[str, ...]) -> np.ndarray:
        return np.eye(len(kept))[:, [kept.index(code) if code in kept else len(kept) - 1 for code in codes]]

    regions, summed_sectors = merged(economy.regions, REGIONS), merged(economy.sectors, sectors)
    cells = np.kron(regions, summed_sectors)
    return Economy(
        regions=REGIONS,
        sectors=sectors,
        year=economy.year,
        transactions=cells @ economy.transactions @ cells.T,
        final_demand=cells @ economy.final_demand @ regions.T,
        emissions=cells @ economy.emissions,
    )


def scenario(**changes: Any) -> Scenario:
    """The law on the tiny economy, 20 firms and a year unless changed."""
    made = load("law", **(CHANGES | changes))
    assert isinstance(made, Scenario)
    return made


def run(economy: Economy, runtime: Runtime | None = None, tell: Any = None, **changes: Any) -> dict[str, bytes]:
    """The bytes of a run beside its reference."""
    given = {} if runtime is None else {"runtime": runtime}
    if tell is not None:
        given["progress"] = tell
    return bytes_of(pair.run(scenario(**changes), economy=economy, **given))


def bytes_of(found: pair.Pair) -> dict[str, bytes]:
    """Every array of both sides by name, as bytes."""
    return {
        f"{side}.{name}": values.tobytes()
        for side in ("policy", "reference")
        for name, values in _arrays(getattr(found, side))
    }


def _arrays(history: History) -> Iterator[tuple[str, np.ndarray]]:
    for item in fields(history):
        yield from arrays(item.name, getattr(history, item.name))


def arrays(name: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of nested mappings by dotted name."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from arrays(f"{name}.{key}", each)
    else:
        yield name, np.asarray(value)


def actor_pids(cluster: Any) -> list[int]:
    """Processes of the shards that live now."""
    from ray.util.state import list_actors

    wanted = [("class_name", "=", "ShardActor"), ("state", "=", "ALIVE")]
    found = list_actors(address=cluster.jobs_url, filters=wanted)
    return sorted(int(each.pid) for each in found if each.pid)


def until(met: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so.

    Raises:
        TimeoutError: if it is not in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = met()
        if found:
            return found
        time.sleep(0.005)
    raise TimeoutError(f"not within {seconds} s: {met}")


class KillAt:
    """Told the progress of a run, sends a signal to a shard's process once at each of some steps."""

    def __init__(self, cluster: Any, steps: list[int], seed: int = 0, what: int = signal.SIGKILL) -> None:
        self.cluster, self.rng = cluster, np.random.default_rng(seed)
        self.steps, self.what = sorted(steps), what
        self.struck: list[tuple[int, int]] = []  # step, pid

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        if self.steps and done >= self.steps[0]:
            self.steps.pop(0)
            pid = int(self.rng.choice(actor_pids(self.cluster)))
            self.struck.append((done, pid))
            os.kill(pid, self.what)
