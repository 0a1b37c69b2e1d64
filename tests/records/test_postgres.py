"""What only PostgreSQL does: roles, several processes at once, a server that goes away and comes back."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hilum.errors import RecordsError
from hilum.records.query import Query
from hilum.records.schema import METADATA, open_engine
from hilum.records.store import open_records
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
    future.result(timeout=60)
records.close()
"""


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
    records.append([prediction(1, personal={"file": "x"})]).result(timeout=30)
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
        for number in range(start, start + 1000):
            if stop.is_set():
                return
            try:
                records.append([prediction(number)]).result(timeout=30)
                acknowledged.append(prediction(number).id)
            except RecordsError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=some, args=(start,)) for start in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    boss = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    kick = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    kicked = 0
    with boss.connect() as connection:
        while len(refused) < 5 and kicked < 1000 and any(thread.is_alive() for thread in threads):
            kicked += connection.exec_driver_sql(kick, (sa.make_url(postgres_url).database,)).scalar_one()
    stop.set()
    for thread in threads:
        thread.join()
    records.append([prediction(9000)]).result(timeout=30)  # it works again
    boss.dispose()
    assert refused
    assert all("records cannot be" in words for words in refused)
    found = {record.id for record in pages(records)}
    assert set(acknowledged) <= found
    assert records.verify().faults == ()
    records.close()


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
