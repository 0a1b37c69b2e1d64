"""Keys and bytes -> a folder: small images in one SQLite file, large ones as files; knows no key's meaning.

One row in a file that is open costs a tenth of the processor time of a file of its own, and all rows that wait share
one sync of the disk. What a folder of files would give (one name, one image) `hilum` gives through the records.
"""

from __future__ import annotations

import math
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from hilum.durable import sync_folder
from hilum.errors import StorageError
from hilum.group import Group, Waiting
from hilum.sqlite import Place, fold_in, in_turns, open_as_it_lies, set_up
from hilum.storage.shelf import NONE, is_key

PAUSE = 0.005  # seconds between two commits while several images come at a time
LARGE = 512 * 1024  # bytes from which an image is a file of its own
AT_ONCE = 100  # images erased in one transaction; what is to be kept meanwhile waits for it
HALVES = (".new", ".gone")  # behind a key: a file that is being written, one that is being erased
_TABLE = "CREATE TABLE IF NOT EXISTS images (key TEXT PRIMARY KEY, at INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
_OPENING = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-1024",
)
_MAKING = (  # a new file alone: auto_vacuum writes each time, so that a full disk could not even be read from
    "PRAGMA page_size=16384",
    "PRAGMA auto_vacuum=INCREMENTAL",
    *_OPENING,
    _TABLE,
)


