"""A report as those see it who have a narrow window, or colours of their machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.report import report
from tests.evaluate.made import BRAIN, made_rows, made_setting

CUT = """() => [...document.querySelectorAll("caption")].map(one => {
const words = document.createRange(); words.selectNodeContents(one);
return [one.textContent, words.getBoundingClientRect().right]; }).filter(([_, right]) => right > innerWidth)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    page: Path = tmp_path_factory.mktemp("report") / "index.html"
    rows = made_rows(BRAIN)
    page.write_text(report(evaluate(rows, BRAIN, made_setting()), rows, BRAIN), encoding="utf-8")
    return page.as_uri()


def test_what_is_said_over_a_wide_table_is_read_without_scrolling_sideways(browser: Browser, address: str) -> None:
    with browser.new_page(viewport={"width": 320, "height": 640}) as tab:
        tab.goto(address)
        expect(tab.locator("caption").first).to_be_visible()
        assert tab.evaluate(CUT) == []
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_right_answers_are_framed_in_the_colours_of_the_machine_too(browser: Browser, address: str) -> None:
    """A shadow is no frame there: it is not drawn."""
    with browser.new_page(forced_colors="active") as tab:
        tab.goto(address)
        right = tab.locator(".confusion td.right")
        expect(right.first).to_be_visible()
        lines = right.evaluate_all("all => all.map(one => getComputedStyle(one).outlineStyle)")
        assert set(lines) == {"solid"}
