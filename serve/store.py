"""The store: SQLite in WAL mode or PostgreSQL, behind one writer at a time."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

HERE = Path(__file__).parent
WRITER = 0x63617262
"""PostgreSQL's advisory lock that a writer holds; SQLite's is BEGIN IMMEDIATE."""
PATIENCE = 5
"""Seconds that a connection or lock is waited for."""
PAUSE = 2.0
"""Seconds between two tries to reach a store."""
logger = logging.getLogger("ray.serve.carbonray")
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit is on the disk before it is acknowledged
    f"busy_timeout={1000 * PATIENCE}",
    "cache_size=-65536",
)


def open_store(url: str) -> Engine:
    """Connect to a store; a SQLite file is made where there is none.

    Args:
        url: sqlite:////FOLDER/FILE or postgresql+psycopg://USER@HOST/NAME.
    """
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        return _sqlite(url, Path(place.database or ""))
    options = {"connect_timeout": PATIENCE, "options": f"-c statement_timeout={1000 * 6 * PATIENCE}"}
    return create_engine(
        url, paramstyle="format", connect_args=options, pool_pre_ping=True, pool_size=8, pool_timeout=PATIENCE
    )


def _sqlite(url: str, file: Path) -> Engine:
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": PATIENCE}, pool_size=8, pool_timeout=PATIENCE)

    @event.listens_for(engine, "connect")
    def prepared(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin as `began` says, not as the driver guesses
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of the only writer; what it did is durable when this is left."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITER})
        yield connection


def migrate(engine: Engine) -> None:
    """Bring the tables to what this version needs; several may ask at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def wait_for(engine: Engine, seconds: float) -> None:
    """Wait until a store answers: one that starts at the same time, or is about to be taken over by another.

    Raises:
        OperationalError: if it does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("the store does not answer yet (%s)", type(error.orig).__name__)
            time.sleep(PAUSE)
        else:
            return


def check(engine: Engine) -> None:
    """Ask the store for anything.

    Raises:
        SQLAlchemyError: if it does not answer.
    """
    with engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM batch LIMIT 1"))
