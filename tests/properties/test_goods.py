"""Identities of splitting sectors and of goods in tonnes, on random tables."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.data import DataError, build_goods_balance
from carbonray.data.build_goods_balance import Beliefs, Nesting, divide, summed
from carbonray.data.goods_tonnes import flow_tonnes, goods_table
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.economy import Goods

TIGHT, EXACT = 1e-10, 1e-12
NESTING = Nesting(
    regions=("X", "Y"),
    sectors=("A", "B1", "B2", "B3", "C"),
    parents=("A", "B", "C"),
    parent=np.array([0, 1, 1, 1, 2], dtype=np.intp),
)
seeds = st.integers(min_value=0, max_value=2**32 - 1)


def case(seed: int, *, zeros: float = 0.15) -> tuple[np.ndarray, Beliefs]:
    """A random table of two regions and three sectors, and beliefs about the children of B."""
    random = np.random.default_rng(seed)
    flows = random.lognormal(0.0, 1.0, (6, 8))
    flows[random.random((6, 8)) < zeros] = 0.0
    flows[:, 6:] += 0.5
    output, bought = flows.sum(1).reshape(2, 3), flows[:, :6].sum(0).reshape(2, 3)
    share = random.dirichlet([4.0, 4.0, 4.0], size=2)
    child = np.ones((2, 5))
    child[:, 1:4] = share
    needed = np.ones((2, 5))
    needed[:, 1:4] = 0.5 * share + 0.5 * random.dirichlet([9.0, 9.0, 9.0], size=2)
    beliefs = Beliefs(
        output=(output[:, NESTING.parent] * child).reshape(-1),
        inputs=(bought[:, NESTING.parent] * needed).reshape(-1),
        purchases=random.lognormal(0.0, 0.5, (5, 6)),
        needs=random.lognormal(0.0, 0.5, (3, 5)),
        tradability=random.lognormal(0.0, 0.5, 5),
        use=np.full((5, 2), np.nan),
        held=np.full((2, 3, 5), np.nan),
    )
    return flows, beliefs


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_children_add_up_to_their_parents_and_every_total_is_met(seed: int) -> None:
    flows, beliefs = case(seed)
    table = divide(flows, NESTING, beliefs)
    assert table.min() >= 0.0
    np.testing.assert_allclose(summed(table, NESTING.starts(), NESTING.starts(2)), flows, rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(table.sum(1), beliefs.output, rtol=TIGHT)
    np.testing.assert_allclose(table[:, :10].sum(0), beliefs.inputs, rtol=TIGHT)
    assert not table[:, :10][:, [0, 4]][np.repeat(flows[:, [0, 2]] == 0.0, [1, 3, 1, 1, 3, 1], axis=0)].any()


@settings(max_examples=20, deadline=None)
@given(seed=seeds, part=st.floats(min_value=0.8, max_value=1.0))
def test_a_requirement_is_bought_as_held_and_the_rest_still_balances(seed: int, part: float) -> None:
    flows, beliefs = case(seed, zeros=0.0)
    held = beliefs.held.copy()
    held[:, 0, 2] = part * beliefs.inputs.reshape(2, 5)[:, 2] / flows[:, :6].sum(0).reshape(2, 3)[:, 1]
    table = divide(flows, NESTING, replace(beliefs, held=held))
    bought = table[[0, 5]].sum(0)[[2, 7]]
    wanted = held[:, 0, 2] * flows[[0, 3]].sum(0)[[1, 4]]
    np.testing.assert_allclose(bought, wanted, rtol=TIGHT)
    np.testing.assert_allclose(table.sum(1), beliefs.output, rtol=TIGHT)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_table_that_meets_its_beliefs_already_is_left_alone(seed: int) -> None:
    flows, beliefs = case(seed)
    once = divide(flows, NESTING, beliefs)
    by_region = once[:, :10].reshape(2, 5, 2, 5).sum(3) + once[:, 10:].reshape(2, 5, 2)
    use = beliefs.use.copy()
    use[1] = by_region.sum(0)[1]
    np.testing.assert_allclose(divide(flows, NESTING, replace(beliefs, use=use)), once, rtol=1e-6, atol=1e-9)


def test_totals_that_contradict_each_other_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_goods_balance, "SWEEPS", 300)
    flows, beliefs = case(1)
    use = beliefs.use.copy()
    use[1] = beliefs.output.reshape(2, 5)[:, 1]
    use[1, 0] += 1.0  # more is used than made
    with pytest.raises(DataError, match=r"^goods: [XY]-B\d: (output|inputs) is .* off after 300 sweeps; the totals"):
        divide(flows, NESTING, replace(beliefs, use=use))


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_tonnes_times_unit_value_is_value_in_the_cell_and_on_every_flow(seed: int) -> None:
    random = np.random.default_rng(seed)
    use, demand = random.lognormal(0.0, 1.0, (4, 4)), random.lognormal(2.0, 1.0, (4, 2))
    unit_value = np.where([True, False, True, False], random.lognormal(5.0, 1.0, 4), np.nan)
    economy = Economy(
        regions=("X", "Y"),
        sectors=("STL", "SRV"),
        year=2011,
        transactions=use,
        final_demand=demand,
        emissions=np.ones(4),
        goods=Goods(
            unit_value=unit_value, benchmark=unit_value, default_value=unit_value, default_benchmark=unit_value
        ),
    )
    tonnes, table = flow_tonnes(economy), goods_table(economy)
    assert list(table["region"] + "-" + table["sector"]) == ["X-STL", "Y-STL"]
    np.testing.assert_allclose(table["tonnes"] * table["unit_value_usd_t"], economy.output[[0, 2]] * 1e6, rtol=EXACT)
    np.testing.assert_allclose(tonnes[[0, 2]].sum(1), table["tonnes"], rtol=EXACT)
    assert not tonnes[[1, 3]].any()
