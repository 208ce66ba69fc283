"""Scenarios: what a user writes in YAML, checked. Unknown keys are refused; defaults live here.

Every figure is an assumption that `--set KEY=VALUE` overrides; sources stand under each field.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from carbonray.units import EuroPerTonne, NonNegative, Positive, RatePerYear, UnitInterval


class ScenarioError(ValueError):
    """A scenario that cannot be run; one line naming file, key and rule."""


class Frozen(BaseModel):
    """A part of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _at_least_one_year(path: dict[int, float]) -> dict[int, float]:
    if not path:
        raise ValueError("a path needs at least one year")
    return dict(sorted(path.items()))


PricePath = Annotated[dict[int, EuroPerTonne], AfterValidator(_at_least_one_year)]
SharePath = Annotated[dict[int, UnitInterval], AfterValidator(_at_least_one_year)]
IndexPath = Annotated[dict[int, Positive], AfterValidator(_at_least_one_year)]


def at_year(path: Mapping[int, float], year: float) -> float:
    """The value of a path in a year: a straight line between its years, flat outside them."""
    years = sorted(path)
    if year <= years[0]:
        return path[years[0]]
    for left, right in pairwise(years):
        if year <= right:
            return path[left] + (path[right] - path[left]) * (year - left) / (right - left)
    return path[years[-1]]


PARENT_SECTOR = {
    "STL": "MET",  # iron and steel
    "ALU": "MET",  # aluminium
    "OMT": "MET",  # other metals and fabricated metal products
    "CEM": "NMM",  # cement
    "ONM": "NMM",  # other minerals: glass, ceramics, lime
    "FER": "CHE",  # fertilisers and hydrogen
    "OCH": "CHE",  # other chemicals
}
"""The sector of the 12-sector table that each sector of the 16-sector table is split from; others are in both."""

T = TypeVar("T")


def by_sector(sectors: Sequence[str], values: Mapping[str, T], other: T) -> list[T]:
    """The value of each sector: its own, else that of the sector it is split from, else the other one."""
    return [values.get(s, values.get(PARENT_SECTOR.get(s, s), other)) for s in sectors]


LEGAL_CBAM_FACTOR = {
    2026: 0.975,
    2027: 0.95,
    2028: 0.9,
    2029: 0.775,
    2030: 0.515,
    2031: 0.39,
    2032: 0.265,
    2033: 0.14,
    2034: 0.0,
}
"""What stays free of the benchmark, Directive 2003/87/EC art. 10a(1a)."""


class Policy(Frozen):
    """What the home region does. `reference` runs have none of it."""

    enforced: bool = True
    """Whether any of it is in force; the reference run has false here and all else equal."""
    price: PricePath = {2026: 0.0}
    """Carbon price at home by year, EUR of 2026 per t CO2; a straight line between the years given."""
    priced_sectors: tuple[str, ...] = ("REF", "CHE", "NMM", "MET", "ELE")
    """Sectors that pay the price, at home and where a partner has one."""
    free_sectors: tuple[str, ...] = ("CHE", "NMM", "MET", "REF")
    """Sectors that get free allocation per unit of output; electricity gets none."""
    free_allocation: SharePath = {2026: 1.0}
    """Share of the benchmark allocated free to covered goods; other output of `free_sectors` keeps all of it."""
    free_allocation_other: UnitInterval = 1.0
    """Share of the benchmark allocated free to the output of `free_sectors` that is not a covered good."""
    cbam: bool = False
    """Whether imports of covered goods are charged at the border."""
    cbam_factor: SharePath = LEGAL_CBAM_FACTOR
    """Share of the benchmark deducted from an importer's emissions; equals `free_allocation` in law."""
    coverage: dict[str, UnitInterval] = {
        "STL": 0.95, "ALU": 0.95, "OMT": 0.0, "CEM": 1.0, "ONM": 0.0, "FER": 0.9, "OCH": 0.0,
        "MET": 0.75, "NMM": 0.45, "CHE": 0.10,
    }  # fmt: skip
    """Share of a sector's output that is a CBAM good (assumption); of a table's sector, else of its parent."""
    benchmark: Literal["legal", "share"] = "legal"
    """Where a good is counted in tonnes, its benchmark in law; else and elsewhere `benchmark_share`."""
    benchmark_share: NonNegative = 0.9
    """Benchmark as a share of the home cell's mean intensity, where there is no legal one per tonne."""
    benchmark_year: Literal["previous", "base"] = "previous"
    """Whose mean intensity at home: the year before's, which free allocation of a legal benchmark does not exceed
    either; or the base year's, and a legal benchmark in full (it overallocates once producers abate)."""
    incidence: UnitInterval = 0.2
    """Share of the border charge that the exporter bears."""
    paid_share: UnitInterval = 1.0
    """Share of a carbon price paid abroad that is deducted."""
    reporting: Literal["actual", "default"] = "actual"
    """Whether exporters declare their own intensity or the default value of their cell with its mark-up."""
    markup: Annotated[dict[int, NonNegative], AfterValidator(_at_least_one_year)] = {2026: 0.1, 2027: 0.2, 2028: 0.3}
    """Mark-up on default values, Implementing Regulation (EU) 2025/2621."""
    markup_fixed: dict[str, NonNegative] = {"FER": 0.01}
    """Mark-up of sectors that have one of their own in every year (fertilisers)."""
    indirect_sectors: tuple[str, ...] = ("CEM", "FER")
    """Sectors whose purchased electricity's emissions are charged too, in law cement and fertilisers."""
    export_rebate: UnitInterval = 0.0
    """Share of the net carbon cost refunded on exports of covered goods."""
    support_home: SharePath = {2026: 0.0}
    """Share of last year's revenue, auctions and border together, that goes into a fund for contracts which guarantee
    producers at home a higher carbon price to the end of the run (carbon contracts for difference)."""
    support_abroad: SharePath = {2026: 0.0}
    """The same for producers of covered goods abroad."""
    retaliation: UnitInterval = 0.0
    """Ad valorem tariff on the home region's covered goods abroad; its receipts stay abroad and are not booked."""
    threshold_t: NonNegative = 0.0
    """Embedded t CO2 a year below which an exporter is not charged."""


