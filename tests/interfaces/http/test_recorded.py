"""What was answered can be found, looked at and answered back, over a real connection."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import event

from hilum.interfaces.http import recorded
from hilum.interfaces.http.app import SHOWN
from tests.interfaces.http.forms import SAMPLES, sample
from tests.interfaces.http.running import PATIENT, Running, running

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        for path in SAMPLES:
            server.ask("POST", "/predict", path.read_bytes(), PNG)
        yield server


@pytest.fixture(scope="module")
def film(server: Running) -> str:
    """The id of an answered chest film."""
    return str(server.ask("POST", "/predict", sample("pneumonia-cxr").read_bytes(), PNG).json()["id"])


@pytest.fixture
def own(server: Running) -> str:
    """The id of an answer that no other test speaks of."""
    return str(server.ask("POST", "/predict", sample("pneumonia-cxr").read_bytes(), PNG).json()["id"])


def test_pages_follow_one_another_without_a_gap(server: Running) -> None:
    seen, cursor = [], ""
    while True:
        page = server.ask("GET", f"/predictions?limit=5{cursor}").json()
        seen += [one["id"] for one in page["predictions"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == page["total"]
    assert page["total"] >= len(SAMPLES)


def asked_once(server: Running, path: str) -> int:
    """How many questions the database is asked while a page is made; by others too, who work beside it."""
    counted, engine = [], server.parts.records._engine

    def count(*asked: object) -> None:
        counted.extend(one for one in asked[2:3] if str(one).startswith("SELECT"))

    event.listen(engine, "before_cursor_execute", count)
    try:
        assert server.ask("GET", path, headers={"Accept": "text/html"}).status == 200
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)


def asked_of(server: Running, path: str) -> int:
    """How many questions the page itself asks: the fewest of a few goes, the server's own rounds fall into some."""
    return min(asked_once(server, path) for _ in range(4))


@pytest.mark.parametrize("path", ["/predictions", "/app/history"])
def test_a_page_asks_the_database_no_more_often_for_its_rows(server: Running, path: str) -> None:
    own = server.ask("POST", "/predict", sample("pneumonia-cxr").read_bytes() + b"own", PNG).json()["id"]
    assert server.ask("POST", "/feedback", {"id": own, "agree": True}).status == 201
    one, all_of_them = asked_of(server, f"{path}?text={own}"), asked_of(server, path)
    assert 0 < all_of_them <= one + 1


def test_filters_filter(server: Running) -> None:
    found = server.ask("GET", "/predictions?task=pneumonia-cxr&class=pneumonia&order=priority").json()["predictions"]
    assert found
    assert {one["prediction"]["class"] for one in found} == {"pneumonia"}
    shares = [one["prediction"]["probability"] for one in found]
    assert shares == sorted(shares, reverse=True)
    assert server.ask("GET", "/predictions?since=2100-01-01T00:00:00Z").json()["total"] == 0
    tumours = server.ask("GET", "/predictions?text=TUMOUR").json()["predictions"]  # as pages call the classes
    assert {"pituitary", "notumor"} <= {one["prediction"]["class"] for one in tumours}
    assert server.ask("GET", "/predictions?order=wild").status == 422
    assert server.ask("GET", "/predictions?limit=100000").is_problem()


def test_the_image_its_pixels_and_its_heatmap_lie_on_one_another(server: Running, film: str) -> None:
    original = cv2.imread(str(sample("pneumonia-cxr")), cv2.IMREAD_GRAYSCALE)
    image = cv2.imdecode(np.frombuffer(server.ask("GET", f"/predictions/{film}/image").body, np.uint8), -1)
    assert np.array_equal(image, original)
    raw = server.ask("GET", f"/predictions/{film}/pixels")
    plane = np.frombuffer(raw.body, "<u2").reshape(int(raw.headers["x-height"]), int(raw.headers["x-width"]))
    assert np.abs(plane / 257 - original).max() <= 0.5
    for method in ("cam", "occlusion"):
        heat = server.ask("GET", f"/predictions/{film}/heatmap?method={method}")
        assert heat.status == 200, heat
        values = cv2.imdecode(np.frombuffer(heat.body, np.uint8), -1)
        assert values.shape == original.shape
        assert values.max() > 100
    assert server.ask("GET", f"/predictions/{film}/image?frame=3").status == 404
    assert server.ask("GET", f"/predictions/{film}/heatmap?label=glioma").status == 422


