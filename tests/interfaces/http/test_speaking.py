"""A package is promoted while requests come in: none fails, the new one answers, the change is on record."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hilum.flows.desks import Desks
from hilum.flows.predict import Desk
from hilum.flows.promotion import Decision, promote
from hilum.flows.speaker import Speaker
from hilum.model.overlay import grey_png
from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import PATIENT, Running, running
from tests.interfaces.versions import another_version, package_of_own_task


@pytest.fixture
def server(tmp_path: Path):
    home = tmp_path / "home"
    another_version(home, "2.0.0")
    with running(home) as server:
        yield server


def ask(server: Running, i: int) -> tuple[int, str]:
    data = sample("pneumonia-cxr").read_bytes() + str(i).encode()
    answer = server.ask("POST", "/predict", data, {"Content-Type": "image/png"})
    return answer.status, answer.json()["model"]["version"]


def test_a_package_is_switched_without_one_failed_request(server: Running) -> None:
    seen: list[tuple[int, str]] = []
    stop = threading.Event()

    def keep_asking(number: int) -> None:
        i = 0
        while not stop.is_set():
            seen.append(ask(server, number * 100_000 + i))
            i += 1

    threads = [threading.Thread(target=keep_asking, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while len(seen) < 10:
        stop.wait(0.01)
    said = server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote", {"why": "a better one"})
    before = len(seen)
    while len(seen) < before + 20:
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert said.status == 201
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {"1.1.0", "2.0.0"}
    assert ask(server, -1) == (200, "2.0.0")
    (event,) = server.ask("GET", "/history").json()["history"]
    assert (event["reference"], event["why"], event["before"]) == ("pneumonia-cxr@2.0.0", "a better one", None)
    champions = [
        one["version"]
        for one in server.ask("GET", "/models").json()["models"]
        if one["champion"] and one["task"] == "pneumonia-cxr"
    ]
    assert champions == ["2.0.0"]
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 422


def test_a_switch_that_fails_for_whatever_reason_is_tried_again(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, failures = Desks.switch, [RuntimeError("a fault in a worker")]

    def failing_once(desks: Desks) -> None:
        if failures:
            raise failures.pop()
        switch(desks)

    monkeypatch.setattr(Desks, "switch", failing_once)
    assert ask(server, 0) == (200, "1.1.0")
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 500
    server.parts.switch()  # as every few seconds
    assert (failures, ask(server, 1)) == ([], (200, "2.0.0"))


def test_who_was_promoted_answers_to_the_name_and_to_champion(server: Running) -> None:
    film, png = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    names = ("pneumonia-cxr", "pneumonia-cxr@champion")

    def answering() -> set[str]:
        asked = [server.ask("POST", f"/predict?model={name}", film, png).json()["model"]["version"] for name in names]
        shown = [server.ask("GET", f"/models/{name}").json()["version"] for name in names]
        tensors = server.ask("GET", "/v2/models/pneumonia-cxr/versions/champion").json()["parameters"]["digest"]
        told = next(one for one in server.ask("GET", "/models").json()["models"] if one["digest"] == tensors)
        return {*asked, *shown, told["version"]}

    assert answering() == {"1.1.0"}
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 201
    assert answering() == {"2.0.0"}
    page = server.ask("GET", "/app/models/pneumonia-cxr", headers={"Accept": "text/html"})
    assert b"pneumonia-cxr@2.0.0" in page.body
    assert b"# " in server.ask("GET", "/models/pneumonia-cxr@champion/card").body
    assert server.ask("POST", "/models/pneumonia-cxr@champion/promote").status == 422
    server.ask("POST", "/tasks/pneumonia-cxr/rollback")
    assert answering() == {"1.1.0"}


def test_a_question_of_ones_own_is_asked_by_its_name_once_somebody_speaks_for_it(tmp_path: Path) -> None:
    package_of_own_task(tmp_path / "home", "my-question")
    film, png = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    with running(tmp_path / "home") as server:
        assert server.ask("POST", "/predict?task=my-question", film, png).status == 404
        assert server.ask("POST", "/models/my-question/promote").status == 201
        said = server.ask("POST", "/predict?task=my-question", film, png)
        assert (said.status, said.json()["task"]) == (200, "my-question")
        named = server.ask("POST", "/predict?task=my-question&model=my-question", film, png)
        assert named.json()["model"] == said.json()["model"]
        told = server.ask("POST", "/feedback", {"id": said.json()["id"], "label": "NORMAL"})
        assert (told.status, told.json()["class"]) == (201, "normal")
        assert server.ask("POST", "/feedback", {"id": said.json()["id"], "label": "broken"}).status == 422
        assert server.ask("POST", "/tasks/my-question/rollback").status == 201
        assert server.ask("POST", "/predict?task=my-question", film, png).status == 404
        assert server.ask("POST", "/predict?task=pneumonia-cxr", film, png).status == 200


def test_the_latest_is_whoever_is_the_latest_now(server: Running) -> None:
    home, film, png = server.parts.settings.home, sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}

    def answering() -> tuple[str, str]:
        latest = server.ask("POST", "/predict?model=pneumonia-cxr@latest", film, png)
        tensors = server.ask("GET", "/v2/models/pneumonia-cxr/versions/latest").json()["parameters"]["digest"]
        told = next(one for one in server.ask("GET", "/models").json()["models"] if one["digest"] == tensors)
        return latest.json()["model"]["version"], told["version"]

    assert answering() == ("2.0.0", "2.0.0")
    assert not server.parts.switch()
    another_version(home, "3.0.0")
    server.parts.switch()  # as every few seconds
    assert answering() == ("3.0.0", "3.0.0")
    assert ask(server, 1) == (200, "1.1.0")
    shutil.copytree(home / "models" / "pneumonia-cxr" / "3.0.0", home / "models" / "pneumonia-cxr" / "4.0.0")
    manifest = home / "models" / "pneumonia-cxr" / "4.0.0" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"3.0.0"', '"4.0.0"'))  # nobody pinned it
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 201
    assert ask(server, 2) == (200, "2.0.0")
    assert server.ask("POST", "/predict?model=pneumonia-cxr@latest", film, png).is_problem()


def test_a_package_that_was_removed_keeps_no_other_from_being_promoted(server: Running) -> None:
    home = server.parts.settings.home
    another_version(home, "3.0.0")
    film, png = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    named = "/predict?model=pneumonia-cxr@2.0.0"
    assert server.ask("POST", named, film, png).json()["model"]["version"] == "2.0.0"
    assert ask(server, 1) == (200, "1.1.0")
    shutil.rmtree(home / "models" / "pneumonia-cxr" / "2.0.0")
    assert server.ask("POST", "/models/pneumonia-cxr@3.0.0/promote").status == 201
    assert ask(server, 2) == (200, "3.0.0")
    assert server.ask("POST", named, film, png).status == 404


def test_a_promoted_package_that_was_removed_goes_on_until_another_is_promoted_and_holds_up_no_other_task(
    server: Running,
) -> None:
    home, film, png = server.parts.settings.home, sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 201
    assert ask(server, 1) == (200, "2.0.0")
    shutil.rmtree(home / "models" / "pneumonia-cxr" / "2.0.0")
    assert server.ask("POST", "/models/brain-tumor-mri/promote").status == 201
    assert server.parts.crew.chosen.keys() == {"pneumonia-cxr", "brain-tumor-mri"}
    assert server.ask("POST", "/predict?task=auto", film, png).json()["model"]["version"] == "2.0.0"
    with running(home) as anew:  # nothing of it is open there
        told = anew.ask("POST", "/predict?task=pneumonia-cxr", film, png)
        assert (told.status, told.json()["code"]) == (503, "package_damaged")
        assert b"not installed any more" in anew.ask("GET", "/readyz").body
    assert server.ask("POST", "/tasks/pneumonia-cxr/rollback").status == 201
    assert ask(server, 2) == (200, "1.1.0")


def test_a_package_in_the_folder_of_another_answers_once_it_is_promoted(server: Running) -> None:
    home = server.parts.settings.home
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").status == 201
    assert ask(server, 1) == (200, "2.0.0")
    shutil.rmtree(home / "models" / "pneumonia-cxr" / "2.0.0")
    anew = another_version(home, "2.0.0", remark=b"learned anew\n")
    assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote").json()["digest"] == anew
    film = sample("pneumonia-cxr").read_bytes()
    said = server.ask("POST", "/predict", film, {"Content-Type": "image/png"}).json()
    assert said["model"]["digest"] == anew


def test_an_operating_point_is_looked_for_in_whoever_speaks_now(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, blank = "/predict?task=pneumonia-cxr&operating_point=screening", grey_png(np.zeros((80, 80), np.float32))
    assert server.ask("POST", path, blank, {"Content-Type": "image/png"}).status == 200
    package = server.parts.desks.desk("pneumonia-cxr").speakers[0].package
    points = {name: point for name, point in package.calibration.points.items() if name != "screening"}
    other = Desk((Speaker(replace(package, calibration=replace(package.calibration, points=points))),))
    monkeypatch.setattr(Desks, "opened", lambda *_: other)
    assert server.ask("POST", path, blank, {"Content-Type": "image/png"}).status == 422


def test_a_manifest_that_cannot_be_read_keeps_nobody_else_from_answering(tmp_path: Path) -> None:
    broken = tmp_path / "models" / "other" / "1.0.0"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    with running(tmp_path) as server:
        for path in ("/", "/models", "/tasks", "/readyz", "/models/pneumonia-cxr", "/app/models"):
            assert server.ask("GET", path).status == 200, path
        assert ask(server, 1) == (200, "1.1.0")
        assert server.ask("GET", "/models/other@1.0.0").status == 404


def test_a_damaged_package_is_not_promoted_and_the_other_goes_on(server: Running) -> None:
    home = server.parts.settings.home
    broken = home / "models" / "pneumonia-cxr" / "3.0.0"
    shutil.copytree(home / "models" / "pneumonia-cxr" / "2.0.0", broken)
    manifest = json.loads((broken / "manifest.json").read_bytes())
    (broken / "manifest.json").write_text(json.dumps({**manifest, "version": "3.0.0"}))
    assert server.ask("POST", "/models/pneumonia-cxr@3.0.0/promote").is_problem()
    assert ask(server, 1) == (200, "1.1.0")


def test_a_promotion_is_taken_back_over_http(server: Running) -> None:
    assert server.ask("POST", "/tasks/pneumonia-cxr/rollback").status == 422
    assert server.ask("POST", "/tasks/no-such-task/rollback").status == 404
    server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote")
    assert ask(server, 1) == (200, "2.0.0")
    said = server.ask("POST", "/tasks/pneumonia-cxr/rollback", {"why": "worse"})
    assert (said.status, said.json()["act"], said.json()["digest"]) == (201, "rollback", None)
    assert ask(server, 2) == (200, "1.1.0")
    assert [event["act"] for event in server.ask("GET", "/history").json()["history"]] == ["rollback", "promote"]


@pytest.mark.parametrize("name", ["x" * 300, "pneumonia-cxr-of-a-folder", "..", "~"])
def test_a_folder_is_no_name_of_a_model_on_a_server(
    server: Running, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(server.parts.settings.models / "pneumonia-cxr", tmp_path / "pneumonia-cxr-of-a-folder")
    monkeypatch.chdir(tmp_path)  # where the server was started
    said = server.ask("POST", f"/models/{name}/promote", {"why": "a try"})
    assert (said.status, said.json()["code"]) == (404, "unknown_model")
    assert "path" not in said.json()["detail"]
    assert str(tmp_path) not in said.json()["detail"]


def test_who_promotes_is_told_once_the_new_one_speaks_though_a_look_was_under_way(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, begun, going = Desks.switch, threading.Event(), threading.Event()

    def slowly(desks: Desks) -> None:
        begun.set()
        assert going.wait(PATIENT)
        switch(desks)

    monkeypatch.setattr(Desks, "switch", slowly)
    parts = server.parts
    promote("pneumonia-cxr@2.0.0", parts.records, parts.settings, Decision("console", "on record, and yet to speak"))
    with ThreadPoolExecutor(2) as pool:
        look = pool.submit(parts.switch)  # as every few seconds
        try:
            assert begun.wait(PATIENT)
            told = pool.submit(parts.switch)  # as after a promotion over HTTP
            assert not wait([told], timeout=0.5).done
        finally:
            going.set()
        look.result(PATIENT), told.result(PATIENT)
    assert ask(server, 0) == (200, "2.0.0")
