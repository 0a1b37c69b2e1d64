"""Processes that lead a group of their own -> ended, and found again by the file they tell; knows no work."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

PLACE = "HILUM_PROGRESS_FILE"  # in the environment of a work: by it one that outlived its server is found


def end(leader: int) -> None:
    """Tell it, and all that it began, to end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)


def telling(file: Path) -> Iterator[int]:
    """Leaders of their groups that were begun to tell this file; none where the system has no /proc."""
    mark = b"%s=%s" % (PLACE.encode(), bytes(file))
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended in this moment, or not ours
            number = int(environ.parent.name)
            if mark in environ.read_bytes().split(b"\0") and os.getpgid(number) == number:
                yield number
