"""Carbon contracts for difference: revenue that guarantees producers a carbon price.

A contract pays, for each tonne cut beyond what the carbon price pays for, what the price lacks to its strike.  It lasts
to the end of the run: a strike never falls, whatever is decreed later, and nothing is promised that the fund could not
pay.  All of a cell have the same strike, that of the last auction which raised it.

Axes: B replica, C cell, n firm.
"""

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds.cbam.abatement import abatement_at
from carbonray.worlds.cbam.border_charge import CarbonTerms
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.firms import by_cell
from carbonray.worlds.cbam.law import Law
from carbonray.worlds.cbam.model import Model
from carbonray.worlds.cbam.parameters import FirmParams

HIGHEST = 1000.0
"""USD / t CO2 beyond which no premium goes, whatever is left in the fund."""
HALVINGS = 40
"""Of the range in which a premium is sought: to a billionth of a dollar."""


def carbon_value(price: Tensor, strike: Tensor | None) -> Tensor:
    """[B, C] what a tonne less is worth, USD / t CO2: the carbon price, or the strike of a contract above it."""
    return price if strike is None else torch.maximum(price, strike)


def auction(model: Model, commons: Commons, law: Law, terms: CarbonTerms) -> tuple[Tensor, Tensor]:
    """Strikes s of the coming year, at home and abroad as high as their fund can pay to the end of the run.

    years left x sum_c E_c (s_c - p_c) (m_c(s_c) - m_c(p_c)) <= fund,   s_c = max(s_c of the last year, p_c + u)

    with p the carbon price, m the share abated at a price and E what cells would emit unabated.  The premium u is the
    same for all who may bid: at home every priced cell, abroad those of covered goods.  Where old contracts alone
    claim the fund or more, u is zero and they are paid all the same.

    Returns:
        [B, C] strikes, USD / t CO2, and [B, 2] the funds, into which a share of last year's revenue has gone.
    """
    cleared, policy, strike = commons.cleared, model.policy, commons.strike
    assert cleared is not None
    assert strike is not None
    output = cleared.market.demand.transpose(1, 2).flatten(1)
    unabated = QUARTERS * output * model.technology.intensity * commons.intensity_factor
    may_bid = (policy.priced.repeat(len(policy.home)), (law.coverage > 0).repeat(1, len(policy.home)))
    shares = torch.stack([law.support_home, law.support_abroad], 1)
    fund = commons.fund + shares * commons.revenue.clamp(min=0.0)[:, None]
    left = model.steps // QUARTERS - (commons.step + 1) // QUARTERS
    a_year = fund / max(left, 1)  # none is left when the run is over, and what is seen at last is seen as if one were
    for place, side in enumerate((policy.home_cell, ~policy.home_cell)):
        strike = _raised(model, terms.price, strike, unabated * side, side & may_bid[place], a_year[:, place])
    return strike, fund


def spent(model: Model, fund: Tensor, support: Tensor) -> Tensor:
    """[B, 2] funds after contracts are paid `support` [B, C], million USD."""
    home = model.policy.home_cell.to(support.dtype)
    return fund - torch.stack([(support * home).sum(-1), (support * (1 - home)).sum(-1)], 1)


def _raised(model: Model, price: Tensor, strike: Tensor, unabated: Tensor, bids: Tensor, fund: Tensor) -> Tensor:
    """[B, C] strikes that use a fund [B], by halving: a fixed count, so that no replica depends on another."""
    before = abatement_at(model.firms, price)

    def at(premium: Tensor) -> Tensor:
        return torch.where(bids & (premium > 0)[:, None], torch.maximum(strike, price + premium[:, None]), strike)

    def claimed(strikes: Tensor) -> Tensor:
        more = (abatement_at(model.firms, strikes) - before).clamp(min=0.0)
        return (unabated * more * (strikes - price).clamp(min=0.0)).contiguous().sum(-1)

    low, high = torch.zeros_like(fund), torch.full_like(fund, HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = claimed(at(middle)) <= fund
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return at(torch.where(fund > 0, low, 0.0))


def claim(
    params: FirmParams, *, price: Tensor, strike: Tensor, abated: Tensor, unabated: Tensor, cell: Tensor
) -> Tensor:
    """What contracts pay per unit of output: (s - p) e (min(m, m(s)) - m(p)) where s > p.

    Args:
        params: of the firms.
        price: [B, C] carbon price p, USD / t CO2.
        strike: [B, C] of the contracts, s.
        abated: [B, n] share of emissions m that is cut and in effect.
        unabated: [B, n] intensity e without any cut, t CO2 / USD.
        cell: [n] of each firm.
    Returns:
        [B, n] USD / USD of output.
    """
    most, own = (by_cell(abatement_at(params, value), cell) for value in (strike, price))
    beyond = (torch.minimum(abated, most) - own).clamp(min=0.0)
    return by_cell((strike - price).clamp(min=0.0), cell) * beyond * unabated
