"""Jobs on a real cluster: submitted once, followed to their end, stopped, and taken up where they were stopped."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from carbonray.data.templates import template
from carbonray.learn.policy_folder import load
from carbonray.learn.training import whole
from carbonray.runtime import checkpoint, jobs
from carbonray.runtime.job_order import JobError, Order
from carbonray.runtime.job_parcel import Environment
from carbonray.runtime.jobs import Submitted

pytestmark = pytest.mark.slow

DEADLINE = 300
"""Seconds after which what should have happened has not."""
HERE = Environment(python=sys.executable)


@pytest.fixture
def submit(cluster: Any) -> Callable[..., Submitted]:
    """Submit a run to the shared cluster."""

    def submitted(target: str, environment: Environment = HERE, **options: Any) -> Submitted:
        order = Order(command="simulate", targets=(target,), options=options)
        return jobs.submit(order, address=cluster.jobs_url, environment=environment)

    return submitted


def until(happened: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_on_own_files_and_own_code_is_submitted_once_and_tells_its_log(
    cluster: Any, submit: Callable[..., Submitted], tmp_path: Path
) -> None:
    (tmp_path / "plants.csv").write_text(template("plants"))
    content = {"economy": "goods-2026", "years": 1, "firms": {"number": 1000, "plants": "plants.csv"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    asked = {
        "target": str(tmp_path / "mine.yaml"), "environment": Environment(python=sys.executable, ship=True),
        "on": "process", "robust": False, "uncertainty": 0, "out": tmp_path / "run",
    }  # fmt: skip

    first, again = submit(**asked), submit(**asked)
    said: list[str] = []
    job = jobs.follow(first.job.id, address=cluster.jobs_url, say=said.append)
    assert (first.new, again.new, again.job.id) == (True, False, first.job.id)
    assert (job.status, job.code) == ("succeeded", 0)
    assert (tmp_path / "run" / "report.html").is_file()

    log = jobs.logs(job.id, address=cluster.jobs_url)
    assert "".join(said) == log
    assert log.count(f"report: {tmp_path}/run/report.html") == 1

    done = submit(**asked)
    assert (done.new, done.job.id, done.job.status) == (False, job.id, "succeeded")
    assert [each.id for each in jobs.jobs(cluster.jobs_url)].count(job.id) == 1
    other = Order(command="simulate", targets=("law",), options={"out": tmp_path / "run"})
    with pytest.raises(JobError, match=f"{job.id}: is the job of another command or other files here"):
        jobs.submit(other, address=cluster.jobs_url, id=job.id)


def test_the_exit_code_of_a_run_that_fails_is_that_of_submit(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")  # which Ray's client would prefer
    there = ("--address", cluster.jobs_url)
    few = ("law", "--firms", "3", "--on", "process", "--out", f"{tmp_path}/run")  # refused once the table is read
    code, out, err = typed("submit", "simulate", *few, "--id", "too-few", "--python", sys.executable, *there)
    assert code == 2
    assert "3 firms are too few" in out
    assert "too-few: failed with exit code 2" in err
    assert not (tmp_path / "run").exists()

    code, out, err = typed("submit", "simulate", *few, "--id", "too-few", "--python", sys.executable, *there)
    assert (code, out) == (2, "")
    assert err == "carbonray: too-few: failed with exit code 2; submit anew with another --id, or without one\n"

    code, out, _ = typed("jobs", *there)
    assert code == 0
    head, newest = out.splitlines()[:2]
    assert head.split() == ["id", "status", "started", "took", "exit", "command"]
    assert newest.split()[:2] == ["too-few", "failed"]
    assert newest.endswith(f"  2     simulate law --firms 3 --on process --out {tmp_path}/run")
    assert typed("jobs", "logs", "no-such-job", *there)[::2] == (
        2,
        "carbonray: no-such-job: the cluster has no such job; `carbonray jobs` lists them\n",
    )
    assert typed("jobs", "cancel", "too-few", *there)[0] == 1


def test_a_run_that_was_cancelled_goes_on_from_its_checkpoint_when_submitted_again(
    cluster: Any, submit: Callable[..., Submitted], tmp_path: Path
) -> None:
    place = tmp_path / "marks"
    asked: dict[str, Any] = {
        "target": "climate-negotiation/club", "settings": ["replicas=2"], "robust": False,
        "out": tmp_path / "run", "checkpoint": place, "every": 5,
        "address": cluster.address,  # else Ray may hand the job another cluster of this machine
    }  # fmt: skip
    first = submit(**asked)
    until(lambda: checkpoint.exists(place))
    stopped = jobs.cancel(first.job.id, address=cluster.jobs_url)
    assert stopped.status == "stopped"
    assert not (tmp_path / "run").exists()

    second = submit(**asked)
    assert (second.new, second.job.id) == (True, f"{first.job.id}-2")
    until(lambda: jobs.status(second.job.id, address=cluster.jobs_url).over)
    assert f"{place}: going on from the checkpoint\n" in jobs.logs(second.job.id, address=cluster.jobs_url)
    assert jobs.status(second.job.id, address=cluster.jobs_url).code == 0
    assert (tmp_path / "run" / "report.html").is_file()
    assert [each.id for each in jobs.jobs(cluster.jobs_url)][:2] == [second.job.id, first.job.id]


@pytest.mark.timeout(900)
def test_a_training_that_was_cancelled_goes_on_when_submitted_again(cluster: Any, tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "firms": 960, "years": 1, "budget": 6e4, "patience": 10_000, "learn": ["hidden=8"], "out": tmp_path / "trained",
        "address": cluster.address,
    }  # fmt: skip
    order = Order(command="train", targets=("law",), options=asked)
    first = jobs.submit(order, address=cluster.jobs_url, environment=HERE)
    until(lambda: any(map(whole, tmp_path.glob("trained/tune/attempt-1/trial-*/checkpoint_*"))))
    assert jobs.cancel(first.job.id, address=cluster.jobs_url).status == "stopped"

    second = jobs.submit(order, address=cluster.jobs_url, environment=HERE)
    assert second.new
    until(lambda: jobs.status(second.job.id, address=cluster.jobs_url).over)
    log = jobs.logs(second.job.id, address=cluster.jobs_url)
    assert jobs.status(second.job.id, address=cluster.jobs_url).code == 0, log
    assert f"policy {tmp_path}/trained/policy" in log
    assert load(tmp_path / "trained").card.agent_steps >= asked["budget"]
    (table,) = tmp_path.glob("trained/tune/attempt-2/trial-*/progress.csv")
    assert pd.read_csv(table)["training_iteration"].iloc[0] > 1  # not from the beginning
