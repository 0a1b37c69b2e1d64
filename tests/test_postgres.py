"""Waits for a PostgreSQL that does not answer have an end, and the operator has the last word on it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from hilum.access.tables import Database
from hilum.errors import StorageError
from hilum.postgres import BOUNDS, bounded


def test_the_address_says_how_long_is_waited_unless_the_operator_did():
    address = sa.make_url("postgresql+psycopg://h@db/hilum?connect_timeout=60&sslmode=require")
    assert dict(bounded(address).query) == {**BOUNDS, "connect_timeout": "60", "sslmode": "require"}


def test_a_lock_that_nobody_gives_back_is_an_error_and_not_a_wait_for_ever(postgres_url, monkeypatch):
    monkeypatch.setattr("hilum.postgres.LOCK_SECONDS", 1)
    database = Database(postgres_url)
    holder = sa.create_engine(postgres_url)
    with holder.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE access_users IN SHARE MODE")
        with pytest.raises(StorageError, match="lock timeout"), database.writing() as writing:
            writing.exec_driver_sql("DELETE FROM access_users")
    with database.writing() as writing:
        writing.exec_driver_sql("DELETE FROM access_users")
    holder.dispose()
    database.close()
