"""Revenue that pays for abatement: a premium per tonne beyond what the carbon price already pays for.

Axes: B replica, R region, S sector, C cell.
"""

import torch
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds.cbam.abatement import abatement_at
from carbonray.worlds.cbam.border_charge import CarbonTerms
from carbonray.worlds.cbam.commons import Commons
from carbonray.worlds.cbam.law import Law
from carbonray.worlds.cbam.model import Model

HIGHEST = 1000.0
"""USD / t CO2 beyond which no premium goes, whatever is left in the fund."""
HALVINGS = 40
"""Of the range in which a premium is sought: to a billionth of a dollar."""


def premium(model: Model, commons: Commons, law: Law, terms: CarbonTerms) -> Tensor:
    """[B, C] premium u of the coming year, USD / t CO2, at home and abroad each the highest that its fund can pay.

    sum_c E_c u (m_c(p_c + u) - m_c(p_c)) = share x revenue of the year that ends

    with m the share abated at a price and E what cells would emit unabated: one price for all who bid, as in an auction
    of carbon contracts for difference.  At home every priced cell may bid, abroad those of covered goods.
    """
    cleared, policy = commons.cleared, model.policy
    assert cleared is not None
    output = cleared.market.demand.transpose(1, 2).flatten(1)
    unabated = QUARTERS * output * model.technology.intensity * commons.intensity_factor
    covered = (law.coverage > 0).repeat(1, len(policy.home))
    at_home = policy.home_cell & policy.priced.repeat(len(policy.home))
    revenue = commons.revenue.clamp(min=0.0)
    found = torch.zeros_like(unabated)
    for who, share in ((at_home, law.support_home), (~policy.home_cell & covered, law.support_abroad)):
        found = found + _premium(model, terms.price, unabated * who, share * revenue)[:, None] * who
    return found


def _premium(model: Model, price: Tensor, unabated: Tensor, fund: Tensor) -> Tensor:
    """[B] the premium that spends a fund, by halving: a fixed count, so that no replica depends on another."""
    before = abatement_at(model.firms, price)
    low, high = torch.zeros_like(fund), torch.full_like(fund, HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        more = abatement_at(model.firms, price + middle[:, None]) - before
        spent = middle * (unabated * more).contiguous().sum(-1)
        low, high = torch.where(spent <= fund, middle, low), torch.where(spent <= fund, high, middle)
    return torch.where(fund > 0, low, 0.0)
