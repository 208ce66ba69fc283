"""The CBAM world: firms on a supply graph, Armington markets, a carbon price at home and a charge at the border.

One step is a quarter. act: firms decide output and abatement and bid what they make; clear: prices at which demand
equals output; where something is struck, orders and deliveries travel along the graph in two more rounds; settle:
firms book sales, costs, carbon and stocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from carbonray.config import Disruptions, Fuel, Scenario
from carbonray.units import QUARTERS
from carbonray.worlds import draws, exact
from carbonray.worlds.cbam import act, deliveries, firms, market, sourcing
from carbonray.worlds.cbam.act import CUTS, GROWTHS, FirmActions
from carbonray.worlds.cbam.border_charge import carbon_terms
from carbonray.worlds.cbam.commons import Cleared, Commons
from carbonray.worlds.cbam.deliveries import Slots
from carbonray.worlds.cbam.economy import Economy
from carbonray.worlds.cbam.firms import Firms
from carbonray.worlds.cbam.market import Market, Preferences, Purchases
from carbonray.worlds.cbam.observe import FEATURES, observe
from carbonray.worlds.cbam.parameters import (
    FirmParams,
    MarketParams,
    PolicyParams,
    TechnologyParams,
    calibrate_firms,
    calibrate_market,
    calibrate_policy,
    calibrate_technology,
)
from carbonray.worlds.cbam.settle import settle
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Shocks

OUTAGE_DRAW = 10
COMMITMENT_DRAW = 100  # plus the region's number


@dataclass(frozen=True, kw_only=True)
class SupplyGraph:
    """Named suppliers of every firm; -1 is an unused slot."""

    product: Tensor  # [E, C] int64 cell bought from in each slot of a buying cell
    supplier: Tensor  # [E, N] int64 firm


@dataclass(frozen=True, kw_only=True)
class CbamWorld:
    """Parameters, graph and mechanisms of one run."""

    scenario: Scenario
    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    technology: TechnologyParams
    market: MarketParams
    policy: PolicyParams
    firms: FirmParams
    slots: Slots
    supplier: Tensor
    bounds: Mapping[str, float] = field(default_factory=dict)

    @property
    def roles(self) -> Mapping[str, Role]:
        """Firms: change of output, cut of intensity and, where they can learn, sourcing and relocation."""
        moves = (sourcing.n_choices(len(self.policy.covered), len(self.regions)),) if self.firms.learned else ()
        heads = (len(GROWTHS), len(CUTS), *moves)
        return {"firm": Role(count=len(self.firms.size), features=len(FEATURES), heads=heads)}

    @property
    def steps(self) -> int:
        """Quarters."""
        return self.scenario.years * QUARTERS

    @property
    def rounds(self) -> int:
        """Three where deliveries can fail, else one."""
        return 3 if self.disruptions.any else 1

    @property
    def edges(self) -> Tensor:
        """[E, N] int64 supplier named in each slot."""
        return self.supplier

    @property
    def disruptions(self) -> Disruptions:
        """What can be struck."""
        return self.scenario.disruptions

    @property
    def fuel(self) -> Fuel:
        """The fossil-price channel."""
        return self.scenario.fuel

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[Firms, Commons]:
        """Everything at rest in the base year."""
        shard = firms.make_shard(self.firms, self.supplier, self.slots.used, ids["firm"])
        n_goods = len(self.policy.covered)
        agents = firms.reset(self.firms, self.technology, shard, seed=seed, replicas=replicas, n_goods=n_goods)
        return agents, self._first_commons(replicas)

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """Outages of firms and moves of the partners' commitments."""
        agents = {"firm": self._outages(seed, replicas, step, ids["firm"])} if self.disruptions.any else {}
        commons: dict[str, Tensor] = {}
        if self.policy.commitment_step > 0 and (step + 1) % QUARTERS == 0:
            moves = [
                [draws.uniform(seed, b, step, COMMITMENT_DRAW + r, np.array([-1]))[0] for r in range(len(self.regions))]
                for b in range(replicas)
            ]
            commons["commitment"] = torch.tensor(moves, device=self.device, dtype=torch.float64) * 2 - 1
        return Shocks(agents=agents, commons=commons)

    def observe(self, agents: Firms, commons: Commons) -> Mapping[str, Observation]:
        """What each firm sees."""
        seen = observe(
            agents,
            commons,
            params=self.firms,
            market=self.market,
            policy=self.policy,
            base_intensity=self.technology.intensity,
            n_goods=len(self.policy.covered),
            steps=self.steps,
        )
        return {"firm": seen}

    def decode(self, choices: Mapping[str, Tensor]) -> FirmActions:
        """Actions from the levels that a learner chose for each head, [B, n, heads] by role."""
        return act.decode(choices["firm"], len(self.policy.covered), len(self.regions))

    def scripted(self, agents: Firms, commons: Commons) -> FirmActions:
        """Behaviour without learning."""
        return act.rule(self.firms, agents, commons)

    def act(self, agents: Firms, commons: Commons, actions: FirmActions, shocks: Shocks) -> tuple[Firms, Bid]:
        """Firms decide and bid."""
        outages = shocks.agents.get("firm", {})
        return act.act(
            self.firms, self.policy, self.technology, agents, commons, actions, outages=outages, bounds=self.bounds
        )

    def clear(self, commons: Commons, pool: Pool, shocks: Shocks, round: int) -> Commons:
        """Prices first; then, where deliveries can fail, what the pool of each product can fill."""
        if round == 0:
            commons = self._clear_market(commons, pool)
        if round == 2:
            commons = self._clear_deliveries(commons, pool)
        return self._advance(commons, shocks) if round == self.rounds - 1 else commons

    def reply(self, agents: Firms, commons: Commons, mail: Mail, shocks: Shocks, round: int) -> tuple[Firms, Bid]:
        """Orders to named suppliers; then the suppliers' answer."""
        assert commons.cleared is not None
        if round == 0:
            order = deliveries.order(self.firms, agents, commons.cleared, self.slots)
            return agents, Bid(letters={"orders": order})
        totals, letters = deliveries.answer(agents, mail["orders"])
        return agents, Bid(totals=firms.totals_by_cell(agents.shard, totals, self.bounds), letters=letters)

    def settle(self, agents: Firms, commons: Commons, mail: Mail) -> tuple[Firms, Outcome]:
        """Firms book the quarter."""
        return settle(
            agents,
            commons,
            mail,
            params=self.firms,
            market=self.market,
            technology=self.technology,
            slots=self.slots,
            spot_share=self.disruptions.spot_share,
            disrupted=self.disruptions.any,
            bounds=self.bounds,
        )

    def to(self, device: str | torch.device) -> "CbamWorld":
        """The same world with its tensors on a device."""
        return _moved(self, torch.device(device))

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.firms.size.device

    # ---------------------------------------------------------------- commons

    def _first_commons(self, replicas: int) -> Commons:
        n_regions, n_sectors = len(self.regions), len(self.sectors)
        base = self.technology.intensity * self.technology.output
        home = self.policy.home_cell.to(torch.float64)
        emissions = (base * home).view(n_regions, n_sectors).T.contiguous().sum(-1)
        output = (self.technology.output * home).view(n_regions, n_sectors).T.contiguous().sum(-1)
        cells = torch.ones(replicas, n_regions * n_sectors, dtype=torch.float64, device=self.device)
        blank = Commons(
            step=-1,
            log_price=torch.zeros(replicas, n_sectors, n_regions, dtype=torch.float64, device=self.device),
            commitment=self.policy.commitment.expand(replicas, -1),
            home_emissions=emissions.expand(replicas, -1) * 0,
            home_output=output.expand(replicas, -1) * 0,
            benchmark_intensity=(emissions / output).expand(replicas, -1),
            fuel_price=torch.ones(replicas, dtype=torch.float64, device=self.device),
            terms=None,  # type: ignore[arg-type]
            intensity_factor=cells,
            trend_growth=cells * 0,
            trend=cells,
            crossing_share=cells * 0,
            declared=None,
            indirect=None,
            cleared=None,
        )
        return self._prepare(blank)

    def _prepare(self, commons: Commons) -> Commons:
        """What everybody may see before the next quarter: trend, prices and terms of its policy."""
        step = commons.step + 1
        year = step // QUARTERS
        committed = commons.commitment * self.policy.home_price_path[year]
        price = torch.where(commons.commitment.isnan(), self.policy.price[year], committed)
        terms = carbon_terms(self.policy, year=year, price=price, home_intensity=commons.benchmark_intensity)
        trend = self.technology.trend[step]
        factor = self.firms.intensity_trend**step
        intensity_factor = factor * exact.power(commons.fuel_price, -self.fuel.demand_elasticity)[:, None]
        intensity_factor = intensity_factor * torch.ones_like(terms.price)
        if self.firms.price_response > 0:
            response = torch.where(self.policy.home_cell, self.firms.price_response * terms.price, 0.0)
            intensity_factor = intensity_factor * (-response).exp()
        declared = None
        if self.policy.default_values:
            marked_up = self.technology.intensity * (1 + self.policy.markup[year])
            declared = marked_up.expand_as(terms.price)
        return replace(
            commons,
            step=step,
            terms=terms,
            intensity_factor=intensity_factor,
            trend_growth=(trend / self.technology.trend[max(step - 1, 0)] - 1).expand_as(terms.price),
            trend=trend.expand_as(terms.price),
            declared=declared,
        )

    def _clear_market(self, commons: Commons, pool: Pool) -> Commons:
        totals = pool.totals
        batch, n_regions, n_sectors = len(totals["output"]), len(self.regions), len(self.sectors)
        to_goods = (batch, n_regions, n_sectors)
        output = totals["output"]
        mean_charge = totals["charge"] / output.clamp(min=1e-300)
        supply = torch.maximum(output, market.SUPPLY_FLOOR * self.technology.output)
        preferences = self._preferences(totals)
        found, iterations = market.clear(
            self.market,
            preferences,
            self._purchases(commons, totals["scale"], totals["stock"]),
            wedge=self._wedge(mean_charge),
            supply=supply.view(to_goods).transpose(1, 2),
            log_price=commons.log_price,
        )
        flows = market.flows(self.market, preferences, found)
        cleared = self._spell_out(commons, pool, found, flows, mean_charge, iterations)
        home = self.policy.home_cell.view(n_regions, n_sectors)
        emitted = (totals["emissions"].view(to_goods) * home).transpose(1, 2).contiguous().sum(-1)
        made = (output.view(to_goods) * home).transpose(1, 2).contiguous().sum(-1)
        return replace(
            commons,
            log_price=found.log_price,
            crossing_share=cleared.crossing_share,
            home_emissions=commons.home_emissions + emitted,
            home_output=commons.home_output + made,
            fuel_price=self._fuel_price(commons, totals["emissions"]),
            indirect=self._indirect(cleared, totals) if bool(self.policy.indirect.any()) else None,
            cleared=cleared,
        )

    def _preferences(self, totals: Mapping[str, Tensor]) -> Preferences:
        """Weights of origins: the base year's, and what firms that can learn have shifted."""
        technology = self.technology
        base = Preferences(
            home=technology.home_share,
            imports=technology.import_share,
            imports_by_buyer=technology.import_share_by_buyer,
        )
        if not self.firms.learned:
            return base
        return sourcing.preferences(base, totals, self.policy.covered, totals["scale"], len(self.regions))

    def _purchases(self, commons: Commons, scale: Tensor, stock: Tensor) -> Purchases:
        """Demand for composite goods: use of inputs and what closes the gap to the stock target, and final demand."""
        batch, n_regions, n_sectors = len(scale), len(self.regions), len(self.sectors)
        params, technology = self.firms, self.technology
        buying = (1 + params.stock_adjustment * params.stock_target) * scale.view(batch, 1, n_regions, n_sectors)
        final = technology.final_demand * technology.demand_trend[commons.step]
        final = final.expand(batch, -1, -1).unsqueeze(3)
        restock = -params.stock_adjustment * stock.view(batch, n_sectors, n_regions, n_sectors)
        inputs = torch.full((n_sectors, 1, n_sectors), self.market.inputs, dtype=scale.dtype, device=scale.device)
        return Purchases(
            responsive=torch.cat([technology.inputs * buying, final], 3),
            fixed=torch.cat([restock, torch.zeros_like(final)], 3),
            elasticity=torch.cat([inputs, self.market.final_demand.view(-1, 1, 1)], 2),
        )

    def _wedge(self, mean_charge: Tensor) -> Tensor:
        """[B, S, D, R] what buyers pay on top of the producer's price: charge passed on, refunds, retaliation."""
        n_regions, n_sectors = len(self.regions), len(self.sectors)
        home = self.policy.home
        passed = torch.where(self.policy.home_cell, 1.0, 1 - self.market.incidence) * mean_charge
        by_good = passed.view(-1, n_regions, n_sectors).transpose(1, 2).unsqueeze(2)  # [B, S, 1, R]
        crosses = (home[:, None] != home[None, :]).to(passed.dtype)  # [D, R]
        wedge = by_good * crosses
        if self.policy.retaliation > 0:
            against = (~home)[:, None] & home[None, :]
            wedge = wedge + self.policy.retaliation * self.policy.coverage[:, None, None] * against
        return wedge

    def _spell_out(
        self, commons: Commons, pool: Pool, found: Market, flows: Tensor, mean_charge: Tensor, iterations: int
    ) -> Cleared:
        batch, n_regions, n_sectors = len(mean_charge), len(self.regions), len(self.sectors)
        technology, epsilon, terms = self.technology, self.market.inputs, commons.terms
        log_composite = found.log_composite_price[..., :n_sectors]
        need = technology.inputs * (-epsilon * log_composite).exp()
        cost = (need * log_composite.exp()).flatten(2).transpose(1, 2).contiguous().sum(-1)
        price = found.log_price.exp().transpose(1, 2).reshape(batch, -1)
        home = self.policy.home
        abroad = torch.where(home[:, None], ~home, home).to(price.dtype)  # [R, D] regions across the border
        sold = flows.sum(3).permute(0, 1, 3, 2).contiguous()  # [B, S, R, D]
        crossing = ((sold * abroad).sum(-1) / found.demand).transpose(1, 2).reshape(batch, -1)
        passed = torch.where(self.policy.home_cell, 1.0, 1 - self.market.incidence)
        embodied = pool.totals["embodied"] / pool.totals["output"].clamp(min=1e-300)
        need = need.flatten(2)
        per_unit = flows / found.purchases.unsqueeze(4)
        by_good = embodied.view(batch, n_regions, n_sectors).transpose(1, 2)[:, :, None, None, :]
        inputs = (per_unit[:, :, :, :n_sectors] * by_good).sum(-1).flatten(2)
        used = self.slots.used
        slot_order = torch.where(used, per_unit.flatten(1)[:, self._slot_index()], 0.0)
        slot_need = torch.gather(need, 1, self.slots.good.expand(batch, -1, -1))
        slot_weight = slot_need * slot_order
        slot_mean = torch.where(used, embodied[:, self.slots.product], 0.0)
        relative = (found.log_delivered.unsqueeze(3) - found.log_composite_price.unsqueeze(4)).exp()
        slot_relative = relative.flatten(1)[:, self._slot_index()]
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
            crossing_share=crossing,
            trend=commons.trend,
            intensity_factor=commons.intensity_factor,
            input_need=need,
            input_cost=cost,
            embodied_inputs=embodied_inputs - (slot_weight * slot_mean).transpose(1, 2).contiguous().sum(-1),
            slot_weight=slot_weight,
            slot_order=slot_order,
            slot_value=slot_order * slot_relative,
            fill=torch.ones_like(price),
            input_fill=torch.ones_like(need),
            lost=torch.zeros_like(price),
            arriving_capacity=pool.totals.get("arriving_capacity", torch.zeros_like(price)),
            arriving_plan=pool.totals.get("arriving_plan", torch.zeros_like(price)),
        )

    def _slot_index(self) -> Tensor:
        """[E, C] place of each slot's flow in [S, D, K, R] laid out flat."""
        n_regions, n_sectors = len(self.regions), len(self.sectors)
        buyer = torch.arange(n_regions * n_sectors, device=self.device)
        row = self.slots.good * n_regions + buyer // n_sectors
        return (row * (n_sectors + 1) + buyer % n_sectors) * n_regions + self.slots.product // n_sectors

    def _clear_deliveries(self, commons: Commons, pool: Pool) -> Commons:
        cleared = commons.cleared
        assert cleared is not None
        supply = cleared.market.demand.transpose(1, 2).flatten(1)
        batch, n_regions, n_sectors = len(supply), len(self.regions), len(self.sectors)
        lost, named, named_lost = (pool.totals[name] for name in ("lost", "named", "named_lost"))
        fill = deliveries.pool_fill(supply, lost, named, named_lost, self.disruptions.spot_share)
        found = cleared.market
        price = (found.log_delivered.unsqueeze(3) - found.log_composite_price.unsqueeze(4)).exp()
        share = price * cleared.flows / found.purchases.unsqueeze(4)  # of value, sums to one over origins
        by_good = fill.view(batch, n_regions, n_sectors).transpose(1, 2)[:, :, None, None, :]
        input_fill = (share * by_good)[:, :, :, :n_sectors].sum(-1).flatten(2)
        cleared = replace(cleared, fill=fill, input_fill=input_fill, lost=lost / supply)
        return replace(commons, cleared=cleared)

    def _fuel_price(self, commons: Commons, emissions: Tensor) -> Tensor:
        """World fuel price relative to the base path: supply of constant elasticity meets this quarter's emissions."""
        if not self.fuel.channel:
            return commons.fuel_price
        trend = self.technology.trend[commons.step] * self.firms.intensity_trend**commons.step
        base = (self.technology.output * self.technology.intensity * trend).sum()
        return exact.power(emissions.contiguous().sum(-1) / base, 1 / self.fuel.supply_elasticity)

    def _indirect(self, cleared: Cleared, totals: Mapping[str, Tensor]) -> Tensor:
        """[B, C] t CO2 of bought electricity per unit of output, for the sectors whose indirect emissions count."""
        batch, n_regions, n_sectors = len(totals["output"]), len(self.regions), len(self.sectors)
        electricity = self.sectors.index("ELE")
        mean = totals["emissions"] / totals["output"].clamp(min=1e-300)
        mean = mean.view(batch, n_regions, n_sectors)[:, :, electricity]
        volume = cleared.flows[:, electricity, :, :n_sectors]
        mixed = (volume * mean[:, None, None, :]).sum(-1) / cleared.market.purchases[:, electricity, :, :n_sectors]
        use = cleared.input_need.view(batch, n_sectors, n_regions, n_sectors)[:, electricity]
        return (use * mixed * self.policy.indirect).flatten(1)

    def _advance(self, commons: Commons, shocks: Shocks) -> Commons:
        """After the last clear of a quarter: the benchmark and commitments move once a year."""
        if (commons.step + 1) % QUARTERS == 0:
            follows = self.policy.benchmark_follows
            mean = commons.home_emissions / commons.home_output.clamp(min=1e-300)
            moved = commons.commitment
            if "commitment" in shocks.commons:
                moved = (moved + self.policy.commitment_step * shocks.commons["commitment"]).clamp(0.0, 1.0)
            commons = replace(
                commons,
                benchmark_intensity=mean if follows else commons.benchmark_intensity,
                home_emissions=torch.zeros_like(mean),
                home_output=torch.zeros_like(mean),
                commitment=moved,
            )
        return self._prepare(commons)

    def _outages(self, seed: int, replicas: int, step: int, ids: np.ndarray) -> Mapping[str, Tensor]:
        """Shares of output lost: `known` before acting, `struck` of the rest after clearing."""
        before, now = self._event_outage(step - 1, ids), self._event_outage(step, ids)
        known = np.minimum(before, now)
        total = np.broadcast_to(now, (replicas, len(ids))).copy()
        rate, severity = self.disruptions.outage_rate, self.disruptions.outage_severity
        if rate > 0:
            hit = np.stack([draws.uniform(seed, b, step, OUTAGE_DRAW, ids) < rate for b in range(replicas)])
            total = np.maximum(total, severity * hit)
        left = np.maximum(1 - known, 1e-9)
        struck = np.clip(1 - (1 - total) / left, 0.0, 1.0)
        return MappingProxyType(
            {
                "known": torch.as_tensor(np.broadcast_to(known, total.shape).copy(), device=self.device),
                "struck": torch.as_tensor(struck, device=self.device),
            }
        )

    def _event_outage(self, step: int, ids: np.ndarray) -> np.ndarray:
        ends = self.firms.cell_ends.cpu().numpy()
        outage = np.zeros(len(ids))
        for event in self.disruptions.events:
            first = (event.year - self.scenario.start_year) * QUARTERS + event.quarter - 1
            if not first <= step < first + event.quarters:
                continue
            cell = self.regions.index(event.region) * len(self.sectors) + self.sectors.index(event.sector)
            start = ends[cell - 1] if cell else 0
            end = ends[cell] if event.largest is None else min(start + event.largest, ends[cell])
            outage[(ids >= start) & (ids < end)] = event.severity
        return outage


