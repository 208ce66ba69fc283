"""Stores that tests of the service share: SQLite files, and a real PostgreSQL of this machine's Debian package."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text

from serve.store import migrate, open_store

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from serve.service import Service

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; read when ray is imported
POSTGRES = "postgres"
"""The account that runs the server; root may not."""


def postgres_programs() -> Path | None:
    """Where Debian keeps the server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


class Postgres:
    """A server on a socket of its own, which nobody else reaches."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        self._user = POSTGRES if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        words = ["initdb", "-D", str(folder / "data"), "-A", "trust", "-U", POSTGRES, "--no-instructions"]
        subprocess.run([programs / words[0], *words[1:]], check=True, capture_output=True, **self._as())
        self.start()

    def _as(self) -> dict[str, Any]:
        return {"user": self._user, "cwd": self.folder} if self._user else {"cwd": self.folder}

    @property
    def running(self) -> int | None:
        """Its process."""
        return None if self._server is None else self._server.pid

    def start(self) -> None:
        words = ["-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses=", "-c", "shared_buffers=32MB"]
        self._server = subprocess.Popen([self._programs / "postgres", *words], stderr=subprocess.DEVNULL, **self._as())
        self._wait()

    def kill(self) -> None:
        """As a machine that loses its power would."""
        assert self._server is not None
        server = self._server.pid
        backends = [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]
        self._server.kill()
        for pid in backends:
            os.kill(pid, signal.SIGKILL)
        self._server.wait()
        while any(_lives(pid) for pid in backends):
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)  # at once; nothing of it is kept
            self._server.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        engine = create_engine(self.url("postgres"))
        while True:
            try:
                engine.connect().close()
                break
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        engine.dispose()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{POSTGRES}@/{name}?host={self.folder}"

    def database(self) -> str:
        """URL of a new one."""
        name = f"store_{uuid4().hex[:12]}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; as root on Debian `make postgres` installs it")
    folder = Path(tempfile.mkdtemp(prefix="carbonray-pg-", dir="/tmp"))  # a socket's path must be short
    server = Postgres(folder, programs)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    url: str = request.getfixturevalue("postgres").database()
    return url


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """A migrated store."""
    found = open_store(store_url)
    migrate(found)
    yield found
    found.dispose()


@pytest.fixture(scope="session")
def read_once() -> Iterator[None]:
    """A predictor is read from its folder once for all tests, not once for each service."""
    from carbonray.predict.predictor import predictor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serve.predictions.predictor", cache(predictor))
        yield


@pytest.fixture(scope="session")
def make_service(read_once: None) -> "Callable[..., Service]":
    """A service in this process, without Ray."""
    from serve.service import opened

    def made(folder: Path, **settings: Any) -> "Service":
        given = {"store": f"sqlite:///{folder}/store.db", "runs": str(folder / "runs"), "keys_seconds": 0.0}
        return opened(given | settings)

    return made


@pytest.fixture
def service(make_service: "Callable[..., Service]", tmp_path: Path) -> "Service":
    return make_service(tmp_path)


@pytest.fixture
def http(service: "Service") -> "Iterator[TestClient]":
    """Asks that service; what fails unexpectedly is answered, as on Serve."""
    from fastapi.testclient import TestClient

    from serve.http import make_app

    with TestClient(make_app(service), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives ports outside the range of Ray's workers."""
    return _free_port


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if not 10002 <= port <= 19999:
            return port
