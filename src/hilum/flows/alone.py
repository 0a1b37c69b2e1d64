"""A run's folder, or the place of a package to come -> held by one process; another one is told so at its beginning."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hilum.durable import LEFT_SECONDS
from hilum.errors import StorageError, UsageError

LOCK = "lock"
A_MOMENT = 5.0  # seconds: a place that is drawn is held by then


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


def sweep_place(place: Path) -> None:
    """Take away an empty place whose run was killed: one that nobody holds; where a disk knows no locks, an old one.

    What was only just made may have yet to be held. A package needs no folder there to take its place.
    """
    with contextlib.suppress(OSError):  # a package lies there; or another one was quicker
        age = time.time() - place.stat().st_mtime
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if age > _left_after(handle):
                place.rmdir()
        finally:
            os.close(handle)


def _left_after(handle: int) -> float:
    """The age in seconds from which an empty place was left behind; there is none where it is held."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return math.inf
    except OSError:
        return LEFT_SECONDS
    return A_MOMENT


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
