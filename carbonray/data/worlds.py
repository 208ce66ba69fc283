"""From a scenario to a world: loads its economy, names suppliers, calibrates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from carbonray.config import Policy, Scenario
from carbonray.data.economy_tables import load_economy
from carbonray.data.placing import Placed, place
from carbonray.data.plants import load_plants
from carbonray.network.edges import UNUSED, name_suppliers
from carbonray.worlds.cbam import CbamWorld, Economy, SupplyGraph, build
from carbonray.worlds.cbam.parameters import firm_sizes, firms_per_cell


def economy_of(scenario: Scenario) -> Economy:
    """The economy that a scenario names: a built-in table or a folder."""
    path = Path(scenario.economy)
    return load_economy(path if path.is_dir() else scenario.economy)


def plants_of(scenario: Scenario, economy: Economy) -> Placed | None:
    """The plants that a scenario names, placed in its economy; nothing if it names none."""
    return place(load_plants(scenario.firms.plants), economy) if scenario.firms.plants else None


def cell_of_firm(
    economy: Economy, scenario: Scenario, plants: Placed | None = None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[N] the cell of each firm; firms are numbered by cell, plants first, then the sampled ones, each largest first.

    Args:
        economy: of the scenario.
        scenario: says how many firms.
        plants: if they are placed already; else those of the scenario.
    """
    plants = plants or plants_of(scenario, economy)
    counts = firms_per_cell(economy, scenario.firms.number, plants.named if plants else None)
    return np.repeat(np.arange(len(counts)), counts)


def supply_graph(economy: Economy, scenario: Scenario, plants: Placed | None = None) -> SupplyGraph:
    """Named suppliers of every firm, drawn with the scenario's seed; no slots if the scenario has none."""
    plants = plants or plants_of(scenario, economy)
    cells = cell_of_firm(economy, scenario, plants)
    if scenario.firms.slots == 0:
        none = torch.zeros(0, len(economy.transactions), dtype=torch.int64)
        return SupplyGraph(product=none, supplier=torch.zeros(0, len(cells), dtype=torch.int64))
    size = firm_sizes(economy, scenario, plants.named if plants else None)
    edges = name_suppliers(economy, cells, size, seed=scenario.seed, slots=scenario.firms.slots)
    product = np.ascontiguousarray(edges.product.T)
    unnamed = edges.supplier == UNUSED
    product = np.where(_any_by_cell(unnamed, cells, product.shape[1]), UNUSED, product)
    return SupplyGraph(product=torch.as_tensor(product), supplier=torch.as_tensor(edges.supplier))


def _any_by_cell(
    flags: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    cells: np.ndarray[tuple[int], np.dtype[np.int64]],
    count: int,
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    found = np.zeros((len(flags), count), dtype=np.bool_)
    slot, firm = np.nonzero(flags)
    found[slot, cells[firm]] = True
    return found


def build_world(
    scenario: Scenario,
    economy: Economy | None = None,
    graph: SupplyGraph | None = None,
    plants: Placed | None = None,
    laws: Sequence[Policy] = (),
) -> CbamWorld:
    """Calibrate the world of a scenario.

    Args:
        scenario: what to simulate.
        economy: if it is loaded already.
        graph: if it is drawn already; the policy run and its reference share one.
        plants: if they are placed already; else those of the scenario.
        laws: policies that are run together instead of the scenario's, replica b under law b % L.

    Raises:
        ScenarioError: if the scenario does not fit the economy, or the laws differ in what is no lever.
        DataError: if the economy or the list of plants is not in order.
    """
    economy = economy or economy_of(scenario)
    plants = plants or plants_of(scenario, economy)
    graph = graph or supply_graph(economy, scenario, plants)
    return build(economy, scenario, graph, plants.named if plants else None, laws)
