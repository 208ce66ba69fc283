"""How much a result owes to each part of the model: the ablation, the sensitivity to elasticities, a stress test."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from carbonray.config import Disruption, Scenario
from carbonray.kpi.summary import summarise
from carbonray.kpi.transport import transport
from carbonray.runtime import pair
from carbonray.runtime.equilibrium import static_leakage
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.market import MarketError
from carbonray.worlds.cbam.parameters import firms_per_cell

ABLATION_FIRMS = 10_000
"""Firms above which the ablation runs on a smaller population of the same scenario."""
NO_SOURCING = 0.05
"""Scale of the trade elasticities under which buyers all but keep the base year's origins."""
SIGMA_SCALES = (0.7, 1.0, 1.3)
FACTOR_SUPPLIES = (1.0, 2.0, 4.0)
FIGURES = ("leakage_rate", "leakage_rate_cbam_goods", "home_reduction_mt", "foreign_increase_mt")


def without(scenario: Scenario, part: str) -> Scenario:
    """The scenario without one part of the model."""
    firms, market = scenario.firms, scenario.market
    if part == "firm differences":
        return scenario.model_copy(update={"firms": firms.model_copy(update={"intensity_spread": 0.0, "plants": ""})})
    if part == "supply graph":
        return scenario.model_copy(update={"firms": firms.model_copy(update={"slots": 0})})
    if part == "sourcing":
        scaled = market.model_copy(update={"sigma_scale": market.sigma_scale * NO_SOURCING})
        return scenario.model_copy(update={"market": scaled})
    return scenario


def ablation(
    scenario: Scenario, economy: Economy, progress: Callable[[str], None] = lambda text: None
) -> list[dict[str, Any]]:
    """The figures of the scenario, whole and without one part at a time.

    Each row has the leakage figures of the scenario, and what a stress does: the largest firms of a foreign supplier
    of the home region stop for a year (`stress`), and output elsewhere is lost because inputs do not arrive.
    """
    firms = scenario.firms.model_copy(update={"number": min(scenario.firms.number, ABLATION_FIRMS)})
    scenario = scenario.model_copy(update={"firms": firms, "replicas": 1})
    rows = []
    for part in ("nothing", "firm differences", "supply graph", "sourcing"):
        progress(part)
        reduced = without(scenario, part)
        row: dict[str, Any] = {"without": part}
        row |= {name: value for name, value in _figures(reduced, economy).items() if name in FIGURES}
        rows.append(row | _stress_loss(reduced, economy))
    return rows


def _whole(scenario: Scenario, economy: Economy) -> pair.Pair:
    """A side run to its end; an interrupted one would be compared with whole ones."""
    result = pair.run(scenario, economy=economy, record_firms=False)
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def _figures(scenario: Scenario, economy: Economy) -> dict[str, Any]:
    """Key figures of a side run; nothing where its market does not clear."""
    try:
        return summary_of(_whole(scenario, economy))
    except MarketError:
        return dict.fromkeys(FIGURES)


def summary_of(result: pair.Pair) -> dict[str, Any]:
    """Key figures of a pair of runs."""
    world, freight = result.world, result.economy.freight
    home = world.policy.home.cpu().numpy()
    found = summarise(
        result.policy,
        result.reference,
        regions=world.regions,
        sectors=world.sectors,
        home=home,
        covered=world.covered_sectors,
        priced=[sector for sector, pays in zip(world.sectors, world.policy.priced.tolist(), strict=True) if pays],
    )
    return found | transport(result.policy, result.reference, freight, sectors=world.sectors, home=home)


def stress(scenario: Scenario, economy: Economy) -> Disruption:
    """The largest firms, ten and at most a quarter, of the foreign cell that sells most steel home stop for a year.

    Metals where steel is not apart, and the first sector where there are none.
    """
    sector = next((s for s in ("STL", "MET") if s in economy.sectors), economy.sectors[0])
    abroad = [region for region in economy.regions if region not in scenario.home]
    users = np.repeat(np.isin(economy.regions, scenario.home), len(economy.sectors))
    sold = [economy.transactions[economy.cells.index(f"{region}-{sector}")][users].sum() for region in abroad]
    region = abroad[int(np.argmax(sold))]
    cell = economy.cells.index(f"{region}-{sector}")
    return Disruption(
        region=region,
        sector=sector,
        year=scenario.start_year + 1,
        quarters=4,
        largest=int(min(10, max(1, firms_per_cell(economy, scenario.firms.number)[cell] // 4))),
    )


def _stress_loss(scenario: Scenario, economy: Economy) -> dict[str, float | None]:
    """Share of planned output that firms cannot make for want of inputs, in the three years around the stress."""
    event = stress(scenario, economy)
    years = min(scenario.years, 4)
    struck = scenario.model_copy(
        update={"years": years, "disruptions": scenario.disruptions.model_copy(update={"events": (event,)})}
    )
    try:
        accounts = _whole(struck, economy).policy.accounts
    except MarketError:
        return {"stress_output_loss_share": None}
    cell = economy.cells.index(f"{event.region}-{event.sector}")
    others = np.arange(len(economy.cells)) != cell
    planned, made = accounts["planned"][..., others].sum(), accounts["output"][..., others].sum()
    return {"stress_output_loss_share": float(1 - made / planned)}


def sensitivity(scenario: Scenario, economy: Economy) -> list[dict[str, Any]]:
    """Leakage of the static oracle in the final year over the sensitive elasticities."""
    rows = []
    for sigma in SIGMA_SCALES:
        for chi in FACTOR_SUPPLIES:
            market = scenario.market.model_copy(
                update={"sigma_scale": scenario.market.sigma_scale * sigma, "factor_supply": chi}
            )
            found = static_leakage(scenario.model_copy(update={"market": market}), economy=economy)
            rows.append(
                {
                    "sigma_scale": sigma,
                    "factor_supply": chi,
                    "leakage_rate": found["leakage_rate"],
                    "leakage_rate_cbam_goods": found["leakage_rate_cbam_goods"],
                }
            )
    return rows


def oracle(scenario: Scenario, economy: Economy) -> dict[str, Any]:
    """The static oracle in the final year, with and without electricity and the fossil-price channel."""
    found = static_leakage(scenario, economy=economy)
    names: Sequence[str] = ("year", "leakage_rate", "leakage_rate_cbam_goods", "leakage_rate_without_electricity")
    fuel = scenario.model_copy(update={"fuel": scenario.fuel.model_copy(update={"channel": True})})
    with_fuel = static_leakage(fuel, economy=economy)["leakage_rate"]
    return {name: found[name] for name in names} | {"leakage_rate_with_fuel_channel": with_fuel}
