"""What an analyst asks of the supply network: footprints, hotspots, exposure, betweenness.

Axes: C cell (region, sector); R region.  Money million USD of the base year (`musd`), mass Mt CO2 (`mt_co2`), both
a year; intensities t CO2 / USD.  Every measure is a table; cascades are in `cascade`, arrays in `leontief`.
"""

from collections.abc import Sequence
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.network.leontief import (
    buyers,
    embodied_intensity,
    flows,
    input_coefficients,
    intensity,
    leontief_inverse,
    region_of_cell,
    sector_of_cell,
)
from carbonray.worlds.cbam.economy import Economy

Array = NDArray[np.float64]
Carrier = Literal["edge", "cell"]


def intensity_table(economy: Economy) -> pd.DataFrame:
    """Tabulate direct and embodied intensity of every cell.

    Returns:
        Index `cell`; `region`, `sector`, `intensity` and `embodied_intensity` in t CO2 / USD.
    """
    table = _cell_table(economy)
    table["intensity"] = intensity(economy)
    table["embodied_intensity"] = embodied_intensity(economy)
    return table


def consumption_footprint(economy: Economy) -> pd.DataFrame:
    """Emissions by region where the good is made and where it is finally used.

    G[q, d] = sum over cells o in q of e[o] (L F)[o, d]     (Miller and Blair 2009, chapter 10; Peters 2008)

    production = row sums of G, consumption = column sums, domestic = diagonal.  Both accounts sum to all emissions.
    Direct emissions of households are in neither.

    Returns:
        Index `region`; `production_mt_co2`, `consumption_mt_co2`, `domestic_mt_co2` (made and used at home),
        `imported_mt_co2` (consumption made abroad), `exported_mt_co2` (production used abroad),
        `net_import_mt_co2`.
    """
    needed = intensity(economy)[:, None] * (leontief_inverse(economy) @ economy.final_demand)
    n_regions = len(economy.regions)
    origin = needed.reshape(n_regions, len(economy.sectors), n_regions).sum(1)
    consumption, production, domestic = origin.sum(0), origin.sum(1), np.diagonal(origin)
    return pd.DataFrame(
        {
            "production_mt_co2": production,
            "consumption_mt_co2": consumption,
            "domestic_mt_co2": domestic,
            "imported_mt_co2": consumption - domestic,
            "exported_mt_co2": production - domestic,
            "net_import_mt_co2": consumption - production,
        },
        index=pd.Index(economy.regions, name="region"),
    )


def hotspots(economy: Economy, top: int, *, by: Carrier = "edge") -> pd.DataFrame:
    """Rank the flows, or the cells, that carry most embodied CO2.

    carbon[o, b] = m[o] flow[o, b],  m the embodied intensity; a cell's is the sum over its buyers b.  The same tonne
    is counted on every flow it passes, so sums over flows exceed emissions.

    Args:
        top: rows returned at most.
        by: flows between a cell and a buyer (a cell or a region's final demand), or cells.
    Returns:
        `supplier` (and `buyer`), `musd`, `mt_co2`, `share` of the embodied CO2 of all flows; largest first.
    """
    money = flows(economy)
    carbon = embodied_intensity(economy)[:, None] * money
    if by == "cell":
        money, carbon = money.sum(1, keepdims=True), carbon.sum(1, keepdims=True)
    table, chosen = _largest(carbon, buyers(economy), top, by)
    table["musd"] = money.ravel()[chosen]
    table["mt_co2"] = carbon.ravel()[chosen]
    table["share"] = table["mt_co2"] / max(float(carbon.sum()), np.finfo(np.float64).tiny)
    return table


