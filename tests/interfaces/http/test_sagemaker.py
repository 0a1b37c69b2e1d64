"""SageMaker's /ping and /invocations over a real connection."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import Running, running

XRAY = sample("pneumonia-cxr").read_bytes()
TEXT = base64.b64encode(XRAY).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


def test_ping_is_200_and_empty(server: Running) -> None:
    answer = server.ask("GET", "/ping")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("said", [{"image": TEXT}, {"instances": [{"b64": TEXT}]}])
def test_an_image_is_answered_as_by_predict(server: Running, said: object) -> None:
    raw = server.ask("POST", "/invocations", XRAY, {"Content-Type": "image/png"}).json()
    told = server.ask("POST", "/invocations", said).json()
    assert told["prediction"] == raw["prediction"]
    assert raw["prediction"]["class"] == "normal"
    assert server.ask("GET", f"/predictions/{told['id']}").status == 200


def test_several_instances_are_answered_in_their_order(server: Running) -> None:
    brain = base64.b64encode(sample("brain-tumor-mri").read_bytes()).decode()
    said = server.ask("POST", "/invocations", {"instances": [{"b64": TEXT}, {"b64": brain}]}).json()
    assert [one["task"] for one in said["predictions"]] == ["pneumonia-cxr", "brain-tumor-mri"]


@pytest.mark.parametrize("said", [{"instances": []}, {"instances": 3}, {"instances": [{}]}, {"image": "%%"}, {}])
def test_what_holds_no_image_is_refused(server: Running, said: object) -> None:
    answer = server.ask("POST", "/invocations", said)
    assert answer.status == 400
    assert answer.is_problem()


def test_shares_of_classes_may_come_as_a_list(server: Running) -> None:
    asked = {"image": TEXT, "task": "pneumonia-cxr"}
    listed = server.ask("POST", "/invocations", {**asked, "prevalence": [0.9, 0.1]}).json()
    written = server.ask("POST", "/invocations", {**asked, "prevalence": "0.9,0.1"}).json()
    plain = server.ask("POST", "/invocations", {**asked, "prevalence": None}).json()
    assert listed["prevalence"] == [0.9, 0.1]
    assert listed["probabilities"] == written["probabilities"] != plain["probabilities"]


@pytest.mark.parametrize(
    "field",
    [
        {"prevalence": ["0.9", "0.1"]},
        {"prevalence": []},
        {"prevalence": [True, False]},
        {"task": ["pneumonia-cxr"]},
        {"operating_point": {"name": "screening"}},
        {"keep": [False]},
    ],
)
def test_a_field_that_cannot_be_read_is_refused_and_not_left_out(server: Running, field: dict[str, object]) -> None:
    answer = server.ask("POST", "/invocations", {"image": TEXT, **field})
    assert (answer.status, answer.is_problem()) == (422, True)
    assert next(iter(field)) in answer.json()["detail"]
