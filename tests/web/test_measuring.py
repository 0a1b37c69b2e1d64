"""The page of a package in a real browser: measured on a folder and on a dropped zip, with the reports found again."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hilum.interfaces.web import measuring as page_module
from tests.interfaces.http.forms import SAMPLES
from tests.interfaces.http.running import running
from tests.web.looking import PHONE, SLOW, let_go, visit

PAGE = "/app/models/pneumonia-cxr"
FILMS = [path for path in SAMPLES if path.parent.name == "pneumonia-cxr"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in class folders, and one whose folders are no classes of the question."""
    root = tmp_path_factory.mktemp("roots")
    for path in FILMS:
        for place in (root / "films" / path.stem.split("-")[0], root / "strange" / "feet"):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    (root / "films" / "normal" / "letter.png").write_bytes(b"no image")
    return root


def test_never_measured_then_on_a_folder_and_on_one_that_does_not_fit(
    browser: Browser, root: Path, tmp_path: Path
) -> None:
    with running(tmp_path, DATA_ROOTS=str(root)) as server, visit(browser, server) as one:
        page = one.go(PAGE)
        expect(page.get_by_text("Not yet. Figures from elsewhere")).to_be_visible()
        page.get_by_text("Measure it on labelled images", exact=True).click()
        page.get_by_label("Folder", exact=True).select_option("films")
        one.check("model-measure")
        page.get_by_role("button", name="Measure on the folder").click()
        row = page.get_by_role("region", name="Measured here").get_by_role("row").nth(1)
        expect(row).to_contain_text("Done", timeout=SLOW)  # without anybody asking again
        expect(row).to_contain_text(f"{len(FILMS)} images, 0 refused, 1 unreadable")
        expect(row).to_contain_text("100.0%")
        address = row.get_by_role("link", name="Open the report on films").get_attribute("href") or ""
        assert b"<html" in server.ask("GET", address).body

        page.get_by_text("Measure it on labelled images", exact=True).click()
        page.get_by_label("Folder", exact=True).select_option("strange")
        page.get_by_role("button", name="Measure on the folder").click()
        failed = page.get_by_role("region", name="Measured here").get_by_role("row").filter(has_text="strange")
        expect(failed).to_contain_text("Failed", timeout=SLOW)
        expect(failed).to_contain_text("feet")  # the reason in words
        one.check("model-measured")


def test_a_dropped_zip_on_a_phone_in_the_dark(browser: Browser, root: Path, tmp_path: Path) -> None:
    packed, broken = tmp_path / "mine.zip", tmp_path / "broken.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((root / "films").rglob("*.png")):
            archive.write(path, path.relative_to(root / "films"))
    broken.write_bytes(b"no zip")
    home = tmp_path / "home"
    with running(home) as server, visit(browser, server, dark=True, size=PHONE) as one:
        page = one.go(PAGE)
        page.get_by_text("Measure it on labelled images", exact=True).click()
        zipped = page.locator("form[data-zip]")
        let_go(page, ".card:has(form[data-zip])", broken)
        expect(zipped.get_by_role("status")).to_contain_text("send a zip of labelled images")
        one.faults.clear()  # the browser's own word on the 422
        zipped.get_by_label("Operating point").select_option("screening")
        let_go(page, ".card:has(form[data-zip])", packed)
        row = page.get_by_role("region", name="Measured here").get_by_role("row").filter(has_text="mine.zip")
        expect(row).to_contain_text("Done", timeout=SLOW)
        one.check("model-measured-phone")


def test_who_may_not_measure_is_not_offered_it(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, AUTH="on") as server:
        for role, shown in (("reviewer", 0), ("engineer", 1)):
            with visit(browser, server, role=role) as one:
                expect(one.go(PAGE).get_by_role("heading", name="Measured here")).to_have_count(shown)


def test_without_roots_or_the_measuring_part_the_page_says_so(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as server, visit(browser, server) as one:
        page = one.go(PAGE)
        page.get_by_text("Measure it on labelled images", exact=True).click()
        expect(page.get_by_text("No folder is open to this page.")).to_be_visible()
        monkeypatch.setattr(page_module, "can_measure", lambda: False)
        page.reload()
        expect(page.get_by_text("hilum[data]")).to_be_visible()
        one.check("model-measure-lacking")
