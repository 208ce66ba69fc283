"""Clearing: what the commons of the CBAM world makes of the pooled bids, and what it announces for the next quarter.

Axes: B replica, C cell, S good, R origin region, D destination region, K buyer within a destination, E supplier slot.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds import exact
from carbonray.worlds.cbam import deliveries, market, regulator, sourcing
from carbonray.worlds.cbam.border_charge import carbon_terms
from carbonray.worlds.cbam.commons import Cleared, Commons
from carbonray.worlds.cbam.market import Market, Preferences, Purchases
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.parameters import PolicyParams
from carbonray.worlds.cbam.paths import weighted_shares
from carbonray.worlds.cbam.support import auction, spent
from carbonray.worlds.world import Pool, Shocks


def first_commons(model: Model, replicas: int) -> Commons:
    """The commons before the first quarter."""
    n_regions, n_sectors = len(model.regions), len(model.sectors)
    base = model.technology.intensity * model.technology.output
    home = model.policy.home_cell.to(torch.float64)
    emissions = (base * home).view(n_regions, n_sectors).T.contiguous().sum(-1)
    output = (model.technology.output * home).view(n_regions, n_sectors).T.contiguous().sum(-1)
    cells = torch.ones(replicas, n_regions * n_sectors, dtype=torch.float64, device=model.device)
    blank = Commons(
        step=-1,
        log_price=torch.zeros(replicas, n_sectors, n_regions, dtype=torch.float64, device=model.device),
        commitment=model.policy.commitment.expand(replicas, -1),
        home_emissions=emissions.expand(replicas, -1) * 0,
        home_output=output.expand(replicas, -1) * 0,
        benchmark_intensity=(emissions / output).expand(replicas, -1),
        fuel_price=torch.ones(replicas, dtype=torch.float64, device=model.device),
        law=model.policy.law.in_year(0, replicas),
        revenue=cells[:, 0] * 0,
        decree=cells[:, : len(regulator.LEVERS)] * 0,
        quarter=cells[:, : len(regulator.BOOKED)] * 0,
        year=cells[:, : len(regulator.BOOKED)] * 0,
        last_year=cells[:, : len(regulator.BOOKED)] * 0,
        terms=None,  # type: ignore[arg-type]
        intensity_factor=cells,
        trend_growth=cells * 0,
        trend=cells,
        crossing_share=cells * 0,
        strike=torch.zeros_like(cells) if model.policy.supports else None,
        fund=cells[:, :2] * 0,
        declared=None,
        indirect=base_indirect(model).expand(replicas, -1) if bool(model.policy.indirect.any()) else None,
        cleared=None,
    )
    return prepare(model, blank)


def prepare(model: Model, commons: Commons) -> Commons:
    """What everybody may see before the next quarter: trend, prices and terms of its policy."""
    step = commons.step + 1
    year = step // QUARTERS
    new_year, strike, fund = step % QUARTERS == 0, commons.strike, commons.fund
    law = model.policy.law.in_year(year, len(commons.commitment))
    if model.policy.regulated:
        law = regulator.decreed(model.policy, law, commons.decree) if new_year else commons.law
    price = model.policy.price(law, commons.commitment, year)
    terms = carbon_terms(model.policy, law, price=price, home_intensity=commons.benchmark_intensity)
    if strike is not None and new_year and step > 0:
        strike, fund = auction(model, commons, law, terms)
    trend = model.technology.trend[step]
    fuel = exact.power(commons.fuel_price, -model.fuel.demand_elasticity)[:, None]
    intensity_factor = model.technology.intensity_trend[step] * fuel
    if model.firms.price_response > 0:
        response = torch.where(model.policy.home_cell, model.firms.price_response * terms.price, 0.0)
        intensity_factor = intensity_factor * (-response).exp()
    declared = None
    if model.policy.default_values:
        base = model.technology.intensity + base_indirect(model)
        declared = declared_default(model.policy, base, year).expand_as(terms.price)
    return replace(
        commons,
        step=step,
        law=law,
        revenue=torch.zeros_like(commons.revenue) if new_year else commons.revenue,
        year=torch.zeros_like(commons.year) if new_year else commons.year,
        last_year=commons.year if new_year else commons.last_year,
        strike=strike,
        fund=fund,
        terms=terms,
        intensity_factor=intensity_factor,
        trend_growth=(trend / model.technology.trend[max(step - 1, 0)] - 1).expand_as(terms.price),
        trend=trend.expand_as(terms.price),
        declared=declared,
    )


def base_indirect(model: Model) -> Tensor:
    """[C] t CO2 of bought electricity per unit of output in the base year, where it is charged."""
    technology, n_regions = model.technology, len(model.regions)
    if not bool(model.policy.indirect.any()):
        return torch.zeros_like(technology.intensity)
    good = model.sectors.index("ELE")
    mean = technology.intensity.view(n_regions, -1)[:, good]
    home = technology.home_share[good, :, :-1]  # [D, S]
    abroad = (technology.import_share[good, :, :-1] * mean).sum(-1)
    mixed = home * mean[:, None] + (1 - home) * abroad
    return (technology.inputs[good] * mixed * model.policy.indirect).flatten()


def declared_default(policy: PolicyParams, intensity: Tensor, year: int) -> Tensor:
    """[C] default values with their mark-up, t CO2 / USD: the law's per tonne, else the cell's own at base.

    `intensity` [C] is that of the base year, bought electricity's emissions included where they are charged.
    """
    value = torch.where(policy.legal_default.isnan(), intensity, policy.legal_default)
    return value * (1 + policy.markup[year]).repeat(len(policy.home))


def clear_market(model: Model, commons: Commons, pool: Pool) -> Commons:
    """Find the quarter's prices and spell out what they mean for each cell.

    Raises:
        MarketError: if no prices clear the market.
    """
    totals = pool.totals
    batch, n_regions, n_sectors = len(totals["output"]), len(model.regions), len(model.sectors)
    to_goods = (batch, n_regions, n_sectors)
    output = totals["output"]
    mean_charge = totals["charge"] / output.clamp(min=1e-300)
    supply = torch.maximum(output, market.SUPPLY_FLOOR * model.technology.output)
    preferences = _preferences(model, commons, totals)
    try:
        found, iterations = market.clear(
            model.market,
            preferences,
            _purchases(model, commons, totals["scale"], totals["stock"]),
            wedge=_wedge(model, commons, mean_charge),
            supply=supply.view(to_goods).transpose(1, 2),
            log_price=commons.log_price,
        )
    except market.MarketError as error:
        good, region = error.place
        product = f"{model.sectors[good]} from {model.regions[region]}"
        raise market.MarketError(
            f"quarter {commons.step}: {error}, least of all for {product}; demand reacts too little "
            "to prices for such a change: try market.inputs, market.final_demand or a milder policy or disruption",
            error.place,
        ) from None
    flows = market.flows(model.market, preferences, found)
    cleared = _spell_out(model, commons, pool, found, flows, mean_charge, iterations)
    home = model.policy.home_cell.view(n_regions, n_sectors)
    emitted = (totals["emissions"].view(to_goods) * home).transpose(1, 2).contiguous().sum(-1)
    made = (output.view(to_goods) * home).transpose(1, 2).contiguous().sum(-1)
    revenue = _revenue(model, commons, cleared, totals)
    if model.policy.regulated:
        quarter = regulator.booked(model, commons, totals, revenue)
        decree = regulator.heard(model, commons, pool.rows["decree"].values[:, 0])
        commons = replace(commons, quarter=quarter, year=commons.year + quarter, decree=decree)
    return replace(
        commons,
        log_price=found.log_price,
        crossing_share=cleared.crossing_share,
        home_emissions=commons.home_emissions + emitted,
        home_output=commons.home_output + made,
        revenue=commons.revenue + revenue,
        fund=spent(model, commons.fund, totals["support"]) if "support" in totals else commons.fund,
        fuel_price=_fuel_price(model, commons, totals["emissions"]),
        indirect=_indirect(model, cleared, totals) if bool(model.policy.indirect.any()) else None,
        cleared=cleared,
    )


def _revenue(model: Model, commons: Commons, cleared: Cleared, totals: Mapping[str, Tensor]) -> Tensor:
    """[B] million USD of the quarter: allowances sold at home and what the border brings, refunds taken off."""
    sold = commons.terms.price * totals["emissions"] - commons.terms.allocation * totals["output"]
    border = cleared.crossing_share * totals["charge"]
    return (sold * model.policy.home_cell + border).contiguous().sum(-1)


def _preferences(model: Model, commons: Commons, totals: Mapping[str, Tensor]) -> Preferences:
    """Weights of origins: the base year's, the time's, and what firms that can learn have shifted."""
    technology = model.technology
    if technology.origin_weight is None:
        home, imports, by_buyer = technology.home_share, technology.import_share, technology.import_share_by_buyer
    else:
        weight = technology.origin_weight[commons.step]
        home, imports = weighted_shares(technology.home_share, technology.import_share, weight)
        by_buyer = imports.transpose(2, 3).contiguous()
    base = Preferences(home=home, imports=imports, imports_by_buyer=by_buyer)
    if not model.firms.learned:
        return base
    return sourcing.preferences(base, totals, model.policy.covered, totals["scale"], len(model.regions))


def _purchases(model: Model, commons: Commons, scale: Tensor, stock: Tensor) -> Purchases:
    """Demand for composite goods: use of inputs and what closes the gap to the stock target, and final demand."""
    batch, n_regions, n_sectors = len(scale), len(model.regions), len(model.sectors)
    params, technology = model.firms, model.technology
    buying = (1 + params.stock_adjustment * params.stock_target) * scale.view(batch, 1, n_regions, n_sectors)
    final = technology.final_demand * technology.demand_trend[commons.step]
    final = final.expand(batch, -1, -1).unsqueeze(3)
    restock = -params.stock_adjustment * stock.view(batch, n_sectors, n_regions, n_sectors)
    inputs = torch.full((n_sectors, 1, n_sectors), model.market.inputs, dtype=scale.dtype, device=scale.device)
    return Purchases(
        responsive=torch.cat([technology.inputs * buying, final], 3),
        fixed=torch.cat([restock, torch.zeros_like(final)], 3),
        elasticity=torch.cat([inputs, model.market.final_demand.view(-1, 1, 1)], 2),
    )


def _wedge(model: Model, commons: Commons, mean_charge: Tensor) -> Tensor:
    """[B, S, D, R] what buyers pay on top of the producer's price: charge passed on, refunds, retaliation."""
    n_regions, n_sectors = len(model.regions), len(model.sectors)
    home = model.policy.home
    passed = torch.where(model.policy.home_cell, 1.0, 1 - model.market.incidence) * mean_charge
    by_good = passed.view(-1, n_regions, n_sectors).transpose(1, 2).unsqueeze(2)  # [B, S, 1, R]
    crosses = (home[:, None] != home[None, :]).to(passed.dtype)  # [D, R]
    wedge = by_good * crosses
    if model.policy.retaliation > 0:
        against = (~home)[:, None] & home[None, :]
        wedge = wedge + model.policy.retaliation * commons.law.coverage[:, :, None, None] * against
    return wedge


