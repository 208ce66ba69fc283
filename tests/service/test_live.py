"""The Serve config of the RayService in k8s/ live: two replicas behind HAProxy, one killed, all given another model."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from carbonray.predict.folder import BUILT_IN
from serve.settings import CHECKOUT
from serve.store import open_store
from serve.verify import verify

pytestmark = pytest.mark.slow

REPLICA = "ServeReplica:carbonray:service"
"""In the name of a replica's process."""
KEY = f"carbonray_0123456789ab_{'s' * 43}"
"""As the secret carbonray-key of a cluster has one."""
DEADLINE = 240
"""Seconds after which what should have happened has not."""


def until(happened: Callable[[], Any]) -> Any:
    """Wait for something that must happen."""
    deadline = time.monotonic() + DEADLINE
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@dataclass
class Live:
    """A service of this test run."""

    url: str
    config: dict[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]

    def client(self, **headers: str) -> httpx.Client:
        """Connections of their own, with the key that the store began with."""
        return httpx.Client(base_url=self.url, timeout=60, headers={"authorization": f"Bearer {KEY}", **headers})

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")

    @property
    def dashboard(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.log)
        assert found
        return found.group()

    def replicas(self) -> list[int]:
        """Their processes: children of the raylet, which is a child of `serve run`, which was launched here."""
        found = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if REPLICA in _text(path)]
        return [int(one.name) for one in found if _parent(_parent(_parent(int(one.name)))) == self.process.pid]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def _parent(pid: int) -> int:
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    service = yaml.safe_load((CHECKOUT / "k8s" / "base" / "service.yaml").read_text())
    config, port = yaml.safe_load(service["spec"]["serveConfigV2"]), free_port()
    config["http_options"] |= {"host": "127.0.0.1", "port": port}
    config["applications"][0]["deployments"][0] |= {"num_replicas": 2, "ray_actor_options": {"num_cpus": 0.5}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_ADDRESS": "local",
        "CARBONRAY_STORE": f"sqlite:///{folder}/store.db",
        "CARBONRAY_RUNS": str(folder / "runs"),
        "CARBONRAY_FIRST_KEY": KEY,
    }
    environment.pop("PYTHONPATH", None)
    with (folder / "serve.log").open("wb") as log:
        words = ["sh", str(CHECKOUT / "serve" / "run.sh"), str(folder / "config.yaml")]
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    found = Live(url=f"http://127.0.0.1:{port}", config=config, folder=folder, process=process)
    try:
        until(lambda: process.poll() is not None or (len(_answered(found)) == 2 and len(found.replicas()) == 2))
        assert process.poll() is None, found.log
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def _answered(live: Live) -> list[int]:
    try:
        return [httpx.get(f"{live.url}/readyz", timeout=10).raise_for_status().status_code for _ in range(2)]
    except httpx.HTTPError:
        return []


def row(firm_id: str, output: float = 1.0) -> dict[str, Any]:
    return {"firm_id": firm_id, "cell": "EU26-STL", "observed_at": "2026-02-01T00:00:00Z",
            "output_musd_per_year": output, "emissions_t_per_year": 1000.0 * output}  # fmt: skip


def send(http: httpx.Client, key: str, rows: list[dict[str, Any]]) -> httpx.Response:
    return http.post("/v1/firms/observations", json={"observations": rows}, headers={"idempotency-key": key})


@dataclass
class Load:
    """Threads that ask without a pause until they are stopped."""

    ask: Callable[[httpx.Client, int], httpx.Response]
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._stop, self._numbers = threading.Event(), itertools.count()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def start(self, live: Live) -> "Load":
        self._live = live
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _asked(self, http: httpx.Client, number: int) -> int:
        """A connection that was closed while it was idle is made anew, as RFC 9112 (9.3.1) has it."""
        try:
            return self.ask(http, number).status_code
        except httpx.RemoteProtocolError:
            return self.ask(http, number).status_code

    def _run(self) -> None:
        with self._live.client() as http:
            while not self._stop.is_set():
                number = next(self._numbers)
                try:
                    status = self._asked(http, number)
                except httpx.HTTPError as error:
                    self.lost.append(type(error).__name__)
                    continue
                self.statuses[status] += 1
                if status == 200:
                    self.acknowledged.append(number)


def test_two_replicas_agree_on_what_was_acknowledged(live: Live) -> None:
    told: set[str] = set()
    for number in range(10):
        with live.client() as http:  # a connection of its own goes to either
            assert send(http, f"agree-{number}", [row("agree", float(number))]).status_code == 200
            for _ in range(2):
                with live.client() as other:
                    state = other.get("/v1/firms/agree").json()["state"]
                    assert state["output_musd_per_year"] == number
                    (seen,) = other.get("/v1/risk?observed=true&limit=1").json()["rows"]
                    told.add(json.dumps(seen["output_musd"]))
    assert len(told) == 10
    assert httpx.get(f"{live.url}/v1/models").status_code == 401


