"""Bytes of a connection -> requests, but only from heads that come whole, in time and in a reasonable size.

uvicorn waits for the head of a request for ever and takes one of any length; this layer of it does not (slow and
endless heads). Nor does it wait for the rest of a body whose request is answered already, or keep what follows a body
(trailers, which are no headers: RFC 9110, 6.5.1), or lose a body beside which another protocol is offered (7.8). What
is no HTTP is told so as a problem. Where as many connections are open as there may be, a new one takes the place of one
that asks nothing or has not asked to the end, and who takes an answer drop by drop is left. A head that arrives in one
piece costs nothing more.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httptools
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hilum.interfaces.http.problems import problem
from hilum.interfaces.http.security import DEFAULTS, HEADERS

HEAD_SECONDS = 15.0
HEAD_BYTES = 64 * 1024
REST_SECONDS = 30.0  # for what nobody waits for: the rest of a body that was answered
READ_SECONDS, LEAST_READ = 60.0, 1024  # in so many seconds so many bytes a second of an answer are taken, or the rest
FRAMING = (b"content-length", b"transfer-encoding")

log = logging.getLogger("hilum.http")


@dataclass(slots=True)
class Room:
    """How many connections may be open at once; full: they were, and the log has it."""

    most: int
    full: bool = False


class Parser(httptools.HttpRequestParser):
    """It leaves out the body of a request that offers another protocol, as Java's own client does: that is mended."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._wire = wire

    def feed_data(self, data: Any) -> None:
        """More bytes.

        Raises:
            httptools.HttpParserError: they are no HTTP.
        """
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            self._wire.stay(data[offered.args[0] :])


class Wire(HttpToolsProtocol):
    """One connection; `uvicorn.Config(http=Wire)`."""

    room = Room(10_000)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = Parser(self)
        self._known = False  # what the parser reads is the head that was read before
        self._heading = True  # the head of a request is awaited or has begun
        self._begun = False  # it has begun
        self._head = 0  # bytes of it so far, to the last block; or of what stands between the pieces of a body
        self._fresh = False  # a head or a piece of a body began in this block
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None  # runs while an answer waits to be taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection whose first head must come in time."""
        super().connection_made(transport)
        if self.client is not None and "." in self.client[0]:  # IPv4 on a socket for both; proxies are named without
            self.client = (self.client[0].removeprefix("::ffff:"), self.client[1])
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)
        if len(self.connections) > self.room.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._calm()
        if self._reader is not None:
            self._reader.cancel()
        super().connection_lost(exc)
        if self.room.full and len(self.connections) <= self.room.most // 2:
            self.room.full = False
            log.warning("connections are few again: %d", len(self.connections))

    def data_received(self, data: bytes) -> None:
        """More bytes: of a head, or of what frames a body, then they are counted; a body is counted elsewhere."""
        self._fresh = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._head = 0 if self._fresh else self._head + len(data)
        if self._head > HEAD_BYTES:
            self._refuse(431, "headers_too_large", f"more than {HEAD_BYTES:,} bytes before the end of the headers")
        elif self._timer is None and (self._heading or self._is_idle()):
            self._timer = self.loop.call_later(HEAD_SECONDS if self._heading else REST_SECONDS, self._late)

    def stay(self, rest: bytes) -> None:
        """Go on in HTTP/1.1 with the body of a request that offers another protocol, which may be left unanswered.

        Else the body would be lost, and what comes of it in a later block be read as another request.
        """
        framing = b"".join(b"%s: %s\r\n" % one for one in self.headers if one[0] in FRAMING)
        self.parser, self._known = Parser(self), True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        self._known = False
        self.parser.feed_data(rest)

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        if self._known:
            return
        self._calm()
        self._heading, self._begun, self._fresh = True, True, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        if not self._known:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head; one behind the body would stand among those that were looked at, and is left out."""
        if self._heading:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._fresh = True
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The head is whole, unless its target is none."""
        if self._known:
            return
        super().on_headers_complete()
        self._heading = False
        self._calm()

    def on_message_complete(self) -> None:
        """The request is whole, unless its body was left out."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What was sent is no HTTP."""
        self._refuse(400, "bad_request", msg)

    def pause_writing(self) -> None:
        """An answer comes faster than it is taken: from now on it is looked at whether it is taken at all."""
        super().pause_writing()
        self._watch()

    def _watch(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._reader = self.loop.call_later(READ_SECONDS, self._look, self.cycle, self._untaken())

    def _look(self, cycle: object, before: int) -> None:
        """Leave who drips; while more is being written unhindered, what is left tells nothing."""
        self._reader, left = None, self._untaken()
        telling = self.flow.write_paused or (cycle is self.cycle and self._is_idle())
        if left and telling and before - left < READ_SECONDS * LEAST_READ:
            self.transport.abort()
        elif left:
            self._watch()

    def _untaken(self) -> int:
        """Bytes of answers that wait here or in the system, whose own buffer of megabytes empties in large pieces."""
        inside, socket = 0, self.transport.get_extra_info("socket")
        with suppress(OSError, ValueError):  # no such socket any more, or a system that does not tell
            inside = int.from_bytes(fcntl.ioctl(socket, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return int(self.transport.get_write_buffer_size()) + inside

    def asks_nothing(self) -> bool:
        """Whether it is open, but between two requests or before the first, with every answer on its way."""
        between = not self._begun if self._heading else self._is_idle()
        return between and not (self.transport.is_closing() or self.transport.get_write_buffer_size())

    def is_slow_to_ask(self) -> bool:
        """Whether a part of a head is all that it has sent, where a whole one comes at once from who means it."""
        return self._heading and self._is_idle() and not self.transport.is_closing()

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._begun:
            self._refuse(408, "too_slow", "the headers came too slowly")
        else:
            self.transport.close()

    def _make_room(self) -> None:
        """End a connection that asks nothing, or one that is slow to ask; where there is none, this one.

        More would take the files that answers need.
        """
        others = [one for one in self.connections if isinstance(one, Wire) and one is not self]
        quiet = next((one for one in others if one.asks_nothing()), None)
        slow = next((one for one in others if one.is_slow_to_ask()), None) if quiet is None else None
        (quiet or slow or self).transport.abort()
        if not self.room.full:
            self.room.full = True
            log.warning("%d connections are open, all that there may be: those that ask nothing end", self.room.most)

    def _is_idle(self) -> bool:
        """Whether no request is being answered, so that nothing else ends the connection: data ends uvicorn's timer."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self._heading or not self._is_idle():  # else the request has its answer
            self.transport.write(spoken(problem(status, code, detail, {"Connection": "close"})))
        self.transport.close()

    def _calm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def spoken(response: Response) -> bytes:
    """An answer of the connection itself, with the headers that all others carry."""
    headers = dict([*DEFAULTS.items(), *HEADERS, *response.raw_headers])
    title = HTTPStatus(response.status_code).phrase.encode()
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, title), *(b"%s: %s" % one for one in headers.items())]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
