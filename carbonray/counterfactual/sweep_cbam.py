"""What a sweep keeps of a run of the CBAM world."""

from collections.abc import Callable, Sequence

import pandas as pd

from carbonray.config import Scenario
from carbonray.counterfactual.sweep_figures import Column, Shown, with_intervals
from carbonray.data.placing import Placed
from carbonray.data.worlds import economy_of, plants_of
from carbonray.kpi.leakage import Leakage
from carbonray.runtime.cbam_result import Result
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.names import check_names
from carbonray.worlds.cbam.parameters import firms_per_cell

RATE, MT, MUSD = "fraction", "Mt CO2 over the run", "million USD of 2011 over the run"

OVER_REPLICAS = (
    Column("leakage_rate", RATE),
    Column("leakage_rate_cbam_goods", RATE),
    Column("leakage_rate_without_electricity", RATE),
    Column("leakage_rate_final_year", RATE),
    Column("leakage_rate_cbam_goods_final_year", RATE),
    Column("home_reduction_mt", MT),
    Column("foreign_increase_mt", MT),
    Column("home_reduction_cbam_goods_mt", MT),
    Column("foreign_increase_cbam_goods_mt", MT),
    Column("leaked_mt", MT),
    Column("leaked_mt_cbam_goods", MT),
    Column("output_change_share", RATE),
    Column("supply_shortfall_share", RATE),
    Column("plan_shortfall_share", RATE),
    Column("delivered_growth_variance", "variance of log growth a quarter"),
)
"""Figures with an interval where a run has several replicas."""
FIGURES = (
    Column("first_year", "calendar year", "int64"),
    Column("last_year", "calendar year", "int64"),
    Column("n_firms", "firms", "int64"),
    Column("replicas", "draws of the firms", "int64"),
    *OVER_REPLICAS,
    Column("undefined_reason", "", "string"),
    Column("leakage_rate_with_transport", RATE),
    Column("transport_mt", MT),
    Column("transport_change_mt", MT),
    Column("revenue_musd.carbon_price", MUSD),
    Column("revenue_musd.free_allocation", MUSD),
    Column("revenue_musd.border_charge", MUSD),
    Column("revenue_musd.export_refund", MUSD),
    Column("abatement_cost_musd", MUSD),
    *(Column(f"channels.{part}_mt", "Mt CO2 in the last year") for part in ("production", "sourcing", "relocation",
                                                                              "intensity")),
)  # fmt: skip
BY_SECTOR = {
    "leakage_rate_by_sector": RATE,
    "home_reduction_by_sector_mt": MT,
    "output_change_by_sector": RATE,
    "exports_change_by_sector": RATE,
    "imports_change_by_sector": RATE,
    "transport_imports_by_sector_mt": MT,
    "transport_imports_change_by_sector_mt": MT,
}
"""Groups of figures with one for each sector."""
BY_PARTNER = {"foreign_increase_by_partner_mt": MT}
"""Groups of figures with one for each region that is not home."""
BY_YEAR = (
    Column("replica", "", "int64"),
    Column("year", "calendar year", "int64"),
    Column("home_reduction_mt", "Mt CO2 a year"),
    Column("foreign_increase_mt", "Mt CO2 a year"),
    Column("leakage_rate", RATE),
    Column("home_reduction_cbam_goods_mt", "Mt CO2 a year"),
    Column("foreign_increase_cbam_goods_mt", "Mt CO2 a year"),
    Column("leakage_rate_cbam_goods", RATE),
    *(Column(f"emissions_{place}_mt", "Mt CO2 a year") for place in ("home", "home_reference", "abroad",
                                                                     "abroad_reference")),
    *(Column(f"output_{place}_musd", "million USD of 2011 a year") for place in ("home", "home_reference", "abroad",
                                                                                "abroad_reference")),
    *(Column(f"{name}_musd", "million USD of 2011 a year") for name in ("carbon_cost", "free_allocation",
                                                                       "abatement_cost", "border_charge")),
)  # fmt: skip
"""What home firms pay and are given, and `border_charge_musd`, what those abroad pay, beside leakage by year."""
SHOWN = (
    Shown("leakage, all sectors", "leakage_rate", "%", 100.0),
    Shown("leakage, CBAM goods", "leakage_rate_cbam_goods", "%", 100.0),
)


def checker() -> Callable[[Scenario], None]:
    """What refuses a scenario that its economy or list of plants does not fit."""
    economies: dict[str, Economy] = {}
    placed: dict[tuple[str, str], Placed | None] = {}

    def check(scenario: Scenario) -> None:
        named = (scenario.economy, scenario.firms.plants)
        if scenario.economy not in economies:
            economies[scenario.economy] = economy_of(scenario)
        economy = economies[scenario.economy]
        if named not in placed:
            placed[named] = plants_of(scenario, economy)
        plants = placed[named]
        check_names(economy, scenario)
        firms_per_cell(economy, scenario.firms.number, plants.named if plants else None)

    return check


def figures(scenarios: Sequence[Scenario]) -> list[Column]:
    """The figures of a run; by sector and partner those of every economy among the scenarios."""
    sectors: dict[str, None] = {}
    partners: dict[str, None] = {}
    for scenario in {(one.economy, one.home): one for one in scenarios}.values():
        economy = economy_of(scenario)
        sectors |= dict.fromkeys(economy.sectors)
        partners |= dict.fromkeys(region for region in economy.regions if region not in scenario.home)
    measured = [one.name for one in OVER_REPLICAS] if any(one.replicas > 1 for one in scenarios) else []
    return [
        *with_intervals(FIGURES, measured),
        *(Column(f"{group}.{sector}", unit) for group, unit in BY_SECTOR.items() for sector in sectors),
        *(Column(f"{group}.{region}", unit) for group, unit in BY_PARTNER.items() for region in partners),
    ]


def years(result: Result) -> pd.DataFrame:
    """Leakage, emissions, output and money by replica and year."""
    parts = ("home_reduction_mt", "foreign_increase_mt")
    goods = tuple(name.replace("_mt", "_cbam_goods_mt") for name in parts)
    found = result.steps.groupby(["replica", "year"])[[*parts, *goods]].sum()
    for rate, columns in (("leakage_rate", parts), ("leakage_rate_cbam_goods", goods)):
        fall, rise = (found[name].to_numpy() for name in columns)
        found[rate] = Leakage(home_reduction=fall, foreign_increase=rise).rate
    cells = result.cells
    at_home = cells["region"].isin(result.pair.scenario.home)
    for run, end in (("policy", ""), ("reference", "_reference")):
        for place, there in (("home", at_home), ("abroad", ~at_home)):
            sums = cells[there & (cells["run"] == run)].groupby(["replica", "year"])
            for figure, unit in (("emissions", "mt"), ("output", "musd")):
                found[f"{figure}_{place}{end}_{unit}"] = sums[f"{figure}_{unit}"].sum()
    policy = cells["run"] == "policy"
    money = ["carbon_cost_musd", "free_allocation_musd", "abatement_cost_musd"]
    found[money] = cells[policy & at_home].groupby(["replica", "year"])[money].sum()
    found["border_charge_musd"] = cells[policy & ~at_home].groupby(["replica", "year"])["border_charge_musd"].sum()
    return found.reset_index()
