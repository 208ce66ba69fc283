"""summary.json of a negotiation run, checked.

Temperatures are degrees C above 1900, money trillion USD, emissions Gt CO2, rates and shares fractions.  A figure
without `_reference` is that of the run, one with it that of the same world with nobody bound.
"""

from typing import Literal

from pydantic import Field

from carbonray.report.summary_model import Learning, Number, Part, TrainedPolicy


class IndexBounds(Part):
    """What the two indices are 0 and 1 at: all regions cutting everything and saving nothing, and the reverse."""

    temperature_best_c: Number
    temperature_worst_c: Number
    output_worst_tusd: Number
    output_best_tusd: Number


class SwitchEffect(Part):
    """What one switch changes, set the other way alone."""

    switch: str
    value: str
    temperature_change_c: Number
    welfare_change: Number
    consumption_change_share: Number | None


class NegotiationSummary(Part):
    """Key figures of a negotiation run: means over the replicas."""

    scenario: str
    world: Literal["climate-negotiation"]
    protocol: str
    years: tuple[int, int]
    n_regions: int
    replicas: int
    seed: int
    interrupted: bool = False

    temperature_c: Number  # of the atmosphere in the last year
    temperature_reference_c: Number
    emissions_gtco2: Number  # sums over the years
    emissions_reference_gtco2: Number
    output_tusd: Number  # sums over the activity steps of what is made, consumed and imported in a year
    output_reference_tusd: Number
    consumption_tusd: Number
    consumption_reference_tusd: Number
    imports_tusd: Number
    imports_reference_tusd: Number
    welfare: Number  # discounted utility, summed over regions and activity steps
    welfare_reference: Number

    temperature_change_c: Number | None = None  # mean over the replicas of run less reference
    welfare_change: Number | None = None

    members_last: Number  # number in the last year
    abatement_members_gtco2: Number | None = None
    rise_others_gtco2: Number | None = None
    leakage_rate: Number | None = None
    undefined_reason: str | None = None

    climate_index: Number | None = None
    economic_index: Number | None = None
    climate_index_reference: Number | None = None
    economic_index_reference: Number | None = None
    index_bounds: IndexBounds | None = None

    intervals: dict[str, tuple[Number | None, Number | None]] = Field(default_factory=dict)
    switches: tuple[SwitchEffect, ...] = ()
    actions_file: str | None = None
    policy: TrainedPolicy | None = None
    learning: Learning | None = None
    wall_seconds: Number | None = None
    region_steps_per_second: Number | None = None
    peak_memory_mib: Number | None = None

    @property
    def cut_short(self) -> bool:
        """Whether the run ends too early; of a stopped evaluation only whole runs are kept."""
        return self.interrupted and self.learning is None

    def interval(self, key: str) -> tuple[float, float] | None:
        """The 5-95 % range of a figure over the replicas; None if there is none."""
        low, high = self.intervals.get(key, (None, None))
        return None if low is None or high is None else (low, high)
