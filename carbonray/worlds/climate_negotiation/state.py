"""What regions know of themselves, and what all of them see.

Axes: B replica, n region of this shard, R region.  Money trillion USD (a year where it flows), population million.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

from carbonray.worlds.climate_negotiation.protocols import Offers, Treaty
from carbonray.worlds.climate_negotiation.trade import Trade


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a region did in the last activity step, [B, n] each; zero before the first."""

    savings: Tensor  # rate
    mitigation: Tensor  # rate
    export_limit: Tensor  # share of gross output
    abatement_coefficient: Tensor  # theta_1: cost share of cutting all emissions
    abatement_cost: Tensor  # Lambda: cost share
    damage: Tensor  # D: what warming leaves of output
    production: Tensor  # before damage and abatement
    output: Tensor  # gross output
    investment: Tensor
    emissions: Tensor  # Gt CO2 a year, land use included
    imports: Tensor  # before tariffs
    exports: Tensor
    tariff_revenue: Tensor
    consumption: Tensor
    utility: Tensor
    welfare: Tensor  # discounted utility
    bids: Tensor  # [B, n, R] rates of import bids


@dataclass(frozen=True, kw_only=True)
class Regions:
    """State of the regions of a shard."""

    ids: Tensor  # [n] int64, ascending
    capital: Tensor  # [B, n]
    population: Tensor  # [B, n]
    productivity: Tensor  # [B, n]
    intensity: Tensor  # [B, n] Gt CO2 per trillion USD
    balance: Tensor  # [B, n] trillion USD, debts negative
    reward: Tensor  # [B, n] of the last step, zero in a stage of negotiation
    account: Account


PUBLISHED = ("capital", "population", "output", "investment", "consumption", "savings", "mitigation", "export_limit",
             "balance", "intensity", "emissions")  # fmt: skip
"""What regions tell everybody of themselves."""


def published(regions: Regions) -> dict[str, Tensor]:
    """[B, n] by name."""
    own = {field.name for field in fields(regions)}
    return {name: getattr(regions if name in own else regions.account, name) for name in PUBLISHED}


@dataclass(frozen=True, kw_only=True)
class Commons:
    """What everybody sees."""

    step: int  # environment steps done
    activity: int  # activity steps done
    temperature: Tensor  # [B, 2] K above 1900, atmosphere and lower ocean
    carbon: Tensor  # [B, 3] Gt C, atmosphere, upper and lower ocean
    tariffs: Tensor  # [B, R, R] importer, exporter: rates in force in the next activity step
    trade: Trade  # of the last activity step
    offers: Offers  # proposals and answers that stand
    treaty: Treaty  # what binds the regions
    public: Mapping[str, Tensor]  # [B, R] by name of PUBLISHED
