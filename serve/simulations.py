"""Simulations as jobs on the cluster: their state is in the store, so that any replica can tell of any job.

The job's name is that of the row, made before anything is submitted: whoever finds a row that nobody submitted, because
a replica died in between, submits it, and Ray refuses a second job of the same name.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Engine, func, select, update

from carbonray.client.messages_firms import Simulation, SimulationRequest
from carbonray.data.scenarios import targets, world_of
from carbonray.runtime import jobs
from carbonray.runtime.job_order import Order, check, files_of, scenario_of
from carbonray.runtime.job_parcel import Environment
from carbonray.runtime.job_server import Job
from serve.clock import now, time_of
from serve.log import ReusedKeyError
from serve.predictions import UnknownError
from serve.settings import Settings
from serve.store import writing
from serve.tables import simulation
from serve.together import BusyError

UNDER_WAY = ("submitting", "pending", "running")
NAME = r"[A-Za-z0-9_-]*"
"""Of what is built in; all else might be a file, or code in one."""
PROGRESS = r"[a-z -]+ [0-9]+/[0-9]+"
"""Of a run: a task, and how much of it is done."""
REASON = 500
"""Letters of a reason that are kept."""


class UnknownJobError(ValueError):
    """A name that no job has."""


class Simulations:
    """Jobs of a store and a cluster."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._engine, self._settings = engine, settings

    def submit(self, request: str, asked: SimulationRequest) -> Simulation:
        """Submit a run once; the same request again tells of the same job.

        Args:
            request: sender and idempotency key.
            asked: what to run.

        Raises:
            UnknownError: naming a field that no scenario has.
            ReusedKeyError: if the request came with other content before.
            BusyError: if as many jobs are under way as may be.
            JobError: if the cluster does not answer.
        """
        id, content = _id(request), asked.model_dump_json(exclude_none=True)
        row = self._row(id)
        if row is None:
            if asked.target not in targets():
                raise UnknownError("target", f"{asked.target} is unknown; choose from {', '.join(targets())}")
            check_asked(self._order(id, asked))
            self._insert(id, request, content, asked)
        elif row.asked != content:
            raise ReusedKeyError("this idempotency key has come with other content before")
        return self.told(id)

    def _insert(self, id: str, request: str, content: str, asked: SimulationRequest) -> None:
        for other in self._ids(UNDER_WAY):
            self.told(other)  # it may have ended
        values = {"id": id, "request": request, "asked": content, "target": asked.target, "submitted_us": now(),
                  "status": "submitting", "reason": ""}  # fmt: skip
        under_way = select(func.count()).where(simulation.c.status.in_(UNDER_WAY))
        with writing(self._engine) as connection:
            if connection.execute(under_way).scalar_one() >= self._settings.jobs_at_once:
                raise BusyError(
                    f"{self._settings.jobs_at_once} simulations are under way, as many as may be; ask again"
                )
            if connection.execute(select(simulation.c.id).where(simulation.c.id == id)).first() is None:
                connection.execute(simulation.insert().values(**values))

    def told(self, id: str) -> Simulation:
        """A job as it stands.

        Raises:
            UnknownJobError: if there is none of this name.
            JobError: if the cluster does not answer.
        """
        row = self._row(id)
        if row is None:
            raise UnknownJobError(id)
        progress = ""
        if row.status in UNDER_WAY:
            job = self._job(id, SimulationRequest.model_validate_json(row.asked), new=row.status == "submitting")
            self._update(id, job.status, "" if job.status != "failed" else job.outcome)
            row = self._row(id)
            progress = _progress(jobs.logs(id, address=self._settings.jobs))
        return Simulation(
            id=id, status=row.status, target=row.target, submitted_at=time_of(row.submitted_us), progress=progress,
            reason=row.reason, result=self._result(id) if row.status == "succeeded" else None,
        )  # fmt: skip

    def cancel(self, id: str) -> Simulation:
        """Stop a job; one that is over stays as it is.

        Raises:
            UnknownJobError: if there is none of this name.
            JobError: if the cluster does not answer or does not stop it.
        """
        row = self._row(id)
        if row is None:
            raise UnknownJobError(id)
        if row.status in UNDER_WAY:
            self._job(id, SimulationRequest.model_validate_json(row.asked), new=row.status == "submitting")
            self._update(id, jobs.cancel(id, address=self._settings.jobs).status, "")
        return self.told(id)

    def newest(self, limit: int) -> list[Simulation]:
        """Jobs, newest first."""
        return [self.told(id) for id in self._ids(None)[:limit]]

    def _job(self, id: str, asked: SimulationRequest, *, new: bool) -> Job:
        address = self._settings.jobs
        if not new:
            return jobs.status(id, address=address)
        here = Environment(python=self._settings.python)
        return jobs.submit(self._order(id, asked), address=address, id=id, environment=here).job

    def _order(self, id: str, asked: SimulationRequest) -> Order:
        options: dict[str, Any] = {
            name: value
            for name in ("firms", "years", "replicas", "seed")
            if (value := getattr(asked, name)) is not None
        }
        settings = [f"{key}={json.dumps(value)}" for key, value in sorted(asked.settings.items())]
        quick = {"on": "process", "robust": False, "uncertainty": 0} if world_of(asked.target) == "cbam" else {}
        return Order(
            command="simulate",
            targets=(asked.target,),
            options={**options, **quick, "settings": settings, "out": self._settings.runs_folder / id},
        )

    def _result(self, id: str) -> dict[str, Any] | None:
        try:
            return dict(orjson.loads((self._settings.runs_folder / id / "summary.json").read_bytes()))
        except (OSError, ValueError):
            return None

    def _row(self, id: str) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(select(simulation).where(simulation.c.id == id)).first()

    def _ids(self, statuses: Sequence[str] | None) -> list[str]:
        query = select(simulation.c.id).order_by(simulation.c.submitted_us.desc())
        if statuses is not None:
            query = query.where(simulation.c.status.in_(statuses))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def _update(self, id: str, status: str, reason: str) -> None:
        mine = simulation.c.id == id
        with writing(self._engine) as connection:
            connection.execute(update(simulation).where(mine).values(status=status, reason=reason[:REASON]))


def check_asked(order: Order) -> None:
    """Refuse what the cluster would refuse, and what names a file of its own.

    Raises:
        UnknownError: naming the field.
    """
    (target,) = order.targets
    try:
        own = files_of(scenario_of(Order(command="simulate", targets=order.targets), target))
        for key, value in files_of(scenario_of(order, target)).items():
            if value != own[key] and not re.fullmatch(NAME, value):
                raise UnknownError(f"settings.{key}", "must not name a file")
        check(order)
    except UnknownError:
        raise
    except (ValueError, OSError) as error:
        raise UnknownError("settings" if order.given("settings") else "target", str(error)) from None


def _id(request: str) -> str:
    return f"simulation-{hashlib.sha256(request.encode()).hexdigest()[:20]}"


def _progress(log: str) -> str:
    """The last line that tells how far a run is; other lines may name places of the cluster."""
    lines = [line.strip() for line in log.splitlines() if re.match(PROGRESS, line)]
    return lines[-1][:REASON] if lines else ""