def _spell_out(
    model: Model, commons: Commons, pool: Pool, found: Market, flows: Tensor, mean_charge: Tensor, iterations: int
) -> Cleared:
    batch, n_regions, n_sectors = len(mean_charge), len(model.regions), len(model.sectors)
    technology, epsilon, terms = model.technology, model.market.inputs, commons.terms
    log_composite = found.log_composite_price[..., :n_sectors]
    need = technology.inputs * (-epsilon * log_composite).exp()
    cost = (need * log_composite.exp()).flatten(2).transpose(1, 2).contiguous().sum(-1)
    price = found.log_price.exp().transpose(1, 2).reshape(batch, -1)
    home = model.policy.home
    abroad = torch.where(home[:, None], ~home, home).to(price.dtype)  # [R, D] regions across the border
    sold = flows.sum(3).permute(0, 1, 3, 2).contiguous()  # [B, S, R, D]
    crossing = ((sold * abroad).sum(-1) / found.demand).transpose(1, 2).reshape(batch, -1)
    passed = torch.where(model.policy.home_cell, 1.0, 1 - model.market.incidence)
    embodied = pool.totals["embodied"] / pool.totals["output"].clamp(min=1e-300)
    need = need.flatten(2)
    per_unit = flows / found.purchases.unsqueeze(4)
    by_good = embodied.view(batch, n_regions, n_sectors).transpose(1, 2)[:, :, None, None, :]
    inputs = (per_unit[:, :, :, :n_sectors] * by_good).sum(-1).flatten(2)
    slot_order, slot_value = _named_flows(model, found, per_unit)
    slot_weight = torch.gather(need, 1, model.slots.good.expand(batch, -1, -1)) * slot_order
    slot_mean = torch.where(model.slots.used, embodied[:, model.slots.product], 0.0)
    embodied_inputs = (need * inputs).transpose(1, 2).contiguous().sum(-1)
    return Cleared(
        market=found,
        flows=flows,
        iterations=iterations,
        price=price,
        charge=mean_charge,
        revenue=price + crossing * passed * mean_charge,
        carbon_price=terms.price,
        allocation=terms.allocation,
        strike=commons.strike,
        crossing_share=crossing,
        trend=commons.trend,
        intensity_factor=commons.intensity_factor,
        input_need=need,
        input_cost=cost,
        embodied_inputs=embodied_inputs - (slot_weight * slot_mean).transpose(1, 2).contiguous().sum(-1),
        slot_weight=slot_weight,
        slot_order=slot_order,
        slot_value=slot_value,
        fill=torch.ones_like(price),
        input_fill=torch.ones_like(need),
        lost=torch.zeros_like(price),
        arriving_capacity=pool.totals.get("arriving_capacity", torch.zeros_like(price)),
        arriving_plan=pool.totals.get("arriving_plan", torch.zeros_like(price)),
    )


