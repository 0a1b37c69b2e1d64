"""The client against the real server: every kind of input, the record, errors, retries, notebooks, tables."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hilum
from hilum.client.calls import LONGEST_PAUSE, Call, pause_after
from hilum.client.results import Prediction, Predictions, Unread
from hilum.errors import (
    Busy,
    HilumError,
    NotFound,
    NotSignedIn,
    StorageError,
    TooLarge,
    UnknownTask,
    Unreachable,
    UnreadableImage,
    UnsupportedFormat,
    UsageError,
    error_of,
)
from tests.conftest import ROOT
from tests.interfaces.http.forms import SAMPLES, sample
from tests.interfaces.http.running import Running, running

XRAY, BRAIN = sample("pneumonia-cxr"), sample("brain-tumor-mri")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Iterator[hilum.Client]:
    with hilum.Client(f"http://127.0.0.1:{server.port}") as client:
        yield client


def test_importing_hilum_stays_cheap() -> None:
    code = "import sys, hilum; print(sorted({'httpx', 'numpy', 'PIL', 'rich'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_the_client_knows_no_room_of_the_server() -> None:
    code = "import sys, hilum; hilum.Client; print([m for m in sys.modules if m.startswith('hilum.')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {name.split(".")[1].strip("'],\n") for name in said.split()} <= {"client", "errors", "leftovers"}


@pytest.mark.parametrize(
    "what",
    [XRAY, str(XRAY), XRAY.read_bytes(), np.asarray(Image.open(XRAY)), np.asarray(Image.open(XRAY)) / 255],
    ids=["path", "text", "bytes", "array", "floats"],
)
def test_one_image_of_any_kind_is_answered(client: hilum.Client, what: object) -> None:
    said = client.predict(what)
    assert isinstance(said, Prediction)
    assert (said.task, said.label, said.admitted) == ("pneumonia-cxr", "normal", True)
    assert sum(said.probabilities.values()) == pytest.approx(1)
    assert said.model is not None
    assert said.model.name == "pneumonia-cxr"


def test_parameters_reach_the_server(client: hilum.Client) -> None:
    said = client.predict(XRAY, task="pneumonia-cxr", operating_point="screening", prevalence=0.02, keep=False)
    recorded = client.prediction(said.id)
    assert (said.operating_point, recorded.raw["prevalence"], recorded.raw["image"]) == ("screening", 0.02, False)
    with pytest.raises(UsageError, match="no parameter"):
        client.predict(XRAY, threshold=0.3)


def test_a_refusal_is_an_answer(client: hilum.Client) -> None:
    said = client.predict(BRAIN, task="pneumonia-cxr")
    assert (said.admitted, said.label, said.probabilities) == (False, None, {})
    assert "not_this_kind_of_image" in said.reasons


def test_a_folder_is_answered_in_its_order_and_becomes_a_table(client: hilum.Client) -> None:
    found = client.predict_many(ROOT / "samples", progress=True)
    assert [one.file for one in found] == [path.relative_to(ROOT / "samples").as_posix() for path in SAMPLES]
    table = found.to_frame()
    assert len(table) == len(SAMPLES)
    assert set(table["class"]) >= {"normal", "pneumonia", "glioma"}
    for one in found:
        assert isinstance(one, Prediction)


def test_a_table_of_paths_and_a_stack_of_arrays(client: hilum.Client) -> None:
    table = client.predict(pd.DataFrame({"path": [str(XRAY), str(BRAIN)], "age": [3, 4]}))
    assert isinstance(table, Predictions)
    assert [one.task for one in table if isinstance(one, Prediction)] == ["pneumonia-cxr", "brain-tumor-mri"]
    stack = np.stack([np.asarray(Image.open(XRAY).convert("L").resize((256, 256)))] * 3)
    assert len(client.predict_many(stack)) == 3


@pytest.mark.parametrize("others", [[], [XRAY]], ids=["alone", "among others"])
def test_a_file_that_cannot_be_read_stands_among_the_answers(client: hilum.Client, others: list[Path]) -> None:
    found = client.predict_many([*others, b"no image"])
    (unread,) = found.unread
    assert isinstance(unread, Unread)
    assert unread.code == "unsupported_format"
    assert found.to_frame()["error"].iloc[-1] == unread.error
    with pytest.raises(UnsupportedFormat):
        client.predict(b"no image")


def test_a_file_that_cannot_be_opened_stands_among_the_answers(client: hilum.Client, tmp_path: Path) -> None:
    """One that went away, or may not be read, among many: it took the answers of all others along."""
    films = [tmp_path / f"{number}.png" for number in range(3)]
    for film in films:
        film.write_bytes(XRAY.read_bytes())

    def going() -> Iterator[Path]:
        yield from films
        films[1].unlink()

    async def talk() -> Predictions:
        async with hilum.AsyncClient(client.url) as other:
            return await other.predict_many(going())

    found = client.predict_many(going())
    films[1].write_bytes(XRAY.read_bytes())
    for answers in (found, asyncio.run(talk())):
        assert [(one.file, type(one)) for one in answers] == [
            ("0.png", Prediction),
            ("1.png", Unread),
            ("2.png", Prediction),
        ]
        assert "cannot be opened" in answers.unread[0].error


@pytest.mark.parametrize("what", [3, {"a": 1}, "no/such/file.png", np.zeros((2, 2, 2, 2, 2)), np.full((9, 9), 7.5)])
def test_what_is_no_image_is_not_sent(client: hilum.Client, what: object) -> None:
    with pytest.raises((UsageError, UnreadableImage)):
        client.predict(what)


def test_the_record_is_walked_page_after_page(client: hilum.Client) -> None:
    said = [client.predict(XRAY) for _ in range(5)]
    found = [
        one for one, _ in zip(client.predictions(task="pneumonia-cxr", label="normal", limit=2), range(5), strict=False)
    ]
    assert [one.id for one in found] == [one.id for one in reversed(said)]
    assert found[0].at is not None
    assert list(client.predictions(label="no such class")) == []


def test_feedback_says_whether_it_agrees(client: hilum.Client) -> None:
    said = client.predict(XRAY)
    assert client.feedback(said, "pneumonia", note="seen twice").agrees is False
    assert client.feedback(said.id, agree=True).label == "normal"
    assert client.feedback(said, withdraw=True).agrees is None
    assert len(client.prediction(said.id).raw["feedback"]) == 3


def test_models_and_tasks(client: hilum.Client) -> None:
    assert {"pneumonia-cxr", "brain-tumor-mri"} <= {model.name for model in client.models()}
    (task,) = [task for task in client.tasks() if task.name == "pneumonia-cxr"]
    assert (task.classes, task.model) == (("normal", "pneumonia"), "pneumonia-cxr@1.1.0")
    assert client.get("/tasks/pneumonia-cxr")["name"] == "pneumonia-cxr"


def test_problems_are_the_errors_of_the_house(client: hilum.Client) -> None:
    with pytest.raises(UnknownTask):
        client.predict(XRAY, task="feet")
    with pytest.raises(NotFound):
        client.prediction("nobody")
    with pytest.raises(UsageError):
        client.feedback("nobody")


def test_every_error_of_the_tree_comes_back_from_its_code() -> None:
    def tree(kind: type[HilumError]) -> list[type[HilumError]]:
        return [kind, *(found for below in kind.__subclasses__() for found in tree(below))]

    for kind in tree(HilumError):
        again = error_of(kind.code, "film.png: too many attempts: wait 12 seconds")
        assert again.code == kind.code or kind.code == "missing_extra"
    assert type(error_of("nothing", "x")) is HilumError


def test_without_a_key_a_guarded_server_says_so(tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as guarded:
        url = f"http://127.0.0.1:{guarded.port}"
        with hilum.Client(url) as client, pytest.raises(NotSignedIn):
            client.predict(XRAY)
        with hilum.Client(url, guarded.keys["reader"]) as client:
            assert client.predict(XRAY).label == "normal"


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with hilum.Client("http://127.0.0.1:9", retries=1) as client, pytest.raises(Unreachable, match="running"):
        client.models()


class Flaky(httpx.BaseTransport):
    """Hands on to the real server, but loses or refuses the first answers."""

    def __init__(self, failures: list[int | None]) -> None:
        self.real, self.failures, self.keys = httpx.HTTPTransport(), failures, []

    def close(self) -> None:
        self.real.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key"))
        request.read()
        if not self.failures:
            return self.real.handle_request(request)
        failure = self.failures.pop(0)
        if failure is None:  # answered, and lost on the way back
            self.real.handle_request(request).read()
            raise httpx.ReadError("lost")
        return httpx.Response(failure, headers={"Retry-After": "0"}, json={"code": "full", "detail": "full"})


def test_a_lost_answer_is_asked_for_again_and_stands_once_on_record(server: Running) -> None:
    flaky = Flaky([None, 503])
    with hilum.Client(f"http://127.0.0.1:{server.port}", transport=flaky) as client:
        before = client.get("/predictions", limit=1)["total"]
        flaky.failures = [None, 503]
        said = client.predict(XRAY)
        assert client.get("/predictions", limit=1)["total"] == before + 1
        assert client.prediction(said.id).label == said.label
    assert len({key for key in flaky.keys if key}) == 1


def test_a_lost_answer_to_evaluate_is_asked_for_again_and_measured_once(server: Running, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for kind in ("normal", "pneumonia"):
            archive.write(sample("pneumonia-cxr").with_name(f"{kind}-1.png"), f"{kind}/1.png")
    flaky = Flaky([])
    with hilum.Client(f"http://127.0.0.1:{server.port}", transport=flaky) as client:
        before = len(client.get("/works")["works"])
        flaky.failures = [None]
        assert client.evaluate(tmp_path / "films.zip", "pneumonia-cxr")["n"] == 2
        assert len(client.get("/works")["works"]) == before + 1


def test_a_lost_feedback_is_not_said_twice(server: Running) -> None:
    flaky = Flaky([])
    with hilum.Client(f"http://127.0.0.1:{server.port}", transport=flaky) as client:
        said = client.predict(XRAY)
        flaky.failures = [None]
        with pytest.raises(Unreachable):
            client.feedback(said, agree=True)
        assert len(client.prediction(said.id).raw["feedback"]) == 1


def test_a_server_that_stays_busy_is_given_up(server: Running) -> None:
    flaky = Flaky([503] * 9)
    with hilum.Client(f"http://127.0.0.1:{server.port}", transport=flaky, retries=2) as client, pytest.raises(Busy):
        client.predict(XRAY)
    assert len(flaky.keys) == 3


@pytest.mark.parametrize(
    ("said", "pause"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("9" * 400, LONGEST_PAUSE),
        ("Fri, 31 Dec 2999 23:59:59 GMT", LONGEST_PAUSE),
        ("Fri, 31 Dec 2999 23:59:59 -0000", LONGEST_PAUSE),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(said: str, pause: float, status: int) -> None:
    """In seconds, or as a date, which servers in front of ours write (RFC 9110, 10.2.3)."""
    busy = httpx.Response(status, headers={"Retry-After": said})
    assert pause_after(Call("GET", "/models"), 0, busy) == pause


@pytest.mark.parametrize(
    "said", ["", "soon", "\xb2", "-1", "1.5", "Fri, 99 Dec 2999 99:99:99 GMT", "Fri, 31 Dec 99999 1:1 Z"]
)
def test_a_busy_server_that_does_not_say_when_is_asked_again_soon(said: str) -> None:
    busy = httpx.Response(503, headers=[(b"Retry-After", said.encode("latin-1"))])
    pause = pause_after(Call("GET", "/models"), 0, busy)
    assert pause is not None
    assert 0 < pause < 1


def test_an_answer_prints_as_a_line_for_people(client: hilum.Client) -> None:
    assert str(client.predict(XRAY)) == f"{XRAY.name}: normal, 99.4% (pneumonia-cxr@1.1.0)"
    assert str(client.predict(BRAIN, task="pneumonia-cxr")).startswith(
        f"{BRAIN.name}: refused. This does not look like"
    )
    good, bad = str(client.predict_many([XRAY, b"<script>"])).splitlines()
    assert good.startswith(XRAY.name)
    assert "unreadable" in bad


def test_a_notebook_shows_picture_class_and_bar(client: hilum.Client) -> None:
    html = client.predict(XRAY)._repr_html_()
    assert "data:image/png;base64," in html
    assert "<b>normal</b>" in html
    assert "not a medical device" in html
    refused = client.predict(BRAIN, task="pneumonia-cxr")._repr_html_()
    assert "Not answered" in refused
    assert client.predict_many([XRAY, b"<script>"])._repr_html_().count("<tr>") == 3


def test_a_broken_picture_keeps_no_notebook_from_its_table() -> None:
    film = XRAY.read_bytes()
    at = film.index(b"IDAT") - 4
    half = film[at + 8 : at + 8 + int.from_bytes(film[at : at + 4], "big") // 2]
    chunk = len(half).to_bytes(4, "big") + b"IDAT" + half + zlib.crc32(b"IDAT" + half).to_bytes(4, "big")
    broken = film[:at] + chunk + b"\0\0\0\x04\x0e\0 C" + film[at:]  # Pillow calls this a SyntaxError
    found = Predictions((Unread("a.png", "unreadable_image", "is broken", broken),))
    assert "cannot be read: is broken" in found._repr_html_()


def test_a_name_cannot_bring_markup_into_a_notebook(client: hilum.Client, tmp_path: Path) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    path.write_bytes(XRAY.read_bytes())
    assert "<img src=x" not in client.predict_many([path])._repr_html_()


def test_the_asynchronous_client_asks_the_same(server: Running) -> None:
    async def talk() -> None:
        async with hilum.AsyncClient(f"http://127.0.0.1:{server.port}") as client:
            said = await client.predict(XRAY)
            assert said.label == "normal"
            many = await client.predict_many([XRAY, b"no image", BRAIN], progress=True)
            assert [type(one) for one in many] == [Prediction, Unread, Prediction]
            assert (await client.feedback(said, agree=True)).agrees
            assert [one.id async for one in client.predictions(text=said.id)] == [said.id]
            assert (await client.prediction(said.id)).label == "normal"
            assert len(await client.models()) >= 3
            assert len(await client.tasks()) >= 3
            with pytest.raises(UnknownTask):
                await client.predict(XRAY, task="feet")

    asyncio.run(talk())


def test_a_batch_is_handed_over_and_fetched_later(client: hilum.Client) -> None:
    job = client.submit([XRAY, b"no image", BRAIN])
    found = client.wait(job, pause=0.1, progress=True)
    assert [type(one) for one in found] == [Prediction, Unread, Prediction]
    assert (client.job(job.id).state, client.job(job).done) == ("done", 3)
    assert client.results(job).to_frame()["class"].iloc[0] == "normal"
    client.cancel(job)
    with pytest.raises(NotFound):
        client.job(job)


def test_a_batch_bears_the_names_of_its_files(client: hilum.Client, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("film.png", "a/film.png"):
        (tmp_path / name).write_bytes(XRAY.read_bytes())
    assert [one.file for one in client.wait(client.submit(tmp_path))] == ["a/film.png", "film.png"]
    alike = [tmp_path / "film.png", tmp_path / "a" / "film.png"]
    assert [one.file for one in client.wait(client.submit(alike))] == ["0/film.png", "1/film.png"]


def test_what_is_no_json_comes_as_bytes(client: hilum.Client) -> None:
    assert client.get("/livez") == b"ok"
    assert client.get("/metrics").startswith(b"# HELP")
    assert client.get("/samples/pneumonia-cxr/normal-1.png").startswith(b"\x89PNG")


NO_ADDRESSES = (
    *("localhost:8000", "hilum.example.org", "ftp://127.0.0.1", "http://", "http:///x", "http://127.0.0.1:port"),
    *("http://127.0.0.1:99999", "http://127.0.0.1:-1", "http://[::1", "http://x\x00", "http://xn--.com"),
    *("http://127.0.0.1:8000/?key=x", "http://127.0.0.1:8000/#top"),
)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a server: write for example http://"):
        hilum.Client(url)


def test_a_password_in_the_address_stands_in_no_error() -> None:
    address = "http://ward:secret@127.0.0.1:9/hilum"
    with hilum.Client(address, retries=0) as client, pytest.raises(Unreachable) as told:
        client.models()
    assert str(told.value).startswith("http://127.0.0.1:9/hilum does not answer")


def test_what_no_request_can_hold_is_an_error_of_the_house(client: hilum.Client) -> None:
    asks = (
        lambda: client.get("/models\n"),
        lambda: client.feedback("x", label="\udcff"),
        lambda: client.predict(XRAY, task="\udcff"),
        lambda: client.predict("x" * 5000),
    )
    for ask in asks:
        with pytest.raises(UsageError):
            ask()

    async def talk() -> None:
        async with hilum.AsyncClient(client.url) as other:
            await other.get("/models\n")

    with pytest.raises(UsageError):
        asyncio.run(talk())


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "\ud800", "%2e%2e", "a\0b", "x y"])
def test_what_is_no_id_is_not_asked_for(name: str) -> None:
    """`..` would ask for another place of the server, and have it deleted where a batch is to be stopped."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise AssertionError

    with hilum.Client(transport=httpx.MockTransport(refuse)) as client:
        for ask in (client.prediction, client.job, client.results, client.cancel, client.wait):
            with pytest.raises(NotFound, match=r"no (prediction|job) "):
                ask(name)


