"""The supply graph as networkx graphs, supplier -> customer, for building and for measures.

Money million USD of the base year, mass Mt CO2, both a year; intensities t CO2 / USD.
Stepping uses the arrays of `edges`, never these graphs.
"""

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from carbonray.network.edges import SupplyEdges
from carbonray.network.leontief import embodied_intensity, intensity, region_of_cell, sector_of_cell
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
LongArray = NDArray[np.int64]

MAX_GRAPH_FIRMS = 50_000


def cell_graph(economy: Economy) -> "nx.DiGraph[str]":
    """Build the graph of cells; a cell that buys from itself has a loop.

    Nodes are cell names with `region`, `sector`, `output_musd`, `value_added_musd`, `final_demand_musd`, `mt_co2`,
    `intensity` and `embodied_intensity`.  There is an edge wherever Z[o, j] > 0, with

        musd   = Z[o, j], exactly
        mt_co2 = m[o] Z[o, j],  m the embodied intensity of the supplier (see `embodied_intensity`)
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    direct, embodied = intensity(economy), embodied_intensity(economy)
    output, added, final = economy.output, economy.value_added, economy.final_demand.sum(1)
    regions, sectors, names = region_of_cell(economy), sector_of_cell(economy), economy.cells
    for cell, name in enumerate(names):
        graph.add_node(
            name,
            region=economy.regions[regions[cell]],
            sector=economy.sectors[sectors[cell]],
            output_musd=float(output[cell]),
            value_added_musd=float(added[cell]),
            final_demand_musd=float(final[cell]),
            mt_co2=float(economy.emissions[cell]),
            intensity=float(direct[cell]),
            embodied_intensity=float(embodied[cell]),
        )
    flow, carbon = economy.transactions, embodied[:, None] * economy.transactions
    for supplier, customer in np.argwhere(flow > 0.0):
        edge = (supplier, customer)
        graph.add_edge(names[supplier], names[customer], musd=float(flow[edge]), mt_co2=float(carbon[edge]))
    return graph


def firm_graph(economy: Economy, cell_of_firm: LongArray, size: Array, edges: SupplyEdges) -> "nx.DiGraph[int]":
    """Build the graph of firms and their named suppliers, up to 50,000 firms.

    Nodes are firm ids with `cell`, `region`, `sector` and `output_musd`.  An edge carries

        share = Z[o, j] / sum_o Z[o, j]

    the share of the customer's purchases of all inputs that goes through that supplier: o the supplier's cell, j the
    customer's.  What is left up to one is bought from cells, not from named firms.

    Args:
        cell_of_firm: [N] cell of each firm, ascending.
        size: [N] output, million USD / year.
        edges: from `name_suppliers` for the same firms.
    Raises:
        ValueError: more than 50,000 firms.
    """
    n_firms = len(cell_of_firm)
    if n_firms > MAX_GRAPH_FIRMS:
        raise ValueError(f"a firm graph holds up to {MAX_GRAPH_FIRMS:,} firms, not {n_firms:,}; use SupplyEdges")
    regions, sectors, names = region_of_cell(economy), sector_of_cell(economy), economy.cells
    graph: nx.DiGraph[int] = nx.DiGraph()
    for firm, cell in enumerate(cell_of_firm.tolist()):
        region, sector = economy.regions[regions[cell]], economy.sectors[sectors[cell]]
        graph.add_node(firm, cell=names[cell], region=region, sector=sector, output_musd=float(size[firm]))
    upstream = edges.upstream
    customers = np.repeat(np.arange(n_firms), np.diff(upstream.indptr))
    flow = economy.transactions[cell_of_firm[upstream.indices], cell_of_firm[customers]]
    shares = flow / economy.transactions.sum(0)[cell_of_firm[customers]]
    for supplier, customer, share in zip(upstream.indices.tolist(), customers.tolist(), shares.tolist(), strict=True):
        graph.add_edge(supplier, customer, share=share)
    return graph