def _named_flows(model: Model, found: Market, per_unit: Tensor) -> tuple[Tensor, Tensor]:
    """[B, E, C] volume and value of each slot's flow per unit of the good bought; zero in unused slots."""
    place = _slot_index(model)
    relative = (found.log_delivered.unsqueeze(3) - found.log_composite_price.unsqueeze(4)).exp()
    order = torch.where(model.slots.used, per_unit.flatten(1)[:, place], 0.0)
    return order, order * relative.flatten(1)[:, place]


def _slot_index(model: Model) -> Tensor:
    """[E, C] place of each slot's flow in [S, D, K, R] laid out flat."""
    n_regions, n_sectors = len(model.regions), len(model.sectors)
    buyer = torch.arange(n_regions * n_sectors, device=model.device)
    row = model.slots.good * n_regions + buyer // n_sectors
    return (row * (n_sectors + 1) + buyer % n_sectors) * n_regions + model.slots.product // n_sectors


def clear_deliveries(model: Model, commons: Commons, pool: Pool) -> Commons:
    """Ration the pool of each product after the suppliers' answers."""
    cleared = commons.cleared
    assert cleared is not None
    supply = cleared.market.demand.transpose(1, 2).flatten(1)
    batch, n_regions, n_sectors = len(supply), len(model.regions), len(model.sectors)
    lost, named, named_lost = (pool.totals[name] for name in ("lost", "named", "named_lost"))
    fill = deliveries.pool_fill(supply, lost, named, named_lost, model.disruptions.spot_share)
    found = cleared.market
    price = (found.log_delivered.unsqueeze(3) - found.log_composite_price.unsqueeze(4)).exp()
    share = price * cleared.flows / found.purchases.unsqueeze(4)  # of value, sums to one over origins
    by_good = fill.view(batch, n_regions, n_sectors).transpose(1, 2)[:, :, None, None, :]
    input_fill = (share * by_good)[:, :, :, :n_sectors].sum(-1).flatten(2)
    cleared = replace(cleared, fill=fill, input_fill=input_fill, lost=lost / supply)
    return replace(commons, cleared=cleared)


