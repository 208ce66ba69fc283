"""Unit cost is the cost of one unit more once the rent of capacity is the firm's own."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.worlds.cbam.act import unit_cost

MARKET: Any = SimpleNamespace(inputs=0.3, factor_supply=2.0)


@given(output=st.floats(0.2, 3.0), share=st.floats(0.05, 0.95), inputs=st.floats(0.5, 2.0))
def test_who_takes_prices_earns_most_where_the_price_is_unit_cost(output: float, share: float, inputs: float) -> None:
    """With capacity 1: the derivative of what output costs others and the factor's supply is c."""
    made = torch.tensor(output, dtype=torch.float64, requires_grad=True)
    one = torch.tensor(1.0, dtype=torch.float64)
    log_cost, rent = unit_cost(MARKET, share * one, (1 - share) * inputs * one, made)
    outlay = made * log_cost.exp() * (1 - rent)
    (marginal,) = torch.autograd.grad(outlay, made)
    assert marginal.item() == pytest.approx(log_cost.exp().item(), rel=2e-3)


def test_without_substitution_the_rent_is_the_area_above_the_supply_curve() -> None:
    """A firm without inputs, supply elasticity two: a third of its bill."""
    one = torch.ones(3, dtype=torch.float64)
    log_cost, rent = unit_cost(MARKET, one, 0 * one, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(rent, one / 3, rtol=1e-12, atol=0)
    torch.testing.assert_close(log_cost.exp() ** 2, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64))
