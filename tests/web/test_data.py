"""The Data page in a real browser: an audit asked for, watched, left, found again and read."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, expect

from hilum.interfaces.web import data as page_module
from hilum.jobs.works import RESULT, STATE
from tests.flows.made import write_spots
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, SLOW, WIDE, detour, let_go, visit
from tests.web.test_audited import CLEAN

DRAWN = "() => [...document.querySelectorAll('.pairs img')].every(e => e.complete && e.naturalWidth > 50)"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound set, and one with a copy under another label."""
    root = tmp_path_factory.mktemp("roots")
    write_spots(root / "spots", 16)
    paths = write_spots(root / "copied", 16)
    picture = cv2.imread(str(next(path for path in paths if path.parent.name == "spot")), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    cv2.imwrite(str(root / "copied" / "plain" / "copy.png"), picture)
    return root


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), DATA_ROOTS=str(root)) as server:
        yield server


def test_nothing_audited_yet_and_a_folder_by_keyboard(browser: Browser, root: Path, tmp_path: Path) -> None:
    with running(tmp_path, DATA_ROOTS=str(root)) as server, visit(browser, server) as one:
        page = one.go("/app/data")
        expect(page.get_by_role("heading", name="Nothing was audited yet")).to_be_visible()
        one.check("data-empty")
        page.get_by_label("Folder", exact=True).focus()
        page.keyboard.press("Home")
        assert page.get_by_label("Folder", exact=True).input_value() == "copied"
        page.get_by_role("button", name="Audit the folder").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/app/data/.{36}$"))
        expect(page.get_by_role("region", name="Verdict")).to_contain_text("different labels", timeout=SLOW)
        expect(page.get_by_role("region", name="Conflicting labels")).to_contain_text("copy.png")
        first = page.get_by_role("list", name="Pairs of copies").get_by_role("listitem").first
        expect(first).to_contain_text("Exact copy")
        expect(first).to_contain_text("labels differ")
        assert min(first.locator("figcaption").all_inner_texts()) == "plain/copy.png"
        page.wait_for_function(DRAWN)
        one.check("audit-conflicts")
        page.get_by_text("The whole report").click()
        expect(page.frame_locator("iframe.report").locator("ul.pairs img").first).to_be_visible()
        page.goto(one.address + "/app/data")
        row = page.get_by_role("row", name=re.compile("copied"))
        expect(row).to_contain_text("Done")
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("copied")


def test_a_dropped_zip_on_a_phone_in_the_dark(browser: Browser, server: Running, root: Path, tmp_path: Path) -> None:
    packed = tmp_path / "mine.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((root / "spots").rglob("*.png")):
            archive.write(path, path.relative_to(root / "spots"))
    with visit(browser, server, dark=True, size=PHONE) as one:
        page = one.go("/app/data")
        let_go(page, ".card:has(form[data-zip])", packed)
        expect(page.get_by_role("region", name="Verdict")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("heading", level=1)).to_have_text("mine.zip")
        one.check("audit-phone")
        one.go("/app/data")
        one.check("data-phone")


