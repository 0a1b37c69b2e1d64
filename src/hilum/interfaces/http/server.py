"""Settings and an address -> a listening server that drains when it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import TextIO

import cv2
import uvicorn

from hilum.errors import UsageError
from hilum.interfaces.http.app import create_app
from hilum.interfaces.http.logs import configure
from hilum.interfaces.http.rates import limits_of
from hilum.interfaces.http.secured import first_words
from hilum.interfaces.http.security import check_address
from hilum.interfaces.http.shedding import for_line
from hilum.interfaces.http.wire import Room
from hilum.parts import Parts, assemble
from hilum.settings import Settings, warnings_of

DRAIN_SECONDS = 25
LEAVE_SECONDS = 90.0  # after which whatever still holds it up is given up; as long as systemd waits
ONE_WISH = 1.0  # seconds in which a second signal is the first one, as where it is sent to a group and handed on too
FILES, KEPT_FREE = 10_240, 256  # open at once: at most, connections among them; for images, records and pages
UNREAD_SECONDS = 60  # that an answer waits for somebody to take the next of its bytes


def serve(settings: Settings, host: str, port: int, log_level: str, *, said: TextIO) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Raises:
        UsageError: the address cannot be listened on, or must not without authentication; the rate is none.
    """
    check_address(host, settings.auth)
    limits_of(settings.rate)  # the layer that counts is made when the application starts: too late to refuse in words
    with _listen(host, port) as listening:  # let go where the parts are refused: the process may go on
        configure(log_level)
        _serve_on(listening, settings, said)
    return 0


def _serve_on(listening: socket.socket, settings: Settings, said: TextIO) -> None:
    address = listening.getsockname()
    leaving = _Leaving()
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, leaving)
    cv2.setNumThreads(0)  # the answering threads share the cores; OpenCV's own would spin between them
    parts = assemble(settings)
    threading.Thread(target=leaving.watch, daemon=True, name="leaving").start()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(f"Hilum serves on http://{shown}:{address[1]} (Ctrl+C stops). Research use only.", file=said, flush=True)
    for warning in warnings_of(settings):
        print(f"hilum serve: {warning}", file=said, flush=True)
    opening = threading.Thread(target=_open_models, args=(parts, said), daemon=True)
    opening.start()  # after the address: it speaks, too, and whoever waits for the first line looks for an address
    if words := first_words(parts.access, settings.public_url or f"http://{shown}:{address[1]}"):
        print(words, file=said, flush=True)
    wire = for_line(parts.line, parts.meters)
    wire.room = Room(connections())
    config = uvicorn.Config(
        create_app(parts),
        http=wire,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=30,
        lifespan="on",
    )
    _Server(config, leaving, opening).run(sockets=[listening])
    leaving.is_over = True


def connections() -> int:
    """How many may be open at once, with the limit on open files (ulimit -n) as high as this process may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted - KEPT_FREE, wanted // 2)


class _Leaving:
    """SIGTERM and Ctrl+C: the first one has the server drain; a second one, or LEAVE_SECONDS, ends it at once.

    At once is as if it were killed: what was acknowledged is on the disk, and long work goes on at the next start.
    """

    def __init__(self) -> None:
        self.told, self.is_over = threading.Event(), False
        self._since: float | None = None

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
            self.told.set()
        elif now - self._since > ONE_WISH:
            _end(128 + number, "it was told to end a second time")

    def watch(self) -> None:
        """Wait for the first one, and then for the last moment; for a thread of its own."""
        self.told.wait()
        time.sleep(LEAVE_SECONDS)
        if not self.is_over or not threading.main_thread().is_alive():  # else the caller goes on
            _end(1, f"it did not come to its end within {LEAVE_SECONDS:.0f} seconds")


def _end(code: int, why: str) -> None:
    """Whatever any thread waits for; its last words wait for nobody either."""
    try:
        if select.select([], [sys.stderr], [], 0)[1]:
            words = f"hilum serve: {why}, and ends at once; what was acknowledged is kept\n"
            os.write(sys.stderr.fileno(), words.encode())
    finally:
        os._exit(code)


class _Server(uvicorn.Server):
    """Ends at once where it was told to stop before it listened to signals itself; never while models are opened."""

    def __init__(self, config: uvicorn.Config, leaving: _Leaving, opening: threading.Thread) -> None:
        super().__init__(config)
        self._leaving, self._opening = leaving, opening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.should_exit = self.should_exit or self._leaving.told.is_set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; uvicorn would skip the end of the application at the second signal, and then wait for its threads."""
        self._leaving(sig, frame)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._opening.join)  # ONNX Runtime aborts a process that ends in the middle of it
        await super().shutdown(sockets)


def _open_models(parts: Parts, said: TextIO) -> None:
    """Open the models while the first browser connects; what is wrong with them is said and shown by /readyz."""
    for fault in parts.lacking():
        print(f"hilum serve: {fault}", file=said, flush=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; every connection has it from the one that listens
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        at_fault = "--port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "--host"
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another {at_fault}"
        ) from error
    listening.listen(1024)
    return listening
