"""Classes of one's own with words longer than a phone is wide: nothing is cut off, nothing leaves the window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import ROOT
from tests.interfaces.http.running import Running, running
from tests.interfaces.versions import package_of_own_task
from tests.web.looking import WIDE, visit

LONG = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 2
CHEST = ROOT / "samples/pneumonia-cxr/pneumonia-1.png"
BEYOND = """() => [...document.querySelectorAll("main *")]
.filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, .only-read"))
.map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    package_of_own_task(home, illness=LONG)
    with running(home, THREADS="1", SERVE_THREADS="1") as server:
        assert server.ask("POST", "/models/my-films@1.0.0/promote", {"why": "a test"}).status == 201
        yield server


@pytest.mark.parametrize("size", [(360, 740), WIDE])
def test_a_long_word_is_broken_before_it_leaves_the_window(
    browser: Browser, server: Running, size: tuple[int, int]
) -> None:
    with visit(browser, server, size=size) as one:
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Question", exact=True).select_option("my-films")
        page.set_input_files("#files", CHEST)
        expect(page.locator("#answer .is")).to_have_text(LONG)
        assert page.evaluate(BEYOND) == []
        one.check(f"long-words-read-{size[0]}")
        one.go("/app/models")
        assert page.evaluate(BEYOND) == []
        one.check(f"long-words-models-{size[0]}")
