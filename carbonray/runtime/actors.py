"""A shard of agents as a Ray actor: a shell around `Shard` that packs what it says and unpacks what it hears.

Each turn of an actor takes what all shards said in the last exchange, goes on in every world, and returns what it says
in the next: one object for everybody, and one for each shard that its letters concern.  The caller passes references to
these objects on and never opens them; Ray itself carries those under 100 KB through the caller's process.
"""

import platform
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from typing import Any

import numpy as np
import torch

from carbonray.runtime import checkpoint, exchange
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.exchange import Packed, Parcel
from carbonray.runtime.gauges import Gauges
from carbonray.runtime.inprocess import threads
from carbonray.runtime.memory import keep_memory
from carbonray.runtime.shard import Heard, Play, Shard
from carbonray.worlds.world import Bid, Ids, Mail, Pool

BOOKS = 0
"""The shard that keeps the books."""
Sealed = tuple[bytes, list[Any]]  # a pickle, and the arrays that were left out of it


class StepError(RuntimeError):
    """A step that failed: one line with the shard, the step and what went wrong there."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What one shard tells another: letters and, for the one that keeps the books, accounts of the last step."""

    letters: list[Parcel] | None  # by world; None where no edge links the two
    accounts: list[Packed] | None  # by world
    seconds: float  # that the sender computed in this step


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What the caller may know of a step."""

    step: int
    so_far: Mapping[str, float]
    seconds: tuple[float, ...]  # computed by each shard in the step


def seal(play: Play[Any, Any, Any]) -> Sealed:
    """A play whose tensors are arrays that all actors of a node map from shared memory."""
    from ray.cloudpickle import CloudPickler

    class Sealer(CloudPickler):
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                return torch.from_numpy, (value.detach().cpu().contiguous().numpy(),)
            return super().reducer_override(value)  # type: ignore[no-untyped-call]

    buffers: list[Any] = []
    content = BytesIO()
    Sealer(content, protocol=5, buffer_callback=buffers.append).dump(play)  # type: ignore[no-untyped-call]
    return content.getvalue(), [np.frombuffer(each.raw(), np.uint8) for each in buffers]


def unseal(sealed: Sealed) -> Play[Any, Any, Any]:
    """The play, its tensors read-only."""
    import pickle

    content, arrays = sealed
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return pickle.loads(content, buffers=arrays)  # type: ignore[no-any-return]


class ShardActor:
    """The agents of one shard; its methods are called in turn by one caller."""

    def __init__(self, place: int, name: str, run: str) -> None:
        """A number and two names, so that it can be made anew anywhere."""
        self.place, self.name = place, name
        self.gauges = Gauges(run, name)
        self.turns = -1
        self._broken, self._failure = "", ""

    @staticmethod
    def versions() -> dict[str, str]:
        """What must be the same on all machines for equal bytes: libraries, and the kind of CPU."""
        versions = {name: metadata.version(name) for name in ("carbonray", "torch", "numpy")}
        return versions | {"python": platform.python_version(), "cpu": torch.backends.cpu.get_cpu_capability()}

    def build(self, sealed: Sealed, ids: Sequence[Ids]) -> list[int]:
        """Take in what is played; the shards to which this one writes."""
        keep_memory()
        warnings.filterwarnings("ignore", message=".*not writable.*")
        self._threads = threads(1)  # for good: looking for libraries costs as much as a step of 1,000 firms
        self._threads.__enter__()
        self.play = unseal(sealed)
        self.ids = ids
        self.shard = Shard(self.play, ids[self.place])
        at_edges = [next(iter(mine.values())) for mine in ids]
        self.routes = exchange.routes(self.play.worlds[0].edges.numpy(), at_edges, self.place)
        others = (other for other in range(len(ids)) if other != self.place)
        self.receivers = [other for other in others if self.routes.linked(other) or other == BOOKS]
        return self.receivers

    def begin(self, writers: Sequence[int], place: Place | None = None, at: Commit | None = None) -> int:
        """Open a step, the first or the one after a checkpoint; its number.

        Args:
            writers: the shards that write to this one.
            place: of the checkpoint.
            at: the checkpoint.
        """
        self.writers = writers
        self._broken, self._failure = "", ""
        with self._named():
            self.shard.begin()
            if place is not None and at is not None:
                self.shard.begin(checkpoint.load(place, self.place, at, self.shard.boundary))
            self.turns = self.shard.boundary.step * self.play.rounds
            self._seconds = 0.0
            return self.shard.boundary.step

    def say(self) -> tuple[Any, ...]:
        """The first bid of the step that is open."""
        return self._said(None)

    def turn(self, number: int, *said: Any) -> tuple[Any, ...]:
        """Hear what all said, go on, and say the next bid.

        Args:
            number: of the exchange, counted from the first step.
            said: what each other shard said to all, then what each writer said to this one.
        """
        if number != self.turns:
            raise RuntimeError(f"shard {self.name} was asked for exchange {number} while at {self.turns}")
        started = time.perf_counter()
        with self._named():
            others = len(self.ids) - 1
            pooled, envelopes = list(said[:others]), dict(zip(self.writers, said[others:], strict=True))
            pulse = self._book(envelopes)
            if self.shard.bids:
                pooled.insert(self.place, self._pooled)
                self.shard.hear(self._heard(pooled, envelopes))
                self.turns += 1
            self._seconds += time.perf_counter() - started
            return self._said(pulse)

    def _book(self, envelopes: Mapping[int, Envelope]) -> Pulse | None:
        """Record the last step, if this is the first exchange after it."""
        own = self.shard.boundary.unbooked
        if not own:
            return None
        accounts: list[Pool | None] = [None for _ in own]
        seconds: tuple[float, ...] = (self._seconds,)
        if self.place == BOOKS:
            parts = [self._accounts, *(each.accounts for each in envelopes.values())]
            accounts = [
                exchange.merged(bid, [part[world] for part in parts if part is not None])
                for world, bid in enumerate(own)
            ]
            seconds = (self._seconds, *(each.seconds for each in envelopes.values()))
        self.shard.book(accounts)
        self.gauges.shard(self._seconds)
        self._seconds = 0.0
        if self.place != BOOKS:
            return None
        so_far = self.play.so_far([recorder.kept for recorder in self.shard.recorders])
        self.gauges.run(self.shard.boundary.step, so_far)
        return Pulse(step=self.shard.boundary.step, so_far=so_far, seconds=seconds)

    def _heard(self, pooled: Sequence[list[Packed]], envelopes: Mapping[int, Envelope]) -> list[Heard]:
        heard: list[Heard] = []
        for world, bid in enumerate(self.shard.bids):
            pool = exchange.merged(bid, [part[world] for part in pooled])
            mail: Mail = {}
            if bid.letters:
                parcels: list[Parcel | None] = []
                for other in range(len(self.ids)):
                    letters = self._own if other == self.place else self._letters_of(envelopes.get(other))
                    parcels.append(None if letters is None else letters[world])
                mail = exchange.opened(bid.letters, self.routes, self.shard.count, parcels)
            heard.append((pool, mail))
        return heard

    @staticmethod
    def _letters_of(envelope: Envelope | None) -> list[Parcel] | None:
        return None if envelope is None else envelope.letters

    def _said(self, pulse: Pulse | None) -> tuple[Any, ...]:
        """For all, for each receiver and, from the shard that keeps the books, for the caller."""
        bids, unbooked = self.shard.bids, self.shard.boundary.unbooked
        self._pooled = [exchange.packed(bid) for bid in bids]
        self._own = self._letters(bids, self.place)
        self._accounts = [exchange.packed(bid) for bid in unbooked] if unbooked else None
        envelopes = [
            Envelope(
                letters=self._letters(bids, other),
                accounts=self._accounts if other == BOOKS else None,
                seconds=self._seconds,
            )
            for other in self.receivers
        ]
        return self._pooled, *envelopes, *([pulse] if self.place == BOOKS else [])

    def save(self, place: Place, folder: str, step: int) -> str:
        """Write the boundary of a step into a checkpoint; the digest of the file."""
        if self._broken:
            raise StepError(self._broken)
        boundary = self.shard.boundary
        if boundary.step != step:
            raise RuntimeError(f"shard {self.name} was asked for a checkpoint of step {step} while at {boundary.step}")
        return checkpoint.save(place, folder, self.place, boundary)

    def probe(self, place: Place, owner: str) -> bool:
        """Whether this machine sees what the caller wrote into a checkpoint's place, and can write there itself."""
        seen = checkpoint.owned(place, owner)
        if seen:
            place.write(f"{checkpoint.PROBE}-{self.place}", b"")
        return seen

    def failure(self) -> str:
        """The step that failed here because of one of this shard's agents; nothing if none did."""
        return self._failure

    def kept(self) -> list[Any]:
        """What the recorders of this shard have, by world."""
        return [recorder.kept for recorder in self.shard.recorders]

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Whatever goes wrong in a step is told with the shard and the step."""
        try:
            yield
        except CheckpointError:
            raise
        except Exception as error:
            begun = hasattr(self.shard, "boundary")
            step, ill = (self.shard.boundary.step, self.shard.ill()) if begun else (0, "")
            told = f"step {step}, shard {self.name}{', ' * bool(ill)}{ill}: {type(error).__name__}: {error}"
            self._broken, self._failure = told, told if ill else ""
            raise StepError(told) from error

    def _letters(self, bids: Sequence[Bid], other: int) -> list[Parcel] | None:
        if not self.routes.linked(other):
            return None
        return [exchange.parcel(bid.letters, self.routes, other) for bid in bids]
