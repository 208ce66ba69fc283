"""One local Ray cluster for all distributed tests of a run; nodes may be added to it and killed, its head stays."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only; read when ray is imported
os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - its name; 15 leaves workers next to nothing where others run
TESTS = str(Path(__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [TESTS, os.environ.get("PYTHONPATH")])
)  # workers meet toy worlds
HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 4000,
    "health_check_failure_threshold": 3,
}
"""A dead node is given up within two seconds; one that hangs within 14, for one that is busy answers by then."""


def free_port() -> int:
    """A port outside the range of Ray's workers."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if not 10002 <= port <= 19999:
            return port


@dataclass(frozen=True)
class SharedCluster:
    """The cluster of this test run."""

    address: str  # for ray.init and --address
    jobs_url: str  # of the dashboard, where jobs are submitted
    inner: Any

    @contextmanager
    def extra_node(self, cpus: int = 2) -> Iterator[Any]:
        """One more raylet for a while; it may be killed meanwhile."""
        node = self.inner.add_node(num_cpus=cpus, object_store_memory=200_000_000)
        self.inner.wait_for_nodes()
        try:
            yield node
        finally:
            if node in self.inner.list_all_nodes():
                self.inner.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="session")
def cluster() -> Iterator[SharedCluster]:
    """A head of two cores with its dashboard, and this process connected to it."""
    import ray
    from ray.cluster_utils import Cluster

    port = free_port()
    inner = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "include_dashboard": True,
            "dashboard_port": port,
            "dashboard_agent_listen_port": free_port(),  # another Ray of this machine may hold the usual one
            "object_store_memory": 400_000_000,
            "_system_config": HEALTH,
        },
    )
    ray.init(address=inner.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield SharedCluster(address=inner.address, jobs_url=f"http://127.0.0.1:{port}", inner=inner)
    finally:
        ray.shutdown()
        inner.shutdown()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of `carbonray` in this process: its exit code, and what it printed on each stream."""
    from carbonray import cli

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["carbonray", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return run
