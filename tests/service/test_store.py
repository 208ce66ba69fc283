"""What a store must hold, on SQLite and on a real PostgreSQL alike."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from serve import keys
from serve.log import Batch, Log, ReusedKeyError, Stored, content_of
from serve.mirror import Mirror, Row
from serve.store import migrate, open_store, wait_for, writing
from serve.tables import api_key, batch, firm, metadata, observation
from serve.verify import verify


def row(firm_id: str = "F1", time: int = 1, output: float = 1.0, cell: str | None = "EU26-STL") -> Row:
    return Row(firm_id, cell, time, output, 2.0 * output, None)


def batch_of(key: str, *rows: Row) -> Batch:
    return Batch(request=f"/{key}", rows=rows, content_sha256=content_of(rows))


def log_of(engine: Engine) -> Log:
    return Log(engine, Mirror())


def append(log: Log, *batches: Batch) -> list[Stored]:
    found = log.append(batches)
    assert not [one for one in found if isinstance(one, Exception)]
    return [one for one in found if isinstance(one, Stored)]


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(table)).all())


def test_migrations_make_the_tables_that_the_code_reads(engine: Engine) -> None:
    migrate(engine)  # a second time changes nothing
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_same_request_twice_is_one_row_set_with_the_same_answer(engine: Engine) -> None:
    log, one = log_of(engine), batch_of("a", row(), row("F2"))
    (first,) = append(log, one)
    again, other = append(log, one, batch_of("b", row()))
    in_one_go = append(log_of(engine), batch_of("c", row(time=5)), batch_of("c", row(time=5)))
    assert again == first
    assert (other.number, other.first) == (2, 3)
    assert in_one_go[0] == in_one_go[1]
    assert (count(engine, batch), count(engine, observation)) == (3, 4)


def test_a_request_that_comes_with_other_content_is_refused_and_stores_nothing(engine: Engine) -> None:
    log = log_of(engine)
    append(log, batch_of("a", row()))
    refused, stored = log.append([batch_of("a", row(output=9.0)), batch_of("b", row())])
    assert isinstance(refused, ReusedKeyError)
    assert isinstance(stored, Stored)
    assert count(engine, observation) == 2


def test_the_latest_event_time_is_the_state_in_whatever_order_rows_come(engine: Engine) -> None:
    log, mirror = log_of(engine), Mirror()
    append(
        log, batch_of("a", row(time=20, output=2.0)), batch_of("b", row(time=30, output=3.0), row(time=10, output=1.0))
    )
    append(log, batch_of("c", row(time=25, output=2.5)), batch_of("d", row(time=30, output=3.5)))
    with engine.connect() as connection:
        mirror.catch_up(connection)
        (state,) = connection.execute(select(firm)).all()
    found = mirror.firms["F1"]
    assert (found.output_musd_per_year, found.observed_us) == (3.5, 30)  # of equal times the later arrival
    assert (state.last, state.latest) == (5, 5)
    assert count(engine, observation) == 5  # what was late is kept


def test_a_firms_arrivals_are_linked_across_batches_and_replicas(engine: Engine) -> None:
    one, other = log_of(engine), log_of(engine)
    append(one, batch_of("a", row(), row("F2")))
    append(other, batch_of("b", row(), row()))
    append(one, batch_of("c", row("F2"), row()))
    with engine.connect() as connection:
        found = connection.execute(select(observation.c.firm_id, observation.c.previous)).all()
    assert [tuple(each) for each in found] == [
        ("F1", None), ("F2", None), ("F1", 1), ("F1", 3), ("F2", 2), ("F1", 4),
    ]  # fmt: skip


def test_two_replicas_that_write_at_once_make_one_chain_and_agree(engine: Engine) -> None:
    logs, mirrors = [], [Mirror(), Mirror()]
    for mirror in mirrors:
        logs.append(Log(engine, mirror))
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(25):
                append(logs[number], batch_of(f"{number}-{turn}", row(f"F{turn % 3}", time=turn * 2 + number)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with engine.connect() as connection:
        for mirror in mirrors:
            mirror.catch_up(connection)
    assert mirrors[0].firms == mirrors[1].firms
    found = verify(engine)
    assert (found.batches, found.rows, found.faults) == (50, 50, ())


def test_values_come_out_of_the_store_as_they_were_hashed(engine: Engine) -> None:
    odd = [0.1, 1e-300, 123456789.123456789, 1.7976931348623157e308, 5e-324, 3.0, 0.0]
    append(log_of(engine), batch_of("a", *(Row(f"F{n}", None, n, value, value, value) for n, value in enumerate(odd))))
    assert verify(engine).faults == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (update(observation).where(observation.c.position == 3).values(output_musd_per_year=7.0), "batch 2: its obs"),
        (update(observation).where(observation.c.position == 3).values(observed_us=7), "batch 2: its observations"),
        (delete(observation).where(observation.c.position == 4), "batch 2: its observations"),
        (update(batch).where(batch.c.number == 2).values(received_us=1), "batch 2: is not chained"),
        (update(batch).where(batch.c.number == 2).values(request="/other"), "batch 2: is not chained"),
        (delete(batch).where(batch.c.number == 2), "batch 3: follows batch 1"),
        (delete(batch).where(batch.c.number == 3), "observations that belong to no batch"),
        (update(firm).where(firm.c.firm_id == "F1").values(latest=1), "firm F1: its state"),
    ],
)
def test_a_changed_record_shows(engine: Engine, change: Any, fault: str) -> None:
    log = log_of(engine)
    for key in "abc":
        append(log, batch_of(key, row(time=ord(key)), row("F2")))
    assert verify(engine).faults == ()
    with writing(engine) as connection:
        connection.execute(change)
    assert any(one.startswith(fault) for one in verify(engine).faults)


def test_a_log_whose_end_was_cut_off_does_not_hold_the_receipt(engine: Engine) -> None:
    log = log_of(engine)
    stored = append(log, batch_of("a", row()), batch_of("b", row("F2")))
    assert verify(engine, holds=stored[1].chain_sha256).holds is True
    with writing(engine) as connection:
        connection.execute(delete(batch).where(batch.c.number == 2))
        connection.execute(delete(observation).where(observation.c.position == 2))
        connection.execute(delete(firm).where(firm.c.firm_id == "F2"))
    found = verify(engine, holds=stored[1].chain_sha256)
    assert (found.faults, found.holds) == ((), False)


def test_states_outlive_a_restart(store_url: str) -> None:
    first = open_store(store_url)
    migrate(first)
    mirror = Mirror()
    append(Log(first, mirror), batch_of("a", row(time=3), row("F2")), batch_of("b", row(time=1, cell=None)))
    first.dispose()
    second, loaded = open_store(store_url), Mirror()
    with second.connect() as connection:
        loaded.catch_up(connection)
    second.dispose()
    assert loaded.firms == mirror.firms
    assert loaded.position == mirror.position == 3


def test_a_transaction_that_fails_stores_nothing_and_the_log_goes_on(engine: Engine) -> None:
    log = log_of(engine)
    append(log, batch_of("a", row()))
    far = Row("F9", None, 2**70, 1.0, 1.0, None)  # no column holds it
    with pytest.raises(Exception, match=r"(?i)overflow|too large|out of range"):
        log.append([batch_of("b", row("F2")), Batch(request="/c", rows=[far], content_sha256="")])
    append(log, batch_of("d", row("F3")))
    assert (count(engine, batch), verify(engine).faults) == (2, ())


def test_keys_are_hashed_found_by_scope_and_end(engine: Engine) -> None:
    given = keys.create(engine, "ministry", ["read", "write"])
    ring = keys.Keyring(engine, 0)
    ring.refresh()
    found = ring.find(given)
    assert found is not None
    assert (found.name, found.scopes, ring.open) == ("ministry", ("read", "write"), False)
    assert ring.find(given[:-1] + "_") is None
    assert ring.find("") is None
    with engine.connect() as connection:
        stored: Sequence[Any] = connection.execute(select(api_key)).all()
    assert given.split("_", 2)[2] not in str(stored)
    assert keys.revoke(engine, found.id)
    assert not keys.revoke(engine, found.id)
    ring.refresh()
    assert ring.find(given) is None
    assert not ring.open  # the last key's end opens nothing


def test_a_key_that_was_made_elsewhere_is_taken_once_and_stays_revoked(engine: Engine) -> None:
    given = f"carbonray_0123456789ab_{'s' * 43}"
    for _ in range(2):
        keys.take(engine, "first", given)
    ring = keys.Keyring(engine, 0)
    ring.refresh()
    found = ring.find(given)
    assert found is not None
    assert (found.name, found.scopes, len(keys.listed(engine))) == ("first", keys.SCOPES, 1)
    keys.revoke(engine, found.id)
    keys.take(engine, "first", given)
    ring.refresh()
    assert ring.find(given) is None
    for spoilt in ("", "secret", given.replace("carbonray", "other"), given[:40]):
        with pytest.raises(keys.KeyFormatError, match="a key is carbonray_ID_SECRET"):
            keys.take(engine, "first", spoilt)


def test_what_a_url_of_postgresql_leaves_out_is_in_its_variables(postgres: Any, monkeypatch: Any) -> None:
    database = make_url(postgres.database()).database
    monkeypatch.setenv("PGHOST", str(postgres.folder))
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setenv("PGDATABASE", str(database))
    engine = open_store("postgresql+psycopg://")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar() == database
    engine.dispose()


def test_a_store_that_comes_up_later_is_waited_for(postgres: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("serve.store.PAUSE", 0.05)
    engine = open_store(postgres.database())
    postgres.kill()
    with pytest.raises(OperationalError):
        wait_for(engine, 0.1)
    threading.Timer(0.5, postgres.start).start()
    wait_for(engine, 60)
    engine.dispose()


def test_sqlite_waits_for_the_disk_before_it_acknowledges(tmp_path: Any) -> None:
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    with engine.connect() as connection:
        told = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    engine.dispose()
    assert told == ["wal", 2]