class Sink(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Takes what is sent piece by piece, and keeps the largest piece and how much there was."""

    largest = size = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        for piece in request.stream:
            self.largest, self.size = max(self.largest, len(piece)), self.size + len(piece)
        return httpx.Response(503)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self.largest, self.size = max(self.largest, len(piece)), self.size + len(piece)
        return httpx.Response(503)


def test_a_large_zip_is_sent_without_being_held(tmp_path: Path) -> None:
    path, length = tmp_path / "large.zip", 64 * 1024**2
    with path.open("wb") as file:
        file.truncate(length)

    async def talk() -> None:
        async with hilum.AsyncClient(retries=0, transport=sink) as other:
            await other.evaluate(path, "pneumonia-cxr")

    tracemalloc.start()
    try:
        for times in (1, 2):
            sink = Sink()
            with hilum.Client(retries=times - 1, transport=sink) as client, pytest.raises(Busy):
                client.evaluate(path, "pneumonia-cxr")
            assert sink.size > times * length  # the second time from its beginning
            assert sink.largest < length / 16
        sink = Sink()
        with pytest.raises(Busy):
            asyncio.run(talk())
        assert sink.size > length
        assert tracemalloc.get_traced_memory()[1] < length / 4
    finally:
        tracemalloc.stop()


def test_a_zip_that_cannot_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.zip").write_bytes(b"PK")
    monkeypatch.setattr(Path, "open", refuse)
    with hilum.Client(transport=Sink()) as client, pytest.raises(UnreadableImage, match="Permission denied"):
        client.evaluate(tmp_path / "a.zip", "pneumonia-cxr")


def test_another_server_is_not_asked_with_the_key_of_this_one() -> None:
    asked = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    with hilum.Client("http://127.0.0.1:8000", "hilum_key", transport=httpx.MockTransport(note)) as client:
        for elsewhere in ("http://example.org/models", "HTTPS://example.org/models"):
            with pytest.raises(UsageError, match="names a server"):
                client.get(elsewhere)
        client.get("//example.org/models")
    assert [one.partition("/models")[0] for one in asked] == ["http://127.0.0.1:8000"]


def test_names_that_are_no_utf8_stop_nothing(client: hilum.Client, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.png"))
    odd.write_bytes(XRAY.read_bytes())
    assert client.predict(odd).label == "normal"
    for found in (client.predict_many(tmp_path), client.wait(client.submit(tmp_path))):
        assert [(one.file, one.label) for one in found] == [("b\ufffd.png", "normal")]


def test_a_report_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is to be asked")

    with hilum.Client(transport=httpx.MockTransport(refuse)) as client:
        for report in (tmp_path, tmp_path / "none" / "report.html"):
            with pytest.raises(UsageError, match="one file, in a folder that is there"):
                client.evaluate(tmp_path, "pneumonia-cxr", report=report)


def test_a_report_that_could_not_be_written_can_still_be_had(tmp_path: Path) -> None:
    def told(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/report"):
            report.mkdir()
            return httpx.Response(200, content=b"page")
        return httpx.Response(200, json={"id": "7", "state": "done", "evaluation": {}})

    report = tmp_path / "report.html"
    elsewhere = "the server has the page at /evaluations/7/report"
    with hilum.Client(transport=httpx.MockTransport(told)) as client, pytest.raises(StorageError, match=elsewhere):
        client.evaluate("folder", "pneumonia-cxr", report=report)


def test_a_model_is_measured_on_a_zip(client: hilum.Client, tmp_path: Path) -> None:
    import zipfile

    films = [path for path in SAMPLES if path.parent.name == "pneumonia-cxr"]
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for path in films:
            archive.write(path, f"{path.stem.split('-')[0]}/{path.name}")
    page = tmp_path / "report.html"
    said = client.evaluate(tmp_path / "films.zip", "pneumonia-cxr", report=page)
    assert "<html" in page.read_text(encoding="utf-8")
    assert (said["n"], said["metrics"]["accuracy"]["value"]) == (len(films), 1.0)
    with pytest.raises(UsageError, match="DATA_ROOTS"):
        client.evaluate("/etc", "pneumonia-cxr")


def test_a_zip_is_no_refused_image(client: hilum.Client, tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(XRAY, "a.png")
        packed.write(BRAIN, "b.png")
    with pytest.raises(UsageError, match="submit"):
        client.predict(path)


@pytest.mark.parametrize(
    "said",
    [
        httpx.Response(200, html="<p>Something else lives here</p>"),
        httpx.Response(200, json={"other": 1}),
        httpx.Response(200, json=[1]),
        httpx.Response(200, content=b"{oops", headers={"Content-Type": "application/json"}),
        httpx.Response(200, content=b"[" * 100_000, headers={"Content-Type": "application/json"}),
    ],
)
def test_a_server_of_another_kind_is_an_error_of_the_house(said: httpx.Response) -> None:
    with hilum.Client("http://other", transport=httpx.MockTransport(lambda _: said)) as client:
        for ask in (client.models, client.tasks, lambda: client.predict(b"image"), lambda: client.job("a")):
            with pytest.raises(HilumError, match="is the address right"):
                ask()


def test_a_refusal_in_strange_words_is_an_error_of_the_house() -> None:
    deep = httpx.Response(400, content=b"[" * 100_000)
    wait = [httpx.Response(429, json={"code": "too_many_attempts", "detail": words}) for words in ("²", "9" * 999)]
    for said in (deep, *wait):
        transport = httpx.MockTransport(lambda _, said=said: said)
        with hilum.Client("http://other", transport=transport, retries=0) as client, pytest.raises(HilumError):
            client.models()


def test_fewer_answers_than_files_are_none() -> None:
    """Else each answer after the gap would stand beside another file."""
    one = {"id": "1", "task": "t", "model": None, "gate": {}}
    for answers in ([], [one], [one, one, {**one, "frame": 1}]):
        said = httpx.Response(200, json={"predictions": answers})
        with (
            hilum.Client("http://other", transport=httpx.MockTransport(lambda _, said=said: said)) as client,
            pytest.raises(HilumError, match="is the address right"),
        ):
            client.predict_many([b"a", b"b", b"c"], progress=False)


def test_an_answer_of_a_later_server_that_tells_more_is_understood() -> None:
    model = {"name": "m", "version": "1", "digest": "d", "site": "north"}
    told = {"id": "1", "task": "t", "model": model, "gate": {"more": 1}, "more": {"a": 1}}
    said = httpx.Response(200, json=told)
    with hilum.Client("http://later", transport=httpx.MockTransport(lambda _: said)) as client:
        found = client.prediction("1").model
    assert found is not None
    assert (found.name, found.version, found.digest, found.task) == ("m", "1", "d", "t")


def test_an_answer_that_cannot_be_unpacked_is_an_error_of_the_house() -> None:
    def told(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))

    async def talk() -> None:
        async with hilum.AsyncClient("http://other", transport=httpx.MockTransport(told)) as client:
            await client.models()

    with hilum.Client("http://other", transport=httpx.MockTransport(told)) as client:
        for ask in (client.models, lambda: asyncio.run(talk())):
            with pytest.raises(HilumError, match="is the address right"):
                ask()


def test_after_a_failure_no_more_of_many_images_are_sent() -> None:
    sent: list[httpx.Request] = []

    async def told(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        for _ in range(50):  # an answer takes a while
            await asyncio.sleep(0)
        return httpx.Response(403, json={"code": "not_allowed", "detail": "no"})

    async def talk() -> None:
        async with hilum.AsyncClient("http://other", transport=httpx.MockTransport(told)) as client:
            with pytest.raises(HilumError, match="no"):
                await client.predict_many([b"image"] * 200, progress=False)
            so_far = len(sent)
            for _ in range(5000):  # whatever still waits has its turn
                await asyncio.sleep(0)
            assert len(sent) == so_far < 25

    asyncio.run(talk())


def test_a_redirect_says_where_to() -> None:
    moved = httpx.Response(301, headers={"Location": "https://hilum.example.org/models"})
    with (
        hilum.Client("http://old", transport=httpx.MockTransport(lambda _: moved)) as client,
        pytest.raises(HilumError, match=r"sends on to https://hilum\.example\.org/models: use the address"),
    ):
        client.models()


def test_a_key_out_of_a_file_is_taken_without_its_line_end() -> None:
    shown = []

    def told(request: httpx.Request) -> httpx.Response:
        shown.append(request.headers.get("authorization"))
        return httpx.Response(200, json={})

    for key in ("hilum_a", "hilum_a\n", " hilum_a\r\n", "", "\n"):
        with hilum.Client("http://x", key=key, transport=httpx.MockTransport(told)) as client:
            client.get("/x")
    assert shown == ["Bearer hilum_a"] * 3 + [None] * 2
    for key in ("hilum_\xfc", "hilum_a\nb"):
        with pytest.raises(UsageError, match="no key has"):
            hilum.Client("http://x", key=key)


def test_what_a_notebook_or_a_system_left_in_a_folder_is_not_sent(client: hilum.Client, tmp_path: Path) -> None:
    kept, left = ("a.png", "more/b.png"), ("__MACOSX/a.png", "more/.c.png", "@eaDir/a.png/THUMB.jpg", "#recycle/a.png")
    for name in (*kept, *left, ".ipynb_checkpoints/a-checkpoint.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(XRAY.read_bytes())
    assert [one.file for one in client.predict_many(tmp_path)] == [*kept]


def test_a_file_beyond_what_the_server_takes_stands_among_the_answers(tmp_path: Path) -> None:
    """One of many took the answers of all others along; so did several that were too much together."""
    film = XRAY.read_bytes()
    films = [film, bytes(8 * 1024**2), film, film, film]
    most = str(4 * len(film))
    with running(tmp_path, UPLOAD_BYTES=most) as server, hilum.Client(f"http://127.0.0.1:{server.port}") as client:
        found = client.predict_many(films)
        with pytest.raises(TooLarge, match="the limit of"):
            client.predict(films[1])
    assert [isinstance(one, Unread) for one in found] == [False, True, False, False, False]
    (unread,) = found.unread
    assert (unread.code, "the limit of" in unread.error) == ("too_large", True)
