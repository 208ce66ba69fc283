"""A step of many shards beside the barrier of as many actors, with the same messages and with none.

One play turns by blocks from steps to the same exchanges without the work, and to a bare barrier, so that the three
share actors, caller and whatever else the machine does.  In the last block, clocks in the actors tell where its time
goes.
"""

import statistics
import time
from collections.abc import Mapping
from typing import Any

from carbonray.runtime import cluster
from carbonray.runtime.bench_runtime_actor import Answering, hold, read_clocks, release, start_clocks, worked
from carbonray.runtime.bench_runtime_watch import SETTLED, Watch, asked, ensemble, law, played, typical
from carbonray.runtime.distributed import Ensemble

BLOCKS = ("step", "payload", "step", "payload", "clocked")
"""In turn: steps, their exchange without the work, and steps with clocks in the actors."""
PARTS = ("clear", "merge", "pack", "firms", "records", "ray")
"""Where the actors' CPU time goes; `clear` is the same work in all of them."""


def beside(firms: int, shard: str, *, reference: bool = False, block: int = 40) -> dict[str, Any]:
    """Milliseconds of a step, of its exchange alone, and of a bare barrier of as many actors.

    Args:
        firms: of the scenario `law`.
        shard: what an actor holds; see `placement.split`.
        reference: whether the reference run is stepped beside it.
        block: steps timed at a stretch.
    """
    play = law(firms, len(BLOCKS) * (SETTLED + block + 1) + SETTLED, reference=reference)
    with ensemble(play, shard) as members:
        turns = Turns(members, block)
        played(members, turns)
        actors = len(members.splits)
    taken = {name: typical(each) for name, each in turns.taken.items()}
    step, payload, bare = (taken[name]["median"] for name in ("step", "payload", "bare"))
    return {
        "firms": firms,
        "worlds": len(play.worlds),
        "actors": actors,
        "shard": shard,
        "step_ms": step,
        "payload_ms": payload,
        "bare_ms": bare,
        "step_cpu_ms": statistics.fmean(turns.cpu_ms["step"]),
        "payload_cpu_ms": statistics.fmean(turns.cpu_ms["payload"]),
        "step_over_payload": step / payload,
        "step_over_bare": step / bare,
        "kb_to_all": turns.sizes["to_all"] / 1e3,
        "kb_of_letters": turns.sizes["letters"] / 1e3,
        "shares": shares(turns.clocks, taken["clocked"]["mean"]),
        "spread": taken,
    }


class Turns(Watch):
    """Turns a play from steps to bare exchanges and back, and takes the time of both."""

    def __init__(self, members: Ensemble, block: int) -> None:
        """Begin with steps."""
        super().__init__()
        self.members, self.block = members, block
        self.plan = list(BLOCKS)
        self.taken: dict[str, list[float]] = {name: [] for name in (*BLOCKS, "bare")}
        self.cpu_ms: dict[str, list[float]] = {name: [] for name in BLOCKS}
        self.clocks: list[dict[str, float]] = []
        self.sizes: dict[str, float] = {}
        self.before: list[tuple[int, float]] = []
        kind = members.ray.remote(num_cpus=0)(Answering)
        self.answering = [kind.remote() for _ in members.splits]
        self._barrier()

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take the time; after a block, turn to the next."""
        super().__call__(done, of, so_far)
        self.before = self.before or asked(self.members, worked)
        if self.plan and len(self.stamps) > SETTLED + self.block:
            ended = self.plan.pop(0)
            self.taken[ended].extend(self.milliseconds())
            self._turn(ended)
            self.stamps.clear()

    def _turn(self, ended: str) -> None:
        """Let the actors finish what they were handed, time the bare barrier, and begin the next block."""
        self._add_cpu(ended)
        if ended == "step":
            told = asked(self.members, hold)
            self.sizes = {name: statistics.fmean(each[name] for each in told) for name in told[0]}
        elif ended == "payload":
            asked(self.members, release)
        else:
            self.clocks = asked(self.members, read_clocks)
        if self.plan[:1] == ["clocked"]:
            asked(self.members, start_clocks)
        self.taken["bare"].extend(self._barrier() for _ in range(self.block))
        self.before = asked(self.members, worked)

    def _add_cpu(self, ended: str) -> None:
        """CPU time of all actors for each exchange of a block."""
        after = asked(self.members, worked)
        exchanges = after[0][0] - self.before[0][0]
        seconds = sum(then - now for (_, then), (_, now) in zip(after, self.before, strict=True))
        self.cpu_ms[ended].append(1e3 * seconds / exchanges)

    def _barrier(self) -> float:
        started = time.monotonic()
        self.members.ray.get([each.answer.remote() for each in self.answering])
        return 1e3 * (time.monotonic() - started)


def shares(clocks: list[dict[str, float]], step_ms: float) -> dict[str, float]:
    """Share of the cores' time of a step: CPU time of all actors, and what is left for the caller, Ray and waiting.

    Args:
        clocks: of each actor, seconds a step by part.
        step_ms: mean of the steps in which they ran.
    """
    whole = step_ms * cluster.cores()
    found = {name: 1e3 * sum(each[name] for each in clocks) / whole for name in PARTS}
    return found | {"rest": 1.0 - sum(found.values())}
