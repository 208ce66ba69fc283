"""What checkpoints cost, and how long a run stands still when one of its actors is killed."""

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carbonray.runtime.bench_runtime_actor import process_of
from carbonray.runtime.bench_runtime_watch import Watch, asked, ensemble, law, played, typical
from carbonray.runtime.checkpoint import Place
from carbonray.runtime.distributed import Ensemble


def recovery(firms: int, shard: str | None, *, every: int) -> dict[str, Any]:
    """Cost of a checkpoint of `law` and its reference, and of an actor that is killed in the middle between two.

    Args:
        firms: of each of the two.
        shard: what an actor holds; see `placement.split`.
        every: steps between checkpoints.
    """
    play = law(firms, 4 * every, reference=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(f"{folder}/checkpoint")
        with ensemble(play, shard, Saved, place=place, every=every) as members:
            assert isinstance(members, Saved)
            watch = Killing(members, 2 * every + every // 2)
            played(members, watch)
            return {
                "firms": firms,
                "actors": len(members.splits),
                "every": every,
                "checkpoint_ms": statistics.median(members.saving_ms),
                "checkpoint_mb": members.bytes / 1e6,
                "step_ms": typical(watch.milliseconds(every))["median"],
                **watch.told(),
            }


class Saved(Ensemble):
    """An ensemble that takes the time and the size of its checkpoints."""

    def __init__(self, *given: Any) -> None:
        """As of any ensemble."""
        super().__init__(*given)
        self.saving_ms: list[float] = []
        self.bytes = 0

    def _checkpoint(self, step: int) -> None:
        started = time.monotonic()
        super()._checkpoint(step)
        self.saving_ms.append(1e3 * (time.monotonic() - started))
        assert self.place is not None
        self.bytes = sum(file.stat().st_size for file in Path(self.place.url).rglob("*.pt"))


class Killing(Watch):
    """A watch that kills the last actor at a step, and notes when the run goes on."""

    def __init__(self, members: Ensemble, at: int) -> None:
        """Wait for the step."""
        super().__init__()
        self.members, self.at = members, at
        self.processes: list[int] = []
        self.done: list[int] = []
        self.killed = 0  # stamps until then

    def __call__(self, done: int, of: int, so_far: Mapping[str, float]) -> None:
        """Take the time; at the step, kill."""
        super().__call__(done, of, so_far)
        self.done.append(done)
        if not self.processes:
            self.processes = asked(self.members, process_of)
        if done >= self.at and not self.killed:
            os.kill(self.processes[-1], signal.SIGKILL)
            self.killed = len(self.stamps)

    def told(self) -> dict[str, float]:
        """Seconds from the kill to the first step after it, and until all that was lost has been stepped again."""
        again = next(place for place in range(self.killed, len(self.done)) if self.done[place] <= self.done[place - 1])
        reached = self.done[again - 1]
        ahead = next(place for place in range(again, len(self.done)) if self.done[place] > reached)
        killed = self.stamps[self.killed - 1]
        return {
            "killed_at_step": self.done[self.killed - 1],
            "steps_lost": reached - self.done[again],
            "seconds_to_next_step": self.stamps[again] - killed,
            "seconds_to_catch_up": self.stamps[ahead] - killed,
        }
