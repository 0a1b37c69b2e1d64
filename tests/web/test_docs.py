"""The page of the HTTP API in a real browser: every operation of the schema, found by its words and its address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, visit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


def test_every_operation_stands_there_with_what_it_takes(browser: Browser, server: Running) -> None:
    paths = server.ask("GET", "/openapi.json").json()["paths"]
    with visit(browser, server) as one:
        page = one.go("/docs")
        assert page.locator(".operations details").count() == sum(len(methods) for methods in paths.values())
        page.locator("#post-feedback summary").focus()
        page.keyboard.press("Enter")
        region = page.get_by_role("region", name="What POST /feedback takes")
        for name in ("id", "label", "agree", "note"):
            expect(region.get_by_role("rowheader", name=name).first).to_be_visible()
        expect(page.locator("#post-feedback")).to_contain_text("Needs the right to say whether an answer is right")
        page.locator("#post-predict summary").click()
        expect(page.locator("#post-predict")).to_contain_text("image_url")
        expect(page).to_have_url(f"{one.address}/docs#post-predict")
        one.check("docs")


def test_words_find_operations_by_keyboard(browser: Browser, server: Running) -> None:
    with visit(browser, server, dark=True, size=PHONE) as one:
        page = one.go("/docs")
        page.locator("body").press("/")
        page.keyboard.type("retrained nonsense")
        expect(page.locator("[data-found]")).to_have_text("No operation has these words.")
        page.get_by_label("Find an operation").fill("delete /keys")
        expect(page.locator(".operations details:visible")).to_have_count(1)
        expect(page.locator("#delete-keys-identity")).to_be_visible()
        one.check("docs-found-phone")


def test_an_address_opens_its_operation_and_strangers_sign_in_first(
    browser: Browser, server: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with visit(browser, server) as one:
        page = one.go("/docs#get-predictions")
        expect(page.get_by_role("region", name="What GET /predictions takes")).to_be_visible()
    with running(tmp_path_factory.mktemp("auth"), AUTH="on") as closed:
        with visit(browser, closed) as one:
            one.page.goto(one.address + "/docs")
            assert "/login?next=/docs" in one.page.url
        with visit(browser, closed, role="reader") as one:
            expect(one.go("/docs").get_by_text("Everybody makes their own")).to_be_visible()


def test_an_address_with_half_an_escape_opens_the_page(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        expect(one.go("/docs#%").get_by_role("searchbox")).to_be_visible()
        assert one.faults == []
