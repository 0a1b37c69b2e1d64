"""Ready means that an answer could be put on record; what is wrong is told to nobody who is not known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hilum.errors import StorageError
from tests.conftest import ROOT
from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.running import running


@pytest.mark.parametrize("auth", ["off", "on"])
def test_a_server_that_cannot_record_is_not_ready(tmp_path: Path, auth: str) -> None:
    with running(tmp_path, AUTH=auth) as server:
        assert server.ask("GET", "/readyz").body == b"ready"
        server.parts.records._journal.close()  # as after an error in the thread that writes
        told = server.ask("GET", "/readyz")
        assert told.status == 503
        assert (b"record" in told.body) == (auth == "off")
        assert server.ask("GET", "/livez").status == 200
        if auth == "off":
            body = form([("a.png", sample("pneumonia-cxr").read_bytes())])
            assert server.ask("POST", "/predict", body, TYPE).status == 503


@pytest.mark.parametrize("auth", ["off", "on"])
def test_where_a_damaged_package_lies_is_told_to_nobody_who_is_not_on_this_machine(
    tmp_path: Path, auth: str, caplog: pytest.LogCaptureFixture
) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "pneumonia-cxr", models / "pneumonia-cxr")
    with (models / "pneumonia-cxr" / "calibration.json").open("a") as file:
        file.write(" ")
    with running(tmp_path / "home", AUTH=auth, MODELS=str(models)) as server:
        film, key = sample("pneumonia-cxr").read_bytes(), "reader" if auth == "on" else ""
        png, page = {"Content-Type": "image/png"}, {"Accept": "text/html"}
        told = [server.ask("GET", f"/models/pneumonia-cxr{after}", key=key) for after in ("", "@champion", "/card")]
        told.append(server.ask("POST", "/predict", film, png, key="reviewer" if key else ""))
        assert [answer.status for answer in told] == [503] * 4
        assert {answer.json()["code"] for answer in told} == {"package_damaged"}
        shown = [server.ask("GET", path, headers=page, key=key) for path in ("/app/read", "/readyz")]
        assert [str(models).encode() in answer.body for answer in (*told, *shown)] == [False] * 4 + [auth == "off"] * 2
    assert str(models / "pneumonia-cxr" / "calibration.json") in caplog.text


def test_a_manifest_that_is_damaged_while_the_server_runs_stops_no_answer_and_is_told_on_pages(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "pneumonia-cxr", models / "pneumonia-cxr")
    film, png, page = sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"}, {"Accept": "text/html"}
    with running(tmp_path / "home", MODELS=str(models)) as server:
        assert server.ask("POST", "/predict", film, png).status == 200
        (models / "pneumonia-cxr" / "manifest.json").write_text("{")
        assert server.ask("POST", "/predict", film, png).status == 200
        told = [server.ask("GET", path, headers=page) for path in ("/app/models", "/app/no-such-page")]
    assert [answer.status for answer in told] == [200, 404]
    assert all(b"</html>" in answer.body for answer in told)
    assert b"manifest.json is damaged" in told[0].body


@pytest.mark.parametrize("auth", ["off", "on"])
def test_a_manifest_that_is_damaged_when_the_server_starts_silences_its_own_task_alone(
    tmp_path: Path, auth: str
) -> None:
    models, key = tmp_path / "models", "reviewer" if auth == "on" else ""
    for name in ("pneumonia-cxr", "brain-tumor-mri"):
        shutil.copytree(ROOT / "models" / name, models / name)
    (models / "pneumonia-cxr" / "manifest.json").write_text("{")
    film, slice_ = (sample(task).read_bytes() for task in ("pneumonia-cxr", "brain-tumor-mri"))
    png, page = {"Content-Type": "image/png"}, {"Accept": "text/html"}
    with running(tmp_path / "home", AUTH=auth, MODELS=str(models)) as server:
        assert server.ask("POST", "/predict?task=brain-tumor-mri", slice_, png, key=key).status == 200
        for query in ("", "?task=pneumonia-cxr", "?model=pneumonia-cxr"):
            told = server.ask("POST", f"/predict{query}", film, png, key=key)
            assert (told.status, told.json()["code"]) == (503, "package_damaged"), query
        for path in ("/models", "/tasks", "/models/brain-tumor-mri"):
            assert server.ask("GET", path, key=key).status == 200, path
        ready = server.ask("GET", "/readyz")
        shown = server.ask("GET", "/app/models", headers=page, key=key)
    assert (ready.status, shown.status) == (503, 200)
    assert [str(models).encode() in answer.body for answer in (ready, shown)] == [auth == "off"] * 2
    assert b"is damaged" in shown.body


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_a_server_whose_place_for_images_is_away_is_ready_only_where_none_are_kept(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    with running(tmp_path, IMAGES_URL=bucket, KEEP_IMAGES=keep) as server:
        assert server.ask("GET", "/readyz").status == 200

        def away(key: str) -> None:
            raise StorageError("an image cannot be looked for")

        monkeypatch.setattr(server.parts.images._shelf, "kept_at", away)
        told = server.ask("GET", "/readyz")
        assert (told.status, told.body) == ((503, b"images cannot be kept") if keep == "yes" else (200, b"ready"))


def test_a_server_whose_disk_is_full_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as server:
        full = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr("hilum.parts.shutil.disk_usage", lambda _: full)
        told = server.ask("GET", "/readyz")
        assert (told.status, b"record" in told.body) == (503, True)