def test_what_a_reader_says_stands_beside_the_answer(server: Running, own: str) -> None:
    before = server.ask("GET", f"/predictions/{own}").json()
    right, wrong = before["prediction"]["class"], {"normal": "Pneumonia", "pneumonia": "NORMAL"}
    said = server.ask("POST", "/feedback", {"id": own, "label": wrong[right], "note": "second look"})
    assert said.status == 201
    assert said.json()["agrees"] is False
    after = server.ask("GET", f"/predictions/{own}").json()
    assert after["prediction"] == before["prediction"]
    assert [one["note"] for one in after["feedback"]] == ["second look"]
    assert own in {one["id"] for one in server.ask("GET", "/predictions?disagreed=true").json()["predictions"]}
    assert server.ask("POST", "/feedback", {"id": own, "agree": True}).json()["agrees"] is True


def test_what_was_said_is_taken_back_and_stays_on_record(server: Running, own: str) -> None:
    server.ask("POST", "/feedback", {"id": own, "label": "normal"})
    back = server.ask("POST", "/feedback", {"id": own, "withdraw": True})
    assert (back.status, back.json()["class"], back.json()["agrees"]) == (201, None, None)
    assert [one["class"] for one in server.ask("GET", f"/predictions/{own}").json()["feedback"]] == ["normal", None]
    assert own not in {one["id"] for one in server.ask("GET", "/predictions?disagreed=true").json()["predictions"]}
    again = server.ask("POST", "/feedback", {"id": own, "withdraw": True})
    assert (again.status, again.is_problem()) == (409, True)


@pytest.mark.parametrize(
    "said",
    [{}, {"agree": True, "label": "normal"}, {"label": "knee"}, {"agree": False}, {"agree": True, "withdraw": True}],
)
def test_feedback_that_says_nothing_or_nonsense_is_refused(server: Running, film: str, said: dict[str, object]) -> None:
    assert server.ask("POST", "/feedback", {"id": film, **said}).is_problem()


def test_nothing_is_found_under_a_strange_id(server: Running) -> None:
    for path in ("", "/image", "/pixels", "/heatmap"):
        answer = server.ask("GET", f"/predictions/nobody{path}")
        assert answer.status == 404
        assert answer.is_problem()


def test_the_catalogue_says_what_can_be_asked_and_who_answers(server: Running) -> None:
    tasks = server.ask("GET", "/tasks").json()["tasks"]
    assert {task["name"] for task in tasks} == {"brain-tumor-mri", "brain-tumor-presence-mri", "pneumonia-cxr"}
    models = server.ask("GET", "/models")
    assert all(one["champion"] for one in models.json()["models"])
    known = server.ask("GET", "/models", headers={"If-None-Match": models.headers["etag"]})
    assert (known.status, known.headers["cache-control"]) == (304, models.headers["cache-control"])  # else it is let go
    assert server.ask("GET", "/models", headers={"If-None-Match": "*"}).status == 304
    one = server.ask("GET", "/models/pneumonia-cxr@champion").json()
    assert one["calibration"]["classes"] == ["normal", "pneumonia"]
    assert b"# " in server.ask("GET", "/models/pneumonia-cxr/card").body
    assert server.ask("GET", "/models/..%2f..%2fetc").status == 404
    for sample_ in server.ask("GET", "/samples").json()["samples"][:2]:
        assert server.ask("GET", sample_["url"]).body[:4] == b"\x89PNG"


def test_probes_and_counters_answer(server: Running) -> None:
    assert server.ask("GET", "/livez").status == 200
    assert server.ask("GET", "/readyz").body == b"ready"
    text = server.ask("GET", "/metrics").body.decode()
    assert 'hilum_predictions_total{class="pneumonia"' in text
    assert 'hilum_stage_seconds_count{stage="record"}' in text


def test_a_cursor_that_is_nonsense_is_refused(server: Running) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 5500).decode()
    for cursor in (deep, "x", "bnVsbA"):
        told = server.ask("GET", f"/predictions?cursor={cursor}")
        assert (told.status, told.is_problem()) == (422, True)


