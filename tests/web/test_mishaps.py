"""What goes wrong on the way in a real browser: no connection, signed out elsewhere, a way back, folders, odd files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from hilum.interfaces.web import static_files
from tests.conftest import ROOT
from tests.interfaces.http.running import WORD, Running, running
from tests.web.looking import SLOW, detour, let_go, visit

GLIOMA = ROOT / "samples/brain-tumor-mri/glioma-1.png"
NO_TUMOUR = ROOT / "samples/brain-tumor-mri/notumor-1.png"
SELDOM_NEVER = """(() => { const { setTimeout } = window; window.setInterval = () => 0;
window.setTimeout = (what, after, ...rest) => (after >= 20000 ? 0 : setTimeout(what, after, ...rest)); })()"""
CHEST = ROOT / "samples/pneumonia-cxr/pneumonia-1.png"
DROPPED = """async address => { const { filesOf } = await import(address);
const folder = (name, readEntries) => ({ isFile: false, name, createReader: () => ({ readEntries }) });
const locked = folder("locked", (_, failed) => failed(new DOMException("", "NotReadableError")));
const film = { isFile: true, name: "a.png", file: done => done(new File(["x"], "a.png")) };
const left = [[film, locked], []];
const study = folder("study", done => done(left.shift()));
const found = await filesOf({ items: [{ kind: "file", webkitGetAsEntry: () => study }] });
return found.map(one => one.name); }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), AUTH="on", THREADS="1", SERVE_THREADS="1") as server:
        yield server


def sign_in(page: Page, server: Running, role: str) -> None:
    """As another tab of the same browser does it."""
    session = server.parts.access.sign_in(role, WORD, "127.0.0.1")  # type: ignore[union-attr]
    page.context.add_cookies([{"name": "hilum", "value": session.token, "url": page.url.split("/app")[0]}])


def test_what_is_no_image_is_told_apart_and_counted(browser: Browser, server: Running, tmp_path: Path) -> None:
    letter, empty, broken = tmp_path / "letter.txt", tmp_path / "empty.png", tmp_path / "study.zip"
    letter.write_text("Dear colleague,")
    empty.write_bytes(b"")
    broken.write_bytes(b"PK\x03\x04 half of a zip")
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        page.set_input_files("#files", [letter, empty, broken, GLIOMA])
        expect(page.get_by_text("1 of 4 files are answered; 3 are not.")).to_be_visible(timeout=SLOW)
        expect(page.locator("#answer")).to_contain_text("This is no image that can be read here")
        expect(page.locator("#answer")).to_contain_text("Export it again")
        expect(page.get_by_role("button", name="Try all")).to_have_count(0)
        page.keyboard.press("j")
        expect(page.locator("#answer")).to_contain_text("the file is empty")
        page.keyboard.press("j")
        expect(page.locator("#answer")).to_contain_text("This zip cannot be read")
        expect(page.locator("#answer")).to_contain_text("Make the zip again")
        expect(page.locator(".strip .said").nth(2)).to_have_text("Could not be read")


def test_a_folder_is_dropped_as_its_images(browser: Browser, server: Running, tmp_path: Path) -> None:
    (tmp_path / "study" / "series").mkdir(parents=True)
    shutil.copy(GLIOMA, tmp_path / "study" / "10.png")
    shutil.copy(CHEST, tmp_path / "study" / "9.png")
    shutil.copy(GLIOMA, tmp_path / "study" / "series" / "1.png")
    (tmp_path / "study" / ".DS_Store").write_bytes(b"of the desktop")
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        let_go(page, ".stage", tmp_path / "study")
        expect(page.locator(".strip .file")).to_have_text(["9.png", "10.png", "1.png"])
        expect(page.get_by_text("All 3 files are answered.")).to_be_visible(timeout=SLOW)
        assert one.faults == []


