"""`serve run CONFIG` with ports of its own, stopped so that what is in flight is finished.

Replicas listen with SO_REUSEPORT from a fixed port on, and Ray's fallback proxy does so at one: two services on one
machine would share ports, and answer each other's requests.  So each gets a block of ports that nobody listens on; a
variable that is set stays as it is.

Ray kills HAProxy at once, with all it carries.  So when it is asked to stop (SIGINT or SIGTERM), HAProxy takes no new
connection and ends when its last request is answered; then Serve is shut down.  `run.sh` sets the stage.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import yaml

BLOCK, FIRST, BLOCKS = 50, 20_000, 240
"""Ports of a block, the first of all, and how many blocks there are: beyond Ray's workers, below what systems give."""
PLACES = {
    "DIRECT_INGRESS_MIN_HTTP": 0, "DIRECT_INGRESS_MAX_HTTP": 19, "DIRECT_INGRESS_MIN_GRPC": 20,
    "DIRECT_INGRESS_MAX_GRPC": 39, "FALLBACK_PROXY_HTTP": 40, "FALLBACK_PROXY_GRPC": 41, "HAPROXY_METRICS": 42,
    "HAPROXY_STATS": 43,
}  # fmt: skip
"""Of what listens within a block: replicas, the proxy that answers before they do, and what tells of HAProxy."""
LONGEST = 30.0
"""Seconds that requests in flight are waited for."""
PAUSE = 0.05
PIDS = "pids"
"""Where the wrapper `haproxy` notes its processes, a line each: in a folder of a node within HAProxy's."""


def main(words: Sequence[str], state: Path) -> int:
    """Run until asked to stop, and again to stop at once; the exit code of `serve run`.

    Args:
        words: for `serve run`.
        state: HAProxy's folder; it is removed at the end.
    """
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # before Serve starts, which would inherit that one is ignored
        signal.signal(number, lambda number, _: asked.append(number))
    serving = subprocess.Popen(["serve", "run", *words], start_new_session=True, env=own_ports() | os.environ)
    drained, ready = False, address_of(words)
    while serving.poll() is None:
        if ready and _answers(f"{ready}/readyz"):
            print(f"carbonray: ready at {ready}, its OpenAPI page at {ready}/docs", flush=True)
            ready = None
        if asked and not drained:
            drain(state, asked)
            serving.send_signal(signal.SIGINT)
            drained = True
        time.sleep(PAUSE)
    shutil.rmtree(state, ignore_errors=True)
    return serving.returncode


def address_of(words: Sequence[str]) -> str | None:
    """Where the service of a config file answers on this machine; nothing if the words name none that can be read."""
    for word in words:
        try:
            asked = yaml.safe_load(Path(word).read_text(encoding="utf-8"))["http_options"]
            return f"http://127.0.0.1:{int(asked.get('port', 8000))}"
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
            continue
    return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):  # nobody yet, a refusal, or something that is no HTTP
        return False


def own_ports() -> dict[str, str]:
    """Ray's variables for a block of ports that are free; none where all blocks are taken."""
    for turn in range(BLOCKS):
        first = FIRST + BLOCK * ((os.getpid() + turn) % BLOCKS)
        if all(_is_free(port) for port in range(first, first + BLOCK)):
            return {f"RAY_SERVE_{name}_PORT": str(first + place) for name, place in PLACES.items()}
    return {}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def drain(state: Path, asked: Sequence[int] = ()) -> None:
    """Let every HAProxy finish what it carries, until none is left, time is over or a second signal comes."""
    running = processes(state)
    for process in running:
        os.kill(process, signal.SIGUSR1)
    deadline = time.monotonic() + LONGEST
    while processes(state) and time.monotonic() < deadline and len(asked) < 2:
        time.sleep(PAUSE)


def processes(state: Path) -> list[int]:
    """HAProxy's processes of this folder that are alive."""
    noted = [one for file in state.rglob(PIDS) for one in file.read_text(encoding="ascii").split()]
    return [int(one) for one in noted if _is_haproxy(int(one))]


def _is_haproxy(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name.startswith("haproxy") and rest.split()[0] != "Z"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drain"]:  # of a node that ends, such as a pod
        drain(Path(sys.argv[2]))
        sys.exit()
    sys.exit(main(sys.argv[1:], Path(os.environ["RAY_SERVE_HAPROXY_SERVER_STATE_BASE"])))
