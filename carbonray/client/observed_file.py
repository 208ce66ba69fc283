"""Observations in a CSV file, as batches for the service."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.client.messages_firms import Observation
from carbonray.config import ScenarioError

ROWS = 1000
"""In a batch."""


def batches(file: Path, key: str | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Idempotency keys and rows; the same file gives the same ones.

    Args:
        file: CSV with the fields of an observation as columns; empty cells are not given.
        key: what keys begin with; the file's SHA-256 if left out.

    Raises:
        ScenarioError: if it cannot be read, or has a column that is no field.
    """
    try:
        content = file.read_bytes()
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{file}: is no CSV file of observations ({str(error).splitlines()[0]})") from None
    unknown = [name for name in table.columns if name not in Observation.model_fields]
    if unknown:
        raise ScenarioError(f"{file}: {unknown[0]}: unknown column; there are {', '.join(Observation.model_fields)}")
    name = key or hashlib.sha256(content).hexdigest()[:32]
    rows = [{str(column): value for column, value in row.items() if value != ""} for row in table.to_dict("records")]
    for first in range(0, len(rows), ROWS):
        yield f"{name}-{first // ROWS}", rows[first : first + ROWS]
