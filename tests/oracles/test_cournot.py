"""The tiny Cournot world against its closed form (FACTS 7.6): the first judge of a runtime."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.runtime import inprocess
from carbonray.worlds.duopoly import CHANGES, CournotFirms, CournotMarket, CournotWorld

TIGHT = 1e-9


def cournot(*, n: int = 2, m: int = 1, tax: float = 0.0, charge_imports: bool = False) -> CournotWorld:
    """Of n equal firms m are at home; P = 10 - Q, costs 1, intensity 1."""
    one = torch.ones(n, dtype=torch.float64)
    return CournotWorld(
        intercept=10.0,
        slope=1.0,
        cost=one,
        intensity=one,
        taxed=torch.arange(n) < m,
        tax=tax,
        charge_imports=charge_imports,
    )


def at_rest(world: CournotWorld, shards: list[np.ndarray] | None = None) -> inprocess.Step[CournotFirms, CournotMarket]:
    ids = shards or [np.arange(len(world.cost))]
    state = inprocess.reset(world, 0, 1, [{"firm": mine} for mine in ids])
    for step in range(world.steps):
        shocks = [world.shocks(0, 1, step, {"firm": mine}) for mine in ids]
        taken = inprocess.advance(world, state, shocks, ids)
        state = taken.state
    return taken


def leakage_rate(policy: CournotWorld, reference: CournotWorld) -> float:
    foreign, home = (at_rest(policy).accounts["emissions"] - at_rest(reference).accounts["emissions"])[0].tolist()
    return foreign / -home


@st.composite
def worlds(draw: st.DrawFn) -> CournotWorld:
    n = draw(st.integers(2, 8))
    numbers = st.lists(st.floats(0.5, 2.0), min_size=n, max_size=n)
    return CournotWorld(
        intercept=draw(st.floats(10.0, 40.0)),
        slope=draw(st.floats(0.2, 3.0)),
        cost=torch.tensor(draw(numbers), dtype=torch.float64),
        intensity=torch.tensor(draw(numbers), dtype=torch.float64),
        taxed=torch.arange(n) < draw(st.integers(1, n - 1)),
        tax=draw(st.floats(0.0, 0.5)),
        charge_imports=draw(st.booleans()),
    )


def solved(world: CournotWorld) -> Tensor:
    """Quantities at which each firm's first-order condition holds: b (Q + q_i) = A - k_i."""
    n = len(world.cost)
    matrix = world.slope * (torch.ones(n, n, dtype=torch.float64) + torch.eye(n, dtype=torch.float64))
    return torch.linalg.solve(matrix, world.intercept - world.marginal_cost)


def test_one_of_two_firms_taxed_leaks_one_half() -> None:
    assert leakage_rate(cournot(tax=0.5), cournot()) == pytest.approx(0.5, abs=TIGHT)


def test_a_full_import_adjustment_turns_leakage_to_minus_one() -> None:
    assert leakage_rate(cournot(tax=0.5, charge_imports=True), cournot()) == pytest.approx(-1.0, abs=TIGHT)


@pytest.mark.parametrize(("n", "m"), [(3, 1), (3, 2), (5, 2), (8, 1), (8, 7)])
def test_leakage_of_m_in_n_equal_firms_follows_the_closed_form(n: int, m: int) -> None:
    reference = cournot(n=n, m=m)
    assert leakage_rate(cournot(n=n, m=m, tax=0.5), reference) == pytest.approx((n - m) / (n - m + 1), abs=TIGHT)
    adjusted = cournot(n=n, m=m, tax=0.5, charge_imports=True)
    assert leakage_rate(adjusted, reference) == pytest.approx(-(n - m) / m, rel=TIGHT)


@given(world=worlds())
@settings(max_examples=25, deadline=None)
def test_any_firms_come_to_rest_at_the_closed_form(world: CournotWorld) -> None:
    expected = solved(world)
    assume(bool((expected > 0).all()))
    torch.testing.assert_close(world.closed_form(), expected, rtol=TIGHT, atol=TIGHT)
    taken = at_rest(world)
    torch.testing.assert_close(taken.state.agents[0].quantity[0], expected, rtol=TIGHT, atol=TIGHT)
    price = world.intercept - world.slope * expected.sum()
    torch.testing.assert_close(taken.state.commons.price[0], price, rtol=TIGHT, atol=TIGHT)
    profit = world.slope * expected**2  # at a best response the margin is b q
    torch.testing.assert_close(taken.rewards[0]["firm"][0], profit, rtol=TIGHT, atol=TIGHT)


@given(world=worlds(), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_shards_give_the_same_bytes(world: CournotWorld, seed: int) -> None:
    shard_of = np.random.default_rng(seed).integers(0, 3, len(world.cost))
    shards = [np.flatnonzero(shard_of == shard) for shard in range(3)]
    whole, parts = at_rest(world), at_rest(world, shards)
    for mine, agents in zip(shards, parts.state.agents, strict=True):
        assert torch.equal(agents.quantity, whole.state.agents[0].quantity[:, mine])
    assert torch.equal(parts.state.commons.price, whole.state.commons.price)
    assert all(torch.equal(parts.accounts[name], whole.accounts[name]) for name in whole.accounts)


def test_a_firm_priced_out_makes_nothing() -> None:
    world = cournot(tax=20.0)
    taken = at_rest(world)
    assert taken.state.agents[0].quantity[0].tolist() == pytest.approx([0.0, 4.5], abs=TIGHT)


def test_learners_see_the_price_and_change_their_quantity() -> None:
    world = cournot()
    ids = np.arange(2)
    state = inprocess.reset(world, 0, 3, [{"firm": ids}])
    seen = world.observe(state.agents[0], state.commons)["firm"]
    role = world.roles["firm"]
    assert seen.values.shape == (3, 2, role.features)
    assert seen.mask.shape == (3, 2, sum(role.heads))
    up = world.decode({"firm": torch.full((3, 2, 1), 2)})
    taken = inprocess.advance(world, state, [world.shocks(0, 3, 0, {"firm": ids})], [ids], [up])
    assert taken.state.agents[0].quantity.tolist() == [[CHANGES[2] * world.saturation] * 2] * 3
    assert taken.state.commons.price.tolist() == pytest.approx([10 - 2 * 0.2] * 3, abs=TIGHT)
