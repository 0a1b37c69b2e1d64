"""The body of a request as it comes in -> the same, until it is too large or too slow; knows no route and no caller."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

from starlette.types import Message, Receive

from hilum.interfaces.http.problems import Problem

PATIENCE_SECONDS = 30.0
SLOWEST = 16 * 1024  # bytes a second, beyond the patience


@dataclass(slots=True)
class Held:
    """The bytes of all bodies whose requests are not answered yet, what was unpacked of them, and how many may be."""

    most: int
    size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, count: int) -> bool:
        """Whether there is room for so many more; they count in any case until they are given back."""
        with self._lock:
            self.size += count
            return self.size <= self.most

    def give_back(self, count: int) -> None:
        """So many are free again."""
        with self._lock:
            self.size -= count


@dataclass(slots=True)
class Inflow:
    """A `receive` for the application; `refusal` says why it stopped, whatever the application makes of the error."""

    source: Receive
    most: int
    held: Held
    refusal: Problem | None = None
    _size: int = 0
    _unpacked: int = 0
    _done: bool = False
    _since: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def __call__(self) -> Message:
        """The next message.

        Raises:
            Problem: 413, 408, or 503 where all requests together hold too much.
        """
        if self._done:
            return await self.source()
        try:
            async with asyncio.timeout_at(self._since + PATIENCE_SECONDS + self._size / SLOWEST):
                message = await self.source()
        except TimeoutError as error:
            raise self._refuse(Problem(408, "too_slow", "the body came too slowly", CLOSE)) from error
        if message["type"] == "http.request":
            part = len(message.get("body", b""))
            self._size += part
            room = self.held.take(part)
            self._done = not message.get("more_body", False)
            if self._size > self.most:
                raise self._refuse(too_large(self.most))
            if not room:
                raise self._refuse(too_much())
        else:
            self._done = True
        return message

    def unpack(self, count: int) -> None:
        """So many bytes more are held for this request, unpacked from its body or fetched; from any thread.

        Raises:
            Problem: 503 where all requests together hold too much.
        """
        self._unpacked += count
        if not self.held.take(count):
            raise too_much()

    def let_go(self) -> None:
        """The request is over: what it held is free."""
        self.held.give_back(self._size + self._unpacked)
        self._size = self._unpacked = 0

    def _refuse(self, problem: Problem) -> Problem:
        self.refusal = problem
        return problem


CLOSE = {"Connection": "close"}
AGAIN = {**CLOSE, "Retry-After": "1"}


def check_length(declared: bytes | None, most: int) -> None:
    """Raises Problem when the declared length is nonsense (400) or too much (413)."""
    if declared is None:
        return
    if not declared.isdigit() or len(declared) > 15:
        raise Problem(400, "bad_length", "Content-Length must be a number", CLOSE)
    if int(declared) > most:
        raise too_large(most)


def check_coding(coding: bytes | None) -> None:
    """Raises Problem (501, RFC 9112, 6.1) for a body that came packed: the packing would be taken for the content."""
    if coding is not None and coding.strip().lower() != b"chunked":
        raise Problem(501, "unknown_coding", "the only Transfer-Encoding that is read here is chunked", CLOSE)


def too_large(most: int) -> Problem:
    """413 with the limit."""
    return Problem(413, "too_large", f"the body is larger than the limit of {most:,} bytes", CLOSE)


def too_much() -> Problem:
    """503: all requests together hold what they may."""
    return Problem(503, "full", "too much is being sent at once: try again in a moment", AGAIN)
