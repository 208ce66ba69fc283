"""The data room: built-in tables with their provenance, validated loading, and the builder that made them."""

from carbonray.data.build import build
from carbonray.data.catalogue import datasets_folder, describe, list_datasets, verify
from carbonray.data.cbam_charge import benchmark_of, charge_per_tonne, default_values
from carbonray.data.economy_tables import check, load_economy
from carbonray.data.errors import DataError
from carbonray.data.tables import (
    load_benchmarks,
    load_defaults,
    load_installations,
    load_partner_prices,
    load_prices,
    load_schedule,
    load_table,
)

__all__ = [
    "DataError",
    "benchmark_of",
    "build",
    "charge_per_tonne",
    "check",
    "datasets_folder",
    "default_values",
    "describe",
    "list_datasets",
    "load_benchmarks",
    "load_defaults",
    "load_economy",
    "load_installations",
    "load_partner_prices",
    "load_prices",
    "load_schedule",
    "load_table",
    "verify",
]
