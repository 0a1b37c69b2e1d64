"""Audits and trainings over HTTP: only below the operator's folders, watched until they are over, read afterwards."""

from __future__ import annotations

import fcntl
import io
import json
import shutil
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hilum.access.caller import LOCAL
from hilum.errors import RecordsError
from hilum.interfaces.http import works
from hilum.interfaces.http.works import report_page
from hilum.jobs.works import LOCK, RESULT, STATE, Work, Works
from hilum.records.query import Query
from hilum.records.store import Records
from tests.flows.made import write_spots
from tests.interfaces.http.forms import TYPE, form
from tests.interfaces.http.running import Running, running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("roots")
    write_spots(root / "spots", 16)
    (root / "out").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    return root


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), DATA_ROOTS=str(root)) as server:
        yield server


def finished(server: Running, identity: str) -> dict[str, Any]:
    deadline = time.monotonic() + 600  # works come one after another, at a low priority
    while time.monotonic() < deadline:
        said = server.ask("GET", f"/works/{identity}").json()
        if said["state"] in ("done", "failed", "stopped"):
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def test_a_folder_below_a_root_is_audited(server: Running) -> None:
    taken = server.ask("POST", "/audits", {"source": "spots"})
    assert taken.status == 202
    said = finished(server, taken.headers["location"].rsplit("/", 1)[-1])
    assert said["state"] == "done"
    assert said["result"]["images"] == 16
    page = server.ask("GET", f"{taken.headers['location']}/report")
    assert b"<html" in page.body
    assert said["id"] in {one["id"] for one in server.ask("GET", "/works").json()["works"]}


def test_an_uploaded_zip_is_audited(server: Running, root: Path) -> None:
    taken = server.ask("POST", "/audits", form([("spots.zip", zipped(root, 16))]), TYPE)
    assert taken.status == 202
    said = finished(server, taken.json()["id"])
    assert (said["title"], said["result"]["images"]) == ("spots.zip", 16)


@pytest.mark.parametrize("end", [0, 4, -40])
def test_what_is_no_whole_zip_is_refused_at_once(server: Running, root: Path, end: int) -> None:
    told = server.ask("POST", "/audits", form([("spots.zip", zipped(root, 4)[:end])]), TYPE)
    assert (told.status, told.json()["code"]) == (422, "usage")


