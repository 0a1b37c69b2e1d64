"""POST /evaluate over a real connection: a zip or an allowed folder in, the evaluation object out."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hilum.interfaces.http import body
from tests.interfaces.http.forms import SAMPLES, TYPE, form, sample
from tests.interfaces.http.running import Running, running
from tests.interfaces.versions import package_of_own_task

pytest.importorskip("faiss")

FILMS = [path for path in SAMPLES if path.parent.name == "pneumonia-cxr"]


def labelled(folder: Path) -> Path:
    for path in FILMS:
        place = folder / path.stem.split("-")[0] / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled(tmp_path_factory.mktemp("roots") / "films")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, roots: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), DATA_ROOTS=str(roots.parent)) as server:
        yield server


def over(server: Running, path: str) -> dict:
    until = time.monotonic() + 600  # works come one after another, at a low priority
    while time.monotonic() < until:
        said = server.ask("GET", path).json()
        if said["state"] not in ("waiting", "running"):
            return said
        time.sleep(0.2)
    raise AssertionError(said)


def test_a_zip_of_labelled_images_is_measured(server: Running, roots: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(roots.rglob("*.png")):
            archive.write(path, path.relative_to(roots))
    taken = server.ask("POST", "/evaluate", form([("films.zip", out.getvalue())], task="pneumonia-cxr"), TYPE)
    assert taken.status == 202
    said = over(server, taken.headers["location"])
    assert said["state"] == "done", said
    assert (said["evaluation"]["n"], said["evaluation"]["task"]) == (len(FILMS), "pneumonia-cxr")
    assert said["evaluation"]["metrics"]["accuracy"]["value"] == 1.0
    page = server.ask("GET", said["report"])
    assert b"<html" in page.body
    assert "sandbox" in page.headers["content-security-policy"]
    model = server.ask("GET", f"/app/models/{said['evaluation']['model']['digest']}", headers={"Accept": "text/html"})
    assert said["report"] in model.body.decode()


@pytest.mark.parametrize("path", ["/predict", "/audits", "/evaluate"])
def test_a_large_body_is_read_beside_the_loop(server: Running, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody is answered for as long as it takes."""
    beside, parse = [], body.parse

    def noted(*given: Any) -> body.Body:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise AssertionError("read on the loop")
        beside.append(path)
        return parse(*given)

    monkeypatch.setattr(body, "LARGE", 64)
    monkeypatch.setattr(body, "parse", noted)
    answer = server.ask("POST", path, form([("none.zip", bytes(100))], task="pneumonia-cxr"), TYPE)
    assert (beside, answer.status) == ([path], 415 if path == "/predict" else 422), answer.body


@pytest.mark.parametrize("prevalence", [0.2, [0.8, 0.2]])
def test_a_folder_the_operator_allows_is_measured_at_a_point(server: Running, roots: Path, prevalence: object) -> None:
    asked = {"source": str(roots), "task": "pneumonia-cxr", "operating_point": "screening", "prevalence": prevalence}
    taken = server.ask("POST", "/v1/evaluate", asked)
    assert taken.status == 202, taken.body
    said = over(server, taken.headers["location"])
    assert said["evaluation"]["operating_point"] == "screening"
    assert said["evaluation"]["prevalence"] == prevalence


def test_an_older_package_of_a_task_of_ones_own_is_measured_by_its_own_classes(roots: Path, tmp_path: Path) -> None:
    """The newest one calls a class otherwise, so that its task file does not fit the older one."""
    older = package_of_own_task(tmp_path / "home")
    package_of_own_task(tmp_path / "home", version="2.0.0", negative="sound")
    with running(tmp_path / "home", DATA_ROOTS=str(roots.parent)) as server:
        taken = server.ask("POST", "/evaluate", {"source": str(roots), "task": "my-films", "model": older[:12]})
        assert taken.status == 202, taken.body
        said = over(server, taken.headers["location"])
    assert said["state"] == "done", said
    assert sorted(said["evaluation"]["per_class"]) == ["normal", "pneumonia"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"source": "/etc"}, 422),
        ({"source": "../.."}, 422),
        ({"source": ""}, 422),
        ({"source": "a\0b"}, 422),
        ({"source": "x" * 900}, 422),
        ({"task": "feet"}, 404),
        ({"model": "../evil"}, 404),
        ({"model": "--report=/tmp/x"}, 404),
        ({"model": "brain-tumor-mri"}, 422),
        ({"operating_point": "wild"}, 422),
        ({"prevalence": "many"}, 422),
        ({"prevalence": [0.9, "many"]}, 422),
        ({"prevalence": [0.8, 0.1, 0.1]}, 422),
        ({"prevalence": []}, 422),
        ({"extra": 1}, 422),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_at_the_door(server: Running, roots: Path, change: dict, status: int) -> None:
    answer = server.ask("POST", "/evaluate", {"source": str(roots), "task": "pneumonia-cxr", **change})
    assert answer.status == status
    assert answer.is_problem()


