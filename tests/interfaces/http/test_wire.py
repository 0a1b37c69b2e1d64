"""Heads that come slowly, endlessly or not at all, on real connections, and what follows them; and one in pieces.

Also connections that are too many, and one on which nobody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hilum.interfaces.http import server, wire
from hilum.interfaces.http.credentials import address_of
from hilum.interfaces.http.security import DEFAULTS, HEADERS
from hilum.interfaces.http.wire import Room, Wire


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    async def told(request: Request) -> Response:
        length = len(await request.body())
        return PlainTextResponse(str(length) + str(request.scope["headers"][3:]))

    async def early(_: Request) -> Response:
        return PlainTextResponse("not read")

    app = Starlette(
        routes=[Route(path, what, methods=["GET", "POST"]) for path, what in (("/", told), ("/early", early))]
    )
    with answering(app, socket.create_server(("127.0.0.1", 0))) as found:
        yield found


LATE = 1e6


@contextmanager
def answering(app: Starlette, sock: socket.socket) -> Iterator[int]:
    """The port of a server on this socket, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", http=Wire, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    server.should_exit = True
    thread.join(120)
    sock.close()


def test_ipv4_within_ipv6_has_an_address_of_its_own() -> None:
    found = [address_of({"client": (host, 1)}) for host in ("::ffff:198.51.100.7", "198.51.100.7", "2001:db8::7")]
    assert found == ["198.51.100.7", "198.51.100.7", "2001:db8::/64"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_proxy_that_comes_over_ipv4_to_a_socket_for_both_is_known() -> None:
    async def told(request: Request) -> Response:
        return PlainTextResponse(f"{address_of(request.scope)} {request.url.scheme}")

    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with answering(Starlette(routes=[Route("/", told)]), both) as port:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: "
        for sender in (b"198.51.100.7", b"::ffff:198.51.100.7"):
            assert talk(port, head + sender + b"\r\n\r\n")[0].endswith(b"\r\n198.51.100.7 https")
        assert talk(port, head + b"2001:db8::1\r\n\r\n")[0].endswith(b"\r\n2001:db8::/64 https")


def talk(port: int, *pieces: bytes, pause: float = 0.05) -> tuple[bytes, float]:
    """What comes back until the server closes, and the seconds until then."""
    since = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        got = b""
        with contextlib.suppress(ConnectionError):  # closed while we were still sending: what it said before is there
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        with contextlib.suppress(ConnectionError):
            while block := connection.recv(65536):
                got += block
        return got, time.monotonic() - since


def test_heads_in_pieces_and_several_on_one_connection_are_answered(port: int) -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    got, _ = talk(port, one[:9], one[9:30], one[30:], one + one[:20], one[20:], last, pause=0.01)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + bytes(300000)
    got, _ = talk(port, large + last, pause=0)
    assert got.count(b"HTTP/1.1 200 OK") == 2


OFFER = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("kind", ["length", "chunked"])
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_body_beside_which_another_protocol_is_offered_is_read(port: int, kind: str, cut: int) -> None:
    hidden = b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n"  # a body that looks like a request
    head = b"POST / HTTP/1.1\r\n" + OFFER
    if kind == "length":
        head, body = head + b"Content-Length: %d\r\n\r\n" % len(hidden), hidden
    else:
        head, body = head + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    got, _ = talk(port, head + body[:cut], body[cut:] + head + body, LAST)
    assert got.count(b"HTTP/1.1 200 OK") == 3
    assert got.count(b"\r\n%d[" % len(hidden)) == 2
    assert b"not read" not in got


def test_a_question_beside_which_another_protocol_is_offered_is_answered_once(port: int) -> None:
    ask = b"GET / HTTP/1.1\r\n" + OFFER + b"\r\n"
    got, _ = talk(port, ask, ask + ask, LAST)
    assert got.count(b"HTTP/1.1 200 OK") == 4


ENDLESS = {
    "value": b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000_000,
    "target": b"GET /" + b"x" * 10_000_000,
    "lines": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1_000_000,
}


@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_head_ends_soon(port: int, endless: bytes) -> None:
    got, seconds = talk(port, *(endless[n : n + 65536] for n in range(0, len(endless), 65536)), pause=0.001)
    assert got == b"" or got.startswith(b"HTTP/1.1 431")  # nothing, where the rest was still on its way
    assert seconds < 60


def test_a_slow_head_is_told_and_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 3)  # the head must have begun by then, on a loaded machine too
    got, seconds = talk(port, b"GET / HTTP/1.1\r\nX: y\r\n", pause=0)
    assert got.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in got
    assert 0.2 < seconds < 60


