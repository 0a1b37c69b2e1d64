"""Costly work -> done a little at a time, in threads apart from those that answer; knows not what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from hilum.interfaces.http.problems import Problem

T = TypeVar("T")


class Turns:
    """So many pieces side by side, and so many that may wait; one more is refused with 503."""

    def __init__(self, at_once: int, waiting: int, what: str) -> None:
        """`what`: of what there may be too much, for people."""
        self._at_once, self._most, self._what = at_once, waiting, what
        self._limiter: anyio.CapacityLimiter | None = None
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do it when it is its turn.

        Raises:
            Problem: too many wait.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._at_once)
        if self._waiting >= self._most:
            raise Problem(503, "full", f"too many {self._what} at once", {"Retry-After": "2"})
        self._waiting += 1
        try:
            return await run_sync(work, limiter=self._limiter)
        finally:
            self._waiting -= 1
