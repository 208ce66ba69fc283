import networkx as nx
import numpy as np
import pytest

from carbonray.network.edges import name_suppliers
from carbonray.network.graph import cell_graph, firm_graph
from carbonray.worlds.cbam.economy import Economy


def test_cell_edges_weigh_exactly_what_the_table_says(broad: Economy) -> None:
    weights = nx.to_numpy_array(cell_graph(broad), nodelist=broad.cells, weight="musd")
    np.testing.assert_array_equal(weights, broad.transactions)


def test_edges_run_from_supplier_to_customer_where_money_flows(chain: Economy) -> None:
    assert list(cell_graph(chain).edges) == [("ONE-MINE", "ONE-MILL"), ("ONE-MILL", "ONE-SHOP")]


def test_cells_and_edges_carry_their_carbon(chain: Economy) -> None:
    graph = cell_graph(chain)
    mill = graph.nodes["ONE-MILL"]
    assert mill["region"] == "ONE"
    assert mill["sector"] == "MILL"
    assert mill["output_musd"] == 100.0
    assert mill["value_added_musd"] == 40.0
    assert mill["final_demand_musd"] == 20.0
    assert mill["mt_co2"] == 20.0
    assert mill["intensity"] == 0.2
    assert mill["embodied_intensity"] == pytest.approx(0.2 + 0.6 * 0.5, abs=1e-15)
    assert graph.edges["ONE-MILL", "ONE-SHOP"]["mt_co2"] == pytest.approx(40.0, abs=1e-12)


def test_firm_edges_carry_the_share_of_all_inputs(triangle: Economy) -> None:
    cell_of_firm, size = np.array([0, 1, 2, 2]), np.array([100.0, 100.0, 60.0, 40.0])
    edges = name_suppliers(triangle, cell_of_firm, size, seed=1)
    graph = firm_graph(triangle, cell_of_firm, size, edges)
    assert graph.number_of_edges() == edges.n_edges
    assert graph.edges[0, 1]["share"] == 30.0 / 40.0
    assert graph.edges[1, 2]["share"] == 20.0 / 40.0
    assert graph.edges[3, 2]["share"] == 20.0 / 40.0
    assert graph.nodes[3] == {"cell": "C-GOOD", "region": "C", "sector": "GOOD", "output_musd": 40.0}


def test_named_shares_of_a_customer_never_exceed_one(broad: Economy) -> None:
    cell_of_firm, size = np.repeat(np.arange(12), 5), np.ones(60)
    graph = firm_graph(broad, cell_of_firm, size, name_suppliers(broad, cell_of_firm, size, seed=1))
    named = np.array([share for _, share in graph.in_degree(weight="share")])
    assert np.all((named > 0.6) & (named < 1.0))  # eight of twelve flows, the largest


def test_a_graph_of_more_than_50_000_firms_is_refused(chain: Economy) -> None:
    cell_of_firm, size = np.zeros(50_001, dtype=np.int64), np.ones(50_001)
    edges = name_suppliers(chain, cell_of_firm, size, seed=1)
    with pytest.raises(ValueError, match=r"up to 50,000 firms, not 50,001"):
        firm_graph(chain, cell_of_firm, size, edges)
