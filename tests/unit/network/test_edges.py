import math
from dataclasses import replace

import numpy as np
import pytest

from carbonray.network.edges import SupplyEdges, largest_flows, name_suppliers
from carbonray.worlds.cbam.economy import Economy

ERROR_RATE = 1e-6  # chance that a correct draw fails the frequency test


def firms_of(n_cells: int, per_cell: int) -> tuple[np.ndarray, np.ndarray]:
    cell_of_firm = np.repeat(np.arange(n_cells), per_cell)
    return cell_of_firm, np.random.default_rng(3).pareto(1.06, n_cells * per_cell) + 1.0


@pytest.fixture
def edges(broad: Economy) -> SupplyEdges:
    return name_suppliers(broad, *firms_of(12, 50), seed=1)


def test_a_firm_names_at_most_eight_suppliers_all_different(edges: SupplyEdges) -> None:
    assert edges.supplier.shape == (8, 600)
    assert edges.n_edges == 8 * 600
    assert all(len(set(named)) == 8 for named in edges.supplier.T.tolist())


def test_slots_hold_the_largest_flows_first(broad: Economy, edges: SupplyEdges) -> None:
    for cell in range(12):
        flows = broad.transactions[:, cell]
        assert flows[edges.product[cell]].tolist() == sorted(flows.tolist(), reverse=True)[:8]


def test_suppliers_belong_to_the_product_cell_of_their_slot(edges: SupplyEdges) -> None:
    cell_of_firm, _ = firms_of(12, 50)
    np.testing.assert_array_equal(cell_of_firm[edges.supplier], edges.product[cell_of_firm].T)


def test_nobody_supplies_oneself(broad: Economy) -> None:
    concentrated = replace(broad, transactions=np.diag(np.full(12, 5.0)))
    cell_of_firm, size = firms_of(12, 50)
    supplier = name_suppliers(concentrated, cell_of_firm, size, seed=1).supplier
    assert np.all(supplier[0] >= 0)
    assert not np.any(supplier == np.arange(600))


def test_whoever_draws_oneself_names_the_next_firm_of_the_cell(broad: Economy) -> None:
    concentrated = replace(broad, transactions=np.diag(np.full(12, 5.0)))
    cell_of_firm, size = firms_of(12, 3)
    size[1::3] = 1e18  # everybody draws the second firm of the cell
    first_slot = name_suppliers(concentrated, cell_of_firm, size, seed=1).supplier[0]
    np.testing.assert_array_equal(first_slot.reshape(12, 3) - 3 * np.arange(12)[:, None], [[1, 2, 1]] * 12)


def test_a_firm_alone_in_its_cell_names_nobody_there(triangle: Economy) -> None:
    edges = name_suppliers(triangle, np.arange(3), np.ones(3), seed=1)
    assert edges.product[:, :2].tolist() == [[-1, -1], [0, 2], [1, 2]]
    assert edges.supplier[:2].tolist() == [[-1, 0, 1], [-1, 2, -1]]
    assert edges.n_edges == 3


def test_cells_without_firms_take_no_slot() -> None:
    flows = np.array([[5.0, 1.0], [4.0, 0.0]])
    assert largest_flows(flows, np.array([False, True]), 3).tolist() == [[1, -1, -1], [-1, -1, -1]]


def test_suppliers_are_named_in_proportion_to_size(triangle: Economy) -> None:
    """Hoeffding with a union over the sellers: a frequency is off by more than the bound with chance below 1e-6."""
    n_sellers, n_customers = 20, 20_000
    cell_of_firm = np.repeat([0, 1, 2], [n_sellers, n_customers, 1])
    size = np.ones(len(cell_of_firm))
    size[:n_sellers] = 1.0 / np.arange(1, n_sellers + 1)
    edges = name_suppliers(triangle, cell_of_firm, size, seed=9)
    named = edges.supplier[0, n_sellers : n_sellers + n_customers]
    frequency = np.bincount(named, minlength=n_sellers) / n_customers
    expected = size[:n_sellers] / size[:n_sellers].sum()
    bound = math.sqrt(math.log(2 * n_sellers / ERROR_RATE) / (2 * n_customers))
    assert np.max(np.abs(frequency - expected)) < bound
    assert np.max(np.abs(1.0 / n_sellers - expected)) > 2 * bound  # power: naming at random would be seen


def test_a_firms_suppliers_do_not_depend_on_how_many_firms_come_after(chain: Economy) -> None:
    cell_of_firm, size = firms_of(3, 200)
    few = name_suppliers(chain, cell_of_firm[:450], size[:450], seed=4)  # nobody buys from the last cell
    many = name_suppliers(chain, cell_of_firm, size, seed=4)
    np.testing.assert_array_equal(few.supplier, many.supplier[:, :450])


def test_another_seed_names_other_suppliers(broad: Economy, edges: SupplyEdges) -> None:
    other = name_suppliers(broad, *firms_of(12, 50), seed=2)
    np.testing.assert_array_equal(other.product, edges.product)
    assert np.mean(other.supplier == edges.supplier) < 0.6


def test_upstream_lists_the_suppliers_of_each_customer_by_slot(edges: SupplyEdges) -> None:
    up = edges.upstream
    assert up.indptr[-1] == edges.n_edges
    for firm in (0, 17, 599):
        own = slice(up.indptr[firm], up.indptr[firm + 1])
        np.testing.assert_array_equal(up.indices[own], edges.supplier[up.slots[own], firm])
        assert up.slots[own].tolist() == list(range(8))


def test_downstream_is_upstream_the_other_way_round(edges: SupplyEdges) -> None:
    up, down = edges.upstream, edges.downstream
    customers = np.repeat(np.arange(600), np.diff(up.indptr))
    suppliers = np.repeat(np.arange(600), np.diff(down.indptr))
    named = set(zip(customers.tolist(), up.slots.tolist(), up.indices.tolist(), strict=True))
    assert named == set(zip(down.indices.tolist(), down.slots.tolist(), suppliers.tolist(), strict=True))
    assert len(named) == edges.n_edges
    for firm in range(600):  # edge ids ascend at every supplier, the order in which letters are added
        own = slice(edges.downstream.indptr[firm], edges.downstream.indptr[firm + 1])
        assert np.all(np.diff(edges.downstream.indices[own]) > 0)


def test_no_firms_have_no_edges(chain: Economy) -> None:
    edges = name_suppliers(chain, np.empty(0, dtype=np.int64), np.empty(0), seed=1)
    assert edges.n_edges == 0
    assert edges.downstream.indptr.tolist() == [0]


@pytest.mark.parametrize(
    ("cell_of_firm", "size", "slots", "message"),
    [
        ([1, 0], [1.0, 1.0], 8, "sorted by cell"),
        ([0, 3], [1.0, 1.0], 8, r"0\.\.2"),
        ([0, 1], [1.0, 0.0], 8, "size of firm 1 must be positive"),
        ([0, 1], [1.0, np.nan], 8, "size of firm 1 must be positive"),
        ([0, 1], [1.0], 8, r"must be \[N\] both"),
        ([0, 1], [1.0, 1.0], 9, "1 to 8 suppliers"),
    ],
)
def test_firms_that_cannot_be_placed_are_refused(
    chain: Economy, cell_of_firm: list[int], size: list[float], slots: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        name_suppliers(chain, np.array(cell_of_firm), np.array(size), seed=1, slots=slots)
