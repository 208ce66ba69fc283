"""Runs on a Ray cluster from afar: submit, follow, list and stop them, through Ray's job server.

A job is submitted once: the same command on the same files has the same name, and asking again finds the job there.
"""

import asyncio
import logging
import re
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from carbonray.runtime.job_order import JobError, Order, check, on_cluster
from carbonray.runtime.job_parcel import Environment, Parcel, pack
from carbonray.runtime.job_server import COMMAND, PARCEL, Job, answering, connect, find, job_of, known

OUTAGE = 60
"""Seconds without an answer after which a job is followed no longer."""
QUIET = 60
"""Seconds without a line after which the log is asked for anew: the connection may be dead."""
PERIOD = 1
"""Seconds between two looks at a job."""
ENDED_BADLY = ("failed", "stopped")


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What became of an order."""

    job: Job
    new: bool  # false if the job was there already


def submit(
    order: Order, *, address: str | None = None, id: str | None = None, environment: Environment | None = None
) -> Submitted:
    """Run a command on a cluster, unless the very same one is pending, running or done there.

    Where the last try failed or was stopped, the next one is submitted under the next number; with a checkpoint it goes
    on from there.

    Args:
        order: the command.
        address: of the cluster's dashboard, http://HEAD:8265.
        id: name of the job, instead of one made of the command and its files; each name can be used once.
        environment: what the job finds beside its command.

    Raises:
        JobError: if the cluster cannot be reached, or a job of the given name has failed or was stopped.
        ScenarioError: if the scenario is refused; nothing is submitted then.
    """
    if id is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", id):
        raise JobError(f"--id {id}: up to 100 letters, digits, dots, hyphens and underscores, a letter or digit first")
    check(order)
    client, environment = connect(address), environment or Environment()
    with tempfile.TemporaryDirectory() as folder:
        parcel = pack(on_cluster(order), environment, Path(folder))
        with answering(client):
            name, held = (id, find(client, id)) if id else _try(client, parcel.name)
            if held is None:
                return _send(client, name, parcel, environment.python)
            _check_same(held, parcel)
            return Submitted(job=held, new=False)


def _try(client: Any, name: str) -> tuple[str, Job | None]:
    """The first try that has not failed and was not stopped, or the name of the next."""
    for number in count(1):
        tried = name if number == 1 else f"{name}-{number}"
        held = find(client, tried)
        if held is None or held.status not in ENDED_BADLY:
            break
    return tried, held


def _check_same(held: Job, parcel: Parcel) -> None:
    """Refuse a name that is taken by something else, or that was used up."""
    if held.parcel != parcel.name:
        raise JobError(f"{held.id}: is the job of another command or other files here; give another --id")
    if held.status in ENDED_BADLY:
        raise JobError(f"{held.id}: {held.outcome}; submit anew with another --id, or without one")


def _send(client: Any, name: str, parcel: Parcel, python: str) -> Submitted:
    """Submit, unless somebody else was faster."""
    words = parcel.order.words
    try:
        client.submit_job(
            entrypoint=shlex.join([python, "-m", "carbonray.cli", "jobs", "run", *words]),
            submission_id=name,
            runtime_env=dict(parcel.runtime_env),
            metadata={COMMAND: shlex.join(words), PARCEL: parcel.name},
        )
    except RuntimeError:
        held = find(client, name)
        if held is None:
            raise
        return Submitted(job=held, new=False)
    return Submitted(job=known(client, name), new=True)


def jobs(address: str | None = None) -> list[Job]:
    """Jobs of a cluster, newest first; drivers that connected by themselves are none.

    Raises:
        JobError: if the cluster cannot be reached.
    """
    client = connect(address)
    with answering(client):
        found = [job_of(each) for each in client.list_jobs() if each.submission_id]
    return sorted(found, key=lambda job: job.started or datetime.min, reverse=True)


def status(id: str, *, address: str | None = None) -> Job:
    """A job.

    Raises:
        JobError: if the cluster cannot be reached or does not know it.
    """
    client = connect(address)
    with answering(client):
        return known(client, id)


def logs(id: str, *, address: str | None = None) -> str:
    """What a job has printed so far.

    Raises:
        JobError: if the cluster cannot be reached or does not know it.
    """
    client = connect(address)
    with answering(client):
        return str(client.get_job_logs(known(client, id).id))


def cancel(id: str, *, address: str | None = None) -> Job:
    """Stop a job and wait until it has stopped; one that is over stays as it is.

    Raises:
        JobError: if the cluster cannot be reached, does not know it, or does not stop it within a minute.
    """
    client = connect(address)
    deadline = time.monotonic() + OUTAGE
    with answering(client):
        job = known(client, id)
        if not job.over:
            client.stop_job(job.id)
        while not job.over and time.monotonic() < deadline:
            time.sleep(PERIOD / 4)
            job = known(client, id)
    if not job.over:
        raise JobError(f"{id}: asked to stop, still {job.status}; see `carbonray jobs status {id}`")
    return job


def follow(id: str, *, address: str | None = None, say: Callable[[str], object]) -> Job:
    """Say a job's log as it comes, from its beginning, until the job is over.

    A broken connection is made anew; nothing is said twice.

    Args:
        id: of the job.
        address: of the cluster's dashboard.
        say: takes the next piece of the log.

    Raises:
        JobError: if the cluster cannot be reached, does not know the job, or is gone for a minute.
    """
    client = connect(address)
    with answering(client):
        job = known(client, id)
    log, heard = _Log(say), time.monotonic()
    while True:
        if not job.over:
            _listen(client, job.id, log)
        try:
            with answering(client):
                job = known(client, id)  # before its log: what it said before its end is in there
                log.tell(client.get_job_logs(job.id), 0)
            heard = time.monotonic()
        except JobError:
            if time.monotonic() - heard > OUTAGE:
                raise
        if job.over:
            return job
        time.sleep(PERIOD)


class _Log:
    """What was said of a log."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said = 0

    def tell(self, text: str, start: int) -> None:
        """Say what is new of a piece that begins after so many letters."""
        if new := text[max(0, self._said - start) :]:
            self._say(new)
            self._said = max(self._said, start) + len(new)


def _listen(client: Any, id: str, log: _Log) -> None:
    """Say the log as it comes; a connection that breaks is no reason to stop."""
    from aiohttp import ClientError

    try:
        asyncio.run(_stream(client, id, log))
    except (ClientError, OSError, RuntimeError) as error:
        logging.getLogger(__name__).debug("log of %s: %s", id, error)


async def _stream(client: Any, id: str, log: _Log) -> None:
    """Say the log as it comes until it ends, or nothing has come for a while."""
    heard = 0
    async with asyncio.timeout(QUIET) as limit:
        async for text in client.tail_job_logs(id):
            log.tell(text, heard)
            heard += len(text)
            limit.reschedule(asyncio.get_running_loop().time() + QUIET)
