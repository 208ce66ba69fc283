"""What a sweep keeps of a run of the climate negotiation world."""

from collections.abc import Callable, Sequence

import pandas as pd

from carbonray.config_climate import NegotiationScenario
from carbonray.counterfactual.sweep_figures import Column, Shown, with_intervals
from carbonray.data.negotiation import protocol_of
from carbonray.runtime.outputs import unit_of
from carbonray.runtime.simulate_negotiation import NegotiationResult

BESIDE = {
    "temperature_c": "degrees C above 1900, in the last year",
    "emissions_gtco2": "Gt CO2 over the run",
    "output_tusd": "trillion USD a year, sum of the steps",
    "consumption_tusd": "trillion USD a year, Armington aggregate, sum of the steps",
    "imports_tusd": "trillion USD a year, sum of the steps",
    "welfare": "utility, discounted to 2015",
    "climate_index": "0 warmest extreme, 1 coolest",
    "economic_index": "0 poorest extreme, 1 richest",
}
"""Figures of a run that its reference has too."""


def _reference(name: str) -> str:
    """The same figure where nobody is bound; units come last."""
    stem, _, unit = name.rpartition("_")
    return f"{stem}_reference_{unit}" if unit in ("c", "gtco2", "tusd") else f"{name}_reference"


OVER_REPLICAS = (
    *(Column(key, unit) for name, unit in BESIDE.items() for key in (name, _reference(name))),
    Column("temperature_rise_c", "degrees C since the first year"),
    Column("temperature_change_c", "degrees C, against the reference"),
    Column("consumption_change_share", "fraction, against the reference"),
    Column("welfare_change", "utility, against the reference"),
    Column("members_last", "regions"),
    Column("leakage_rate", "fraction"),
)
"""Figures with the range of nine in ten replicas where a run has several."""
FIGURES = (
    Column("first_year", "calendar year", "int64"),
    Column("last_year", "calendar year", "int64"),
    Column("n_regions", "regions", "int64"),
    Column("replicas", "draws of the actions", "int64"),
    Column("protocol", "", "string"),
    Column("behaviour", "", "string"),
    *OVER_REPLICAS,
    Column("abatement_members_gtco2", "Gt CO2 over the run"),
    Column("rise_others_gtco2", "Gt CO2 over the run"),
    Column("undefined_reason", "", "string"),
)
TABLE = (
    "temperature_c", "lower_ocean_c", "carbon_gtc", "emissions_gtco2", "output_tusd", "consumption_tusd",
    "imports_tusd", "tariff_revenue_tusd", "mitigation_mean", "welfare",
)  # fmt: skip
BY_YEAR = (
    Column("run", "policy, or the reference where nobody is bound", "string"),
    Column("replica", "", "int64"),
    Column("year", "calendar year", "int64"),
    *(Column(name, unit_of(name)) for name in TABLE),
    Column("members", "regions", "int64"),
)
SHOWN = (
    Shown("warmer by the end", "temperature_rise_c", "C"),
    Shown("consumption change", "consumption_change_share", "%", 100.0),
)


def checker() -> Callable[[NegotiationScenario], None]:
    """What refuses a scenario whose protocol cannot be found or does not take its options."""

    def check(scenario: NegotiationScenario) -> None:
        protocol_of(scenario)

    return check


def figures(scenarios: Sequence[NegotiationScenario]) -> list[Column]:
    """The figures of a run."""
    measured = [one.name for one in OVER_REPLICAS] if any(one.replicas > 1 for one in scenarios) else []
    return with_intervals(FIGURES, measured)


def years(result: NegotiationResult) -> pd.DataFrame:
    """The world by run, replica and year."""
    return result.years.astype({"run": "str"})
