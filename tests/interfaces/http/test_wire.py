"""Heads that come slowly, endlessly or not at all, on real connections; and one that comes in pieces but in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hilum.interfaces.http import wire
from hilum.interfaces.http.wire import Wire


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    async def told(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    app = Starlette(routes=[Route("/", told, methods=["GET", "POST"])])
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", http=Wire, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    sock.close()


def talk(port: int, *pieces: bytes, pause: float = 0.05) -> tuple[bytes, float]:
    """What comes back until the server closes, and the seconds until then."""
    since = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        got = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while block := connection.recv(65536):
                got += block
        except ConnectionError:
            pass  # closed while we were still sending
        return got, time.monotonic() - since


def test_heads_in_pieces_and_several_on_one_connection_are_answered(port: int) -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    got, _ = talk(port, one[:9], one[9:30], one[30:], one + one[:20], one[20:], last, pause=0.01)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + bytes(300000)
    got, _ = talk(port, large + last, pause=0)
    assert got.count(b"HTTP/1.1 200 OK") == 2


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
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port, b"GET / HTTP/1.1\r\nX: y\r\n", pause=0)
    assert got.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in got
    assert 0.2 < seconds < 8


def test_dripping_does_not_help(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port, b"GET / HTTP/1.1\r\n", *[b"X"] * 20, pause=0.05)
    assert got == b"" or got.startswith(b"HTTP/1.1 408")
    assert seconds < 60


def test_the_second_head_must_come_in_time_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nX: y\r\n")
    assert got.count(b"HTTP/1.1 200 OK") == 1
    assert b"HTTP/1.1 408" in got
    assert seconds < 60


def test_silence_is_closed_in_silence(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    got, seconds = talk(port)
    assert got == b""
    assert 0.2 < seconds < 8


def test_what_is_no_http_is_a_problem(port: int) -> None:
    got, _ = talk(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert got.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in got
