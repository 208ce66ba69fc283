"""summary.json of a run, checked. Every key but the first six may be absent; its section is then left out."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
BySector = dict[str, Number | None]


class Part(BaseModel):
    """A part of summary.json; keys that the report does not use are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Revenue(Part):
    """Sums over the run, million USD of 2011."""

    carbon_price: Number | None = None
    free_allocation: Number | None = None
    border_charge: Number | None = None
    support_home: Number | None = None
    support_abroad: Number | None = None


class Oracle(Part):
    """The static equilibrium of the final year; rates are fractions."""

    leakage_rate: Number | None = None
    leakage_rate_cbam_goods: Number | None = None
    leakage_rate_with_fuel_channel: Number | None = None
    leakage_rate_without_electricity: Number | None = None


class Sensitivity(Part):
    """Leakage under one pair of elasticities."""

    sigma_scale: Number
    factor_supply: float | None = None  # None or infinite: capacity never binds
    leakage_rate: Number | None = None
    leakage_rate_cbam_goods: Number | None = None


class Ablation(Part):
    """The run without one part of the model."""

    without: str
    leakage_rate: Number | None = None
    leakage_rate_cbam_goods: Number | None = None
    home_reduction_mt: Number | None = None
    foreign_increase_mt: Number | None = None
    supply_shortfall_share: Number | None = None
    stress_output_loss_share: Number | None = None


class Bounds(Part):
    """5 %, median and 95 % of a figure over the draws that have it."""

    low: Number
    median: Number
    high: Number
    count: int


class ParameterShare(Part):
    """What a parameter decides of a figure's spread; a fraction."""

    name: str
    share: Number
    correlation: Number | None = None


class Ranking(Part):
    """Parameters by their share in the spread of a figure, largest first."""

    figure: str
    r2: Number | None = None  # what the shares sum to
    chance: Number | None = None  # share that a parameter without effect would show
    parameters: tuple[ParameterShare, ...] = ()


class UncertainParameter(Part):
    """A parameter that was drawn; an end that is None is infinite."""

    name: str
    key: str
    words: str
    low: Number | None = None
    mode: Number | None = None
    high: Number | None = None
    distribution: str = ""
    source: str = ""
    tag: str = ""


class Failure(Part):
    """A draw without a result."""

    draw: int
    reason: str


class Uncertainty(Part):
    """Draws of the uncertain parameters, each a run beside its reference."""

    draws: int
    firms: int
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    base: dict[str, Number | None] = {}
    intervals: dict[str, Bounds | None] = {}
    ranking: tuple[Ranking, ...] = ()
    parameters: tuple[UncertainParameter, ...] = ()


class TrainedPolicy(Part):
    """The policy that agents followed instead of rules."""

    name: str  # of its folder
    sha256: str = ""
    method: str
    acts: str = ""
    scenario: str  # world/scenario of its training
    agent_steps: int | None = None  # decisions that it was trained with
    command: str = ""  # that trains it again
    roles: tuple[str, ...] = ()  # whose agents follow it


class LearningFigure(Part):
    """A figure of trained agents and of the same agents under rules: means over the seeds, with 95 % intervals."""

    name: str
    seeds: int  # in which both have it
    trained: Number | None = None
    rule: Number | None = None
    difference: Number | None = None
    trained_interval: tuple[Number, Number] | None = None
    rule_interval: tuple[Number, Number] | None = None
    difference_interval: tuple[Number, Number] | None = None


class ResponseFigure(Part):
    """A figure of one agent that leaves the policy of all others, and of the same one if it stays."""

    name: str
    seeds: int  # in which both have it
    deviates: Number | None = None
    stays: Number | None = None
    difference: Number | None = None
    deviates_interval: tuple[Number, Number] | None = None
    stays_interval: tuple[Number, Number] | None = None
    difference_interval: tuple[Number, Number] | None = None


class BestResponse(Part):
    """What one agent gains among trained ones by another policy."""

    policy: TrainedPolicy
    figures: tuple[ResponseFigure, ...] = ()


class Undefined(Part):
    """Why leakage has no rate in some seeds."""

    run: Literal["trained", "rule"]
    reason: str
    seeds: tuple[int, ...]


class Learning(Part):
    """Trained agents beside the same agents under rules, over several seeds."""

    role: str
    one: bool = False  # a single trained agent in each replica; else all are
    seeds: tuple[int, ...]
    undefined: tuple[Undefined, ...] = ()
    left_out: dict[str, str] = {}  # seeds whose runs came to an impossible state, and which
    figures: tuple[LearningFigure, ...] = ()
    best_response: BestResponse | None = None


class Summary(Part):
    """Key figures of a run. Rates and shares are fractions, Mt CO2 and million USD are sums over the run."""

    scenario: str
    years: tuple[int, int]
    leakage_rate: Number | None
    leakage_rate_cbam_goods: Number | None
    home_reduction_mt: Number
    foreign_increase_mt: Number

    n_firms: int | None = None
    replicas: int = 1
    seed: int | None = None
    interrupted: bool = False
    undefined_reason: str | None = None
    leakage_rate_final_year: Number | None = None
    leakage_rate_cbam_goods_final_year: Number | None = None
    leaked_mt: Number | None = None
    leaked_mt_cbam_goods: Number | None = None
    output_change_share: Number | None = None
    transport_mt: Number | None = None
    transport_change_mt: Number | None = None
    leakage_rate_with_transport: Number | None = None
    leakage_rate_without_electricity: Number | None = None
    supply_shortfall_share: Number | None = None
    leakage_rate_by_sector: BySector = {}
    foreign_increase_by_partner_mt: dict[str, Number | None] = {}
    output_change_by_sector: BySector = {}
    exports_change_by_sector: BySector = {}
    imports_change_by_sector: BySector = {}
    channels: dict[str, Number | None] = {}
    revenue_musd: Revenue = Revenue()
    abatement_cost_musd: Number | None = None
    oracle: Oracle = Oracle()
    sensitivity: tuple[Sensitivity, ...] = ()
    ablation: tuple[Ablation, ...] = ()
    intervals: dict[str, tuple[Number | None, Number | None]] = {}
    uncertainty: Uncertainty | None = None
    policy: TrainedPolicy | None = None
    learning: Learning | None = None
    wall_seconds: Number | None = None
    firm_steps: Number | None = None
    firm_steps_per_second: Number | None = None
    peak_memory_mib: Number | None = None

    @property
    def cut_short(self) -> bool:
        """Whether the run ends too early; of a stopped evaluation only whole runs are kept."""
        return self.interrupted and self.learning is None

    def interval(self, key: str) -> tuple[float, float] | None:
        """The 95 % interval of a figure over the replicas; None if there is none."""
        low, high = self.intervals.get(key, (None, None))
        return None if low is None or high is None else (low, high)