def test_a_simulation_is_a_job_that_any_replica_tells_of_and_can_be_stopped(live: Live) -> None:
    def asked(method: str, path: str, **content: Any) -> dict[str, Any]:
        with live.client() as http:  # a connection of its own goes to either
            told: dict[str, Any] = http.request(method, f"/v1/simulations{path}", **content).raise_for_status().json()
            return told

    def started(key: str, **what: Any) -> str:
        first, again = (asked("POST", "", json=what, headers={"idempotency-key": key}) for _ in range(2))
        assert first["id"] == again["id"]
        return str(first["id"])

    short = started("short", target="law", firms=1000, years=1, settings={"policy.price.2026": 90})
    long = started("long", target="law", firms=500_000, years=10)
    until(lambda: asked("GET", f"/{short}")["status"] not in ("submitting", "pending", "running"))
    told = [asked("GET", f"/{short}") for _ in range(4)]
    assert all(each == told[0] for each in told)
    assert told[0]["status"] == "succeeded"
    assert told[0]["result"]["n_firms"] == 1000
    assert told[0]["result"]["leakage_rate"] is not None
    assert asked("DELETE", f"/{long}")["status"] == "stopped"
    assert [each["id"] for each in asked("GET", "")["simulations"]] == [long, short]


def test_a_killed_replica_loses_no_acknowledged_row_and_errors_are_503(live: Live) -> None:
    load = Load(lambda http, number: send(http, f"kill-{number}", [row(f"K{number}"), row("shared", number % 1000)]))
    with load.start(live):
        until(lambda: load.statuses[200] > 50)
        victim = live.replicas()[0]
        os.kill(victim, signal.SIGKILL)
        before = load.statuses[200]
        until(lambda: load.statuses[200] > before + 100)
        until(lambda: len(live.replicas()) == 2 and victim not in live.replicas())
    assert set(load.statuses) <= {200, 503}
    assert load.lost == []
    engine = open_store(f"sqlite:///{live.folder}/store.db")
    found = verify(engine)
    engine.dispose()
    assert found.faults == ()
    with live.client() as http:
        for number in load.acknowledged:
            assert http.get(f"/v1/firms/K{number}").status_code == 200


def test_another_model_takes_over_without_a_dropped_request(live: Live) -> None:
    shutil.copytree(BUILT_IN, live.folder / "second")
    content = json.loads(json.dumps(live.config))
    content["applications"][0]["deployments"][0]["user_config"] = {"model": str(live.folder / "second")}
    (live.folder / "second.yaml").write_text(yaml.safe_dump(content))
    names: set[str] = set()

    def ask(http: httpx.Client, _: int) -> httpx.Response:
        reply = http.post("/v1/leakage/predict", json={"policies": [{}]})
        if reply.status_code == 200:
            names.add(reply.json()["model"]["name"])
        return reply

    pids = live.replicas()
    load = Load(ask)
    with load.start(live):
        until(lambda: load.statuses[200] > 20)
        words = [
            str(Path(sys.executable).with_name("serve")),
            "deploy",
            str(live.folder / "second.yaml"),
            "-a",
            live.dashboard,
        ]
        with_token = os.environ | {"RAY_AUTH_MODE": "token"}
        done = subprocess.run(words, capture_output=True, text=True, cwd=CHECKOUT, env=with_token)
        assert done.returncode == 0, done.stdout + done.stderr
        with live.client() as http:
            until(lambda: {http.get("/readyz").json()["model"] for _ in range(20)} == {"second"})
    assert names == {"built-in", "second"}
    assert set(load.statuses) == {200}
    assert load.lost == []
    assert sorted(live.replicas()) == sorted(pids)


def test_a_stop_finishes_what_is_in_flight(live: Live) -> None:
    """The last test of this module: the service is gone after it."""
    body = json.dumps({"policies": [{}] * 1000})
    together, answered, first = threading.Barrier(8), Counter[object](), threading.Event()

    def ask() -> None:
        with live.client(**{"content-type": "application/json"}) as http:
            http.get("/readyz")  # the connection is made
            together.wait()
            try:
                reply = http.post("/v1/leakage/predict", content=body)
                answered[reply.status_code if len(reply.json()["predictions"]) == 1000 else "short"] += 1
            except httpx.HTTPError as error:
                answered[type(error).__name__] += 1
            first.set()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert first.wait(DEADLINE)
    live.process.send_signal(signal.SIGINT)
    under_way = 8 - sum(answered.values())
    for thread in threads:
        thread.join()
    assert live.process.wait(DEADLINE) == 0
    assert under_way > 0
    assert answered == {200: 8}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{live.url}/readyz")
