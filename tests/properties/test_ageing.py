"""Laws of ageing over random growth: totals met, monotone, and blind to the order of regions and sectors."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.data.ageing import Targets, age, outputs, proportional_demand, same_totals
from carbonray.worlds.cbam import Economy

TIGHT = 1e-9
LOOSE = 1e-7  # two orders of summing, each met to 1e-12 of totals that the small flows are far below
SLOW = settings(max_examples=25, deadline=None)
FACTORS = arrays(np.float64, 4, elements=st.floats(0.4, 3.0))


def economy(seed: int, *, regions: int = 4, sectors: int = 3) -> Economy:
    """A random balanced table with positive value added."""
    rng = np.random.default_rng(seed)
    cells = regions * sectors
    transactions = rng.uniform(0.0, 1.0, (cells, cells)) * (rng.uniform(size=(cells, cells)) < 0.8)
    final_demand = rng.uniform(0.5, 2.0, (cells, regions)) * cells
    return Economy(
        regions=tuple(f"R{number}" for number in range(regions)),
        sectors=tuple(f"S{number}" for number in range(sectors)),
        year=2011,
        transactions=transactions,
        final_demand=final_demand,
        emissions=rng.uniform(0.1, 5.0, cells),
    )


def grown(table: Economy, factors: np.ndarray) -> Targets:
    base = same_totals(table)
    value_added = base.value_added * factors
    return replace(
        base,
        year=2026,
        value_added=value_added,
        final_demand=proportional_demand(table, value_added),
        emissions=base.emissions * factors[::-1],
    )


@SLOW
@given(seed=st.integers(0, 10_000), factors=FACTORS)
def test_totals_are_met_and_nothing_is_negative(seed: int, factors: np.ndarray) -> None:
    table = economy(seed)
    targets = grown(table, factors)
    aged = age(table, targets)
    np.testing.assert_allclose(aged.value_added.reshape(4, -1).sum(1), targets.value_added, rtol=TIGHT)
    np.testing.assert_allclose(aged.final_demand.sum(0), targets.final_demand, rtol=TIGHT)
    np.testing.assert_allclose(aged.output, outputs(table, targets), rtol=TIGHT)
    np.testing.assert_allclose(aged.emissions.reshape(4, -1).sum(1), targets.emissions, rtol=TIGHT)
    assert (aged.transactions >= 0).all()
    assert (aged.value_added > 0).all()


@SLOW
@given(seed=st.integers(0, 10_000))
def test_the_same_totals_are_a_fixed_point(seed: int) -> None:
    table = economy(seed)
    aged = age(table, same_totals(table))
    np.testing.assert_allclose(aged.transactions, table.transactions, rtol=1e-12)
    np.testing.assert_allclose(aged.final_demand, table.final_demand, rtol=1e-12)


@SLOW
@given(seed=st.integers(0, 10_000), factors=FACTORS)
def test_ageing_in_two_steps_is_ageing_in_one(seed: int, factors: np.ndarray) -> None:
    """Scaling by rows and columns keeps what it is nearest to, so that the way to the totals does not matter."""
    table = economy(seed)
    once = age(table, grown(table, factors))
    half = age(table, grown(table, np.sqrt(factors)))
    rest = replace(same_totals(once), year=2026, output=once.output)
    free = np.arange(once.output.size) % 3 == 0  # a targeted cell in each region is left out: some must be free
    twice = age(half, replace(rest, output=np.where(free, np.nan, once.output)))
    np.testing.assert_allclose(twice.transactions, once.transactions, rtol=LOOSE)


@SLOW
@given(seed=st.integers(0, 10_000), factors=FACTORS, extra=st.floats(1.05, 2.0), region=st.integers(0, 3))
def test_more_income_raises_a_regions_output_and_no_other(
    seed: int, factors: np.ndarray, extra: float, region: int
) -> None:
    table = economy(seed)
    more = factors.copy()
    more[region] *= extra
    low, high = (age(table, grown(table, wanted)).output.reshape(4, -1) for wanted in (factors, more))
    assert (high[region] > low[region]).all()
    np.testing.assert_allclose(np.delete(high, region, axis=0), np.delete(low, region, axis=0), rtol=TIGHT)


@SLOW
@given(seed=st.integers(0, 10_000), factors=FACTORS, order=st.permutations(range(4)))
def test_permuting_regions_permutes_the_result(seed: int, factors: np.ndarray, order: list[int]) -> None:
    table = economy(seed)
    cells = (np.array(order)[:, None] * 3 + np.arange(3)).reshape(-1)
    mixed = replace(
        table,
        regions=tuple(table.regions[number] for number in order),
        transactions=table.transactions[np.ix_(cells, cells)],
        final_demand=table.final_demand[np.ix_(cells, order)],
        emissions=table.emissions[cells],
    )
    straight = age(table, grown(table, factors))
    emissions = grown(table, factors).emissions
    targets = grown(mixed, factors[order])
    turned = age(mixed, replace(targets, emissions=emissions[order]))
    np.testing.assert_allclose(turned.transactions, straight.transactions[np.ix_(cells, cells)], rtol=LOOSE)
    np.testing.assert_allclose(turned.emissions, straight.emissions[cells], rtol=TIGHT)