class LocalShelf:
    """A folder of this machine; several processes may use it at once."""

    def __init__(self, folder: Path, *, as_it_lies: bool = False) -> None:
        """Open the folder, made where it is missing, readable by its owner only; as it lies: one that nobody writes."""
        self._folder, self._file, self._as_it_lies = folder, folder / "images.sqlite", as_it_lies
        self._mine = threading.local()
        self._open: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._opening = threading.Lock()
        self._place: Place | None = None
        try:
            if not as_it_lies:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection()
            self._place = None if as_it_lies else Place(self._file)
        except (OSError, sqlite3.Error) as error:
            what = "read" if as_it_lies else "kept"
            raise StorageError(f"{folder}: images cannot be {what} here ({error})") from error
        self._writer: Group[tuple[str, bytes]] = Group(self._write, "hilum-images", pause=PAUSE)

    def kept_at(self, key: str) -> float | None:
        """When the key was last put (seconds since 1970), None where it is not kept."""
        if (at := self._row_at(key)) is not None:
            return at
        try:
            return os.stat(f"{self._folder}/large/{key[:2]}/{key}").st_mtime  # noqa: PTH116  a Path costs more than the look-up
        except OSError:
            return None

    def look(self) -> None:
        """Raises StorageError where nothing can be looked for."""
        self.kept_at(NONE)
        self._look()

    def keep(self, key: str, data: bytes, fresh: float) -> Future[None]:
        """Resolved once the bytes are on the disk; what was put less than `fresh` seconds ago is there."""
        try:
            at = self._row_at(key) if len(data) < LARGE else self.kept_at(key)
            self._look()
        except StorageError as error:
            failed: Future[None] = Future()
            failed.set_exception(error)
            return failed
        if at is not None and time.time() - at < fresh:
            return _DONE
        return self._writer.hand_in((key, data))

    def get(self, key: str) -> bytes | None:
        """The bytes, None where there are none."""
        try:
            row = self._connection().execute("SELECT data FROM images WHERE key = ?", (key,)).fetchone()
            return bytes(row[0]) if row else self._large(key).read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"an image cannot be read ({error})") from error

    def delete(self, keys: Sequence[str], before: float) -> None:
        """Overwrite and remove, halves too; the write-ahead file is folded in, so that no copy stays there."""
        try:
            connection = self._connection()
            for part in in_turns(keys, AT_ONCE):
                _delete_rows(connection, part, before)
            gone = set(keys)
            for folder in sorted({self._large(key).parent for key in gone}):
                for path in folder.glob("*"):
                    if path.name.partition(".")[0] in gone:
                        _wipe(path, before)
            if gone:
                fold_in(connection)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"an image cannot be erased ({error})") from error

    def sweep(self, before: float) -> int:
        """Remove files that a crash before a moment left half written or half erased; returns how many."""
        halves = [path for path in self._folder.glob("large/*/*") if path.suffix in HALVES and is_key(path.name[:64])]
        try:
            return sum(_wipe(path, before) for path in halves)
        except OSError as error:
            raise StorageError(f"an image cannot be erased ({error})") from error

    def keys(self) -> Iterator[str]:
        """Every key, in no order; what else lies there is none."""
        asked, last = "SELECT rowid, key FROM images WHERE rowid > ? ORDER BY rowid LIMIT 10000", 0
        while rows := self._rows(asked, last):
            last = rows[-1][0]
            yield from (key for _, key in rows)
        yield from (path.name for path in self._folder.glob("large/*/*") if is_key(path.name))

    def close(self) -> None:
        """Finish what waits."""
        self._writer.close()
        with self._opening:
            for _, connection in self._open:
                connection.close()
            self._open.clear()

    def _look(self) -> None:
        try:
            if self._place is not None:
                self._place.check()
        except sqlite3.Error as error:
            raise StorageError(f"an image cannot be kept ({error})") from error

    def _row_at(self, key: str) -> float | None:
        rows = self._rows("SELECT at FROM images WHERE key = ?", key)
        return float(rows[0][0]) if rows else None

    def _rows(self, asked: str, value: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._connection().execute(asked, (value,)).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"the images cannot be read ({error})") from error

    def _large(self, key: str) -> Path:
        return self._folder / "large" / key[:2] / key

    def _connection(self) -> sqlite3.Connection:
        """One for each thread; those of threads that have ended are let go when another begins."""
        found: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if found is None:
            found = self._to_read() if self._as_it_lies else self._to_write()
            self._mine.connection = found
            with self._opening:
                for thread, connection in self._open:
                    if not thread.is_alive():
                        connection.close()
                self._open = [pair for pair in self._open if pair[0].is_alive()]
                self._open.append((threading.current_thread(), found))
        return found

    def _to_read(self) -> sqlite3.Connection:
        if self._file.exists():
            return open_as_it_lies(self._file)
        made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)  # no image was ever kept
        made.execute(_TABLE)
        return made

    def _to_write(self) -> sqlite3.Connection:
        if self._place is not None:
            self._place.check()
        if not self._file.exists():  # before SQLite does, so that its neighbours inherit the mode
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            sync_folder(self._folder)
        made = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
        set_up(made, _OPENING if _is_made(made) else _MAKING)
        return made

    def _write(self, group: Sequence[Waiting[tuple[str, bytes]]]) -> None:
        try:
            for (key, data), _ in group:
                if len(data) >= LARGE:
                    self._write_file(key, data)
            small = [work for work, _ in group if len(work[1]) < LARGE]
            if small:
                self._write_rows(small)
        except (OSError, sqlite3.Error) as error:
            for _, future in group:
                future.set_exception(StorageError(f"an image cannot be kept ({error})"))

    def _write_rows(self, rows: Sequence[tuple[str, bytes]]) -> None:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = int(time.time())
            connection.executemany(
                "INSERT INTO images VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET at = excluded.at",
                [(key, now, data) for key, data in rows],
            )
            connection.execute("COMMIT")
            if self._place is not None:
                self._place.check()  # after it: what nobody will find is not kept
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _write_file(self, key: str, data: bytes) -> None:
        final = self._large(key)
        for folder in (final.parent.parent, final.parent):
            folder.mkdir(exist_ok=True, mode=0o700)
        fresh = final.with_name(f"{key}.{secrets.token_hex(8)}.new")  # the process's number is 1 in every container
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:  # noqa: PTH123  the mode counts
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(final)
        except OSError:
            with suppress(OSError):  # what stays all the same goes with the next sweep
                _wipe(fresh, math.inf)
            raise
        for folder in (final.parent, final.parent.parent, self._folder):
            sync_folder(folder)


def _is_made(connection: sqlite3.Connection) -> bool:
    """Whether the file has its table, which comes last."""
    with suppress(sqlite3.OperationalError):  # another one is making it: whoever makes it, too, waits
        return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'images'").fetchall())
    return False


def _delete_rows(connection: sqlite3.Connection, keys: Sequence[str], before: float) -> None:
    """In one transaction: one sync of the disk for all of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("DELETE FROM images WHERE key = ? AND at <= ?", [(key, before) for key in keys])
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _wipe(path: Path, before: float) -> bool:
    """Overwrite a file with zeros and remove it, where it was last written before a moment; whether it was.

    It first gets another name: whoever keeps the same image in that very moment begins anew.
    """
    aside = path.with_name(f"{path.name[:64]}.{secrets.token_hex(8)}.gone")
    with suppress(FileNotFoundError):  # another one was quicker
        if path.stat().st_mtime > before:
            return False
        path.rename(aside)
        with aside.open("r+b") as file:
            left = os.fstat(file.fileno()).st_size
            while left:
                left -= file.write(bytes(min(left, LARGE)))
            file.flush()
            os.fsync(file.fileno())
        aside.unlink()
        sync_folder(path.parent)
        return True
    return False


_DONE: Future[None] = Future()
_DONE.set_result(None)
