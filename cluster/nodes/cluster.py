"""A Ray cluster of three nodes on three hosts: started, watched, asked to run a job."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nodes import processes
from nodes.hosts import NAMES, Hosts

HERE = Path(__file__).parent
HEALTH = {"initial_delay": 1000, "period": 500, "timeout": 2000}
"""Milliseconds of Ray's health checks: a node that is silent is given up in about ten seconds, with four tries."""
TRIES = 4
START = 120.0
"""Seconds in which all nodes are up."""
LAST = 8
"""Lines that are shown of each log where something fails."""


class Failed(Exception):
    """Why nothing was shown, in one line, and the exit code for it."""

    def __init__(self, why: str, code: int = 1) -> None:
        super().__init__(why)
        self.code = code


class Cluster:
    """Three nodes; the first is the head."""

    def __init__(self, hosts: Hosts, folder: Path, logs: Path) -> None:
        """Make a token, and start all nodes.

        Args:
            hosts: where they run.
            folder: of Ray's own files; its path must be short, for there are sockets in it.
            logs: folder for what the nodes print.
        """
        self.hosts, self.folder, self.logs = hosts, folder, logs
        self.environment = environment(hosts.variables, _token(folder / "token"))
        self.nodes = [self._start_node(number) for number in range(len(NAMES))]
        self._watch = subprocess.Popen(
            hosts.inside([sys.executable, "-P", str(HERE / "watch.py"), hosts.dashboard]),
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _start_node(self, number: int) -> "subprocess.Popen[bytes]":
        command = self.hosts.node(number, self.folder / str(number))
        return processes.start(command, self.logs / f"{NAMES[number]}.log", self.environment)

    def submit(self, words: list[str]) -> "subprocess.Popen[bytes]":
        """Submit a command of carbonray as a job, from inside the head's network, and follow it."""
        options = ["--address", self.hosts.dashboard, "--python", sys.executable]
        command = [sys.executable, "-m", "carbonray.cli", "submit", words[0], *options, *words[1:]]
        return processes.start(self.hosts.inside(command), self.logs / "job.log", self.environment)

    def ask(self, question: str) -> dict[str, Any]:
        """What the dashboard answers: `nodes`, or what it says `without token`.

        Raises:
            Failed: if nobody is there to ask.
        """
        assert self._watch.stdin is not None
        assert self._watch.stdout is not None
        try:
            self._watch.stdin.write(f"{question}\n")
            self._watch.stdin.flush()
            answer: dict[str, Any] = json.loads(self._watch.stdout.readline())
        except (OSError, ValueError):
            raise Failed("whoever watches the cluster has ended") from None
        return answer

    def up(self) -> bool:
        """Whether all nodes are alive.

        Raises:
            Failed: if one has ended.
        """
        for name, process in zip(NAMES, self.nodes, strict=True):
            if process.poll() is not None:
                raise Failed(f"{name} ended with exit code {process.returncode} before it was up")
        return [*self.ask("nodes")["nodes"].values()].count("ALIVE") == len(NAMES)

    def wait_until_up(self) -> None:
        """Wait until all nodes are alive.

        Raises:
            Failed: if they are not in time.
        """
        end = time.monotonic() + START
        while not self.up():
            if time.monotonic() > end:
                raise Failed(f"the nodes were not up within {START:.0f} s")
            time.sleep(0.2)

    def state(self, number: int) -> str:
        """What the cluster thinks of a node: ALIVE or DEAD."""
        return str(self.ask("nodes")["nodes"].get(NAMES[number], ""))

    def shards(self) -> list[int]:
        """How many shards of the run each node has."""
        found = Counter(self.ask("nodes")["shards"])
        return [found[name] for name in NAMES]

    def cut_off(self, number: int) -> None:
        """Cut a node off from the others."""
        self.hosts.cut_off(number, self.nodes[number])

    def keep_logs(self) -> None:
        """Copy Ray's own logs of each node to where its others are."""
        for number, name in enumerate(NAMES):
            for found in (self.folder / str(number)).glob("session_2*/logs"):
                shutil.copytree(found, self.logs / name, dirs_exist_ok=True)


def _token(file: Path) -> Path:
    """A token of this cluster alone, for nobody else to read."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(secrets.token_hex(32), encoding="ascii")
    return file


def environment(further: Mapping[str, str], token: Path) -> dict[str, str]:
    """Of all processes of the cluster: nothing of another Ray, its own token, and fast health checks."""
    kept = {name: value for name, value in carbonray_here().items() if not name.upper().startswith("RAY_")}
    health = {f"RAY_health_check_{name}_ms": str(value) for name, value in HEALTH.items()}
    return {
        **kept,
        **health,
        "RAY_health_check_failure_threshold": str(TRIES),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_worker_niceness": "0",  # 15 would leave workers next to nothing where others run
        "no_proxy": "*",
        **further,
    }


def carbonray_here() -> dict[str, str]:
    """The environment of this process, in which this very carbonray is found, installed or not."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def last_lines(log: Path, number: int = LAST) -> list[str]:
    """The end of a log; nothing if there is none."""
    if not log.is_file():
        return []
    return [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-number:]]
