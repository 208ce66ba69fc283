"""The home region's government as an agent: it turns the law of the year to come, within bounds, and is judged on it.

It lives on one shard and decides once a year; its decree is a row of the bid, which clear puts into the commons, where
it holds from the next year on.  At rest it leaves the law as the scenario has it.

Axes: B replica, S sector, H lever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.law import Law
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.parameters import PolicyParams
from carbonray.worlds.world import Observation, Role

LEVERS: dict[str, tuple[float, ...]] = {
    "coverage": (0.0, 0.5, 1.0),  # share of the gap between the law's coverage and all of what may be covered
    "free_allocation": (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5),  # added to the law's share, which stays in [0, 1]
    "cbam_factor": (-0.5, -0.25, 0.0, 0.25, 0.5),  # added to the law's, never below what is free at home
    "export_rebate": (0.0, 0.25, 0.5, 1.0),  # share of the net carbon cost
    "support_home": (0.0, 0.1, 0.25, 0.5),  # share of last year's revenue
    "support_abroad": (0.0, 0.025, 0.05, 0.1),
}
"""What a decree may say of each lever."""
REST = tuple(levels.index(0.0) for levels in LEVERS.values())
FEATURES = (
    "year", "price", "price_next", "free_share", "cbam_factor", *LEVERS,
    "emissions_home", "emissions_abroad", "output_home", "revenue", "objective",
)  # fmt: skip
"""What it sees: the law of the scenario for the year to come, its own last decree, and how the last year went."""
BOOKED = ("emissions_home", "emissions_abroad", "output_home", "revenue", "objective")
"""Of a year, in the commons: emissions and value added, less what is paid abroad, as shares of the base path's at home,
money of the latter; revenue is what contracts for abatement leave."""


@dataclass(frozen=True, kw_only=True)
class Decrees:
    """What the regulators of a shard decide: one or none."""

    values: Tensor  # [B, n, H] in the order of LEVERS


def role() -> Role:
    """One government, once a year."""
    return Role(
        count=1,
        features=len(FEATURES),
        heads=tuple(len(levels) for levels in LEVERS.values()),
        every=QUARTERS,
        beside=False,
        rest=REST,
    )


def decode(choices: Tensor) -> Decrees:
    """Decrees from levels [B, n, H] int64."""
    columns = [
        torch.tensor(levels, dtype=torch.float64, device=choices.device)[choices[..., place]]
        for place, levels in enumerate(LEVERS.values())
    ]
    return Decrees(values=torch.stack(columns, -1))


def encode(decrees: Decrees) -> Tensor:
    """[B, n, levels] one where a level was chosen."""
    columns = [
        (decrees.values[..., place, None] == torch.tensor(levels, dtype=torch.float64, device=decrees.values.device))
        for place, levels in enumerate(LEVERS.values())
    ]
    return torch.cat(columns, -1).to(torch.float64)


def rule(commons: Commons, count: int) -> Decrees:
    """The law as it stands."""
    batch = len(commons.decree)
    return Decrees(values=torch.zeros(batch, count, len(LEVERS), dtype=torch.float64, device=commons.decree.device))


def decreed(policy: PolicyParams, law: Law, decree: Tensor) -> Law:
    """The law of a year as a decree [B, H] turns it.

    Whatever it says: shares stay shares; importers get no less deducted than is free at home (f >= phi) but for what
    the scenario's own law favours those at home; a policy that is not enforced stays off.
    """
    turn = dict(zip(LEVERS, decree.unbind(1), strict=True))
    free = (law.free_share + turn["free_allocation"]).clamp(0.0, 1.0)
    favour = (law.free_share - law.cbam_factor).clamp(min=0.0)
    factor = torch.maximum(law.cbam_factor + turn["cbam_factor"], free - favour).clamp(0.0, 1.0)
    widest = torch.where(policy.extensible, 1.0, law.coverage)
    on = float(policy.enforced)
    return replace(
        law,
        coverage=law.coverage + turn["coverage"][:, None] * (widest - law.coverage),
        free_share=free,
        cbam_factor=factor,
        export_rebate=torch.maximum(law.export_rebate, on * turn["export_rebate"]),
        support_home=torch.maximum(law.support_home, on * turn["support_home"]),
        support_abroad=torch.maximum(law.support_abroad, on * turn["support_abroad"]),
    )


def booked(model: Model, commons: Commons, totals: Mapping[str, Tensor], revenue: Tensor) -> Tensor:
    """[B, 5] what a quarter adds to the books, see BOOKED.

    objective = - w_a (E_abroad - base) - w_h (E_home - base) - w_y (base - Y_home + S_abroad) + w_r (R - S)

    million USD, with E emissions, Y value added, R revenue, S what contracts for abatement are paid, and w the weights
    of the scenario.  What is paid abroad is lost at home, what is paid at home only changes hands.  The base path is
    what no decree moves, so that objectives of two decrees differ as leaked tonnes, tonnes cut and costs against the
    reference do.

    Args:
        model: parameters.
        commons: of the quarter.
        totals: [B, C] emissions, Mt CO2; output and, where there are contracts, support, million USD.
        revenue: [B] million USD that auctions and the border bring.
    """
    technology, weights = model.technology, model.objective
    home = model.policy.home_cell.to(revenue.dtype)
    trend = technology.trend[commons.step]
    base_output = technology.output * trend
    base = base_output * technology.intensity * technology.intensity_trend[commons.step]
    added = technology.factor_share * home
    change = (totals["emissions"] - base).contiguous()
    at_home, abroad = (change * home).sum(-1), (change * (1 - home)).sum(-1)
    paid = totals.get("support", torch.zeros_like(change))
    revenue = revenue - paid.sum(-1)
    lost = ((base_output - totals["output"]) * added + paid * (1 - home)).contiguous().sum(-1)
    objective = weights.revenue * revenue - weights.leakage * abroad - weights.home * at_home - weights.output * lost
    of_emissions, of_output = (base * home).sum(), (base_output * added).sum()
    shares = (
        at_home / of_emissions,
        abroad / of_emissions,
        *(each / of_output for each in (-lost, revenue, objective)),
    )
    return torch.stack(shares, 1)


def decides(model: Model, commons: Commons) -> bool:
    """Whether what it says now is heard: the law of the last years is that of the one before them."""
    return commons.step // QUARTERS + 1 < model.steps // QUARTERS - model.policy.settled


def heard(model: Model, commons: Commons, said: Tensor) -> Tensor:
    """[B, H] the decree that holds in the coming year."""
    return said if decides(model, commons) else commons.decree


def reward(commons: Commons, count: int) -> Tensor:
    """[B, n] objective of the quarter as a share of value added at home on the base path."""
    return commons.quarter[:, BOOKED.index("objective"), None].expand(-1, count)


def observe(model: Model, commons: Commons, count: int) -> Observation:
    """[B, n, features], and which levels it may choose."""
    policy, batch = model.policy, len(commons.decree)
    year = min(commons.step // QUARTERS + 1, model.steps // QUARTERS)
    law = policy.law.in_year(year, batch)
    columns = [
        torch.full_like(law.price, commons.step / model.steps),
        commons.law.price / 100,
        law.price / 100,
        law.free_share,
        law.cbam_factor,
        *commons.decree.unbind(1),
        *(10 * commons.last_year).unbind(1),
    ]
    values = torch.stack(columns, 1).unsqueeze(1).expand(-1, count, -1)
    return Observation(values=values, mask=_legal(model, commons).unsqueeze(1).expand(-1, count, -1))


def _legal(model: Model, commons: Commons) -> Tensor:
    """[B, levels] every level of the levers that it may turn; once all is settled, only the one that is in force."""
    decree, parts = commons.decree, []
    for place, (name, levels) in enumerate(LEVERS.items()):
        points = torch.tensor(levels, dtype=torch.float64, device=decree.device)
        away = (points - decree[:, place, None]).abs()
        if name not in model.policy.levers:
            away = points.abs().expand_as(away)
        elif decides(model, commons):
            away = torch.zeros_like(away)
        parts.append(away == away.amin(1, keepdim=True))
    return torch.cat(parts, 1)