def test_what_cannot_be_read_in_a_dropped_folder_takes_nothing_else_away(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        assert page.evaluate(DROPPED, static_files.address("drop.js")) == ["a.png"]
        expect(page.locator("#said")).to_have_text("1 of what was dropped could not be read and is left out.")


def test_files_that_met_no_server_are_all_sent_again_at_once(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        page.context.set_offline(True)
        page.set_input_files("#files", [GLIOMA, CHEST])
        expect(page.locator(".strip .said")).to_have_text(["Not sent", "Not sent"])
        expect(page.locator("#answer")).to_contain_text("Wait until the foot of the page says Online")
        expect(page.locator("#answer")).not_to_contain_text("Export it again")
        one.faults.clear()  # the browser tells it too
        one.check("read-not-sent")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try all 2 again").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".strip .said")).to_have_text([re.compile("Glioma"), re.compile("Pneumonia")], timeout=SLOW)


@pytest.mark.parametrize("path", ["/app/read", "/app/monitoring", "/app/history"])
def test_the_foot_of_the_page_says_at_once_what_the_page_met(browser: Browser, server: Running, path: str) -> None:
    with visit(browser, server, role="engineer") as one:
        one.page.add_init_script(SELDOM_NEVER)
        asked = [
            detour(one.page, part) for part in ("**/readyz", "**/predict", "**/app/monitoring", "**/app/history?*")
        ]
        page = one.go(path)
        for way in asked:
            way.to = lambda route: route.abort()
        if path == "/app/read":
            page.set_input_files("#files", GLIOMA)
        elif path == "/app/monitoring":
            page.keyboard.press("r")
        else:
            page.get_by_label("State").select_option("refused")
        expect(page.locator("footer [data-state]")).to_have_text("No connection")
        asked[0].to = Route.fallback
        expect(page.locator("footer [data-state]")).to_have_text("Online")


def test_what_was_counted_is_not_said_while_files_are_sent_again(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        way = detour(one.page, "**/predict")
        way.to = lambda route: route.abort()
        page = one.go("/app/read")
        page.set_input_files("#files", [GLIOMA, CHEST])
        expect(page.locator(".tally")).to_have_text("0 of 2 files are answered; 2 are not.")
        way.to = lambda _: None  # it is on its way for as long as this test looks
        page.get_by_role("button", name="Try all 2 again").click()
        expect(page.locator(".strip .said")).to_have_text([re.compile("Sending|Reading")] * 2)
        expect(page.locator(".tally")).to_have_text("")


def test_answers_are_there_again_after_a_way_back_and_a_reload(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        page.set_input_files("#files", [NO_TUMOUR, CHEST])
        expect(page.get_by_text("All 2 files are answered.")).to_be_visible(timeout=SLOW)
        page.keyboard.press("j")
        expect(page.locator("#answer .is")).to_have_text("Pneumonia")
        page.get_by_role("navigation").get_by_role("link", name="History").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("History")
        for again in (page.go_back, page.reload):
            again()
            expect(page.locator("#answer .is")).to_have_text("Pneumonia")
            expect(page.locator(".strip .said")).to_have_text([re.compile("No tumour"), re.compile("Pneumonia")])
            expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        one.check("read-again-from-record")
        page.get_by_role("link", name="Start afresh").click()
        expect(page.get_by_role("heading", name="Drop images here")).to_be_visible()


def test_whoever_leaves_while_a_file_is_on_its_way_is_asked(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        detour(one.page, "**/predict").to = lambda _: None  # it never comes back
        page = one.go("/app/read")
        page.get_by_role("button", name="Glioma").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#answer progress")).to_be_visible()
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        with page.expect_event("dialog"):
            page.get_by_role("navigation").get_by_role("link", name="History").click(no_wait_after=True)
        assert asked == ["beforeunload"]
        expect(page.locator("#answer progress")).to_be_visible()


def test_whoever_leaves_files_that_were_not_sent_is_asked(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        page.context.set_offline(True)
        page.get_by_role("heading", name="Drop images here").click()  # a browser asks only whoever did something here
        page.set_input_files("#files", [GLIOMA, CHEST])
        expect(page.locator(".strip .said")).to_have_text(["Not sent", "Not sent"])
        page.context.set_offline(False)
        with page.expect_event("dialog"):
            page.get_by_role("link", name="Start afresh").click(no_wait_after=True)
        assert asked == ["beforeunload"]
        page.get_by_role("button", name="Try all 2 again").click()
        expect(page.get_by_text("All 2 files are answered.")).to_be_visible(timeout=SLOW)
        page.get_by_role("link", name="Start afresh").click()
        expect(page.get_by_role("heading", name="Drop images here")).to_be_visible()
        assert asked == ["beforeunload"]


def test_who_signed_out_in_another_tab_goes_on_after_signing_in_there(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer .is")).to_have_text("Glioma", timeout=SLOW)
        page.context.clear_cookies()
        page.get_by_role("button", name="Yes, glioma").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("You are signed out")
        page.set_input_files("#files", CHEST)
        expect(page.locator("#answer")).to_contain_text("You are signed out")
        one.faults.clear()  # the browser tells every 401
        one.check("read-signed-out")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Sign in").click()
        expect(opened.value.get_by_role("heading", level=1)).to_have_text("Sign in")
        sign_in(page, server, "reviewer")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#answer .is")).to_have_text("Pneumonia", timeout=SLOW)
        page.locator(".strip button").first.click()
        page.get_by_role("button", name="Yes, glioma").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        expect(page.get_by_role("button", name="Yes, glioma")).to_be_focused()


def test_nobody_acts_as_somebody_else_who_signed_in_in_another_tab(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        sign_in(page, server, "engineer")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer")).to_contain_text("Somebody else signed in in another tab")
        expect(page.locator("#answer")).to_contain_text("Load this page again")
        expect(page.locator("#answer")).not_to_contain_text("X-CSRF-Token")
        page.goto(one.address + "/app/settings")
        expect(page.get_by_role("link", name="Your account")).to_contain_text("engineer")


def test_a_list_that_is_asked_for_signed_out_or_unheard_is_not_emptied(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        before = page.locator("#found").inner_text()
        page.context.set_offline(True)
        page.get_by_label("State").select_option("refused")
        expect(page.locator("#said")).to_contain_text("The server did not answer")
        assert page.locator("#found").inner_text() == before
        page.context.set_offline(False)
        page.context.clear_cookies()
        page.get_by_label("State").select_option("")
        page.wait_for_url("**/login?next=**")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_list_that_could_not_be_made_is_not_emptied_and_its_filters_still_work(
    browser: Browser, server: Running, status: int
) -> None:
    with visit(browser, server, role="reviewer") as one:
        way = detour(one.page, "**/app/history?*")
        page = one.go("/app/history")
        before, address = page.locator("#found").inner_text(), page.url
        way.to = lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>Not now</h1>")
        page.get_by_label("State").select_option("refused")
        expect(page.locator("#said")).to_contain_text("What you see is the list before.")
        assert (page.locator("#found").inner_text(), page.url) == (before, address)
        way.to = Route.fallback
        page.get_by_label("State").select_option("disagreed")
        page.wait_for_url("**state=disagreed**")
        expect(page.locator("#found")).not_to_be_empty()


def test_an_answer_that_got_lost_on_its_way_is_not_recorded_twice(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        asked = detour(one.page, "**/predict")
        page = one.go("/app/read")
        before = server.ask("GET", "/predictions", role="reviewer").json()["total"]

        def lose(route: Route) -> None:
            route.fetch()  # the server answers, and nobody hears it
            route.abort()

        asked.to = lose
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer")).to_contain_text("Sent again, the file is answered once", timeout=SLOW)
        asked.to = Route.fallback
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#answer .is")).to_have_text("Glioma", timeout=SLOW)
        assert server.ask("GET", "/predictions", role="reviewer").json()["total"] == before + 1


def test_refusals_are_counted_apart(browser: Browser, server: Running, tmp_path: Path) -> None:
    black = tmp_path / "black.png"
    Image.new("L", (200, 200)).save(black)
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/read")
        page.set_input_files("#files", [GLIOMA, black])
        expect(page.get_by_text("1 of 2 files are answered; 1 was refused.")).to_be_visible(timeout=SLOW)


@pytest.mark.parametrize(
    ("status", "body"), [(502, "<html>Bad Gateway"), (507, ""), (408, ""), (200, "<html>Welcome to our network")]
)
def test_what_a_proxy_says_is_no_fault_of_the_file(browser: Browser, server: Running, status: int, body: str) -> None:
    with visit(browser, server, role="reviewer") as one:
        asked = detour(one.page, "**/predict")
        asked.to = lambda route: route.fulfill(status=status, body=body, content_type="text/html")
        page = one.go("/app/read")
        page.set_input_files("#files", [GLIOMA, CHEST])
        expect(page.locator(".strip .said")).to_have_text(["Not sent", "Not sent"])
        expect(page.locator("#answer")).to_contain_text("the file is still here")
        for wrong in ("cannot be read", "Export it again", "undefined"):
            expect(page.locator("#answer")).not_to_contain_text(wrong)
        asked.to = Route.fallback
        page.get_by_role("button", name="Try all 2 again").click()
        expect(page.locator(".strip .said")).to_have_text([re.compile("Glioma"), re.compile("Pneumonia")], timeout=SLOW)


def test_a_viewer_that_got_lost_on_its_way_is_fetched_with_the_next_picture(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        library = detour(one.page, "**/openseadragon*")
        library.to = Route.abort
        page = one.go("/app/read")
        page.set_input_files("#files", [GLIOMA, CHEST])
        expect(page.locator(".blank")).to_contain_text("The viewer could not be loaded")
        library.to = Route.fallback
        page.keyboard.press("j")
        expect(page.locator(".pane .name")).to_have_text(CHEST.name)
        expect(page.locator(".pane")).to_have_count(1)


@pytest.mark.parametrize("size", [(350, 225), (700, 450)])  # 1400 x 900 at 400% and at 200%
def test_magnified_nothing_lies_below_another_and_the_beginning_of_a_name_is_seen(
    browser: Browser, server: Running, tmp_path: Path, size: tuple[int, int]
) -> None:
    named = tmp_path / f"{chr(0x5D0) * 40}.png"  # written from the right to the left
    shutil.copy(GLIOMA, named)
    with visit(browser, server, role="reviewer", size=size) as one:
        page = one.go("/app/read")
        page.set_input_files("#files", [named, CHEST])
        expect(page.get_by_text("All 2 files are answered.")).to_be_visible()
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        expect(page.locator(".strip .file").first).to_have_css("direction", "rtl")
        places = [".tools", ".panes", ".sliders", ".tally", ".strip", "#answer .eyebrow", "#answer .is"]
        boxes = [page.locator(place).bounding_box() for place in places]
        ends = [(box["y"], box["y"] + box["height"]) for box in boxes if box is not None and box["height"] > 9]
        assert len(ends) == len(places)
        assert all(end <= begin + 1 for (_, end), (begin, _) in pairwise(ends)), ends
        one.check(f"read-magnified-{size[0]}")


def test_a_picture_that_the_browser_cannot_draw_comes_from_the_server(browser: Browser, server: Running) -> None:
    """Too large for it, or an older browser: reading the head of a file goes well, and drawing it does not."""
    with visit(browser, server, role="reviewer") as one:
        one.page.add_init_script("delete window.OffscreenCanvas")
        page = one.go("/app/read")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        assert one.faults == []
