"""A sweep on a cluster: the bytes of one on processes, and nothing lost but what was under way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from carbonray.counterfactual.sweep import resume_sweep, sweep
from carbonray.counterfactual.sweep_columns import layout_of
from carbonray.counterfactual.sweep_folder import finished
from carbonray.counterfactual.sweep_manifest import planned_in
from carbonray.counterfactual.sweep_plan import Plan, Run, plan_sweep
from carbonray.counterfactual.sweep_run import work_of
from carbonray.runtime.work import on_ray

pytestmark = pytest.mark.slow

DEADLINE = 60
"""Seconds after which what should have happened has not."""
ASKED: dict[str, Any] = {
    "settings": ["economy=world-2011"],
    "firms": 720,
    "years": 2,
    "seeds": "0-2",
    "grid": {"policy.price.2035": [100, 150]},
}
COUNT = 12
DRIVER = """
import sys
from carbonray.counterfactual.sweep import sweep
sweep(["law", "moderate"], out=sys.argv[1], on="ray", address=sys.argv[2], **{asked})
"""


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def eventually(happened: Callable[[], Any]) -> Any:
    """What a question is answered by once it is."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = happened()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE} s")


def at_work(node: Any) -> list[int]:
    """Processes of a node that carry out a run now."""
    (raylet,) = node.all_processes["raylet"]
    children = [
        int(pid)
        for task in Path(f"/proc/{raylet.process.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    return [pid for pid in children if b"ray::carry_out" in title(pid)]


def title(pid: int) -> bytes:
    """The command line of a process; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole sweep on processes, never disturbed."""
    out = tmp_path_factory.mktemp("clean") / "out"
    result = sweep(["law", "moderate"], out=out, jobs=2, **ASKED)
    assert (len(result.finished), result.failures) == (COUNT, [])
    return out


def test_tasks_give_the_bytes_of_processes(cluster: Any, clean: Path, tmp_path: Path) -> None:
    result = sweep(["law", "moderate"], out=tmp_path / "out", on="ray", address=cluster.address, **ASKED)
    assert (len(result.finished), result.failures) == (COUNT, [])
    assert files(tmp_path / "out") == files(clean)


def test_a_sweep_whose_driver_is_killed_goes_on_where_it_was(cluster: Any, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", DRIVER.replace("{asked}", repr(ASKED)), str(out), cluster.address]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            eventually(lambda: len(list(out.glob("results/run-*"))) >= 3 or driver.poll() is not None)
        finally:
            driver.kill()
    there = finished(out, planned_in(out))
    assert 3 <= len(there) < COUNT
    written = {path: path.stat().st_mtime_ns for path in out.glob("*/run-*") if int(path.stem[-6:]) in there}
    eventually(lambda: not at_work(cluster.inner.head_node))
    told: list[tuple[str, int, int]] = []
    result = resume_sweep(out, on="ray", address=cluster.address, progress=lambda *words: told.append(words))
    assert ("sweep", len(there), COUNT) in told
    assert len(result.table) == COUNT
    assert files(out) == files(clean)
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_a_killed_worker_costs_only_its_task(cluster: Any, clean: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(task: str, done: int, of: int) -> None:
        if task == "sweep" and done in (1, COUNT // 2):
            killed.append(eventually(lambda: at_work(cluster.inner.head_node))[0])
            os.kill(killed[-1], signal.SIGKILL)

    asked = ASKED | {"on": "ray", "address": cluster.address, "progress": kill_one, "jobs": 6}
    result = sweep(["law", "moderate"], out=tmp_path / "out", **asked)
    assert len(set(killed)) == 2
    assert (len(result.finished), result.failures) == (COUNT, [])
    assert files(tmp_path / "out") == files(clean)


def test_a_killed_node_costs_only_its_tasks(cluster: Any, clean: Path, tmp_path: Path) -> None:
    killed: list[Any] = []
    with cluster.extra_node() as node:

        def kill_it(task: str, done: int, of: int) -> None:
            if (task, done) == ("sweep", 1):
                killed.extend(eventually(lambda: at_work(node)))
                cluster.inner.remove_node(node, allow_graceful=False)

        asked = ASKED | {"on": "ray", "address": cluster.address, "progress": kill_it, "jobs": COUNT}
        result = sweep(["law", "moderate"], out=tmp_path / "out", **asked)
    assert killed
    assert (len(result.finished), result.failures) == (COUNT, [])
    assert files(tmp_path / "out") == files(clean)


def test_ctrl_c_leaves_what_is_finished_and_no_task(cluster: Any, clean: Path, tmp_path: Path) -> None:
    def stop(task: str, done: int, of: int) -> None:
        if (task, done) == ("sweep", 2):
            raise KeyboardInterrupt

    asked = ASKED | {"on": "ray", "address": cluster.address, "progress": stop}
    result = sweep(["law", "moderate"], out=tmp_path / "out", **asked)
    assert (result.interrupted, len(result.table)) == (True, 2)
    eventually(lambda: not at_work(cluster.inner.head_node))
    resume_sweep(tmp_path / "out", jobs=2)
    assert files(tmp_path / "out") == files(clean)


class CountingPlan:
    """A plan that knows how many runs were handed out."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.given = 0

    def run(self, number: int) -> Run:
        self.given += 1
        return self.plan.run(number)


@pytest.mark.parametrize(("jobs", "most"), [(3, 3), (None, 2)])
def test_never_more_tasks_are_in_flight_than_jobs_or_cores(cluster: Any, jobs: int | None, most: int) -> None:
    plan: Any = CountingPlan(plan_sweep("law", **ASKED))
    with closing(
        on_ray(work_of(plan, layout_of(plan.plan)), list(range(6)), jobs=jobs, address=cluster.address)
    ) as answers:
        waiting = [plan.given - done for done, _ in enumerate(answers)]
    assert plan.given == 6
    assert max(waiting) == most
