"""The law of the home region: what it may turn, year by year, and what that means to the last cell.

Axes: L law, Y year of the run, B replica, S sector.  Replica b follows law b % L with the random numbers of b // L, so
that laws are compared on the same firms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from carbonray.config import Policy, ScenarioError, at_year, by_sector
from carbonray.units import USD_2011_PER_EURO_2026


@dataclass(frozen=True, kw_only=True)
class Law:
    """Every lever that the home region has: [L, Y + 1] by year, or [B] in force."""

    price: Tensor  # USD / t CO2, in force or not: what partners' commitments refer to
    free_share: Tensor  # share of the benchmark allocated free to covered goods (phi)
    cbam: Tensor  # one where imports of covered goods are charged, else zero
    cbam_factor: Tensor  # share of the benchmark deducted at the border (f)
    coverage: Tensor  # [..., S] share of a sector's output that is a covered good (kappa)
    export_rebate: Tensor  # share of the net carbon cost refunded on exports of covered goods
    support_home: Tensor  # share of last year's revenue that pays for abatement at home
    support_abroad: Tensor  # the same for producers of covered goods abroad

    @property
    def count(self) -> int:
        """L, or replicas."""
        return len(self.price)

    def in_year(self, year: int, replicas: int) -> Self:
        """What holds in a year of the run, by replica."""
        which = torch.arange(replicas, device=self.price.device) % self.count
        return type(self)(**{item.name: getattr(self, item.name)[which, year] for item in fields(self)})

    def repeated(self, count: int) -> Self:
        """[L x count, Y + 1] every law so many times."""
        return type(self)(**{item.name: torch.cat([getattr(self, item.name)] * count) for item in fields(self)})


def law_of(policies: Sequence[Policy], sectors: Sequence[str], years: Sequence[int]) -> Law:
    """The levers of one or several policies that are alike in all else.

    Raises:
        ScenarioError: if they differ in what is no lever.
    """
    for policy in policies[1:]:
        differing = [name for name in Policy.model_fields if getattr(policy, name) != getattr(policies[0], name)]
        foreign = next((name for name in differing if name not in LEVERS), None)
        if foreign is not None:
            raise ScenarioError(f"policy.{foreign}: laws run together differ in {', '.join(LEVERS)} alone")
    made = [_of_one(policy, sectors, years) for policy in policies]
    return Law(**{item.name: torch.stack([getattr(one, item.name) for one in made]) for item in fields(Law)})


LEVERS = (
    "price", "free_allocation", "cbam", "cbam_factor", "coverage", "export_rebate", "support_home", "support_abroad",
)  # fmt: skip
"""Keys of a policy that a law turns."""


def _of_one(policy: Policy, sectors: Sequence[str], years: Sequence[int]) -> Law:
    """[Y + 1]."""

    def path(values: dict[int, float]) -> Tensor:
        return torch.tensor([at_year(values, year) for year in years], dtype=torch.float64)

    def constant(value: float) -> Tensor:
        return torch.full((len(years),), float(value), dtype=torch.float64)

    coverage = torch.tensor(by_sector(sectors, policy.coverage, 0.0), dtype=torch.float64)
    return Law(
        price=path(policy.price) * USD_2011_PER_EURO_2026,
        free_share=path(policy.free_allocation),
        cbam=constant(policy.cbam and policy.enforced),
        cbam_factor=path(policy.cbam_factor),
        coverage=coverage.expand(len(years), -1),
        export_rebate=constant(policy.export_rebate * policy.enforced),
        support_home=path(policy.support_home) * policy.enforced,
        support_abroad=path(policy.support_abroad) * policy.enforced,
    )
