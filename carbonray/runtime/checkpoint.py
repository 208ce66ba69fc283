"""Checkpoints: the shards' boundaries in a directory or behind a URL, valid from the moment COMMIT names them.

    PLACE/run.json                           what runs: scenario, options, versions, digest of the worlds
    PLACE/OWNER                              whose run it is: the last that began or resumed it
    PLACE/step-000010-5f0c83a1/shard-0000.pt one file for each shard, in a folder of one attempt to write them
    PLACE/COMMIT                             the folder that stands, and the digest of each of its files

COMMIT is replaced only when all files of its folder lie there, and other folders go afterwards, so that a crash at any
moment leaves one whole checkpoint.  What a shard that was given up still writes lies in a folder that nobody reads.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import IO, Any, cast, get_args, get_type_hints
from uuid import uuid4

import numpy as np
import torch

from carbonray.runtime.place import Place
from carbonray.runtime.shard import Boundary
from carbonray.worlds.world import Bid, Rows, Total

__all__ = ["CheckpointError", "Commit", "Place"]

COMMIT, RUN, OWNER, PROBE = "COMMIT", "run.json", "OWNER", "probe"
FOLDER = re.compile(r"step-\d{6}-[0-9a-f]{8}")
OURS = re.compile(rf"{FOLDER.pattern}|{PROBE}-\d+|\.?({RUN}|{COMMIT}|{OWNER})(\.[0-9a-f]{{8}})?")
"""Names that a run gives to what it writes; nothing else is ever removed."""
ROOM = 3.0
"""Free bytes that a run needs at least, as a multiple of its first checkpoint, in which much is still equal."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or read; one line naming the place and the rule."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A checkpoint that stands."""

    step: int
    folder: str
    digests: tuple[str, ...]  # SHA-256 of each shard's file


def exists(place: object) -> bool:
    """Whether a checkpoint stands at a directory or URL.

    Raises:
        CheckpointError: if that cannot be told.
    """
    at = Place(str(place))
    with _named(at, "read"):
        return at.exists(COMMIT)


def take(place: Place, run: Mapping[str, Any]) -> str:
    """Begin a run's checkpoints; the name under which the place is now owned.

    Raises:
        CheckpointError: if something lies there already, or nothing can be written.
    """
    with _named(place, "read"):
        if place.exists(COMMIT):
            at = read_commit(place).step
            raise CheckpointError(
                f"{place.url}: holds the checkpoint of step {at} of a run; go on with --resume, or give another place"
            )
        if place.names() and not _only_begun(place):
            raise CheckpointError(f"{place.url}: is not empty; give another place for the checkpoints")
        clear(place)
    with _named(place, "written"):
        place.write(RUN, json.dumps(run, indent=2).encode())
    return own(place)


def own(place: Place) -> str:
    """Take a place over; whoever had it before can commit no more."""
    name = uuid4().hex
    with _named(place, "written"):
        place.write(OWNER, name.encode())
    return name


def owned(place: Place, owner: str) -> bool:
    """Whether a place still belongs to whoever took it under a name."""
    with _named(place, "read"):
        return place.exists(OWNER) and place.read(OWNER).decode() == owner


def _only_begun(place: Place) -> bool:
    """Whether nothing but the beginnings of a run lie there that ended before its first checkpoint."""
    names = place.names()
    if not all(OURS.fullmatch(name) for name in names):
        return False
    try:
        return RUN not in names or {"digest", "versions"} <= set(json.loads(place.read(RUN)))
    except ValueError:
        return False


def clear(place: Place) -> None:
    """Remove what runs have written, and nothing else."""
    for name in place.names():
        if OURS.fullmatch(name):
            place.remove(name)


def tidy(place: Place) -> None:
    """Remove folders and drafts that no checkpoint names."""
    kept = {RUN, OWNER, COMMIT, read_commit(place).folder}
    for name in place.names():
        if OURS.fullmatch(name) and name not in kept:
            place.remove(name)


def read_run(place: Place) -> dict[str, Any]:
    """What runs: the content of run.json.

    Raises:
        CheckpointError: if no checkpoint of a run stands there.
    """
    with _named(place, "read"):
        if not place.exists(RUN) or not place.exists(COMMIT):
            raise CheckpointError(f"{place.url}: holds no checkpoint to resume")
        run = json.loads(place.read(RUN))
        if not isinstance(run, dict) or not {"world", "scenario", "options", "versions", "digest"} <= set(run):
            raise CheckpointError(f"{place.url}: {RUN} is not that of a run")
        return run


def read_commit(place: Place) -> Commit:
    """The checkpoint that stands.

    Raises:
        CheckpointError: if it cannot be read.
    """
    with _named(place, "read"):
        try:
            told = json.loads(place.read(COMMIT))
            return Commit(step=int(told["step"]), folder=str(told["folder"]), digests=tuple(told["digests"]))
        except (ValueError, KeyError, TypeError):
            raise CheckpointError(f"{place.url}: {COMMIT} is damaged; no checkpoint can be read") from None


def commit(place: Place, at: Commit, owner: str) -> None:
    """Let the files of a folder stand, and remove others.

    Raises:
        CheckpointError: if it cannot be written, or another run has taken the place.
    """
    with _named(place, "written"):
        if not owned(place, owner):
            raise CheckpointError(f"{place.url}: another run has taken this place; this one ends")
        content = {"step": at.step, "folder": at.folder, "digests": list(at.digests)}
        place.write(COMMIT, json.dumps(content).encode())
    try:
        tidy(place)
    except (OSError, CheckpointError):
        return  # the checkpoint stands; the next one tidies


def folder(step: int) -> str:
    """A fresh folder for the files of a step."""
    return f"step-{step:06d}-{uuid4().hex[:8]}"


def lacks_room(place: Place, folder: str) -> str:
    """What is missing on the disk for more checkpoints like the one in a folder; nothing if unknown."""
    size, free = place.bytes_in(folder), place.free_bytes()
    if size is None or free is None or free >= ROOM * size:
        return ""
    return f"{ROOM * size / 2**20:,.1f} MiB are needed, {free / 2**20:,.1f} free"


def save(place: Place, folder: str, shard: int, boundary: Boundary) -> str:
    """Write a shard's file into a folder; the digest of its bytes.

    Raises:
        CheckpointError: if it cannot be written.
    """
    name = f"{folder}/shard-{shard:04d}.pt"
    with _named(place, "written"), place.writing(name) as file:
        told = _Digested(file)
        torch.save({item.name: getattr(boundary, item.name) for item in fields(boundary)}, cast("IO[bytes]", told))
        return told.sum.hexdigest()


class _Digested(io.BufferedIOBase):
    """Passes bytes on to a file and takes their digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sum = file, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.sum.update(content)
        return self.file.write(content)


