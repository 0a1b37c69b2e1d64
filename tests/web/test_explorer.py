"""The threshold explorer of an evaluation's report, as a reader moves it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.report import report
from tests.evaluate.made import CHEST, made_rows, made_setting


def test_no_predictive_value_is_told_while_nobody_has_said_how_many_are_ill(browser: Browser, tmp_path: Path) -> None:
    """An emptied field was taken for a place where nobody is ill: "NPV 100.0%", whatever the model."""
    rows = made_rows(CHEST)
    page = tmp_path / "index.html"
    page.write_text(report(evaluate(rows, CHEST, made_setting()), rows, CHEST), encoding="utf-8")
    with browser.new_page() as tab:
        tab.goto(page.as_uri())
        ppv, npv = (tab.locator(f"[data-out={name}]") for name in ("ppv", "npv"))
        tab.locator("#prevalence").fill("20")
        for shown in (ppv, npv):
            expect(shown).to_contain_text("%")
        tab.locator("#prevalence").fill("")
        for shown in (ppv, npv):
            expect(shown).to_have_text("–")
        expect(tab.locator("[data-out=sensitivity]")).to_contain_text("%")
