"""Which plants and companies a policy costs most: a table of plants, its sums by company, the ten foremost in words.

Exposed means: what a plant pays for its carbon in the last year, less the value of its free allowances, plus any charge
at the border (its net carbon cost).  What it passes on in its price shows in the change of its profit, not here.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from carbonray.kpi.history import Array, History, yearly
from carbonray.runtime.pair import Pair
from carbonray.worlds.cbam.named_firms import LongArray

MOST = 10
MEANING = (
    "Exposed: net carbon cost of the last year, that is carbon price paid less free allowances plus border charge, in "
    "million USD of 2011; share: of the value of output.",
    "Not meant: a forecast for the plant. Output is inferred from its allocation, one model firm stands for one "
    "installation, intensities are those of its last observed years, output and emissions are scaled so that plants "
    "hold at most 95 % of their cell, all plants of a cell abate alike, power bought and waste gases burnt elsewhere "
    "are not in, the owner named may have changed, and plants outside the home region pay their own region's price "
    "without free allowances.",
)
SUMS = (
    "emissions_t", "free_allocation_t", "output_musd", "reference_output_musd", "output_value_musd", "emissions_mt",
    "carbon_cost_musd", "free_allocation_musd", "border_charge_musd", "net_carbon_cost_musd", "profit_musd",
    "reference_profit_musd",
)  # fmt: skip


def plant_years(pair: Pair) -> pd.DataFrame:
    """Each plant's accounts in each recorded year, mean of the replicas, beside the reference run.

    `net_carbon_cost_musd` = `carbon_cost_musd` - `free_allocation_musd` + `border_charge_musd`.  `emissions_t` and
    `free_allocation_t` are the list's, observed; the rest is the model's.  Above 100,000 firms the first and last year.

    Raises:
        ValueError: if the run has no plants, or its firms were not recorded.
    """
    if pair.plants is None:
        raise ValueError("the scenario names no plants; set firms.plants")
    if not pair.policy.firms:
        raise ValueError("the firms of this run were not recorded")
    listed = pair.plants.table
    places = pair.plants.named.firms(pair.world.firms.cell_ends.cpu().numpy())
    cell = pair.plants.named.cell
    frames = []
    for year in sorted(pair.policy.firms):
        policy, reference = (_of_plants(history, year, places) for history in (pair.policy, pair.reference))
        value = (policy["output"] * _price(pair.policy, year)[:, cell]).mean(0)
        accounts = {name: values.mean(0) for name, values in policy.items()}
        frames.append(
            pd.DataFrame(
                {
                    "year": pair.scenario.start_year + year,
                    "plant_id": listed["plant_id"],
                    "plant": listed["name"],
                    "company": listed["company"],
                    "country": listed["country"],
                    "region": listed["region"],
                    "sector": listed["sector"],
                    "emissions_t": listed["emissions_t"],
                    "free_allocation_t": listed["free_allocation_t"],
                    "output_musd": accounts["output"],
                    "reference_output_musd": reference["output"].mean(0),
                    "output_value_musd": value,
                    "emissions_mt": accounts["emissions"],
                    "carbon_cost_musd": accounts["carbon_cost"],
                    "free_allocation_musd": accounts["allocation"],
                    "border_charge_musd": accounts["border_charge"],
                    "net_carbon_cost_musd": accounts["carbon_cost"]
                    - accounts["allocation"]
                    + accounts["border_charge"],
                    "profit_musd": accounts["profit"],
                    "reference_profit_musd": reference["profit"].mean(0),
                }
            )
        )
    return _ranked(pd.concat(frames, ignore_index=True))


def _of_plants(history: History, year: int, places: LongArray) -> dict[str, Array]:
    """Accounts [B, M] of the plants alone."""
    return {name: values[:, places] for name, values in history.firms[year].items()}


def _price(history: History, year: int) -> Array:
    """[B, C] mean producer price of a year, weighted by output."""
    output = yearly(history.output)[year]
    return np.asarray(yearly(history.price * history.output)[year] / np.clip(output, 1e-300, None))


def company_years(plants: pd.DataFrame) -> pd.DataFrame:
    """Sums of `plant_years` by company, plants without one left out."""
    known = plants[plants["company"] != ""]
    grouped = known.groupby(["year", "company"], sort=True)
    sums = grouped[list(SUMS)].sum()
    sums.insert(0, "plants", grouped.size())
    return _ranked(sums.reset_index())


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    """With the changes against the reference, the cost share, and both ranks in a year, 1 for the most exposed."""
    base, value = table["reference_output_musd"], table["output_value_musd"]
    table = table.assign(
        output_change_share=(table["output_musd"] / base.where(base > 0) - 1).fillna(0.0),
        profit_change_musd=table["profit_musd"] - table["reference_profit_musd"],
        cost_share=(table["net_carbon_cost_musd"] / value.where(value > 0)).fillna(0.0),
    )
    years = table.groupby("year")
    return table.assign(
        rank=years["net_carbon_cost_musd"].rank(ascending=False, method="first").astype("int64"),
        rank_by_share=years["cost_share"].rank(ascending=False, method="first").astype("int64"),
    )


def most_exposed(table: pd.DataFrame, number: int = MOST) -> pd.DataFrame:
    """The most exposed plants or companies of the last year: what a report draws or prints."""
    last = table[table["year"] == table["year"].max()]
    names = [name for name in ("plant", "company", "country", "sector", "plants") if name in table]
    figures = ["emissions_t", "free_allocation_t", "net_carbon_cost_musd", "cost_share", "output_change_share",
               "profit_change_musd", "rank", "rank_by_share"]  # fmt: skip
    first: pd.DataFrame = last.sort_values("rank").head(number)[[*names, *figures]]
    return first.reset_index(drop=True)


def exposure_text(plants: pd.DataFrame, companies: pd.DataFrame) -> str:
    """The most exposed plants and companies in the last year, as the command line prints them."""
    year = int(plants["year"].max())
    lines = [f"most exposed plants, {year} ({plants['plant_id'].nunique()} plants)", _heading("plant")]
    for row in most_exposed(plants).to_dict("records"):
        told = row["company"].casefold() in row["plant"].casefold()
        owner = "" if told else f" ({row['company']})"
        lines.append(_line(f"{row['plant']}{owner}", f"{row['country']} {row['sector']}", row))
    lines += [f"most exposed companies, {year}", _heading("company")]
    for row in most_exposed(companies).to_dict("records"):
        lines.append(_line(row["company"], f"{row['plants']} plant{'s' * (row['plants'] > 1)}", row))
    return "\n".join([*lines, *MEANING])


def _heading(what: str) -> str:
    names = f"  {what:46}{'':12}{'net cost':>10}{'share':>9}{'output':>9}{'profit':>9}"
    return f"{names}\n  {'':58}{'million $':>10}{'of value':>9}{'change':>9}{'mln $':>9}"


def _line(name: str, what: str, row: dict[Hashable, Any]) -> str:
    shown = name if len(name) <= 45 else f"{name[:44]}…"
    return (
        f"  {shown:46}{what:12}{row['net_carbon_cost_musd']:>10,.1f}{row['cost_share']:>9.1%}"
        f"{row['output_change_share']:>+9.1%}{row['profit_change_musd']:>+9,.1f}"
    )
