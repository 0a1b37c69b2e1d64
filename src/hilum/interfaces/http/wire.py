"""Bytes of a connection -> requests, but only from heads that come whole, in time and in a reasonable size.

uvicorn waits for the head of a request for ever and takes one of any length; this layer of it does not (slow and
endless heads). What is no HTTP is told so as a problem. A head that arrives in one piece costs nothing more.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hilum.interfaces.http.problems import MEDIA_TYPE, problem

HEAD_SECONDS = 15.0
HEAD_BYTES = 64 * 1024


class Wire(HttpToolsProtocol):
    """One connection; `uvicorn.Config(http=Wire)`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heading = True  # the head of a request is awaited or has begun
        self._begun = False  # it has begun
        self._head = 0  # bytes of it so far, to the last block
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection whose first head must come in time."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More bytes: of a head, then they are counted; or of a body, which is counted elsewhere."""
        within = self._heading
        super().data_received(data)
        if not self._heading or self.transport.is_closing():
            return
        self._head += len(data) if within else 0
        if self._head > HEAD_BYTES:
            self._refuse(431, "headers_too_large", f"more than {HEAD_BYTES:,} bytes before the end of the headers")
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        self._heading, self._begun, self._head = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._heading = False
        self._calm()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What was sent is no HTTP."""
        self._refuse(400, "bad_request", msg)

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._begun:
            self._refuse(408, "too_slow", "the headers came too slowly")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        told = problem(status, code, detail)
        body, title = bytes(told.body), HTTPStatus(status).phrase
        head = f"HTTP/1.1 {status} {title}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        safe = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        self.transport.write((head + safe).encode() + body)
        self.transport.close()

    def _calm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
