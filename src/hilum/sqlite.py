"""A connection to a SQLite file -> set up, its writing in turns, its write-ahead file folded in; knows no table.

Turning a new file to a write-ahead journal asks for it alone, and SQLite then answers "locked" at once instead of
waiting (https://sqlite.org/c3ref/busy_handler.html): whoever opens one new file together with others waits here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

SECONDS, PAUSE = 30.0, 0.01
FOLDING = 0.1  # seconds that one try to empty the write-ahead file may keep writers waiting
REST = 0.03  # seconds between two turns at least: who waits asks every few milliseconds at first, then less often
Value = TypeVar("Value")


class Place:
    """The path of a file that is open, and which file lay there when it was opened.

    SQLite goes on writing into a file that was deleted or replaced (https://sqlite.org/howtocorrupt.html#unlink), and
    all of it is lost when the process ends.
    """

    def __init__(self, file: Path) -> None:
        """Look at a file that exists."""
        self._file = str(file.absolute())
        self._was = self._lies()

    def check(self) -> None:
        """The file that was opened still lies there.

        Raises:
            sqlite3.OperationalError: it was taken away, or another one lies there.
        """
        if self._was is None or self._lies() != self._was:
            raise sqlite3.OperationalError("its file was taken away or replaced while open: put it back, or start anew")

    def _lies(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)  # noqa: PTH116  with every commit: a Path costs more than the look
        except OSError:
            return None
        return found.st_dev, found.st_ino


def set_up(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    """Run the statements in their order, each again while another connection holds the file, for SECONDS at most.

    Raises:
        sqlite3.Error: a statement fails, or the file stays locked.
    """
    until = time.monotonic() + SECONDS
    for statement in statements:
        while not _done(connection, statement, last=time.monotonic() >= until):
            time.sleep(PAUSE)


def in_turns(values: Sequence[Value], most: int) -> Iterator[Sequence[Value]]:
    """Portions of long writing, each to be a transaction of its own, with a rest after each that is as long as it took.

    SQLite keeps no queue: who waits asks now and then, and meets a lock that is taken again at once for as long as the
    whole writing lasts.
    """
    for start in range(0, len(values), most):
        began = time.monotonic()
        yield values[start : start + most]
        if start + most < len(values):
            time.sleep(max(REST, time.monotonic() - began))


def fold_in(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead file, so that nothing that was erased is left there.

    A reader keeps it from being emptied, and who waits for that with SQLite keeps all writers waiting: it is tried for
    a moment at a time, with a rest in which others write, for SECONDS at most.

    Raises:
        sqlite3.OperationalError: somebody still reads. sqlite3.Error: it cannot be written.
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout={int(FOLDING * 1000)}").fetchall()
    try:
        until = time.monotonic() + SECONDS
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() >= until:
                raise sqlite3.OperationalError(
                    "its write-ahead file still holds what was erased, because somebody reads on and on (a backup, "
                    "hilum verify): erase again when that is over"
                )
            time.sleep(max(REST, FOLDING))
    finally:
        connection.execute(f"PRAGMA busy_timeout={before}").fetchall()


def writable(file: Path) -> bool:
    """Whether a SQLite file and the neighbours it needs can be written where it lies; not so on an auditor's disc."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def open_as_it_lies(file: Path) -> sqlite3.Connection:
    """Read a file that nobody writes, and make nothing beside it.

    Raises:
        sqlite3.Error: it cannot be read as it lies.
    """
    ahead = file.with_name(f"{file.name}-wal")
    if ahead.is_file() and ahead.stat().st_size:  # SQLite would not look into it, so that the last rows seemed cut off
        raise sqlite3.OperationalError(f"{ahead.name} must be folded in first: look at a copy that can be written")
    address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _done(connection: sqlite3.Connection, statement: str, *, last: bool) -> bool:
    try:
        connection.execute(statement)
    except sqlite3.OperationalError as error:
        if last or (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return True
