"""A connection to a SQLite file and its opening statements -> the connection set up; knows no table.

Turning a new file to a write-ahead journal asks for it alone, and SQLite then answers "locked" at once instead of
waiting (https://sqlite.org/c3ref/busy_handler.html): whoever opens one new file together with others waits here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

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


def _done(connection: sqlite3.Connection, statement: str, *, last: bool) -> bool:
    try:
        connection.execute(statement)
    except sqlite3.OperationalError as error:
        if last or (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return True
