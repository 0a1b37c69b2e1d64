"""A real server on loopback within the test's process, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from hilum.access.caller import LOCAL
from hilum.access.sessions import Session
from hilum.interfaces.http.app import create_app
from hilum.parts import Parts, assemble
from hilum.settings import read_settings

WORD = "correct horse battery"
PATIENT = 120  # seconds: a loaded machine may stand still for some, and a server that is slow is neither away nor full
DEADLINE_MS = str(1000 * PATIENT)
LIMITS = ("records.store.READY_SECONDS", "records.journal.STUCK_SECONDS", "storage.images.READY_SECONDS")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def is_problem(self) -> bool:
        """RFC 9457: the media type, and the members that go with it."""
        if self.headers.get("content-type") != "application/problem+json":
            return False
        said = self.json()
        return said["status"] == self.status and bool(said["type"] and said["title"] and said["detail"])


@dataclass
class Running:
    """A server, its parts, and one user and key of each role when authentication is on."""

    port: int
    parts: Parts
    sessions: dict[str, Session] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        role: str = "",
        key: str = "",
    ) -> Answer:
        """One request; `role` sends that user's session and token, `key` that user's key; dicts and lists as JSON."""
        sent = {"Host": f"127.0.0.1:{self.port}"}
        if role:
            session = self.sessions[role]
            sent |= {"Cookie": f"hilum={session.token}", "X-CSRF-Token": session.csrf}
        if key:
            sent["Authorization"] = f"Bearer {self.keys[key]}"
        if isinstance(body, dict | list):
            body, sent["Content-Type"] = json.dumps(body), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """The port an application listens on until the block ends."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    sock.listen(256)  # who connects before the loop runs waits in the queue
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENT)


@contextmanager
def patiently() -> Iterator[None]:
    """A server that is made and asked in here calls nothing away that is only slow: what is away is said by tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LIMITS:
            patch.setattr(f"hilum.{name}", float(PATIENT))
        yield


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Running]:
    """The whole application on its embedded defaults, but in one process; every role signed in where AUTH is on."""
    chosen = {"SERVE_WORKERS": "0", "DEADLINE_MS": DEADLINE_MS, **settings}
    with patiently():
        parts = assemble(read_settings({"HILUM_HOME": str(home), **{f"HILUM_{k}": v for k, v in chosen.items()}}))
        yield from _signed_in(parts)


def _signed_in(parts: Parts) -> Iterator[Running]:
    with listening(create_app(parts)) as port:
        server = Running(port, parts)
        if parts.access is not None:
            for role in ("admin", "engineer", "reviewer", "reader"):
                user = parts.access.users.add(role, role, LOCAL, password=WORD)
                server.sessions[role] = parts.access.sign_in(role, WORD, "127.0.0.1")
                scopes = tuple(sorted(user.caller().acts - {"account", "users"}))
                server.keys[role] = parts.access.keys.add(user.id, "test", scopes, 1, LOCAL)[1]
        yield server
