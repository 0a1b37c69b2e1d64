"""A list of answers longer than a page: choosing across its pages, the way back into it, all of it as a file."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from hilum.interfaces.web import history
from hilum.records import search
from hilum.records.entry import Columns, Entry, Record
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, visit

MANY = 1200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        server.parts.records.append([_answered(i) for i in range(MANY)]).result()
        yield server


@pytest.mark.parametrize("order", ["", "priority", "uncertain"])
def test_a_long_list_is_put_in_order_once_and_not_counted(server: Running, order: str) -> None:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "prediction" in str(given):  # not what the server asks for itself every few seconds: who was promoted
            asked.append(statement.lower())

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = server.ask("GET", f"/app/export?form=json&order={order}&model=pneumonia-cxr")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert sum("order by" in one for one in asked) == 1
    assert not any("count(" in one for one in asked)
    files = [one["file"] for one in answer.json()["predictions"]]
    assert files == _listed(server, order)


def test_a_file_ends_where_it_says(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 700)
    files = [one["file"] for one in server.ask("GET", "/app/export?form=json").json()["predictions"]]
    assert files == _listed(server, "")[:700]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_whose_end_cannot_be_read_is_not_taken_for_whole(
    server: Running, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    read, asked = search.by_number, []

    def fail(connection: Connection, wanted: Sequence[int]) -> tuple[Record, ...]:
        if not len(wanted):  # what the server looks up by itself meanwhile
            return read(connection, wanted)
        asked.append(wanted)
        if len(asked) > 1:
            raise OperationalError("", {}, Exception("the database went away"))
        return read(connection, wanted)

    monkeypatch.setattr(search, "by_number", fail)
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.ask("GET", f"/app/export?form={form}")
    assert b"film-1199.png" in cut.value.partial
    assert len(asked) == 2


def test_what_is_chosen_stays_chosen_on_other_pages_until_it_is_let_go(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/history")
        page.locator("[data-pick]").first.check()
        page.get_by_role("link", name="Older answers").click()
        expect(page.locator("[data-compare]")).to_have_text("Choose two to compare (1 chosen, 1 not shown here)")
        page.locator("[data-pick]").nth(3).check()
        expect(page.locator("[data-compare]")).to_have_text("Compare these two (1 not shown here)")
        page.get_by_label("Order").select_option("priority")  # only the rows are put anew
        expect(page.locator("#found")).to_contain_text("without refusals")
        expect(page.locator("[data-heard]")).to_have_text(page.locator("#found [data-many]").inner_text())  # read aloud
        expect(page.locator("[data-compare]")).to_contain_text("Compare these two")
        page.go_back()
        expect(page.locator("[data-pick]:checked")).to_have_count(1)
        page.locator("[data-compare]").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Two answers side by side")
        expect(page.locator("h2.path")).to_have_text([f"film-{MANY - 1}.png", f"film-{MANY - 54}.png"])
        page.get_by_role("link", name="Back to the list").click()
        page.get_by_role("button", name="Choose none").press("Enter")
        expect(page.locator("[data-compare]")).to_have_text("Choose two to compare (0 chosen)")
        expect(page.get_by_role("region", name="Answers")).to_be_focused()
        expect(page.locator("[data-pick]:checked")).to_have_count(0)
        one.check("history-chosen")


def test_an_answer_leads_back_to_the_list_that_it_was_opened_from(browser: Browser, server: Running) -> None:
    with visit(browser, server, size=PHONE) as one:
        page = one.go("/app/history?order=priority")
        page.get_by_role("link", name="More answers").click()
        page.wait_for_url("**cursor=**")
        page.get_by_label("State").select_option("answered")
        page.wait_for_url("**state=answered**")
        listed = page.url
        page.locator("a.open").first.click()
        page.reload()
        page.get_by_role("link", name="Back to the list").click()
        page.wait_for_url(listed)
        path = page.locator("a.open").first.get_attribute("href")
        expect(one.go(path or "").get_by_role("link", name="All answers")).to_have_attribute("href", "/app/history")
        assert one.faults == []


def _listed(server: Running, order: str) -> list[str]:
    """The files of all answers, page by page."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        given = f"&order={order}" if order else ""
        page = server.ask("GET", f"/predictions?limit=500{given}{cursor and '&cursor=' + cursor}").json()
        found += [one["file"] for one in page["predictions"]]
        cursor = page["next"]
    assert len(found) == MANY
    return found


def _answered(i: int) -> Entry:
    label, sure = ("pneumonia", "normal")[i % 2], 0.5 + i % 97 / 200
    columns = Columns("pneumonia-cxr", "pneumonia-cxr@1.0.0", "b" * 64, label, sure, False)
    gate = {"admitted": True, "reasons": []}
    entry = Entry("prediction", columns=columns, personal={"file": f"film-{i}.png"})
    answer = {"prediction": {"class": label, "probability": sure}, "probabilities": {label: sure}}
    said = {"id": entry.id, "operating_point": "balanced", "gate": gate, "conformal_set": [label], **answer}
    return Entry("prediction", json.dumps(said).encode(), columns=columns, personal=entry.personal, id=entry.id)
