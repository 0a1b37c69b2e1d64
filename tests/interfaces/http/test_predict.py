"""POST /predict over a real connection: answers on record, refusals, many files, the cache, keys, what goes wrong."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from hilum.interfaces.http.fetch import Fetcher
from hilum.records.query import Query
from tests.interfaces.http.forms import SAMPLES, TYPE, form, sample
from tests.interfaces.http.running import PATIENT, Running, running

XRAY = sample("pneumonia-cxr")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


def test_a_file_is_answered_and_on_record_when_it_is(server: Running) -> None:
    answer = server.ask("POST", "/predict", form([("film.png", XRAY.read_bytes())]), TYPE)
    said = answer.json()
    assert answer.status == 200
    assert said["task"] == "pneumonia-cxr"
    assert said["file"] == "film.png"
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    record = server.parts.records.get(said["id"])
    assert record is not None
    assert json.loads(record.entry.body)["prediction"] == said["prediction"]
    assert b"film" not in record.entry.body
    assert record.entry.personal == {"file": "film.png"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_sample_is_answered_right_whichever_task_takes_it(server: Running, path) -> None:
    said = server.ask(
        "POST", f"/v1/predict?task={path.parent.name}", path.read_bytes(), {"Content-Type": "image/png"}
    ).json()
    assert said["prediction"]["class"] in path.stem.replace("-", "")


def test_the_same_bytes_are_known_and_get_a_row_of_their_own(server: Running) -> None:
    data = XRAY.read_bytes() + b"known"
    first = server.ask("POST", "/predict", form([("a.png", data)]), TYPE)
    again = server.ask("POST", "/predict", form([("b.png", data)]), TYPE)
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert first.headers["etag"] == again.headers["etag"]
    assert first.json()["id"] != again.json()["id"]
    assert first.json()["prediction"] == again.json()["prediction"]
    assert server.parts.records.get(again.json()["id"]) is not None


def test_another_operating_point_is_another_question(server: Running) -> None:
    data = XRAY.read_bytes() + b"point"
    server.ask("POST", "/predict", form([("a.png", data)]), TYPE)
    other = server.ask("POST", "/predict", form([("a.png", data)], operating_point="screening"), TYPE)
    assert other.headers["x-cache"] == "miss"
    assert other.json()["operating_point"] == "screening"
    rare = server.ask("POST", "/predict?prevalence=0.01", form([("a.png", data)]), TYPE).json()
    assert rare["probabilities"]["pneumonia"] < 0.05


def test_several_files_are_answered_in_their_order_and_one_broken_stops_none(server: Running) -> None:
    files = [(f"{i}.png", path.read_bytes()) for i, path in enumerate(SAMPLES[:4])]
    files.insert(1, ("broken.png", b"\x89PNG\r\n\x1a\nnonsense"))
    said = server.ask("POST", "/predict", form(files), TYPE).json()["predictions"]
    assert [one["file"] for one in said] == [name for name, _ in files]
    assert said[1]["code"] == "unreadable_image"
    assert all("prediction" in one for i, one in enumerate(said) if i != 1)


def test_a_refusal_is_an_answer_and_on_record(server: Running) -> None:
    from cv2 import imencode
    from numpy import full, uint8

    blank = imencode(".png", full((90, 90), 9, uint8))[1].tobytes()
    answer = server.ask("POST", "/predict", blank, {"Content-Type": "image/png"})
    said = answer.json()
    assert answer.status == 200
    assert said["prediction"] is None
    assert said["gate"]["reasons"] == ["no_task"]
    named = server.ask("POST", "/predict?task=pneumonia-cxr", blank, {"Content-Type": "image/png"}).json()
    assert named["gate"]["reasons"] == ["blank"]
    found = server.parts.records.find(Query(refused=True))
    assert {said["id"], named["id"]} <= {record.id for record in found}


def test_whoever_says_no_has_no_image_kept(server: Running) -> None:
    data = XRAY.read_bytes() + b"not kept"
    said = server.ask("POST", "/predict", form([("a.png", data)], keep="false"), TYPE).json()
    record = server.parts.records.get(said["id"])
    assert record is not None
    assert record.entry.columns.image is None
    assert not server.parts.images.holds(server.parts.images.key(data))
    assert server.ask("GET", f"/predictions/{said['id']}/image").status == 404


def test_the_same_key_gets_the_same_answer_even_at_once(server: Running) -> None:
    body, key = form([("a.png", XRAY.read_bytes() + b"key")]), {**TYPE, "Idempotency-Key": "order-7"}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: server.ask("POST", "/predict", body, key), range(6)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    other = server.ask("POST", "/predict", form([("a.png", XRAY.read_bytes() + b"other")]), key)
    assert other.status == 422
    assert other.json()["code"] == "key_reused"


def test_a_key_with_a_file_that_cannot_be_read_among_others(server: Running) -> None:
    body = form(
        [("a.png", XRAY.read_bytes() + b"some"), ("b.png", b"no image"), ("c.png", XRAY.read_bytes() + b"more")]
    )
    key = {**TYPE, "Idempotency-Key": "order-10"}
    first, again = (server.ask("POST", "/predict", body, key) for _ in range(2))
    assert (first.status, again.status) == (200, 200), again.body
    ids = [[one.get("id") for one in answer.json()["predictions"]] for answer in (first, again)]
    assert ids[0] == ids[1]
    assert ["error" in one for one in again.json()["predictions"]] == [False, True, False]
    assert ("idempotent-replayed" in first.headers, "idempotent-replayed" in again.headers) == (False, True)


def test_a_key_is_of_one_question_only(server: Running) -> None:
    body, key = form([("a.png", XRAY.read_bytes() + b"once")]), {**TYPE, "Idempotency-Key": "order-11"}
    assert server.ask("POST", "/predict?task=pneumonia-cxr", body, key).status == 200
    assert server.ask("POST", "/predict", body, key).headers["idempotent-replayed"] == "true"
    for query in ("operating_point=screening", "prevalence=0.1", "task=brain-tumor-mri", "model=brain-tumor-mri"):
        answer = server.ask("POST", f"/predict?{query}", body, key)
        assert (answer.status, answer.json()["code"]) == (422, "key_reused"), query


def test_two_answers_are_never_swapped(server: Running) -> None:
    alone = {
        path: server.ask("POST", "/predict", path.read_bytes(), {"Content-Type": "image/png"}).json()
        for path in SAMPLES
    }

    def one(i: int) -> bool:
        path = SAMPLES[i % len(SAMPLES)]
        said = server.ask("POST", "/predict", path.read_bytes() + str(i).encode(), {"Content-Type": "image/png"}).json()
        return said["task"] == alone[path]["task"] and said["probabilities"] == pytest.approx(
            alone[path]["probabilities"], abs=1e-5
        )

    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(one, range(240)))


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {"Content-Type": "image/png"}, 400, "empty"),
        (b"hello", {"Content-Type": "text/plain"}, 415, "unsupported_type"),
        (b"{", {"Content-Type": "application/json"}, 400, "bad_json"),
        (b"[]", {"Content-Type": "application/json"}, 400, "no_image"),
        (b'{"image_url": "https://example.org/a.png"}', {"Content-Type": "application/json"}, 403, "image_url_off"),
        (b"nonsense", {"Content-Type": "multipart/form-data"}, 400, "bad_multipart"),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=x"}, 400, "bad_multipart"),
        (b"GIF89a" + bytes(40), {"Content-Type": "image/gif"}, 415, "unsupported_format"),
    ],
)
def test_what_is_wrong_is_said_as_a_problem(
    server: Running, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = server.ask("POST", "/predict", body, headers)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.is_problem()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("task=knee", 404, "unknown_task"),
        ("model=nobody", 404, "unknown_model"),
        ("operating_point=lucky", 422, "usage"),
        ("prevalence=7", 422, "usage"),
        ("prevalence=some", 422, "usage"),
        ("keep=perhaps", 422, "usage"),
    ],
)
def test_a_wrong_wish_names_what_there_is(server: Running, query: str, status: int, code: str) -> None:
    answer = server.ask("POST", f"/predict?{query}", XRAY.read_bytes(), {"Content-Type": "image/png"})
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.is_problem()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("name=file; filename=\"=?utf-8?B?w6kucG5n?=\"; filename*=utf-8''%C3%A9.png", "é.png"),  # .NET
        ("name=\"file\"; filename*=UTF-8'de'%C3%A9.png", "é.png"),
        ('name="file"; filename*="iso-8859-1\'\'%E9.png"', "é.png"),
        ("name=\"file\"; filename*=utf-8''..%2F..%2Fa%00%E9.png", "a��.png"),
        ('name="file"; filename="é.png"', "é.png"),
        ('name="file"; filename="plain.png"; filename*=base64\'\'eA', "plain.png"),
        ('name="file"\r\nContent-Type: image/png', "file"),  # RFC 7578, 4.2: a file need not be named
    ],
)
@pytest.mark.parametrize("letters", ["utf-8", "latin-1"])
def test_a_file_is_known_whichever_way_its_name_is_written(
    server: Running, disposition: str, name: str, letters: str
) -> None:
    body = form([("plain.png", XRAY.read_bytes())], task="pneumonia-cxr")
    said = body.replace(b'name="file"; filename="plain.png"', disposition.encode(letters))
    answer = server.ask("POST", "/predict", said, TYPE)
    assert (answer.status, answer.json().get("file"), answer.json().get("task")) == (200, name, "pneumonia-cxr")


def test_a_field_of_a_page_in_which_nothing_was_chosen_is_no_file(server: Running) -> None:
    answer = server.ask("POST", "/predict", form([("a.png", XRAY.read_bytes()), ("", b"")]), TYPE)
    assert (answer.status, answer.json()["file"]) == (200, "a.png")
    nothing = server.ask("POST", "/predict", form([("", b"")]), TYPE)
    assert (nothing.status, nothing.json()["code"]) == (400, "no_image")
    empty = server.ask("POST", "/predict", form([("a.png", b"")]), TYPE)
    assert (empty.status, empty.json()["code"]) == (422, "unreadable_image")


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_a_packed_body_is_refused_as_such(server: Running, path: str) -> None:
    headers = {"Content-Type": "image/png", "Content-Encoding": "gzip"}
    answer = server.ask("POST", path, gzip.compress(XRAY.read_bytes()), headers)
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "identity"  # RFC 9110, 12.5.3
    plain = server.ask("POST", path, XRAY.read_bytes(), {**headers, "Content-Encoding": "Identity"})
    assert plain.status == 200


def test_more_than_the_limit_is_refused_before_it_is_read(tmp_path) -> None:
    with running(tmp_path, UPLOAD_BYTES="2000") as small:
        answer = small.ask("POST", "/predict", bytes(2001), {"Content-Type": "image/png"})
        assert (answer.status, answer.json()["code"]) == (413, "too_large")


def test_all_rows_are_chained(server: Running) -> None:
    assert server.parts.records.verify().faults == ()


@pytest.mark.parametrize(
    ("setting", "kept"),
    [("yes", (True, True, False)), ("ask", (False, True, False)), ("no", (False, False, False))],
)
def test_no_image_is_kept_but_as_the_operator_and_the_caller_say(
    tmp_path: Path, setting: str, kept: tuple[bool, bool, bool]
) -> None:
    """Whichever way it came: by itself, as a tensor, in a batch that is answered later."""
    pytest.importorskip("dbos")
    with running(tmp_path, KEEP_IMAGES=setting) as server:

        def is_kept(identity: str) -> bool:
            record = server.parts.records.get(identity)
            assert record is not None
            return record.entry.columns.image is not None

        found = {"plain": list[bool](), "v2": list[bool](), "batch": list[bool]()}
        for number, fields in enumerate(({}, {"keep": "true"}, {"keep": "false"})):
            files = [(f"{number}{how}.png", XRAY.read_bytes() + f"{number}{how}".encode()) for how in "abc"]
            plain = server.ask("POST", "/predict", form(files[:1], **fields), TYPE).json()
            found["plain"].append(is_kept(plain["id"]))
            tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [b64encode(files[1][1]).decode()]}
            sent = {"inputs": [tensor], "parameters": fields}
            before = server.parts.records.find(Query(kind="prediction")).total
            assert server.ask("POST", "/v2/models/pneumonia-cxr/infer", sent).status == 200
            page = server.parts.records.find(Query(kind="prediction"))
            assert page.total == before + 1
            found["v2"].append(is_kept(page.records[0].id))
            taken = server.ask("POST", "/predict", form(files[2:], **fields), {**TYPE, "Prefer": "respond-async"})
            until = time.monotonic() + PATIENT
            while server.ask("GET", taken.headers["location"]).json()["state"] in ("queued", "running"):
                assert time.monotonic() < until
                time.sleep(0.05)
            (one,) = server.ask("GET", f"{taken.headers['location']}/results").json()["predictions"]
            found["batch"].append(is_kept(one["id"]))
        assert {how: tuple(each) for how, each in found.items()} == dict.fromkeys(found, kept)


def test_of_the_address_of_an_image_no_more_than_its_name_is_told_or_put_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands behind the question mark often is a key to the picture."""

    async def fetched(_: Fetcher, __: str) -> bytes:
        return XRAY.read_bytes()

    monkeypatch.setattr(Fetcher, "fetch", fetched)
    with running(tmp_path, IMAGE_URL_HOSTS="films.example") as server:
        answer = server.ask("POST", "/predict", {"image_url": "https://films.example/ward/7/film.png?sig=CANARY"})
        record = server.parts.records.get(answer.json()["id"])
        assert record is not None
        assert (answer.json()["file"], dict(record.entry.personal)) == ("film.png", {"file": "film.png"})
        assert b"CANARY" not in answer.body + record.entry.body


