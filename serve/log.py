"""The log of observations: batches stored once, many in one transaction, each chained to the one before."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ARRAY, Connection, Engine, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from serve.clock import now
from serve.mirror import Mirror, Row, State, folded
from serve.store import writing
from serve.tables import batch, firm, observation

GENESIS = "0" * 64
"""What the first batch is chained to."""


class ReusedKeyError(ValueError):
    """An idempotency key that has come with other content before."""


class MovedError(ValueError):
    """A firm in another cell than the one it first came with."""

    def __init__(self, row: int) -> None:
        """Keep its number within the batch, counted from 0."""
        super().__init__(row)
        self.row = row


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows that are stored together or not at all."""

    request: str  # sender and idempotency key
    rows: Sequence[Row]
    content_sha256: str

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A batch as it was stored."""

    number: int
    request: str
    first: int
    rows: int
    received_us: int
    content_sha256: str
    chain_sha256: str


def content_of(rows: Sequence[Row]) -> str:
    """SHA-256 of rows, the same for rows that come out of the store."""
    return hashlib.sha256(orjson.dumps([tuple(row) for row in rows])).hexdigest()


def chained(before: str, stored: Stored) -> str:
    """SHA-256 of a batch's row of the table, and of all before it."""
    told = [before, *(value for name, value in asdict(stored).items() if name != "chain_sha256")]
    return hashlib.sha256(orjson.dumps(told)).hexdigest()


class Log:
    """The log of a store, as one replica writes it."""

    def __init__(self, engine: Engine, mirror: Mirror) -> None:
        """Prepare its statements."""
        self._engine, self._mirror = engine, mirror
        self._observe = str(observation.insert().compile(dialect=engine.dialect))
        self._state = str(_upsert(engine.dialect.name).compile(dialect=engine.dialect))

    def append(self, batches: Sequence[Batch]) -> list[Stored | Exception]:
        """Store batches, all or none; what was stored under a request before is told again.

        Returns:
            of each what was stored, or ReusedKeyError or MovedError.

        Raises:
            SQLAlchemyError: if the store fails; then nothing of it is stored.
        """
        with writing(self._engine) as connection:
            self._mirror.catch_up(connection)
            known: dict[str, Stored | Exception] = {**_known(connection, [one.request for one in batches])}
            head, new = _head(connection), _New({}, [], [])
            for one in batches:
                if one.request not in known:
                    try:
                        known[one.request] = head = self._take(_next(head, one), one, new)
                    except MovedError as error:
                        known[one.request] = error
            if new.batches:
                connection.execute(batch.insert(), [asdict(stored) for stored in new.batches])
                self._insert(connection, new.rows)
                self._store(connection, [(name, *state[:4]) for name, state in new.states.items()])
        if new.batches:
            self._mirror.take(new.states, head.first + head.rows - 1)
        return [_answer(known[one.request], one) for one in batches]

    def _insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert observations as fast as the store takes them: PostgreSQL by COPY."""
        if connection.dialect.name != "postgresql":
            connection.exec_driver_sql(self._observe, list(rows))
            return
        cursor: Any = connection.connection.cursor()
        columns = ", ".join(observation.c.keys())
        with cursor, cursor.copy(f"COPY {observation.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _store(self, connection: Connection, states: list[tuple[Any, ...]]) -> None:
        """Insert or replace states of firms; PostgreSQL takes columns as arrays in one statement."""
        if connection.dialect.name != "postgresql":
            connection.exec_driver_sql(self._state, states)
            return
        columns = [list(column) for column in zip(*states, strict=True)]
        connection.exec_driver_sql(self._state, tuple(columns))

    def _take(self, stored: Stored, one: Batch, new: "_New") -> Stored:
        """Take a batch among what is new, or refuse it and leave that as it was."""
        rows, held, changed = [], self._mirror.firms, dict[str, State]()
        for position, row in enumerate(one.rows, stored.first):
            state = changed.get(row[0]) or new.states.get(row[0]) or held.get(row[0])
            if state is not None and row[1] != state[3] and row[1] is not None and state[3] is not None:
                raise MovedError(position - stored.first)
            changed[row[0]] = folded(state, position, row)
            rows.append((position, *row, state and state[0]))
        new.states.update(changed)
        new.batches.append(stored)
        new.rows.extend(rows)
        return stored


class _New(NamedTuple):
    """What one transaction adds."""

    states: dict[str, State]
    batches: list[Stored]
    rows: list[tuple[Any, ...]]


def _upsert(dialect: str) -> Insert:
    """Of rows of the table of firms; in PostgreSQL of its columns."""
    if dialect == "postgresql":
        arrays = [func.unnest(cast(bindparam(column.name), ARRAY(column.type))) for column in firm.c]
        insert: Any = postgresql.insert(firm).from_select(firm.c.keys(), select(*arrays))
    else:
        insert = sqlite.insert(firm)
    changed = {name: insert.excluded[name] for name in State._fields[:4]}
    upsert: Insert = insert.on_conflict_do_update(index_elements=["firm_id"], set_=changed)
    return upsert


def _known(connection: Connection, requests: Sequence[str]) -> dict[str, Stored]:
    found = connection.execute(select(batch).where(batch.c.request.in_(requests)))
    return {row.request: Stored(**row._mapping) for row in found}


def _head(connection: Connection) -> Stored:
    """The last batch."""
    row = connection.execute(select(batch).order_by(batch.c.number.desc()).limit(1)).first()
    if row is not None:
        return Stored(**row._mapping)
    return Stored(number=0, request="", first=1, rows=0, received_us=0, content_sha256="", chain_sha256=GENESIS)


def _next(head: Stored, one: Batch) -> Stored:
    stored = Stored(
        number=head.number + 1,
        request=one.request,
        first=head.first + head.rows,
        rows=len(one),
        received_us=now(),
        content_sha256=one.content_sha256,
        chain_sha256="",
    )
    return replace(stored, chain_sha256=chained(head.chain_sha256, stored))


def _answer(stored: Stored | Exception, one: Batch) -> Stored | Exception:
    if isinstance(stored, Exception):
        return stored
    if stored.content_sha256 != one.content_sha256:
        return ReusedKeyError("this idempotency key has come with other content before")
    return stored