def hotspots_change(
    flows_policy: Array,
    flows_reference: Array,
    intensity_policy: Array,
    intensity_reference: Array,
    names: Sequence[str],
    top: int,
    *,
    by: Carrier = "edge",
) -> pd.DataFrame:
    """Rank the flows, or the cells, that carry most of the change in embodied CO2 between two states.

    m' f' - m f  =  (m' + m)/2 (f' - f)  +  (m' - m) (f' + f)/2

    The first part is carried by the flow, the second by the intensity: exact, and the same whichever of the two
    changes first (Dietzenbacher and Los 1998, mean of the two polar decompositions).

    Args:
        flows_policy, flows_reference: [C, C + R] million USD / year, at base-year prices.
        intensity_policy, intensity_reference: [C] embodied, t CO2 / USD.
        names: [C + R] buyers, of which the first C are also the suppliers (see `buyers`).
        top: rows returned at most.
        by: flows, or cells (the sum over a cell's buyers).
    Returns:
        `supplier` (and `buyer`), `change_mt_co2`, `from_flow_mt_co2`, `from_intensity_mt_co2`, `share_of_change` of
        the absolute changes of all; largest absolute change first.
    Raises:
        ValueError: arrays or names that do not fit each other.
    """
    _check_states(flows_policy, flows_reference, intensity_policy, intensity_reference, names)
    mean_intensity = (intensity_policy + intensity_reference)[:, None] / 2.0
    from_flow = mean_intensity * (flows_policy - flows_reference)
    from_intensity = (intensity_policy - intensity_reference)[:, None] * (flows_policy + flows_reference) / 2.0
    if by == "cell":
        from_flow, from_intensity = from_flow.sum(1, keepdims=True), from_intensity.sum(1, keepdims=True)
    change = from_flow + from_intensity
    table, chosen = _largest(np.abs(change), names, top, by)
    table["change_mt_co2"] = change.ravel()[chosen]
    table["from_flow_mt_co2"] = from_flow.ravel()[chosen]
    table["from_intensity_mt_co2"] = from_intensity.ravel()[chosen]
    table["share_of_change"] = table["change_mt_co2"].abs() / max(
        float(np.abs(change).sum()), np.finfo(np.float64).tiny
    )
    return table


def exposure(economy: Economy, home_regions: Sequence[str], sectors: Sequence[str]) -> pd.DataFrame:
    """How much of each foreign cell's output the border charge of the home regions reaches.

    direct[o]   = x[o] / X[o],  x[o] = sales of o to users at home, if o makes a covered good, else 0
    indirect[o] = ((I - A_ff)^-1 x - x)[o] / X[o]

    A_ff are the input coefficients among foreign cells: the Leontief inverse of the foreign economy with its covered
    exports to home as final demand.  Output that crosses the border is counted once, where it first does, so
    direct + indirect lies in [0, 1].

    exposure = (direct + indirect) * intensity: trade intensity times emission intensity, t CO2 per USD of output.

    Args:
        home_regions: codes of the regions that price carbon at the border.
        sectors: codes of the covered goods.
    Returns:
        Index `cell`, foreign cells only; `region`, `sector`, `output_musd`, `direct_share`, `indirect_share`,
        `intensity`, `exposure`; most exposed first.
    Raises:
        ValueError: an unknown region or sector.
    """
    is_home = np.isin(region_of_cell(economy), _positions(home_regions, economy.regions, "region"))
    is_covered = np.isin(sector_of_cell(economy), _positions(sectors, economy.sectors, "sector"))
    home_demand = np.isin(economy.regions, list(home_regions))
    exports = economy.transactions[:, is_home].sum(1) + economy.final_demand[:, home_demand].sum(1)
    foreign = ~is_home
    covered = np.where(is_covered, exports, 0.0)[foreign]
    coefficients = input_coefficients(economy)[np.ix_(foreign, foreign)]
    upstream = coefficients @ np.linalg.solve(np.eye(len(covered)) - coefficients, covered)
    output = economy.output[foreign]
    safe = np.where(output > 0.0, output, 1.0)
    table = _cell_table(economy)[foreign].copy()
    table["output_musd"] = output
    table["direct_share"] = covered / safe
    table["indirect_share"] = upstream / safe
    table["intensity"] = intensity(economy)[foreign]
    table["exposure"] = (table["direct_share"] + table["indirect_share"]) * table["intensity"]
    return table.sort_values("exposure", ascending=False, kind="stable")


