"""What home imports of covered goods pay at the border: by good and origin, per tonne and per euro."""

import numpy as np
import pandas as pd

from carbonray.kpi.history import yearly
from carbonray.runtime.pair import Pair
from carbonray.units import USD_2011_PER_EURO_2026


def charges(pair: Pair) -> pd.DataFrame:
    """The border charge on home's imports by year, origin and covered good; mean of the replicas.

    Columns: year, region, sector, imports_musd (at base-year prices), imports_kt, charge_musd, charge_eur_per_eur,
    charge_eur_per_t (euro of 2026), intensity_t_per_t and benchmark_t_per_t (t CO2 per tonne; the first is what the
    origin emits, which is not what it declares under default values; the second is the law's, empty where it is a
    share of the intensity at home).  Tonnes are empty where the economy has none.  The charge is what is paid on goods
    that cross; the share of a sector that is no covered good pays nothing and is in the mean.
    """
    world, economy, history = pair.world, pair.economy, pair.policy
    home = world.policy.home.cpu().numpy()
    n_sectors = len(world.sectors)
    covered = np.tile(np.isin(world.sectors, world.covered_sectors), len(world.regions)) & ~np.repeat(home, n_sectors)
    cell = np.flatnonzero(covered)
    volume = history.volume[:, :, :, home].sum(-1).mean(1)[:, cell]  # [Y, cell]
    paid = history.charge[:, :, :, home].sum(-1).mean(1)[:, cell]
    made = yearly(history.output).mean(1)[:, cell]
    intensity = np.divide(yearly(history.emissions).mean(1)[:, cell], made, out=np.zeros_like(made), where=made > 0)
    nothing = np.full(len(economy.cells), np.nan)
    unit_value = benchmark = nothing[cell]
    if economy.goods is not None:
        unit_value = economy.goods.unit_value[cell]
        in_force = world.policy.default_benchmark if world.policy.default_values else world.policy.legal_benchmark
        benchmark = in_force.cpu().numpy()[cell] * unit_value
    per_euro = np.divide(paid, volume, out=np.zeros_like(paid), where=volume > 0)
    years = len(volume)
    return pd.DataFrame(
        {
            "year": np.repeat(pair.scenario.start_year + np.arange(years), len(cell)),
            "region": np.tile([world.regions[place // n_sectors] for place in cell], years),
            "sector": np.tile([world.sectors[place % n_sectors] for place in cell], years),
            "imports_musd": volume.ravel(),
            "imports_kt": (volume / unit_value * 1e3).ravel(),
            "charge_musd": paid.ravel(),
            "charge_eur_per_eur": per_euro.ravel(),
            "charge_eur_per_t": (per_euro * unit_value / USD_2011_PER_EURO_2026).ravel(),
            "intensity_t_per_t": (intensity * unit_value).ravel(),
            "benchmark_t_per_t": np.tile(benchmark, years),
        }
    )
