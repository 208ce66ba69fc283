"""Clearing: the prices at which demand for every product equals what was made.

Axes: B replica, S good, R origin region, D destination region, K buyer within a destination (its sectors, then final
demand), J = D x K.  At given output and with last quarter's unit costs each good is a system of its own, R prices and
R markets, solved by Newton steps on log prices.

Nests (all CES, base prices one):
    delivered price  p~ = p + wedge                           wedge -> (1 - lambda) times the cell's mean charge
    imports          pm = (sum_r mu p~^(1-sm))^(1/(1-sm))     mu -> import_share, sm -> imports = 2 domestic
    good             pc = (alpha p^(1-sd) + (1-alpha) pm^(1-sd))^(1/(1-sd))       alpha -> home_share, sd -> domestic
    purchases        Y  = Ya pc^-e + Yb                       e -> inputs for sectors, final_demand for the rest
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.cbam.parameters import MarketParams
from carbonray.worlds.world import WorldError

TOLERANCE = 1e-12
"""Largest |log(demand / supply)| at which a replica's prices are taken."""
STEP_LIMIT = 0.5
"""Largest change of a log price in one iteration."""
REFRESH = 6
"""Iterations between two Jacobians."""
MAX_ITERATIONS = 120
SUPPLY_FLOOR = 1e-6
"""Least supply of a product in clearing, as a share of its base output: a price then exists for a cell that stands."""


class MarketError(WorldError):
    """No prices clear the market; `place` is the good and the region of origin that is furthest from it."""

    def __init__(self, message: str, place: tuple[int, int]) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """Demand for composite goods Y = Ya pc^-e + Yb: [B, S, D, K], million USD a quarter at base prices."""

    responsive: Tensor  # Ya
    fixed: Tensor  # Yb
    elasticity: Tensor  # [S, 1, K]


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """Weights of origins in purchases, the base year's times what firms shifted by sourcing."""

    home: Tensor  # [S, D, K] or [B, S, D, K]
    imports: Tensor  # [..., K, R]
    imports_by_buyer: Tensor  # [..., R, K]


@dataclass(frozen=True, kw_only=True)
class Market:
    """Demand at given prices."""

    log_price: Tensor  # [B, S, R]
    log_delivered: Tensor  # [B, S, D, R]
    log_import_price: Tensor  # [B, S, D, K]
    log_composite_price: Tensor  # [B, S, D, K]
    purchases: Tensor  # [B, S, D, K] composite bought
    home_volume: Tensor  # [B, S, D, K] bought from the own region
    import_demand: Tensor  # [B, S, D, K] scale of imports; times mu p~^-sm it is an origin's volume
    import_volume: Tensor  # [B, S, D, R]
    demand: Tensor  # [B, S, R]


def demand_at(
    market: MarketParams, preferences: Preferences, purchases: Purchases, wedge: Tensor, log_price: Tensor
) -> Market:
    """What is bought, by origin and buyer, at producer prices `log_price` [B, S, R] and wedges [B, S, D, R]."""
    sd, sm = market.domestic[:, None, None], market.imports[:, None, None]
    log_delivered = (log_price.exp().unsqueeze(2) + wedge).log()
    import_terms = ((1 - sm) * log_delivered).exp()
    import_sum = (preferences.imports * import_terms.unsqueeze(3)).sum(-1)
    import_sum = torch.where(import_sum > 0, import_sum, 1.0)  # a buyer without imports: any finite price will do
    log_import_price = import_sum.log() / (1 - sm)
    own = log_price.unsqueeze(3)  # origin = destination
    good_sum = preferences.home * ((1 - sd) * own).exp() + (1 - preferences.home) * ((1 - sd) * log_import_price).exp()
    log_composite = good_sum.log() / (1 - sd)
    bought = purchases.responsive * (-purchases.elasticity * log_composite).exp() + purchases.fixed
    home_volume = bought * preferences.home * (sd * (log_composite - own)).exp()
    import_demand = bought * (1 - preferences.home) * (sd * log_composite + (sm - sd) * log_import_price).exp()
    import_volume = (import_demand.unsqueeze(3) * preferences.imports_by_buyer).sum(-1) * (-sm * log_delivered).exp()
    return Market(
        log_price=log_price,
        log_delivered=log_delivered,
        log_import_price=log_import_price,
        log_composite_price=log_composite,
        purchases=bought,
        home_volume=home_volume,
        import_demand=import_demand,
        import_volume=import_volume,
        demand=home_volume.sum(-1) + import_volume.transpose(2, 3).contiguous().sum(-1),
    )


