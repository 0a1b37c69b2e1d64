"""A folder for what was sent -> room for it, and all of it kept or nothing; knows no batch and no work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.errors import StorageError

SPARE = 512 * 1024**2  # bytes of the disk that uploads leave to the records and images of everybody else


def check_room(place: Path, size: int, what: str) -> None:
    """Refuse what would take the disk from the records before it is written: until the disk refuses it they have none.

    Raises:
        StorageError: `what` would leave less than SPARE.
    """
    if shutil.disk_usage(place).free - size < SPARE:
        raise StorageError(f"{what} cannot be kept: the disk is nearly full")


@contextmanager
def whole_or_gone(place: Path, what: str) -> Iterator[None]:
    """What is written into the folder meanwhile stays, or nothing of it where it could not be kept whole.

    Raises:
        StorageError: the disk does not take `what`.
    """
    whole = False
    try:
        yield
        whole = True
    except OSError as error:
        raise StorageError(f"{what} cannot be kept: {error.strerror}") from error
    finally:
        if not whole:
            shutil.rmtree(place, ignore_errors=True)
