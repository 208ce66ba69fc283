"""Identities of the supply network on random economies."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.network.cascade import cascade
from carbonray.network.edges import name_suppliers
from carbonray.network.leontief import buyers, embodied_intensity, flows
from carbonray.network.measures import consumption_footprint, exposure, hotspots, hotspots_change
from carbonray.worlds.cbam.economy import Economy

TIGHT = 1e-9
ROUNDING = 1e-15  # of a difference of shares that are equal
untimed = settings(deadline=None)


@st.composite
def economies(draw: st.DrawFn) -> Economy:
    """Two to four regions, one to three sectors; about a third of the flows are zero; final demand is positive."""
    n_regions, n_sectors = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_cells = n_regions * n_sectors
    return Economy(
        regions=tuple("ABCD"[:n_regions]),
        sectors=tuple("XYZ"[:n_sectors]),
        year=2011,
        transactions=rng.lognormal(0.0, 1.5, (n_cells, n_cells)) * (rng.random((n_cells, n_cells)) > 0.3),
        final_demand=rng.lognormal(1.0, 1.0, (n_cells, n_regions)),
        emissions=rng.lognormal(0.0, 1.0, n_cells),
    )


def permute_regions(economy: Economy, order: np.ndarray) -> tuple[Economy, np.ndarray]:
    """The same economy with its regions in another order, and where each new cell was before."""
    n_sectors = len(economy.sectors)
    cells = (order[:, None] * n_sectors + np.arange(n_sectors)).ravel()
    permuted = Economy(
        regions=tuple(economy.regions[region] for region in order),
        sectors=economy.sectors,
        year=economy.year,
        transactions=economy.transactions[np.ix_(cells, cells)],
        final_demand=economy.final_demand[np.ix_(cells, order)],
        emissions=economy.emissions[cells],
    )
    return permuted, cells


@untimed
@given(economy=economies())
def test_consumption_and_production_account_for_all_emissions(economy: Economy) -> None:
    table = consumption_footprint(economy)
    total = economy.emissions.sum()
    np.testing.assert_allclose(table["consumption_mt_co2"].sum(), total, rtol=TIGHT)
    np.testing.assert_allclose(table["production_mt_co2"].sum(), total, rtol=TIGHT)
    embodied = embodied_intensity(economy)
    np.testing.assert_allclose(table["consumption_mt_co2"], embodied @ economy.final_demand, rtol=TIGHT)


@untimed
@given(economy=economies(), data=st.data())
def test_permuting_regions_permutes_results(economy: Economy, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(economy.regions)))))
    permuted, cells = permute_regions(economy, order)
    np.testing.assert_allclose(embodied_intensity(permuted), embodied_intensity(economy)[cells], rtol=TIGHT)
    footprint = consumption_footprint(economy).loc[list(permuted.regions)]
    np.testing.assert_allclose(consumption_footprint(permuted), footprint, rtol=TIGHT, atol=TIGHT)
    reached = exposure(economy, ["A"], ["X"])["exposure"]
    np.testing.assert_allclose(
        exposure(permuted, ["A"], ["X"])["exposure"].loc[reached.index], reached, rtol=TIGHT, atol=ROUNDING
    )
    ends = [cascade(case, "A-X", spot_share=0.3) for case in (economy, permuted)]
    losses = ends[0].losses["lost_share"]
    np.testing.assert_allclose(ends[1].losses["lost_share"].loc[losses.index], losses, atol=TIGHT)
    firms = np.repeat(np.arange(len(cells)), 3)
    before, after = (name_suppliers(case, firms, np.ones(len(firms)), seed=1).product for case in (economy, permuted))
    np.testing.assert_array_equal(np.where(after < 0, -1, cells[after]), before[cells])


@untimed
@given(economy=economies())
def test_exposure_is_a_share_of_output(economy: Economy) -> None:
    table = exposure(economy, ["A"], economy.sectors)
    reached = table["direct_share"] + table["indirect_share"]
    assert table["direct_share"].min() >= 0.0
    assert table["indirect_share"].min() >= 0.0
    assert reached.max() <= 1.0 + TIGHT


@untimed
@given(economy=economies(), top=st.integers(1, 20))
def test_hotspots_of_the_change_add_up_to_the_change(economy: Economy, top: int) -> None:
    reference, intensity = flows(economy), embodied_intensity(economy)
    policy, cleaner = reference[::-1], intensity[::-1]
    table = hotspots_change(policy, reference, cleaner, intensity, buyers(economy), reference.size)
    change = (cleaner[:, None] * policy).sum() - (intensity[:, None] * reference).sum()
    np.testing.assert_allclose(table["change_mt_co2"].sum(), change, rtol=TIGHT, atol=TIGHT)
    parts = table["from_flow_mt_co2"] + table["from_intensity_mt_co2"]
    np.testing.assert_allclose(parts, table["change_mt_co2"], rtol=TIGHT, atol=TIGHT)
    assert hotspots(economy, top)["mt_co2"].is_monotonic_decreasing


@untimed
@given(economy=economies(), less=st.floats(0.1, 1.0), more=st.floats(0.1, 1.0))
def test_more_substitution_never_enlarges_a_cascade(economy: Economy, less: float, more: float) -> None:
    less, more = sorted((less, more))
    larger = cascade(economy, "A-X", spot_share=less)
    smaller = cascade(economy, "A-X", spot_share=more)
    assert smaller.lost_output_share <= larger.lost_output_share + TIGHT
    assert larger.losses["lost_share"].between(0.0, 1.0).all()


@untimed
@given(economy=economies(), seed=st.integers(0, 2**64 - 1), per_cell=st.integers(1, 6), slots=st.integers(1, 8))
def test_edges_are_few_and_never_loops(economy: Economy, seed: int, per_cell: int, slots: int) -> None:
    n_cells = len(economy.cells)
    firms = np.repeat(np.arange(n_cells), per_cell)
    size = np.random.default_rng(seed).pareto(1.06, len(firms)) + 1.0
    edges = name_suppliers(economy, firms, size, seed=seed, slots=slots)
    assert edges.supplier.shape == (slots, len(firms))
    assert not np.any(edges.supplier == np.arange(len(firms)))
    named = edges.supplier >= 0
    np.testing.assert_array_equal(firms[edges.supplier[named]], edges.product[firms].T[named])
    assert np.all(economy.transactions[firms[edges.supplier], firms][named] > 0.0)