def test_dripping_does_not_help(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port, b"GET / HTTP/1.1\r\n", *[b"X"] * 20, pause=0.05)
    assert got == b"" or got.startswith(b"HTTP/1.1 408")
    assert seconds < 60


def test_the_second_head_must_come_in_time_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 3)  # the second one must have begun by then, on a loaded machine too
    got, seconds = talk(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nX: y\r\n")
    assert got.count(b"HTTP/1.1 200 OK") == 1
    assert b"HTTP/1.1 408" in got
    assert seconds < 60


def test_silence_is_closed_in_silence(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port)
    assert got == b""
    assert 0.2 < seconds < 60


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_is_no_http_is_a_problem(port: int, sent: bytes) -> None:
    got, _ = talk(port, sent)
    assert got.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in got
    assert all(b"\r\n%s: %s\r\n" % one in got for one in [*HEADERS, *DEFAULTS.items()])  # as any other answer


CHUNKED = b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def test_a_line_behind_the_body_is_no_header(port: int) -> None:
    got, _ = talk(port, b"POST /" + CHUNKED + b"5\r\nhello\r\n0\r\nAuthorization: x\r\n\r\n", pause=0)
    assert got.endswith(b"\r\n\r\n5[]")


ENDLESS_REST = {
    "lines": b"0\r\n" + b"X: y\r\n" * 500_000,
    "value": b"0\r\nX: " + b"y" * 3_000_000,
    "size": b"5;" * 1_500_000,
}


@pytest.mark.parametrize("rest", ENDLESS_REST.values(), ids=ENDLESS_REST)
@pytest.mark.parametrize("head", [b"GET /early", b"POST /"])
def test_what_frames_a_body_may_not_be_endless(port: int, head: bytes, rest: bytes) -> None:
    blocks = [rest[n : n + 65536] for n in range(0, len(rest), 65536)]
    got, _ = talk(port, head + CHUNKED.replace(b"Connection: close\r\n", b""), *blocks, pause=0.001)
    assert got.count(b"HTTP/1.1") <= 1  # nothing, where the rest was still on its way


@pytest.mark.parametrize("rest", [b"x", b"\r\n"], ids=["body", "line ends"])
def test_who_drips_after_the_answer_is_left(port: int, monkeypatch: pytest.MonkeyPatch, rest: bytes) -> None:
    monkeypatch.setattr(wire, "REST_SECONDS", 0.3)
    monkeypatch.setattr(wire, "HEAD_SECONDS", LATE)  # it is not what ends this
    length = b"9" if rest == b"x" else b"0"
    head = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
    got, seconds = talk(port, head, rest, rest, pause=0.1)
    assert got.count(b"HTTP/1.1") == 1
    assert seconds < 60


def test_a_body_that_comes_after_its_answer_does_not_end_the_connection(port: int) -> None:
    head = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
    last = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    got, _ = talk(port, head, bytes(100_000), bytes(100_000), bytes(100_000) + last)
    assert got.count(b"HTTP/1.1 200 OK") == 2


def test_a_connection_too_many_takes_the_place_of_one_that_asks_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Wire, "room", Room(3))
    address, head = ("127.0.0.1", port), b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    with socket.create_connection(address, timeout=120) as busy:
        busy.sendall(head.replace(b"Content", b"Expect: 100-continue\r\nContent"))
        assert busy.recv(100).startswith(b"HTTP/1.1 100")  # so it is known to ask before the others come
        quiet = [socket.create_connection(address, timeout=120) for _ in range(10)]
        assert talk(port, head + b"hello")[0].startswith(b"HTTP/1.1 200")
        busy.sendall(b"hello")
        assert busy.recv(100).startswith(b"HTTP/1.1 200")
    for one in quiet:
        one.close()
    until = time.monotonic() + 120
    while Wire.room.full and time.monotonic() < until:
        time.sleep(0.02)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "3 connections are open, all that there may be", "connections are few again"
    ]  # fmt: skip


