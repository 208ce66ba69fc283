"""An activity step of a region: first it produces and orders, then, its trade known, it consumes and grows.

Axes: B replica, n region of this shard, R region.  Units in `parameters`.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.climate_negotiation import climate, economy, trade
from carbonray.worlds.climate_negotiation.parameters import YEARS_A_STEP, Parameters
from carbonray.worlds.climate_negotiation.state import Regions
from carbonray.worlds.climate_negotiation.trade import Trade


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Oddities of the reference, each with its correction."""

    revenue_returned: bool = False  # tariff revenue reaches consumers instead of nobody
    floor_in_step: bool = False  # minimum mitigation holds whatever was chosen, not by the mask alone
    interest_per_year: bool = False  # on balances, instead of once per five years
    full_rates: bool = False  # levels are ninths, so that a rate of one can be chosen


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a region decides for the next five years, rates."""

    savings: Tensor  # [B, n]
    mitigation: Tensor  # [B, n]
    export_limit: Tensor  # [B, n] share of gross output
    bids: Tensor  # [B, n, R] shares of gross output


def produce(
    world: Parameters, rules: Rules, regions: Regions, decided: Decisions, *, warming: Tensor, activity: int
) -> tuple[Regions, Tensor, Tensor]:
    """Goods are made, damaged, saved and cut emissions for; others' goods are ordered.

    Y = D (1 - theta_1 mu^theta_2) A K^gamma (L / 1000)^(1 - gamma),   I = s Y,   E = sigma (1 - mu) P + E_land

    Emissions follow production P before damage and abatement, as in the reference.

    Args:
        world: constants.
        rules: whose interest on balances is read.
        regions: before the step.
        decided: by them.
        warming: [B] K of the atmosphere after the step before.
        activity: activity steps done.

    Returns:
        The regions with their account so far, orders [B, n, R] and what is for export [B, n], trillion USD a year.
    """
    own = world.regions.take(regions.ids)
    made = economy.production(own, regions.productivity, regions.capital, regions.population)
    damage = economy.damage(own, warming)
    coefficient = economy.abatement_coefficient(own, regions.intensity, activity)
    cost = coefficient * exact.power(decided.mitigation, own.abatement_exponent)
    output = damage * (1.0 - cost) * made
    investment = decided.savings * output
    land = climate.land_emissions(world.climate, activity) / len(world.names)

    balance = economy.with_interest(world.trade, regions.balance, per_year=rules.interest_per_year)
    bids = without_self(decided.bids, regions.ids)
    orders = trade.orders(bids, output, balance, own.capital_0, world.trade.debt_multiplier)
    account = replace(
        regions.account,
        savings=decided.savings,
        mitigation=decided.mitigation,
        export_limit=decided.export_limit,
        abatement_coefficient=coefficient,
        abatement_cost=cost,
        damage=damage,
        production=made,
        output=output,
        investment=investment,
        emissions=regions.intensity * (1.0 - decided.mitigation) * made + land,
        bids=decided.bids,
    )
    exportable = torch.minimum(decided.export_limit * output, output - investment)
    return replace(regions, balance=balance, account=account), orders, exportable


def consume(world: Parameters, rules: Rules, regions: Regions, met: Trade, *, activity: int) -> Regions:
    """What was not saved or exported is consumed with what arrived; capital, population, productivity grow.

    Args:
        world: constants.
        rules: whose tariff revenue is read.
        regions: as `produce` left them.
        met: the trade of the step.
        activity: activity steps done before it.
    """
    own, ids, account = world.regions.take(regions.ids), regions.ids, regions.account
    bought, tariffs, exports = met.imports[:, ids], met.tariffs[:, ids], met.exports[:, ids]
    arrived = trade.arriving(bought, tariffs, revenue_returned=rules.revenue_returned)
    imports = bought.sum(2)
    home = (account.output - account.investment - exports).clamp(min=0.0)
    consumed = economy.consumption(world.trade, home, arrived)
    felt = economy.utility(own, consumed, regions.population)
    booked = replace(
        account,
        imports=imports,
        exports=exports,
        tariff_revenue=(bought * tariffs).sum(2),
        consumption=consumed,
        utility=felt,
        welfare=economy.discounted(own, felt, activity),
    )
    return replace(
        regions,
        capital=economy.grown_capital(own, regions.capital, account.investment),
        population=economy.grown_population(own, regions.population),
        productivity=economy.grown_productivity(own, regions.productivity, activity),
        intensity=economy.cleaner_intensity(own, regions.intensity, activity),
        balance=regions.balance + YEARS_A_STEP * (exports - imports),
        reward=felt,
        account=booked,
    )


def without_self(values: Tensor, ids: Tensor) -> Tensor:
    """[B, n, R] with what a region says to itself set to zero."""
    place = torch.arange(len(ids), device=ids.device)
    cleared = values.clone()
    cleared[:, place, ids] = 0.0
    return cleared
