"""How fast a running service answers, beside the floor: bare uvicorn with the same predictor and bodies."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from carbonray.client.bench_load import Load, load, request
from carbonray.client.connection import KEY, ServiceError
from carbonray.runtime.simulate import Progress, silent

SECONDS = 10.0
"""Of each measurement."""
FIRMS = 10_000
ROWS = 100
"""Of a request that sends observations."""
BODIES = 200
"""Different ones that are sent in turn."""
BATCH = 1000
"""Policies in a request that asks for many."""
CLIENTS = (1, 8, 32)


def bench_serve(url: str, *, seconds: float = SECONDS, progress: Progress = silent) -> list[dict[str, Any]]:
    """Measure a service on this machine.

    A row has `what`, `clients`, `per_second` (requests), `p50_ms`, `p99_ms`, `failed` (answers that were not 200) and
    `load` (of the machine at its end: other work makes all of it slower, the floor too).  Observations are stored.

    Raises:
        ServiceError: if it does not answer.
    """
    place = urlsplit(url)
    here = (place.hostname or "127.0.0.1", place.port or 80)
    _reached(here, url)
    jobs = _jobs(here)
    rows = []
    with _floor() as port:
        floors = [
            ("floor: predict", 8, ("127.0.0.1", port), itertools.repeat(request("floor", "/predict", _policies(1))), 0),
            ("floor: take rows", 16, ("127.0.0.1", port), _observing("/take"), 0),
        ]
        for done, (what, clients, at, requests, most) in enumerate([*floors, *jobs]):
            progress(what, done, len(floors) + len(jobs))
            end = _until(seconds, most)
            rows.append(_row(what, clients, load(*at, clients=clients, requests=requests, until=end)))
    rows.append(_reflected(here, seconds))
    return rows


Job = tuple[str, int, tuple[str, int], Iterator[bytes], int]


def _jobs(here: tuple[str, int]) -> list[Job]:
    one, many = (request("bench", "/v1/leakage/predict", _policies(count), _key()) for count in (1, BATCH))
    predict: list[Job] = [("predict", clients, here, itertools.repeat(one), 0) for clients in CLIENTS]
    observe: list[Job] = [
        (f"observe {ROWS} rows", clients, here, _observing("/v1/firms/observations"), 0) for clients in (8, 16)
    ]
    return [*predict, (f"predict {BATCH}", 1, here, itertools.repeat(many), 20), *observe]


def _until(seconds: float, most: int) -> Any:
    return lambda sent, passed: passed > seconds or bool(most and sent >= most)


def _policies(count: int) -> bytes:
    return json.dumps({"policies": [{"price_eur_per_t": {"2026": 80, "2035": 200}}] * count}).encode()


def _observing(path: str) -> Iterator[bytes]:
    """Requests with keys of their own."""
    rng = np.random.default_rng(0)
    bodies = [_observations(rng) for _ in range(BODIES)]
    for body in itertools.cycle(bodies):
        yield request("bench", path, body, {"idempotency-key": str(uuid4()), **_key()})


def _observations(rng: np.random.Generator) -> bytes:
    rows = [
        {
            "firm_id": f"bench-{rng.integers(FIRMS)}",
            "cell": "ROW-STL",
            "observed_at": f"2026-{rng.integers(1, 12):02}-{rng.integers(1, 28):02}T00:00:00Z",
            "output_musd_per_year": output,
            "emissions_t_per_year": float(rng.uniform(100, 2000)) * output,
        }
        for output in rng.uniform(0, 1000, ROWS).tolist()
    ]
    return json.dumps({"observations": rows}).encode()


def _key() -> dict[str, str]:
    given = os.environ.get(KEY)
    return {"authorization": f"Bearer {given}"} if given else {}


def _row(what: str, clients: int, found: Load) -> dict[str, Any]:
    return {
        "what": what,
        "clients": clients,
        "per_second": found.per_second,
        "p50_ms": found.quantile(0.5),
        "p99_ms": found.quantile(0.99),
        "failed": sum(count for status, count in found.statuses.items() if status != 200),
        "load": os.getloadavg()[0],
    }


def _reflected(here: tuple[str, int], seconds: float) -> dict[str, Any]:
    """From the acknowledgement of a row to a ranking that counts it, one after the other."""
    asked = request("bench", "/v1/risk?limit=1", headers=_key())
    found, sending = Load(), _observing("/v1/firms/observations")
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        load(*here, clients=1, requests=sending, until=lambda sent, _: sent >= 1)
        ranked = load(*here, clients=1, requests=itertools.repeat(asked), until=lambda sent, _: sent >= 1)
        found.milliseconds += ranked.milliseconds
        found.statuses += ranked.statuses
    found.seconds = time.perf_counter() - started
    return _row("risk after a row", 1, found)


def _reached(here: tuple[str, int], url: str) -> None:
    try:
        socket.create_connection(here, timeout=5).close()
    except OSError as error:
        raise ServiceError(f"{url}: does not answer ({error.strerror or error}); start it with `make serve`") from None


@contextmanager
def _floor() -> Iterator[int]:
    """The floor's port, while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "carbonray.client.bench_floor", str(port)])
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def print_serve(rows: list[dict[str, Any]]) -> None:
    """One line for each measurement."""
    print(f"{'':20}{'clients':>8}{'per second':>12}{'median':>11}{'99 %':>11}{'failed':>8}{'load':>7}")
    for row in rows:
        print(
            f"{row['what']:20}{row['clients']:>8}{row['per_second']:>12,.0f}{row['p50_ms']:>8.1f} ms"
            f"{row['p99_ms']:>8.1f} ms{row['failed']:>8}{row['load']:>7.1f}"
        )
