"""A database URL -> the tables of access in it, made or brought up to date; one kind of turn reads, one writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from hilum.columns import filled, open_to_null
from hilum.errors import StorageError, UsageError, driver_words
from hilum.postgres import LEVEL, bound_locks, bounded
from hilum.sqlite import set_up

LOCK = 0x48494C41  # PostgreSQL: writers of access take turns, as they do in SQLite
META = sa.MetaData()

# password: argon2id, empty: cannot sign in with one. identity: "issuer subject" of OpenID Connect.
users = sa.Table(
    "access_users", META,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("folded", sa.Text, nullable=False, unique=True),
    sa.Column("identity", sa.Text, unique=True),
    *filled(name=sa.Text, role=sa.Text, password=sa.Text, disabled=sa.Boolean, created=sa.Double),
)  # fmt: skip


def _owner() -> sa.Column[str]:
    return sa.Column("user", sa.Text, sa.ForeignKey(users.c.id), nullable=False, index=True)


sessions = sa.Table(
    "access_sessions", META,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    _owner(),
    *filled(via=sa.Text, seen=sa.Double, ends=sa.Double),
)  # fmt: skip
keys = sa.Table(
    "access_keys", META,
    sa.Column("id", sa.Text, primary_key=True),
    _owner(),
    *filled(hash=sa.LargeBinary, name=sa.Text, scopes=sa.Text, created=sa.Double, ends=sa.Double, revoked=sa.Boolean),
    *open_to_null(used=sa.Double),
)  # fmt: skip
links = sa.Table(
    "access_links", META,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("user", sa.Text, nullable=False, index=True),  # empty: the first start
    *filled(ends=sa.Double),
)  # fmt: skip
attempts = sa.Table(
    "access_attempts", META,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    *filled(failures=sa.Integer, last=sa.Double),
)  # fmt: skip
version = sa.Table("access_version", sa.MetaData(), *filled(version=sa.Integer))


def _first(connection: Connection) -> None:
    META.create_all(connection, checkfirst=False)


# Step n brings a database from version n to n + 1; a step that has left the house is never changed.
STEPS: tuple[Callable[[Connection], None], ...] = (_first,)


class Database:
    """The tables of access; safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            self._bring_up_to_date()
        except (StorageError, UsageError):
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Statements that change nothing; each sees what was committed before it.

        Raises:
            StorageError: the database does not answer; so does `writing`.
        """
        with _told(), self._engine.connect() as connection:
            yield connection.execution_options(reads=True)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, the only writing one of access at its time; committed when the block ends well."""
        with _told(), self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self.writing() as connection:
            version.create(connection, checkfirst=True)
            found = connection.scalar(sa.select(version.c.version)) or 0
            if found > len(STEPS):
                raise UsageError(f"the database was made by a newer hilum (access version {found}): update hilum")
            for step in STEPS[found:]:
                step(connection)
            if found < len(STEPS):
                connection.execute(sa.delete(version))
                connection.execute(sa.insert(version).values(version=len(STEPS)))


@contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong with the database, in the words of the house and the driver's first line."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise StorageError(f"users and keys cannot be read or written ({driver_words(error)})") from error


def _engine(url: str) -> Engine:
    try:
        address = sa.make_url(url)
        server = address.get_backend_name() != "sqlite"
        address = bounded(address) if server else address
        level: dict[str, Any] = {"isolation_level": LEVEL} if server else {}
        engine = sa.create_engine(address, pool_pre_ping=server, hide_parameters=True, **level)
    except sa.exc.ArgumentError as error:
        raise UsageError("HILUM_DATABASE_URL: sqlite:///FILE or postgresql://… is needed") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", bound_locks)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun below
    pragmas = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
    set_up(connection, (f"PRAGMA {pragma}" for pragma in pragmas))


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get("reads"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
