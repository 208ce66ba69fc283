"""Many firms on as many actors as cores: the rate beside that of one process, and a long job with its memory."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from carbonray.runtime import cluster
from carbonray.runtime.bench_runtime_actor import process_of
from carbonray.runtime.bench_runtime_memory import family, memory_of
from carbonray.runtime.bench_runtime_watch import SETTLED, Watch, asked, ensemble, in_process, law, played, typical
from carbonray.runtime.distributed import Ensemble
from carbonray.runtime.processes import crew

WARM = 3
"""Steps in one process before the time is taken."""
SAMPLES = 25
"""How often the memory of a job is read, at least."""


@dataclass(frozen=True, kw_only=True)
class Stint:
    """Steps that a side process takes in one go."""

    firms: int
    steps: int
    threads: int = 1


def rates(firms: int, steps: int) -> dict[str, Any]:
    """Firm-steps per second of `law` on Ray, in one process, and in processes that have nothing to do with each other.

    Args:
        firms: in all; the processes of the ceiling have an equal share each.
        steps: timed of each.
    """
    cores = cluster.cores()
    share = Stint(firms=firms // cores, steps=steps + WARM)
    (one,) = _together([Stint(firms=firms, steps=steps + WARM)])
    (threaded,) = _together([Stint(firms=firms, steps=steps + WARM, threads=cores)])
    ceiling = _together([share] * cores)
    on_ray = _on_ray(firms, steps)
    found = {
        "one_thread": firms / one,
        "threads": firms / threaded,
        "processes": sum(share.firms / each for each in ceiling),
        "ray": firms / on_ray,
    }
    best = max(found["one_thread"], found["threads"])
    return {
        "firms": firms,
        "cores": cores,
        "firm_steps_per_second": found,
        "ray_over_process": found["ray"] / best,
        "ray_over_ceiling": found["ray"] / found["processes"],
    }


def _together(stints: list[Stint]) -> list[float]:
    """Seconds a step of each, all stepped at the same time."""
    with crew(_stint, {}, len(stints)) as ask:
        ready = [ask(replace(each, steps=1)) for each in stints]
        for each in ready:
            each.result()
        return [answer.result() for answer in [ask(each) for each in stints]]


def _stint(held: dict[int, Any], stint: Stint) -> float:
    """Seconds a step, in a side process; the world is kept for the next stint."""
    if stint.firms not in held:
        held[stint.firms] = law(stint.firms, 400)
    watch = in_process(replace(held[stint.firms], steps=stint.steps), stint.threads)
    taken = watch.milliseconds(WARM)
    return typical(taken)["mean"] / 1e3 if taken else 0.0


def _on_ray(firms: int, steps: int) -> float:
    watch = Watch()
    with ensemble(law(firms, steps + SETTLED), None) as members:
        played(members, watch)
    return typical(watch.milliseconds())["mean"] / 1e3


class Weighed(Watch):
    """A watch that also reads the memory of the caller, of all actors and of the cluster that it started."""

    def __init__(self, members: Ensemble, steps: int) -> None:
        """Read so often in so many steps."""
        super().__init__()
        self.members, self.every = members, max(steps // SAMPLES, 1)
        self.processes: list[int] = []
        self.pss_mib: list[float] = []
        self.spent = 0.0

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take the time; every so often the memory."""
        super().__call__(done, of, so_far)
        if not self.processes:
            self.processes = asked(self.members, process_of)
        if done % self.every == 0:
            started = time.monotonic()
            held = [memory_of(each) for each in {*family(), *self.processes}]
            self.pss_mib.append(sum(each["pss"] for each in held))
            self.spent += time.monotonic() - started


def job(firms: int, steps: int) -> dict[str, Any]:
    """A run beside its reference on as many actors as cores, from nothing to its last step, and its memory.

    Args:
        firms: of each of the two.
        steps: of both.
    """
    begun = time.monotonic()
    play = law(firms, steps, reference=True)
    built = time.monotonic()
    with ensemble(play, None) as members:
        watch = Weighed(members, steps)
        played(members, watch)
        ended = time.monotonic()
    third = max(len(watch.pss_mib) // 3, 1)
    first, last = np.mean(watch.pss_mib[:third]), np.mean(watch.pss_mib[-third:])
    return {
        "firms": firms,
        "steps": steps,
        "actors": len(members.splits),
        "firm_steps": 2 * firms * steps,
        "seconds": ended - begun,
        "seconds_building": built - begun,
        "seconds_starting": watch.stamps[0] - built,
        "seconds_stepping": ended - watch.stamps[0],
        "seconds_weighing": watch.spent,
        "pss_mib_first_third": float(first),
        "pss_mib_last_third": float(last),
        "pss_mib_most": float(max(watch.pss_mib)),
        "growth": float(last / first - 1.0),
        "pss_mib": watch.pss_mib,
    }
