"""What the service is told of firms, and what it answers of them, of exposure and of simulations.

A table is columns of equal length.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from carbonray.client.messages import MOST_ROWS, Answer, Message, Number

FirmId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Cell = Annotated[str, Field(pattern=r"^[A-Z0-9]{3,4}-[A-Z]{3}$")]


class Observation(Message):
    """What a firm or plant was seen to make and emit."""

    firm_id: FirmId
    """A plant_id of the built-in list, or a name of your own for a firm that is on none."""
    cell: Cell | None = None
    """REGION-SECTOR, such as EU26-STL; needed for the first observation of a firm that is not on the list."""
    observed_at: AwareDatetime
    """When it was so, with the offset from UTC; the latest is the firm's state, in whatever order rows come."""
    output_musd_per_year: Annotated[float, Field(ge=0, le=1e6)]
    """Production at base prices, million USD of 2011 a year."""
    emissions_t_per_year: Annotated[float, Field(ge=0, le=1e8)]
    """Direct emissions, t CO2 a year."""
    price_index: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Price of its product, 1 in the base year."""


class ObservationBatch(Message):
    """Rows that are stored together or not at all."""

    observations: Annotated[list[Observation], Field(min_length=1, max_length=MOST_ROWS)]


class Receipt(Answer):
    """What was stored, durably; the same for every request with the same idempotency key."""

    batch: int
    """Its number, counted from 1."""
    rows: int
    received_at: datetime
    content_sha256: str
    """Of the rows."""
    chain_sha256: str
    """Of this batch and, through the one before, of all before it: keep it, and `verify-log --holds` proves it."""


class ObservedState(Answer):
    """An observation as it was stored."""

    observed_at: datetime
    received_at: datetime
    batch: int
    output_musd_per_year: float
    emissions_t_per_year: float
    price_index: Number


class FirmReply(Answer):
    """A firm's state by event time, and what was received of it, newest arrival first."""

    firm_id: str
    cell: str | None
    state: ObservedState
    history: list[ObservedState]
    next_before: int | None
    """Give it as `before` for the next page; None on the last."""


class RiskRow(Answer):
    """A plant or cell of the home region by the tonnes that reappear abroad because of it."""

    rank: int
    plant_id: str | None = None
    plant: str | None = None
    company: str | None = None
    country: str | None = None
    cell: str
    sector: str
    observed_at: datetime | None
    """Of the data counted; None for a plant that sent none. Of a cell, the latest."""
    observed_plants: int
    """How many plants sent data."""
    output_musd: float
    """Output, million USD of 2011 a year: observed, or inferred for the base year.  Where the plants of a cell would
    make more than 95 % of it, all of them are scaled down alike."""
    emissions_mt: float
    """Emissions, Mt CO2 a year: observed, or of the base year, and scaled with the output."""
    leaked_mt: float
    """Mt CO2 a year that reappear abroad, with the data received."""
    leaked_mt_unobserved: float
    """The same without."""
    leakage_rate: Number
    """Of its sector."""
    reappears_in: str
    carbon_cost_share: float
    """Carbon price paid less free allowances, USD / USD of output."""
    abatement_cost_share: float
    """Running cost of abatement, USD / USD of output."""
    trade_exposure: Number
    official_indicator: Number
    official_at_risk: bool
    reason: str


class RiskReply(Answer):
    """A page of a ranking."""

    scenario: str
    year: int
    kind: Literal["plants", "cells"]
    batch: int
    """The last batch of observations that is counted."""
    total: int
    """Rows that pass the filters."""
    offset: int
    rows: list[RiskRow]


Key = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_.-]{0,99}$")]
SettingValue = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=100)]


class SimulationRequest(Message):
    """A run of a built-in scenario as a job on the cluster."""

    target: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}(/[a-z0-9-]{1,64})?$")] = "law"
    """A target of /v1/scenarios."""
    firms: Annotated[int, Field(ge=960, le=1_000_000)] | None = None
    years: Annotated[int, Field(ge=1, le=10)] | None = None
    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**53)] | None = None
    settings: Annotated[dict[Key, SettingValue], Field(max_length=50)] = Field(default_factory=dict)
    """Scenario keys such as policy.price.2035, and their values; keys that name files are refused."""


SimulationStatus = Literal["submitting", "pending", "running", "succeeded", "failed", "stopped"]


class Simulation(Answer):
    """A job."""

    id: str
    status: SimulationStatus
    target: str
    submitted_at: datetime
    progress: str
    """The last that the run told of itself: a task, and how much of it is done."""
    reason: str
    """Why it failed, where it did."""
    result: dict[str, Any] | None = None
    """summary.json of the run once it has succeeded; quantities with their units in their names."""


class SimulationList(Answer):
    """Jobs, newest first."""

    simulations: list[Simulation]