def test_pairs_are_looked_at_page_by_page_and_by_kind(browser: Browser, tmp_path: Path) -> None:
    root, packed = tmp_path / "root", io.BytesIO()
    for path in write_spots(root, 30):
        (path.parent / f"{path.stem} again.png").write_bytes(path.read_bytes())
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root))
    with running(tmp_path / "home") as server, visit(browser, server) as one:
        page = one.go("/app/data")
        page.get_by_label("Zip with labelled images").set_input_files(
            {"name": "twice.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
        )
        page.get_by_role("button", name="Audit the zip").click()
        rows = page.get_by_role("list", name="Pairs of copies").get_by_role("listitem")
        expect(rows).to_have_count(24, timeout=SLOW)
        page.get_by_role("link", name=re.compile("^Exact copy")).click()
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 2 of 2")).to_be_visible()
        assert "pairs=exact" in page.url
        rows.last.scroll_into_view_if_needed()
        page.wait_for_function(DRAWN)
        one.check("audit-pairs")
        page.goto(page.url.replace("page=2", "page=9"))
        page.get_by_role("link", name="To the first").click()
        expect(rows).to_have_count(24)
        identity = page.url.split("/data/")[1][:36]
        other = identity[:-1] + ("0" if identity[-1] != "0" else "1")
        for path, status in (("99/a", 404), ("0/c", 404), ("-1/a", 404), ("x/a", 422), ("0/b", 200)):
            assert server.ask("GET", f"/app/data/{identity}/pair/{path}").status == status, path
        assert server.ask("GET", f"/app/data/{other}/pair/0/a").status == 404
        drawn = server.ask("GET", f"/app/data/{identity}/pair/0/a")
        assert drawn.headers["cache-control"] == "private, no-store"  # for nobody who sits there next


def test_pictures_of_a_folder_that_is_not_open_any_more_are_not_shown(
    browser: Browser, root: Path, tmp_path: Path
) -> None:
    with running(tmp_path, DATA_ROOTS=str(root)) as server, visit(browser, server) as one:
        page = one.go("/app/data")
        page.get_by_label("Folder", exact=True).select_option("copied")
        page.get_by_role("button", name="Audit the folder").click()
        expect(page.locator(".pairs img").first).to_be_visible(timeout=SLOW)
        address = page.locator(".pairs img").first.get_attribute("src") or ""
        assert server.ask("GET", address).headers["content-type"] == "image/jpeg"
    with running(tmp_path) as server:
        assert server.ask("GET", address).is_problem()


def test_what_is_no_zip_is_said_beside_the_button(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/data")
        page.get_by_label("Zip with labelled images").set_input_files(
            {"name": "a.zip", "mimeType": "application/zip", "buffer": b"no zip"}
        )
        page.get_by_role("button", name="Audit the zip").click()
        expect(page.locator("form[data-zip] [data-said]")).to_contain_text("zip of labelled images")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "40% of this step"),
        ("failed", "failed after"),
        ("stopped", "Stopped after"),
        ("done", "cannot be read"),
    ],
)
def test_every_state_is_drawn(browser: Browser, server: Running, state: str, words: str) -> None:
    """States that pass too quickly to be looked at are written where the works are kept."""
    assert server.parts.works is not None
    identity = f"00000000-0000-4000-8000-00000000000{len(state)}"
    folder = server.parts.works.folder(identity)
    folder.mkdir(parents=True, exist_ok=True)
    work = {
        "id": identity,
        "kind": "audit",
        "title": "set",
        "arguments": [],
        "caller": "local",
        "at": 1.0,
        "state": state,
    }
    (folder / STATE).write_text(json.dumps({**work, "ended": None if state == "running" else 9.0}))
    lines = [
        {"at": 2.0 + i, "stage": "looking at every image", "done": 40 * i, "total": 100, "note": ""} for i in (0, 1)
    ]
    (folder / "progress.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "log.txt").write_text("hilum: error: nothing to audit\n")
    (folder / RESULT).write_bytes(b"")
    with visit(browser, server, size=WIDE) as one:
        page = one.go(f"/app/data/{identity}")
        expect(page.get_by_role("main")).to_contain_text(words)
        one.check(f"audit-{state}")
        if state == "running":  # and the page goes on by itself once it is over
            (folder / STATE).write_text(json.dumps({**work, "state": "failed", "ended": 9.0}))
            expect(page.get_by_role("main")).to_contain_text("nothing to audit")
    (folder / STATE).unlink()


def test_lists_that_are_cut_say_so(server: Running) -> None:
    said = {
        **CLEAN,
        "verdict": "conflicts",
        "conflicts": [{"paths": [f"{i}/{j}" for j in range(11)], "labels": ["a", "b"] * 5 + ["a"]} for i in range(60)],
        "patients_across_splits": [{"patient": str(i), "splits": {"train": ["x"], "test": ["y"]}} for i in range(51)],
        "unreadable": [{"path": f"c/{i}", "reason": "cut off"} for i in range(50)],
    }
    identity = "00000000-0000-4000-8000-0000000000aa"
    assert server.parts.works is not None
    folder = server.parts.works.folder(identity)
    folder.mkdir(parents=True)
    work = {"id": identity, "kind": "audit", "title": "set", "arguments": [], "caller": "local", "at": 1.0}
    (folder / RESULT).write_text(json.dumps(said))
    (folder / STATE).write_text(json.dumps({**work, "state": "done", "ended": 9.0}))
    page = server.ask("GET", f"/app/data/{identity}", headers={"Accept": "text/html"}).body.decode()
    assert "The first 50 of 60;" in page
    assert "The first 50 of 51;" in page
    assert page.count("The first 50 of") == 2
    assert page.count("and 3 more") == 50
    assert ">Asked (UTC)<" in server.ask("GET", "/app/data", headers={"Accept": "text/html"}).body.decode()
    (folder / STATE).unlink()


def test_what_waits_is_stopped_after_a_question(browser: Browser, server: Running) -> None:
    works = server.parts.works
    assert works is not None
    identity = "00000000-0000-4000-8000-000000000010"
    folder = works.folder(identity)
    folder.mkdir(parents=True)
    work = {"id": identity, "kind": "audit", "title": "set", "arguments": [], "caller": "local", "at": 1.0}
    (folder / STATE).write_text(json.dumps({**work, "state": "waiting"}))
    with visit(browser, server) as one:
        page = one.go(f"/app/data/{identity}")
        expect(page.get_by_role("main")).to_contain_text("One work runs at a time")
        one.check("audit-waiting")
        answers = iter([False, True])
        page.on("dialog", lambda dialog: dialog.accept() if next(answers) else dialog.dismiss())
        page.get_by_role("button", name="Stop").click()
        assert works.get(identity).state == "waiting"
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("by somebody's wish")).to_be_visible()
        assert works.get(identity).state == "stopped"


