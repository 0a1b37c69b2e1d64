"""A run's folder -> held by one process; another one is told so before it reads or writes anything in it."""

from __future__ import annotations

import contextlib
import fcntl
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


def left(folder: Path) -> bool:
    """Whether nobody works in a run's folder any more: its lock is there, and free."""
    with contextlib.suppress(OSError), (folder / LOCK).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False