def flows(market: MarketParams, preferences: Preferences, found: Market) -> Tensor:
    """[B, S, D, K, R] volume of each good from each origin to each buyer, million USD a quarter at base prices."""
    origin = (-market.imports[:, None, None] * found.log_delivered).exp().unsqueeze(3)
    volume = found.import_demand.unsqueeze(4) * preferences.imports * origin
    own = torch.diagonal(volume, dim1=2, dim2=4)  # [B, S, K, R]: zero before, no import from oneself
    own += found.home_volume.transpose(2, 3)
    return volume


def _jacobian(market: MarketParams, preferences: Preferences, purchases: Purchases, found: Market) -> Tensor:
    """[B, S, R, R'] d log demand / d log price."""
    sd, sm = market.domestic[:, None, None], market.imports[:, None, None]
    home = preferences.home * ((1 - sd) * (found.log_price.unsqueeze(3) - found.log_composite_price)).exp()
    passed = (found.log_price.unsqueeze(2) - found.log_delivered).exp()  # d log p~ / d log p, [B, S, D, R]
    share = preferences.imports * ((1 - sm) * found.log_delivered).exp().unsqueeze(3)
    share = share * ((sm - 1) * found.log_import_price).exp().unsqueeze(4) * passed.unsqueeze(3)  # [B, S, D, K, R']
    response = (
        purchases.elasticity
        * purchases.responsive
        * (-purchases.elasticity * found.log_composite_price).exp()
        / found.purchases
    )
    own_composite = (sd - response) * home  # weight of the home price in what moves a volume, [B, S, D, K]
    effect = ((sm - sd) + (sd - response) * (1 - home)).unsqueeze(4) * share
    torch.diagonal(effect, dim1=2, dim2=4).add_(own_composite.transpose(2, 3))
    origin = (-market.imports[:, None, None] * found.log_delivered).exp().unsqueeze(3)
    volume = found.import_demand.unsqueeze(4) * preferences.imports * origin
    batch, goods, n_regions, buyers, _ = volume.shape
    by_origin = volume.reshape(batch, goods, n_regions * buyers, n_regions).transpose(2, 3).contiguous()
    by_price = effect.reshape(batch, goods, n_regions * buyers, n_regions).transpose(2, 3).contiguous()
    slope = (by_origin.unsqueeze(3) * by_price.unsqueeze(2)).sum(-1)  # [B, S, R, R']
    effect_home = ((sd - response) * (1 - home)).unsqueeze(4) * share
    torch.diagonal(effect_home, dim1=2, dim2=4).add_(own_composite.transpose(2, 3))
    slope = slope + (found.home_volume.unsqueeze(4) * effect_home).transpose(3, 4).contiguous().sum(-1)
    imported = (found.import_volume * passed).transpose(2, 3).contiguous().sum(-1)
    own_price = market.imports[:, None] * imported + market.domestic[:, None] * found.home_volume.sum(-1)
    torch.diagonal(slope, dim1=2, dim2=3).sub_(own_price)
    return slope / found.demand.unsqueeze(3)


def clear(
    market: MarketParams,
    preferences: Preferences,
    purchases: Purchases,
    *,
    wedge: Tensor,
    supply: Tensor,
    log_price: Tensor,
) -> tuple[Market, int]:
    """Prices at which demand equals supply, good by good.

    A replica whose residuals are all under TOLERANCE is frozen, so that its prices do not depend on the batch.

    Args:
        market: elasticities.
        preferences: weights of origins.
        purchases: demand for composite goods.
        wedge: [B, S, D, R] charge in the delivered price, USD / USD.
        supply: [B, S, R] million USD a quarter at base prices.
        log_price: [B, S, R] where to start, last quarter's.
    Returns:
        The market at its prices, and the iterations needed.
    Raises:
        MarketError: if no prices were found.
    """
    log_supply = supply.log()
    found = demand_at(market, preferences, purchases, wedge, log_price)
    for iteration in range(MAX_ITERATIONS):
        residual = found.demand.clamp(min=1e-300).log() - log_supply
        active = ~(residual.abs().amax((1, 2)) <= TOLERANCE)
        if not bool(active.any()):
            return found, iteration
        if iteration % REFRESH == 0:
            inverse = torch.linalg.inv(_jacobian(market, preferences, purchases, found))
        step = exact.apply(inverse, residual).clamp(-STEP_LIMIT, STEP_LIMIT)
        log_price = torch.where(active[:, None, None], found.log_price - step, found.log_price)
        found = demand_at(market, preferences, purchases, wedge, log_price)
    place = int(residual.abs().nan_to_num(torch.inf).amax(0).argmax())
    raise MarketError(f"no prices clear the market after {iteration + 1} iterations", divmod(place, supply.shape[2]))
