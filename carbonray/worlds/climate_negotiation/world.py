"""Regions that produce, save, trade, cut emissions and negotiate over a century (RICE-N, Zhang et al. 2022).

An activity step is five years.  act: each region makes its goods, saves, cuts emissions and orders others' goods;
clear: orders are matched to what is for sale; reply: each region consumes, invests, grows and publishes its account;
clear: the world's emissions warm the climate; settle: utility.

With a protocol each activity step comes after two steps of negotiation: proposals, then answers; what the protocol
makes of them binds until the next round.  The reference's conventions are kept; `Rules` has its oddities corrected.

Axes: B replica, n region of this shard, R region.  Units in `parameters`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.climate_negotiation import behaviour, climate, economy, observe, protocols, trade
from carbonray.worlds.climate_negotiation.behaviour import Behaviour
from carbonray.worlds.climate_negotiation.heads import EXPORT_LIMIT, MITIGATION, SAVINGS, Heads, Stage
from carbonray.worlds.climate_negotiation.parameters import ACTIVITY_STEPS, FIRST_YEAR, YEARS_A_STEP, Parameters
from carbonray.worlds.climate_negotiation.protocols import Offers, Protocol, Situation, Treaty
from carbonray.worlds.climate_negotiation.state import PUBLISHED, Account, Commons, Regions, published
from carbonray.worlds.climate_negotiation.trade import Trade
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Rows, Shocks

MATCHING, WARMING = 0, 1  # rounds of an activity step


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Oddities of the reference, each with its correction."""

    revenue_returned: bool = False  # tariff revenue reaches consumers instead of nobody
    floor_in_step: bool = False  # minimum mitigation holds whatever was chosen, not by the mask alone
    interest_per_year: bool = False  # on balances, instead of once per five years
    full_rates: bool = False  # levels are ninths, so that a rate of one can be chosen


REFERENCE = Rules()
BUSINESS_AS_USUAL = Behaviour()


