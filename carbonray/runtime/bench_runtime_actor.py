"""What `bench runtime` does inside an actor: let it speak without working, and take the time of the parts of a step.

Each function is called with a `ShardActor` between two of its turns.
"""

import os
import pickle
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from carbonray.runtime import exchange
from carbonray.runtime.actors import BOOKS, Pulse

CLOCKED = {"packed": "pack", "parcel": "pack", "merged": "merge", "opened": "merge"}
"""Functions of an exchange, and the part of a step that they are."""


class Answering:
    """An actor of the bare barrier."""

    def answer(self) -> int:
        """Nothing but an answer."""
        return 0


def process_of(actor: Any) -> int:
    """The number of the actor's process."""
    return os.getpid()


def niceness(actor: Any) -> int:
    """How far the actor's process gives way to others; Ray's workers do."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def worked(actor: Any) -> tuple[int, float]:
    """Exchanges so far, and CPU seconds of the actor's process."""
    return actor.turns, time.process_time()


def hold(actor: Any) -> dict[str, int]:
    """From the next turn on, say again what was said last, whatever is heard; the bytes of it."""
    parts = actor._said(None)

    def book(envelopes: object) -> Pulse | None:
        return Pulse(step=actor.turns, so_far={}, seconds=(0.0,)) if actor.place == BOOKS else None

    actor._book = book
    actor._heard = lambda pooled, envelopes: []
    actor._said = lambda pulse: parts if pulse is None else (*parts[:-1], pulse)
    actor.shard.hear = lambda heard: None
    sizes = [len(pickle.dumps(part, protocol=5)) for part in parts]
    return {"to_all": sizes[0], "letters": sum(sizes[1:])}


def release(actor: Any) -> None:
    """Go on from where it was held: what is heard first is what was said last."""
    for name in ("_book", "_heard", "_said"):
        delattr(actor, name)
    del actor.shard.hear


def start_clocks(actor: Any) -> None:
    """Take the CPU time of the parts of every step from now on."""
    taken = dict.fromkeys(("pack", "merge", "clear", "hear", "records"), 0.0)

    def clocked(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def timed(*given: Any, **named: Any) -> Any:
            started = time.thread_time()
            try:
                return call(*given, **named)
            finally:
                taken[part] += time.thread_time() - started

        return timed

    for name, part in CLOCKED.items():
        setattr(exchange, name, clocked(part, getattr(exchange, name)))
    kind: Any = type(actor.play.worlds[0])
    kind.clear = clocked("clear", kind.clear)
    actor.shard.hear = clocked("hear", actor.shard.hear)
    actor.shard.book = clocked("records", actor.shard.book)
    actor.taken, actor.since = taken, (actor.shard.boundary.step, time.process_time())


def read_clocks(actor: Any) -> dict[str, float]:
    """CPU seconds a step by part; `ray` is all that the process did beyond them."""
    first, started = actor.since
    steps, taken = actor.shard.boundary.step - first, actor.taken
    parts = {name: taken[name] for name in ("pack", "merge", "clear", "records")}
    parts["firms"] = taken["hear"] - taken["clear"]
    parts["ray"] = time.process_time() - started - sum(parts.values())
    return {name: seconds / steps for name, seconds in parts.items()}
