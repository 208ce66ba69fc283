"""The Ray cluster that a run uses: one of its own on this machine, or one that is there."""

import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from carbonray.config import ScenarioError
from carbonray.runtime.placement import Node
from carbonray.runtime.processes import available

ANSWER = 10
"""Seconds in which a cluster must answer."""


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Connect to a cluster for a while, unless this process is connected already.

    Args:
        address: `host:port` of a head, or `auto`; a cluster of this machine's cores is started if left out, unless this
            is a job of a cluster.

    Raises:
        ScenarioError: if Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # a cluster of one's own stays on loopback
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # a lost shard is told once, as a notice
    try:
        import ray
    except ImportError:
        raise ScenarioError("--on ray: Ray is not installed here; pip install 'carbonray[ray]'") from None
    if ray.is_initialized():
        yield
        return
    with undisturbed():
        _connect(ray, address or os.environ.get("RAY_ADDRESS"))
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep remarks of raylets out of what a command prints: Ray writes them to standard output, with no option."""
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *said, **how: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            ray.init(address="local", num_cpus=available(), include_dashboard=False, **quiet)
        return
    _check(address)
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ScenarioError(f"--address {address}: no Ray cluster answers ({reason})") from None


def _check(address: str) -> None:
    """Refuse an address that cannot be that of a head.

    Raises:
        ScenarioError: naming it.
    """
    if address == "auto":
        return
    if address.startswith(("http://", "https://")):
        raise ScenarioError(f"--address {address}: jobs are submitted there, with `carbonray submit`; give host:port")
    host, colon, port = address.rpartition(":")
    if "://" in address or not (colon and host and port.isdecimal()):
        raise ScenarioError(f"--address {address}: give host:port of the head, or auto")
    try:
        socket.create_connection((host, int(port)), ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ScenarioError(f"--address {address}: nobody answers there ({error})") from None


def nodes() -> list[Node]:
    """Machines that are alive, those with cores if there are any."""
    import ray

    alive = [
        Node(id=each["NodeID"], address=each["NodeManagerAddress"], cpus=each["Resources"].get("CPU", 0.0))
        for each in ray.nodes()  # type: ignore[no-untyped-call]
        if each["Alive"]
    ]
    return sorted((node for node in alive if node.cpus > 0), key=lambda node: node.id) or alive


def cores() -> int:
    """Cores of all machines."""
    return int(sum(node.cpus for node in nodes()))


def memory_mib() -> float:
    """Memory that Ray leaves to workers on the machines where shards may live; no limit if they do not tell."""
    import ray

    chosen = {node.id for node in nodes()}
    told = [node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["NodeID"] in chosen]  # type: ignore[no-untyped-call]
    return sum(told) / 2**20 if all(told) else math.inf


def gpus() -> float:
    """GPUs of the cluster that this process is connected to."""
    import ray

    return float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
