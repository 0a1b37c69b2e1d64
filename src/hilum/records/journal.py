"""Entries from many threads -> chained rows, one transaction for all that wait; knows no query.

An entry that comes alone is committed at once (group.py says when groups gather). A process that opens the records
writes a chain of its own, so that several may write into one database without waiting for each other.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hilum.errors import DuplicateRecord, RecordsError
from hilum.group import Group, Waiting
from hilum.records.chain import FIELDS, Row, first_seal, row_of, seal
from hilum.records.checkpoint import check_outside, make_checkpoint, note_outside
from hilum.records.entry import Entry
from hilum.records.verification import MADE_WITH_ANOTHER, fits
from hilum.sqlite import Place

ROWS_A_CHECKPOINT, SECONDS_A_CHECKPOINT = 1000, 60.0
STUCK_SECONDS, CLOSE_SECONDS = 5.0, 10.0
PAUSE = 0.005  # seconds between two commits while several entries come at a time
TRIAL, TRIALS = b" " * 1900, 5  # rows as long as those of answers, more than fit a page (8 KiB) that has room left
Entries = tuple[Entry, ...]


class Journal:
    """One process's chain, and the thread that writes it."""

    def __init__(self, engine: Engine, key: bytes, head: Path | None) -> None:
        """Wrap an engine; a chain begins with the first entry."""
        self._engine, self._key, self._file = engine, key, head
        self._connection: Connection | None = None
        self._writer, self._seq, self._seal = "", 0, b""
        self._open_rows, self._checked = 0, 0.0
        self._committing = False
        self._refused = False  # whether the database did not take the last entries
        self._since: float | None = None  # when the entries that are being written were handed to the database
        self._group: Group[Entries] = Group(
            self._write, "hilum-records", pause=PAUSE, idle=(SECONDS_A_CHECKPOINT, self._idle)
        )
        self._driver: Any = engine.dialect.loaded_dbapi
        file = engine.url.database if engine.dialect.name == "sqlite" else None
        self._place = Place(Path(file)) if file else None
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        self._insert = f"INSERT INTO records ({', '.join(FIELDS)}, seal) VALUES ({', '.join([mark] * 18)})"  # noqa: S608
        self._personal = f"INSERT INTO personal (id, name, value) VALUES ({mark}, {mark}, {mark})"  # noqa: S608

    def append(self, entries: Entries, after: Future[None] | None = None) -> Future[None]:
        """Resolved once the entries are committed, all or none; written after `after`, and not where that failed."""
        if after is None or (after.done() and after.exception() is None):
            return self._group.hand_in(entries)
        done: Future[None] = Future()
        after.add_done_callback(lambda earlier: self._follow(earlier, entries, done))
        return done

    @property
    def ended(self) -> bool:
        """Whether it takes no more entries."""
        return self._group.ended

    @property
    def stuck(self) -> bool:
        """Whether the database has had entries for STUCK_SECONDS and has not answered."""
        since = self._since
        return since is not None and time.monotonic() - since > STUCK_SECONDS

    def check(self) -> None:
        """What was opened is still what lies there (on a server there is nothing to look at), and can be noted outside.

        Raises:
            RecordsError: it is not, or cannot.
        """
        try:
            self._look()
        except self._driver.Error as error:
            raise RecordsError(f"the records cannot be written ({_reason(error)})") from error
        if self._file is not None:
            check_outside(self._file)

    @property
    def takes(self) -> bool:
        """Whether the database took what it was given last; after a failure it is tried, and nothing stays of that."""
        return not self._refused or self._group.hand_in(()).exception() is None

    def close(self) -> None:
        """Write what waits, then a last checkpoint; a database that does not answer is not waited for any longer."""
        if not self._group.close(CLOSE_SECONDS):
            return
        try:
            if self._open_rows:
                self._checkpoint()
        except (RecordsError, SQLAlchemyError, self._driver.Error):
            return  # taken away, or it cannot be noted: what is committed stays so
        finally:
            self._let_go()

    def _look(self) -> None:
        if self._place is not None:
            self._place.check()

    def _follow(self, earlier: Future[None], entries: Entries, done: Future[None]) -> None:
        error = earlier.exception()
        if error is not None:
            done.set_exception(error)
        else:
            self._group.hand_in(entries, done)

    def _write(self, group: Sequence[Waiting[Entries]]) -> None:
        self._since = time.monotonic()
        try:
            self._write_group(group)
        finally:
            self._since = None

    def _write_group(self, group: Sequence[Waiting[Entries]]) -> None:
        if len(group) > 1 and self._tried([entry for entries, _ in group for entry in entries]) is None:
            self._check_when_due()
            return
        for entries, future in group:  # one by one, so that what fails fails alone
            error = self._tried(entries)
            if error is not None:
                future.set_exception(error)
        self._check_when_due()

    def _tried(self, entries: Sequence[Entry]) -> RecordsError | None:
        was_open = self._connection is not None
        try:
            if entries:
                self._commit(entries)
            else:
                self._try()
            self._refused = False
        except RecordsError as error:
            return error
        except self._driver.IntegrityError as error:
            if any(name in str(error) for name in ("records.id", "records_id")):
                return DuplicateRecord("a record of this id exists already")
            return RecordsError(f"the records cannot be written ({_reason(error)})")
        except (
            SQLAlchemyError,
            self._driver.Error,
        ) as error:
            cut = was_open and self._was_cut()
            self._let_go()  # whether it was committed is not known: another chain begins
            if cut:
                return self._tried(entries)
            self._refused = True
            return RecordsError(f"the records cannot be written ({_reason(error)})")
        return None

    def _was_cut(self) -> bool:
        """Whether the database hung up before it was told to commit, as it does to idle connections when it restarts.

        Nothing of the transaction was kept then, so the same entries may be written over a new connection.
        """
        driver = None if self._connection is None else self._connection.connection.driver_connection
        return not self._committing and bool(getattr(driver, "closed", False))

    def _commit(self, entries: Sequence[Entry]) -> None:
        connection = self._opened()
        seq, before = self._seq, self._seal
        rows: list[Row] = []
        for entry in entries:
            seq += 1
            row = row_of(self._writer, seq, entry)
            before = seal(self._key, before, row)
            rows.append((*row, before))
        personal = [(entry.id, name, value) for entry in entries for name, value in entry.personal.items()]
        self._insert_all(connection.connection.driver_connection, rows, personal)
        self._seq, self._seal = seq, before
        self._open_rows += len(rows)

    def _try(self) -> None:
        """Insert rows and take them back, which a full disk refuses; where it goes well, begin the chain."""
        rows = [(*row_of("", number, Entry("trial", TRIAL)), b"") for number in range(TRIALS)]
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin() as transaction:
            connection.exec_driver_sql(self._insert, rows)
            transaction.rollback()
        self._opened()

    def _insert_all(self, driver: Any, rows: Sequence[Row], personal: Sequence[Row]) -> None:
        """One transaction, by the driver itself: what lies above it costs as much as twenty rows."""
        cursor, committed, self._committing = driver.cursor(), False, False
        try:
            if self._engine.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(self._insert, rows)
            if personal:
                cursor.executemany(self._personal, personal)
            self._committing = True
            driver.commit()
            committed = True
            self._look()  # after it: what nobody will find is not acknowledged
        except (UnicodeEncodeError, OverflowError, self._driver.DataError) as error:  # no such value can be stored
            raise RecordsError(f"this cannot be recorded: {_reason(error)}") from error
        finally:
            if not committed:
                with suppress(self._driver.Error):
                    driver.rollback()
            cursor.close()

    def _opened(self) -> Connection:
        """The connection; with a new one a new chain begins, known to the checkpoints before its first row."""
        self._look()
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(writes=True)
            self._writer = secrets.token_hex(8)
            self._seq, self._seal = 0, first_seal(self._key, self._writer)
            begun = False
            try:
                self._checkpoint()
                begun = True
            finally:
                if not begun:  # else the next entry would go into a chain that is noted nowhere
                    self._let_go()
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _check_when_due(self) -> None:
        if self._open_rows >= ROWS_A_CHECKPOINT or time.monotonic() - self._checked >= SECONDS_A_CHECKPOINT:
            self._idle()

    def _idle(self) -> None:
        if self._open_rows and self._connection is not None:
            try:
                self._checkpoint()
            except (RecordsError, SQLAlchemyError, self._driver.Error):
                self._let_go()  # what is committed stays so; the next group says what is wrong

    def _checkpoint(self) -> None:
        if self._connection is None:
            return
        self._look()  # the file outside is of what lies there
        if self._file is not None:
            check_outside(self._file)  # before one is made that would be noted nowhere
        with self._connection.begin():
            made = make_checkpoint(self._connection, self._key, self._writer, (self._seq, self._seal))
            if not self._seq and not fits(self._connection, self._key):  # another began while we had nothing to write
                self._refused = True
                raise RecordsError(MADE_WITH_ANOTHER)
        if self._file is not None:
            note_outside(self._file, made)
        self._open_rows, self._checked = 0, time.monotonic()


def _reason(error: Exception) -> str:
    """The driver's own first line: what follows may hold values."""
    own = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
    return (str(own or "").strip() or type(error).__name__).splitlines()[0]
