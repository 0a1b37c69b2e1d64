"""A connection to a SQLite file and its opening statements -> the connection set up; knows no table.

Turning a new file to a write-ahead journal asks for it alone, and SQLite then answers "locked" at once instead of
waiting (https://sqlite.org/c3ref/busy_handler.html): whoever opens one new file together with others waits here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

SECONDS, PAUSE = 30.0, 0.01


def set_up(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    """Run the statements in their order, each again while another connection holds the file, for SECONDS at most.

    Raises:
        sqlite3.Error: a statement fails, or the file stays locked.
    """
    until = time.monotonic() + SECONDS
    for statement in statements:
        while not _done(connection, statement, last=time.monotonic() >= until):
            time.sleep(PAUSE)


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
