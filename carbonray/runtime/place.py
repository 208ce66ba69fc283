"""Places where files are kept whole: a directory, by fsync and rename, or whatever fsspec knows behind a URL."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

HERE = ("file://", "local://")


@dataclass(frozen=True)
class Place:
    """A directory, or a URL that fsspec knows."""

    url: str

    @property
    def local(self) -> Path | None:
        """The directory, if it is one."""
        for prefix in HERE:
            if self.url.startswith(prefix):
                return Path(self.url.removeprefix(prefix))
        return None if "://" in self.url else Path(self.url)

    def _remote(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        system, path = url_to_fs(self.url)
        return system, path.rstrip("/")

    def absolute(self) -> "Place":
        """The same, from any working directory."""
        return self if self.local is None else Place(str(self.local.absolute()))

    def exists(self, name: str = "") -> bool:
        """Whether a file or folder lies there, or the place itself."""
        if self.local is not None:
            return (self.local / name).exists()
        system, path = self._remote()
        return bool(system.exists(f"{path}/{name}".rstrip("/")))

    def names(self) -> list[str]:
        """What lies there."""
        if not self.exists():
            return []
        if self.local is not None:
            return sorted(each.name for each in self.local.iterdir())
        system, path = self._remote()
        return sorted(str(each).rstrip("/").rpartition("/")[2] for each in system.ls(path, detail=False))

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        if self.local is not None:
            return (self.local / name).read_bytes()
        system, path = self._remote()
        return bytes(system.cat_file(f"{path}/{name}"))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file that, in a directory, has its name only once it is whole and on the disk; behind a URL at once."""
        if self.local is None:
            system, path = self._remote()
            system.makedirs(f"{path}/{name}".rpartition("/")[0], exist_ok=True)
            with system.open(f"{path}/{name}", "wb") as file:
                yield file
            return
        target = self.local / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
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
        """Write a small file whole: it is the old one or the new one at any moment."""
        if self.local is not None:
            with self.writing(name) as file:
                file.write(content)
            return
        system, path = self._remote()
        system.makedirs(path, exist_ok=True)
        draft = f"{path}/.{name}.{uuid4().hex[:8]}"
        system.pipe_file(draft, content)
        system.mv(draft, f"{path}/{name}")

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

    def remove_empty(self) -> None:
        """Remove the directory itself, if nothing lies in it."""
        if self.local is not None and self.local.is_dir() and not self.names():
            self.local.rmdir()

    def bytes_in(self, name: str) -> int | None:
        """Bytes of the files of a folder of a directory; unknown behind a URL."""
        return None if self.local is None else sum(file.stat().st_size for file in (self.local / name).iterdir())

    def free_bytes(self) -> int | None:
        """Free bytes of a directory's disk; unknown behind a URL."""
        return None if self.local is None else shutil.disk_usage(self.local).free


def _sync_folder(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
