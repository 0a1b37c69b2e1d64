"""The Batches page in a real browser: begun, watched, left, found again, stopped; whose it is; its results as files."""

from __future__ import annotations

import csv
import io
import itertools
import json
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from hilum.errors import InputError
from hilum.flows.answer import Ask, Reply
from hilum.image.decode import decode
from hilum.interfaces.web import jobs_page as page_module
from hilum.jobs.behind import Behind
from hilum.model.overlay import grey_png
from tests.conftest import ROOT
from tests.image.made import dicom_bytes, dicom_set
from tests.interfaces.http.forms import TYPE, form
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, SLOW, let_go, visit

pytest.importorskip("dbos")

GLIOMA = ROOT / "samples/brain-tumor-mri/glioma-1.png"
CHEST = ROOT / "samples/pneumonia-cxr/normal-1.png"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), AUTH="on", THREADS="1", SERVE_THREADS="1") as server:
        yield server


def hold_after_the_first_files(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A batch stops for breath after two groups of files, until the event is set: it cannot be over too early."""
    go_on, answer, groups = threading.Event(), Behind.answer, itertools.count()

    def held(behind: Behind, asks: Sequence[Ask]) -> list[Reply | InputError]:
        if next(groups) >= 2:
            go_on.wait(600)
        return answer(behind, asks)

    monkeypatch.setattr(Behind, "answer", held)
    return go_on


def chests(count: int) -> bytes:
    """A zip of so many chest films that are not alike byte for byte, so that no cache answers."""
    grey, out = decode(CHEST.read_bytes(), name="x")[0].pixels, io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(count):
            archive.writestr(f"film {i:03}.png", grey_png(np.clip(grey + np.float32(i / 20_000), 0, 1)))
    return out.getvalue()


def begin(page: Page, *files: Path) -> None:
    page.goto(page.url.split("/app")[0] + "/app/jobs")
    if page.locator("#begin").get_attribute("open") is None:
        page.get_by_text("Begin a batch").click()
    page.set_input_files("#batch-files", list(files))
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/app/jobs/*-*")


def figure(page: Page, name: str) -> str:
    return page.locator("dl.figures > div", has_text=name).locator(".big").inner_text()


@pytest.mark.parametrize(("dark", "size"), [(False, (1400, 900)), (True, PHONE)])
def test_a_batch_from_its_files_to_its_results(
    browser: Browser, server: Running, tmp_path: Path, dark: bool, size: tuple[int, int]
) -> None:
    blank, broken, film = tmp_path / "=blank.png", tmp_path / "broken.png", tmp_path / "two.dcm"
    blank.write_bytes(grey_png(np.full((300, 300), 0.05, dtype=np.float32)))
    broken.write_bytes(b"no image")
    frames = np.stack([np.asarray(decode(GLIOMA.read_bytes(), name="x")[0].pixels * 4000, dtype=np.uint16)] * 2)
    film.write_bytes(dicom_bytes(dicom_set(frames, Modality="MR", BodyPartExamined="BRAIN")))
    with visit(browser, server, dark=dark, size=size, role="reviewer") as one:
        page = one.go("/app/jobs")
        begin(page, GLIOMA, CHEST, blank, broken, film)
        expect(page.get_by_role("heading", level=1)).to_have_text("5 files")
        expect(page.locator("main .tag").first).to_have_text("Done", timeout=SLOW)
        assert [figure(page, name) for name in ("Answered", "Refused", "Not read")] == ["4", "1", "1"]
        rows = page.get_by_role("region", name="Results").locator("tbody tr")
        expect(rows).to_have_count(6)
        expect(rows.nth(0)).to_contain_text("Glioma")
        expect(rows.nth(3)).to_contain_text("broken.png")
        expect(rows.nth(5)).to_contain_text("frame 2")
        one.check(f"job-{size[0]}")
        page.get_by_role("link", name="Refused 1").click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("=blank.png")
        rows.get_by_role("link", name="Not answered").click()
        expect(page.get_by_text("No answer")).to_be_visible()
        page.go_back()
        page.get_by_role("link", name="Not read 1").click()
        expect(rows).to_contain_text("broken.png")
        with page.expect_download() as taken:
            page.get_by_role("link", name="CSV").click()
        table = list(csv.DictReader(io.StringIO(taken.value.path().read_text())))
        assert [row["file"] for row in table] == ["glioma-1.png", "normal-1.png", "'=blank.png", "broken.png"] + [
            "two.dcm"
        ] * 2
        with page.expect_download() as taken:
            page.get_by_role("link", name="JSON").click()
        assert taken.value.suggested_filename.endswith(".json")
        said = json.loads(taken.value.path().read_bytes())["predictions"]
        assert [one.get("prediction", {}) and one["prediction"]["class"] for one in said[:2]] == ["glioma", "normal"]
        page.get_by_role("navigation").get_by_role("link", name="Batches").click()
        row = page.get_by_role("region", name="Batches").locator("tbody tr").first
        expect(row.locator("td.num")).to_have_text(["4", "1", "1"])
        one.check(f"jobs-{size[0]}")


def test_a_large_zip_on_read_becomes_a_batch_that_is_watched_and_cancelled_by_keys(
    browser: Browser, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = hold_after_the_first_files(monkeypatch)
    packed = tmp_path / "many.zip"
    packed.write_bytes(chests(600))
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/read")
        page.set_input_files("#files", packed)
        expect(page.locator("#answer .is")).to_have_text("Taken on as a batch", timeout=SLOW)
        expect(page.locator("#answer [data-count]")).to_have_text("600")
        one.check("read-batch")
        page.get_by_role("link", name="Look at the batch").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("600 files")
        expect(page.get_by_role("region", name="Results").locator("tbody tr").first).to_be_visible(timeout=SLOW)
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Cancel the batch").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("by somebody's wish")).to_be_visible(timeout=SLOW)
        cancelled.set()
        one.check("job-cancelled")
        page.get_by_role("button", name="Take it off the list").click()
        page.wait_for_url("**/app/jobs")
        assert page.get_by_role("row", name="600 files").count() == 0


def test_progress_grows_by_itself_and_rows_are_paged(browser: Browser, server: Running) -> None:
    headers = {"Content-Type": "application/zip"}
    taken = server.ask("POST", "/predict?task=pneumonia-cxr", chests(70), headers, key="reader").json()
    with visit(browser, server, role="reader") as one:
        page = one.go(f"/app/jobs/{taken['id']}")
        expect(page.locator("main .tag").first).to_have_text("Done", timeout=SLOW)
        rows = page.get_by_role("region", name="Results").locator("tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("link", name="Next").click()
        expect(rows).to_have_count(20)
        expect(rows.last).to_contain_text("film 069.png")
        one.check("job-second-page")
        page.goto(f"{one.address}/app/jobs/{taken['id']}?page=9")
        expect(page.get_by_text("There is no page 9.")).to_be_visible()


def test_a_batch_is_its_owners_and_administrators_see_everybodys(browser: Browser, server: Running) -> None:
    headers = {**TYPE, "Prefer": "respond-async"}
    taken = server.ask("POST", "/predict", form([("a.png", CHEST.read_bytes())]), headers, key="engineer").json()
    with visit(browser, server, role="reader") as one:
        page = one.go(f"/app/jobs/{taken['id']}")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
        one.faults.clear()  # the browser tells the 404
        one.check("job-of-another")
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/jobs")
        expect(page.locator(f"tr:has(a[href$='{taken['id']}'])")).to_contain_text("engineer")
    with visit(browser, server) as one:
        page = one.go("/app/jobs")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_files_let_go_over_the_form_are_its_files_and_beside_it_do_no_harm(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/jobs")
        page.locator("#begin").evaluate("form => (form.open = true)")
        let_go(page, "h1", GLIOMA)  # the browser would open it in the place of the page
        expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
        let_go(page, "form[data-batch]", GLIOMA, CHEST)
        page.wait_for_function("() => document.getElementById('batch-files').files.length === 2")
        names = "field => [...field.files].map(file => file.name)"
        assert page.locator("#batch-files").evaluate(names) == [GLIOMA.name, CHEST.name]
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("2 files")


def test_nothing_begun_yet_and_a_zip_that_is_none(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as server, visit(browser, server, dark=True) as one:
        page = one.go("/app/jobs")
        expect(page.get_by_role("heading", name="No batch yet")).to_be_visible()
        one.check("jobs-empty")
        page.set_input_files("#batch-files", {"name": "a.zip", "mimeType": "application/zip", "buffer": b"PK\3\4 no"})
        page.get_by_role("button", name="Begin").click()
        expect(page.locator("form[data-batch] [data-said]")).to_contain_text("zip cannot be read")
        one.faults = [fault for fault in one.faults if "400" not in fault]  # the browser tells it too
        page.context.set_offline(True)
        page.get_by_role("button", name="Begin").click()
        expect(page.locator("form[data-batch] [data-said]")).to_contain_text("nothing is answered twice")


def test_what_failed_says_why_and_what_waits_says_for_what(browser: Browser, tmp_path: Path) -> None:
    """States that pass too quickly to be looked at are written where batches are kept."""
    with running(tmp_path) as server, visit(browser, server) as one:
        taken = server.ask(
            "POST", "/predict", form([("a.png", CHEST.read_bytes())]), {**TYPE, "Prefer": "respond-async"}
        )
        page = one.go(f"/app/jobs/{taken.json()['id']}")
        expect(page.locator("main .tag").first).to_have_text("Done", timeout=SLOW)
        inbox = server.parts.batches._desk.inbox
        order = inbox.order(taken.json()["id"])
        inbox.write(replace(order, state="failed", fault="the disk is full"))
        page.reload()
        expect(page.get_by_text("the disk is full")).to_be_visible()
        one.check("job-failed")
        inbox.write(replace(order, state="running"))
        page.reload()
        expect(page.get_by_text("1 of 1 files looked at")).to_be_visible()
        one.check("job-running")
        inbox.write(replace(order, state="queued"))
        page.reload()
        expect(page.get_by_text("one batch is answered at a time")).to_be_visible()
        one.check("job-waiting")


def test_where_the_engine_is_not_installed_the_page_says_so(
    browser: Browser, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "can_batch", lambda: False)
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/jobs")
        expect(page.get_by_text("hilum[durable]")).to_be_visible()
        one.check("jobs-lacking")


def test_a_labelled_refusal_is_no_agreement_and_a_time_says_its_zone(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    blank.write_bytes(grey_png(np.full((300, 300), 0.05, dtype=np.float32)))
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/jobs")
        page.evaluate("document.getElementById('begin').open = true")
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        page.set_input_files("#batch-files", blank)
        page.get_by_role("button", name="Begin").click()
        page.wait_for_url("**/app/jobs/*-*")
        row = page.get_by_role("region", name="Results").locator("tbody tr")
        identity = (row.get_by_role("link").get_attribute("href") or "").rsplit("/", 1)[1]
        said = {"id": identity, "label": "glioma"}
        assert server.ask("POST", "/feedback", said, key="reviewer").status == 201
        page.reload()
        expect(row).to_contain_text("Labelled")
        expect(row).not_to_contain_text("Agreed")
        expect(one.go("/app/jobs").locator("table.batches tbody th").first).to_contain_text(" UTC")
