"""What only PostgreSQL does: roles, several processes at once, a server that goes away and comes back."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hilum.access.tables import Database
from hilum.errors import RecordsError
from hilum.records.chain import journal_key
from hilum.records.checkpoint import make_checkpoint
from hilum.records.query import Query
from hilum.records.schema import METADATA, open_engine
from hilum.records.store import Records, open_records
from tests.conftest import ROOT
from tests.records.made import SECRET, prediction

CHANGES = (
    "UPDATE records SET label = 'x'",
    "DELETE FROM records",
    "TRUNCATE records",
    "UPDATE checkpoints SET at = 1",
    "DELETE FROM checkpoints",
    "TRUNCATE checkpoints",
)
WRITER = """
import sys
from pathlib import Path
from hilum.records.store import open_records
from tests.records.made import SECRET, prediction
url, head, start, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
records = open_records(url, SECRET, head)
for future in [records.append([prediction(number)]) for number in range(start, start + count)]:
    future.result(timeout=120)
records.close()
"""
WRITERS = 8
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_the_tables_are_what_the_code_thinks_they_are(url):
    open_records(url, SECRET).close()
    engine = open_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    ours = [change for change in found if not any("version" in str(getattr(part, "name", "")) for part in change)]
    assert ours == []


def test_several_processes_write_chains_of_their_own(url, tmp_path):
    """On SQLite they take turns, on PostgreSQL they do not; both start on an empty database at once."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(tmp_path / "head"), str(start), "300"], cwd=ROOT)
        for start in (0, 300, 600)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    records = open_records(url, SECRET, tmp_path / "head")
    found = records.verify()
    assert (found.rows, found.faults) == (900, ())
    assert len({record.writer for record in records.find(Query(limit=1000))}) == 3
    assert found.checkpoints >= 3
    records.close()


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_another_level_of_isolation_by_default_changes_nothing(postgres_url, tmp_path, level):
    """Who waited for its turn must see what was done before; with such a default it would not."""
    boss = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with boss.connect() as connection:
        name = sa.make_url(postgres_url).database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    boss.dispose()
    records, access = open_records(postgres_url, SECRET, tmp_path / "head"), Database(postgres_url)
    with records._engine.connect() as theirs, access.writing() as ours:
        for connection in (theirs, ours):
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    waiting = Records(open_engine(postgres_url), SECRET, tmp_path / "head")
    with records._engine.connect() as connection, connection.begin():
        make_checkpoint(connection, journal_key(SECRET), "first", (0, b""))  # its lock is held
        waits = waiting.append([prediction(1)])
        late = time.monotonic() + 120
        while not connection.exec_driver_sql(WAITING).scalar() and time.monotonic() < late:
            time.sleep(0.01)
    waits.result(timeout=120)
    access.close()
    waiting.close()
    records.close()


def test_the_role_of_the_application_can_only_add(postgres_url, tmp_path):
    open_records(postgres_url, SECRET, tmp_path / "head").close()  # the owner makes the tables
    owner = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = f"app_{sa.make_url(postgres_url).database}"
    with owner.connect() as connection:
        for statement in (
            f"CREATE ROLE {name} LOGIN PASSWORD 'loopback-only'",
            f"GRANT SELECT, INSERT ON records, checkpoints, personal, records_version TO {name}",
            f"GRANT DELETE ON personal TO {name}",
            f"GRANT USAGE ON SEQUENCE records_number_seq TO {name}",
        ):
            connection.exec_driver_sql(statement)
    url = sa.make_url(postgres_url).set(username=name).render_as_string(hide_password=False)
    records = open_records(url, SECRET, tmp_path / "head")
    records.append([prediction(1, personal={"file": "x"})]).result(timeout=120)
    assert records.forget([prediction(1).id]) == 1
    assert records.verify().sound
    records.close()
    application = sa.create_engine(url)
    for engine, refused in ((application, "permission denied|append only"), (owner, "append only")):
        for statement in CHANGES:
            with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=refused):
                connection.exec_driver_sql(statement)
    with pytest.raises(sa.exc.DBAPIError, match="must be owner"), application.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER records_append_only ON records")
    application.dispose()
    owner.dispose()


def test_a_connection_that_breaks_loses_nothing_acknowledged(postgres_url, tmp_path):
    """The server throws everybody out, again and again, while threads append."""
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    acknowledged, refused, stop = [], [], threading.Event()

    def some(start):
        for number in itertools.count(start, WRITERS):
            if stop.is_set():
                return
            try:
                records.append([prediction(number)]).result(timeout=120)
                acknowledged.append(prediction(number).id)
            except RecordsError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=some, args=(start,)) for start in range(WRITERS)]
    for thread in threads:
        thread.start()
    boss = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    kick = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    late = time.monotonic() + 120
    with boss.connect() as connection:
        while not refused and time.monotonic() < late:  # until it was in the midst of a commit
            connection.exec_driver_sql(kick, (sa.make_url(postgres_url).database,))
    stop.set()
    for thread in threads:
        thread.join()
    records.append([prediction(10**9)]).result(timeout=120)  # it works again
    boss.dispose()
    assert refused
    assert all("records cannot be" in words for words in refused)
    found = {record.id for record in pages(records)}
    assert set(acknowledged) <= found
    assert records.verify().faults == ()
    records.close()


def test_a_connection_that_was_cut_while_nobody_wrote_fails_no_entry(postgres_url, tmp_path):
    """A restart of the database, a failover, a firewall: the first one afterwards must not pay for it."""
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    boss = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    for number in range(3):
        records.append([prediction(number)]).result(timeout=120)
        with boss.connect() as connection:
            connection.exec_driver_sql(kick, (sa.make_url(postgres_url).database,))
    records.append([prediction(3)]).result(timeout=120)
    assert [record.id for record in pages(records)] == [prediction(number).id for number in (3, 2, 1, 0)]
    assert records.verify().faults == ()
    boss.dispose()
    records.close()


