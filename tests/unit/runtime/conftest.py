"""A duopoly with a government: the smallest world with two roles, a mask, and a role that decides now and then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from carbonray.worlds.duopoly import CournotFirms, CournotMarket, CournotWorld
from carbonray.worlds.world import Mail, Observation, Outcome, Role

EVERY = 3


@dataclass(frozen=True, kw_only=True)
class GovernedWorld(CournotWorld):
    """Firm 0 may not grow; the government decides every third step, is paid the output, and nobody heeds it."""

    heard: list[Mapping[str, Tensor]] = field(default_factory=list)  # what was decoded, step by step
    ends: int = 1000  # step with which the world ends by itself

    @property
    def roles(self) -> Mapping[str, Role]:
        firm = Role(count=len(self.cost), features=2, heads=(3, 2))
        return {"firm": firm, "government": Role(count=1, features=1, heads=(4,), every=EVERY)}

    def observe(self, agents: CournotFirms, commons: CournotMarket) -> Mapping[str, Observation]:
        legal = torch.ones(*agents.quantity.shape, 5, dtype=torch.bool)
        legal[:, 0, 2] = False
        anything = torch.ones(len(commons.output), 1, 4, dtype=torch.bool)
        return {
            "firm": Observation(values=super().observe(agents, commons)["firm"].values, mask=legal),
            "government": Observation(values=commons.output[:, None, None], mask=anything),
        }

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.heard.append({name: chosen.clone() for name, chosen in choices.items()})
        return {**super().decode(choices), "government": choices["government"]}

    def settle(self, agents: CournotFirms, commons: CournotMarket, mail: Mail) -> tuple[CournotFirms, Outcome]:
        settled, outcome = super().settle(agents, commons, mail)
        reward = {**outcome.reward, "government": commons.output[:, None]}
        return settled, replace(outcome, reward=reward, terminated=commons.step >= self.ends)


@pytest.fixture
def governed() -> Callable[..., GovernedWorld]:
    """`governed(steps=5)`."""

    def make(**changes: int) -> GovernedWorld:
        return GovernedWorld(
            intercept=10.0,
            slope=1.0,
            cost=torch.ones(2, dtype=torch.float64),
            intensity=torch.ones(2, dtype=torch.float64),
            taxed=torch.tensor([True, False]),
            **changes,
        )

    return make
