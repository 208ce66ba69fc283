"""The abatement law: marginal cost `P_b (m / m_max)^(k - 1)` of cutting a share m, one for firms and static oracle.

Axes: C cell, n firm.
"""

import torch
from torch import Tensor

from carbonray.worlds import exact
from carbonray.worlds.cbam.firms import by_cell
from carbonray.worlds.cbam.parameters import FirmParams


def abatement_at(params: FirmParams, price: Tensor) -> Tensor:
    """[..., C] share at which the marginal cost P_b (m / m_max)^(k - 1) equals the carbon price, at most the cap."""
    share = params.abatement_potential * exact.power(
        price / params.abatement_price, 1 / (params.abatement_exponent - 1)
    )
    return torch.minimum(share, params.abatement_cap) * (params.price_response == 0)


def marginal_cost(params: FirmParams, share: Tensor, cell: Tensor) -> Tensor:
    """[..., n] USD per t CO2 of cutting a little more than `share` [..., n]: P_b (m / m_max)^(k - 1)."""
    k, most = params.abatement_exponent, params.abatement_potential
    level = params.abatement_price * exact.power(most.reciprocal(), k - 1)
    return by_cell(level, cell) * exact.power(share.clamp(min=1e-30), by_cell(k - 1, cell))


def cost_of_abatement(params: FirmParams, share: Tensor, cell: Tensor | None = None) -> Tensor:
    """Running cost per t CO2 that would be emitted: P_b m_max / k (m / m_max)^k, the integral of the marginal cost.

    `share` is [..., C], or [..., n] with the firms' cells.
    """
    k, most = params.abatement_exponent, params.abatement_potential
    level = params.abatement_price * most / k * exact.power(most.reciprocal(), k)
    if cell is not None:
        level, k = by_cell(level, cell), by_cell(k, cell)
    return level * exact.power(share.clamp(min=1e-30), k)  # the logarithm of zero is five times slower
