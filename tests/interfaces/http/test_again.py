"""A key is of one request: as many files, the version that was asked for; whoever speaks since changes nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cv2 import imencode
from numpy import full, uint8

from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.running import Answer, Running, running
from tests.interfaces.versions import another_version

NAME = "pneumonia-cxr"
FILM = sample(NAME).read_bytes()
A, B, C, BROKEN = (("a.png", FILM + b"a"), ("b.png", FILM + b"b"), ("c.png", FILM + b"c"), ("d.png", b"no image"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("versions") / "home"


@pytest.fixture(scope="module")
def digests(home: Path) -> dict[str, str]:
    """Version -> digest of two more packages of the home."""
    return {version: another_version(home, version) for version in ("1.8.0", "1.9.0")}


@pytest.fixture(scope="module")
def server(home: Path, digests: dict[str, str]) -> Iterator[Running]:
    with running(home) as server:
        yield server


def sent(server: Running, key: str, *files: tuple[str, bytes], query: str = f"task={NAME}") -> Answer:
    return server.ask("POST", f"/predict?{query}", form(files), {**TYPE, "Idempotency-Key": key})


def refused(answer: Answer) -> bool:
    return (answer.status, answer.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ((A, B), [(A,), (A, B, C), (B,), (A, C)]),
        ((A,), [(A, B), (A, A), (A, BROKEN)]),
        ((A, BROKEN), [(A,), (B, BROKEN)]),
        ((A, BROKEN, C), [(A,), (A, BROKEN)]),
        ((BROKEN, A), [(BROKEN, A, B), (BROKEN, BROKEN, A)]),
    ],
    ids=["two", "one", "a broken one last", "a broken one between", "a broken one first"],
)
def test_another_number_of_files_is_another_request(
    server: Running, request: pytest.FixtureRequest, first: tuple, others: list[tuple]
) -> None:
    key = f"number of files: {request.node.callspec.id}"
    begun = sent(server, key, *first)
    assert begun.status == 200
    assert [refused(sent(server, key, *other)) for other in others] == [True] * len(others)
    again = sent(server, key, *first)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == begun.body


def test_the_first_answer_and_the_same_again_have_one_etag(server: Running) -> None:
    tags = [sent(server, "tag", ("tag.png", FILM + b"tag")).headers["etag"] for _ in range(3)]
    assert len(set(tags)) == 1
    assert sent(server, "another tag", ("tag.png", FILM + b"tag")).headers["etag"] != tags[0]


def test_a_key_is_of_one_caller(tmp_path: Path) -> None:
    """Else whoever guesses a colleague's key is told what the colleague asked."""
    with running(tmp_path, AUTH="on") as house:
        body = form((A,))
        mine, yours = (
            house.ask("POST", f"/predict?task={NAME}", body, {**TYPE, "Idempotency-Key": "order-1"}, key=role)
            for role in ("reader", "engineer")
        )
        assert (mine.status, yours.status) == (200, 200)
        assert mine.json()["id"] != yours.json()["id"]
        assert "idempotent-replayed" not in yours.headers


def test_files_that_cannot_be_read_are_no_answers_of_before(server: Running) -> None:
    broken = ("a.png", b"broken"), ("b.png", b"broken")
    for _ in range(2):
        said = sent(server, "broken", *broken)
        assert [one["code"] for one in said.json()["predictions"]] == ["unsupported_format"] * 2
        assert "idempotent-replayed" not in said.headers


def test_a_version_that_was_asked_for_is_part_of_the_request(server: Running, digests: dict[str, str]) -> None:
    first = sent(server, "version", A, query=f"model={NAME}@1.9.0").json()
    assert first["model"]["version"] == "1.9.0"
    for other in (f"{NAME}@1.8.0", digests["1.8.0"][:12], "brain-tumor-mri"):
        assert refused(sent(server, "version", A, query=f"model={other}")), other
    for same in (f"{NAME}@1.9.0", digests["1.9.0"][:12], NAME, f"{NAME}@champion"):
        assert sent(server, "version", A, query=f"model={same}").json() == first, same


def test_no_task_is_the_answer_to_no_other_question(server: Running) -> None:
    blank = ("blank.png", imencode(".png", full((90, 90), 9, uint8))[1].tobytes())
    first = sent(server, "blank", blank, query="task=auto")
    assert first.json()["gate"]["reasons"] == ["no_task"]
    assert sent(server, "blank", blank, query="task=auto").body == first.body
    for query in (f"task={NAME}", f"model={NAME}"):
        assert refused(sent(server, "blank", blank, query=query)), query


def test_a_version_in_the_address_of_the_inference_protocol_too(server: Running) -> None:
    said = base64.b64encode(FILM + b"v2").decode()
    body = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [said]}]}

    def infer(version: str) -> Answer:
        return server.ask("POST", f"/v2/models/{NAME}{version}/infer", body, {"Idempotency-Key": "v2"})

    first = infer("/versions/1.9.0").json()
    assert first["model_version"] == "1.9.0"
    assert refused(infer("/versions/1.8.0"))
    assert infer("").json() == infer("/versions/champion").json() == infer("/versions/1.9.0").json() == first


def test_two_servers_of_one_database_give_one_answer_to_one_key(tmp_path: Path, postgres_url: str) -> None:
    shared = {"DATABASE_URL": postgres_url, "SECRET_FILE": str(tmp_path / "secret.key"), "SERVE_WORKERS": "0"}
    with (
        running(tmp_path / "a", **shared) as one,
        running(tmp_path / "b", **shared) as other,
        ThreadPoolExecutor() as pool,
    ):
        for files in ((A,), (B, C)):
            key = f"both at once, {len(files)}"
            answers = list(pool.map(lambda server, files=files, key=key: sent(server, key, *files), (one, other)))
            assert [answer.status for answer in answers] == [200, 200], [answer.body for answer in answers]
            first, second = (_ids(answer) for answer in answers)
            assert first == second


def _ids(answer: Answer) -> list[str]:
    said = answer.json()
    return [one["id"] for one in said.get("predictions", [said])]
