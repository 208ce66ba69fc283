"""Full simulations as asynchronous jobs on the cluster."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request

from carbonray.client.messages_firms import Simulation, SimulationList, SimulationRequest
from carbonray.runtime.job_order import JobError
from serve.log import ReusedKeyError
from serve.problem import RefusedError, documented
from serve.reply import body, documented_body
from serve.routes_firms import IdempotencyKey
from serve.routes_leakage import Here

router = APIRouter(prefix="/v1/simulations", tags=["simulations"])

Id = Annotated[str, Path(pattern=r"^simulation-[0-9a-f]{20}$")]
UNREACHED = "the cluster's job server does not answer; ask again later"


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
    name = f"{request.scope['sender']}/{idempotency_key}"
    try:
        return await to_thread.run_sync(here.simulations.submit, name, asked)
    except ReusedKeyError as error:
        raise RefusedError(422, str(error), ("idempotency-key", str(error))) from None
    except JobError:
        raise RefusedError(503, UNREACHED) from None


@router.get("", responses=documented(422, 503))
async def listed(here: Here, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> SimulationList:
    """Jobs, newest first."""
    try:
        return SimulationList(simulations=await to_thread.run_sync(here.simulations.newest, limit))
    except JobError:
        raise RefusedError(503, UNREACHED) from None


@router.get("/{id}", responses=documented(404, 422, 503))
async def told(here: Here, id: Id) -> Simulation:
    """How a job stands; its result once it has succeeded."""
    try:
        return await to_thread.run_sync(here.simulations.told, id)
    except KeyError:
        raise RefusedError(404, f"{id}: there is no such simulation") from None
    except JobError:
        raise RefusedError(503, UNREACHED) from None


@router.delete("/{id}", responses=documented(404, 422, 503))
async def cancel(here: Here, id: Id) -> Simulation:
    """Stop a job; one that is over stays as it is."""
    try:
        return await to_thread.run_sync(here.simulations.cancel, id)
    except KeyError:
        raise RefusedError(404, f"{id}: there is no such simulation") from None
    except JobError:
        raise RefusedError(503, UNREACHED) from None
