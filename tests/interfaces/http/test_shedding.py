"""While the line is full a request is told so by the connection, cheaply, and the connection can be used again."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hilum.flows.line import Length, Line
from hilum.interfaces.http import shedding, wire
from hilum.monitor.meters import Meters


@dataclass
class House:
    """A server, whether it is full, and what reached the application."""

    port: int = 0
    full: bool = False
    reached: int = 0


@pytest.fixture
def house() -> Iterator[House]:
    made = House()

    async def told(request: Request) -> Response:
        body = await request.body()
        made.reached += 1
        return PlainTextResponse(str(len(body)))

    app = Starlette(routes=[Route("/predict", told, methods=["GET", "POST"])])
    sock = socket.create_server(("127.0.0.1", 0))
    made.port = sock.getsockname()[1]
    wire = shedding.shedding(lambda target: made.full and target.startswith(b"/predict"))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", http=wire, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield made
    server.should_exit = True
    thread.join(120)
    sock.close()


def test_one_connection_is_turned_away_and_then_let_in(house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=120)
    for size in (0, 10, 200_000):
        house.full = True
        connection.request("POST", "/predict?task=a", bytes(size))
        got = connection.getresponse()
        said = json.loads(got.read())
        assert (got.status, said["code"], got.headers["retry-after"]) == (503, "full", "1")
        assert got.headers["content-type"] == "application/problem+json"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in got.headers["content-security-policy"]
        house.full = False
        connection.request("POST", "/predict", bytes(size))
        got = connection.getresponse()
        assert (got.status, got.read()) == (200, str(size).encode())
    assert house.reached == 3
    connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /predict HTTP/1.1\r\nHost: x\r\n",
        b"POST /predict HTTP/1.0\r\nContent-Length: 0\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n",
    ],
)
def test_what_is_unusual_goes_the_long_way(house: House, head: bytes) -> None:
    house.full = True
    with socket.create_connection(("127.0.0.1", house.port), timeout=120) as connection:
        connection.sendall(head + b"\r\n" + (bytes(9999999) if b"9999999" in head else b""))
        assert connection.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.1 100"))


def test_requests_in_a_row_are_told_one_by_one(house: House) -> None:
    house.full = True
    one = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", house.port), timeout=120) as connection:
        connection.sendall(one * 5)
        got = b""
        while got.count(b'"code": "full"') < 5:
            got += connection.recv(65536)
    assert got.count(b"HTTP/1.1 503") == 5
    assert house.reached == 0


def test_a_line_that_is_full_turns_questions_away_and_counts_them() -> None:
    class Nobody:
        def answer(self, asks: list[object]) -> list[object]:
            return []

    meters = Meters()
    line = Line(Nobody(), Length(most=0), meters)
    wire = shedding.for_line(line, meters)
    assert wire.turned_away(b"/v1/predict?task=auto")
    assert not wire.turned_away(b"/feedback")
    assert meters.turned_away == {"full": 1}
    assert meters.requests == {("/predict", "503"): 1}
    line.close()


def test_who_is_turned_away_cannot_hold_the_connection(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REST_SECONDS", 0.3)
    house.full = True
    with socket.create_connection(("127.0.0.1", house.port), timeout=120) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        assert connection.recv(64) == b""
