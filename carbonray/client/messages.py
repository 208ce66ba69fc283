"""What the service is asked and what it answers, as JSON has it: units in names, unknown keys refused.

The service and `carbonray.client` share these. A table is columns of equal length.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from carbonray.units import EuroPerTonne, Positive, RatePerYear, UnitInterval

MOST_POLICIES = 1000
"""In a request."""
MOST_CUBES = 100
"""Policies of a request that asks for cubes."""
MOST_ROWS = 10_000
"""Observations in a request."""
MOST_LISTED = 1000
"""Rows of a page."""

LEVELS = (0.5, 0.8, 0.9, 0.95)


def _calibrated(level: float) -> float:
    if level not in LEVELS:
        raise ValueError(f"was not calibrated; choose {', '.join(map(str, LEVELS))}")
    return level


Level = Annotated[float, AfterValidator(_calibrated), Field(json_schema_extra={"enum": list(LEVELS)})]
Sector = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Region = Annotated[str, Field(pattern=r"^[A-Z0-9]{3,4}$")]
Year = Annotated[str, Field(pattern=r"^20[0-9]{2}$")]
_EXACT: dict[str, Any] = {"additionalProperties": False, "minProperties": 1}
PricePath = Annotated[dict[Year, EuroPerTonne], Field(min_length=1, json_schema_extra=_EXACT)]
SharePath = Annotated[dict[Year, UnitInterval], Field(min_length=1, json_schema_extra=_EXACT)]
Scale = Annotated[float, Field(ge=0.05, le=10, allow_inf_nan=False)]


class Message(BaseModel):
    """A part of a request or an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Answer(BaseModel):
    """A part of an answer; what a later service adds is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class PolicyCase(Message):
    """A law in an economy: a built-in scenario, and what is changed of it."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "policy"
    """What to call it; comes back with the answer."""
    scenario: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = "law"
    """A scenario of /v1/scenarios that can be predicted."""
    years: Annotated[int, Field(ge=1, le=10)] = 10
    """Years told, from 2026 on."""
    price_eur_per_t: PricePath | None = None
    """Carbon price at home by year, EUR of 2026 / t CO2; a straight line between the years given."""
    free_allocation_share: SharePath | None = None
    """Share of the benchmark allocated free to covered goods, by year."""
    cbam: bool | None = None
    """Whether imports of covered goods are charged at the border."""
    cbam_factor_share: SharePath | None = None
    """Share of the benchmark deducted from an importer's emissions, by year."""
    coverage_share: Annotated[dict[Sector, UnitInterval], Field(min_length=1, json_schema_extra=_EXACT)] | None = None
    """Share of a sector's output that is a CBAM good; other sectors keep the scenario's."""
    export_rebate_share: UnitInterval | None = None
    """Share of the net carbon cost refunded on exports of covered goods."""
    support_home_share: UnitInterval | None = None
    """Share of last year's revenue that pays for abatement at home."""
    support_abroad_share: UnitInterval | None = None
    """The same for producers of covered goods abroad."""
    incidence_share: UnitInterval | None = None
    """Share of the border charge that the exporter bears."""
    partner_price_eur_per_t: (
        Annotated[dict[Region, EuroPerTonne], Field(min_length=1, json_schema_extra=_EXACT)] | None
    ) = None
    """Partners' carbon prices in the first year, EUR of 2026 / t CO2; other partners keep the scenario's."""
    partner_price_growth_per_year: RatePerYear | None = None
    """Growth of these prices."""
    sigma_scale: Scale | None = None
    """Multiplies every elasticity between home-made and imported goods."""
    factor_supply: Annotated[Positive, Field(le=100)] | None = None
    """Supply elasticity of capacity."""
    inputs: Annotated[float, Field(ge=0.05, le=5, allow_inf_nan=False)] | None = None
    """Elasticity of substitution between inputs."""
    abatement_scale: Scale | None = None
    """Multiplies every cost of abatement."""
    intensity_trend_per_year: RatePerYear | None = None
    """Change of emission intensity without policy."""
    fuel_channel: bool | None = None
    """Whether cheaper fuel abroad is counted."""