@pytest.mark.parametrize("what", ["image", "pixels", "heatmap"])
def test_a_few_pictures_are_drawn_at_a_time_however_many_ask(
    server: Running, film: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    begun, going = threading.Semaphore(0), threading.Event()

    def slowly(drawn: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*given: Any, **named: Any) -> Any:
            begun.release()
            assert going.wait(PATIENT)
            return drawn(*given, **named)

        return draw

    for name in ("shown", "heatmap_of"):
        monkeypatch.setattr(recorded, name, slowly(getattr(recorded, name)))
    with ThreadPoolExecutor(SHOWN + 3) as pool:
        asked = [pool.submit(server.ask, "GET", f"/predictions/{film}/{what}") for _ in range(SHOWN + 3)]
        try:
            assert all(begun.acquire(timeout=PATIENT) for _ in range(SHOWN))
            assert not begun.acquire(timeout=0.5)  # who waits takes neither memory nor a thread
            assert server.ask("GET", "/readyz").status == 200
        finally:
            going.set()
        assert {one.result().status for one in asked} == {200}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("/predictions?klass=pneumonia", "is 'class' meant?"),
        ("/predictions?label=pneumonia", "there are: task, class"),
        ("/predictions?disagred=true", "is 'disagreed' meant?"),
        ("/predictions/FILM/heatmap?lable=normal", "is 'label' meant?"),
        ("/predictions/FILM/image?page=2", "there are: frame"),
        ("/history?tasks=pneumonia-cxr", "is 'task' meant?"),
        ("/models?task=pneumonia-cxr", "nothing is read"),
        ("/tasks?name=pneumonia-cxr", "nothing is read"),
        ("/jobs?state=done", "nothing is read"),
    ],
)
def test_a_filter_that_nobody_knows_is_not_taken_for_none(server: Running, film: str, asked: str, words: str) -> None:
    """All that is on record was told to who had asked for a part of it."""
    answer = server.ask("GET", asked.replace("FILM", film))
    assert (answer.status, answer.is_problem()) == (422, True)
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("day", ["2026", "20260131", "1769817600", "-1", "2026.5"])
def test_a_bare_number_is_no_day(server: Running, day: str) -> None:
    """It was read as seconds since 1970: since=2026 was half past midnight then, and filtered nothing."""
    for name in ("since", "until"):
        answer = server.ask("GET", f"/predictions?{name}={day}")
        assert (answer.status, answer.is_problem()) == (422, True)
        assert "2026-01-31" in answer.json()["detail"]
    assert server.ask("GET", "/predictions?since=2026-01-31&until=2100-01-31T12:00Z").status == 200


def test_misspelt_feedback_is_not_put_on_record_as_another(server: Running, own: str) -> None:
    """A misspelt note was lost, and the answer said that all was on record."""
    answer = server.ask("POST", "/feedback", {"id": own, "agree": True, "notes": "seen by two"})
    assert (answer.status, answer.is_problem()) == (422, True)
    assert "is 'note' meant?" in answer.json()["detail"]
    assert server.ask("GET", f"/predictions/{own}").json()["feedback"] == []


def test_what_another_form_says_beside_it_is_passed_over(server: Running, own: str) -> None:
    """Forms of a demo send a user and a button along."""
    said = {"id": own, "agree": True, "user_name": "somebody", "submit": "Send"}
    assert server.ask("POST", "/feedback", said).status == 201


def test_what_belongs_into_the_body_is_not_taken_from_the_address(server: Running, own: str) -> None:
    """A package was promoted without the reason that was given there."""
    orders = {
        "/feedback?note=seen": {"id": own, "agree": True},
        "/models/pneumonia-cxr/promote?why=better": {},
        "/tasks/pneumonia-cxr/rollback?why=worse": {},
    }
    for path, body in orders.items():
        answer = server.ask("POST", path, body)
        assert (answer.status, "nothing is read" in answer.json()["detail"]) == (422, True)
    assert server.ask("GET", f"/predictions/{own}").json()["feedback"] == []


def test_times_are_told_in_utc_wherever_the_server_stands(
    server: Running, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an export they changed with the server's zone, and twice a year within it."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        said = server.ask("GET", f"/predictions/{own}").json()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert said["at"].endswith("+00:00")


def test_a_state_that_there_is_not_is_not_taken_for_every_one(server: Running) -> None:
    """A file of all answers came for `disagred`, and one of CSV for `xlsx`."""
    for path in ("/app/export?state=disagred", "/app/export?form=xlsx"):
        assert server.ask("GET", path).status == 422
    page = server.ask("GET", "/app/history?state=disagred", headers={"Accept": "text/html"})
    assert (page.status, b"state: one of answered, refused, disagreed" in page.body) == (200, True)
    assert server.ask("GET", "/app/history?utm_source=mail", headers={"Accept": "text/html"}).status == 200