Lever = Literal["coverage", "free_allocation", "cbam_factor", "export_rebate", "support_home", "support_abroad"]


class Regulator(Frozen):
    """A government that decides every year how the law of the next one departs from the scenario's, within bounds."""

    acts: bool = False
    """Whether it is an agent; by the rules it then leaves the law as it is, so that only one that learned departs."""
    leakage: NonNegative = 100.0
    """EUR of 2026 that it gives to keep a tonne abroad from being emitted."""
    home: NonNegative = 100.0
    """EUR of 2026 that it gives for a tonne less at home."""
    output: NonNegative = 1.0
    """Weight of a euro of value added that is lost at home, or paid abroad for abatement."""
    revenue: NonNegative = 0.1
    """Weight of a euro that auctions and the border bring and contracts for abatement leave."""
    levers: tuple[Lever, ...] = (
        "coverage", "free_allocation", "cbam_factor", "export_rebate", "support_home", "support_abroad",
    )  # fmt: skip
    """What it may turn; the rest of the law stays as it is."""
    settled: Annotated[int, Field(ge=0)] = 3
    """Last years of a run whose law is that of the year before them: leakage follows slowly, so that a law which holds
    for the last year alone would not be judged by it. Fewer where a run is too short to decide anything else."""
    extensible: tuple[str, ...] = ("STL", "ALU", "OMT", "CEM", "ONM", "FER", "OCH", "MET", "NMM", "CHE")
    """Sectors all of whose output it may cover."""


class Partners(Frozen):
    """Carbon prices of regions that are not home; kept in the reference run."""

    price: dict[str, EuroPerTonne] = {}
    """Price in the first year by region, EUR of 2026 per t CO2."""
    price_growth: RatePerYear = 0.03
    """Growth of these prices a year."""
    commitment: dict[str, UnitInterval] = {}
    """A partner's price as a share of the home price, by region; replaces `price` where it is given."""
    commitment_step: UnitInterval = 0.0
    """Largest random step of a commitment a year, within [0, 1]."""

    @model_validator(mode="after")
    def _one_price_per_region(self) -> Self:
        both = set(self.price) & set(self.commitment)
        if both:
            raise ValueError(f"{sorted(both)[0]} has both a price and a commitment; give one")
        return self


class Abatement(Frozen):
    """Marginal abatement cost `P_b (m / m_max)^(k - 1)` of one sector (FACTS, section 4: assumptions)."""

    price: Positive
    """P_b: EUR of 2026 per t at which all of `potential` is cut."""
    potential: Annotated[float, Field(gt=0, le=1)]
    """m_max: share of emissions that can be cut."""
    exponent: Annotated[float, Field(gt=1, le=10)]
    """k: of the cost; the marginal cost has k - 1."""
    cap: UnitInterval = 1.0
    """Largest share ever cut."""


