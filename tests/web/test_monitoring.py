"""The Monitoring page in a real browser: figures of what is on record, by task and span, and its empty state."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Route, expect

from hilum.records.entry import Columns, Entry
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, detour, visit

HOUR = 3_600_000_000
MODEL = "brain-tumor-mri@1.0.0"
CLASSES = ("glioma", "meningioma", "notumor", "pituitary")


def predictions(now: int) -> Iterator[Entry]:
    """Of each of the last 20 hours a few answers and a refusal; every fourth answer is said to be right or wrong."""
    for hour in range(20):
        at = now - hour * HOUR
        for i in range(4 + (hour * 7) % 5):
            label = CLASSES[(hour + i) % 4]
            columns = Columns("brain-tumor-mri", MODEL, "a" * 64, label, 0.55 + 0.05 * (i % 9), False, took=8.0 + 9 * i)
            one = Entry("prediction", columns=columns, at=at)
            yield one
            if i == 2:
                said = label if hour % 3 else "glioma"
                yield Entry(
                    "feedback", json.dumps({"label": said}).encode(), subject=one.id, columns=Columns(label=said)
                )
        yield Entry(
            "prediction",
            columns=Columns("pneumonia-cxr", "pneumonia-cxr@1.0.0", "b" * 64, refused=True, took=4.0),
            at=at,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        server.parts.records.append(list(predictions(time.time_ns() // 1000))).result()
        server.parts.meters.answer(Columns("pneumonia-cxr"), ("blank",), {"decode": 1.5, "compute": 7.0})
        server.parts.meters.cached(found=True)
        server.parts.meters.away("late")
        yield server


@pytest.mark.parametrize(("dark", "size"), [(False, (1400, 900)), (True, PHONE)])
def test_a_day_in_figures_and_charts(browser: Browser, server: Running, dark: bool, size: tuple[int, int]) -> None:
    with visit(browser, server, dark=dark, size=size) as one:
        page = one.go("/app/monitoring")
        expect(page.get_by_role("heading", level=1)).to_have_text("Monitoring")
        total = server.parts.records.tallies(0, time.time_ns() // 1000).predictions
        answers = sum(tally.count for tally in total if not tally.refused)
        expect(page.locator("dl.figures")).to_contain_text(f"{answers} answered")
        assert page.locator("svg.chart").count() == 6
        assert page.locator("#chart-traffic rect").count() > 20
        one.check(f"monitoring-{'dark-phone' if dark else 'light'}")


def test_every_chart_has_its_numbers_in_a_table(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/monitoring")
        page.locator("#table-sure summary").focus()
        page.keyboard.press("Enter")
        cells = page.locator("#table-sure tbody td").all_inner_texts()
        answers = sum(
            t.count for t in server.parts.records.tallies(0, time.time_ns() // 1000).predictions if not t.refused
        )
        assert sum(map(int, cells)) == answers


def test_span_and_task_stand_in_the_address(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/monitoring")
        page.get_by_role("link", name="Last week").click()
        page.get_by_label("Question", exact=True).select_option("pneumonia-cxr")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url("**/monitoring?span=week&task=pneumonia-cxr")
        expect(page.locator("dl.figures")).to_contain_text(re.compile(r"(2\d) of \1"))  # another test adds one
        expect(page.locator("#chart-classes")).to_contain_text("Nothing yet")
        expect(page.get_by_role("region", name="Why images were refused")).to_contain_text("Blank")


def test_a_month_by_days_and_a_year_by_weeks(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("year")) as server:
        now = time.time_ns() // 1000
        days = [i for i in range(360) if i < 20 or i % 9 == 0]
        one_answer = Columns("brain-tumor-mri", MODEL, "a" * 64, "glioma", 0.9, False, took=30.0)
        old = [Entry("prediction", columns=one_answer, at=now - i * 24 * HOUR - 1) for i in days]
        server.parts.records.append(old).result()
        for size, dark in (((1400, 900), False), (PHONE, True)):
            with visit(browser, server, size=size, dark=dark) as one:
                page = one.go("/app/monitoring")
                page.get_by_role("link", name="Last month").click()
                shown = sum(i < 29 for i in days)
                expect(page.locator("dl.figures")).to_contain_text(f"{shown} answered")
                expect(page.locator("#chart-traffic")).to_contain_text("One column stands for one day.")
                one.check(f"monitoring-month-{size[0]}")
                page.get_by_role("link", name="Last year").click()
                expect(page.locator("dl.figures")).to_contain_text(f"{len(days)} answered")
                expect(page.locator("#chart-traffic")).to_contain_text("One column stands for one week, from Monday.")
                page.locator("#table-traffic summary").click()
                expect(page.locator("#table-traffic tbody th").last).to_have_text(
                    re.compile(r"^\d+ [A-Z][a-z]{2} \d{4}$")
                )
                began = page.locator("#table-traffic tbody th").all_inner_texts()
                assert {datetime.strptime(day, "%d %b %Y").replace(tzinfo=UTC).isoweekday() for day in began} == {1}
                one.check(f"monitoring-year-{size[0]}")


def test_new_figures_come_without_a_new_page_and_keep_what_is_open(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        figures = detour(one.page, "**/app/monitoring*")
        page = one.go("/app/monitoring?span=hour")
        page.locator("#table-traffic summary").click()
        before = page.locator("dl.figures .big").first.inner_text()
        server.parts.records.append([Entry("prediction", columns=Columns("pneumonia-cxr", refused=True))]).result()
        page.keyboard.press("r")
        expect(page.locator("dl.figures .big").first).to_have_text(str(int(before) + 1))
        assert page.locator("#table-traffic").get_attribute("open") is not None
        page.get_by_label("Keep up to date").uncheck()
        page.reload()
        expect(page.get_by_label("Keep up to date")).not_to_be_checked()
        figures.to = Route.abort
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_role("alert")).to_contain_text("does not answer")


def test_what_is_brought_up_to_date_keeps_the_focus_and_how_far_a_table_is_scrolled(
    browser: Browser, server: Running
) -> None:
    with visit(browser, server, size=(320, 640)) as one:
        page = one.go("/app/monitoring?span=hour")
        table = page.locator(".cards.wider .scroll").first
        table.focus()
        moved = table.evaluate("e => { e.scrollLeft = 24; return e.scrollLeft; }")
        assert moved > 0
        before = page.locator("dl.figures .big").first.inner_text()
        server.parts.records.append([Entry("prediction", columns=Columns("pneumonia-cxr", refused=True))]).result()
        page.keyboard.press("r")
        expect(page.locator("dl.figures .big").first).to_have_text(str(int(before) + 1))
        expect(table).to_be_focused()
        assert table.evaluate("e => e.scrollLeft") == moved


def test_figures_that_were_asked_for_earlier_and_come_later_take_no_newer_ones_away(
    browser: Browser, server: Running
) -> None:
    with visit(browser, server) as one:
        asked = detour(one.page, "**/app/monitoring*")
        page = one.go("/app/monitoring?span=hour")
        before = server.ask("GET", "/app/monitoring?span=hour", headers={"Accept": "text/html"}).body
        count = int(page.locator("dl.figures .big").first.inner_text())
        late: list[Route] = []
        asked.to = late.append
        with page.expect_request("**/app/monitoring*"):
            page.keyboard.press("r")
        while not late:
            page.wait_for_timeout(10)
        asked.to = Route.fallback
        server.parts.records.append([Entry("prediction", columns=Columns("pneumonia-cxr", refused=True))]).result()
        page.keyboard.press("r")
        expect(page.locator("dl.figures .big").first).to_have_text(str(count + 1))
        with page.expect_response("**/app/monitoring*"):
            late[0].fulfill(body=before, content_type="text/html")
        page.evaluate("new Promise(done => setTimeout(done, 100))")
        expect(page.locator("dl.figures .big").first).to_have_text(str(count + 1))


def test_nothing_asked_yet(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("empty")) as server, visit(browser, server, dark=True) as one:
        page = one.go("/app/monitoring")
        expect(page.get_by_role("heading", name="Nothing was asked in this span")).to_be_visible()
        one.check("monitoring-empty")


def test_a_reader_is_told_that_this_is_not_for_them(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("auth"), AUTH="on") as server:
        with visit(browser, server, role="reader") as one:
            page = one.go("/app/monitoring")
            expect(page.get_by_role("heading", level=1)).to_have_text("This page is not for your role")
        with visit(browser, server) as one:
            assert one.page.goto(one.address + "/app/monitoring") is not None
            assert "/login?next=" in one.page.url
        with visit(browser, server, role="reviewer") as one:
            one.go("/app/monitoring")
            one.check("monitoring-reviewer")
