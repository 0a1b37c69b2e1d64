"""Questions -> a bounded line with deadlines, answered in batches by a few threads; decides before any decoding.

A batch is whatever waits when a thread is free: no question waits for company.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from hilum.errors import Full, Late, Stopping
from hilum.flows.answer import Ask, Reply
from hilum.monitor.meters import Meters

BATCH = 8  # questions answered together at most


class Answers(Protocol):
    """Whoever answers a batch."""

    def answer(self, asks: list[Ask]) -> list[Future[Reply]]: ...


@dataclass(frozen=True, slots=True)
class Length:
    """How many may wait, how long in seconds, and how many threads answer."""

    most: int = 256
    seconds: float = 10.0
    threads: int = 2


@dataclass(eq=False, slots=True)
class _Visit:
    """Questions that came together: once the first of them is answered none of the others comes too late."""

    entered: float
    until: float
    begun: bool = False


@dataclass(eq=False, slots=True)
class _Waiting:
    ask: Ask
    visit: _Visit
    reply: Future[Reply] = field(default_factory=Future)


class Line:
    """The waiting line before the clerk."""

    def __init__(self, clerk: Answers, length: Length, meters: Meters) -> None:
        self._clerk = clerk
        self._length = length
        self._meters = meters
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._open = True
        self._busy = 0
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        meters.gauge("hilum_queue_requests", "Requests that wait", lambda: float(self._queue.qsize()))
        numbers = range(length.threads)
        self._threads = [threading.Thread(target=self._serve, daemon=True, name=f"answer-{i}") for i in numbers]
        for thread in self._threads:
            thread.start()

    @property
    def is_open(self) -> bool:
        """Whether anyone may still join."""
        return self._open

    @property
    def waiting(self) -> int:
        """How many wait and are not being answered yet."""
        return self._queue.qsize()

    @property
    def places(self) -> int:
        """How many more may wait."""
        return self._length.most - self._queue.qsize()

    @property
    def full(self) -> bool:
        """Whether one more would be turned away."""
        return self.places <= 0

    def enter(self, ask: Ask) -> Future[Reply]:
        """Join the line; raises like `enter_all`."""
        return self.enter_all((ask,))[0]

    def enter_all(self, asks: Sequence[Ask]) -> list[Future[Reply]]:
        """Join the line together, all or none; how long they took to arrive does not count as waiting.

        Raises:
            Full: too many wait already. Stopping: the server is shutting down.
        """
        if not self._open:
            raise Stopping("the server is shutting down: try again in a moment")
        if self.places < min(len(asks), self._length.most):
            self._meters.away("full")
            raise Full(f"{self._queue.qsize()} of at most {self._length.most} wait already: try again in a moment")
        now = time.perf_counter()
        visit = _Visit(now, now + self._length.seconds)
        return [self._joined(_Waiting(ask, visit)) for ask in asks]

    def close(self, seconds: float = 25.0) -> bool:
        """Take no more, answer those who wait; True when nobody waits any more."""
        self._open = False
        with self._idle:
            empty = self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)
        for _ in self._threads:
            self._queue.put(None)
        return empty

    def _joined(self, waiting: _Waiting) -> Future[Reply]:
        with self._lock:
            self._busy += 1
        waiting.reply.add_done_callback(self._left)
        self._queue.put(waiting)
        return waiting.reply

    def _left(self, _: Future[Reply]) -> None:
        with self._idle:
            self._busy -= 1
            if self._busy == 0:
                self._idle.notify_all()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = self._in_time([first, *self._more()])
            if not batch:
                continue
            self._meters.batch(len(batch))
            try:
                found = self._clerk.answer([waiting.ask for waiting in batch])
            except Exception as error:  # noqa: BLE001 - who waits must be told, whatever it was, and the thread must live on
                for waiting in batch:
                    _fail(waiting.reply, error)
                continue
            for waiting, answer in zip(batch, found, strict=True):
                answer.add_done_callback(lambda done, reply=waiting.reply: _hand_on(done, reply))  # type: ignore[misc]

    def _more(self) -> list[_Waiting]:
        """A fair share of those who wait."""
        share = min(BATCH - 1, self._queue.qsize() // len(self._threads))
        taken = []
        for _ in range(share):
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._queue.put(None)
                break
            taken.append(waiting)
        return taken

    def _in_time(self, batch: list[_Waiting]) -> list[_Waiting]:
        now, kept = time.perf_counter(), []
        for waiting in batch:
            visit = waiting.visit
            if not waiting.reply.set_running_or_notify_cancel():  # from here on nobody can leave: all get a word
                continue
            if now > visit.until and not visit.begun:
                self._meters.away("late")
                late = f"waited {now - visit.entered:.1f} s, longer than allowed: nothing was answered"
                waiting.reply.set_exception(Late(late))
            else:
                visit.begun = True
                self._meters.stage("queue", now - visit.entered)
                kept.append(waiting)
        return kept


def _fail(reply: Future[Reply], error: BaseException) -> None:
    if not reply.done():
        reply.set_exception(error)


def _hand_on(done: Future[Reply], reply: Future[Reply]) -> None:
    error = done.exception()
    if error is not None:
        reply.set_exception(error)
    else:
        reply.set_result(done.result())
