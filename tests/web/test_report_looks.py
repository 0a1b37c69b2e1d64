"""A report as those see it who have a narrow window, or colours of their machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hilum.data.audit import audit
from hilum.data.audit_report import write_audit_report
from hilum.data.source import open_source
from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.report import Extras, report
from hilum.evaluate.versus import compare, with_versus
from hilum.metrics.intervals import Interval
from tests.evaluate.made import BRAIN, made_rows, made_setting
from tests.flows.made import write_spots

CUT = """() => [...document.querySelectorAll("caption")].map(one => {
const words = document.createRange(); words.selectNodeContents(one);
return [one.textContent, words.getBoundingClientRect().right]; }).filter(([_, right]) => right > innerWidth)"""
UNREACHED = """() => [...document.querySelectorAll(".scroll")].filter(one =>
one.tabIndex !== 0 || one.getAttribute("role") !== "region" || !one.getAttribute("aria-label"))
.map(one => one.innerText)"""


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


def test_whatever_scrolls_sideways_is_reached_by_keyboard_and_has_a_name(browser: Browser, tmp_path: Path) -> None:
    rows = made_rows(BRAIN)
    found = with_versus(evaluate(rows, BRAIN, made_setting()), compare(rows, rows, BRAIN, made_setting()))
    fidelity = {"activation map": {"deletion": Interval(0.3, 0.2, 0.4), "insertion": Interval(0.8, 0.7, 0.9)}}
    evaluated = tmp_path / "evaluation.html"
    evaluated.write_text(report(found, rows, BRAIN, Extras((), fidelity)), encoding="utf-8")
    paths = write_spots(tmp_path / "spots", 8)
    spot = next(path for path in paths if path.parent.name == "spot")
    (tmp_path / "spots" / "plain" / "copy.png").write_bytes(spot.read_bytes())
    (tmp_path / "spots" / "plain" / "broken.png").write_bytes(b"no image")
    dataset = open_source(str(tmp_path / "spots"))
    audited = write_audit_report(audit(dataset), dataset, tmp_path / "audit")
    with browser.new_page() as tab:
        for page, least in ((evaluated, 8), (audited, 4)):
            tab.goto(page.as_uri())
            assert tab.locator(".scroll").count() >= least
            assert tab.evaluate(UNREACHED) == [], page
