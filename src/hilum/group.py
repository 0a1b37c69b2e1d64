"""Work handed in by many threads -> done by one, everything that waits at once; knows no disk and no database.

What costs the same for one as for many (a commit, a sync of the disk) is so paid once for all who wait. A piece that
comes alone is done at once. Only while several come at a time do groups keep a pause between them, so that they are
few and large: that is when processor time is short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hilum.errors import StorageError

Work = TypeVar("Work")
Waiting = tuple[Work, "Future[None]"]


class Group(Generic[Work]):
    """One thread that does the work of many; it starts with the first piece of work."""

    def __init__(
        self,
        do: Callable[[Sequence[Waiting[Work]]], None],
        name: str,
        *,
        most: int = 512,
        pause: float = 0.0,
        idle: tuple[float, Callable[[], None]] | None = None,
    ) -> None:
        """Wrap what does a group.

        do: does them all; a future that it leaves unresolved is resolved when it returns.
        most: pieces of work in one group. pause: seconds from a group of several to the next one.
        idle: what to do after so many seconds without work.
        """
        self._do, self._name, self._most, self._idle = do, name, most, idle
        self._pause, self._rested = pause, 0.0  # not before this moment of the monotonic clock
        self._queue: SimpleQueue[Waiting[Work] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = self._ended = False

    def hand_in(self, work: Work, done: Future[None] | None = None) -> Future[None]:
        """Queue a piece of work; the future is resolved when it is done, or holds the error that says why not."""
        future: Future[None] = Future() if done is None else done
        if self._thread is None and not self._started():
            future.set_exception(StorageError(f"{self._name}: no thread can be started now"))
        elif self._closed:
            future.set_exception(StorageError(f"{self._name}: closed"))
        else:
            self._queue.put((work, future))
            if self._ended:  # it ended between the question and the queue
                self._refuse()
        return future

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done: closed, or stopped by an error."""
        return self._closed

    def close(self, seconds: float | None = None) -> bool:
        """Do what waits, then stop; whether it was done within so many seconds (None: it is waited for)."""
        with self._starting:
            self._closed = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join(seconds)
        self._ended = True
        self._refuse()
        return thread is None or not thread.is_alive()

    def _started(self) -> bool:
        """Whether the thread runs, or there shall be none; one that the system refuses is asked for again next time."""
        with self._starting:
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def _run(self) -> None:
        try:
            while (group := self._gathered()) is not None:
                self._done(group)
        finally:
            self._closed = self._ended = True
            self._refuse()

    def _gathered(self) -> list[Waiting[Work]] | None:
        first = self._next()
        if first is None:
            return None
        group = [first]
        if not self._closed and (rest := self._rested - time.monotonic()) > 0:
            time.sleep(rest)
        while len(group) < self._most:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:  # the end: this group first
                self._queue.put(None)
                break
            group.append(following)
        self._rested = time.monotonic() + self._pause if len(group) > 1 else 0.0
        return group

    def _next(self) -> Waiting[Work] | None:
        while self._idle is not None:
            seconds, rest = self._idle
            try:
                return self._queue.get(timeout=seconds)
            except Empty:
                rest()
        return self._queue.get()

    def _done(self, group: Sequence[Waiting[Work]]) -> None:
        finished = False
        try:
            self._do(group)
            finished = True
        finally:  # nobody waits for ever, whatever happened
            for _, future in group:
                if not future.done():
                    if finished:
                        future.set_result(None)
                    else:
                        future.set_exception(StorageError(f"{self._name}: stopped by an error"))

    def _refuse(self) -> None:
        while True:
            try:
                left = self._queue.get_nowait()
            except Empty:
                return
            if left is not None:
                left[1].set_exception(StorageError(f"{self._name}: closed"))
