"""The tables of the records and an engine for them; knows no row. Tables are made by migrations/, never from here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from hilum.columns import filled, open_to_null
from hilum.errors import MissingExtra, RecordsError, UsageError
from hilum.postgres import LEVEL, bound_locks, bounded
from hilum.sqlite import Place, open_as_it_lies, set_up

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

RECORDS = Table(
    "records",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    *filled(writer=Text, seq=BigInteger, id=Text, kind=Text, at=BigInteger, caller=Text),
    *open_to_null(subject=Text, task=Text, model=Text, digest=Text, label=Text),
    *open_to_null(probability=Double, refused=SmallInteger, image=Text, content=Text, took=Double),
    *filled(body=Text, seal=LargeBinary),
    UniqueConstraint("id", name="records_id"),
    # all that lists are filtered, sorted and counted by: a tenth of what the rows themselves would cost to read
    Index("records_shown", "kind", "at", "task", "label", "refused", "model", "probability", "took"),
)
SUBJECT = text("subject IS NOT NULL")
Index("records_subject", RECORDS.c.subject, sqlite_where=SUBJECT, postgresql_where=SUBJECT)

PERSONAL = Table(
    "personal",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    *filled(value=Text),
)

# upto: the highest number of a record that was seen.
# heads: JSON {writer: [seq, seal in hexadecimal digits]} of every chain that grew since the checkpoint before.
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),
    *filled(at=BigInteger, writer=Text, upto=BigInteger, heads=Text, seal=LargeBinary),
)

LOWER = "hilum_lower"  # a function of our connections to SQLite
SQLITE_OPENING = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA busy_timeout=30000",
                  "PRAGMA secure_delete=ON", "PRAGMA cache_size=-2048")  # fmt: skip


def open_engine(url: str) -> Engine:
    """An engine for sqlite:///FILE or postgresql://…; `connect().execution_options(writes=True)` takes SQLite's lock.

    Raises:
        UsageError: an address of neither kind.
        MissingExtra: PostgreSQL needs its driver.
    """
    address = _address(url)
    try:
        if address.get_backend_name() != "sqlite":
            address = bounded(address)
            engine = create_engine(address, isolation_level=LEVEL, pool_pre_ping=True, pool_size=5, max_overflow=10)
            event.listen(engine, "connect", bound_locks)
            return engine
        engine = create_engine(
            address,
            poolclass=QueuePool,
            connect_args={"timeout": 30, "isolation_level": None, "check_same_thread": False},
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("PostgreSQL", "postgres") from error
    place = Place(Path(str(address.database)))

    def opened(connection: Any, _record: Any) -> None:
        set_up(connection, SQLITE_OPENING)
        connection.create_function(LOWER, 1, lambda value: str(value).lower(), deterministic=True)
        place.check()  # else a connection to another file would stay in the pool when the first one is back

    event.listen(engine, "connect", opened)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def engine_as_it_lies(file: Path) -> Engine:
    """An engine for a SQLite file that nobody writes."""
    return create_engine("sqlite://", creator=lambda: open_as_it_lies(file), poolclass=QueuePool)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "HILUM_DATABASE_URL: must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from error
    kind = address.get_backend_name()
    if kind not in ("sqlite", "postgresql") or (kind == "sqlite" and address.database in (None, "", ":memory:")):
        raise UsageError("HILUM_DATABASE_URL: must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    if kind == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    _make_file(Path(str(address.database)))
    return address


def _make_file(file: Path) -> None:
    """Readable by its owner only, and so are the neighbours that SQLite makes."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise RecordsError(f"{file}: the records cannot be kept here ({error.strerror})") from error


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
