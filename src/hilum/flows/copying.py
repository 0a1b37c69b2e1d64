"""Files and a database as they lie -> durable copies of them, for their owner only; knows no backup and no home."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hilum.durable import naming, sync_folder
from hilum.errors import StorageError

PIECE = 1 << 20  # bytes in memory


def inside(folder: Path) -> Iterator[Path]:
    """All that lies below a folder; one that is taken away while it is listed, as a work by its erasure, is left out.

    Raises:
        OSError: a folder cannot be looked into: without what lies in it a backup would pass for a whole one.
    """

    def unless_gone(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    for root, folders, names in os.walk(folder, onerror=unless_gone):
        yield from (Path(root, name) for name in (*folders, *names))


def copy_file(source: Path, to: Path) -> str | None:
    """Copy durably; returns its hash, None where it was erased in this moment."""
    digest = hashlib.sha256()
    try:
        reading = source.open("rb")
    except FileNotFoundError:
        return None
    with reading, naming(to), os.fdopen(_make(to), "wb") as out:
        while piece := reading.read(PIECE):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    sync_folder(to.parent)
    return digest.hexdigest()


def copy_database(source: Path, to: Path) -> None:
    """One moment of a database that others go on writing (https://sqlite.org/backup.html)."""
    os.close(_make(to))
    try:
        with closing(sqlite3.connect(source, timeout=30)) as here, closing(sqlite3.connect(to)) as there:
            here.backup(there)
            there.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, which can be read as it lies
    except sqlite3.Error as error:
        raise StorageError(f"{source}: cannot be backed up ({error})") from error


def _make(file: Path) -> int:
    """A new file, and the folders above it, for their owner only."""
    for folder in reversed([one for one in file.parents if not one.exists()]):
        folder.mkdir(mode=0o700)
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
