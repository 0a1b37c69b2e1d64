"""An erasure by another process reaches a running server: picture, name, cache; and retention works by itself there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from hilum.errors import NotSignedIn
from hilum.flows.erase import erase_older
from hilum.flows.retention import DAY
from hilum.interfaces.cli.main import main
from hilum.interfaces.cli.opened import places_of
from hilum.records.entry import Columns, Entry
from hilum.records.query import Query
from tests.flows.recorded import FILMS
from tests.interfaces.http.forms import TYPE, form
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


def test_an_erased_answer_shows_nothing_when_the_same_picture_comes_again(server, tmp_path, monkeypatch):
    erased, _ = posted(server)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["erase", erased["id"]]) == 0
    fresh, _ = posted(server)
    for part in ("image", "pixels", "heatmap", "heatmap?method=occlusion"):
        gone = server.ask("GET", f"/predictions/{erased['id']}/{part}")
        assert (gone.status, gone.is_problem()) == (404, True), part
        assert server.ask("GET", f"/predictions/{fresh['id']}/{part}").status == 200
    page = server.ask("GET", f"/app/history/{erased['id']}").body
    assert b"This image was erased" in page
    assert b"Erased: only the answer is on record" in page
    assert b"ot kept" not in page
    assert f"/predictions/{erased['id']}/".encode() not in page


def test_an_erased_answer_takes_a_verdict_and_no_note(server, tmp_path, monkeypatch):
    answer, _ = posted(server)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["erase", answer["id"]]) == 0
    said = {"id": answer["id"], "agree": True}
    refused = server.ask("POST", "/feedback", {**said, "note": "Mr Smith, born 1950"})
    assert (refused.status, refused.json()["code"]) == (409, "erased")
    assert refused.is_problem()
    assert server.ask("POST", "/feedback", said).status == 201
    assert [one["note"] for one in server.ask("GET", f"/predictions/{answer['id']}").json()["feedback"]] == [""]


def test_the_address_of_a_failed_sign_in_goes_by_age(tmp_path):
    with running(tmp_path / "home", AUTH="on") as server:
        assert server.parts.access is not None
        with pytest.raises(NotSignedIn):
            server.parts.access.sign_in("reader", "wrong horse battery", "192.0.2.7")
        (failed,) = [act for act in server.parts.records.find(Query(kind="act")) if act.entry.personal]
        with places_of(server.parts.settings) as places:
            assert erase_older(failed.entry.at, places).personal == 0
            assert erase_older(failed.entry.at + 1, places).personal == 1
        after = server.parts.records.get(failed.id)
        assert after is not None
        assert (after.entry.body, after.entry.personal) == (failed.entry.body, {})
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


def test_the_very_same_image_that_was_not_kept_loses_its_name_too(server, tmp_path, monkeypatch):
    film = FILMS[0].read_bytes()
    asked = [("MEIER_1.png", "true"), ("MEIER_2.png", "false"), ("MEIER_3.png", "false")]
    ids = [
        server.ask("POST", "/predict", form([(name, film)], task="pneumonia-cxr", keep=keep), TYPE).json()["id"]
        for name, keep in asked
    ]
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["erase", ids[1]]) == 0
    for identity in ids:
        left = server.ask("GET", f"/predictions/{identity}").json()
        assert ("file" in left, left["image"]) == (False, False)