def test_the_same_key_is_the_same_evaluation_even_at_once(server: Running, roots: Path) -> None:
    asked, key = {"source": str(roots), "task": "pneumonia-cxr"}, {"Idempotency-Key": "measure-1"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.ask("POST", "/evaluate", asked, key), range(4)))
    assert {answer.status for answer in answers} == {202}
    (identity,) = {answer.json()["id"] for answer in answers}
    other = server.ask("POST", "/evaluate", {**asked, "operating_point": "screening"}, key)
    assert (other.status, other.json()["code"]) == (422, "key_reused")
    assert server.ask("POST", "/evaluate", asked).json()["id"] != identity
    assert server.ask("POST", "/evaluate", asked, {"Idempotency-Key": "k" * 256}).json()["code"] == "bad_key"
    said = over(server, f"/evaluations/{identity}")
    assert said["state"] == "done"
    assert server.ask("POST", "/evaluate", asked, key).json()["evaluation"] == said["evaluation"]


def test_a_key_is_of_one_zip_only(server: Running, roots: Path) -> None:
    def packed(count: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path in sorted(roots.rglob("*.png"))[:count]:
                archive.write(path, path.relative_to(roots))
        return form([("films.zip", out.getvalue())], task="pneumonia-cxr")

    headers = {**TYPE, "Idempotency-Key": "zip-1"}
    first, again, other = (server.ask("POST", "/evaluate", packed(count), headers) for count in (4, 4, 3))
    assert first.json()["id"] == again.json()["id"]
    assert (other.status, other.json()["code"]) == (422, "key_reused")


def test_what_is_no_zip_is_refused(server: Running) -> None:
    body = form([("a.png", sample("pneumonia-cxr").read_bytes())], task="pneumonia-cxr")
    assert server.ask("POST", "/evaluate", body, TYPE).status == 422


@pytest.mark.parametrize("path", ["/evaluate", "/audits"])
def test_nothing_that_was_sent_is_left_out_in_silence(server: Running, roots: Path, path: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for film in sorted(roots.rglob("*.png")):
            archive.write(film, film.relative_to(roots))
    one = ("films.zip", out.getvalue())
    before = {work.id for work in server.parts.works.all()}  # type: ignore[union-attr]
    for sent in (form([one, one], task="pneumonia-cxr"), form([one], task="pneumonia-cxr", source="films")):
        answer = server.ask("POST", path, sent, TYPE)
        assert (answer.status, answer.is_problem()) == (422, True)
    assert {work.id for work in server.parts.works.all()} == before  # type: ignore[union-attr]


def test_other_work_is_no_evaluation(server: Running) -> None:
    audit = server.parts.works.begin("audit", "films", ["nowhere"], "local")
    for identity in ("nobody", audit.id):
        for path in (f"/evaluations/{identity}", f"/evaluations/{identity}/report"):
            assert server.ask("GET", path).status == 404


@pytest.mark.parametrize("way", ["address", "raw"])
def test_a_source_beside_a_zip_is_refused_wherever_it_is_named(server: Running, way: str) -> None:
    """The zip was measured, and the folder that was named left out in silence."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("normal/1.png", FILMS[0].read_bytes())
    body, kind = form([("a.zip", out.getvalue())], task="pneumonia-cxr"), TYPE
    if way == "raw":
        body, kind = out.getvalue(), {"Content-Type": "application/zip"}
    for path in ("/evaluate?task=pneumonia-cxr&source=films", "/audits?source=films"):
        answer = server.ask("POST", path, body, kind)
        assert (answer.status, "not both" in answer.json()["detail"]) == (422, True)
