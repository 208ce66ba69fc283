"""The numbers of summary.json: one run against its reference.

Rates and shares are fractions; Mt CO2 and million USD of 2011 are sums over the run unless a name says otherwise.
With several replicas every number is the mean of the replicas, and `intervals` has its 95 % interval.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from carbonray.kpi.history import Array, History, yearly
from carbonray.kpi.leakage import UNDEFINED, Mask, channels, interval, leakage
from carbonray.units import QUARTERS

MONEY = ("carbon_cost", "allocation", "border_charge", "abatement_cost")


def summarise(
    policy: History,
    reference: History,
    *,
    regions: Sequence[str],
    sectors: Sequence[str],
    home: Mask,
    covered: Sequence[str],
    priced: Sequence[str],
) -> dict[str, Any]:
    """Key figures of a run.

    Args:
        policy: the run.
        reference: its reference.
        regions: [R] codes.
        sectors: [S] codes.
        home: [R] regions that act.
        covered: sectors with CBAM goods.
        priced: sectors that pay the carbon price.
    """
    home_cell = np.repeat(home, len(sectors))
    sector_of = np.tile(np.array(sectors), len(regions))
    goods = np.isin(sector_of, list(covered))
    emissions = (policy.emissions.sum(0), reference.emissions.sum(0))  # [B, C]
    final = (yearly(policy.emissions)[-1], yearly(reference.emissions)[-1])
    everywhere, in_goods = leakage(*emissions, home_cell), leakage(*emissions, home_cell, goods)
    replicas: dict[str, Array] = {
        "leakage_rate": everywhere.rate,
        "leakage_rate_cbam_goods": in_goods.rate,
        "leakage_rate_without_electricity": leakage(*emissions, home_cell, sector_of != "ELE").rate,
        "leakage_rate_final_year": leakage(*final, home_cell).rate,
        "leakage_rate_cbam_goods_final_year": leakage(*final, home_cell, goods).rate,
        "home_reduction_mt": everywhere.home_reduction,
        "foreign_increase_mt": everywhere.foreign_increase,
        "home_reduction_cbam_goods_mt": in_goods.home_reduction,
        "foreign_increase_cbam_goods_mt": in_goods.foreign_increase,
        "leaked_mt": np.where(np.isnan(everywhere.rate), np.nan, everywhere.foreign_increase),
        "leaked_mt_cbam_goods": np.where(np.isnan(in_goods.rate), np.nan, in_goods.foreign_increase),
    }
    priced_home = home_cell & np.isin(sector_of, list(priced))
    output = [run.output.sum(0) for run in (policy, reference)]
    if priced_home.any():
        replicas["output_change_share"] = output[0][:, priced_home].sum(1) / output[1][:, priced_home].sum(1) - 1
    else:
        replicas["output_change_share"] = np.full(len(output[0]), np.nan)
    replicas |= stability(policy)
    return {
        **{name: _number(values.mean()) for name, values in replicas.items()},
        "undefined_reason": UNDEFINED if np.isnan(everywhere.rate).any() else None,
        **by_place(policy, reference, regions=regions, sectors=sectors, home=home),
        **trade(policy, reference, sectors=sectors, home=home),
        **money_at_home(policy, home_cell),
        "channels": split(policy, reference, home_cell, len(sectors)),
        "intervals": {
            name: [_number(bound) for bound in bounds]
            for name, values in replicas.items()
            if (bounds := interval(values)) is not None
        },
    }


def by_place(
    policy: History, reference: History, *, regions: Sequence[str], sectors: Sequence[str], home: Mask
) -> dict[str, Any]:
    """Leakage, falls and output by sector, and the rise of emissions by partner; means of the replicas."""
    home_cell = np.repeat(home, len(sectors))
    sector_of = np.tile(np.array(sectors), len(regions))
    emissions = (policy.emissions.sum(0), reference.emissions.sum(0))  # [B, C]
    output = [run.output.sum(0) for run in (policy, reference)]
    return {
        "leakage_rate_by_sector": {
            sector: _number(leakage(*emissions, home_cell, sector_of == sector).rate.mean()) for sector in sectors
        },
        "home_reduction_by_sector_mt": {
            sector: _number(leakage(*emissions, home_cell, sector_of == sector).home_reduction.mean())
            for sector in sectors
        },
        "foreign_increase_by_partner_mt": {
            region: _number((emissions[0] - emissions[1])[:, i * len(sectors) : (i + 1) * len(sectors)].sum(1).mean())
            for i, region in enumerate(regions)
            if not home[i]
        },
        "output_change_by_sector": {
            sector: _number(
                (output[0][:, home_cell & (sector_of == sector)].sum(1)
                / output[1][:, home_cell & (sector_of == sector)].sum(1) - 1).mean()
            )
            for sector in sectors
        },
    }  # fmt: skip


def money_at_home(policy: History, home_cell: Mask) -> dict[str, Any]:
    """What home firms pay and get back, what customs collect and refund, and what contracts for abatement are paid.

    Million USD over the run.
    """
    money = {name: policy.accounts[name].sum(0) for name in MONEY}  # [B, C]
    paid = {}
    if "support" in policy.accounts:
        support = policy.accounts["support"].sum(0)
        sides = {"support_home": home_cell, "support_abroad": ~home_cell}
        paid = {name: _number(support[:, side].sum(1).mean()) for name, side in sides.items()}
    return {
        "revenue_musd": {
            "carbon_price": _number(money["carbon_cost"][:, home_cell].sum(1).mean()),
            "free_allocation": _number(money["allocation"][:, home_cell].sum(1).mean()),
            "border_charge": _number(money["border_charge"][:, ~home_cell].sum(1).mean()),
            "export_refund": _number(0.0 - money["border_charge"][:, home_cell].sum(1).mean()),
            **paid,
        },
        "abatement_cost_musd": _number(money["abatement_cost"][:, home_cell].sum(1).mean()),
    }


def stability(run: History) -> dict[str, Array]:
    """[B] how reliably the supply chain delivers: shortfall, and the variance over quarters of what is delivered."""
    made = run.output.sum(-1)
    shortfall = run.lost.sum((0, 2)) / (run.output.sum((0, 2)) + run.lost.sum((0, 2)))
    growth = np.diff(np.log(np.clip(made, 1e-300, None)), axis=0)
    idle = np.clip(run.accounts["planned"] - run.output, 0, None)
    return {
        "supply_shortfall_share": shortfall,
        "plan_shortfall_share": idle.sum((0, 2)) / run.accounts["planned"].sum((0, 2)),
        "delivered_growth_variance": growth.var(0),
    }


def trade(policy: History, reference: History, *, sectors: Sequence[str], home: Mask) -> dict[str, Any]:
    """Change of the home region's exports and imports by sector, share of the reference."""
    exports, imports = {}, {}
    for index, sector in enumerate(sectors):
        sold = [run.volume.sum(0).mean(0)[index :: len(sectors)] for run in (policy, reference)]  # [R, R]
        out, into = (
            [part[np.ix_(rows, columns)].sum() for part in sold] for rows, columns in ((home, ~home), (~home, home))
        )
        exports[sector] = _number(out[0] / out[1] - 1) if out[1] > 0 else None
        imports[sector] = _number(into[0] / into[1] - 1) if into[1] > 0 else None
    return {"exports_change_by_sector": exports, "imports_change_by_sector": imports}


