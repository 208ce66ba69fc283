"""Observations in a CSV file, as batches for the service."""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from carbonray.client.connection import ServiceError, checked
from carbonray.client.messages_firms import Observation
from carbonray.config import ScenarioError

ROWS = 1000
"""In a batch."""
FIRST_LINE = 2
"""Of a file's rows, below the names of its columns."""


def batches(file: Path, key: str | None = None) -> Iterator[tuple[str, int, list[Observation]]]:
    """Idempotency keys, lines and rows; the same rows give the same keys, also where others of the file have changed.

    Args:
        file: CSV with the fields of an observation as columns; empty cells are not given.
        key: what keys begin with; the SHA-256 of a batch's rows if left out.

    Raises:
        ScenarioError: naming file, line and column; before the first batch, so that nothing of it was sent.
    """
    rows = _rows(file)
    for first in range(0, len(rows), ROWS):
        batch = rows[first : first + ROWS]
        told = json.dumps([row.model_dump(mode="json") for row in batch]).encode()
        own = f"{key}-{first // ROWS}" if key else hashlib.sha256(told).hexdigest()[:32]
        yield own, first + FIRST_LINE, batch


def _rows(file: Path) -> list[Observation]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            read = csv.reader(opened, strict=True)
            columns = next(read, [])
            if unknown := [name for name in columns if name not in Observation.model_fields]:
                known = ", ".join(Observation.model_fields)
                raise ScenarioError(f"{file}: {unknown[0]}: unknown column; there are {known}")
            rows = [_row(f"{file}: line {read.line_num}", columns, values) for values in read if values]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{file}: is no CSV file of observations ({error})") from None
    if not rows:
        raise ScenarioError(f"{file}: has no rows")
    return rows


def _row(where: str, columns: list[str], values: list[str]) -> Observation:
    if len(values) != len(columns):
        raise ScenarioError(f"{where}: has {len(values)} values for {len(columns)} columns")
    given = {column: value for column, value in zip(columns, values, strict=True) if value != ""}
    if given.get("observed_at", "").isdigit():  # pydantic would take seconds since 1970
        raise ScenarioError(f"{where}: observed_at: give a time such as 2026-11-30T00:00:00Z")
    try:
        return checked(Observation, given)
    except ServiceError as error:
        raise ScenarioError(f"{where}: {error}") from None


def placed(file: Path, line: int, error: ServiceError) -> ServiceError:
    """What a service said of a batch that begins in a line, with the line it is about."""
    fields = [] if error.problem is None else error.problem.errors
    parts = fields[0].field.split(".") if fields else []
    if len(parts) < 3 or not parts[1].isdigit():
        return ServiceError(f"{file}: lines from {line} on: {error}", status=error.status, problem=error.problem)
    told = f"{file}: line {line + int(parts[1])}: {'.'.join(parts[2:])}: {fields[0].rule}"
    return ServiceError(told, status=error.status, problem=error.problem)