MISSPELT = ("operating_pont", "operating-point", "Operating_Point", "prevelance", "taks", "modle")
IN_V2 = [("v2", name) for name in MISSPELT if name not in ("taks", "modle")]  # where the address names the model


@pytest.mark.parametrize(("way", "name"), [*product(("address", "form", "json", "instances"), MISSPELT), *IN_V2])
def test_a_misspelt_parameter_is_no_answer_to_another_question(server: Running, way: str, name: str) -> None:
    """It was answered at the balanced point, for any task, as if nothing had been said."""
    film, said = XRAY.read_bytes(), {name: "screening"}
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [b64encode(film).decode()]}
    path, body, headers = {
        "address": (f"/predict?{name}=screening", film, {"Content-Type": "image/png"}),
        "form": ("/predict", form([("film.png", film)], **said), TYPE),
        "json": ("/predict", {"image_url": "https://example.org/a.png", **said}, {}),
        "instances": ("/invocations", {"instances": [{"b64": b64encode(film).decode()}], **said}, {}),
        "v2": ("/v2/models/pneumonia-cxr/infer", {"inputs": [tensor], "parameters": said}, {}),
    }[way]
    answer = server.ask("POST", path, body, headers)
    assert (answer.status, answer.is_problem()) == (422, True)
    assert "meant?" in answer.json()["detail"]


def test_what_other_forms_and_proxies_add_is_passed_over(server: Running) -> None:
    """Calls of old demos go on: a button of a page, a mark of a link."""
    film = XRAY.read_bytes()
    old = form([("film.png", film)], submit="Upload", csrfmiddlewaretoken="x")
    for path in ("/predict", "/predict?utm_source=portal&_=1718000000"):
        assert server.ask("POST", path, old, TYPE).json()["prediction"]["class"] == "normal"
    many = "&".join(f"n{i}=1" for i in range(200))
    assert server.ask("POST", f"/predict?{many}", old, TYPE).status == 422
