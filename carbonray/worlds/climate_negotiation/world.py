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

from carbonray.worlds.climate_negotiation import activity, behaviour, climate, economy, observe, protocols, trade
from carbonray.worlds.climate_negotiation.activity import Rules
from carbonray.worlds.climate_negotiation.behaviour import Behaviour
from carbonray.worlds.climate_negotiation.heads import EXPORT_LIMIT, MITIGATION, SAVINGS, Heads, Stage
from carbonray.worlds.climate_negotiation.parameters import ACTIVITY_STEPS, FIRST_YEAR, YEARS_A_STEP, Parameters
from carbonray.worlds.climate_negotiation.protocols import Offers, Protocol, Situation, Treaty
from carbonray.worlds.climate_negotiation.state import PUBLISHED, Account, Commons, Regions, published
from carbonray.worlds.climate_negotiation.trade import Trade
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Rows, Shocks

MATCHING, WARMING = 0, 1  # rounds of an activity step

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
    def agents_by_region(self) -> Mapping[str, int]:
        """A region is an agent."""
        return dict.fromkeys(self.parameters.names, 1)

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

    def draws(self, replicas: int) -> range:
        """Every replica has its own."""
        return range(replicas)

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

    def scripted(self, agents: Regions, commons: Commons, shocks: Shocks) -> Mapping[str, Tensor]:
        """[B, n, heads] int8 levels of behaviour without learning, all of them legal."""
        lowest, highest = self.heads.legal(self.stage(commons), commons.treaty, agents.ids)
        if self.behaviour.kind == "random":
            tossed = shocks.agents["region"]["levels"].to(lowest.device)
            return {"region": behaviour.any_legal(tossed, lowest, highest)}
        levels = behaviour.constant(self.behaviour, self.heads, agents.ids)
        return {"region": torch.minimum(torch.maximum(levels.expand_as(lowest), lowest), highest)}

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """[B, n, heads] levels are the actions."""
        return {"region": choices["region"].to(self.parameters.regions.capital_0.device)}

    def encode(self, actions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Nothing: learners start from nothing."""
        return {}

    def act(
        self, agents: Regions, commons: Commons, actions: Mapping[str, Tensor], shocks: Shocks
    ) -> tuple[Regions, Bid]:
        """Propose, answer, or produce and order."""
        stage, levels = self.stage(commons), actions["region"]
        heads, like = self.heads, agents.capital
        if stage is Stage.PROPOSAL:
            promised, requested = (heads.rate(levels[..., each], like) for each in (heads.promised, heads.requested))
            return agents, _said(agents.ids, promised=promised, requested=requested)
        if stage is Stage.EVALUATION:
            answers = activity.without_self(levels[..., heads.accepted].to(like.dtype), agents.ids)
            return agents, _said(agents.ids, accepted=answers)
        return self._produce(agents, commons, levels)

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
        grown = activity.consume(self.parameters, self.rules, agents, commons.trade, activity=commons.activity)
        return grown, _said(grown.ids, **published(grown))

    def settle(self, agents: Regions, commons: Commons, mail: Mail) -> tuple[Regions, Outcome]:
        """Utility is the reward; the account goes to the run's tables."""
        account = {field.name: getattr(agents.account, field.name) for field in fields(Account)} | published(agents)
        return agents, Outcome(
            reward={"region": agents.reward},
            terminated=commons.activity == ACTIVITY_STEPS,
            accounts=_said(agents.ids, reward=agents.reward, productivity=agents.productivity, **account),
        )

    def _produce(self, agents: Regions, commons: Commons, levels: Tensor) -> tuple[Regions, Bid]:
        heads, like = self.heads, agents.capital
        mitigation = heads.rate(levels[..., MITIGATION], like)
        if self.rules.floor_in_step:
            mitigation = torch.maximum(mitigation, commons.treaty.minimum_mitigation[:, agents.ids])
        decided = activity.Decisions(
            savings=heads.rate(levels[..., SAVINGS], like),
            mitigation=mitigation,
            export_limit=heads.rate(levels[..., EXPORT_LIMIT], like),
            bids=heads.rate(levels[..., heads.bids], like),
        )
        made, orders, exportable = activity.produce(
            self.parameters, self.rules, agents, decided, warming=commons.temperature[:, 0], activity=commons.activity
        )
        tariffs = heads.rate(levels[..., heads.tariffs], like)
        return made, _said(agents.ids, orders=orders, exportable=exportable, tariffs=tariffs)

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
