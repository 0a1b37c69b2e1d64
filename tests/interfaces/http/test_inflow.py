"""Bodies that are too large or too slow, over a real connection, with and without a declared length."""

from __future__ import annotations

import gzip
import io
import select
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from fastapi import Body, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hilum.flows.answer import Clerk
from hilum.interfaces.http import inflow, problems
from hilum.interfaces.http.fetch import Fetcher
from hilum.interfaces.http.rules import Rule
from hilum.interfaces.http.security import LARGEST_BODIES, Guard, Security
from tests.interfaces.http.running import PATIENT, Running, listening, running

MOST = 100_000


def make_app() -> FastAPI:
    """Two endpoints that read their body in two ways."""
    app = FastAPI()

    @app.post("/raw")
    async def raw(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    @app.post("/json")
    async def parsed(said: list[int] = Body()) -> Response:  # noqa: B008, FAST002
        return PlainTextResponse(str(len(said)))

    problems.install(app)
    rules = (Rule("POST", "/raw", "predict", most=-1), Rule("POST", "/json", "predict", most=-1))
    app.add_middleware(Security, guard=Guard(None, MOST, rules=rules))
    return app


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with listening(make_app()) as port:
        yield Running(port, None)  # type: ignore[arg-type]  # no parts behind this one


@pytest.mark.parametrize("path", ["/raw", "/json"])
def test_a_declared_length_decides_before_reading(server: Running, path: str) -> None:
    for length in ("100001", "99999999999", "abc", "-1", "1" * 30):
        answer = server.ask("POST", path, b"", {"Content-Length": length})
        assert answer.status in (400, 413)
        assert answer.status == 400 or answer.is_problem()
    assert server.ask("POST", "/raw", bytes(MOST)).body == b"100000"


@pytest.mark.parametrize("path", ["/raw", "/json"])
def test_without_a_length_the_bytes_are_counted(server: Running, path: str) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"[" + b" " * 50_000
        yield b" " * 60_000

    answer = server.ask("POST", path, blocks())
    assert (answer.status, answer.is_problem()) == (413, True)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/raw", "/json"])
def test_a_slow_body_is_given_up(server: Running, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "PATIENCE_SECONDS", 0.3)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n["
    since = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as wire:
        wire.sendall(head.encode())
        got = b""
        while block := wire.recv(4096):
            got += block
    assert got.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in got
    assert 0.2 < time.monotonic() - since < 60


def test_a_steady_body_may_take_longer_than_the_patience(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(inflow, "SLOWEST", 50)  # a block is worth 100 seconds; the first one comes with the head
    head = b"POST /raw HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50000\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as wire:
        wire.sendall(head + bytes(5000))
        for _ in range(9):
            time.sleep(0.05)
            wire.sendall(bytes(5000))
        got = b"".join(iter(lambda: wire.recv(4096), b""))
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"\r\n\r\n50000")


def test_many_bodies_together_hold_no_more_than_a_few_of_the_largest(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is within its limit, and none is complete."""
    monkeypatch.setattr(inflow, "PATIENCE_SECONDS", 1e6)  # nobody is too slow here
    whole = MOST * LARGEST_BODIES // 10
    head = f"POST /raw HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {MOST}\r\n\r\n".encode()
    waiting = []
    try:
        for _ in range(12):  # a tenth of what all may hold, each
            wire = socket.create_connection(("127.0.0.1", server.port), timeout=120)
            wire.sendall(head + bytes(whole))
            waiting.append(wire)
        until = time.monotonic() + 120
        while len(late := select.select(waiting, [], [], 1)[0]) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert 2 <= len(late) <= 3  # ten find room, and one more may meet two that are half there
        for wire in late:
            refusal = wire.recv(65536)
            assert b" 503 " in refusal.split(b"\r\n")[0]
            assert b"retry-after: 1" in refusal.lower()
    finally:
        for wire in waiting:
            wire.close()
    deadline = time.monotonic() + 120
    while (answer := server.ask("POST", "/raw", bytes(MOST))).status == 503 and time.monotonic() < deadline:
        time.sleep(0.05)  # until the server has seen that they went away
    assert answer.body == b"100000"


def packed(size: int) -> bytes:
    """A zip of one file, a thousandth as large."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(size))
    return out.getvalue()


def tensors(size: int) -> bytes:
    said = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["AA=="]}]}'
    return gzip.compress(said + b" " * size)


def named(_: int) -> bytes:
    return b'{"image_url": "https://films.example/a.png"}'


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/predict", packed, {"Content-Type": "application/zip"}),
        ("/v2/models/pneumonia-cxr/infer", tensors, {"Content-Encoding": "gzip"}),
        ("/predict", named, {"Content-Type": "application/json"}),
    ],
)
def test_what_bodies_are_unpacked_to_counts_as_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: Callable[[int], bytes], headers: dict[str, str]
) -> None:
    answer, going = Clerk.answer, threading.Event()

    async def fetched(fetcher: Fetcher, url: str) -> bytes:
        return bytes(900_000)

    def patiently(clerk: Clerk, asks: Any) -> Any:
        assert going.wait(2 * PATIENT)
        return answer(clerk, asks)

    monkeypatch.setattr(Clerk, "answer", patiently)
    monkeypatch.setattr(Fetcher, "fetch", fetched)
    sent = body(900_000)
    with (
        running(tmp_path, UPLOAD_BYTES=str(1024**2), IMAGE_URL_HOSTS="films.example") as server,
        ThreadPoolExecutor(LARGEST_BODIES + 2) as pool,
    ):
        asked = [pool.submit(server.ask, "POST", path, sent, headers) for _ in range(LARGEST_BODIES + 2)]
        first = wait(asked, PATIENT, FIRST_COMPLETED).done
        going.set()
        assert {one.result().json()["code"] for one in first} == {"full"}  # as many as hold four megabytes wait
        found = sorted(one.result().status for one in asked)
        assert found == [415] * LARGEST_BODIES + [503] * 2
        assert {server.ask("POST", path, sent, headers).status for _ in range(LARGEST_BODIES + 2)} == {
            415
        }  # given back