def test_an_audit_where_that_part_is_not_installed_is_told_so_and_not_begun(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken on with 202 and failed later, where trainings and evaluations are refused at once."""
    monkeypatch.setattr(works, "can_audit", lambda: False)
    before = server.ask("GET", "/works").json()["works"]
    told = server.ask("POST", "/audits", {"source": "spots"})
    assert (told.status, told.json()["code"]) == (501, "missing_extra")
    assert "hilum[data]" in told.json()["detail"]
    assert {one["id"] for one in server.ask("GET", "/works").json()["works"]} == {one["id"] for one in before}


def zipped(root: Path, count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted((root / "spots").rglob("*.png"))[:count]:
            archive.write(path, path.relative_to(root / "spots"))
    return out.getvalue()


def test_the_same_key_is_the_same_work_even_at_once(server: Running, root: Path) -> None:
    asked, key = {"source": "spots"}, {"Idempotency-Key": "audit-1"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.ask("POST", "/audits", asked, key), range(4)))
    assert {answer.status for answer in answers} == {202}
    (identity,) = {answer.json()["id"] for answer in answers}
    other = server.ask("POST", "/audits", {**asked, "task": "pneumonia-cxr"}, key)
    assert (other.status, other.json()["code"]) == (422, "key_reused")
    assert server.ask("POST", "/audits", asked, {"Idempotency-Key": ""}).json()["code"] == "bad_key"
    finished(server, identity)
    assert server.ask("POST", "/audits", asked, key).json() == {"id": identity, "state": "done", "kind": "audit"}
    headers = {**TYPE, "Idempotency-Key": "zip-1"}
    sent = (form([("spots.zip", zipped(root, count))]) for count in (4, 4, 3))
    first, again, another = (server.ask("POST", "/audits", body, headers) for body in sent)
    assert first.json()["id"] == again.json()["id"]
    assert (another.status, another.json()["code"]) == (422, "key_reused")


def test_the_same_key_is_the_same_training(server: Running) -> None:
    pytest.importorskip("lightning")
    key = {"Idempotency-Key": "audit-1"}  # keys of audits are others
    asked = {"source": "spots", "task": "pneumonia-cxr", "changes": {"epochs": 1, "batch": 8}}
    turned = {**asked, "changes": {"batch": 8, "epochs": 1}}
    first, again, other = (
        server.ask("POST", "/trainings", body, key) for body in (asked, turned, {**asked, "seed": 1})
    )
    assert first.json()["kind"] == "train"
    assert first.json()["id"] == again.json()["id"]
    assert (other.status, other.json()["code"]) == (422, "key_reused")
    server.ask("DELETE", f"/works/{first.json()['id']}")
    assert finished(server, first.json()["id"])["state"] in ("stopped", "failed")
    assert server.ask("POST", "/trainings", asked, key).json()["id"] == first.json()["id"]


STRANGE = ["a\0b", "spots\0", "/\0", "\ud800", "x" * 900, "spots/" + "x" * 900, "loop"]


@pytest.mark.parametrize("source", ["/etc", "../", "out", "out/passwd", "nowhere", "s3://bucket/x", *STRANGE])
def test_nothing_outside_the_roots_is_named(server: Running, source: str) -> None:
    for path, said in (("/audits", {}), ("/trainings", {"task": "pneumonia-cxr"})):
        answer = server.ask("POST", path, {"source": source, **said})
        assert answer.status == 422
        assert answer.is_problem()


@pytest.mark.parametrize("weights", ["/etc/passwd", "out/passwd", "../x.safetensors", 5])
def test_no_weights_outside_the_roots_are_named(server: Running, weights: object) -> None:
    pytest.importorskip("lightning")
    said = {"source": "spots", "task": "pneumonia-cxr", "network": "resnet50-transfer", "changes": {"weights": weights}}
    answer = server.ask("POST", "/trainings", said)
    assert (answer.status, answer.is_problem()) == (422, True)
    assert "HILUM_DATA_ROOTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "said",
    [
        {"task": "../../etc/passwd"},
        {"task": "pneumonia-cxr", "network": "--out=/tmp/x"},
        {"task": "pneumonia-cxr", "changes": {"--out": "/tmp"}},
        {"task": "pneumonia-cxr", "folds": 99},
    ],
)
def test_no_word_of_a_request_becomes_an_option(server: Running, said: dict[str, object]) -> None:
    assert server.ask("POST", "/trainings", {"source": "spots", **said}).status in (404, 422)


def test_a_body_that_is_no_order_is_a_problem(server: Running) -> None:
    for body in ({}, {"source": 5}, [], {"source": "x" * 2000}):
        answer = server.ask("POST", "/audits", body)
        assert (answer.status, answer.is_problem()) == (422, True)
    assert server.ask("POST", "/audits", form([("a.zip", b"no zip")]), TYPE).status == 422


def test_a_misspelt_member_begins_nothing(server: Running) -> None:
    """A line of the plan outside of `changes` would be left out, and the training run for hours without it."""
    before = {work.id for work in server.parts.works.all()}  # type: ignore[union-attr]
    orders = {
        "/trainings": ({"task": "pneumonia-cxr", "epochs": 1}, "epochs"),
        "/audits": ({"taks": "pneumonia-cxr"}, "taks"),
    }
    for path, (said, named) in orders.items():
        answer = server.ask("POST", path, {"source": "spots", **said})
        assert (answer.status, answer.is_problem()) == (422, True)
        assert f"no '{named}'" in answer.json()["detail"]
    assert {work.id for work in server.parts.works.all()} == before  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"changes": {"epoch": 3}}, "no line of that name"),
        ({"changes": {"epochs": 0}}, "epochs must be 1 to"),
        ({"changes": {"epochs": "many"}}, "no whole number"),
        ({"changes": {"distill": "yes"}}, "needs folds"),
        ({"changes": {"size": 100}, "network": "cnn-4block"}, "133 pixels or more"),
        ({"network": "resnet"}, "no network 'resnet'"),
        ({"seed": 2**40}, "seed"),
    ],
    ids=str,
)
def test_a_line_that_no_plan_has_is_refused_before_it_waits_for_its_turn(
    server: Running, order: dict[str, object], words: str
) -> None:
    """It was taken on with 202, and failed hours later where others were before it."""
    pytest.importorskip("lightning")
    before = {work.id for work in server.parts.works.all()}  # type: ignore[union-attr]
    told = server.ask("POST", "/trainings", {"source": "spots", "task": "pneumonia-cxr", **order})
    assert (told.status, told.is_problem()) == (422, True)
    assert words in told.json()["detail"]
    assert {work.id for work in server.parts.works.all()} == before  # type: ignore[union-attr]


def test_a_plan_is_looked_at_without_torch() -> None:
    """A server has no room for it."""
    code = "import sys; from hilum.learn.plan import Plan, override; override(Plan(), ['network=cnn-4block']); "
    looked = subprocess.run(
        [sys.executable, "-c", f"{code}print('torch' in sys.modules)"], capture_output=True, check=True
    )
    assert looked.stdout.strip() == b"False"


def test_one_network_that_answers_together_is_refused_before_it_waits_for_its_turn(server: Running) -> None:
    """The command line wants two or more: what was taken on failed once its turn had come, in words of options."""
    pytest.importorskip("lightning")
    before = {work.id for work in server.parts.works.all()}  # type: ignore[union-attr]
    answer = server.ask("POST", "/trainings", {"source": "spots", "task": "pneumonia-cxr", "folds": 1})
    assert (answer.status, answer.json()["detail"].split(":")[0]) == (422, "folds")
    assert {work.id for work in server.parts.works.all()} == before  # type: ignore[union-attr]


def test_a_work_can_be_stopped(server: Running) -> None:
    identity = server.ask("POST", "/audits", {"source": "spots"}).json()["id"]
    assert server.ask("DELETE", f"/works/{identity}").status == 200
    assert finished(server, identity)["state"] in ("stopped", "done")


def test_without_roots_no_folder_is_named(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert "HILUM_DATA_ROOTS" in server.ask("POST", "/audits", {"source": "spots"}).json()["detail"]


def test_a_key_that_may_only_train_sees_its_own_trainings_and_nothing_more(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as house:
        access, works = house.parts.access, house.parts.works
        assert access is not None
        assert works is not None
        mine, other = (next(one for one in access.users.all() if one.name == name) for name in ("engineer", "admin"))
        house.keys["train"] = access.keys.add(mine.id, "trainer", ("train",), 1, LOCAL)[1]
        house.keys["predict"] = access.keys.add(mine.id, "asker", ("predict",), 1, LOCAL)[1]
        own = works.begin("train", "own", ["nowhere", "--task=pneumonia-cxr"], mine.id)
        others = works.begin("train", "another's", ["nowhere", "--task=pneumonia-cxr"], other.id)
        audit = works.begin("audit", "own audit", ["nowhere"], mine.id)
        seen = house.ask("GET", "/works", key="train").json()["works"]
        assert [one["id"] for one in seen] == [own.id]
        assert house.ask("GET", f"/works/{own.id}", key="train").json()["title"] == "own"
        assert house.ask("GET", f"/works/{own.id}/report", key="train").json()["detail"] == "there is no report (yet)"
        for hidden in (others, audit):
            for path in (f"/works/{hidden.id}", f"/works/{hidden.id}/report"):
                assert "no work" in house.ask("GET", path, key="train").json()["detail"]
            assert house.ask("GET", f"/app/train/{hidden.id}", key="train").status == 404
        page, pages = {"Accept": "text/html"}, (f"/app/train/{own.id}", f"/app/train?run={own.id}&run={others.id}")
        for shown in (house.ask("GET", path, headers=page, key="train") for path in pages):
            assert (shown.status, own.id.encode() in shown.body, b"another&#39;s" in shown.body) == (200, True, False)
        assert b"another&#39;s" in house.ask("GET", "/app/train", headers=page, key="engineer").body
        assert house.ask("DELETE", f"/works/{own.id}", key="train").status == 403
        assert house.ask("GET", f"/works/{own.id}", key="predict").status == 403
        assert len(house.ask("GET", "/works", key="engineer").json()["works"]) == 3


def test_the_reports_of_a_training_are_found_in_a_home_that_was_moved_or_restored_elsewhere(tmp_path: Path) -> None:
    old, new = tmp_path / "runs" / "old", tmp_path / "new"  # a home may itself lie below a folder of that name
    page = old / "runs" / "chest-1" / "tuned-2" / "report" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<html>")
    said = {"reports": {"evaluation": str(page), "audit": str(tmp_path / "runs" / ".." / ".." / "secret.html")}}
    (tmp_path / "secret.html").write_text("<html>")
    done = Work(str(uuid.uuid4()), "train", "chest", (), "local", 1.0, state="done")
    place = old / "works" / done.id
    place.mkdir(parents=True)
    (place / STATE).write_text(json.dumps(asdict(done)))
    (place / RESULT).write_text(json.dumps(said))
    shutil.copytree(old, new)  # restored beside the one that it was saved from, which is still there
    assert page_of(done, old, "evaluation") == page
    assert page_of(done, new, "evaluation") == new / page.relative_to(old)
    assert page_of(done, new, "audit") is None


def page_of(work: Work, home: Path, of: str) -> Path | None:
    works = Works(home / "works")
    works.close()
    return report_page(works, work, home, of)


def test_who_begins_and_who_stops_a_work_is_on_record_once(root: Path, tmp_path: Path) -> None:
    (tmp_path / "works").mkdir()
    with (tmp_path / "works" / LOCK).open("a") as turn, running(tmp_path, DATA_ROOTS=str(root), AUTH="on") as house:
        fcntl.flock(turn, fcntl.LOCK_EX)  # so that none is over before it is stopped
        key = {"Idempotency-Key": "audit-1"}
        one, again = (house.ask("POST", "/audits", {"source": "spots"}, key, role="engineer") for _ in range(2))
        two = house.ask("POST", "/audits", {"source": "spots"}, role="admin").json()["id"]
        for _ in range(2):
            assert house.ask("DELETE", f"/works/{two}", role="engineer").status == 200
        who = {role: house.ask("GET", "/session", role=role).json()["user"]["id"] for role in ("engineer", "admin")}
        acts = [record.entry for record in house.parts.records.find(Query(kind="act", order="oldest", limit=200))]
        said = [(entry.caller, json.loads(entry.body)) for entry in acts]
    assert one.json()["id"] == again.json()["id"]
    assert [(caller, body) for caller, body in said if body["act"].startswith("work_")] == [
        (who["engineer"], {"act": "work_begun", "about": one.json()["id"], "kind": "audit"}),
        (who["admin"], {"act": "work_begun", "about": two, "kind": "audit"}),
        (who["engineer"], {"act": "work_stopped", "about": two, "kind": "audit"}),
    ]


def test_a_work_that_is_begun_again_under_a_key_after_it_was_erased_is_on_record_again(
    root: Path, tmp_path: Path
) -> None:
    with running(tmp_path, DATA_ROOTS=str(root)) as house:
        key = {"Idempotency-Key": "films-2030-01"}
        identity = house.ask("POST", "/audits", {"source": "spots"}, key).json()["id"]
        finished(house, identity)
        shutil.rmtree(tmp_path / "works" / identity)  # as `hilum erase --work` does
        assert house.ask("POST", "/audits", {"source": "spots"}, key).json()["id"] == identity
        assert begun(house) == [identity] * 2


def test_a_work_of_an_older_hilum_is_not_said_to_begin_when_its_key_is_sent_again(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, DATA_ROOTS=str(root)) as house:
        with pytest.MonkeyPatch.context() as older:
            older.setattr(house.parts.works, "_tell", None)  # it put no act on record
            one = house.ask("POST", "/audits", {"source": "spots"}, {"Idempotency-Key": "films"}).json()
        again = house.ask("POST", "/audits", {"source": "spots"}, {"Idempotency-Key": "films"}).json()
        assert (again["id"], begun(house)) == (one["id"], [])


def begun(house: Running) -> list[str]:
    """The works whose beginning is on record."""
    acts = [json.loads(record.entry.body) for record in house.parts.records.find(Query(kind="act", limit=200))]
    return [act["about"] for act in acts if act["act"] == "work_begun"]


def test_no_work_begins_that_cannot_be_put_on_record(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {work.id for work in server.parts.works.all()}

    def refused(*_: object) -> None:
        raise RecordsError("the records cannot be written (disk full)")

    monkeypatch.setattr(Records, "append", refused)
    assert server.ask("POST", "/audits", {"source": "spots"}).status == 503
    assert {work.id for work in server.parts.works.all()} == before


def test_what_is_said_beside_a_zip_is_read_or_refused(server: Running, root: Path) -> None:
    """A misspelt task, and one in the address, were left out: the audit went by other rules than was asked for."""
    packed = zipped(root, 4)
    for path, fields in (("/audits", {"taks": "pneumonia-cxr"}), ("/audits?taks=pneumonia-cxr", {})):
        answer = server.ask("POST", path, form([("a.zip", packed)], **fields), TYPE)
        assert (answer.status, "is 'task' meant?" in answer.json()["detail"]) == (422, True)
    for path in ("/audits?task=nope", "/v1/audits?task=nope"):
        answer = server.ask("POST", path, packed, {"Content-Type": "application/zip"})
        assert (answer.status, answer.json()["code"]) == (404, "unknown_task")
