"""Checkpoints: the shards' boundaries in a directory or behind a URL, valid from the moment COMMIT names them.

    PLACE/run.json                  what runs: scenario, options, versions, digest of the worlds
    PLACE/step-000010/shard-0000.pt one file for each shard
    PLACE/COMMIT                    the step that stands, and the digest of each of its files

A directory is written by fsync and rename, anything else through fsspec.  COMMIT is replaced only when all files of its
step lie there; older steps go afterwards, so that a crash at any moment leaves one whole checkpoint.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import IO, Any, cast, get_args, get_type_hints

import torch

from carbonray.runtime.shard import Boundary
from carbonray.worlds.world import Bid, Rows, Total

COMMIT, RUN, PROBE = "COMMIT", "run.json", "probe"
ROOM = 3.0
"""Free bytes that a run needs for its checkpoints, as a multiple of the first, in which much is still equal."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be written or read; one line naming the place and the rule."""


@dataclass(frozen=True)
class Place:
    """A directory, or a URL that fsspec knows."""

    url: str

    @property
    def local(self) -> Path | None:
        """The directory, if it is one."""
        return None if "://" in self.url else Path(self.url)

    def _remote(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        system, path = url_to_fs(self.url)
        return system, path.rstrip("/")

    def absolute(self) -> "Place":
        """The same, from any working directory."""
        return self if self.local is None else Place(str(self.local.absolute()))

    def exists(self, name: str) -> bool:
        """Whether a file lies there."""
        if self.local is not None:
            return (self.local / name).is_file()
        system, path = self._remote()
        return bool(system.exists(f"{path}/{name}"))

    def empty(self) -> bool:
        """Whether nothing lies there."""
        if self.local is not None:
            return not self.local.exists() or (self.local.is_dir() and not any(self.local.iterdir()))
        system, path = self._remote()
        return not system.exists(path) or not system.ls(path)

    def only_begun(self) -> bool:
        """Whether nothing but the beginnings of a run lie there that ended before its first checkpoint."""
        if self.local is None or not self.local.is_dir() or self.exists(COMMIT):
            return False
        names = [each.name for each in self.local.iterdir()]
        return RUN in names and all(name.lstrip(".").startswith((RUN, COMMIT, PROBE, "step-")) for name in names)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        if self.local is not None:
            return (self.local / name).read_bytes()
        system, path = self._remote()
        return bytes(system.cat_file(f"{path}/{name}"))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file that has its name only once it is whole and on the disk."""
        if self.local is None:
            system, path = self._remote()
            system.makedirs(f"{path}/{name}".rpartition("/")[0], exist_ok=True)
            with system.open(f"{path}/{name}", "wb") as file:
                yield file
            return
        target = self.local / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole."""
        with self.writing(name) as file:
            file.write(content)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        if self.local is not None:
            target = self.local / name
            if target.is_dir():
                shutil.rmtree(target, ignore_errors=True)
            else:
                target.unlink(missing_ok=True)
            return
        system, path = self._remote()
        if system.exists(f"{path}/{name}"):
            system.rm(f"{path}/{name}", recursive=True)

    def clear(self) -> None:
        """Remove whatever a run has written."""
        if self.local is not None:
            shutil.rmtree(self.local, ignore_errors=True)
            return
        system, path = self._remote()
        if system.exists(path):
            system.rm(path, recursive=True)

    def lacks_room(self, folder: str) -> str:
        """What is missing on the disk for more checkpoints like the one in a folder; nothing behind a URL."""
        if self.local is None:
            return ""
        need = ROOM * sum(file.stat().st_size for file in (self.local / folder).iterdir())
        free = shutil.disk_usage(self.local).free
        return "" if free >= need else f"{need / 2**20:,.1f} MiB are needed, {free / 2**20:,.1f} free"

    def folders(self) -> list[str]:
        """Names of the steps that lie there."""
        if self.local is not None:
            found = [each.name for each in self.local.glob("step-*")]
        else:
            system, path = self._remote()
            found = [str(each).rstrip("/").rpartition("/")[2] for each in system.ls(path, detail=False)]
        return sorted(name for name in found if name.startswith("step-"))


def _sync_folder(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A checkpoint that stands."""

    step: int
    digests: tuple[str, ...]  # SHA-256 of each shard's file


def exists(place: str | Path) -> bool:
    """Whether a checkpoint stands there."""
    try:
        return Place(str(place)).exists(COMMIT)
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointError(f"{place}: {_reason(error)}") from None


def free(place: Place) -> bool:
    """Whether a run's checkpoints may begin there.

    Raises:
        CheckpointError: if something lies there already.
    """
    with _named(place):
        if place.exists(COMMIT):
            at = read_commit(place).step
            raise CheckpointError(
                f"{place.url}: holds the checkpoint of step {at} of a run; go on with --resume, or give another place"
            )
        if place.only_begun():
            place.clear()
        if not place.empty():
            raise CheckpointError(f"{place.url}: is not empty; give another place for the checkpoints")
        return True


def create(place: Place, run: Mapping[str, Any]) -> None:
    """Begin a run's checkpoints.

    Raises:
        CheckpointError: if nothing can be written.
    """
    with _named(place):
        place.write(RUN, json.dumps(run, indent=2).encode())


def read_run(place: Place) -> dict[str, Any]:
    """What runs: the content of run.json.

    Raises:
        CheckpointError: if no checkpoint stands there.
    """
    with _named(place):
        if not place.exists(RUN) or not place.exists(COMMIT):
            raise CheckpointError(f"{place.url}: holds no checkpoint to resume")
        return dict(json.loads(place.read(RUN)))


def read_commit(place: Place) -> Commit:
    """The checkpoint that stands."""
    with _named(place):
        told = json.loads(place.read(COMMIT))
        return Commit(step=int(told["step"]), digests=tuple(told["digests"]))


def commit(place: Place, step: int, digests: Sequence[str]) -> None:
    """Let the files of a step stand, and remove those of others."""
    with _named(place):
        place.write(COMMIT, json.dumps({"step": step, "digests": list(digests)}).encode())
        for name in place.folders():
            if name != folder(step):
                place.remove(name)


def folder(step: int) -> str:
    """Where the files of a step lie."""
    return f"step-{step:06d}"


def save(place: Place, shard: int, boundary: Boundary) -> str:
    """Write a shard's file; the digest of its bytes.

    Raises:
        CheckpointError: if it cannot be written.
    """
    name = f"{folder(boundary.step)}/shard-{shard:04d}.pt"
    with _named(place), place.writing(name) as file:
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
    name = f"{folder(at.step)}/shard-{shard:04d}.pt"
    with _named(place):
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
def _named(place: Place) -> Iterator[None]:
    """Failures in one line that names the place."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        cause = error.__context__ if isinstance(error.__context__, OSError) else error  # torch hides a full disk
        raise CheckpointError(f"{place.url}: {_reason(cause)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"checkpoints cannot be kept there ({error.strerror})"
    if isinstance(error, ImportError):
        return f"this kind of address needs another package ({error})"
    return f"checkpoints cannot be kept there ({error})"
