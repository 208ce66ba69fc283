"""What a unit of a product pays for its carbon: at home under the price, at the border under the adjustment."""

from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.worlds.cbam.law import Law
from carbonray.worlds.cbam.parameters import PolicyParams


def border_charge(*, intensity: Tensor, deduction: Tensor, rate: Tensor, offset: Tensor) -> Tensor:
    """Charge per unit of a good entering the home region.

    T = k max(0, p_d max(0, e - f b) - p_o e)      (Regulation (EU) 2023/956, arts. 9, 21, 31)

    An importer dirtier than the benchmark pays the whole excess from the first year: the phase-in f scales the
    benchmark b, never the emissions.  The price paid abroad is deducted on declared emissions.

    T -> return value;  e -> intensity;  f b -> deduction;  k p_d -> rate;  k p_o -> offset

    Args:
        intensity: [B, n] declared, t CO2 / USD.
        deduction: [B, n] CBAM factor times benchmark, t CO2 / USD.
        rate: [B, n] coverage times carbon price where the good is sold, USD / t CO2; zero where nothing is owed.
        offset: [B, n] coverage times the carbon price paid where it was made, USD / t CO2.
    Returns:
        [B, n] USD / USD of output.
    """
    return torch.clamp(rate * torch.clamp(intensity - deduction, min=0.0) - offset * intensity, min=0.0)


def free_allocation(
    *, price: Tensor, benchmark: Tensor, coverage: Tensor, covered_share: Tensor, other_share: Tensor | float
) -> Tensor:
    """Value of free allowances per unit of output: a subsidy that leaves the reward for abatement alone.

    A = p (phi k + psi (1 - k)) b;  only the CBAM goods k lose theirs as phi falls   (Directive 2003/87/EC, art. 10a)

    p -> price;  phi -> covered_share;  psi -> other_share;  k -> coverage;  b -> benchmark

    Args:
        price: [B, C] USD / t CO2.
        benchmark: [B, C] t CO2 / USD.
        coverage: [B, ...] share of output that is a CBAM good.
        covered_share: [B, ...] share of the benchmark still allocated to CBAM goods.
        other_share: share allocated to the rest.
    Returns:
        [B, C] USD / USD of output.
    """
    return price * (covered_share * coverage + other_share * (1 - coverage)) * benchmark


@dataclass(frozen=True, kw_only=True)
class CarbonTerms:
    """What a quarter's policy means for each cell: [B, C]."""

    price: Tensor  # USD / t CO2 that producers of the cell pay
    allocation: Tensor  # USD / USD of output, value of free allowances
    rate: Tensor  # USD / t CO2, coverage times the home price: charged on imports, refunded on exports, or zero
    deduction: Tensor  # t CO2 / USD, CBAM factor (at home the share allocated free) times benchmark
    offset: Tensor  # USD / t CO2, coverage times the price paid abroad
    benchmark: Tensor  # t CO2 / USD


def carbon_terms(policy: PolicyParams, law: Law, *, price: Tensor, home_intensity: Tensor) -> CarbonTerms:
    """Spell out a year's policy by cell.

    A legal benchmark per tonne is deducted at the border as it stands.  At home, with `benchmark_follows`, free
    allocation is held to the sector's mean intensity a year before: a fixed benchmark would soon pay producers that
    abate for every tonne they make, which allocation by historical activity does not.

    Args:
        policy: its parameters.
        law: in force, [B].
        price: [B, R] carbon price in force by region, USD / t CO2.
        home_intensity: [B, S] mean intensity at home that the benchmark refers to, t CO2 / USD.
    """
    batch, n_regions = price.shape
    n_sectors = len(policy.priced)
    cells = (batch, n_regions, n_sectors)
    home = policy.home[None, :, None]
    paid = price[:, :, None] * policy.priced
    coverage, free_share = law.coverage[:, None, :], law.free_share[:, None, None]  # [B, 1, S], [B, 1, 1]
    shared = (policy.benchmark_share * home_intensity)[:, None, :]
    legal = policy.legal_benchmark.view(cells[1:])
    if policy.default_values:
        legal = torch.where(home, legal, policy.default_benchmark.view(cells[1:]))
    if policy.benchmark_follows:  # at home nobody is allocated more than its sector emitted a year before
        legal = torch.where(home, torch.minimum(legal, home_intensity[:, None, :]), legal)
    benchmark = torch.where(legal.isnan(), shared, legal).expand(cells)
    allocation = free_allocation(
        price=paid,
        benchmark=benchmark,
        coverage=coverage,
        covered_share=free_share,
        other_share=policy.free_share_other,
    )
    home_price = (price * policy.home).amax(1)[:, None, None]
    charge_rate = home_price * coverage * law.cbam[:, None, None]
    refund_rate = home_price * coverage * law.export_rebate[:, None, None]
    kept = torch.where(home, free_share, law.cbam_factor[:, None, None])
    offset = paid * coverage * (policy.paid_share * law.cbam[:, None, None])
    return CarbonTerms(
        price=paid.reshape(batch, -1),
        allocation=torch.where(home & policy.free, allocation, 0.0).reshape(batch, -1),
        rate=torch.where(home, refund_rate, charge_rate).expand(cells).reshape(batch, -1),
        deduction=(kept * benchmark).reshape(batch, -1),
        offset=torch.where(home, 0.0, offset).reshape(batch, -1),
        benchmark=benchmark.reshape(batch, -1),
    )
