"""Batches over a real connection: many files, zips, results, stopping, and a server that is killed in the middle."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from hilum.errors import ImageGone, StorageError, UnknownModel
from hilum.image.decode import decode
from hilum.interfaces.http import batch
from hilum.interfaces.http.batch import Sending
from hilum.interfaces.http.body import Upload
from hilum.interfaces.http.jobs import as_csv, harmless
from hilum.interfaces.http.problems import Problem
from hilum.jobs.inbox import Inbox
from hilum.model.overlay import grey_png
from hilum.records.query import Query
from tests.conftest import ROOT
from tests.data.made import zip_without_the_mark_of_utf8
from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.hostile import torn_zip
from tests.interfaces.http.running import DEADLINE_MS, Answer, Running, running
from tests.servers import as_documented

DBOS = pytest.importorskip("dbos").DBOS

MANY = 900  # files of a batch that must not be over before it was looked at
XRAY, BRAIN = sample("pneumonia-cxr").read_bytes(), sample("brain-tumor-mri").read_bytes()
ASYNC = {"Prefer": "respond-async"}
ZIP = {"Content-Type": "application/zip"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


def different(count: int) -> list[bytes]:
    """So many chest films that are not alike byte for byte, so that no cache answers."""
    grey = decode(XRAY, name="x")[0].pixels
    return [grey_png(np.clip(grey + np.float32(i / 20_000), 0, 1)) for i in range(count)]


def packed(files: dict[str, bytes], **how) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def over(server: Running, taken: Answer) -> dict:
    """The batch once nothing more will happen."""
    assert taken.status == 202, taken.body
    until = time.monotonic() + 300
    while time.monotonic() < until:
        said = server.ask("GET", taken.headers["location"]).json()
        if said["state"] not in ("queued", "running"):
            return said
        time.sleep(0.1)
    raise AssertionError(said)


def test_nobody_waits_who_does_not_want_to(server: Running) -> None:
    taken = server.ask("POST", "/predict", form([("a.png", XRAY), ("b.png", BRAIN)]), {**TYPE, **ASYNC})
    assert taken.headers["preference-applied"] == "respond-async"
    said = over(server, taken)
    assert (said["state"], said["files"], said["done"], said["unreadable"]) == ("done", 2, 2, 0)
    found = server.ask("GET", said["results"]).json()["predictions"]
    assert [(one["file"], one["task"]) for one in found] == [("a.png", "pneumonia-cxr"), ("b.png", "brain-tumor-mri")]
    assert server.ask("GET", f"/predictions/{found[0]['id']}").status == 200
    assert said["id"] in [one["id"] for one in server.ask("GET", "/v1/jobs").json()["jobs"]]
    engine = logging.getLogger("dbos")  # what it says stands in our log, not on a stream of its own
    assert engine.propagate
    assert not any(isinstance(handler, logging.StreamHandler) for handler in engine.handlers)


def test_many_files_are_a_batch_and_few_of_a_zip_are_not(server: Running) -> None:
    files = {f"folder/{i}.png": data for i, data in enumerate(different(70))}
    said = over(server, server.ask("POST", "/predict?task=pneumonia-cxr", packed(files), ZIP))
    assert (said["state"], said["done"]) == ("done", 70)
    few = server.ask("POST", "/predict", packed({"x/a.png": XRAY, "__MACOSX/x/._a.png": b"no", "b.png": BRAIN}), ZIP)
    assert few.status == 200
    assert [one["file"] for one in few.json()["predictions"]] == ["x/a.png", "b.png"]


def test_results_are_a_table_too_and_nothing_in_it_runs(server: Running) -> None:
    files = [("=cmd.png", XRAY), ("broken.png", b"no image"), ("b.png", BRAIN)]
    said = over(server, server.ask("POST", "/predict?task=pneumonia-cxr", form(files), {**TYPE, **ASYNC}))
    assert (said["done"], said["unreadable"]) == (3, 1)
    answer = server.ask("GET", f"/jobs/{said['id']}?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["file"] for row in rows] == ["'=cmd.png", "broken.png", "b.png"]
    assert [row["class"] for row in rows] == ["normal", "", ""]
    assert (rows[1]["error"] != "", rows[2]["reasons"]) == (True, "not_this_kind_of_image")
    assert 0.5 < float(rows[0]["p(normal)"]) <= 1
    left = json.loads((server.parts.settings.home / "inbox" / said["id"] / "order.json").read_text())
    assert left["names"] == [None, "broken.png", None]  # the others stand, erasable, beside their records


def test_the_same_key_is_the_same_batch(server: Running) -> None:
    headers = {**TYPE, **ASYNC, "Idempotency-Key": "once"}
    first, again = (server.ask("POST", "/predict", form([("a.png", XRAY)]), headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert over(server, first)["done"] == 1
    for body, query in ((form([("a.png", BRAIN)]), ""), (form([("a.png", XRAY)]), "?task=pneumonia-cxr")):
        other = server.ask("POST", f"/predict{query}", body, headers)
        assert (other.status, other.json()["code"]) == (422, "key_reused")


def test_where_no_more_batches_may_wait_a_key_still_finds_its_own(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = form([("a.png", XRAY)])
    taken = server.ask("POST", "/predict", body, {**TYPE, **ASYNC, "Idempotency-Key": "the last place"})
    monkeypatch.setattr(batch, "WAITING", 0)
    again, other = (
        server.ask("POST", "/predict", body, {**TYPE, **ASYNC, "Idempotency-Key": key})
        for key in ("the last place", "none left")
    )
    assert (again.status, again.headers["location"]) == (202, taken.headers["location"])
    assert other.status == 503


def test_a_batch_that_could_not_be_begun_is_begun_by_the_same_key(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RuntimeError("the engine's database")

    headers, body = {**TYPE, **ASYNC, "Idempotency-Key": "a hiccup"}, form([("a.png", XRAY)])
    monkeypatch.setattr("hilum.jobs.engine.Engine.begin", away)
    assert server.ask("POST", "/predict", body, headers).status == 500
    monkeypatch.undo()
    taken = server.ask("POST", "/predict", body, headers)
    assert taken.status == 202
    assert over(server, taken)["done"] == 1


def test_two_at_once_with_one_key_are_one_batch_or_one_is_refused(server: Running) -> None:
    bodies = [form([("a.png", data)]) for data in (XRAY, BRAIN)] * 4
    with ThreadPoolExecutor(8) as pool:
        headers = {**TYPE, **ASYNC, "Idempotency-Key": "at once"}
        found = list(pool.map(lambda body: server.ask("POST", "/predict", body, headers), bodies))
    taken = [one for one in found if one.status == 202]
    assert sorted(one.status for one in found) == [202] * 4 + [422] * 4
    assert len({one.json()["id"] for one in taken}) == 1
    assert over(server, taken[0])["done"] == 1


def test_what_does_not_fit_is_said_before_anything_is_taken(server: Running) -> None:
    for query in ("task=feet", "operating_point=wild", "prevalence=7", "model=nobody"):
        answer = server.ask("POST", f"/predict?{query}", form([("a.png", XRAY)]), {**TYPE, **ASYNC})
        assert 400 <= answer.status < 500, query
        assert answer.is_problem()


def test_a_batch_is_stopped_and_forgotten(server: Running) -> None:
    files = {f"{i}.png": data for i, data in enumerate(different(200))}
    taken = server.ask("POST", "/predict", packed(files), ZIP)
    assert server.ask("DELETE", taken.headers["location"]).json()["state"] == "cancelled"
    said = over(server, taken)
    assert said["state"] == "cancelled"
    assert said["done"] < 200
    assert list((server.parts.settings.home / "inbox" / said["id"]).iterdir()) == [
        server.parts.settings.home / "inbox" / said["id"] / "order.json"
    ]
    server.ask("DELETE", taken.headers["location"])
    assert server.ask("GET", taken.headers["location"]).status == 404
    acts = [
        json.loads(one.entry.body) for one in server.parts.records.find(Query(kind="act", order="oldest", limit=500))
    ]
    assert [act["act"] for act in acts if act["about"] == said["id"]] == ["batch_stopped", "batch_forgotten"]


def test_a_batch_that_came_to_its_end_before_it_could_be_stopped_is_not_on_record_as_stopped(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC})
    identity = over(server, taken)["id"]
    inbox = Inbox(server.parts.settings.home / "inbox", server.parts.secret)
    order = inbox.rewrite(identity, lambda one: replace(one, state="running"))
    monkeypatch.setattr("hilum.jobs.engine.Engine.cancel", lambda *_: inbox.end(order, "done"))
    stopped = server.ask("DELETE", taken.headers["location"])
    assert (stopped.status, stopped.json()["state"]) == (200, "done")
    acts = [json.loads(one.entry.body) for one in server.parts.records.find(Query(kind="act", limit=500))]
    assert [act["act"] for act in acts if act["about"] == identity] == []


@pytest.mark.parametrize("name", ["nobody", "..%2f..", "00000000-0000-4000-8000-000000000000"])
def test_a_batch_that_is_not_there_is_404(server: Running, name: str) -> None:
    assert server.ask("GET", f"/jobs/{name}").status == 404
    assert server.ask("DELETE", f"/jobs/{name}").status == 404


def bomb() -> bytes:
    return packed({f"{i}.bmp": b"\0" * 20_000_000 for i in range(8)}, compression=zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"PK\x03\x04broken", 400),
        (packed({}), 400),
        (packed({"folder/": b""}), 400),
        (torn_zip(XRAY), 400),
        (bomb(), 413),
        (packed({f"{i}": b"" for i in range(10_001)}), 413),
    ],
    ids=["broken", "empty", "folders", "torn", "bomb", "many"],
)
def test_a_hostile_zip_is_refused_before_it_is_unpacked(server: Running, data: bytes, status: int) -> None:
    answer = server.ask("POST", "/predict", data, ZIP)
    assert answer.status == status
    assert answer.is_problem()
    assert server.ask("GET", "/livez").status == 200


@pytest.mark.parametrize("zips", [1, 3])
def test_a_directory_of_too_many_lines_is_not_even_read(monkeypatch: pytest.MonkeyPatch, zips: int) -> None:
    lines = {f"{i}/": b"" for i in range(12_000 // zips)}  # folders count, too: each takes as long to read
    uploads = [Upload("a.zip", packed({**lines, "a.png": XRAY}))] * zips

    def opened(*_: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(zipfile, "ZipFile", opened)
    with pytest.raises(Problem, match="files in the zip; the limit is 10,000"):
        Sending(uploads, 2**20, 2**20)


def test_names_in_a_zip_are_no_paths(server: Running) -> None:
    answer = server.ask("POST", "/predict", packed({"../../etc/a.png": XRAY, "C:\\b.png": XRAY}), ZIP)
    assert [one["file"] for one in answer.json()["predictions"]] == ["a.png", "b.png"]


def test_folders_of_a_zip_tell_files_of_one_name_apart(server: Running) -> None:
    names = ("ill/a.png", "well\\a.png", "./a.png", "/etc/a.png", "ill/../a.png", "C:/ill/a.png", f"{'x' * 300}/a.png")
    answer = server.ask("POST", "/predict", packed(dict.fromkeys(names, XRAY)), ZIP)
    found = [one["file"] for one in answer.json()["predictions"]]
    assert found == ["ill/a.png", "well/a.png", *["a.png"] * 5]


def test_only_who_sent_a_batch_may_see_it(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as guarded:
        taken = guarded.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}, key="reader")
        assert taken.status == 202
        path = taken.headers["location"]
        asked = {
            role: guarded.ask("GET", path, key=role).status for role in ("reader", "reviewer", "engineer", "admin")
        }
        assert asked == {"reader": 200, "reviewer": 404, "engineer": 404, "admin": 200}
        assert guarded.ask("DELETE", path, key="engineer").status == 404
        assert guarded.ask("GET", "/jobs", key="reviewer").json() == {"jobs": []}
        seen = dict[str, tuple[int, bool]]()
        for role in asked:
            page, every = (guarded.ask("GET", f"/app{where}", role=role) for where in (path, "/jobs"))
            seen[role] = page.status, path.encode() in every.body
        assert seen == {"reader": (200, True), "reviewer": (404, False), "engineer": (404, False), "admin": (200, True)}
        assert guarded.ask("GET", path).status == 401


class Process:
    """`hilum serve` as people run it."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hilum", "serve", "--port", "0"],
            env={**os.environ, "HILUM_HOME": str(home), "HILUM_DEADLINE_MS": DEADLINE_MS},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "http://" in line)
        self.url = line[line.index("http://") :].split()[0]

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=120) as answer:
            return json.load(answer)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> dict:
        request = urllib.request.Request(f"{self.url}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(120)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def until(server: Process, path: str, enough) -> dict:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        said = server.get(path)
        if enough(said):
            return said
        time.sleep(0.05)
    raise AssertionError(said)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_batch_outlives_its_server_and_every_file_is_answered_once(tmp_path: Path, how: signal.Signals) -> None:
    files = packed({f"{i:03d}.png": data for i, data in enumerate(different(MANY))})
    server = Process(tmp_path)
    try:
        taken = server.post("/predict?task=pneumonia-cxr", files, ZIP)
        path = f"/jobs/{taken['id']}"
        until(server, path, lambda said: said["done"] >= 16)
        before = server.get(path)
        assert before["state"] == "running"
    finally:
        server.end(how)
    server = Process(tmp_path)
    try:
        said = until(server, path, lambda said: said["state"] not in ("queued", "running"))
        assert (said["state"], said["done"], said["unreadable"]) == ("done", MANY, 0)
        found = server.get(f"{path}/results")["predictions"]
        assert [one["file"] for one in found] == [f"{i:03d}.png" for i in range(MANY)]
        assert server.get("/predictions?limit=1")["total"] == MANY
    finally:
        assert server.end(signal.SIGTERM) == 0


def test_what_nobody_foresaw_ends_a_batch_and_says_so(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(type(server.parts.batches), "count", broken)
    said = over(server, server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}))
    assert said["state"] == "failed"
    assert "secret" not in said["error"]