class Market(Frozen):
    """Elasticities of demand (GTAP Armington, FACTS section 3; the sensitive assumptions)."""

    domestic: dict[str, Positive] = {
        "AGR": 2.5, "MIN": 3.0, "REF": 2.1, "CHE": 3.3, "NMM": 2.9, "MET": 3.3,
        "ELE": 2.8, "CON": 1.9, "EQP": 3.9, "OMF": 3.0, "TRA": 1.9, "SRV": 1.9,
        "STL": 2.95, "ALU": 4.2, "OMT": 3.75,
    }  # fmt: skip
    """Elasticity between home-made and imported goods, of a table's sector, else of its parent; between origins it is
    twice that (rule of two)."""
    sigma_scale: Annotated[float, Field(ge=0.05, le=10)] = 1.0
    """Multiplies every `domestic` elasticity: the first thing to vary."""
    final_demand: dict[str, NonNegative] = {"ELE": 0.4, "REF": 0.5, "AGR": 0.5}
    """Own-price elasticity of final demand where it is not `final_demand_other`."""
    final_demand_other: NonNegative = 0.8
    """Own-price elasticity of final demand of every other good."""
    inputs: Annotated[float, Field(ge=0.05, le=5)] = 0.3
    """Elasticity of substitution between inputs, and with the fixed factor."""
    factor_supply: Annotated[float, Field(gt=0)] = 2.0
    """Supply elasticity of the quasi-fixed factor: how hard capacity binds; .inf for none."""


class Firms(Frozen):
    """The firms, and how they behave without learning."""

    number: Annotated[int, Field(ge=1, le=50_000_000)] = 10_000
    """Firms over all cells; with `plants` the least, for cells that hold plants have five more than these."""
    plants: str = ""
    """Named plants as the first firms of their cells: none; `eu` or `eu-gbr`, built in; or a CSV or Parquet file."""
    size_exponent: Positive = 1.06
    """Zipf exponent of sizes (Axtell 2001)."""
    intensity_spread: NonNegative = 0.3
    """Standard deviation of log emission intensity within a cell."""
    slots: Annotated[int, Field(ge=0, le=8)] = 8
    """Suppliers that a firm names; 0 leaves out the firm-level supply graph."""
    growth_response: NonNegative = 0.3
    """Growth of planned output a quarter per unit of margin."""
    growth_limit: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Largest change of planned output a quarter."""
    stock_target: Annotated[float, Field(gt=1, le=20)] = 1.5
    """Input stocks aimed at, in quarters of use; with one or less no firm could grow."""
    stock_adjustment: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the gap to the target closed each quarter."""
    intensity_trend: RatePerYear = -0.01
    """Change of emission intensity a year without policy."""
    abatement_lag: Annotated[int, Field(ge=1, le=40)] = 4
    """Quarters before a decision to abate takes effect."""
    learned: bool = False
    """Whether firms can hear their neighbours' actions, re-source and relocate: what learned policies need."""
    exporters_abate: bool = False
    """Whether exporters count the border charge among their carbon cost when they abate."""
    price_response: NonNegative = 0.0
    """Costless fall of intensity exp(-response x price) at home per EUR/t; the arm of a test, not a finding."""
    sourcing_step: NonNegative = 0.5
    """Log shift of preference for an origin by one sourcing action."""
    sourcing_limit: Annotated[float, Field(ge=0, le=5)] = 3.0
    """Largest log shift of preference that sourcing actions add up to."""
    sourcing_cost: UnitInterval = 0.05
    """Transaction cost of a sourcing action, share of the value moved."""
    relocation_step: UnitInterval = 0.1
    """Share of capacity moved by one relocation action."""
    relocation_cost: UnitInterval = 0.2
    """Transaction cost of relocation, share of a year's output of the capacity moved."""


class Disruption(Frozen):
    """Loss of output of a cell, or of its largest firms, for some quarters."""

    region: str
    """Where."""
    sector: str
    """Which sector."""
    year: int
    """Calendar year in which it strikes."""
    quarter: Annotated[int, Field(ge=1, le=4)] = 1
    """Quarter in which it strikes."""
    quarters: Annotated[int, Field(ge=1)] = 2
    """How long it lasts."""
    severity: UnitInterval = 1.0
    """Share of output lost."""
    largest: Annotated[int, Field(ge=1)] | None = None
    """Only the largest so many firms; every firm of the cell if left out."""