def leakage_indicator(economy: Economy, home_regions: Sequence[str]) -> pd.DataFrame:
    """Trade intensity times emission intensity of home sectors, as the EU lists sectors at risk of leakage.

    trade intensity    = (exports + imports) / (turnover + imports), with regions that are not home
    emission intensity = kg CO2 / USD of value added       (Directive 2003/87/EC, art. 10b(1): listed above 0.2)

    The law counts euros and adds the emissions of purchased electricity; here direct emissions only.

    Returns:
        Index `sector`; `trade_intensity`, `emission_intensity` in kg CO2 / USD (null where value added is not
        positive), `leakage_indicator`; largest first.
    Raises:
        ValueError: an unknown region.
    """
    is_home = np.isin(region_of_cell(economy), _positions(home_regions, economy.regions, "region"))
    home_buyers = np.concatenate([is_home, np.isin(economy.regions, list(home_regions))])
    traded, n_sectors = flows(economy), len(economy.sectors)

    def by_sector(cells: Array, chosen: NDArray[np.bool_]) -> Array:
        return np.asarray(np.where(chosen, cells, 0.0).reshape(-1, n_sectors).sum(0))

    exports = by_sector(traded[:, ~home_buyers].sum(1), is_home)
    imports = by_sector(traded[:, home_buyers].sum(1), ~is_home)
    market = by_sector(economy.output, is_home) + imports
    added = by_sector(economy.value_added, is_home)
    emitted = by_sector(economy.emissions, is_home)
    table = pd.DataFrame(index=pd.Index(economy.sectors, name="sector"))
    table["trade_intensity"] = (exports + imports) / np.where(market > 0.0, market, 1.0)
    table["emission_intensity"] = np.where(added > 0.0, 1000.0 * emitted / np.where(added > 0.0, added, 1.0), np.nan)
    table["leakage_indicator"] = table["trade_intensity"] * table["emission_intensity"]
    return table.sort_values("leakage_indicator", ascending=False, kind="stable")


def betweenness(graph: "nx.DiGraph[str]") -> pd.DataFrame:
    """How often a cell lies on the strongest supply paths between two others.

    The length of an edge is 1 / musd, so that a path is short where its flows are large; betweenness is the share
    of all ordered pairs of other cells whose shortest path passes the cell (Freeman 1977; Brandes 2001, as
    networkx computes it, normalised).

    Args:
        graph: from `cell_graph`.
    Returns:
        Index `cell`; `betweenness` in [0, 1]; largest first.
    """
    distances: nx.DiGraph[str] = nx.DiGraph()
    distances.add_nodes_from(graph)
    for supplier, customer, carried in graph.edges(data=True):
        distances.add_edge(supplier, customer, distance=1.0 / carried["musd"])
    central = nx.betweenness_centrality(distances, weight="distance")
    table = pd.DataFrame({"betweenness": list(central.values())}, index=pd.Index(list(central), name="cell"))
    return table.sort_values("betweenness", ascending=False, kind="stable")


def _cell_table(economy: Economy) -> pd.DataFrame:
    """Region and sector of each cell, by cell name."""
    return pd.DataFrame(
        {
            "region": np.array(economy.regions)[region_of_cell(economy)],
            "sector": np.array(economy.sectors)[sector_of_cell(economy)],
        },
        index=pd.Index(economy.cells, name="cell"),
    )


def _largest(weight: Array, names: Sequence[str], top: int, by: Carrier) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Name the largest entries of [C, B] weights; ties in order of supplier, then buyer; zeros are left out."""
    chosen = np.argsort(-weight, axis=None, kind="stable")[:top]
    chosen = chosen[weight.ravel()[chosen] > 0.0]
    table = pd.DataFrame({"supplier": [names[row] for row in chosen // weight.shape[1]]})
    if by == "edge":
        table["buyer"] = [names[column] for column in chosen % weight.shape[1]]
    return table, chosen


def _positions(codes: Sequence[str], known: Sequence[str], kind: str) -> list[int]:
    """Index of each code, refusing one that the economy does not have."""
    for code in codes:
        if code not in known:
            raise ValueError(f"unknown {kind} {code!r}; the economy has {', '.join(known)}")
    return [known.index(code) for code in codes]


def _check_states(
    flows_policy: Array,
    flows_reference: Array,
    intensity_policy: Array,
    intensity_reference: Array,
    names: Sequence[str],
) -> None:
    """Refuse states of different shape."""
    cells, width = flows_reference.shape
    if flows_policy.shape != (cells, width) or len(names) != width or width < cells:
        raise ValueError(f"flows {flows_policy.shape} and {flows_reference.shape} must be [C, {len(names)}] both")
    if intensity_policy.shape != (cells,) or intensity_reference.shape != (cells,):
        raise ValueError(f"intensities {intensity_policy.shape}, {intensity_reference.shape} must be [{cells}] both")
