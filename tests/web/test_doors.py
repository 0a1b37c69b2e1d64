"""The ways in, driven to their ends in a real browser: first start, invitation, changed password, signing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.running import WORD, Running, running
from tests.interfaces.http.serving import Serving, serving
from tests.web.looking import PHONE, visit

SENTENCE = "a long and quiet sentence"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), AUTH="on") as server:
        yield server


def printed(server: Serving) -> str:
    """The link that the start printed."""
    found = re.search(r"http://\S+/first-start#\S+", server.words())
    assert found, server.words()
    return found[0]


def sign_out(page: Page) -> None:
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_from_the_printed_link_to_the_settings_and_out_again(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(tmp_path_factory.mktemp("first"), AUTH="on") as server:
        with visit(browser, server, dark=True) as one:
            page = one.go("/app/settings")
            expect(page.get_by_text("Nobody can sign in yet")).to_be_visible()
            one.check("sign-in-nobody")
            page.goto(printed(server))
            expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Hilum")
            assert "#" not in page.url
            expect(page.get_by_label("One-time code")).to_be_hidden()
            one.check("first-start")
            page.get_by_label("Name to sign in with").fill("dr who?")
            page.get_by_label("Password").fill(SENTENCE)
            page.get_by_role("button", name="Begin").click()
            expect(page.get_by_role("alert")).to_be_visible()
            one.check("first-start-failed")
            page.get_by_label("Name to sign in with").fill("dr.who")
            page.get_by_label("Password").fill(SENTENCE)
            page.get_by_role("button", name="Begin").focus()
            page.keyboard.press("Enter")
            page.wait_for_url("**/app/read")
            page.get_by_role("navigation").get_by_role("link", name="Settings").click()
            expect(page.get_by_role("row", name=re.compile("^dr.who"))).to_contain_text("Active")
            expect(page.get_by_label("Role of dr.who")).to_have_value("admin")
            sign_out(page)
            one.check("signed-out")
            page.go_back()
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
            page.get_by_label("Name").fill("dr.who")
            page.get_by_label("Password").fill(SENTENCE)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("link", name="Your account")).to_be_visible()
            assert one.faults == []
        with visit(browser, server) as one:
            one.page.goto(printed(server))  # it worked once
            expect(one.page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize("size", [(1400, 900), PHONE])
def test_an_invitation_to_its_end_and_only_once(browser: Browser, server: Running, size: tuple[int, int]) -> None:
    name = f"reader.{size[0]}"
    with visit(browser, server, role="admin", size=size) as one:
        page = one.go("/app/settings")
        page.get_by_label("Invite somebody: name").fill(name)
        page.get_by_label("Role", exact=True).select_option("reader")
        page.get_by_role("button", name="Invite").click()
        link = page.locator("form[data-send='/users'] [data-reveal]")
        expect(link).to_contain_text("/set-password#")
        one.check(f"settings-invited-{size[0]}")
        address = link.text_content() or ""
        page.reload()
        expect(page.get_by_role("row", name=re.compile(f"^{name}"))).to_contain_text("Invited")
    with visit(browser, server, size=size) as one:
        page = one.page
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Choose a password")
        expect(page.get_by_label("One-time code")).to_be_hidden()
        one.check(f"set-password-{size[0]}")
        page.get_by_label("Password").fill(SENTENCE)
        page.get_by_role("button", name="Set and sign in").click()
        page.wait_for_url("**/app/read")
        page.goto(one.address + "/app/settings")
        expect(page.get_by_role("heading", name="Your keys for programs")).to_be_visible()
        expect(page.get_by_role("heading", name="Users")).to_have_count(0)
        sign_out(page)
        page.goto(address)
        page.get_by_label("Password").fill("another long sentence")
        page.get_by_role("button", name="Set and sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("ask for another link")
        one.check(f"set-password-again-{size[0]}")


def test_a_changed_password_ends_the_other_sessions(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reviewer") as one:
        page = one.go("/app/account")
        page.get_by_label("Present password").fill("wrong horse battery")
        page.get_by_label("New password").fill(SENTENCE)
        page.get_by_role("button", name="Change").click()
        expect(page.get_by_role("alert")).to_contain_text("present password is not right")
        page.get_by_label("Present password").fill(WORD)
        page.get_by_label("New password").fill(SENTENCE)
        page.get_by_role("button", name="Change").click()
        expect(page.get_by_role("status").filter(has_text="The password was changed")).to_be_visible()
        one.check("account-changed")
    assert server.ask("GET", "/models", role="reviewer").status == 401  # the session of before


def test_a_form_of_a_tab_that_was_signed_out_elsewhere_leads_to_the_way_in(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="engineer") as one:
        page, idle, other = one.go("/app/account"), one.page.context.new_page(), one.page.context.new_page()
        for tab in (idle, other):
            tab.goto(one.address + "/app/account")
        sign_out(other)
        idle.get_by_label("Present password").fill(WORD)
        idle.get_by_label("New password").fill(SENTENCE)
        idle.get_by_role("button", name="Change").click()
        expect(idle.get_by_role("alert")).to_contain_text("Nothing was changed")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        server.parts.access.sign_in("engineer", WORD, "127.0.0.1")  # type: ignore[union-attr]  # still the password


def test_a_form_of_an_earlier_sign_in_says_so(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="reader") as one:
        page = one.go("/app/account")
        session = server.parts.access.sign_in("admin", WORD, "127.0.0.1")  # type: ignore[union-attr]
        page.context.add_cookies([{"name": "hilum", "value": session.token, "url": one.address}])
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("This page is of an earlier sign-in")
        expect(page.get_by_role("main")).not_to_contain_text("X-CSRF-Token")


def test_who_is_in_already_is_sent_on_from_the_first_start(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/first-start#a-code-that-nobody-printed")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        expect(page.get_by_text("No account?")).to_be_visible()


def test_a_second_reader_who_agrees_is_on_record_too(browser: Browser, tmp_path: Path) -> None:
    sent = form([("slice.png", sample("brain-tumor-mri").read_bytes())])
    with running(tmp_path, AUTH="on") as server:
        identity = server.ask("POST", "/predict", sent, TYPE, role="reviewer").json()["id"]
        for role, before, after in (("reviewer", "", 1), ("admin", "On record, by somebody else: Glioma.", 2)):
            with visit(browser, server, role=role) as one:
                page = one.go(f"/app/history/{identity}")
                expect(page.locator("[data-feedback] [data-said]")).to_have_text(before)
                page.get_by_role("button", name="Yes, glioma").click()
                expect(page.locator("#heard li")).to_have_count(after)
                page.get_by_role("button", name="Yes, glioma").click()  # once is enough
                expect(page.locator("[data-feedback] [data-said]")).to_contain_text("On record already")
                expect(page.locator("#heard li")).to_have_count(after)


@pytest.mark.parametrize(
    "said",
    [
        "failed=usage&why=Call+Mallory",
        "failed=usage&why=Call+Mallory&proof=%C3%A9",
        "failed=too_many_attempts&seconds=5+calls+to+Mallory",
    ],
)
def test_what_somebody_wrote_into_a_link_is_not_said_by_the_page(server: Running, said: str) -> None:
    for path in ("/login", "/first-start", "/set-password"):
        page = server.ask("GET", f"{path}?{said}", headers={"Accept": "text/html"})
        assert b"Mallory" not in page.body, path
