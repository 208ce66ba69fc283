"""Whether the log is still what was acknowledged: every row, every batch, and the states that follow from them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from serve.log import GENESIS, Stored, chained, content_of
from serve.mirror import Row, State, folded
from serve.tables import batch, firm, observation


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found."""

    batches: int
    rows: int
    head: str  # chain_sha256 of the last batch
    faults: tuple[str, ...]  # what was changed, in words; the first few
    holds: bool | None  # whether the chain has the hash that was asked for


def verify(engine: Engine, *, holds: str | None = None, most: int = 10) -> Verified:
    """Recompute the whole log.

    Args:
        engine: of the store.
        holds: a chain_sha256 from a receipt that the log must still have.
        most: faults that are told.

    Raises:
        SQLAlchemyError: if the store does not answer.
    """
    states: dict[str, State] = {}
    faults: list[str] = []
    head, batches, position, seen = GENESIS, 0, 1, False
    with engine.connect() as connection:
        for found in connection.execution_options(yield_per=1000).execute(select(batch).order_by(batch.c.number)):
            stored = Stored(**found._mapping)
            rows = _rows(connection, stored)
            faults += _faults(stored, rows, head, batches + 1, position)
            for place, row in rows:
                states[row.firm_id] = folded(states.get(row.firm_id), place, row)
            head, batches, position = stored.chain_sha256, stored.number, stored.first + stored.rows
            seen = seen or head == holds
        faults += _beyond(connection, position)
        faults += _states(connection, states)
    told = tuple(faults[:most])
    return Verified(batches=batches, rows=position - 1, head=head, faults=told, holds=seen if holds else None)


def _rows(connection: Connection, stored: Stored) -> list[tuple[int, Row]]:
    within = observation.c.position.between(stored.first, stored.first + stored.rows - 1)
    found = connection.execute(select(observation).where(within).order_by(observation.c.position))
    return [(row[0], Row(*row[1:7])) for row in found]


def _faults(stored: Stored, rows: list[tuple[int, Row]], before: str, number: int, position: int) -> Iterator[str]:
    name = f"batch {stored.number}"
    if stored.number != number or stored.first != position:
        yield f"{name}: follows batch {number - 1}; what lay between is gone"
    if chained(before, stored) != stored.chain_sha256:
        yield f"{name}: is not chained to the one before"
    if content_of([row for _, row in rows]) != stored.content_sha256:
        yield f"{name}: its observations are not those that were received"


def _beyond(connection: Connection, position: int) -> Iterator[str]:
    beyond = select(observation.c.position).where(observation.c.position >= position).limit(1)
    if connection.execute(beyond).first() is not None:
        yield "observations that belong to no batch"


def _states(connection: Connection, states: dict[str, State]) -> Iterator[str]:
    """States are told from the table; they must be what the log leads to."""
    found = {row.firm_id: tuple(row)[1:] for row in connection.execute(select(firm))}
    for name in states.keys() | found.keys():
        if found.get(name) != (tuple(states[name][:4]) if name in states else None):
            yield f"firm {name}: its state does not follow from its observations"
