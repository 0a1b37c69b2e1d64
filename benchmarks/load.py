"""A rate of requests -> how many were answered and how late; an open loop, which does not wait for the server.

    python benchmarks/load.py URL IMAGES [--rate 200] [--seconds 10] [--same]

Requests leave at random instants (Poisson) whatever the server does, and each is timed from the instant at which it
should have left: a server that stalls is charged with all who would have come meanwhile. Bytes are put together
beforehand and sent over plain sockets, so that the client takes little of the cores it shares with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

BOUNDARY = b"hilum-load"
PATIENCE = 30.0  # seconds for the last answers
MOST_OPEN = 2000  # connections; beyond it a request counts as not taken


@dataclass
class Seen:
    """What came back: seconds of those answered with 200, and how often each status (0: no answer)."""

    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def goodput(self) -> float:
        """Answers with 200 a second."""
        return len(self.waits) / self.seconds

    def late(self, share: float) -> float:
        """The quantile of the waits in milliseconds."""
        return 1e3 * sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))] if self.waits else 0.0


class Wire(asyncio.Protocol):
    """One kept connection: a request out, the status of its answer in."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """More of an answer; it is whole when its declared length is there."""
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length and self.answer is not None and not self.answer.done():
            self._got = b""
            if b"connection: close" in head.lower():
                self.close()
            self.answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Gone."""
        self.transport = None
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)

    def close(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.close()
            self.transport = None


@dataclass
class Load:
    """Requests for one address."""

    host: str
    port: int
    path: str
    images: Sequence[bytes]
    fresh: bool = True
    idle: list[Wire] = field(default_factory=list)
    open: int = 0

    async def run(self, rate: float, seconds: float, seed: int = 0) -> Seen:
        """Send for so long; returns when all are answered or PATIENCE is over."""
        seen, draw, running = Seen(), random.Random(seed), set()
        start = time.perf_counter()
        due, number = start, 0
        while (due := due + draw.expovariate(rate)) < start + seconds:
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(self._one(number, due, seen))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        if running:
            _, silent = await asyncio.wait(running, timeout=PATIENCE)
            seen.statuses[0] += len(silent)  # whoever got no answer counts, too
            for task in silent:
                task.cancel()
            await asyncio.gather(*silent, return_exceptions=True)
        seen.seconds = max(seconds, time.perf_counter() - start)
        for wire in self.idle:
            wire.close()
        return seen

    async def closed(self, connections: int, count: int) -> Seen:
        """As fast as so many connections go, each waiting for its answer: the capacity."""
        seen, numbers, start = Seen(), iter(range(count)), time.perf_counter()

        async def one() -> None:
            for number in numbers:
                await self._one(number, time.perf_counter(), seen)

        await asyncio.gather(*(one() for _ in range(connections)))
        seen.seconds = time.perf_counter() - start
        for wire in self.idle:
            wire.close()
        return seen

    async def _one(self, number: int, due: float, seen: Seen) -> None:
        if not self.idle and self.open >= MOST_OPEN:
            seen.statuses[0] += 1
            return
        try:
            wire = self.idle.pop() if self.idle else await self._connected()
        except OSError:
            self.open -= 1
            seen.statuses[0] += 1
            return
        wire.answer = asyncio.get_running_loop().create_future()
        if wire.transport is None:
            status = 0
        else:
            wire.transport.write(self.request(number))
            try:
                status = await wire.answer
            except asyncio.CancelledError:
                wire.close()
                raise
        seen.statuses[status] += 1
        if status == 200:
            seen.waits.append(time.perf_counter() - due)
        if wire.transport is not None:
            self.idle.append(wire)
        else:
            self.open -= 1

    async def _connected(self) -> Wire:
        self.open += 1
        _, wire = await asyncio.get_running_loop().create_connection(Wire, self.host, self.port)
        return wire

    def request(self, number: int) -> bytes:
        """The bytes of one request; a fresh one carries bytes after the end of the JPEG that no other carries."""
        data = self.images[number % len(self.images)]
        if self.fresh:
            data += f"{number}-{time.time_ns()}".encode()
        body = b"".join((_BEFORE, data, _AFTER))
        return b"".join((self._head, b"%d\r\n\r\n" % len(body), body))

    @property
    def _head(self) -> bytes:
        kind = b"multipart/form-data; boundary=" + BOUNDARY
        return (
            b"POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\nContent-Length: "
            % (self.path.encode(), self.host.encode(), self.port, kind)
        )  # fmt: skip


_BEFORE = (
    b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
)  # fmt: skip
_AFTER = b"\r\n--" + BOUNDARY + b"--\r\n"


def load_of(url: str, images: Sequence[bytes], *, fresh: bool = True) -> Load:
    """Requests for an http:// address, its ?query too."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise SystemExit(f"{url}: an http:// address is needed")
    path = parts._replace(scheme="", netloc="", path=parts.path or "/", fragment="").geturl()
    return Load(parts.hostname or "127.0.0.1", parts.port or 80, path, images, fresh)


def main() -> None:
    """Send and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("images", type=Path, help="a folder with JPEG files")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--same", action="store_true", help="send the files as they are, so that a cache may know them")
    options = parser.parse_args()
    images = [path.read_bytes() for path in sorted(options.images.rglob("*.jpg"))[:200]]
    seen = asyncio.run(load_of(options.url, images, fresh=not options.same).run(options.rate, options.seconds))
    print(f"sent {sum(seen.statuses.values())} at {options.rate:.0f}/s, answered {seen.goodput:.0f}/s, ", end="")
    print(f"p50 {seen.late(0.5):.1f} ms, p99 {seen.late(0.99):.1f} ms, statuses {dict(seen.statuses)}")


if __name__ == "__main__":
    main()
