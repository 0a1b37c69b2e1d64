"""The address of a database -> the records in it: append, read, count, verify; knows no image and no HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
from sqlalchemy import Connection, Engine, delete, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hilum.errors import HilumError, RecordsError, UsageError, driver_words
from hilum.probe import Probe
from hilum.records import erasures, search, tallies, verification
from hilum.records.chain import journal_key
from hilum.records.entry import Entry, Record
from hilum.records.erasures import Begun, Kept, Picture
from hilum.records.journal import Journal
from hilum.records.query import Page, Query
from hilum.records.schema import CHECKPOINTS, PERSONAL, engine_as_it_lies, open_engine
from hilum.records.search import Names
from hilum.records.tallies import Tallies
from hilum.records.verification import Tell, Verification
from hilum.sqlite import fold_in, in_turns

VERSION = "0002"  # the newest revision in migrations/versions
READABLE = ("0001", VERSION)  # they hold the same rows, so that a copy of either is verified as it lies
READY_SECONDS = 3.0  # for the database to say that it takes entries
PORTION = 100  # records of a long file in memory at once
PICTURES = 1000  # named at once while all of them are looked at
LATE = 1000  # numbers back that another server may still be committing


class Records:
    """Everything that happened; safe to use from many threads."""

    def __init__(self, engine: Engine, secret: bytes, head: Path | None) -> None:
        """Wrap an engine whose tables are up to date.

        head: the file outside the database in which checkpoints are noted; None: nowhere.
        """
        self._engine, self._key, self._head = engine, journal_key(secret), head
        self._journal = Journal(engine, self._key, head)
        self._probe = Probe(self._writable, READY_SECONDS)
        self._counted = tallies.Counted()
        self._names: tuple[frozenset[Names], int] = (frozenset(), 0)

    def append(self, entries: Sequence[Entry], after: Future[None] | None = None) -> Future[None]:
        """Add entries, all or none.

        after: what must have happened before, as the durable keeping of the image that an entry names; where it
        fails, nothing is added.
        The future is resolved once they are committed and would survive a loss of power; it holds DuplicateRecord
        where an id exists already, RecordsError where the database does not take them.
        """
        return self._journal.append(tuple(entries), after)

    def get(self, identity: str) -> Record | None:
        """The record of this id.

        Raises:
            RecordsError: the database cannot be read; so do all below.
        """
        with self._reading() as connection:
            return search.by_id(connection, identity)

    def many(self, identities: Sequence[str]) -> dict[str, Record]:
        """The records of these ids by id, asked for together; an id that there is none of is left out."""
        with self._reading() as connection:
            return {record.id: record for record in search.by_ids(connection, identities)}

    def last_said(self, identities: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Id of a prediction -> the class that a reader last named and who, for those of which one was named."""
        with self._reading() as connection:
            return search.last_said(connection, identities)

    def find(self, query: Query) -> Page:
        """One page of records.

        Raises:
            UsageError: the cursor is none of ours.
        """
        with self._reading() as connection:
            return search.find(connection, query, self._known(connection, query))

    def first(self, query: Query, most: int) -> Iterator[Record]:
        """The first `most` records of a query, whatever its limit, for a file of them.

        They are put in order at once and read in portions as they are taken, so that neither memory nor a connection is
        held for as long as somebody reads the file. A record that is erased meanwhile comes without what was personal.

        Raises:
            UsageError: the cursor is none of ours.
        """
        with self._reading() as connection:
            numbers = search.numbers(connection, query, most, self._known(connection, query))
        return self._portions(numbers)

    def _portions(self, numbers: Sequence[int]) -> Iterator[Record]:
        for start in range(0, len(numbers), PORTION):
            with self._reading() as connection:
                found = search.by_number(connection, numbers[start : start + PORTION])
            yield from found

    def models(self) -> frozenset[str]:
        """name@version of every model that ever answered; rows stay, so only new ones are looked through."""
        with self._reading() as connection:
            known = self._all_names(connection)
        return frozenset(one.model for one in known if one.kind == "prediction" and one.model is not None)

    def _known(self, connection: Connection, query: Query) -> frozenset[Names]:
        """What a text or a model may be part of, where the query asks for one."""
        return self._all_names(connection) if query.text or query.model is not None else frozenset()

    def _all_names(self, connection: Connection) -> frozenset[Names]:
        known, seen = self._names
        new, last = search.names(connection, max(0, seen - LATE))
        self._names = known | new, last
        return known | new

    def about(self, identity: str, kind: str | None = None) -> tuple[Record, ...]:
        """What speaks of a record (feedback, erasures …), oldest first."""
        with self._reading() as connection:
            return search.about(connection, identity, kind)

    def tallies(self, since: int, until: int, step: int = tallies.HOUR, task: str | None = None) -> Tallies:
        """Counts by stretch of `step` microseconds between two moments (microseconds since 1970 UTC)."""
        with self._reading() as connection:
            return tallies.of_task(self._counted.count(connection, since, until, step, LATE), task)

    def verify(self, tell: Tell | None = None) -> Verification:
        """Whether every row and checkpoint is as it was written; `tell` hears how far it is."""
        with self._reading(whole=True) as connection, verification.any_text(connection):
            return verification.verify(connection, self._key, self._head, tell)

    def forget(self, identities: Sequence[str]) -> int:
        """Erase what is personal about these records and what speaks of them; returns how many values there were.

        Raises:
            RecordsError: they cannot be written, or a copy stays in the write-ahead file while somebody reads.
        """
        erased = self._deleted(identities)
        if self._engine.dialect.name == "sqlite":
            try:
                with closing(self._engine.raw_connection()) as connection:
                    fold_in(cast("sqlite3.Connection", connection.driver_connection))
            except (SQLAlchemyError, sqlite3.Error) as error:
                raise RecordsError(f"the records: {error}") from error
        return erased

    def ended(self, begun: Sequence[str]) -> None:
        """Erasures, by the ids of their rows, that reached everything they were to reach."""
        self._deleted(begun)

    def _deleted(self, identities: Sequence[str]) -> int:
        erased = 0
        for part in in_turns(identities, erasures.AT_ONCE):  # answers are put on record in between
            with self._reading(writes=True) as connection:
                every = [*part, *erasures.about_them(connection, part)]
                for start in range(0, len(every), erasures.AT_ONCE):
                    some = every[start : start + erasures.AT_ONCE]
                    erased += connection.execute(delete(PERSONAL).where(PERSONAL.c.id.in_(some))).rowcount
        return erased

    def kept(
        self,
        *,
        before: int | None = None,
        caller: str | None = None,
        images: Sequence[str] | None = None,
        content: str | None = None,
    ) -> tuple[Kept, ...]:
        """Predictions that were not erased: made before a moment (microseconds), by a caller, of these pictures."""
        with self._reading() as connection:
            return erasures.kept(connection, before=before, caller=caller, images=images, content=content)

    def unforgotten(self, *, before: int | None = None, caller: str | None = None) -> list[str]:
        """The ids of what was erased, said about it afterwards or done, and still holds something personal."""
        with self._reading() as connection:
            return erasures.unforgotten(connection, before=before, caller=caller)

    def begun(self) -> dict[str, Begun]:
        """Erasures that are under way or were stopped, by the id of their row; `ended` takes it."""
        with self._reading() as connection:
            return erasures.begun(connection)

    def has_caller(self, caller: str) -> bool:
        """Whether anything on record was asked, said or done by this caller."""
        with self._reading() as connection:
            return erasures.has_caller(connection, caller)

    def pictures(self) -> Iterator[tuple[str, str]]:
        """(image key, the first prediction with it) of all pictures that must be kept, each key once.

        Read in portions: to look at the pictures takes hours, and an erasure waits for whoever reads in one go.
        """
        seen, behind = set[int](), 0
        while found := self._pictures(behind):
            behind = found[-1].number
            for one in found:
                if (mark := erasures.mark_of(one.image)) not in seen:
                    seen.add(mark)
                    yield one.image, one.prediction

    def _pictures(self, behind: int) -> list[Picture]:
        with self._reading() as connection, verification.any_text(connection):
            return erasures.pictures(connection, behind, PICTURES)

    def without_record(self, images: Iterable[str]) -> Iterator[str]:
        """Of these image keys, those that no prediction needs."""
        with self._reading() as connection, verification.any_text(connection):
            needed = erasures.marks(connection)
        for image in images:
            mark = np.uint64(erasures.mark_of(image))
            place = int(np.searchsorted(needed, mark))
            if place == len(needed) or needed[place] != mark:
                yield image

    def ready(self) -> bool:
        """Whether entries are taken, the last were too, and the database answers, not read only, in READY_SECONDS."""
        return not self._journal.ended and not self._journal.stuck and self._probe.good()

    def close(self) -> None:
        """Write what waits and a last checkpoint, then let go."""
        self._journal.close()
        self._engine.dispose()

    def _writable(self) -> bool:
        server = self._engine.dialect.name == "postgresql"
        asked = "SELECT current_setting('transaction_read_only')" if server else "SELECT 'off'"
        try:
            self._journal.check()
            with self._reading() as connection:
                writable = bool(connection.execute(text(asked)).scalar_one() == "off")
            return writable and self._journal.takes
        except RecordsError:
            return False

    @contextmanager
    def _reading(self, *, writes: bool = False, whole: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                if writes:
                    self._journal.check()
                    connection = connection.execution_options(writes=True)  # noqa: PLW2901
                if whole:
                    _as_of_now(connection)
                with connection.begin():
                    yield connection
        except SQLAlchemyError as error:
            raise RecordsError(f"the records cannot be read ({driver_words(error)})") from error


def open_records(url: str, secret: bytes, head: Path | None = None) -> Records:
    """Open the records at sqlite:///FILE or postgresql://…; tables are made or brought up to date where needed.

    Raises:
        UsageError: an address of neither kind; records that were made with another secret or by a newer Hilum.
        MissingExtra: PostgreSQL needs its driver.
        RecordsError: the database cannot be opened, or it is empty while checkpoints of it are noted in `head`.
    """
    noted = is_noted(head)  # before the database: what is noted was committed in it
    file = url.removeprefix("sqlite:///")
    if noted and file != url and not Path(file).exists():  # an empty one would be made in its place
        raise _gone(head)
    return _opened(open_engine(url), secret, head, begun=noted)


def is_noted(head: Path | None) -> bool:
    """Whether any checkpoint is noted outside the database: then there are records."""
    return head is not None and head.is_file() and head.stat().st_size > 0


def records_as_they_lie(file: Path, secret: bytes, head: Path) -> Records:
    """The records in a SQLite file that nobody writes, to be read only.

    Raises:
        UsageError: they were made with another secret.
        RecordsError: they cannot be read, or are those of another version of Hilum.
    """
    return _opened(engine_as_it_lies(file), secret, head, upgrade=False)


def _opened(engine: Engine, secret: bytes, head: Path | None, *, upgrade: bool = True, begun: bool = False) -> Records:
    try:
        if begun and not _has_checkpoint(engine):
            raise _gone(head)
        _must_fit(engine, secret, upgrade=upgrade)
    except HilumError:
        engine.dispose()
        raise
    return Records(engine, secret, head)


def _must_fit(engine: Engine, secret: bytes, *, upgrade: bool) -> None:
    """The tables are of this version, or become so where `upgrade` says, and sealed with this secret.

    Raises:
        UsageError, RecordsError: they are not, see `open_records` and `records_as_they_lie`.
    """
    try:
        version = _version(engine)
        if not upgrade and version not in READABLE:
            raise RecordsError("the tables are those of another version of Hilum: look at a copy with that one")
        if upgrade and version != VERSION:
            import_module("hilum.records.migrate").upgrade(engine)  # Alembic is slow to import and seldom needed
        with engine.connect() as connection:
            _as_of_now(connection)  # another process may write its first rows and seal them in the middle of the look
            fits = verification.fits(connection, journal_key(secret))
    except SQLAlchemyError as error:
        raise _unopened(error) from error
    if not fits:  # rows of a second secret would break the chain for good
        raise UsageError(verification.MADE_WITH_ANOTHER)


def _gone(head: Path | None) -> RecordsError:
    return RecordsError(
        f"the records are gone: {head} notes checkpoints of them, and the database that HILUM_DATABASE_URL names (else "
        "hilum.db beside it) is not there or holds none. Put it back, or restore a backup into an empty HILUM_HOME; to "
        f"begin new records here all the same, move {head} away and keep it: it proves that there were others"
    )


def _has_checkpoint(engine: Engine) -> bool:
    """Whether any is in the database; not so where its tables were never made."""
    try:
        with engine.connect() as connection:
            return inspect(connection).has_table(CHECKPOINTS.name) and bool(
                connection.execute(select(CHECKPOINTS.c.number).limit(1)).first()
            )
    except SQLAlchemyError as error:
        raise _unopened(error) from error


def _unopened(error: SQLAlchemyError) -> RecordsError:
    return RecordsError(f"the records cannot be opened ({driver_words(error)})")


def _as_of_now(connection: Connection) -> None:
    """All reads of this connection see one state, as they do on SQLite without being asked."""
    if connection.dialect.name != "sqlite":
        connection.execution_options(isolation_level="REPEATABLE READ")


def _version(engine: Engine) -> str | None:
    """The revision of its tables; None where they were never made."""
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM records_version")).scalar()
    except DBAPIError as error:
        if error.connection_invalidated or "records_version" not in str(error.orig):
            raise
        return None
