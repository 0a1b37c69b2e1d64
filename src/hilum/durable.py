"""What is made -> on the disk, whole, so that it survives a kill and a loss of power; knows no content."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LEFT_SECONDS = 3600.0  # a draft that nobody wrote to for so long was left by a writer that was killed
DRAFT = ".hilum-part-"  # before the name of a folder in which something is being made
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """A disk that takes no more says so of a write, which names no file: it names this one."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            error.filename = str(path)
        raise


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


def sync_files(folder: Path) -> None:
    """What is in the files of a folder, and their names, are durable once it is; knows no folders in it.

    Raises:
        OSError: the disk does not take it.
    """
    for path in (*folder.iterdir(), folder):
        sync_folder(path)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of the one before, durably, whole or not at all.

    Raises:
        OSError: the disk does not take it.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")  # drawn: another one may write the same file now
    try:
        with naming(path), fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sweep_drafts(path)
    sync_folder(path.parent)


def _sweep_drafts(path: Path) -> None:
    """Take away the drafts of this file that killed writers left."""
    before = time.time() - LEFT_SECONDS
    for draft in path.parent.glob(f"{glob.escape(path.name)}.*new"):  # also those of before, with nothing drawn
        with contextlib.suppress(OSError):  # another one was quicker, or it is not ours
            if draft.stat().st_mtime < before:
                draft.unlink()


@contextlib.contextmanager
def draft_beside(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, to make in it what is then renamed to `out`; gone afterwards, failed or not.

    A kill leaves it behind: the next one that is made there takes away all that no process holds any more.

    Raises:
        OSError: the disk does not take it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for old in out.parent.glob(f"{DRAFT}*"):
        _sweep_folder(old)
    folder, handle = _held(out.parent)
    try:
        with naming(out):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _held(parent: Path) -> tuple[Path, int]:
    """A new folder and what holds it until it is closed, or the process ends, however it ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=DRAFT, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY)
            with contextlib.suppress(OSError):  # a disk that knows no locks: nothing is swept there either
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.is_dir():  # else another process found it before it was held
                return folder, handle
            os.close(handle)


def sweep_untaken(folder: Path, last: str, older_than: float) -> int:
    """Take away folders in this one without the file that is written last, left so many seconds ago; how many."""
    before, gone = time.time() - older_than, 0
    for left in folder.glob("*/"):
        with contextlib.suppress(FileNotFoundError):  # another one was quicker
            if not (left / last).exists() and left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True)
                gone += 1
    return gone


def _sweep_folder(folder: Path) -> None:
    """Take it away where no process holds it."""
    with contextlib.suppress(OSError):  # held; or another user's; or no folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
