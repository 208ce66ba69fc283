"""Whether the service lives, whether it can do its work, and its figures."""

from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from serve.metrics import CONTENT_TYPE
from serve.problem import documented
from serve.routes_leakage import Here
from serve.store import check

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """This replica answers."""
    return {"status": "alive"}


@router.get("/readyz", responses=documented(503))
async def readyz(here: Here) -> dict[str, str]:
    """The predictor is loaded and the store answers."""
    await to_thread.run_sync(check, here.engine)
    return {"status": "ready", "model": here.leakage.name}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(here: Here) -> Response:
    """In Prometheus' text format, summed over the replicas of this node."""
    return Response(await to_thread.run_sync(here.metrics.page), media_type=CONTENT_TYPE)
