"""The run in plain words: every number comes from the run, and what cannot be said is not said."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from carbonray.report import figure_data, uncertainty
from carbonray.report.gallery import home_name
from carbonray.report.learning_words import follows
from carbonray.report.run_directory import Run
from carbonray.report.summary_model import Summary
from carbonray.report.wording import billions, listed, megatonnes, percent, region_name, sector_name, spread

CHANNELS = {
    "sourcing_mt": "buyers changing to other origins",
    "production_mt": "buyers everywhere buying more or less",
    "relocation_mt": "capacity moving abroad",
    "intensity_mt": "goods abroad being made with more or less carbon per unit",
}
LARGE_SHARE = 0.5


@dataclass(frozen=True)
class Passage:
    """A heading and what stands under it."""

    heading: str
    sentences: tuple[str, ...]


def passages(run: Run) -> list[Passage]:
    """What happens, where, through which channels, at what cost, how certainly, and what it does not mean."""
    found = (
        Passage("What happens", tuple(_what_happens(run))),
        Passage("Where emissions go", tuple(_where(run))),
        Passage("What it costs at home", tuple(_costs(run))),
        Passage("How certain this is", tuple(_certainty(run.summary))),
        Passage("What it does not mean", tuple(caveats(run))),
    )
    return [passage for passage in found if passage.sentences]


def undefined_reason(summary: Summary) -> str:
    """Why there is no rate."""
    return summary.undefined_reason or "emissions at home do not fall against the reference run"


def _what_happens(run: Run) -> list[str]:
    summary, home = run.summary, home_name(run)
    first, last = summary.years
    here, abroad = summary.home_reduction_mt, summary.foreign_increase_mt
    when = f"From {first} to {last}" if last > first else f"In {first}"
    said = [
        f"{when} {home} emits {_compared(-here)} in the same world without its policy; all other "
        f"regions together emit {_more(abroad)}."
    ]
    if summary.leakage_rate is None:
        said.append(f"There is no leakage rate: {undefined_reason(summary)}.")
    elif summary.leakage_rate > 1:
        said.append(
            f"So {percent(summary.leakage_rate)} of the fall at home reappears abroad: more than is cut, and the world "
            "emits more. Where the fall is small, so is what the rate says."
        )
    elif summary.leakage_rate >= 0:
        said.append(f"So {percent(summary.leakage_rate)} of the fall at home reappears abroad; the rest is a real cut.")
    else:
        said.append(f"Emissions abroad fall too, so the leakage rate is negative: {percent(summary.leakage_rate)}.")
    said.append(_goods_sentence(summary))
    share, sector = largest_sector(run)
    if sector and share > LARGE_SHARE and abs(summary.leakage_rate or 0.0) < 1:
        said.append(
            f"{percent(share)} of the fall at home is in {sector_name(sector)}: that large denominator keeps the total "
            "rate low, so read the rate of the CBAM goods beside it."
        )
    return said


def _compared(change: float) -> str:
    return "as much CO2 as" if change == 0 else f"{megatonnes(abs(change))} CO2 {'more' if change > 0 else 'less'} than"


def _more(change: float) -> str:
    return "as much as there" if change == 0 else f"{megatonnes(abs(change))} {'more' if change > 0 else 'less'}"


def _goods_sentence(summary: Summary) -> str:
    rate = summary.leakage_rate_cbam_goods
    if rate is None:
        return "For the CBAM goods alone the rate is undefined."
    if rate >= 0:
        return f"For the CBAM goods alone the rate is {percent(rate)}."
    return f"For the CBAM goods alone the rate is {percent(rate)}: emissions of these sectors fall abroad, too."


def largest_sector(run: Run) -> tuple[float, str]:
    """Share of the largest sector in the falls at home, and its code ("" if nothing falls)."""
    falls = figure_data.emissions_by_sector(run.cells, run.home)["home_reduction_mt"].clip(lower=0)
    total = float(falls.sum())
    return (float(falls.max()) / total, str(falls.idxmax())) if total > 0 else (0.0, "")


def _where(run: Run) -> list[str]:
    summary = run.summary
    known = [(value, region) for region, value in summary.foreign_increase_by_partner_mt.items() if value is not None]
    rises = sorted(((v, r) for v, r in known if v > 0), reverse=True)[:3]
    falls = sorted((v, r) for v, r in known if v < 0)[:2]
    said = []
    if rises:
        said.append(f"Emissions rise most in {_amounts(rises)}.")
    if falls:
        said.append(f"They fall in {_amounts(falls)}.")
    parts = {name: value for name, value in summary.channels.items() if value}  # no word on what did not happen
    if parts:
        ranked = sorted(parts.items(), key=lambda item: -abs(item[1]))
        named = [f"{CHANNELS.get(name, name)} ({megatonnes(value, signed=True)})" for name, value in ranked]
        total = megatonnes(sum(parts.values()), signed=True)
        said.append(f"In {summary.years[1]} the change abroad, {total} a year, comes through {listed(named)}.")
    return said + _carriage(summary)


def _carriage(summary: Summary) -> list[str]:
    """What carrying goods between regions adds; nothing where the economy does not know it."""
    rate, change = summary.leakage_rate_with_transport, summary.transport_change_mt
    if rate is None or change is None:
        return []
    return [
        f"Carrying goods between regions emits {_compared(change)} without the policy; counted as foreign, that makes "
        f"the total rate {percent(rate)} (some of it is in the transport sector already, and prices do not feel it)."
    ]


def _amounts(ranked: Sequence[tuple[float, str]]) -> str:
    return listed([f"{region_name(region)} ({megatonnes(value, signed=True)})" for value, region in ranked])


def _costs(run: Run) -> list[str]:
    summary, money = run.summary, run.summary.revenue_musd
    said = []
    if summary.output_change_share is not None:
        change = summary.output_change_share
        said.append(
            f"The sectors that pay the price make {percent(abs(change))} {'less' if change < 0 else 'more'} at home "
            "than without it."
        )
    if money.carbon_price is not None and money.free_allocation is not None:
        said.append(
            f"Over the run firms pay {billions(money.carbon_price)} for their emissions and get "
            f"{billions(money.free_allocation)} of it back as free allocation."
        )
    if summary.abatement_cost_musd is not None:
        said.append(f"Producing with less carbon costs them {billions(summary.abatement_cost_musd)}.")
    if summary.supply_shortfall_share:
        said.append(f"Disruptions of supply take {percent(summary.supply_shortfall_share)} of output.")
    if money.border_charge:
        said.append(f"The border charge collects {billions(money.border_charge)} from imports.")
    for place, paid in (("at home", money.support_home), ("abroad", money.support_abroad)):
        if paid:
            said.append(f"Contracts for abatement {place} are paid {billions(paid)}.")
    return said


def _certainty(summary: Summary) -> list[str]:
    said = []
    bounds = summary.interval("leakage_rate")
    if bounds is not None:
        said.append(
            f"Drawing the firms anew ({summary.replicas} replicas) leaves the total rate at {spread(bounds)} "
            "(95 % interval of the mean)."
        )
    elif summary.learning is not None:
        said.append("This is one draw of the firms; how much the draw matters is told above, over the seeds.")
    else:
        said.append("This is one draw of the firms; run it with --replicas to see how much the draw matters.")
    said += uncertainty.sentences(summary.uncertainty)
    rates = [row.leakage_rate for row in summary.sensitivity if row.leakage_rate is not None]
    if rates:
        said.append(
            f"Elasticities matter: under {len(rates)} pairs of them the rate at rest, after all adjustment to the "
            f"policy of {summary.years[1]}, lies between {percent(min(rates))} and {percent(max(rates))}."
        )
    fuel, rest = summary.oracle.leakage_rate_with_fuel_channel, summary.oracle.leakage_rate
    if fuel is not None and rest is not None:
        said.append(
            f"The fossil-price channel changes the picture: with it the rate at rest is {percent(fuel)} instead of "
            f"{percent(rest)}."
        )
    return said + _ablation(summary)


def _ablation(summary: Summary) -> list[str]:
    rows = [row for row in summary.ablation if row.leakage_rate is not None]
    if len(rows) < 2 or rows[0].without != "nothing":
        return []
    whole = float(rows[0].leakage_rate or 0.0)
    farthest = max(rows[1:], key=lambda row: abs(float(row.leakage_rate or 0.0) - whole))
    return [
        f"Of the model's parts, {farthest.without} matters most: without it the total rate is "
        f"{percent(farthest.leakage_rate)} instead of {percent(whole)}."
    ]


def caveats(run: Run) -> list[str]:
    """What the result is not."""
    scenario, summary = run.scenario, run.summary
    sectors, regions = run.cells["sector"].nunique(), run.cells["region"].nunique()
    channel = (
        "The fossil-price channel is on, with an assumed supply elasticity of world fuel."
        if scenario.fuel.channel
        else "It is competitiveness leakage only: cheaper fuel abroad, which published studies hold for about a third "
        "of all leakage, is not in the headline."
    )
    apart = (
        "steel, aluminium, cement and fertilisers are split from metals, minerals and chemicals by production, unit "
        "values and intensities that are partly assumed"
        if "STL" in set(run.cells["sector"])
        else "steel and aluminium, or cement and glass, are not told apart"
    )
    table = f"The economy is {_table_name(scenario.economy)} with {sectors} sectors and {regions} regions: {apart}."
    learned = (
        f"{behaviour(summary)}, and elasticities and abatement costs are assumed, not estimated here. "
        "The result is research, and by itself no basis for actual policy."
    )
    abatement = (
        "Abatement starts from nothing: prices paid before the first year count as new, and the whole answer to a "
        "price comes a year later. Held against history the model cuts more than was cut, so falls at home are "
        "overstated, those of the first years most."
    )
    stopped = "The run was interrupted: it covers whole years only, fewer than planned."
    return [channel, table, abatement, learned] + ([stopped] if summary.cut_short else [])


def behaviour(summary: Summary) -> str:
    """What firms do."""
    said = follows("firm", summary.policy, summary.learning) if summary.policy else "firms follow fixed rules"
    return f"{said[:1].upper()}{said[1:]}"


def change_at_home(cells: pd.DataFrame, home: Sequence[str]) -> float | None:
    """Fall of emissions at home, share of the reference."""
    here = cells[cells.region.isin(home)].groupby("run")["emissions_mt"].sum()
    before = float(here["reference"])
    return float(here["policy"]) / before - 1 if before > 0 else None


OLD = "a table of 2011, and what changed since is not in it,"
AGED = "a table of 2011 aged to 2026 with observed growth, output and CO2, but with the supply links of 2011,"


def _table_name(economy: str) -> str:
    names = {"world-2011": OLD, "goods-2011": OLD, "world-2026": AGED, "goods-2026": AGED}
    return names.get(economy, f"the table {economy}")
