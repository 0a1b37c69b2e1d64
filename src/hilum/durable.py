"""A file or a folder's list of names -> on the disk, so that it survives a loss of power; knows no content."""

from __future__ import annotations

import glob
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

LEFT_SECONDS = 3600.0  # a draft that nobody wrote to for so long was left by a writer that was killed


def sync_folder(folder: Path) -> None:
    """Names that were made, changed or taken away in a folder are durable once it is.

    Raises:
        OSError: the disk does not take it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of the one before, durably, whole or not at all.

    Raises:
        OSError: the disk does not take it.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")  # drawn: another one may write the same file now
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sweep(path)
    sync_folder(path.parent)


def _sweep(path: Path) -> None:
    """Take away the drafts of this file that killed writers left."""
    before = time.time() - LEFT_SECONDS
    for draft in path.parent.glob(f"{glob.escape(path.name)}.*new"):  # also those of before, with nothing drawn
        with suppress(OSError):  # another one was quicker, or it is not ours
            if draft.stat().st_mtime < before:
                draft.unlink()
