"""The routes before a service; knows nothing of Ray."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from carbonray.client.messages import LeakageRequest
from carbonray.client.messages_firms import ObservationBatch, SimulationRequest
from serve import problem, routes_firms, routes_health, routes_leakage, routes_risk, routes_simulations
from serve.middleware import Gate
from serve.reply import with_schemas
from serve.service import Service

ROUTERS = (
    routes_leakage.router,
    routes_firms.router,
    routes_risk.router,
    routes_simulations.router,
    routes_health.router,
)
BODIES = (LeakageRequest, ObservationBatch, SimulationRequest)


def make_app(service: Service) -> FastAPI:
    """The routes before a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPIOffline(  # its page needs nothing of the network
        title="carbonray",
        version="1",
        description="Carbon leakage of policies, observed firms, exposure and simulations. Units are in the names.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    problem.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Gate, keys=service.keys, body_bytes=service.settings.body_bytes, metrics=service.metrics)
    app.openapi = with_schemas(app.openapi, *BODIES)  # type: ignore[method-assign]
    return app