@dataclass(frozen=True, kw_only=True)
class NegotiationWorld:
    """Twenty-seven regions, their trade, their treaties and their climate."""

    parameters: Parameters
    protocol: Protocol | None = None  # no negotiation at all without one
    protocol_name: str = "none"
    binding: bool = True  # false in a reference run: they negotiate, and nothing comes of it
    behaviour: Behaviour = BUSINESS_AS_USUAL
    rules: Rules = REFERENCE
    normalised: bool = True  # whether observations are scaled as the reference's

    @property
    def count(self) -> int:
        """R."""
        return len(self.parameters.names)

    @property
    def negotiates(self) -> bool:
        """Whether there are steps of negotiation."""
        return self.protocol is not None

    @cached_property
    def heads(self) -> Heads:
        """What a region decides."""
        return Heads(regions=self.count, negotiates=self.negotiates, full_rates=self.rules.full_rates)

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """Regions."""
        return {"region": Role(count=self.count, features=len(self.columns), heads=self.heads.sizes)}

    @property
    def steps(self) -> int:
        """A century: 20 activity steps, and 40 of negotiation where there is a protocol."""
        return ACTIVITY_STEPS * (3 if self.negotiates else 1)

    @property
    def rounds(self) -> int:
        """Trade, then the climate."""
        return 2

    @property
    def edges(self) -> Tensor:
        """[0, R]: nobody writes letters; everybody trades with everybody."""
        return torch.zeros(0, self.count, dtype=torch.int64)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The name of each feature of an observation."""
        agents, commons = self.reset(0, 1, {"region": torch.arange(1).numpy()})
        seen = list(observe.parts(self.parameters, agents, commons, negotiates=self.negotiates))
        return observe.columns(seen, self.parameters.names)

    def stage(self, commons: Commons) -> Stage:
        """What the next step is."""
        return Stage(commons.step % 3) if self.negotiates else Stage.ACTIVITY

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[Regions, Commons]:
        """The year 2015: no trade yet, no tariffs, no treaties."""
        everyone = self.parameters.regions
        mine = torch.as_tensor(ids["region"], device=everyone.capital_0.device)
        nothing = everyone.capital_0.new_zeros(replicas, len(mine))
        pairs = nothing.new_zeros(1, 1, 1).expand(replicas, self.count, self.count)
        own = everyone.take(mine)
        blank = {field.name: nothing for field in fields(Account)}
        blank["bids"] = pairs[:, : len(mine)]
        agents = Regions(
            ids=mine,
            capital=own.capital_0.expand(replicas, -1),
            population=own.population_0.expand(replicas, -1),
            productivity=own.productivity_0.expand(replicas, -1),
            intensity=own.intensity_0.expand(replicas, -1),
            balance=nothing,
            reward=nothing,
            account=Account(**blank),
        )
        zeros = nothing.new_zeros(replicas, self.count)
        seen = dict.fromkeys(PUBLISHED, zeros)
        seen |= {
            "capital": everyone.capital_0.expand(replicas, -1),
            "population": everyone.population_0.expand(replicas, -1),
            "intensity": everyone.intensity_0.expand(replicas, -1),
        }
        at_first = self.parameters.climate
        return agents, Commons(
            step=0,
            activity=0,
            temperature=nothing.new_tensor(at_first.temperature_0).expand(replicas, -1),
            carbon=nothing.new_tensor(at_first.carbon_0).expand(replicas, -1),
            tariffs=pairs,
            trade=Trade(imports=pairs, exports=zeros, tariffs=pairs),
            offers=Offers(promised=pairs, requested=pairs, accepted=pairs),
            treaty=protocols.nobody_bound(zeros),
            public=seen,
        )

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """What random regions toss, the same in the same stage of the same year with and without negotiation."""
        if self.behaviour.kind != "random":
            return Shocks(agents={}, commons={})
        key = step if self.negotiates else 3 * step + Stage.ACTIVITY.value
        numbers = behaviour.uniforms(seed, replicas, key, ids["region"], self.heads)
        return Shocks(agents={"region": {"levels": numbers}}, commons={})

    def observe(self, agents: Regions, commons: Commons) -> Mapping[str, Observation]:
        """[B, n, features] in the order of `columns`, and the legal levels."""
        seen = list(observe.parts(self.parameters, agents, commons, negotiates=self.negotiates))
        lowest, highest = self.heads.legal(self.stage(commons), commons.treaty, agents.ids)
        values = observe.values(seen, normalised=self.normalised)
        return {"region": Observation(values=values, mask=self.heads.mask(lowest, highest))}

    def scripted(self, agents: Regions, commons: Commons, shocks: Shocks) -> Tensor:
        """[B, n, heads] int8 levels of behaviour without learning, all of them legal."""
        lowest, highest = self.heads.legal(self.stage(commons), commons.treaty, agents.ids)
        if self.behaviour.kind == "random":
            return behaviour.any_legal(shocks.agents["region"]["levels"].to(lowest.device), lowest, highest)
        levels = behaviour.constant(self.behaviour, self.heads, agents.ids)
        return torch.minimum(torch.maximum(levels.expand_as(lowest), lowest), highest)

    def decode(self, choices: Mapping[str, Tensor]) -> Tensor:
        """[B, n, heads] levels are the actions."""
        return choices["region"]

    def act(self, agents: Regions, commons: Commons, actions: Tensor, shocks: Shocks) -> tuple[Regions, Bid]:
        """Propose, answer, or produce and order."""
        stage = self.stage(commons)
        if stage is Stage.PROPOSAL:
            return agents, _said(agents.ids, promised=self._rates(actions, self.heads.promised, agents.ids),
                                 requested=self._rates(actions, self.heads.requested, agents.ids))  # fmt: skip
        if stage is Stage.EVALUATION:
            answers = actions[..., self.heads.accepted].to(agents.capital.dtype)
            return agents, _said(agents.ids, accepted=_without_self(answers, agents.ids))
        return self._produce(agents, commons, actions)

    def clear(self, commons: Commons, pool: Pool, shocks: Shocks, round: int) -> Commons:
        """Match orders, then warm; or take down what was proposed, then what was agreed."""
        heard = {name: rows.values for name, rows in pool.rows.items()}
        stage = self.stage(commons)
        if round == MATCHING:
            if stage is Stage.ACTIVITY:
                bought, sold = trade.matched(heard["orders"], heard["exportable"])
                return replace(
                    commons,
                    trade=Trade(imports=bought, exports=sold, tariffs=commons.tariffs),
                    tariffs=torch.maximum(heard["tariffs"], commons.treaty.minimum_tariff),
                )
            return replace(commons, offers=replace(commons.offers, **heard))
        if stage is Stage.EVALUATION:
            commons = replace(commons, treaty=self._agreed(commons))
        if stage is not Stage.ACTIVITY:
            return replace(commons, step=commons.step + 1)
        physics = self.parameters.climate
        return replace(
            commons,
            step=commons.step + 1,
            activity=commons.activity + 1,
            temperature=climate.warmed(physics, commons.temperature, commons.carbon, commons.activity),
            carbon=climate.cycled(physics, commons.carbon, heard["emissions"].sum(1)),
            public=heard,
        )

    def reply(self, agents: Regions, commons: Commons, mail: Mail, shocks: Shocks, round: int) -> tuple[Regions, Bid]:
        """Consume, invest, grow, and publish the account; nothing while they negotiate."""
        if self.stage(commons) is not Stage.ACTIVITY:
            return replace(agents, reward=torch.zeros_like(agents.reward)), Bid()
        grown = self._consume(agents, commons)
        return grown, _said(grown.ids, **published(grown))

    def settle(self, agents: Regions, commons: Commons, mail: Mail) -> tuple[Regions, Outcome]:
        """Utility is the reward; the account goes to the run's tables."""
        account = {field.name: getattr(agents.account, field.name) for field in fields(Account)} | published(agents)
        return agents, Outcome(
            reward={"region": agents.reward},
            terminated=commons.activity == ACTIVITY_STEPS,
            accounts=_said(agents.ids, reward=agents.reward, productivity=agents.productivity, **account),
        )

    def _rates(self, actions: Tensor, block: slice, ids: Tensor) -> Tensor:
        """[B, n, R] rates of a block of heads."""
        return self.heads.rate(actions[..., block], self.parameters.regions.capital_0)

    def _produce(self, agents: Regions, commons: Commons, actions: Tensor) -> tuple[Regions, Bid]:
        own, ids = self.parameters.regions.take(agents.ids), agents.ids
        savings, mitigation, export_limit = (
            self._rates(actions, slice(head, head + 1), ids)[..., 0] for head in (SAVINGS, MITIGATION, EXPORT_LIMIT)
        )
        if self.rules.floor_in_step:
            mitigation = torch.maximum(mitigation, commons.treaty.minimum_mitigation[:, ids])
        bids = self._rates(actions, self.heads.bids, ids)

        made = economy.production(own, agents.productivity, agents.capital, agents.population)
        damage = economy.damage(own, commons.temperature[:, 0])
        coefficient = economy.abatement_coefficient(own, agents.intensity, commons.activity)
        cost = coefficient * exact.power(mitigation, own.abatement_exponent)
        output = damage * (1.0 - cost) * made
        investment = savings * output
        land = climate.land_emissions(self.parameters.climate, commons.activity) / self.count
        rules = self.parameters.trade
        balance = economy.with_interest(rules, agents.balance, per_year=self.rules.interest_per_year)
        orders = trade.orders(_without_self(bids, ids), output, balance, own.capital_0, rules.debt_multiplier)

        account = replace(
            agents.account,
            savings=savings,
            mitigation=mitigation,
            export_limit=export_limit,
            abatement_coefficient=coefficient,
            abatement_cost=cost,
            damage=damage,
            production=made,
            output=output,
            investment=investment,
            emissions=agents.intensity * (1.0 - mitigation) * made + land,
            bids=bids,
        )
        exportable = torch.minimum(export_limit * output, output - investment)
        tariffs = self._rates(actions, self.heads.tariffs, ids)
        bid = _said(ids, orders=orders, exportable=exportable, tariffs=tariffs)
        return replace(agents, balance=balance, account=account), bid

    def _consume(self, agents: Regions, commons: Commons) -> Regions:
        own, ids, account = self.parameters.regions.take(agents.ids), agents.ids, agents.account
        bought, tariffs = commons.trade.imports[:, ids], commons.trade.tariffs[:, ids]
        arrived = trade.arriving(bought, tariffs, revenue_returned=self.rules.revenue_returned)
        imports = bought.sum(2)
        exports = commons.trade.exports[:, ids]
        home = (account.output - account.investment - exports).clamp(min=0.0)
        consumed = economy.consumption(self.parameters.trade, home, arrived)
        felt = economy.utility(own, consumed, agents.population)
        booked = replace(
            account,
            imports=imports,
            exports=exports,
            tariff_revenue=(bought * tariffs).sum(2),
            consumption=consumed,
            utility=felt,
            welfare=economy.discounted(own, felt, commons.activity),
        )
        return replace(
            agents,
            capital=economy.grown_capital(own, agents.capital, account.investment),
            population=economy.grown_population(own, agents.population),
            productivity=economy.grown_productivity(own, agents.productivity, commons.activity),
            intensity=economy.cleaner_intensity(own, agents.intensity, commons.activity),
            balance=agents.balance + YEARS_A_STEP * (exports - imports),
            reward=felt,
            account=booked,
        )

    def _agreed(self, commons: Commons) -> Treaty:
        """What the protocol makes of the offers."""
        like = commons.public["output"]
        if self.protocol is None or not self.binding:
            return protocols.nobody_bound(like)
        own = self.parameters.regions
        price = economy.backstop_price(own, commons.activity)
        situation = Situation(
            year=FIRST_YEAR + YEARS_A_STEP * commons.activity,
            output=like,
            emissions=commons.public["emissions"],
            intensity=commons.public["intensity"],
            mitigation=commons.public["mitigation"],
            carbon_price=lambda rate: protocols.marginal_cost(price, own.abatement_exponent, rate),
            member=commons.treaty.member,
        )
        return protocols.checked(self.protocol_name, self.protocol(commons.offers, situation), like)


def _said(ids: Tensor, **values: Tensor) -> Bid:
    return Bid(rows={name: Rows(ids=ids, values=value) for name, value in values.items()})


def _without_self(values: Tensor, ids: Tensor) -> Tensor:
    """[B, n, R] with what a region says to itself set to zero."""
    place = torch.arange(len(ids), device=ids.device)
    cleared = values.clone()
    cleared[:, place, ids] = 0.0
    return cleared