class LeakageRequest(Message):
    """Policies to predict."""

    policies: Annotated[list[PolicyCase], Field(min_length=1, max_length=MOST_POLICIES)]
    """One or many."""
    level: Level = 0.9
    """Share of new cases that an interval holds."""
    cube: bool = False
    """Whether each answer has foreign_increase_mt by year, partner and sector; up to 100 policies."""

    @model_validator(mode="after")
    def _few_cubes(self) -> Self:
        if self.cube and len(self.policies) > MOST_CUBES:
            raise ValueError(f"cube: for up to {MOST_CUBES} policies in a request")
        return self


Number = float | None
"""None where it is undefined: a rate where emissions at home do not fall, a bound outside what was simulated."""


class Estimate(Answer):
    """A figure and its interval."""

    mean: Number
    low: Number
    high: Number


class Estimates(Answer):
    """Figures and their intervals, in the order of the table's first column."""

    mean: list[Number]
    low: list[Number]
    high: list[Number]


class Headlines(Answer):
    """Rates and tonnes over five and ten years."""

    leakage_rate_10_years: Estimate
    leakage_rate_10_years_cbam_goods: Estimate
    leakage_rate_5_years: Estimate
    leakage_rate_5_years_cbam_goods: Estimate
    leaked_mt_10_years: Estimate
    leaked_mt_10_years_cbam_goods: Estimate
    home_reduction_mt_10_years: Estimate
    home_reduction_mt_10_years_cbam_goods: Estimate


class YearTable(Answer):
    """Leakage by year; rates are shares, tonnes Mt CO2 a year."""

    year: list[int]
    leakage_rate: Estimates
    leakage_rate_cbam_goods: Estimates
    foreign_increase_mt: Estimates
    foreign_increase_mt_cbam_goods: Estimates
    home_reduction_mt: Estimates
    home_reduction_mt_cbam_goods: Estimates


class SectorTable(Answer):
    """Tonnes leaked over ten years by sector, Mt CO2."""

    sector: list[str]
    leaked_mt_10_years: Estimates


class PartnerTable(Answer):
    """Tonnes leaked over ten years by partner, Mt CO2."""

    partner: list[str]
    leaked_mt_10_years: Estimates


class Cube(Answer):
    """Rise of emissions abroad, Mt CO2 a year."""

    year: list[int]
    partner: list[str]
    sector: list[str]
    foreign_increase_mt: list[list[list[float]]]
    """[year][partner][sector]"""


class OutsideRange(Answer):
    """An input beyond what was simulated."""

    name: str
    value: float
    low: float
    high: float


class PredictionFlags(Answer):
    """Why a prediction may not be relied upon; all empty where it may."""

    outside: list[OutsideRange]
    unlike: list[str]
    """Paths whose shape over the years is unlike any simulated."""
    unknown: list[str]
    """Keys of the scenario that the predictor does not know."""
    approximated: list[str]
    """Keys of which it knows something near; intervals stand."""


class LeakagePrediction(Answer):
    """What is predicted of a policy."""

    name: str
    scenario: str
    reliable: bool
    """False where intervals are withheld; see `flags`."""
    flags: PredictionFlags
    headlines: Headlines
    years: YearTable
    sectors: SectorTable
    partners: PartnerTable
    cube: Cube | None = None


class ModelVersion(Answer):
    """Which predictor answered."""

    name: str
    model_sha256: str
    economy: str
    data_sha256: dict[str, str]
    """Of the tables that it was built on."""


class LeakageReply(Answer):
    """Predictions in the order of the policies asked."""

    model: ModelVersion
    level: float
    predictions: list[LeakagePrediction]


class Model(ModelVersion):
    """A predictor that the service can answer with."""

    active: bool
    about: str
    runs: dict[str, int]
    firms: int


class ModelList(Answer):
    """Predictors."""

    models: list[Model]


class ScenarioEntry(Answer):
    """A built-in scenario."""

    target: str
    """As commands and requests name it."""
    world: str
    summary: str
    predictable: bool
    """Whether /v1/leakage/predict knows it."""


class ScenarioList(Answer):
    """Built-in scenarios."""

    scenarios: list[ScenarioEntry]


class ProblemError(Answer):
    """A field that was refused."""

    field: str
    """Where it is, dotted; rows count from 0."""
    rule: str


class Problem(Answer):
    """A refusal or failure, as RFC 9457 has it (application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = []
