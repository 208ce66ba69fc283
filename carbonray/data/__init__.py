"""The data room: built-in tables with their provenance, validated loading, and the builder that made them."""

from carbonray.data.build import build
from carbonray.data.catalogue import datasets_folder, describe, list_datasets, verify
from carbonray.data.cbam_charge import benchmark_of, charge_per_tonne, default_values
from carbonray.data.economy_tables import check, load_economy
from carbonray.data.errors import DataError
from carbonray.data.goods_tonnes import flow_tonnes
from carbonray.data.import_formats import Request as ImportRequest
from carbonray.data.import_table import import_table
from carbonray.data.tables import (
    load_benchmarks,
    load_defaults,
    load_installations,
    load_partner_prices,
    load_prices,
    load_schedule,
    load_table,
)
from carbonray.data.templates import template
from carbonray.data.vintage_error import ageing_error, ageing_text

__all__ = [
    "DataError",
    "ImportRequest",
    "ageing_error",
    "ageing_text",
    "benchmark_of",
    "build",
    "charge_per_tonne",
    "check",
    "datasets_folder",
    "default_values",
    "describe",
    "flow_tonnes",
    "import_table",
    "list_datasets",
    "load_benchmarks",
    "load_defaults",
    "load_economy",
    "load_installations",
    "load_partner_prices",
    "load_prices",
    "load_schedule",
    "load_table",
    "template",
    "verify",
]
