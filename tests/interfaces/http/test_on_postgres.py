"""The server on PostgreSQL, where text has no zero bytes and the database may go away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import ROOT
from tests.interfaces.http.running import WORD, Running, running

FILM = next((ROOT / "samples" / "pneumonia-cxr").glob("*.png")).read_bytes()
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def server(tmp_path: Path, postgres_url: str) -> Iterator[Running]:
    with running(tmp_path, AUTH="on", DATABASE_URL=postgres_url) as server:
        yield server


def test_a_zero_byte_is_refused_and_harms_no_record(server: Running) -> None:
    said = server.ask("POST", "/predict?task=pneumonia-cxr", FILM, PNG, role="admin").json()
    places = (
        "/predictions/%00",
        "/app/history/%00",
        "/app/compare?a=%00&b=%00",
        "/history?task=%00",
        "/users/%00/link",
    )
    names = ("text", "task", "class", "model", "caller", "cursor")
    asked = [*places, *(f"{path}?{name}=a%00" for path in ("/predictions", "/app/history") for name in names)]
    for path in asked:
        refused = server.ask("POST" if "link" in path else "GET", path, role="admin")
        assert refused.status == 400, path
        assert refused.is_problem()
    for path, body in (
        ("/feedback", {"id": said["id"], "agree": True, "note": "a\x00b"}),
        ("/feedback", {"id": "\x00", "agree": True}),
        ("/keys", {"name": "a\x00b"}),
        ("/users", {"name": "a\x00b"}),
        ("/login", {"name": "a\x00b", "password": WORD}),
    ):
        assert server.ask("POST", path, body, role="admin").status == 422, (path, body)
    name = server.ask(
        "POST",
        "/predict?task=pneumonia-cxr",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00b.png"\r\n\r\n' + FILM + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
        role="admin",
    )
    assert name.status in (200, 400), name
    assert server.parts.records.verify().faults == ()


def test_a_database_that_goes_away_is_503_for_whoever_signs_in_or_shows_a_key(
    server: Running, postgres_url: str
) -> None:
    address = sa.make_url(postgres_url)
    boss = sa.create_engine(address.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with boss.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {address.database} WITH (FORCE)")
    boss.dispose()
    login = server.ask("POST", "/login", {"name": "admin", "password": WORD})
    keyed = server.ask("GET", "/predictions", key="admin")
    page = server.ask("GET", "/app/history", headers={"Accept": "text/html"}, role="admin")
    assert [login.status, keyed.status, page.status] == [503] * 3
    assert login.is_problem()
    assert keyed.is_problem()
    for answer in (login, keyed, page):
        assert b"127.0.0.1" not in answer.body
        assert str(address.database).encode() not in answer.body