T = TypeVar("T")


def _moved(part: T, device: torch.device) -> T:
    """A frozen dataclass with every tensor in it on the device."""
    changes: dict[str, Any] = {}
    for item in fields(part):  # type: ignore[arg-type]
        value = getattr(part, item.name)
        if isinstance(value, Tensor):
            changes[item.name] = value.to(device)
        elif is_dataclass(value):
            changes[item.name] = _moved(value, device)
    return replace(part, **changes)  # type: ignore[type-var]


def build(economy: Economy, scenario: Scenario, graph: SupplyGraph) -> CbamWorld:
    """Calibrate a world."""
    steps = scenario.years * QUARTERS
    technology = calibrate_technology(economy, scenario, steps)
    n_sectors = len(economy.sectors)
    used = graph.product >= 0
    product = graph.product.clamp(min=0)
    return CbamWorld(
        scenario=scenario,
        regions=economy.regions,
        sectors=economy.sectors,
        technology=technology,
        market=calibrate_market(economy, scenario),
        policy=calibrate_policy(economy, scenario),
        firms=calibrate_firms(economy, scenario),
        slots=Slots(good=product % n_sectors, product=product, used=used),
        supplier=graph.supplier.clamp(min=0),
        bounds=_bounds(technology, scenario),
    )


def _bounds(technology: TechnologyParams, scenario: Scenario) -> Mapping[str, float]:
    """Largest magnitude of every pooled total: four times the world's on the base path."""
    money = 4.0 * float(technology.output.sum()) * float(technology.trend.max())
    mass = 4.0 * float((technology.output * technology.embodied).sum()) * float(technology.trend.max())
    goods = money * max(1.0, scenario.firms.stock_target)
    names_money = ("output", "scale", "lost", "named", "named_lost", "planned")
    names_value = ("charge", "profit", "border_charge", "abatement_cost")
    return MappingProxyType(
        dict.fromkeys(names_money, money)
        | dict.fromkeys(names_value, 16.0 * money)
        | dict.fromkeys(("emissions", "embodied"), mass)
        | {"stock": goods}
    )