def test_a_connection_too_many_takes_the_place_of_a_slow_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wire, "room", Room(4))
    with contextlib.ExitStack() as stack:
        busy, *slow = (
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120)) for _ in range(4)
        )
        busy.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        for one in slow:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 200")  # so the next head has begun
        assert talk(port, LAST)[0].startswith(b"HTTP/1.1 200")
        busy.sendall(b"hello")
        assert busy.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux counts")
def test_who_reads_nothing_of_an_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(_: Request) -> Response:
        return Response(bytes(20_000_000))

    lost = told_of_the_end(monkeypatch)
    monkeypatch.setattr(server, "UNREAD_SECONDS", 1)
    monkeypatch.setattr(wire, "READ_SECONDS", LATE)  # it is not what ends this
    with (
        answering(Starlette(routes=[Route("/", large)]), server._listen("127.0.0.1", 0)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert lost.wait(120)
        with pytest.raises(ConnectionError):
            sum(map(len, iter(lambda: connection.recv(1_000_000), b"")))


def told_of_the_end(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a connection is over for the server."""
    lost, ending = threading.Event(), Wire.connection_lost

    def noted(one: Wire, error: Exception | None) -> None:
        ending(one, error)
        lost.set()

    monkeypatch.setattr(Wire, "connection_lost", noted)
    return lost


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"], ids=["kept", "closing"])
def test_who_drips_while_reading_is_left(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    async def large(_: Request) -> Response:
        return Response(bytes(20_000_000))

    lost = told_of_the_end(monkeypatch)
    monkeypatch.setattr(wire, "READ_SECONDS", 0.5)
    with (
        answering(Starlette(routes=[Route("/", large)]), socket.create_server(("127.0.0.1", 0))) as port,
        socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + end + b"\r\n")
        until = time.monotonic() + 120
        while not lost.is_set() and time.monotonic() < until:
            assert connection.recv(1)
            time.sleep(0.02)
        assert lost.is_set()


def test_who_reads_slowly_but_steadily_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own buffer takes megabytes, and more only once a third of them went: a minute at 20 kB/s."""

    async def large(_: Request) -> Response:
        return Response(bytes(20_000_000))

    def made(one: Wire, transport: asyncio.Transport) -> None:
        one.loop = Noting(one.loop)
        making(one, transport)

    def noted(one: Wire) -> None:
        pausing(one)
        paused.append(one)
        full.set()

    paused: list[Wire] = []
    full, pausing, making = threading.Event(), Wire.pause_writing, Wire.connection_made
    monkeypatch.setattr(Wire, "connection_made", made)
    monkeypatch.setattr(Wire, "pause_writing", noted)
    monkeypatch.setattr(wire, "READ_SECONDS", LATE)  # looked at below, after what was read, on any clock
    monkeypatch.setattr(wire, "LEAST_READ", 1e-3)
    with (
        answering(Starlette(routes=[Route("/", large)]), socket.create_server(("127.0.0.1", 0))) as port,
        socket.socket() as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.settimeout(120)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert full.wait(120)
        for _ in range(4):
            left = 100_000
            while left:
                left -= len(connection.recv(left))
            paused[0].loop.do()
            assert not paused[0].transport.is_closing()


class Noting:
    """A loop of which is noted what it is to do only after a million seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.due = loop, contextlib.nullcontext

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def call_later(self, seconds: float, what: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        if seconds == LATE:
            self.due = functools.partial(what, *arguments)
        return self.loop.call_later(seconds, what, *arguments)

    def do(self) -> None:
        """What is due, now."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (self.due(), done.set()))
        assert done.wait(120)


def test_who_takes_an_answer_in_time_gets_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(_: Request) -> Response:
        return Response(bytes(20_000_000))

    monkeypatch.setattr(wire, "READ_SECONDS", 0.1)
    monkeypatch.setattr(wire, "LEAST_READ", 0)
    with (
        answering(Starlette(routes=[Route("/", large)]), socket.create_server(("127.0.0.1", 0))) as port,
        socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.5)
        assert sum(map(len, iter(lambda: connection.recv(1_000_000), b""))) > 20_000_000