def _fuel_price(model: Model, commons: Commons, emissions: Tensor) -> Tensor:
    """World fuel price relative to the base path: supply of constant elasticity meets this quarter's emissions."""
    if not model.fuel.channel:
        return commons.fuel_price
    trend = model.technology.trend[commons.step] * model.technology.intensity_trend[commons.step]
    base = (model.technology.output * model.technology.intensity * trend).sum()
    supply, demand = model.fuel.supply_elasticity, model.fuel.demand_elasticity
    before = commons.fuel_price.log()
    wanted = (emissions.contiguous().sum(-1) / base).log() / supply
    return (before + (wanted - before) / (1 + demand / supply)).exp()  # a Newton step: a plain lag can explode


def _indirect(model: Model, cleared: Cleared, totals: Mapping[str, Tensor]) -> Tensor:
    """[B, C] t CO2 of bought electricity per unit of output, for the sectors whose indirect emissions count."""
    batch, n_regions, n_sectors = len(totals["output"]), len(model.regions), len(model.sectors)
    electricity = model.sectors.index("ELE")
    mean = totals["emissions"] / totals["output"].clamp(min=1e-300)
    mean = mean.view(batch, n_regions, n_sectors)[:, :, electricity]
    volume = cleared.flows[:, electricity, :, :n_sectors]
    mixed = (volume * mean[:, None, None, :]).sum(-1) / cleared.market.purchases[:, electricity, :, :n_sectors]
    use = cleared.input_need.view(batch, n_sectors, n_regions, n_sectors)[:, electricity]
    return (use * mixed * model.policy.indirect).flatten(1)


def advance(model: Model, commons: Commons, shocks: Shocks) -> Commons:
    """After the last clear of a quarter: the benchmark and commitments move once a year."""
    if (commons.step + 1) % QUARTERS == 0:
        follows = model.policy.benchmark_follows
        mean = commons.home_emissions / commons.home_output.clamp(min=1e-300)
        moved = commons.commitment
        if "commitment" in shocks.commons:
            moved = (moved + model.policy.commitment_step * shocks.commons["commitment"]).clamp(0.0, 1.0)
        commons = replace(
            commons,
            benchmark_intensity=mean if follows else commons.benchmark_intensity,
            home_emissions=torch.zeros_like(mean),
            home_output=torch.zeros_like(mean),
            commitment=moved,
        )
    return prepare(model, commons)