def load(place: Place, shard: int, at: Commit, like: Boundary) -> Boundary:
    """Read a shard's file.

    Args:
        place: where.
        shard: its number.
        at: the checkpoint that stands.
        like: a boundary of the same worlds, for the kinds of objects that may be read.

    Raises:
        CheckpointError: if the file is not what was committed.
    """
    name = f"{at.folder}/shard-{shard:04d}.pt"
    with _named(place, "read"):
        content = place.read(name)
    if hashlib.sha256(content).hexdigest() != at.digests[shard]:
        raise CheckpointError(f"{place.url}: {name} is not what was committed; its bytes have changed")
    parts: tuple[Any, ...] = (*like.agents, *like.commons, *like.kept)
    kinds = set().union(*(_kinds(type(part)) for part in parts))
    with torch.serialization.safe_globals([*kinds, Bid, Total, Rows]):
        return Boundary(**torch.load(io.BytesIO(content), weights_only=True))


def _kinds(kind: Any) -> frozenset[type]:
    """The dataclasses that a value of a kind may hold: nothing else is read from a checkpoint."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        inside = [_kinds(hints[item.name]) for item in fields(kind)]
        return frozenset({kind}.union(*inside))
    return frozenset().union(*(_kinds(part) for part in get_args(kind)))


def digest(value: object) -> str:
    """SHA-256 of all numbers and words in frozen dataclasses of tensors; functions are left out."""
    total = hashlib.sha256()
    for part in _parts(value):
        total.update(part)
    return total.hexdigest()


def _parts(value: object) -> Iterator[Any]:
    if isinstance(value, torch.Tensor):
        yield f"{value.dtype}{tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield item.name.encode()
            yield from _parts(getattr(value, item.name))
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield str(name).encode()
            yield from _parts(value[name])
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _parts(each)
    elif not callable(value):
        yield repr(value).encode()


@contextmanager
def _named(place: Place, what: str) -> Iterator[None]:
    """Failures to have something `read` or `written` in one line that names the place."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        cause = error.__context__ if isinstance(error.__context__, OSError) else error  # torch hides a full disk
        if place.local is not None and not isinstance(cause, OSError):
            raise
        raise CheckpointError(f"{place.url}: checkpoints cannot be {what} there ({_reason(cause)})") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return f"this kind of address needs another package: {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
