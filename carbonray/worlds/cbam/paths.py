"""How the economy moves without policy: final demand, emission intensity and the pull of each origin, over time.

Axes: T quarter, Y year of the run, R region, D destination region, S sector (good), C = R x S cell,
K = S + 1 buyers within a destination: its sectors, then final demand.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from carbonray.config import PARENT_SECTOR, Scenario, at_year
from carbonray.worlds import exact
from carbonray.worlds.cbam.economy import Array, Economy

MIDDLE = 0.375
"""Years from the first quarter of a year to its middle: paths hold yearly means, growth runs from the first quarter."""


def _read(path: Mapping[int, float], scenario: Scenario, elapsed: Array, lead: float) -> Tensor:
    years = scenario.start_year + elapsed - lead
    return torch.tensor([at_year(path, float(year)) for year in years], dtype=torch.float64)


def demand_index(economy: Economy, scenario: Scenario, elapsed: Array, lead: float = MIDDLE) -> Tensor:
    """Final demand [T, R] relative to the base year: a region's own path where it has one, else constant growth.

    Args:
        elapsed: [T] years since the start; a quarter each in a run.
        lead: years by which `elapsed` runs ahead of the years of a path; 0 reads a year's mean itself.
    """
    growth = torch.tensor([1 + scenario.growth.get(region, 0.0) for region in economy.regions], dtype=torch.float64)
    index = exact.power(growth, torch.as_tensor(elapsed)[:, None])
    for place, region in enumerate(economy.regions):
        if region in scenario.paths.demand:
            index[:, place] = _read(scenario.paths.demand[region], scenario, elapsed, lead)
    return index


def intensity_index(economy: Economy, scenario: Scenario, elapsed: Array, lead: float = MIDDLE) -> Tensor:
    """Emission intensity without policy [T, C] relative to the base year.

    The path of a cell, `REGION-SECTOR`, else that of the sector it is split from, else of its region, else the common
    trend of `firms.intensity_trend`.
    Arguments as in `demand_index`.
    """
    trend = np.exp(np.log1p(scenario.firms.intensity_trend) * elapsed)
    index = torch.as_tensor(trend)[:, None].repeat(1, len(economy.cells))
    paths = scenario.paths.intensity
    for place, (region, sector) in enumerate(economy.places):
        parent = f"{region}-{PARENT_SECTOR.get(sector, sector)}"
        path = paths.get(f"{region}-{sector}", paths.get(parent, paths.get(region)))
        if path is not None:
            index[:, place] = _read(path, scenario, elapsed, lead)
    return index


def origin_weights(economy: Economy, scenario: Scenario, elapsed: Array, lead: float = MIDDLE) -> Tensor | None:
    """Weight [T, R] of a region's goods in what everybody buys, relative to the base year; None if never moved."""
    if not scenario.paths.origin:
        return None
    weight = torch.ones(len(elapsed), len(economy.regions), dtype=torch.float64)
    for place, region in enumerate(economy.regions):
        if region in scenario.paths.origin:
            weight[:, place] = _read(scenario.paths.origin[region], scenario, elapsed, lead)
    return weight


def weighted_shares(home: Tensor, imports: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Base shares of origins, moved by weights: what a buyer spends on a good is split anew, its total kept.

    Args:
        home: [S, D, K] share of home-made goods.
        imports: [S, D, K, R] share of each origin in imports.
        weight: [R].
    Returns:
        The same, moved.
    """
    pulled = imports * weight
    foreign = pulled.contiguous().sum(-1)
    own = home * weight[:, None]
    abroad = (1 - home) * foreign
    return own / (own + abroad), pulled / torch.where(foreign > 0, foreign, 1.0).unsqueeze(-1)


def reweighted(economy: Economy, weight: Array) -> Economy:
    """The economy whose purchases are split anew over origins by weights [R]; every buyer's total of a good is kept."""
    n_regions, n_sectors = len(economy.regions), len(economy.sectors)

    def split(flows: Array) -> Array:
        by_origin = flows.reshape(n_regions, n_sectors, -1)
        pulled = by_origin * weight[:, None, None]
        total, new = by_origin.sum(0), pulled.sum(0)
        scale = np.divide(total, new, out=np.ones_like(total), where=new > 0)
        return np.asarray((pulled * scale).reshape(flows.shape))

    moved = replace(economy, transactions=split(economy.transactions), final_demand=split(economy.final_demand))
    intensity = np.divide(
        economy.emissions, economy.output, out=np.zeros_like(economy.output), where=economy.output > 0
    )
    return replace(moved, emissions=intensity * moved.output)
