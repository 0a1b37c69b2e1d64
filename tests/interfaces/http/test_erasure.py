"""An erasure by another process reaches a running server: picture, name, cache; and retention works by itself there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from hilum.flows.retention import DAY
from hilum.interfaces.cli.main import main
from hilum.records.entry import Columns, Entry
from tests.flows.recorded import FILMS
from tests.interfaces.http.running import running


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "home") as started:
        yield started


def posted(server, film=FILMS[0]):
    """One answer, and whether the cache knew it."""
    said = server.ask("POST", "/predict?task=pneumonia-cxr", film.read_bytes(), {"Content-Type": "image/png"})
    assert said.status == 200, said.body
    return said.json(), said.headers["x-cache"]


def test_an_erasure_from_the_command_line_reaches_the_server(server, tmp_path, monkeypatch, capsys):
    answer, first = posted(server)
    _, second = posted(server)
    assert (first, second) == ("miss", "hit")
    assert server.ask("GET", f"/predictions/{answer['id']}").json()["image"] is True
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["erase", answer["id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"] == 2
    left = server.ask("GET", f"/predictions/{answer['id']}").json()
    assert left["image"] is False
    assert "file" not in left
    assert left["prediction"] == answer["prediction"]
    gone = server.ask("GET", f"/predictions/{answer['id']}/image")
    assert gone.status in (404, 410)
    assert gone.is_problem()
    server.parts.cache._looked = 0.0  # as a second later
    assert posted(server)[1] == "miss"
    assert server.parts.records.verify().sound


def test_retention_runs_in_the_server(tmp_path):
    with running(tmp_path / "home", RETENTION_DAYS="30") as server:
        parts = server.parts
        fresh = Entry("prediction")
        old = Entry("prediction", columns=Columns(image=parts.images.put(b"x")), at=fresh.at - 31 * DAY * 1_000_000)
        parts.records.append([old]).result()
    assert parts.retention is not None
    with running(tmp_path / "home", RETENTION_DAYS="30") as server:
        retention = server.parts.retention
        assert retention is not None
        assert retention._days == 30
        assert retention._thread.is_alive()


def test_what_cannot_be_put_on_record_is_not_answered(server, tmp_path):
    with closing(sqlite3.connect(tmp_path / "home" / "hilum.db")) as raw, raw:
        raw.execute("CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(FAIL, 'disk full at /srv'); END")
    said = server.ask("POST", "/predict?task=pneumonia-cxr", FILMS[0].read_bytes(), {"Content-Type": "image/png"})
    assert said.status == 503
    assert said.is_problem()
    assert b"/srv" not in said.body