def test_where_a_commit_was_under_way_the_entry_is_not_written_again(postgres_url, tmp_path, monkeypatch):
    """It may be there: only who asked can tell whether it shall be asked once more."""
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    records.append([prediction(0)]).result(timeout=120)

    def cut(driver):
        driver.close()
        raise psycopg.OperationalError("the connection is closed")

    monkeypatch.setattr(psycopg.Connection, "commit", cut)
    with pytest.raises(RecordsError):
        records.append([prediction(1)]).result(timeout=120)
    monkeypatch.undo()
    records.append([prediction(2)]).result(timeout=120)
    assert records.verify().faults == ()
    records.close()


def test_a_table_that_somebody_keeps_locked_is_an_error_and_no_wait_for_ever(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.postgres.LOCK_SECONDS", 1)
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    records.append([prediction(0)]).result(timeout=120)
    holder = sa.create_engine(postgres_url)
    with holder.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE records IN SHARE MODE")
        with pytest.raises(RecordsError, match="lock timeout"):
            records.append([prediction(1)]).result(timeout=120)
    records.append([prediction(1)]).result(timeout=120)
    assert records.verify().rows == 2
    holder.dispose()
    records.close()


def test_a_database_that_takes_nothing_is_not_ready(postgres_url, tmp_path, monkeypatch):
    """A standby, or one that its keeper set to read only."""
    monkeypatch.setattr("hilum.records.journal.STUCK_SECONDS", 0.2)
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    assert records.ready()
    boss = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = sa.make_url(postgres_url).database
    kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with boss.connect() as connection:
        for word, ready in (("on", False), ("off", True)):
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = {word}")
            connection.exec_driver_sql(kick, (name,))
            assert records.ready() is ready
    records.append([prediction(0)]).result(timeout=120)
    with boss.connect() as connection, connection.execution_options(isolation_level="READ COMMITTED").begin():
        connection.exec_driver_sql("LOCK TABLE records IN SHARE MODE")
        waits, late = records.append([prediction(1)]), time.monotonic() + 120
        while records.ready():  # until it has waited for longer than is well
            assert time.monotonic() < late
    waits.result(timeout=120)
    assert records.ready()
    boss.dispose()
    records.close()


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON records EXECUTE FUNCTION full_disk();
"""


def test_a_database_whose_disk_is_full_is_not_ready_until_it_has_room_and_trying_it_leaves_nothing(opened_on_postgres):
    records, boss = opened_on_postgres
    records.append([prediction(0)]).result(timeout=120)
    boss.execute(FULL)
    assert records.ready()  # nothing was refused yet
    with pytest.raises(RecordsError, match="No space left"):
        records.append([prediction(1)]).result(timeout=120)
    before = records.verify()
    assert [records.ready() for _ in range(3)] == [False] * 3
    assert records.verify() == before
    boss.execute("DROP TRIGGER full_disk ON records")
    assert [records.ready() for _ in range(3)] == [True] * 3
    records.append([prediction(1)]).result(timeout=120)
    found = records.verify()
    assert (found.rows, found.checkpoints, found.faults) == (2, before.checkpoints + 1, ())


@pytest.fixture
def opened_on_postgres(postgres_url, tmp_path):
    """(records, a connection beside them)."""
    records = open_records(postgres_url, SECRET, tmp_path / "head")
    plain = sa.make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as boss:
        yield records, boss
    records.close()


def test_a_database_that_falls_silent_is_soon_not_ready_and_holds_up_no_end(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.records.journal.CLOSE_SECONDS", 0.5)
    address = sa.make_url(postgres_url)
    with silenced(address.port) as (port, silent):
        url = address.set(port=port).render_as_string(hide_password=False)
        records = open_records(url, SECRET, tmp_path / "head")
        records.append([prediction(0)]).result(timeout=120)
        assert records.ready()
        monkeypatch.setattr(records._probe, "_seconds", 0.5)  # not before: a loaded machine may need longer
        silent.set()
        waits, since = records.append([prediction(1)]), time.monotonic()
        assert not records.ready()
        records.close()
        assert time.monotonic() - since < 120
        assert not waits.done()


@contextmanager
def silenced(port):
    """A port that hands on to another one until the event is set: from then on nothing comes through."""
    silent, ends, hands = threading.Event(), [], []
    listening = socket.create_server(("127.0.0.1", 0))

    def hand_on(here, there):
        with suppress(OSError):
            while data := here.recv(65536):
                if silent.is_set():
                    return
                there.sendall(data)

    def serve():
        with suppress(OSError):
            while True:
                ends.append(listening.accept()[0])
                ends.append(socket.create_connection(("127.0.0.1", port)))
                here, there = ends[-2:]
                for pair in ((here, there), (there, here)):
                    hands.append(threading.Thread(target=hand_on, args=pair, daemon=True))
                    hands[-1].start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listening.getsockname()[1], silent
    finally:
        listening.shutdown(socket.SHUT_RDWR)  # wakes who accepts: nobody comes any more
        serving.join()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for hand in hands:
            hand.join()
        for end in (listening, *ends):
            end.close()


def pages(records):
    query = Query(limit=1000)
    while True:
        page = records.find(query)
        yield from page
        if page.next_cursor is None:
            return
        query = Query(limit=1000, cursor=page.next_cursor)


def test_a_server_that_is_not_there_is_said_without_its_password():
    with pytest.raises(RecordsError) as said:
        open_records("postgresql://hilum:hush@127.0.0.1:9/x", SECRET)
    assert "hush" not in str(said.value)
