"""Full simulations as asynchronous jobs on the cluster."""

import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request

from carbonray.client.messages_firms import Simulation, SimulationList, SimulationRequest
from carbonray.runtime.job_order import JobError
from serve.log import ReusedKeyError
from serve.problem import RefusedError, documented
from serve.reply import body, documented_body, only_known
from serve.routes_firms import IdempotencyKey
from serve.routes_leakage import Here
from serve.simulations import UnknownJobError

router = APIRouter(prefix="/v1/simulations", tags=["simulations"], dependencies=[Depends(only_known)])

Id = Annotated[str, Path(pattern=r"^simulation-[0-9a-f]{20}$")]
logger = logging.getLogger("ray.serve.carbonray")
T = TypeVar("T")


async def asked_of(act: Callable[..., T], *what: Any) -> T:
    """What the cluster's jobs answer.

    Raises:
        RefusedError: 404 for a job that there is not, 422 for a key that was used, 503 if no job is taken now.
    """
    try:
        return await to_thread.run_sync(act, *what)
    except ReusedKeyError as error:
        raise RefusedError(422, str(error), ("idempotency-key", str(error))) from None
    except UnknownJobError as error:
        raise RefusedError(404, f"{error}: there is no such simulation") from None
    except JobError as error:
        logger.error("job server: %s", error)
        raise RefusedError(503, "the cluster takes and tells of no jobs now; the service's log says why") from None


@router.post(
    "",
    status_code=202,
    responses=documented(400, 413, 415, 422, 503),
    openapi_extra=documented_body(SimulationRequest),
)
async def submit(
    request: Request,
    here: Here,
    idempotency_key: IdempotencyKey,
    asked: Annotated[SimulationRequest, body(SimulationRequest)],
) -> Simulation:
    """Run a scenario on the cluster; the same key and body again tell of the same job."""
    return await asked_of(here.simulations.submit, f"{request.scope['sender']}/{idempotency_key}", asked)


@router.get("", responses=documented(422, 503))
async def listed(here: Here, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> SimulationList:
    """Jobs, newest first."""
    return SimulationList(simulations=await asked_of(here.simulations.newest, limit))


@router.get("/{id}", responses=documented(404, 422, 503))
async def told(here: Here, id: Id) -> Simulation:
    """How a job stands; its result once it has succeeded."""
    return await asked_of(here.simulations.told, id)


@router.delete("/{id}", responses=documented(404, 422, 503))
async def cancel(here: Here, id: Id) -> Simulation:
    """Stop a job; one that is over stays as it is."""
    return await asked_of(here.simulations.cancel, id)
