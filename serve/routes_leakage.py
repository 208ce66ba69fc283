"""Predictions, and what can be predicted with what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from carbonray.client.messages import LeakageReply, LeakageRequest, Model, ModelList, ScenarioEntry, ScenarioList
from carbonray.data.scenarios import load, targets
from serve.predictions import Leakage
from serve.problem import documented
from serve.reply import answer, body, documented_body, only_known
from serve.service import Service

router = APIRouter(prefix="/v1", tags=["predictions"], dependencies=[Depends(only_known)])


async def service_of(request: Request) -> Service:
    """Of this replica; a function that is not async would be sent to a thread for each request."""
    found = request.app.state.service
    assert isinstance(found, Service)
    return found


Here = Annotated[Service, Depends(service_of)]


@router.post(
    "/leakage/predict",
    response_model=LeakageReply,
    responses=documented(400, 413, 415, 422, 503),
    openapi_extra=documented_body(LeakageRequest),
)
async def predict_leakage(here: Here, asked: Annotated[LeakageRequest, body(LeakageRequest)]) -> Response:
    """Leakage of policies by year, sector and partner, with intervals and out-of-range flags."""
    told = await here.predict(asked)
    here.metrics.policies(len(asked.policies))
    return answer(told)


@router.get("/models")
async def models(here: Here) -> ModelList:
    """The predictor that answers, and those that the service knows beside it."""
    return ModelList(models=[_model(one, active=one is here.leakage) for one in (here.leakage, *here.others)])


def _model(one: Leakage, *, active: bool) -> Model:
    card = one.predictor.saved.card
    return Model.model_validate(
        {**one.version, "active": active, "about": card.about, "runs": card.runs, "firms": card.firms}
    )


@router.get("/scenarios")
def scenarios(here: Here) -> ScenarioList:
    """Built-in scenarios of all worlds."""
    return ScenarioList(scenarios=[_entry(target, here.leakage) for target in targets()])


def _entry(target: str, leakage: Leakage) -> ScenarioEntry:
    found = load(target)
    predictable = found.world == "cbam" and leakage.knows(target)
    return ScenarioEntry(target=target, world=found.world, summary=found.summary, predictable=predictable)