def split(policy: History, reference: History, home_cell: Mask, n_sectors: int) -> dict[str, float]:
    """Channels of the foreign increase in the final year; relocated capacity counts at full use."""
    intensity = [
        yearly(run.emissions)[-1].mean(0) / np.clip(yearly(run.output)[-1].mean(0), 1e-300, None)
        for run in (policy, reference)
    ]
    parts = channels(policy.purchases[-1], reference.purchases[-1], intensity[0], intensity[1], home_cell, n_sectors)
    arrived = [run.accounts["arriving_capacity"].sum(0).mean(0) * QUARTERS for run in (policy, reference)]
    relocated = float(((arrived[0] - arrived[1]) * intensity[0])[~home_cell].sum())
    return {
        "production_mt": parts.production - relocated,
        "sourcing_mt": parts.sourcing,
        "relocation_mt": relocated,
        "intensity_mt": parts.intensity,
    }


def by_step(policy: History, reference: History, home_cell: Mask, goods: Mask) -> Mapping[str, Array]:
    """Leakage of each quarter, [T, B] by name."""
    total = leakage(policy.emissions, reference.emissions, home_cell)
    cbam = leakage(policy.emissions, reference.emissions, home_cell, goods)
    return {
        "home_reduction_mt": total.home_reduction,
        "foreign_increase_mt": total.foreign_increase,
        "leakage_rate": total.rate,
        "home_reduction_cbam_goods_mt": cbam.home_reduction,
        "foreign_increase_cbam_goods_mt": cbam.foreign_increase,
        "leakage_rate_cbam_goods": cbam.rate,
    }


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
