"""Observations of firms: received, stored for good, told again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from sqlalchemy import Connection, select

from carbonray.client.messages_firms import FirmReply, ObservationBatch, Receipt
from serve.clock import time_of
from serve.log import Batch, MovedError, ReusedKeyError, Stored, content_of
from serve.mirror import State
from serve.predictions import UnknownError
from serve.problem import RefusedError, documented
from serve.reply import answer, body, documented_body, only_known
from serve.routes_leakage import Here
from serve.service import Service
from serve.tables import batch, observation

router = APIRouter(prefix="/v1/firms", tags=["observations"], dependencies=[Depends(only_known)])

IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description="Yours for this request, such as a UUID: sent again with the same body it changes nothing.",
    ),
]


@router.post(
    "/observations",
    response_model=Receipt,
    responses=documented(400, 413, 415, 422, 503),
    openapi_extra=documented_body(ObservationBatch),
)
async def observe(
    request: Request,
    here: Here,
    idempotency_key: IdempotencyKey,
    asked: Annotated[ObservationBatch, body(ObservationBatch)],
) -> Response:
    """Store observations; once this is answered, they survive whatever fails."""
    if not here.census.knows_all(asked.observations, here.mirror.firms):
        await to_thread.run_sync(here.catch_up)  # another replica may know them
    rows = here.census.rows_of(asked.observations, datetime.now(UTC), here.mirror.firms)
    one = Batch(request=f"{request.scope['sender']}/{idempotency_key}", rows=rows, content_sha256=content_of(rows))
    try:
        stored = await here.appending.ask(one)
    except ReusedKeyError as error:
        raise RefusedError(422, str(error), ("idempotency-key", str(error))) from None
    except MovedError as error:
        raise UnknownError(f"observations.{error.row}.cell", "is not the cell that this firm first came with") from None
    here.metrics.rows(len(rows))
    return answer(_receipt(stored))


def _receipt(stored: Stored) -> dict[str, Any]:
    return {
        "batch": stored.number, "rows": stored.rows, "received_at": time_of(stored.received_us),
        "content_sha256": stored.content_sha256, "chain_sha256": stored.chain_sha256,
    }  # fmt: skip


@router.get("/{firm_id}", responses=documented(404, 422, 503))
async def firm(
    here: Here,
    firm_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="next_before of the page before.")] = None,
) -> FirmReply:
    """A firm's state, the latest by event time, and its history, newest arrival first."""
    return await to_thread.run_sync(_firm, here, firm_id, limit, before)


def _firm(here: Service, firm_id: str, limit: int, before: int | None) -> FirmReply:
    with here.engine.connect() as connection:
        here.mirror.catch_up(connection)
        state = here.mirror.of([firm_id]).get(firm_id)
        if state is None:
            raise RefusedError(404, f"{firm_id}: nothing was received of this firm")
        found = history(connection, state.last if before is None else before, firm_id, limit + 1)
        latest = history(connection, state.latest, firm_id, 1)
    return _reply(firm_id, state, latest, found, limit)


def history(connection: Connection, start: int, firm_id: str, limit: int) -> list[Any]:
    """Observations of a firm from a position back, newest arrival first; none if that is no observation of it."""
    columns = [*observation.c, batch.c.number, batch.c.received_us]
    found: list[Any] = []
    place: int | None = start
    while place is not None and len(found) < limit:
        within = (batch.c.first <= place) & (place < batch.c.first + batch.c.rows)
        wanted = observation.c.position == place
        query = select(*columns).join(batch, within).where(wanted, observation.c.firm_id == firm_id)
        row = connection.execute(query.order_by(batch.c.number)).first()
        if row is None:
            break
        found.append(row)
        place = row.previous
    return found


def _reply(firm_id: str, state: State, latest: Sequence[Any], found: Sequence[Any], limit: int) -> FirmReply:
    more = found[limit].position if len(found) > limit else None
    told = {
        "firm_id": firm_id, "cell": state.cell, "state": _state(latest[0]),
        "history": [_state(row) for row in found[:limit]], "next_before": more,
    }  # fmt: skip
    return FirmReply.model_validate(told)


def _state(row: Any) -> dict[str, Any]:
    return {
        "observed_at": time_of(row.observed_us), "received_at": time_of(row.received_us), "batch": row.number,
        "output_musd_per_year": row.output_musd_per_year, "emissions_t_per_year": row.emissions_t_per_year,
        "price_index": row.price_index,
    }  # fmt: skip