def test_a_batch_that_gave_up_is_tried_again_at_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path) as first, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(first.parts.batches), "finish", lambda *_: 1 / 0)
        patch.setattr(first.parts.batches._resumed, "is_set", lambda: False)
        taken = first.ask("POST", "/predict", form([("a.png", XRAY), ("b", b"no image")]), {**TYPE, **ASYNC})
        engine = first.parts.batches._engine
        until = time.monotonic() + 120
        while not engine.gave_up(taken.json()["id"]):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert first.ask("GET", taken.headers["location"]).json()["state"] == "running"
    with running(tmp_path) as second:
        said = over(second, taken)
        assert (said["state"], said["done"], said["unreadable"]) == ("done", 2, 1)
        assert second.ask("GET", "/predictions").json()["total"] == 1


def test_a_model_that_is_gone_fails_the_batch_with_its_reason(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise UnknownModel("no model of that name any more")

    monkeypatch.setattr(type(server.parts.batches), "_answered", gone)
    said = over(server, server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}))
    assert (said["state"], said["error"]) == ("failed", "no model of that name any more")


def test_a_disk_that_comes_back_goes_on(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.jobs.batches.LONGEST", 0.01)  # as if it had been away for hours
    real, left = type(server.parts.batches)._answered, [StorageError("full")] * 20

    def flaky(*arguments: object) -> object:
        if left:
            raise left.pop()
        return real(*arguments)

    monkeypatch.setattr(type(server.parts.batches), "_answered", flaky)
    said = over(server, server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}))
    assert (said["state"], said["done"]) == ("done", 1)