class Disruptions(Frozen):
    """Shortages and how they travel along the supply graph. Policy and reference meet the same ones."""

    events: tuple[Disruption, ...] = ()
    """Named events."""
    outage_rate: UnitInterval = 0.0
    """Probability a quarter that a firm's output is struck."""
    outage_severity: UnitInterval = 0.5
    """Share of output lost in a random outage, which lasts one quarter."""
    spot_share: UnitInterval = 0.5
    """Share of an order left unfilled by its supplier that is sought on the spot market."""

    @property
    def any(self) -> bool:
        """Whether anything can be struck."""
        return bool(self.events) or self.outage_rate > 0


class Fuel(Frozen):
    """The fossil-price channel: less demand at home makes fuel cheaper abroad."""

    channel: bool = False
    """Whether it is on."""
    supply_elasticity: Positive = 1.0
    """Elasticity of world fuel supply."""
    demand_elasticity: NonNegative = 0.3
    """Elasticity of emission intensity to the fuel price (taken equal to the elasticity between inputs)."""


class Paths(Frozen):
    """Paths of yearly means, observed or assumed, 1 in the base year; straight between mid-years, flat outside."""

    demand: dict[str, IndexPath] = {}
    """Final demand by region; replaces `growth` where it is given."""
    intensity: dict[str, IndexPath] = {}
    """Emission intensity without policy, by REGION or REGION-SECTOR; replaces `firms.intensity_trend`."""
    origin: dict[str, IndexPath] = {}
    """Weight of a region's goods in what everybody buys: its share of the world's varieties (Krugman 1980)."""


class Scenario(Frozen):
    """A CBAM world to simulate."""

    world: Literal["cbam"] = "cbam"
    """Which world this is a scenario of."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Lower case, digits and hyphens."""
    summary: str = ""
    """One line on what it asks."""
    economy: str = "goods-2026"
    """A built-in table, or a folder with one: goods-2026 (16 sectors, aged to 2026), goods-2011 (16, as of 2011),
    world-2026 and world-2011 (12 sectors)."""
    start_year: Annotated[int, Field(ge=1990, le=2100)] = 2026
    """First year simulated."""
    years: Annotated[int, Field(ge=1, le=100)] = 10
    """Years simulated."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of every random number."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Independent draws of the firms, for intervals."""
    home: tuple[str, ...] = ("EU26",)
    """Regions that price carbon together."""
    policy: Policy = Policy()
    """What the home region does."""
    regulator: Regulator = Regulator()
    """Who may turn it, year by year."""
    partners: Partners = Partners()
    """What others do."""
    growth: dict[str, RatePerYear] = {
        "EU26": 0.013, "GBR": 0.013, "USA": 0.02, "CHN": 0.04, "IND": 0.06, "RUS": 0.01,
        "TUR": 0.03, "JPN": 0.007, "KTW": 0.022, "BMX": 0.02, "CAU": 0.02, "ROW": 0.03,
    }  # fmt: skip
    """Growth of final demand a year by region; zero where not named."""
    paths: Paths = Paths()
    """Paths that replace constant growth, as a backtest needs."""
    abatement: dict[str, Abatement] = {
        "MET": Abatement(price=180, potential=0.95, exponent=2.4),
        "NMM": Abatement(price=143, potential=1.0, exponent=1.5, cap=0.9),
        "CHE": Abatement(price=200, potential=0.95, exponent=2.0),
        "ELE": Abatement(price=110, potential=1.0, exponent=2.2),
        "ALU": Abatement(price=220, potential=0.95, exponent=2.2),
        "OMT": Abatement(price=550, potential=1.0, exponent=2.6),
        "ONM": Abatement(price=550, potential=1.0, exponent=2.6),
    }
    """Abatement cost of a table's sector, else of its parent; every other sector follows `abatement_other`."""
    abatement_other: Abatement = Abatement(price=550, potential=1.0, exponent=2.6)
    """Abatement cost of sectors not named (RICE: 550 $/t, exponent 2.6)."""
    abatement_scale: Positive = 1.0
    """Multiplies every price of `abatement` and `abatement_other`: how dear cutting is at all."""
    market: Market = Market()
    """Elasticities."""
    firms: Firms = Firms()
    """Firms and their behaviour."""
    disruptions: Disruptions = Disruptions()
    """Shortages."""
    fuel: Fuel = Fuel()
    """The fossil-price channel."""

    def reference(self) -> "Scenario":
        """The same scenario with only the home region's policy off; partners' own prices are kept."""
        return self.model_copy(update={"policy": self.policy.model_copy(update={"enforced": False})})
