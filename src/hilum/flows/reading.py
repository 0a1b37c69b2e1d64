"""Paths and addresses -> their bytes in the order given; what lies far off is fetched several files ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hilum.data.places.far import is_far, read_far
from hilum.errors import InputError

AHEAD = 8  # files that are fetched at once


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A folder or address whose files cannot be named; it keeps its place among the files."""

    name: str
    reason: str


Item = str | Unlisted
Read = bytes | InputError
Waiting = deque[tuple[Item, Future[Read] | None]]


def readings(items: Iterable[Item], most: int) -> Iterator[tuple[str, Read]]:
    """Each path with its bytes, at most `most`, or with the error that says why there are none."""
    waiting: Waiting = deque()
    pool: ThreadPoolExecutor | None = None
    try:
        for item in items:
            if isinstance(item, str) and is_far(item):
                pool = pool or ThreadPoolExecutor(AHEAD)
                waiting.append((item, pool.submit(_tried, item, most)))
            else:
                waiting.append((item, None))
            while waiting and (len(waiting) >= AHEAD or waiting[0][1] is None):
                yield _next(waiting, most)
        while waiting:
            yield _next(waiting, most)
    finally:
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def read_limited(path: str, most: int) -> bytes:
    """The bytes of a file on this disk or at an address, at most `most`.

    Raises:
        InputError: it cannot be read or is larger.
    """
    if is_far(path):
        return read_far(path, most)
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > most:
        raise InputError(path, f"larger than {most} bytes (HILUM_MAX_BYTES)")
    return data


def _next(waiting: Waiting, most: int) -> tuple[str, Read]:
    item, coming = waiting.popleft()
    if isinstance(item, Unlisted):
        return item.name, InputError(item.name, item.reason)
    return item, _tried(item, most) if coming is None else coming.result()


def _tried(path: str, most: int) -> Read:
    try:
        return read_limited(path, most)
    except InputError as error:
        return error
