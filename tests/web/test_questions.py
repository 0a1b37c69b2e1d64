"""What a page offers to be asked, and the state at its foot: both of the package that was promoted last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hilum.interfaces.web.questions import offered
from hilum.learn.seal import write_package
from hilum.registry.pins import pin
from hilum.settings import read_settings
from tests.conftest import ROOT
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, WIDE, visit

SHIPPED = ROOT / "models" / "pneumonia-cxr"
FILM = ROOT / "samples" / "pneumonia-cxr" / "pneumonia-1.png"


def noted(home: Path, note: str, name: str = "screening") -> str:
    """The shipped chest package as version 2, which says something else of its screening point; its digest.

    name: what that point is called in version 2.
    """
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"]}
    said = json.loads(files["calibration.json"])
    said["points"][name] = said["points"].pop("screening") | {"name": name, "note": note}
    files["calibration.json"] = json.dumps(said).encode()
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    folder = home / "models" / "pneumonia-cxr" / "2.0.0"
    write_package(files, {**about, "version": "2.0.0"}, folder)
    return pin(read_settings({"HILUM_HOME": str(home)}), folder, "test")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    noted(home, "of the second version")
    with running(home, THREADS="1", SERVE_THREADS="1") as server:
        assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote", {"why": "a test"}).status == 201
        yield server


def test_points_that_differ_by_their_names_alone_say_so(server: Running) -> None:
    asked = {one["name"]: dict(one["offered"]) for one in offered(server.parts)["tasks"]}
    assert asked["pneumonia-cxr"]["balanced"] == "balanced (same threshold as rule-in in this model)"
    assert asked["pneumonia-cxr"]["screening"] == "screening (of the second version)"
    assert asked["brain-tumor-mri"]["rule-in"] == "rule-in (same threshold as screening and balanced in this model)"


@pytest.mark.parametrize(("size", "path"), [(WIDE, "/app/read"), (PHONE, "/app/read"), (PHONE, "/app/jobs")])
def test_the_promoted_model_of_the_chosen_question_stands_at_the_foot(
    browser: Browser, server: Running, size: tuple[int, int], path: str
) -> None:
    with visit(browser, server, size=size) as one:
        page = one.go(path)
        foot = page.get_by_label("Models that answer")
        if size == PHONE:
            expect(foot).to_have_text("3 models", use_inner_text=True)
        else:
            expect(foot).to_contain_text("pneumonia-cxr 2.0.0")
        if path == "/app/read":
            page.get_by_text("Question and consent").click()
        page.get_by_label("Question", exact=True).select_option("pneumonia-cxr")
        expect(foot).to_have_text("pneumonia-cxr 2.0.0", use_inner_text=True)
        expect(foot).to_be_in_viewport()
        expect(page.locator("[data-state]")).to_be_in_viewport()
        offered = page.get_by_label("Operating point").locator("option").all_inner_texts()
        assert "screening (of the second version)" in offered
        one.check(f"foot-{size[0]}")
        page.get_by_label("Question", exact=True).select_option("auto")
        expect(foot.locator("li:visible")).to_have_count(1 if size == PHONE else 3)


def test_a_page_that_is_open_names_the_model_that_was_promoted_meanwhile(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("promoted")
    noted(home, "of the second version")
    with running(home, THREADS="1", SERVE_THREADS="1") as server, visit(browser, server) as one:
        one.page.clock.install()
        page = one.go("/app/read")
        foot = page.get_by_label("Models that answer")
        expect(foot).to_contain_text("pneumonia-cxr 1.1.0")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Question", exact=True).select_option("pneumonia-cxr")
        assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote", {"why": "a test"}).status == 201
        page.clock.run_for(25_000)
        expect(foot).to_have_text(
            re.compile("^pneumonia-cxr 2.0.0$"), use_inner_text=True
        )  # still of this question alone
        expect(page.locator("[data-state]")).to_have_text("Online")
        assert one.faults == []


@pytest.mark.parametrize("how", ["by itself", "once the server refused it"])
def test_a_page_that_is_open_offers_the_points_of_the_model_that_was_promoted_meanwhile(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    home = tmp_path_factory.mktemp("renamed")
    noted(home, "of the second version", name="careful")
    with running(home, THREADS="1", SERVE_THREADS="1") as server, visit(browser, server) as one:
        one.page.clock.install()
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        question, point = page.get_by_label("Question", exact=True), page.get_by_label("Operating point", exact=True)
        question.select_option("pneumonia-cxr")
        point.select_option("screening")
        page.get_by_label("Share of images with disease here").fill("0.1")
        assert server.ask("POST", "/models/pneumonia-cxr@2.0.0/promote", {"why": "a test"}).status == 201
        if how == "by itself":
            page.clock.run_for(25_000)
        else:
            page.set_input_files("#files", FILM)
            expect(page.locator("#answer")).to_contain_text("This cannot be asked so")
        expect(page.locator("#said")).to_contain_text('"screening" is not offered any more: balanced')
        expect(question).to_have_value("pneumonia-cxr")
        expect(point).to_have_value("balanced")
        expect(point.locator("option")).to_contain_text(["balanced", "rule-in", "careful (of the second version)"])
        expect(page.locator("[data-chosen]")).to_contain_text("balanced · share of disease 0.1")
        point.select_option("careful")
        if how != "by itself":
            page.get_by_role("button", name="Try again", exact=True).click()
            expect(page.locator("#answer .answer")).to_contain_text("Operating point: careful")
        page.reload()
        expect(point).to_have_value("careful")
