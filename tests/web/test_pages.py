"""The other pages in every state: filters in the address, comparing, files, models, signed out, forbidden."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from hilum.interfaces.web import history
from hilum.records.entry import Columns, Entry
from hilum.records.query import Query
from tests.conftest import ROOT
from tests.interfaces.http.running import WORD, Running, running
from tests.web.looking import PHONE, Visit, detour, visit

# each change of the words, and whether those who do not see them had been told of the place before
WATCH = """() => { window.heard = []; const place = document.getElementById("said");
let there = place.checkVisibility();
new MutationObserver(() => { heard.push(`${place.textContent} in what was ${there ? "there" : "not there"}`);
there = place.checkVisibility(); }).observe(place, { childList: true, attributes: true }); }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), AUTH="on", THREADS="1", SERVE_THREADS="1") as server:
        for name in ("brain-tumor-mri/glioma-1", "brain-tumor-mri/pituitary-1", "pneumonia-cxr/normal-1"):
            data = (ROOT / "samples" / f"{name}.png").read_bytes()
            answer = server.ask("POST", "/predict", data, {"Content-Type": "image/png"}, key="reviewer")
            assert answer.status == 200
        yield server


def test_filters_stand_in_the_address(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        expect(page.locator("table.work tbody tr")).to_have_count(3)
        page.get_by_label("Question").select_option("pneumonia-cxr")
        expect(page.locator("table.work tbody tr")).to_have_count(1)
        assert "task=pneumonia-cxr" in page.url
        page.reload()
        expect(page.locator("table.work tbody tr")).to_have_count(1)
        page.get_by_label("State").select_option("disagreed")
        expect(page.get_by_role("heading", name="No answer fits")).to_be_visible()
        one.check("history-none-fits")
        page.go_back()
        expect(page.locator("table.work tbody tr")).to_have_count(1)


def test_after_a_way_back_through_the_filters_all_of_the_page_still_works(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        page.get_by_label("Question").select_option("pneumonia-cxr")
        page.wait_for_url("**task=pneumonia-cxr**")
        expect(page.locator("table.work tbody tr")).to_have_count(1)
        page.go_back()
        expect(page.locator("table.work tbody tr")).to_have_count(3)
        expect(page.get_by_label("Question")).to_have_value("")
        expect(page.locator("#fclass option[value=glioma]")).to_be_enabled()
        page.go_forward()
        expect(page.locator("table.work tbody tr")).to_have_count(1)
        expect(page.get_by_label("Question")).to_have_value("pneumonia-cxr")
        expect(page.locator("#fclass option[value=glioma]")).to_be_disabled()
        page.keyboard.press("/")
        expect(page.get_by_label("Search", exact=True)).to_be_focused()
        page.get_by_role("button", name="Show all keys").click()
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#keys")).to_be_hidden()
        page.get_by_role("button", name="Use the dark theme").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert one.faults == []
        page.context.set_offline(True)
        expect(page.locator("footer [data-state]")).to_have_text("No connection")


def test_filters_chosen_one_after_another_do_not_wait_for_the_list_of_the_first(
    browser: Browser, server: Running
) -> None:
    with visit(browser, server, role="reviewer") as one:
        asked = detour(one.page, "**/app/history?*")
        page = one.go("/app/history")
        asked.to = lambda _: None  # the list of the first choice never comes
        with page.expect_request("**/app/history?*state=answered*"):
            page.get_by_label("State").select_option("answered")
        asked.to = Route.fallback
        page.get_by_label("Question").select_option("pneumonia-cxr")
        page.get_by_label("Order").select_option("uncertain")
        page.wait_for_url("**state=answered**order=uncertain**")
        expect(page.locator("#found")).to_contain_text("1 answer, without refusals")
        expect(page.locator("#said")).to_be_hidden()


@pytest.mark.parametrize(("dark", "size"), [(False, (1400, 900)), (True, PHONE)])
def test_two_answers_side_by_side(browser: Browser, server: Running, dark: bool, size: tuple[int, int]) -> None:
    with visit(browser, server, dark=dark, size=size, role="reviewer") as one:
        page = one.go("/app/history")
        one.check(f"history-{'dark-phone' if dark else 'light'}")
        for box in page.locator("[data-pick]").all()[:2]:
            box.check()
        page.get_by_role("link", name="Compare these two").click()
        expect(page.locator(".pane .figures-of")).to_have_count(2)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.pane .figures-of')].every(e => e.textContent.includes('224'))"
        )
        page.keyboard.press("+")
        page.wait_for_function(
            "() => new Set([...document.querySelectorAll('.pane .figures-of')].map(e => e.textContent)).size === 1"
        )
        one.check(f"compare-{'dark-phone' if dark else 'light'}")


def test_a_table_that_goes_on_beyond_an_edge_fades_towards_it(browser: Browser, server: Running) -> None:
    style = "getComputedStyle(document.querySelector('.scroll'))"
    fades = f"['left', 'right'].map(edge => {style}.getPropertyValue(`--fade-${{edge}}`))"
    with visit(browser, server, size=PHONE, role="reviewer") as one:
        page = one.go("/app/history")
        page.wait_for_function(f"() => {fades}.join() === '0px,48px'")
        page.locator(".scroll").evaluate("frame => frame.scrollTo(frame.scrollWidth, 0)")
        page.wait_for_function(f"() => {fades}.join() === '48px,0px'")
        page.locator(".scroll").evaluate("frame => frame.scrollTo(0, 0)")
        page.locator(".scroll > *").first.evaluate(
            "e => { e.style.cssText = 'display: block; overflow: hidden; width: calc(100% + 4px)'; }"
        )
        page.wait_for_function(f"() => {fades}.join() === '0px,4px'")  # hardly anything: no letter is paler for it
        page.set_viewport_size({"width": 1400, "height": 900})
        page.locator(".scroll > *").first.evaluate("e => e.removeAttribute('style')")
        page.wait_for_function(f"() => {fades}.join() === '0px,0px'")


@pytest.mark.parametrize(
    ("query", "label"),
    [("model=pneumonia-cxr@0.9.0", "Model"), ("class=cyst", "Answer"), ("task=knee", "Question")],
)
def test_what_is_filtered_by_stands_in_the_filters(browser: Browser, server: Running, query: str, label: str) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go(f"/app/history?{query}")
        expect(page.get_by_label(label, exact=True)).to_have_value(query.partition("=")[2])
        page.get_by_label("State").select_option("answered")  # the next filter goes beside it, not in its place
        page.wait_for_url("**state=answered**")
        assert query.replace("@", "%40") in page.url
        expect(page.get_by_role("heading", name="No answer fits")).to_be_visible()


def test_a_model_that_was_removed_is_named_offered_and_leads_nowhere(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running(tmp_path_factory.mktemp("removed"), THREADS="1", SERVE_THREADS="1") as server:
        film = (ROOT / "samples" / "pneumonia-cxr" / "normal-1.png").read_bytes()
        now = server.ask("POST", "/predict", film, {"Content-Type": "image/png"}).json()
        (before,) = server.parts.records.find(Query())
        gone = {**now, "id": str(uuid.uuid4()), "model": {**now["model"], "version": "0.9.0", "digest": "0" * 64}}
        columns = replace(before.entry.columns, model="pneumonia-cxr@0.9.0", digest="0" * 64)
        old = replace(before.entry, id=gone["id"], body=json.dumps(gone).encode(), columns=columns)
        server.parts.records.append([old]).result()
        with visit(browser, server) as one:
            page = one.go(f"/app/history/{old.id}")
            expect(page.get_by_text("pneumonia-cxr 0.9.0, not installed any more")).to_be_visible()
            one.go("/app/history").get_by_label("Model", exact=True).select_option("pneumonia-cxr@0.9.0")
            expect(page.locator("table.work tbody tr")).to_have_count(1)
            one.go(f"/app/history/{now['id']}").locator(".side").get_by_role("link", name="pneumonia-cxr 1.1.0").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("pneumonia-cxr 1.1.0")
            assert one.faults == []


def test_the_list_on_paper_names_its_filters_and_has_nothing_to_press(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history?state=answered")
        page.get_by_label("Question").select_option("brain-tumor-mri")
        page.wait_for_url("**task=brain-tumor-mri**")
        page.emulate_media(media="print")
        words = page.locator("#found .on-paper")
        expect(words).to_have_text(
            "2 answers. Question: Brain tumour type on an MRI slice; State: Answered; Order: Newest first."
        )
        expect(words).to_be_visible()
        expect(page.get_by_role("cell", name="Glioma").first).to_be_visible()
        assert [each for each in page.locator("button, nav, input, select, summary").all() if each.is_visible()] == []


def test_on_a_narrow_phone_no_word_is_broken_and_nothing_stands_out_of_its_column(
    browser: Browser, server: Running
) -> None:
    """ "Sensitivit y" stood over two lines on Models, and the question's field beyond the edge on Monitoring."""
    with visit(browser, server, size=(320, 640), role="admin") as one:
        page = one.go("/app/models")
        lines = """all => all.filter(one => !one.textContent.includes(" ")).map(one => {
            const words = document.createRange(); words.selectNodeContents(one);
            return [one.textContent, words.getClientRects().length]; })"""
        found = dict(page.locator(".cards dt").evaluate_all(lines))
        assert found["Sensitivity"] == found["Specificity"] == found["AUROC"] == 1
        one.check("models-narrow")
        page = one.go("/app/monitoring")
        ends = [page.locator(where).evaluate("e => e.getBoundingClientRect().right") for where in ("#task", "h1")]
        assert ends[0] <= ends[1] + 1
        one.check("monitoring-narrow")


def test_on_paper_a_file_is_named_in_readable_pieces(browser: Browser, server: Running) -> None:
    """Names were broken after every few letters, beside a bar that says what the figure says."""
    with visit(browser, server, role="admin", size=(718, 1000)) as one:  # the width of a sheet of A4
        page = one.go("/app/history")
        page.emulate_media(media="print")
        widths = page.locator("table.work td.path").evaluate_all("all => all.map(e => e.clientWidth / 16)")
        assert len(widths) == 3
        assert min(widths) >= 10
        assert page.locator(".scroll").evaluate("e => e.scrollWidth <= e.clientWidth"), "cut by the sheet"
        page = one.go("/app/monitoring")
        expect(page.get_by_label("Keep up to date")).not_to_be_visible()


def test_an_order_that_holds_no_refusals_says_so(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history?order=priority")
        expect(page.locator("#found")).to_contain_text("3 answers, without refusals")
        page.get_by_label("State").select_option("refused")
        expect(page.locator("#found")).to_contain_text("Refusals have no probability to be ordered by")
        one.check()


def test_the_list_as_a_file(server: Running) -> None:
    answer = server.ask("GET", "/app/export?form=csv&task=brain-tumor-mri", role="reader")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert sorted(row["class"] for row in rows) == ["glioma", "pituitary"]
    found = server.ask("GET", "/app/export?form=json", role="reader").json()["predictions"]
    assert len(found) == 3


@pytest.mark.parametrize("day", ["9999-12-31", "9999-12-30", "0001-01-01"])
def test_the_first_and_the_last_day_there_are_bound_the_list(server: Running, day: str) -> None:
    last = day.startswith("9999")
    shown = server.ask("GET", f"/app/history?until={day}", role="reader")
    assert (shown.status, b"No answer fits" in shown.body) == (200, not last)
    found = server.ask("GET", f"/app/export?form=json&until={day}", role="reader")
    assert len(found.json()["predictions"]) == (3 if last else 0)


@pytest.mark.parametrize("query", ["since=abc", "until=9999-99-99", "order=wild", "text=" + "x" * 300, "since=1e400"])
def test_filters_that_do_not_fit_are_told(server: Running, query: str) -> None:
    shown = server.ask("GET", f"/app/history?{query}", role="reader")
    assert (shown.status, b"The filters do not fit." in shown.body) == (200, True)
    refused = server.ask("GET", f"/app/export?{query}", role="reader")
    assert (refused.status, refused.is_problem()) == (422, True)
    assert query.partition("=")[0] in refused.json()["detail"]
    page = server.ask("GET", f"/app/export?{query}", headers={"Accept": "text/html"}, role="reader")
    assert (page.status, b"That could not be done" in page.body) == (422, True)


@pytest.mark.parametrize(
    "path",
    [
        "/app/models",
        "/app/models/pneumonia-cxr@1.1.0",
        "/app/versions",
        "/app/settings",
        "/app/account",
        "/app/nothing",
    ],
)
@pytest.mark.parametrize(("dark", "size"), [(False, (1400, 900)), (True, PHONE)])
def test_pages_stand(browser: Browser, server: Running, path: str, dark: bool, size: tuple[int, int]) -> None:
    with visit(browser, server, dark=dark, size=size, role="admin") as one:
        page = one.go(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("footer")).to_contain_text("Research use only. Not a medical device.")
        expect(page.locator("footer [data-state]")).to_have_text("Online")
        one.faults = [fault for fault in one.faults if "404" not in fault] if "nothing" in path else one.faults
        one.check(f"{path.strip('/').replace('/', '-').replace('@', '-')}-{'dark-phone' if dark else 'light'}")


def test_figures_of_a_model_are_those_of_its_package(browser: Browser, server: Running) -> None:
    figures = server.ask("GET", "/models/pneumonia-cxr", role="reader").json()["metrics"]["metrics"]
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/models/pneumonia-cxr@1.1.0")
        row = page.get_by_role("row", name="Balanced accuracy")
        expect(row).to_contain_text(f"{100 * figures['balanced_accuracy']['value']:.1f}%")
        assert page.locator("svg.chart circle.dot").count() >= 3


def test_a_reader_is_told_what_is_not_for_readers(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/monitoring")
        expect(page.get_by_role("heading", level=1)).to_have_text("This page is not for your role")
        assert page.get_by_role("navigation").get_by_role("link", name="Monitoring").count() == 0
        one.faults.clear()  # the browser tells the 403
        one.check("forbidden")


def test_signing_in_and_out(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/history?task=pneumonia-cxr")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        one.check("sign-in")
        page.get_by_label("Name").fill("reviewer")
        page.get_by_label("Password").fill("wrong horse battery")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("did not fit")
        one.check("sign-in-failed")
        expect(page.get_by_label("Name")).to_have_value("reviewer")
        expect(page.get_by_label("Password")).to_be_focused()
        expect(page.get_by_label("Password")).to_have_value("")
        page.get_by_label("Password").fill(WORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/app/history?task=pneumonia-cxr")
        page.get_by_role("link", name="Your account").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def sign_in(one: Visit, name: str) -> None:
    """By the form: a session of its own, which may end without anybody else's ending."""
    page = one.go("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Read")


def test_keys_that_were_changed_outlast_signing_out_and_are_nobody_elses(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        sign_in(one, "reviewer")
        page = one.go("/app/history")
        page.locator("[data-pick]").first.check()
        page.keyboard.press("?")
        page.get_by_role("button", name="Next answer: key J. Change").click()
        page.keyboard.press("n")
        expect(page.locator("[data-keys-said]")).to_contain_text("Next answer is now on N")
        for name, key, chosen in (("reader", "J", 0), ("reviewer", "N", 1)):
            one.go("/app/account").get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
            sign_in(one, name)
            one.go("/app/history").keyboard.press("?")
            expect(page.get_by_role("button", name=f"Next answer: key {key}. Change")).to_be_visible()
            expect(page.locator("[data-pick]:checked")).to_have_count(chosen)


def test_a_letter_typed_with_altgr_is_that_letter(browser: Browser, server: Running) -> None:
    """Windows tells AltGr as Ctrl and Alt; with those alone a key belongs to the browser."""
    press = """altGraph => document.body.dispatchEvent(new KeyboardEvent('keydown',
        { key: '?', ctrlKey: true, altKey: true, modifierAltGraph: altGraph, bubbles: true, cancelable: true }))"""
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        page.evaluate(press, False)
        expect(page.locator("dialog[open]")).to_have_count(0)
        page.evaluate(press, True)
        expect(page.locator("dialog[open]")).to_have_count(1)


def test_a_key_is_shown_once_and_can_be_revoked(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="engineer") as one:
        page = one.go("/app/settings")
        page.get_by_text("Make a key").click()
        page.get_by_label("What is it for").fill("night job")
        page.get_by_role("button", name="Make", exact=True).click()
        expect(page.locator("[data-reveal='token']")).to_contain_text("hilum_")
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        page.get_by_role("button", name="Revoke night job").click()
        expect(page.get_by_role("row", name="night job")).to_contain_text("Revoked")
        assert one.faults == []


@pytest.mark.parametrize("path", ["/app/jobs?page=x", "/app/monitoring?span=decade", "/app/compare?a=x"])
def test_an_address_that_asks_for_nothing_there_is_is_no_fault_of_the_server(server: Running, path: str) -> None:
    page = server.ask("GET", path, headers={"Accept": "text/html"}, role="admin")
    assert page.status == 422
    assert b"That could not be done" in page.body


def test_a_day_in_the_list_has_its_year(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        years = {datetime.now(UTC).year, datetime.now(UTC).year - 1}  # the list may be of the evening before
        for cell in page.locator("table.work tbody td:last-child").all():
            expect(cell).to_contain_text(re.compile("|".join(map(str, years))))
        expect(page.get_by_label("From (UTC)")).to_be_visible()


def test_a_file_that_holds_less_than_the_list_says_so(
    browser: Browser, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        expect(page.get_by_role("link", name="Export CSV", exact=True)).to_be_visible()
        monkeypatch.setattr(history, "MOST", 2)
        page.reload()
        expect(page.get_by_role("link", name="Export CSV (the first 2)")).to_be_visible()
        expect(page.get_by_role("link", name="Export JSON (the first 2)")).to_be_visible()


def test_a_short_word_is_put_into_a_place_that_screen_readers_know(browser: Browser, server: Running) -> None:
    """What is shown together with its words is new to them, and new things are not read aloud."""
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/history")
        page.evaluate(WATCH)
        page.evaluate("import(document.querySelector('script[src*=\"app.js\"]').src).then(({ say }) => say('Here'))")
        expect(page.get_by_text("Here", exact=True)).to_be_visible()
        assert page.evaluate("heard") == ["Here in what was there"]


def test_why_an_image_was_refused_is_told_in_the_words_of_the_other_pages(browser: Browser, tmp_path: Path) -> None:
    gate = {"admitted": False, "reasons": ["out_of_distribution"], "messages": ["it is unlike them"], "novelty": 0.999}
    said = {"task": "pneumonia-cxr", "model": None, "prediction": None, "operating_point": "balanced", "gate": gate}
    entry = Entry("prediction", columns=Columns("pneumonia-cxr", refused=True), personal={"file": "odd one.png"})
    entry = replace(entry, body=json.dumps({"id": entry.id, **said}).encode())
    with running(tmp_path, AUTH="on", THREADS="1", SERVE_THREADS="1") as alone:  # the others count what is on record
        alone.parts.records.append([entry]).result()
        with visit(browser, alone, role="reviewer") as one:
            page = one.go("/app/history?text=odd+one")
            row = page.locator("table.work tbody tr")
            expect(row).to_contain_text("Unlike the training images")
            expect(row).not_to_contain_text("distribution")


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_with_letters_of_twice_the_size_nothing_at_the_edges_is_cut(
    browser: Browser, server: Running, size: tuple[int, int]
) -> None:
    """On a phone the foot ended in "Not a medi"; on a desktop the places of the navigation stood beyond the window."""
    with visit(browser, server, size=size, role="admin") as one:
        page = one.go("/app/models")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.locator(".research").evaluate("one => one.getBoundingClientRect().right <= innerWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        one.check(f"models-large-{size[0]}")