def test_a_file_of_a_batch_that_is_gone_holds_nobody_up(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.jobs.batches.LONGEST", 0.01)

    def gone(*_: object) -> None:
        raise ImageGone("a file of the batch is gone")

    monkeypatch.setattr(type(server.parts.batches), "_answered", gone)
    said = over(server, server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}))
    assert said["state"] == "failed"


def test_a_database_that_is_away_takes_no_batch_and_holds_nobody_up(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.parts.records, "ready", lambda: False)
    body = form([("a.png", XRAY)])
    refused = server.ask("POST", "/predict", body, {**TYPE, **ASYNC, "Idempotency-Key": "while it was away"})
    assert (refused.status, refused.headers["retry-after"], refused.is_problem()) == (503, "1", True)
    monkeypatch.undo()
    taken = server.ask("POST", "/predict", body, {**TYPE, **ASYNC, "Idempotency-Key": "while it was away"})
    assert over(server, taken)["state"] == "done"


def test_a_database_that_falls_while_the_engine_is_opened_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it restarts together with its servers: a moment before it said that it was ready."""
    real, falls = DBOS.launch, list[OperationalError]()

    def launch() -> None:
        if falls:
            raise falls.pop()
        real()

    monkeypatch.setattr(DBOS, "launch", launch)
    monkeypatch.setattr("hilum.parts.WATCH_SECONDS", 0.05)
    fault = OperationalError("SELECT 1", {}, Exception("the connection was closed"))
    with running(tmp_path) as first, monkeypatch.context() as patch:
        patch.setattr("hilum.jobs.engine.Engine.begin", lambda *_: None)  # it ends before that
        falls.append(fault)
        refused, taken = (first.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}) for _ in range(2))
        assert (refused.status, refused.headers["retry-after"], refused.is_problem()) == (503, "1", True)
        falls.extend([fault, fault])
    with running(tmp_path) as second:
        assert second.parts.batches._resumed.wait(120)
        assert not falls
        assert over(second, taken)["state"] == "done"


def test_old_batches_are_forgotten(server: Running) -> None:
    said = over(server, server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC}))
    inbox = server.parts.batches._desk.inbox
    inbox.write(replace(inbox.order(said["id"]), made=1))
    server.parts.batches.resume()
    assert server.ask("GET", f"/jobs/{said['id']}").status == 404


def test_batches_go_through_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    with running(tmp_path, DATABASE_URL=postgres_url) as server:
        files = {f"{i}.png": data for i, data in enumerate(different(20))}
        said = over(server, server.ask("POST", "/predict", packed(files), {**ZIP, **ASYNC}))
        assert (said["state"], said["done"]) == ("done", 20)
        assert server.ask("GET", "/predictions?limit=1").json()["total"] == 20
        assert not (tmp_path / "jobs.db").exists()


def test_the_role_of_the_application_answers_batches_with_no_more_than_the_documentation_grants(
    tmp_path: Path, postgres_url: str
) -> None:
    with running(tmp_path, AUTH="on", DATABASE_URL=postgres_url):
        pass  # the owner makes the tables
    with running(tmp_path, DATABASE_URL=as_documented(postgres_url)) as server:
        taken = server.ask("POST", "/predict", form([("a.png", XRAY)]), {**TYPE, **ASYNC})
        assert over(server, taken)["state"] == "done"


def test_people_are_answered_between_the_files_of_a_batch(tmp_path: Path) -> None:
    with running(tmp_path / "home", QUEUE="3") as server:
        line, seen = server.parts.line, []
        enter = line.enter_all

        def looking(asks):  # the real line, looked at when a person comes
            if asks[0].name == "person.png":
                seen.append(line.waiting)
            return enter(asks)

        line.enter_all = looking  # type: ignore[method-assign]
        films = different(130)  # all of them before the batch begins, which does not wait for who makes pictures
        files = packed({f"{i}.png": data for i, data in enumerate(films[:120])})
        taken = server.ask("POST", "/predict?task=pneumonia-cxr", files, ZIP)
        done = []
        for data in films[120:]:
            answer = server.ask("POST", "/predict?task=pneumonia-cxr", form([("person.png", data)]), TYPE)
            assert answer.status == 200, answer.body
            done.append(server.ask("GET", taken.headers["location"]).json()["done"])
        said = over(server, taken)
    assert (said["state"], said["done"], said["unreadable"]) == ("done", 120, 0)
    assert done[0] < 120
    assert max(seen) < 3  # of three places one is left free


def test_a_key_of_a_batch_that_was_forgotten_begins_another(server: Running) -> None:
    body, headers = form([("a.png", XRAY), ("b.png", BRAIN)]), {**TYPE, **ASYNC, "Idempotency-Key": "once more"}
    for _ in range(2):
        taken = server.ask("POST", "/predict", body, headers)
        assert over(server, taken)["state"] == "done"
        assert server.ask("DELETE", taken.headers["location"]).status in (200, 204)


def test_leftovers_of_a_zip_are_whole_names(server: Running) -> None:
    names = ("a/1.png", "PAT7-DICOMDIR-export/2.png", "case_Thumbs.db.png")
    files = {**dict.fromkeys(names, XRAY), "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "DICOMDIR": b"x"}
    files |= {"a/@eaDir/1.png": XRAY, "$RECYCLE.BIN\\2.png": XRAY, "#recycle/1.png": XRAY}  # of a drive and its server
    said = server.ask("POST", "/predict", packed(files), ZIP).json()["predictions"]
    assert [one["file"] for one in said] == list(names)


def test_names_in_a_zip_of_macos_are_those_of_its_folder(server: Running, tmp_path: Path) -> None:
    """Its Finder does not say that they are UTF-8: each file came back under a name that nobody knows."""
    name = "Mu\u0308ller/Aufnahme.png"
    body = zip_without_the_mark_of_utf8(tmp_path / "films.zip", {name: XRAY}).read_bytes()
    assert server.ask("POST", "/predict", body, ZIP).json()["file"] == name


def test_no_cell_runs_where_semicolons_part_them_either() -> None:
    table = as_csv([{"file": "a;=1+1;b.png", "error": "it is no image"}])
    assert '"a;=1+1;b.png"' in table


@pytest.mark.parametrize("first", "=+-@＝＋－＠\t\r\n")
def test_no_cell_begins_as_a_formula_in_any_width(first: str) -> None:
    assert harmless(f"{first}1+1") == f"'{first}1+1"
