"""What is measured of agents in a run: of all of them, or of a single one in each replica; and what it is called.

Axes: B replica, n agent, k agent that is told of, Y year.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.runtime.cbam_result import Result
from carbonray.runtime.simulate_negotiation import NegotiationResult
from carbonray.units import QUARTERS
from carbonray.worlds import draws

FOCAL = 8
"""Single agents of a seed, each in a replica of its own, where a role has many; else all of them."""
FEW = 32
"""Agents of a role up to which each of them is one of those."""
FOCAL_DRAW = 3000
Figures = dict[str, float | None]


def focal(seed: int, count: int) -> NDArray[np.int64]:
    """[B, 1] the single agent of each replica: everyone in turn where they are few, else drawn with equal chance."""
    if count <= FEW:
        return np.arange(count)[:, None]
    drawn = [draws.uniform(seed, b, 0, FOCAL_DRAW, np.array([-1])) * count for b in range(FOCAL)]
    return np.stack(drawn).astype(np.int64)


def _of(values: NDArray[np.float64], who: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """[..., B, k] of [..., B, n]: what the trained agents have, or everyone."""
    if who is None:
        return values
    return np.take_along_axis(values, np.broadcast_to(who, (*values.shape[:-1], who.shape[-1])), -1)


def firm_figures(result: Result, who: NDArray[np.int64] | None) -> Figures:
    """Of a run: leakage of the economy; profit, output and emissions of the trained firms, means of a year.

    Single firms are of all sizes, so what they do is told over their size, the output at rest, and averaged over them.
    """
    pair, history = result.pair, result.pair.policy
    size = QUARTERS * pair.world.firms.size.cpu().numpy()
    size = _of(np.broadcast_to(size, (pair.scenario.replicas, len(size))), who)  # [B, k]
    mine = {
        name: _of(np.stack([each[name] for each in history.firms.values()]), who)  # [Y, B, k]
        for name in ("profit", "output", "emissions")
    }
    found: Figures = {name: result.summary[name] for name in ("leakage_rate", "leakage_rate_cbam_goods")}
    found["reward_per_size"] = float((mine["profit"] / size).mean())
    if who is not None:
        return found | {f"{name}_per_size": float((mine[name] / size).mean()) for name in ("output", "emissions")}
    abated = history.accounts["abatement_cost"].sum((0, 2)).mean() / len(history.volume)
    if pair.world.policy.regulated:
        found |= law_figures(result)
    return found | {
        "profit_musd": float(mine["profit"].sum(-1).mean()),
        "output_musd": float(mine["output"].sum(-1).mean()),
        "emissions_mt": float(mine["emissions"].sum(-1).mean()),
        "abatement_cost_musd": float(abated),
    }


def law_figures(result: Result) -> Figures:
    """Of a run whose law a regulator turns: what it is judged on, sums over the run."""
    summary, money = result.summary, result.summary["revenue_musd"]
    paid = sum(money.get(name) or 0.0 for name in ("support_home", "support_abroad"))
    public = money["carbon_price"] - money["free_allocation"] + money["border_charge"] - money["export_refund"] - paid
    rise, fall = summary["foreign_increase_mt"], summary["home_reduction_mt"]
    goods = summary["foreign_increase_cbam_goods_mt"]
    return {"leaked_mt": rise, "leaked_mt_cbam_goods": goods, "home_reduction_mt": fall, "public_money_musd": public}


def region_figures(result: NegotiationResult, who: NDArray[np.int64] | None) -> Figures:
    """Of a run: warming of the world; utility, emissions, output and consumption of the trained regions."""
    century = result.policy
    mine = {
        name: _of(century.regions[name][1:], who)
        for name in ("reward", "mitigation", "emissions", "output", "consumption")
    }
    return {
        "temperature_c": float(century.temperature[-1, :, 0].mean()),
        "leakage_rate": result.summary["leakage_rate"],
        "reward_per_size": float(mine["reward"].mean()),
        "mitigation": float(mine["mitigation"].mean()),
        "emissions_gtco2": float(mine["emissions"].sum(-1).mean()),
        "output_tusd": float(mine["output"].sum(-1).mean()),
        "consumption_tusd": float(mine["consumption"].sum(-1).mean()),
    }


MEASURES: Mapping[str, Callable[[Any, NDArray[np.int64] | None], Figures]] = {
    "cbam": firm_figures,
    "climate-negotiation": region_figures,
}


@dataclass(frozen=True)
class Quantity:
    """What a figure is called, and the unit that people are told it in."""

    label: str
    unit: str
    factor: float = 1.0  # from the unit of the figure to that one


def quantities(role: str) -> Mapping[str, Quantity]:
    """What figures are called in an evaluation of a role; who has none of its own is judged by what firms do."""
    return QUANTITIES.get(role, QUANTITIES["firm"])


QUANTITIES: Mapping[str, Mapping[str, Quantity]] = {
    "firm": {
        "leakage_rate": Quantity("Leakage, all sectors", "%", 100),
        "leakage_rate_cbam_goods": Quantity("Leakage, CBAM goods", "%", 100),
        "reward_per_size": Quantity("Profit over output at rest, mean of the firms", "%", 100),
        "output_per_size": Quantity("Output over output at rest, mean of the firms", "%", 100),
        "emissions_per_size": Quantity("Emissions over output at rest, mean of the firms", "kg CO2/USD", 1000),
        "profit_musd": Quantity("Profit of the firms, a year", "bn USD", 1e-3),
        "output_musd": Quantity("Output of the firms, a year", "bn USD", 1e-3),
        "emissions_mt": Quantity("Emissions of the firms, a year", "Mt CO2"),
        "abatement_cost_musd": Quantity("Abatement cost of the economy, a year", "bn USD", 1e-3),
        "leaked_mt": Quantity("Leaked, all sectors", "Mt CO2"),
        "leaked_mt_cbam_goods": Quantity("Leaked, CBAM goods", "Mt CO2"),
        "home_reduction_mt": Quantity("Cut at home", "Mt CO2"),
        "public_money_musd": Quantity("Revenue that support leaves", "bn USD", 1e-3),
    },
    "region": {
        "temperature_c": Quantity("Warmer than 1900 in the last year", "C"),
        "leakage_rate": Quantity("Leakage to non-members", "%", 100),
        "reward_per_size": Quantity("Utility of a region and step", ""),
        "mitigation": Quantity("Mitigation rate, mean of the regions", "%", 100),
        "emissions_gtco2": Quantity("Emissions of the regions, a year", "Gt CO2"),
        "output_tusd": Quantity("Output of the regions, a year", "trillion USD"),
        "consumption_tusd": Quantity("Consumption of the regions, a year", "trillion USD"),
    },
}
"""By role and name of the figure, in the order in which they are told."""
