"""Files of a batch -> answers from the waiting line of the server, after the people who wait there; knows no database.

A few files at a time join the line when nobody waits in it, so that a person never waits for more than these few. A
batch is never turned away by its own server: where the line is full or a deadline passes, it waits and joins again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace

from hilum.errors import Full, InputError, Late
from hilum.flows.answer import Ask, Reply
from hilum.flows.line import Line

TOGETHER = 4  # files in the line at once: what a person waits for at most
LOOK = 0.02  # seconds between two looks whether somebody waits
PATIENCE = 1.0  # seconds after which a few files join all the same, so that a busy server finishes a batch too


class Leaving(BaseException):
    """The server stops: the step was not done, and is done again at the next start. No error, so nothing catches it."""


class Behind:
    """Answers files of batches through a line."""

    def __init__(self, line: Line, stopping: threading.Event) -> None:
        """`stopping`: set when the server stops; who waits here then leaves."""
        self._line, self._stopping = line, stopping

    def answer(self, asks: Sequence[Ask]) -> list[Reply | InputError]:
        """One a file, in their order.

        Raises:
            StorageError: what was answered could not be put on record. Stopping: the line is closed.
            Leaving: the server stops.
        """
        found: dict[int, Reply | InputError] = {}
        while len(found) < len(asks):
            self._let_others_go_first()
            left = [i for i in range(len(asks)) if i not in found][:TOGETHER]
            replies = self._joined({i: asks[i] for i in left})
            wait(replies.values())
            for i, reply in replies.items():
                said = _outcome(reply)
                if said is not None:
                    found[i] = said
        return [found[i] for i in range(len(asks))]

    def _let_others_go_first(self) -> None:
        until = time.monotonic() + PATIENCE
        while self._line.full or (self._line.waiting and time.monotonic() < until):
            if self._stopping.wait(LOOK):
                raise Leaving
        if self._stopping.is_set():
            raise Leaving

    def _joined(self, asks: dict[int, Ask]) -> dict[int, Future[Reply]]:
        """Who found a place; each waits from now on, whatever it waited before. The last place is left to people."""
        replies: dict[int, Future[Reply]] = {}
        for i, ask in asks.items():
            if replies and self._line.places <= 1:
                break
            try:
                replies[i] = self._line.enter(replace(ask, since=time.perf_counter()))
            except Full:
                break
        return replies


def _outcome(reply: Future[Reply]) -> Reply | InputError | None:
    """None: it came too late, and joins once more."""
    try:
        return reply.result()
    except InputError as error:
        return error
    except Late:
        return None
