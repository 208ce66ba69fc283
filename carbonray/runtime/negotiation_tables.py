"""Tables of a climate negotiation run: the world by year, regions by year, trade by pair."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from carbonray.runtime.negotiation_run import Century
from carbonray.runtime.outputs import categories

COLUMNS: Mapping[str, str] = {
    "output_tusd": "output",
    "consumption_tusd": "consumption",
    "investment_tusd": "investment",
    "capital_tusd": "capital",
    "population_m": "population",
    "emissions_gtco2": "emissions",
    "intensity_gtco2_per_tusd": "intensity",
    "savings": "savings",
    "mitigation": "mitigation",
    "export_limit": "export_limit",
    "imports_tusd": "imports",
    "exports_tusd": "exports",
    "balance_tusd": "balance",
    "tariff_revenue_tusd": "tariff_revenue",
    "utility": "utility",
    "welfare": "welfare",
}
"""Columns of `regions` and the figure of the account that each shows."""


def years(policy: Century, reference: Century) -> pd.DataFrame:
    """The world by run, replica and year."""
    return _both(policy, reference, _years)


def regions(policy: Century, reference: Century) -> pd.DataFrame:
    """Regions by run, replica and year."""
    return _both(policy, reference, _regions)


def trade(policy: Century, reference: Century) -> pd.DataFrame:
    """Imports and tariffs of every pair by run and year, first replica; own pairs and the first year left out."""
    return _both(policy, reference, _trade)


def _both(policy: Century, reference: Century, table: Callable[[Century], pd.DataFrame]) -> pd.DataFrame:
    frames = []
    for code, century in enumerate((policy, reference)):
        frame = table(century)
        frame.insert(0, "run", pd.Series(categories(np.full(len(frame), code), ("policy", "reference"))))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _years(century: Century) -> pd.DataFrame:
    times, replicas = century.temperature.shape[:2]
    replica, year = np.meshgrid(np.arange(replicas), century.years, indexing="ij")
    output = century.world("output")
    cut = (century.regions["mitigation"] * century.regions["output"]).sum(2)
    flat = {
        "temperature_c": century.temperature[:, :, 0],
        "lower_ocean_c": century.temperature[:, :, 1],
        "carbon_gtc": century.carbon[:, :, 0],
        "emissions_gtco2": century.world("emissions"),
        "output_tusd": output,
        "consumption_tusd": century.world("consumption"),
        "imports_tusd": century.world("imports"),
        "tariff_revenue_tusd": century.world("tariff_revenue"),
        "mitigation_mean": np.divide(cut, output, out=np.zeros_like(cut), where=output > 0),
        "members": century.member.sum(2),
        "welfare": century.world("welfare"),
    }
    columns = {name: values.T.ravel() for name, values in flat.items()}
    assert times == len(century.years)
    return pd.DataFrame({"replica": replica.ravel(), "year": year.ravel()} | columns)


def _regions(century: Century) -> pd.DataFrame:
    times, replicas, everyone = century.member.shape
    replica, time, region = (
        axis.ravel() for axis in np.meshgrid(np.arange(replicas), np.arange(times), np.arange(everyone), indexing="ij")
    )

    def column(values: Any) -> Any:
        return np.swapaxes(values, 0, 1).ravel()

    shown = {name: column(century.regions[own]) for name, own in COLUMNS.items()}
    return pd.DataFrame(
        {"replica": replica, "year": century.years[time], "region": categories(region, century.names)}
        | shown
        | {
            "minimum_mitigation": column(century.minimum_mitigation),
            "tariff_mean": column(century.tariff_mean),
            "member": column(century.member),
        }
    )


def _trade(century: Century) -> pd.DataFrame:
    times, everyone = len(century.years), len(century.names)
    time, importer, exporter = (
        axis.ravel() for axis in np.meshgrid(np.arange(1, times), *2 * [np.arange(everyone)], indexing="ij")
    )
    other = importer != exporter
    time, importer, exporter = time[other], importer[other], exporter[other]
    return pd.DataFrame(
        {
            "year": century.years[time],
            "importer": categories(importer, century.names),
            "exporter": categories(exporter, century.names),
            "imports_tusd": century.imports[time, importer, exporter],
            "tariff": century.tariffs[time, importer, exporter],
        }
    )
