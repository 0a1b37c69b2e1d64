"""A restore under way -> a note in HILUM_HOME: nobody opens a half of what was backed up, and the next restore goes on.

The note lists every file that is put back; all of them were free before. Its writer holds it, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hilum.durable import sync_folder
from hilum.errors import UsageError

NOTE = "restoring.json"
AHEAD = ("-wal", "-journal", "-shm")  # behind a database's name: to SQLite the newer part of whatever lies there


def check_restored(home: Path) -> None:
    """Nothing is opened where a restore has not come to its end.

    Raises:
        UsageError: it has not.
    """
    if (home / NOTE).exists():
        raise UsageError(f"{home}: a restore has not come to its end here: wait for it, or give `hilum restore` again")


def check_free(home: Path, places: Iterable[Path], databases: Iterable[Path]) -> None:
    """Nothing is ever restored over what is there, nor beside what a database that was taken away left behind.

    places: of all that is to be restored. databases: those of them that SQLite opens.

    Raises:
        UsageError: something is.
    """
    there = [home] if any(path.is_file() for path in home.rglob("*")) else []
    there += [place for place in places if place.exists()]
    if there:
        raise UsageError(f"{there[0]}: is not empty; nothing is restored over what is there (HILUM_HOME says where)")
    beside = (place.with_name(f"{place.name}{end}") for place in databases for end in AHEAD)
    left = next((file for file in beside if file.exists()), None)
    if left is not None:
        raise UsageError(
            f"{left}: belongs to another database that lay here and would be written into the restored one: move it "
            "away, together with that database"
        )


def take_back(home: Path) -> None:
    """Take away what a restore that was killed has put there.

    Raises:
        UsageError: it is under way.
    """
    with contextlib.suppress(FileNotFoundError), (home / NOTE).open("rb") as note:
        _hold(note.fileno(), home)
        with contextlib.suppress(ValueError):  # killed while it wrote the list: nothing was put back yet
            for place in json.loads(note.read()):
                Path(place).unlink(missing_ok=True)
        (home / NOTE).unlink()
        sync_folder(home)


@contextlib.contextmanager
def noted(home: Path, places: Iterable[Path]) -> Iterator[None]:
    """Nobody opens this home within the block, nor after it where the process is killed.

    Raises:
        UsageError: another restore is under way.
    """
    home.mkdir(parents=True, mode=0o700, exist_ok=True)
    try:
        handle = os.open(home / NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _under_way(home) from None
    with os.fdopen(handle, "wb") as note:
        _hold(handle, home)
        try:
            note.write(json.dumps([str(place.absolute()) for place in places]).encode())
            note.flush()
            os.fsync(handle)
            sync_folder(home)
            yield
        finally:
            (home / NOTE).unlink()
            sync_folder(home)


def _hold(handle: int, home: Path) -> None:
    """Hold the note, and be sure that it lies there still: another restore may have ended, or begun, just before."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _under_way(home) from None
    except OSError:  # a disk that knows no locks
        pass
    try:
        is_there = os.path.samestat(os.fstat(handle), (home / NOTE).stat())
    except FileNotFoundError:
        is_there = False
    if not is_there:
        raise _under_way(home)


def _under_way(home: Path) -> UsageError:
    return UsageError(f"{home}: a restore is under way here; wait for it, or stop it")
