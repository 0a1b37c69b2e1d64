"""Paths and addresses -> their bytes in the order given, several far ones fetched at once while others are answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from hilum.data.places.far import is_far
from hilum.flows.reading import Item, Read, read_item

AHEAD = 8  # files that are fetched at once


def readings_ahead(items: Iterable[Item], most: int) -> Iterator[Read]:
    """As `readings`; what lies on this disk is read only when its turn comes."""
    waiting: deque[Item | Future[Read]] = deque()
    pool = ThreadPoolExecutor(AHEAD)
    try:
        for item in items:
            far = isinstance(item, str) and is_far(item)
            waiting.append(pool.submit(read_item, item, most) if far else item)
            while waiting and (len(waiting) >= AHEAD or not isinstance(waiting[0], Future)):
                yield _next(waiting, most)
        while waiting:
            yield _next(waiting, most)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _next(waiting: deque[Item | Future[Read]], most: int) -> Read:
    first = waiting.popleft()
    return first.result() if isinstance(first, Future) else read_item(first, most)