def test_a_work_of_another_kind_or_none_is_not_found(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/data/00000000-0000-4000-8000-000000000009")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_without_roots_or_the_auditing_part_the_page_says_so(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path_factory.mktemp("bare")) as server, visit(browser, server) as one:
        page = one.go("/app/data")
        expect(page.get_by_text("No folder is open to this page.")).to_be_visible()
        monkeypatch.setattr(page_module, "can_audit", lambda: False)
        page.reload()
        expect(page.get_by_text("hilum[data]")).to_be_visible()
        one.check("data-lacking")


def test_what_is_on_its_way_is_said_to_be(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        sent = detour(one.page, "**/audits")
        page = one.go("/app/data")
        page.get_by_label("Zip with labelled images").set_input_files(
            {"name": "a.zip", "mimeType": "application/zip", "buffer": b"no zip"}
        )
        sent.to = lambda _: None  # it does not arrive
        with page.expect_request("**/audits"):
            page.get_by_role("button", name="Audit the zip").click()
        expect(page.locator("form[data-zip] [data-said]")).to_have_text("Sending…")


def test_whoever_leaves_while_a_zip_is_on_its_way_is_asked(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        detour(one.page, "**/audits").to = lambda _: None  # it does not arrive
        page = one.go("/app/data")
        page.get_by_label("Zip with labelled images").set_input_files(
            {"name": "a.zip", "mimeType": "application/zip", "buffer": b"no zip"}
        )
        with page.expect_request("**/audits"):
            page.get_by_role("button", name="Audit the zip").click()
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        with page.expect_event("dialog"):
            page.get_by_role("navigation").get_by_role("link", name="History").click(no_wait_after=True)
        assert asked == ["beforeunload"]
        expect(page.locator("form[data-zip] [data-said]")).to_have_text("Sending…")


def test_a_stopped_audit_promises_nothing_of_a_training(server: Running) -> None:
    assert server.parts.works is not None
    folder = server.parts.works.folder("aaaaaaaa-0000-4000-8000-000000000000")
    folder.mkdir(parents=True)
    work = {"id": folder.name, "kind": "audit", "title": "films", "arguments": [], "caller": "local", "at": 1.0}
    (folder / STATE).write_text(json.dumps({**work, "state": "stopped", "ended": 9.0}))
    told = server.ask("GET", f"/app/data/{folder.name}", headers={"Accept": "text/html"}).body.decode()
    assert "Asked for again, it begins anew." in told
    (folder / STATE).unlink()
