"""Who leaks most, with all data that was acknowledged before."""

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from anyio import to_thread
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from carbonray.client.messages import MOST_LISTED
from carbonray.client.messages_firms import RiskReply, RiskRow
from carbonray.config import ScenarioError
from carbonray.data.scenarios import names
from serve.clock import time_of
from serve.predictions import UnknownError
from serve.problem import documented
from serve.reply import answer
from serve.routes_leakage import Here
from serve.service import Service
from serve.tables import batch

router = APIRouter(prefix="/v1", tags=["risk"])

COLUMNS = tuple(name for name in RiskRow.model_fields if name != "observed_at")


class RiskQuery(BaseModel):
    """What of a ranking is wanted."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    kind: Literal["plants", "cells"] = "plants"
    """Single plants, or cells: a sector of the home region."""
    scenario: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = "law"
    """One that /v1/scenarios calls predictable."""
    year: Annotated[int, Field(ge=2026, le=2035)] = 2035
    """Of the policy."""
    sector: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """Only this one; `rank` stays that among all."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """Only plants of this one."""
    plant_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")] | None = None
    """Only this one: of the built-in list, or a firm that sent data."""
    company: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Only plants whose company has these letters in its name."""
    observed: bool | None = None
    """Only those that sent data, or none."""
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Rows passed over."""
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50
    """Rows told."""


@router.get("/risk", response_model=RiskReply, responses=documented(422, 503))
async def risk(here: Here, asked: Annotated[RiskQuery, Query()]) -> Response:
    """Plants or cells of the home region by the tonnes that reappear abroad because of them, most first."""
    if asked.scenario not in names():
        known = filter(here.leakage.knows, names())
        raise UnknownError("scenario", f"{asked.scenario} is unknown; choose from {', '.join(known)}")
    return answer(await to_thread.run_sync(_page, here, asked))


def _page(here: Service, asked: RiskQuery) -> dict[str, Any]:
    try:
        table, position = here.ranking(asked.scenario, asked.year, asked.kind)
    except ScenarioError as error:
        raise UnknownError("scenario", str(error).partition("; build")[0]) from None
    table = filtered(table, asked)
    page = table.iloc[asked.offset : asked.offset + asked.limit]
    return {
        "scenario": asked.scenario, "year": asked.year, "kind": asked.kind, "batch": _batch(here, position),
        "total": len(table), "offset": asked.offset, "rows": [_row(one) for one in page.to_dict("records")],
    }  # fmt: skip


def filtered(table: pd.DataFrame, asked: RiskQuery) -> pd.DataFrame:
    """The rows asked for.

    Raises:
        UnknownError: if a filter names what no row of the ranking has.
    """
    passes = np.ones(len(table), dtype=bool)
    for name in ("sector", "country", "plant_id"):
        wanted = getattr(asked, name)
        if wanted is None:
            continue
        passes &= (_column(table, name) == wanted).to_numpy()
        if not passes.any() and wanted not in set(table[name]):
            choices = "" if name == "plant_id" else f"; choose from {', '.join(sorted(set(table[name])))}"
            raise UnknownError(name, f"nobody of this ranking{choices}")
    if asked.company is not None:
        passes &= _column(table, "company").str.contains(asked.company, case=False, regex=False).to_numpy(dtype=bool)
    if asked.observed is not None:
        passes &= (table["observed_plants"] > 0).to_numpy() == asked.observed
    return table.loc[passes]


def _column(table: pd.DataFrame, name: str) -> "pd.Series[str]":
    if name not in table:
        raise UnknownError(name, "cells have none; ask for kind=plants")
    return table[name]


def _batch(here: Service, position: int) -> int:
    """The batch of a position of the log."""
    query = select(batch.c.number).where(batch.c.first <= position).order_by(batch.c.number.desc()).limit(1)
    with here.engine.connect() as connection:
        return connection.execute(query).scalar() or 0


def _row(one: dict[Any, Any]) -> dict[str, Any]:
    seen = one["observed_us"]
    told = {name: one.get(name) for name in COLUMNS}
    return {**told, "observed_at": time_of(int(seen)) if seen >= 0 else None}
