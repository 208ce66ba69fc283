"""Three hosts on one machine, and the processes that run on them.

As root every host is a network namespace; a bridge inside the head's joins them, and nothing is added to the machine's
own network, so nothing of it is reached from outside or reaches out.  Without root all three are processes on loopback.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from nodes import processes

NAMES = ("head", "node-1", "node-2")
"""Of the nodes; the first is the head."""
CPUS, MEMORY = 4, 100_000_000
"""Of each node: logical cores, which only say how many shards it takes, and bytes of shared memory."""
HERE = Path(__file__).parent
RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", "--log-color", "false")


class Hosts(Protocol):
    """Where three nodes run."""

    kind: str  # in words
    cutting: str  # how a host is cut off, in words
    addresses: tuple[str, ...]
    dashboard: str  # its URL inside the head
    variables: dict[str, str]  # environment of all processes

    def inside(self, command: list[str], number: int = 0) -> list[str]:
        """The command, on a host."""

    def node(self, number: int, folder: Path) -> list[str]:
        """The command that starts a node on its host."""

    def cut_off(self, number: int, process: "subprocess.Popen[bytes]") -> None:
        """Cut a host off from the others."""

    def close(self) -> None:
        """Remove the hosts; no process runs on them any more."""


class Namespaces:
    """A network namespace for each host, joined by a bridge inside the head's."""

    kind = "three network namespaces, joined by a bridge inside the head's"
    cutting = "its link is down"
    addresses = tuple(f"10.77.0.{number}" for number in (1, 2, 3))
    dashboard = "http://127.0.0.1:8265"  # the head's own loopback
    variables: dict[str, str]

    def __init__(self) -> None:
        """Make them.

        Raises:
            subprocess.CalledProcessError: if that is not allowed here.
        """
        run = secrets.token_hex(3)
        self.names = [f"carbonray-{run}-{number}" for number in range(len(NAMES))]
        self.variables = {}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        for name in self.names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        head = ("-n", self.names[0])
        _ip(*head, "link", "add", "bridge", "type", "bridge")
        _ip(*head, "addr", "add", f"{self.addresses[0]}/24", "dev", "bridge")
        _ip(*head, "link", "set", "bridge", "up")
        for number, name in enumerate(self.names[1:], 1):
            _ip(*head, "link", "add", _link(number), "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip(*head, "link", "set", _link(number), "master", "bridge", "up")
            _ip("-n", name, "addr", "add", f"{self.addresses[number]}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")

    def inside(self, command: list[str], number: int = 0) -> list[str]:
        """The command, on a host."""
        return ["ip", "netns", "exec", self.names[number], *command]

    def node(self, number: int, folder: Path) -> list[str]:
        """The command that starts a node on its host."""
        head = f"{self.addresses[0]}:6379"
        role = ["--head", "--dashboard-host", "127.0.0.1"] if number == 0 else ["--address", head]
        address = ["--node-ip-address", self.addresses[number]]
        return self.inside([*RAY, *role, *address, *_size(number, folder)], number)

    def cut_off(self, number: int, process: "subprocess.Popen[bytes]") -> None:
        """Take its link down: all its processes live on, and nobody hears them."""
        _ip("-n", self.names[0], "link", "set", _link(number), "down")

    def close(self) -> None:
        """Delete the namespaces, and with them all that is in them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


def _link(number: int) -> str:
    """The head's end of the link to a host."""
    return f"to-{NAMES[number]}"


class Loopback:
    """All nodes on this machine's loopback; one is cut off by killing its processes."""

    cutting = "its processes were killed"
    addresses = ("127.0.0.1",) * len(NAMES)
    variables: dict[str, str]

    def __init__(self, why: str) -> None:
        """Choose ports that nobody uses."""
        self.kind = f"three nodes on loopback ({why})"
        self.variables = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # all of Ray listens on loopback only
        self.head, board, client, *self.agents = _free_ports(3 + len(NAMES))
        self.dashboard = f"http://127.0.0.1:{board}"
        self.ports = ["--port", str(self.head), "--dashboard-port", str(board), "--ray-client-server-port", str(client)]

    def inside(self, command: list[str], number: int = 0) -> list[str]:
        """The command, on a host."""
        return command

    def node(self, number: int, folder: Path) -> list[str]:
        """The command that starts a node."""
        agent = str(self.agents[number])
        if number > 0:
            words = [NAMES[number], str(folder), str(CPUS), str(MEMORY), str(self.head), agent]
            return [sys.executable, "-P", str(HERE / "loopback.py"), *words]
        role = ["--head", "--node-ip-address", "127.0.0.1", "--dashboard-host", "127.0.0.1"]
        any_port = ["--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", agent]
        return [*RAY, *role, *self.ports, *any_port, *_size(number, folder)]

    def cut_off(self, number: int, process: "subprocess.Popen[bytes]") -> None:
        """Kill the node's own processes."""
        processes.kill([process.pid, *processes.descendants(process.pid)])

    def close(self) -> None:
        """Nothing is left of them."""


def _size(number: int, folder: Path) -> list[str]:
    own = ["--node-name", NAMES[number], "--temp-dir", str(folder)]
    return [*own, "--num-cpus", str(CPUS), "--object-store-memory", str(MEMORY)]


def _free_ports(number: int) -> list[int]:
    """Ports outside the range of Ray's workers."""
    found: set[int] = set()
    while len(found) < number:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        found |= set() if 10002 <= port <= 19999 else {port}
    return sorted(found)


@contextmanager
def hosts(*, loopback: bool = False) -> Iterator[Hosts]:
    """Three hosts for a while; whatever was started on them ends with them."""
    processes.adopt()
    made = Loopback("as asked") if loopback else _made()
    try:
        yield made
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        processes.end()
        made.close()


def _made() -> Hosts:
    """Network namespaces where they can be made."""
    if os.geteuid() != 0:
        return Loopback("network namespaces need root")
    if shutil.which("ip") is None:
        return Loopback("network namespaces need `ip`, of Debian's iproute2")
    try:
        return Namespaces()
    except subprocess.CalledProcessError as error:
        return Loopback(f"no network namespaces here: {error.stderr.strip()}")
