"""The tables of a run: quarters, cells, trade, firms, hotspots and the measures of the supply graph."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from carbonray.kpi.history import History, yearly
from carbonray.kpi.summary import by_step
from carbonray.kpi.transport import carried
from carbonray.network import cascade, graph, leontief, measures
from carbonray.runtime.outputs import categories
from carbonray.runtime.pair import Pair
from carbonray.units import QUARTERS
from carbonray.worlds.cbam import Economy

RUNS = ("policy", "reference")
HOTSPOTS = 200
SPOT_SHARE = 0.5
"""Share of a lost supply that buyers find elsewhere, in the static cascade of the supply graph."""


def steps(pair: Pair) -> pd.DataFrame:
    """Leakage of each quarter and replica."""
    home = pair.world.policy.home_cell.cpu().numpy()
    goods = np.tile(np.isin(pair.world.sectors, pair.world.covered_sectors), len(pair.world.regions))
    figures = by_step(pair.policy, pair.reference, home, goods)
    quarters, replicas = figures["home_reduction_mt"].shape
    step = np.repeat(np.arange(quarters), replicas)
    return pd.DataFrame(
        {
            "replica": np.tile(np.arange(replicas), quarters),
            "step": step,
            "year": pair.scenario.start_year + step // QUARTERS,
            "quarter": step % QUARTERS + 1,
            **{name: values.ravel() for name, values in figures.items()},
        }
    )


def cells(pair: Pair) -> pd.DataFrame:
    """Accounts of each cell and year."""
    regions, sectors = pair.world.regions, pair.world.sectors
    frames = []
    for code, history in enumerate((pair.policy, pair.reference)):
        accounts = {name: yearly(values) for name, values in history.accounts.items()}
        shape = accounts["output"].shape
        year, replica, cell = (axis.ravel() for axis in np.indices(shape))
        price = (history.price * history.output).reshape(-1, QUARTERS, *shape[1:]).sum(1)
        frames.append(
            pd.DataFrame(
                {
                    "run": categories(np.full(len(year), code), RUNS),
                    "replica": replica,
                    "year": pair.scenario.start_year + year,
                    "region": categories(cell // len(sectors), regions),
                    "sector": categories(cell % len(sectors), sectors),
                    "output_musd": accounts["output"].ravel(),
                    "emissions_mt": accounts["emissions"].ravel(),
                    "price_index": (price / np.clip(accounts["output"], 1e-300, None)).ravel(),
                    "profit_musd": accounts["profit"].ravel(),
                    "carbon_cost_musd": accounts["carbon_cost"].ravel(),
                    "free_allocation_musd": accounts["allocation"].ravel(),
                    "border_charge_musd": accounts["border_charge"].ravel(),
                    "abatement_cost_musd": accounts["abatement_cost"].ravel(),
                    "support_musd": accounts.get("support", np.zeros(shape)).ravel(),
                    "value_added_musd": accounts["value_added"].ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def flows(pair: Pair) -> pd.DataFrame:
    """Trade of each product with each region by year; zero flows are left out."""
    regions, sectors = pair.world.regions, pair.world.sectors
    frames = []
    for code, history in enumerate((pair.policy, pair.reference)):
        intensity = yearly(history.emissions) / np.clip(yearly(history.output), 1e-300, None)
        year, replica, cell, to = (axis.ravel() for axis in np.indices(history.volume.shape))
        volume = history.volume.ravel()
        frame = pd.DataFrame(
            {
                "run": categories(np.full(len(year), code), RUNS),
                "replica": replica,
                "year": pair.scenario.start_year + year,
                "from_region": categories(cell // len(sectors), regions),
                "from_sector": categories(cell % len(sectors), sectors),
                "to_region": categories(to, regions),
                "volume_musd": volume,
                "value_musd": history.value.ravel(),
                "border_charge_musd": history.charge.ravel(),
                "direct_mt": volume * np.repeat(intensity.ravel(), len(regions)),
                "transport_mt": carried(history, pair.economy.freight).ravel(),
            }
        )
        frames.append(frame[volume > 0])
    return pd.concat(frames, ignore_index=True)


def firms(pair: Pair) -> pd.DataFrame:
    """Each firm's years; above 100,000 firms the first and the last."""
    params, sectors = pair.world.firms, pair.world.sectors
    ends = params.cell_ends.cpu().numpy()
    cell = np.searchsorted(ends, np.arange(ends[-1]), side="right")
    frames = []
    for code, history in enumerate((pair.policy, pair.reference)):
        for year, values in sorted(history.firms.items()):
            replica, firm = (axis.ravel() for axis in np.indices(values["output"].shape))
            frames.append(
                pd.DataFrame(
                    {
                        "run": categories(np.full(len(firm), code), RUNS),
                        "replica": replica,
                        "year": pair.scenario.start_year + year,
                        "firm": firm,
                        "region": categories(cell[firm] // len(sectors), pair.world.regions),
                        "sector": categories(cell[firm] % len(sectors), sectors),
                        "output_musd": values["output"].ravel(),
                        "emissions_mt": values["emissions"].ravel(),
                        "profit_musd": values["profit"].ravel(),
                        "border_charge_musd": values["border_charge"].ravel(),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def economy_in(pair: Pair, history: History, year: int = -1) -> Economy:
    """The input-output economy that a run shows in a year, mean of its replicas; stock building is in its flows."""
    count = len(pair.economy.cells)
    return Economy(
        regions=pair.economy.regions,
        sectors=pair.economy.sectors,
        year=pair.scenario.start_year + (len(history.purchases) + year if year < 0 else year),
        transactions=history.purchases[year][:, :count],
        final_demand=history.purchases[year][:, count:],
        emissions=yearly(history.emissions)[year].mean(0),
    )


def hotspots(pair: Pair) -> pd.DataFrame:
    """Edges of the cell graph that carry most of the change in embodied carbon in the final year.

    Half of them inside the home region, half elsewhere: a plain ranking shows nothing but home.
    """
    policy, reference = (economy_in(pair, history) for history in (pair.policy, pair.reference))
    carbon = [leontief.embodied_intensity(state)[:, None] * leontief.flows(state) for state in (policy, reference)]
    home = set(pair.scenario.home)
    buyers = [name.rsplit("-", 1) for name in leontief.buyers(policy)]
    suppliers = [name.rsplit("-", 1) for name in policy.cells]
    inside = np.outer([region in home for region, _ in suppliers], [region in home for region, _ in buyers])
    change = carbon[0] - carbon[1]
    rows: list[int] = []
    for part in (inside, ~inside):
        ranked = np.argsort(-np.abs(np.where(part, change, 0.0)), axis=None, kind="stable")[: HOTSPOTS // 2]
        rows += [int(place) for place in ranked if change.ravel()[place] != 0 and part.ravel()[place]]
    supplier, buyer = np.divmod(np.array(rows, dtype=np.int64), len(buyers))
    return pd.DataFrame(
        {
            "from_region": [suppliers[i][0] for i in supplier],
            "from_sector": [suppliers[i][1] for i in supplier],
            "to_region": [buyers[i][0] for i in buyer],
            "to_sector": [buyers[i][1] for i in buyer],
            "reference_mt": carbon[1][supplier, buyer],
            "policy_mt": carbon[0][supplier, buyer],
            "change_mt": change[supplier, buyer],
        }
    ).astype(dict.fromkeys(("from_region", "from_sector", "to_region", "to_sector"), "str"))


def network(economy: Economy, home: Sequence[str], covered: Sequence[str]) -> pd.DataFrame:
    """What an analyst asks of the supply graph, by cell: intensity, exposure, betweenness, criticality."""
    table = measures.intensity_table(economy)
    exposed = measures.exposure(economy, list(home), list(covered))[
        ["output_musd", "direct_share", "indirect_share", "exposure"]
    ]
    between = measures.betweenness(graph.cell_graph(economy))
    lost = cascade.criticality(economy, spot_share=SPOT_SHARE)[["lost_output_share", "cells_hit"]]
    joined = table.join(exposed).join(between).join(lost.add_prefix("removal_"))
    return joined.reset_index(drop=True)
