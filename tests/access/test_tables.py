"""The tables: made once however many come, and never opened by an older program."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from hilum.access.access import open_access
from hilum.access.caller import LOCAL
from hilum.access.tables import STEPS, Database, version
from hilum.errors import UsageError
from hilum.records.entry import Entry
from hilum.records.store import open_records
from tests.access.conftest import SECRET
from tests.access.test_users import WORD
from tests.servers import as_documented


def test_many_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Database(database_url), range(4)))
    with opened[0].reading() as connection:
        assert connection.execute(sa.select(version.c.version)).scalars().all() == [len(STEPS)]
    for database in opened:
        database.close()


def test_what_was_written_is_there_after_opening_again(database_url: str) -> None:
    first = open_access(database_url, SECRET)
    user = first.users.add("ada", "admin", LOCAL)
    first.close()
    second = open_access(database_url, SECRET)
    assert second.users.all() == (user,)
    second.close()


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.execute(sa.update(version).values(version=len(STEPS) + 1))
    database.close()
    with pytest.raises(UsageError, match="newer"):
        Database(database_url)


def test_a_turn_that_fails_leaves_nothing(database_url: str) -> None:
    database = Database(database_url)

    def spoil() -> None:
        with database.writing() as connection:
            connection.execute(sa.update(version).values(version=77))
            raise KeyError

    with pytest.raises(KeyError):
        spoil()
    with database.reading() as connection:
        assert connection.scalar(sa.select(version.c.version)) == len(STEPS)
    database.close()


def test_a_wrong_url_is_said() -> None:
    with pytest.raises(UsageError, match="HILUM_DATABASE_URL"):
        Database("no url at all")


def test_the_role_of_the_application_needs_no_more_than_the_documentation_grants(
    postgres_url: str, tmp_path: Path
) -> None:
    owners = open_records(postgres_url, SECRET, tmp_path / "head")
    open_access(postgres_url, SECRET).close()  # the owner makes the tables
    owners.close()
    url = as_documented(postgres_url)
    records, access = open_records(url, SECRET, tmp_path / "head"), open_access(url, SECRET)
    records.append([Entry("act", personal={"address": "1.2.3.4"})]).result(timeout=120)
    ada = access.links.begin(str(access.links.first()), "ada", WORD)
    session = access.sign_in("ada", WORD, "1.2.3.4")
    _, token = access.keys.add(ada.id, "k", ("predict",), 1, LOCAL)
    assert access.keys.check(token).id == access.sessions.check(session.token).id == ada.id
    access.links.accept(access.links.invite(ada.id, LOCAL), WORD)
    access.close()
    records.close()
