"""A run's folder, or the place of a package to come -> held by one process; another one is told so at its beginning."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hilum.errors import StorageError, UsageError

LOCK = "lock"


def alone(folder: Path) -> BinaryIO:
    """Hold the folder until what is given back is closed, or the process ends, however it ends.

    Raises:
        UsageError: another process holds it. StorageError: the disk knows no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UsageError(f"this very run is under way already, in {folder}: wait for it, or stop it") from error
    except OSError as error:
        file.close()
        raise StorageError(
            f"{folder}: this disk gives no locks ({error.strerror}), and without one two runs would write into each "
            "other: set HILUM_HOME to a folder on another disk"
        ) from error
    return file


@contextlib.contextmanager
def place_held(out: Path) -> Iterator[None]:
    """Hold an empty folder where something is to go that takes hours to make; it is gone where nothing came of it.

    Raises:
        UsageError: something lies there, or another process holds it.
    """
    if out.exists() and not out.is_dir():
        raise _taken(out)
    out.mkdir(parents=True, exist_ok=True)  # what keeps it from being written is said before the work
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _hold(handle, out)
        try:
            if any(out.iterdir()):
                raise _taken(out)
            yield
        finally:
            with contextlib.suppress(OSError):  # something came of it
                out.rmdir()
    finally:
        os.close(handle)


def _hold(handle: int, out: Path) -> None:
    """Hold it, and be sure that it lies there still: who held it may have filled it, or taken it away, just before."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _promised(out) from None
    except OSError:  # a disk that knows no locks: whoever is later is refused at its end
        return
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), out.stat()):
            return
    raise _promised(out)


def _taken(out: Path) -> UsageError:
    return UsageError(f"{out}: exists already; a sealed package is never written over")


def _promised(out: Path) -> UsageError:
    return UsageError(f"{out}: another run under way puts its package there: name another place, or wait for it")


def left(folder: Path) -> bool:
    """Whether nobody works in a run's folder any more: its lock is there, and free."""
    with contextlib.suppress(OSError), (folder / LOCK).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False
