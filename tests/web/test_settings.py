"""The Settings page in a real browser: each sees their part, rights stand in one table, secrets are told to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hilum.access.caller import ACTS, ROLES, acts_of
from hilum.interfaces.web.settings_page import server_settings
from hilum.settings import SETTINGS, read_settings
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, visit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), AUTH="on", RETENTION_DAYS="30", KEEP_IMAGES="ask") as server:
        yield server


def test_an_administrator_sees_users_keys_rights_and_the_server(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        expect(page.get_by_role("main")).to_contain_text("Kept only if whoever sends them says yes")
        expect(page.get_by_role("main")).to_contain_text("Erased after 30 days")
        for summary in ("Who may do what", re.compile("^All .* settings$")):
            page.get_by_text(summary).focus()
            page.keyboard.press("Enter")
        rights = page.get_by_role("region", name="Rights of each role").locator("tbody tr")
        assert rights.count() == len(ACTS)
        for row, act in zip(rights.all(), ACTS, strict=True):
            said = [cell == "Yes" for cell in row.locator("td").all_inner_texts()]
            assert said == [act in acts_of(role) for role in ROLES]
        rows = page.get_by_role("region", name="Settings of the server").locator("tbody tr")
        assert rows.count() == len(SETTINGS)
        expect(page.get_by_role("region", name="Everybody's keys").locator("tbody tr")).to_have_count(3)
        one.check("settings-admin")


def test_somebody_is_shut_out_and_let_in_again_and_their_key_revoked(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        page.get_by_role("button", name="Shut out reader").click()
        expect(page.get_by_role("button", name="Let in reader")).to_be_visible()
        assert server.ask("GET", "/models", key="reader").status == 401
        page.get_by_role("button", name="Let in reader").click()
        expect(page.get_by_role("button", name="Shut out reader")).to_be_visible()
        page.get_by_label("Role of reader").select_option("reviewer")
        with page.expect_event("load"):  # the page comes again once it is done
            page.get_by_role("row", name=re.compile("^reader")).get_by_role("button", name="Set").click()
        assert server.parts.access is not None
        expect(page.get_by_label("Role of reader")).to_have_value("reviewer")
        assert server.parts.access.users.find("reader").role == "reviewer"
        page.on("dialog", lambda dialog: dialog.accept())
        key = page.get_by_role("region", name="Everybody's keys").get_by_role("row", name=re.compile("^reviewer"))
        key.get_by_role("button", name=re.compile("Revoke")).click()
        expect(key).to_contain_text("Revoked")
        assert server.ask("GET", "/models", key="reviewer").status == 401


def test_a_key_that_may_do_nothing_is_not_made(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        page.get_by_text("Make a key", exact=True).click()
        page.get_by_label("What is it for").fill("nothing")
        for box in page.locator("input[name=scopes]").all():
            box.uncheck()
        page.get_by_role("button", name="Make", exact=True).click()
        form = page.locator("form[data-send='/keys']").last
        expect(form.locator("[data-said]")).to_contain_text("choose at least one")
        expect(form.locator("[data-reveal]")).to_be_empty()
        refused = server.ask("POST", "/keys", {"name": "nothing", "scopes": []}, role="admin")
        assert (refused.status, "choose at least one" in refused.json()["detail"]) == (422, True)
        page.get_by_label("send images and get answers").check()
        page.get_by_role("button", name="Make", exact=True).click()
        expect(form.locator("[data-reveal]")).to_contain_text("hilum_")
        expect(page.locator("#own-keys")).to_contain_text("nothing")  # without a reload


def test_a_link_stands_beside_the_person_it_is_for_alone(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        form = page.locator("form[data-send='/users']")
        page.get_by_label("Invite somebody: name").fill("grace")
        page.get_by_role("button", name="Invite").click()
        expect(form.locator("[data-reveal]")).to_contain_text("/set-password#")
        expect(page.get_by_role("region", name="Users")).to_contain_text("grace")  # without a reload
        page.get_by_label("Invite somebody: name").fill("admin")
        page.get_by_role("button", name="Invite").click()
        expect(form.locator(".error-text")).to_be_visible()
        expect(form.locator("[data-reveal]")).to_be_empty()


def test_an_engineer_sees_their_own_part_only(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="engineer", dark=True, size=PHONE) as one:
        page = one.go("/app/settings")
        expect(page.get_by_role("heading", name="Your keys for programs")).to_be_visible()
        for name in ("Users", "Everybody's keys", "Settings of the server"):
            assert page.get_by_role("heading", name=name, exact=True).count() == 0
        one.check("settings-engineer-phone")


def test_without_authentication_the_page_says_so(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("off")) as server, visit(browser, server) as one:
        page = one.go("/app/settings")
        expect(page.get_by_text("Authentication is off.")).to_be_visible()
        assert page.get_by_role("heading", name="Your keys for programs").count() == 0
        one.check("settings-off")


def test_no_secret_and_no_password_is_told(tmp_path: Path) -> None:
    known = read_settings({"HILUM_HOME": str(tmp_path), "HILUM_OIDC_CLIENT_SECRET": "hush"})
    urls = {
        "database_url": "postgresql://me:hunter2@db/hilum?password=hunter2",
        "cache_url": "redis://:hunter2@cache:6379/0",
    }
    told = {name: value for name, value, _ in server_settings(replace(known, **urls))}
    assert told["HILUM_OIDC_CLIENT_SECRET"] == "set, not shown"
    assert told["HILUM_DATABASE_URL"] == "postgresql://…@db/hilum?…"
    assert told["HILUM_CACHE_URL"] == "redis://…@cache:6379/0"
    assert not any("hunter2" in value or "hush" in value for value in told.values())


def test_the_page_shows_no_password_that_holds_a_stroke(tmp_path: Path) -> None:
    known = read_settings({"HILUM_HOME": str(tmp_path), "HILUM_DATABASE_URL": "postgresql://me:x/hunter2@db/hilum"})
    told = {name: value for name, value, _ in server_settings(known)}
    assert told["HILUM_DATABASE_URL"] == "postgresql://…@db/hilum"


def test_the_focus_stays_where_it_was_after_a_form_was_sent(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        invite = page.get_by_role("button", name="Invite")
        page.get_by_label("Invite somebody: name").fill("somebody.new")
        invite.press("Enter")
        expect(page.get_by_text("Invited. Hand this link over")).to_be_visible()
        expect(invite).to_be_focused()
        expect(page.get_by_role("row", name="somebody.new")).to_be_visible()  # the list is put anew after the word
        own = page.get_by_role("row", name="admin").get_by_role("button", name="Shut out")
        own.press("Enter")
        expect(page.get_by_role("row", name="admin").locator(".error-text")).not_to_be_empty()
        expect(own).to_be_focused()


def test_the_largest_upload_is_told_as_on_the_other_pages(browser: Browser, server: Running) -> None:
    with visit(browser, server, role="admin") as one:
        expect(one.go("/app/settings").get_by_role("main")).to_contain_text("67.1 MB")
        expect(one.go("/app/jobs").get_by_role("main")).to_contain_text("67.1 MB")


def test_the_focus_is_back_where_it_was_when_a_form_had_the_page_loaded_anew(browser: Browser, server: Running) -> None:
    assert server.ask("POST", "/users", {"name": "hopper", "role": "reader"}, role="admin").status == 201
    assert server.ask("POST", "/keys", {"name": "hers", "scopes": ["read"]}, role="admin").status == 201
    with visit(browser, server, role="admin") as one:
        page = one.go("/app/settings")
        page.on("dialog", lambda dialog: dialog.accept())
        for before, after in (("Shut out hopper", "Let in hopper"), ("Let in hopper", "Shut out hopper")):
            page.get_by_role("button", name=before).press("Enter")
            expect(page.get_by_role("button", name=after)).to_be_focused()
        keys = page.get_by_role("region", name="Keys", exact=True)
        keys.get_by_role("button", name="Revoke hers").press("Enter")
        expect(keys).to_be_focused()  # the button went with what it did
        page.reload()
        assert page.evaluate("document.activeElement === document.body")  # by oneself: from the top


def test_images_that_are_kept_for_one_day_are_not_kept_for_one_days(tmp_path: Path) -> None:
    with running(tmp_path, RETENTION_DAYS="1") as server:
        pages = [
            server.ask("GET", f"/app/{name}", headers={"Accept": "text/html"}).body for name in ("settings", "read")
        ]
    assert b"Erased after 1 day<" in pages[0]
    assert b"are erased after 1 day." in pages[1]


def test_which_folders_are_open_is_told_to_those_who_may_have_them_read(tmp_path: Path) -> None:
    roots = [tmp_path / "films", tmp_path / "slices"]
    with running(tmp_path / "home", AUTH="on", DATA_ROOTS=":".join(map(str, roots))) as server:
        for role, told in (("reader", False), ("reviewer", False), ("engineer", True), ("admin", True)):
            page = server.ask("GET", "/app/settings", headers={"Accept": "text/html"}, role=role).body.decode()
            there = "training</dt>" + "".join(f'<dd class="path">{root}</dd>' for root in roots)
            assert (there in page, 'training</dt><dd class="path">2</dd>' in page) == (told, not told), role
            assert any(str(root) in page for root in roots) == told, role
