"""A Ray cluster's job server: reached or refused in one line, and its jobs as it tells them."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carbonray.runtime.job_order import JobError

LOCAL = "http://127.0.0.1:8265"
"""Where Ray's dashboard listens unless told otherwise."""
ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Variables that name the cluster where no address is given; Ray itself would prefer them to a given one."""
TOKEN = "set RAY_AUTH_MODE=token, and put the cluster's token into ~/.ray/auth_token or RAY_AUTH_TOKEN"
CHATTY = (
    "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging",
)  # fmt: skip
"""Loggers that tell every upload and every closed socket."""
PATIENCE = 10
"""Seconds that the cluster gets to answer at first."""
OVER = ("succeeded", "failed", "stopped")
COMMAND, PARCEL = "carbonray", "carbonray-parcel"
"""Keys of a job's metadata: the command as its user would type it, and the name of command and files together."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the cluster tells it."""

    id: str
    status: str  # pending, running, succeeded, failed or stopped
    command: str
    parcel: str = ""  # name of command, files and environment together
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None  # of its command, where that came to an end by itself
    message: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.status in OVER

    @property
    def took(self) -> float | None:
        """Seconds from its submission to its end or, before that, to now."""
        if self.started is None:
            return None
        return max(0.0, ((self.ended or datetime.now()) - self.started).total_seconds())

    @property
    def code(self) -> int:
        """Exit code for whoever waited for it: its own; 128 + N if signal N ended it; else 1 unless it succeeded."""
        if self.exit_code is None:
            return 0 if self.status == "succeeded" else 1
        return self.exit_code if self.exit_code >= 0 else 128 - self.exit_code

    @property
    def outcome(self) -> str:
        """Its status in words, with the reason on one line where it failed."""
        if self.status != "failed":
            return self.status
        if self.exit_code is not None:
            return f"failed with exit code {self.code}"
        lines = _lines(self.message)
        return f"failed: {lines[0]}" + (f" ({lines[-1]})" if len(lines) > 1 else "")


def connect(address: str | None = None) -> Any:
    """Ray's client of a cluster's job server.

    Raises:
        JobError: naming the address, if nothing answers there, or not Ray.
    """
    try:
        import requests
        from ray.exceptions import RayError
        from ray.job_submission import JobSubmissionClient
    except ModuleNotFoundError:
        raise JobError("jobs need Ray; install it with: pip install 'carbonray[ray]'") from None

    place = _address(address)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        answer = requests.get(f"{place}/api/version", timeout=PATIENCE)
        if answer.status_code == 200 and "ray_version" not in answer.json():
            raise RuntimeError("the answer is not Ray's")
        with _without_variables():
            return JobSubmissionClient(place)
    except (requests.ConnectionError, requests.Timeout, ConnectionError):
        raise JobError(f"{place}: no cluster answers; give the dashboard of its head with --address") from None
    except RayError as error:  # a token is missing or wrong
        raise JobError(f"{place}: {_line(str(error))}; {TOKEN}") from None
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise JobError(f"{place}: is not the dashboard of a Ray cluster ({_line(str(error))})") from None


def _address(given: str | None) -> str:
    """The address given, else the one of the environment, else this machine's."""
    found = given or next(
        (os.environ[name] for name in ADDRESSES if os.environ.get(name, "").startswith("http")), LOCAL
    )
    if not re.fullmatch(r"https?://[^/\s]\S*", found):
        raise JobError(f"--address {found}: give the dashboard of the cluster's head, http://HEAD:8265")
    return found.rstrip("/")


@contextmanager
def _without_variables() -> Iterator[None]:
    """Without the variables that Ray's client prefers to the address given to it."""
    hidden = {name: os.environ.pop(name) for name in ADDRESSES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def answering(client: Any) -> Iterator[None]:
    """Failures of the job server as one line.

    Raises:
        JobError: naming the address.
    """
    from ray.exceptions import RayError

    try:
        yield
    except JobError:
        raise
    except (OSError, RuntimeError, RayError) as error:
        raise JobError(f"{client.get_address()}: {_line(str(error))}") from None


def _line(text: str) -> str:
    """The line of an error that tells most: the last one of a traceback, else the first."""
    lines = _lines(text)
    return lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]


def _lines(text: str) -> list[str]:
    found = [line.strip().rstrip(".") for line in text.splitlines()]
    return [line for line in found if line] or ["no reason given"]


def find(client: Any, id: str) -> Job | None:
    """A job, if the cluster knows it."""
    try:
        return job_of(client.get_job_info(id))
    except RuntimeError as error:
        if "status code 404" in str(error):
            return None
        raise


def known(client: Any, id: str) -> Job:
    """A job that must be there.

    Raises:
        JobError: if it is not.
    """
    found = find(client, id)
    if found is None:
        raise JobError(f"{id}: the cluster has no such job; `carbonray jobs` lists them")
    return found


def job_of(details: Any) -> Job:
    """From Ray's words."""
    told = details.metadata or {}
    return Job(
        id=details.submission_id or details.job_id,
        status=details.status.value.lower(),
        command=told.get(COMMAND) or details.entrypoint,
        parcel=told.get(PARCEL, ""),
        started=_time(details.start_time),
        ended=_time(details.end_time),
        exit_code=details.driver_exit_code,
        message=details.message or "",
    )


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000)
