"""POST /evaluate over a real connection: a zip or an allowed folder in, the evaluation object out."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interfaces.http.forms import SAMPLES, TYPE, form, sample
from tests.interfaces.http.running import Running, running

for name in ("scipy", "sklearn", "faiss"):
    pytest.importorskip(name)

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
    until = time.monotonic() + 120
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


def test_a_folder_the_operator_allows_is_measured_at_a_point(server: Running, roots: Path) -> None:
    asked = {"source": str(roots), "task": "pneumonia-cxr", "operating_point": "screening", "prevalence": 0.2}
    taken = server.ask("POST", "/v1/evaluate", asked)
    assert taken.status == 202
    said = over(server, taken.headers["location"])
    assert said["evaluation"]["operating_point"] == "screening"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"source": "/etc"}, 422),
        ({"source": "../.."}, 422),
        ({"source": ""}, 422),
        ({"task": "feet"}, 404),
        ({"model": "../evil"}, 404),
        ({"model": "--report=/tmp/x"}, 404),
        ({"model": "brain-tumor-mri"}, 422),
        ({"operating_point": "wild"}, 422),
        ({"prevalence": "many"}, 422),
        ({"extra": 1}, 422),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_at_the_door(server: Running, roots: Path, change: dict, status: int) -> None:
    answer = server.ask("POST", "/evaluate", {"source": str(roots), "task": "pneumonia-cxr", **change})
    assert answer.status == status
    assert answer.is_problem()


def test_what_is_no_zip_is_refused(server: Running) -> None:
    body = form([("a.png", sample("pneumonia-cxr").read_bytes())], task="pneumonia-cxr")
    assert server.ask("POST", "/evaluate", body, TYPE).status == 422


def test_other_work_is_no_evaluation(server: Running) -> None:
    assert server.ask("GET", "/evaluations/nobody").status == 404
