"""The Train page in a real browser: an order, curves that grow, runs side by side, a promotion with its reason."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from hilum.interfaces.cli.main import main
from hilum.interfaces.web import train as page_module
from hilum.interfaces.web.trained import NETWORKS
from hilum.interfaces.web.words import figure
from hilum.jobs.works import LOG, PROGRESS, RESULT, STATE
from hilum.learn.networks import DESIGNS
from hilum.learn.seal import write_package
from hilum.registry.history import history
from hilum.registry.pins import pin
from hilum.settings import read_settings
from tests.conftest import ROOT
from tests.flows.made import write_spots
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, detour, visit

SHIPPED = ROOT / "models" / "pneumonia-cxr"
ONE, TWO, LIVE, FAILED = (f"{i}{i}{i}f0000-0000-4000-8000-000000000000" for i in (1, 2, 3, 4))
UNSAID = """() => [...document.querySelectorAll(".field .hint")].filter(hint => {
const field = hint.parentElement.querySelector("input, select, textarea");
return !hint.id || field.getAttribute("aria-describedby") !== hint.id; }).map(hint => hint.textContent.slice(0, 60))"""


def write_work(server: Running, identity: str, epochs: int, state: str, result: Any = None) -> Path:
    """A training as it lies on the disk."""
    assert server.parts.works is not None
    folder = server.parts.works.folder(identity)
    folder.mkdir(parents=True, exist_ok=True)
    steps = [
        {"at": 10.0 + i, "stage": "training", "done": i, "total": 8,
         "note": f"epoch {i}/8, loss {1 / i:.3f}, tune {0.6 + 0.04 * i:.3f}"}
        for i in range(1, epochs + 1)
    ]  # fmt: skip
    (folder / PROGRESS).write_text("".join(json.dumps(step) + "\n" for step in steps))
    (folder / LOG).write_text("looking at every image\ntraining\n")
    (folder / RESULT).write_text(json.dumps(result) if result else "")
    work = {
        "id": identity,
        "kind": "train",
        "title": "pneumonia-cxr on films",
        "arguments": [],
        "caller": "local",
        "at": 1.0,
    }
    (folder / STATE).write_text(json.dumps({**work, "state": state, "ended": None if state == "running" else 700.0}))
    return folder


def write_reports(home: Path, package: Path) -> dict[str, str]:
    """The pages that a training leaves in its run folder, made of the shipped samples."""
    films, runs = home / "films", home / "runs" / "pneumonia-cxr-1"
    for path in (ROOT / "samples" / "pneumonia-cxr").glob("*.png"):
        (films / path.stem.split("-")[0]).mkdir(parents=True, exist_ok=True)
        (films / path.stem.split("-")[0] / path.name).write_bytes(path.read_bytes())
    task = ["--task", "pneumonia-cxr", "--json", "--report"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILUM_HOME", str(home))
        assert main(["evaluate", str(films), "--model", str(package), *task, str(runs / "report")]) == 0
        assert main(["audit", str(films), *task, str(runs / "audit")]) == 0
    return {"evaluation": str(runs / "report" / "index.html"), "audit": str(runs / "audit" / "index.html")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a second package of the chest task, and what two trainings of it said."""
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("roots")
    write_spots(root / "films", 8)
    folder = home / "models" / "pneumonia-cxr" / "2.0.0"
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"]}
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    digest = write_package(files, {**about, "version": "2.0.0"}, folder)
    pin(read_settings({"HILUM_HOME": str(home)}), folder, "test")
    with running(home, DATA_ROOTS=str(root)) as server:
        found = json.loads((SHIPPED / "metrics.json").read_bytes()) | {
            "model": {"name": "pneumonia-cxr", "version": "2.0.0", "digest": digest}
        }
        said = {"package": str(folder), "digest": digest, "reports": write_reports(home, folder), "evaluation": found}
        write_work(server, ONE, 8, "done", said)
        away = {"evaluation": str(write_spots(root / "more", 1)[0]), "audit": "/etc/hostname"}
        worse = {**found, "metrics": {**found["metrics"], "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}}
        write_work(
            server, TWO, 6, "done", {"package": "gone", "digest": "0" * 64, "evaluation": worse, "reports": away}
        )
        yield server


def test_curves_grow_while_it_trains(browser: Browser, server: Running) -> None:
    folder = write_work(server, LIVE, 3, "running")
    with visit(browser, server, dark=True) as one:
        page = one.go(f"/app/train/{LIVE}")
        expect(page.locator("#chart-score circle")).to_have_count(3)
        expect(page.get_by_role("main")).to_contain_text("38% of this step, ")
        one.check("training-live")
        page.locator("#log summary").click()
        write_work(server, LIVE, 5, "running")
        expect(page.locator("#chart-score circle")).to_have_count(5)
        assert page.locator("#log").get_attribute("open") is not None
        write_work(server, LIVE, 5, "failed")
        expect(page.get_by_text("The training failed after")).to_be_visible()
        expect(page.locator("#chart-score circle")).to_have_count(5)  # where it went wrong is looked for in its curves
        one.check("training-failed")
        write_work(server, LIVE, 0, "failed")
        page.reload()
        expect(page.get_by_text("The training failed after")).to_be_visible()
        expect(page.locator("#chart-score")).to_have_count(0)
    (folder / STATE).unlink()


def test_an_order_half_written_outlasts_the_session_beside_a_live_list(browser: Browser, tmp_path: Path) -> None:
    write_spots(tmp_path / "roots" / "films", 2)
    with running(tmp_path / "home", AUTH="on", DATA_ROOTS=str(tmp_path / "roots")) as server:
        write_work(server, LIVE, 3, "running")
        with visit(browser, server, role="engineer") as one:
            page, failed = one.go("/app/train"), one.page.locator("[data-refresh-failed]")
            page.locator("#start > summary").click()
            page.get_by_label("Other lines of the plan").fill("learning_rate=0.003")
            before = page.context.cookies()
            page.context.clear_cookies()
            expect(failed).to_contain_text("You are signed out")
            expect(page.get_by_label("Other lines of the plan")).to_have_value("learning_rate=0.003")
            page.context.add_cookies(before)  # type: ignore[arg-type]  # as another tab signs in again
            expect(failed).to_be_hidden()
            one.check("train-signed-out")
            page.reload()
            page.context.clear_cookies()
            page.wait_for_url("**/login?next=**")  # nothing is lost with a page on which nothing was written
        assert server.parts.works is not None
        (server.parts.works.folder(LIVE) / STATE).unlink()


def test_a_run_that_was_ticked_stays_so_while_the_list_is_brought_up_to_date(browser: Browser, server: Running) -> None:
    folder = write_work(server, LIVE, 3, "running")
    with visit(browser, server) as one:
        page = one.go("/app/train")
        page.locator(f"input[value='{ONE}']").check()
        page.get_by_role("heading", level=1).click()  # a list in which somebody is choosing waits
        write_work(server, LIVE, 5, "running")
        expect(page.locator("tr", has=page.locator(f"input[value='{LIVE}']"))).to_contain_text("80.0%")
        expect(page.locator(f"input[value='{ONE}']")).to_be_checked()
        expect(page.locator(f"input[value='{LIVE}']")).not_to_be_checked()
    (folder / STATE).unlink()


def test_a_page_that_loads_itself_anew_at_the_end_keeps_the_focus_and_what_is_open(
    browser: Browser, server: Running
) -> None:
    folder = write_work(server, LIVE, 3, "running")
    with visit(browser, server) as one:
        page = one.go(f"/app/train/{LIVE}")
        log = page.locator("#log summary")
        log.press("Enter")
        write_work(server, LIVE, 3, "failed")
        expect(page.get_by_text("The training failed after")).to_be_visible()
        expect(log).to_be_focused()
        expect(page.locator("#log")).to_have_attribute("open", "")
        page.reload()
        assert page.evaluate("document.activeElement === document.body")  # by oneself: from the top
        write_work(server, LIVE, 3, "running")
        page.reload()
        page.get_by_role("button", name="Stop").focus()
        write_work(server, LIVE, 3, "failed")
        expect(page.get_by_role("main")).to_be_focused()  # the button went with what it could stop
    (folder / STATE).unlink()


def test_a_training_that_is_not_there_any_more_is_no_silent_server(browser: Browser, server: Running) -> None:
    folder = write_work(server, LIVE, 3, "running")
    with visit(browser, server) as one:
        page = one.go(f"/app/train/{LIVE}")
        (folder / STATE).unlink()
        expect(page.locator("[data-refresh-failed]")).to_contain_text("This is not there any more")
        expect(page.locator("footer [data-state]")).to_have_text("Online")


def test_two_runs_side_by_side_by_keyboard(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/train")
        one.check("train")
        for box in page.get_by_role("checkbox", name=re.compile("^Compare")).all():
            box.focus()
            page.keyboard.press("Space")
        page.get_by_role("button", name="Put the chosen side by side").focus()
        page.keyboard.press("Enter")
        table = page.get_by_role("region", name="Figures side by side")
        row = table.get_by_role("row", name=re.compile("^Accuracy")).inner_text()
        assert "50.0% (40.0 to 60.0%)" in row
        assert server.parts.works is not None
        said = server.parts.works.result(ONE)["evaluation"]["metrics"]["accuracy"]
        assert figure("accuracy", said) in row
        expect(page.locator("#chart-loss svg.chart path.line")).to_have_count(2)
        one.check("train-compared")


@pytest.mark.parametrize(
    "path", ["read", "jobs", "data", "train", f"train/{ONE}", "models/pneumonia-cxr@2.0.0", "settings"]
)
def test_what_stands_below_a_field_is_read_with_it(browser: Browser, server: Running, path: str) -> None:
    """Who goes from field to field hears the label and what the field is described by, and nothing between fields."""
    with visit(browser, server) as one:
        page = one.go(f"/app/{path}")
        always = path in ("read", "jobs", "data", "train")  # what is promoted already has no field for it
        assert page.locator(".field .hint").count() or not always
        assert page.evaluate(UNSAID) == []


def test_too_few_and_too_many_to_be_put_side_by_side_are_told(browser: Browser, server: Running) -> None:
    folders = [write_work(server, f"{i}{ONE[1:]}", 3, "failed") for i in (5, 6, 7)]
    with visit(browser, server) as one:
        page = one.go(f"/app/train?run={ONE}")
        expect(page.locator("#picked")).to_have_text("Choose two to four trainings below to put them side by side.")
        page = one.go("/app/train?" + "&".join(f"run={name}" for name in (ONE, TWO, *(f.name for f in folders))))
        expect(page.locator("#picked")).to_contain_text("5 trainings were chosen: the newest 4")
        one.check("train-too-many")
        page = one.go(f"/app/train?run={ONE}&run={TWO}")
        expect(page.locator("#picked")).to_have_count(0)
    for folder in folders:
        (folder / STATE).unlink()


def test_figures_and_promotion_with_its_reason(browser: Browser, server: Running) -> None:
    with visit(browser, server, size=PHONE) as one:
        page = one.go(f"/app/train/{ONE}")
        expect(page.get_by_role("region", name="What came of it")).to_contain_text(
            re.compile(r"nearest neighbour [0-9.]+% \([0-9.]+ to [0-9.]+%\) right")
        )
        for title in ("Normal", "Pneumonia"):
            expect(
                page.get_by_role("region", name="Truth and answer").get_by_role("rowheader", name=title, exact=True)
            ).to_be_visible()
        one.check("training-done-phone")
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
        page.get_by_label("Reason").fill("finds more")
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_text("It speaks", exact=True)).to_be_visible()
        assert asked == ["Let pneumonia-cxr@2.0.0 answer pneumonia-cxr from now on?"]
        expect(page.get_by_label("Models that answer")).to_contain_text("pneumonia-cxr 2.0.0")
        (event, *_) = history(server.parts.records)
        assert (event.reference, event.why) == ("pneumonia-cxr@2.0.0", "finds more")
        page = one.go(f"/app/train/{TWO}")
        expect(page.get_by_text("is not installed here any more")).to_be_visible()


def test_reports_and_the_card_are_looked_at_where_the_training_is(browser: Browser, server: Running) -> None:
    with visit(browser, server, dark=True) as one:
        page = one.go(f"/app/train/{ONE}")
        page.get_by_text("Evaluation: curves").click()
        frame = page.frame_locator("#report-evaluation iframe")
        expect(frame.get_by_role("heading", level=1)).to_be_visible()
        before = frame.locator("output").first.text_content()
        frame.locator("input[type=range]").first.press("Home")  # its script runs, in an origin of its own
        expect(frame.locator("output").first).not_to_have_text(before or "")
        page.get_by_text("Audit of the data").click()
        expect(page.frame_locator("#report-audit iframe").get_by_role("heading", level=1)).to_be_visible()
        page.get_by_text("Card of the package").click()
        card = page.get_by_role("region", name="Model card")
        expect(card).to_contain_text("What it is for")
        inside = "card => card.firstElementChild.clientHeight >= card.firstElementChild.scrollHeight"
        assert card.evaluate(inside), "words run out of their frame"
        one.check("training-reports")
        with page.expect_popup() as alone:
            page.get_by_role("link", name="Open it alone").first.click()
        expect(alone.value.get_by_role("heading", level=1)).to_be_visible()
        assert alone.value.evaluate("origin") == "null"
    answer = server.ask("GET", f"/works/{ONE}/report?of=audit")
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert server.ask("GET", f"/works/{TWO}/report").status == 404  # it lies outside of the home folder


def test_what_was_asked_of_a_training_is_told_and_fills_the_form_again(browser: Browser, server: Running) -> None:
    """A mistyped line fails a minute later: nobody should have to choose the rest once more."""
    films = str((server.parts.settings.data_roots[0] / "films").resolve())
    lines = ["--network=residual-s", "--set=epochs=7", "--set=augmentation=light", "--set=lr=fast", "--folds=3"]
    folder = write_work(server, FAILED, 0, "failed")
    told = json.loads((folder / STATE).read_text())
    told["arguments"] = [films, "--task=pneumonia-cxr", *lines, "--seed=5"]
    (folder / STATE).write_text(json.dumps(told))
    said = "network=residual-s, epochs=7, augmentation=light, lr=fast, folds=3, seed=5"
    try:
        with visit(browser, server) as one:
            expect(one.go("/app/train").get_by_role("region", name="Trainings")).to_contain_text(said)
            page = one.go(f"/app/train/{FAILED}")
            expect(page.locator("main")).to_contain_text(f"With {said}.")
            page.get_by_role("link", name="Change the data or the settings").click()
            expect(page.get_by_label("Images", exact=True)).to_have_value("films")
            expect(page.get_by_label("Question")).to_have_value("pneumonia-cxr")
            expect(page.get_by_label("Network", exact=True)).to_have_value("residual-s")
            expect(page.get_by_label("Epochs")).to_have_value("7")
            expect(page.get_by_label("Variation of the images")).to_have_value("light")
            expect(page.get_by_label("Networks that answer together")).to_have_value("3")
            expect(page.get_by_label("Seed")).to_have_value("5")
            expect(page.get_by_label("Other lines of the plan")).to_have_value("lr=fast")
            one.check("train-again")
    finally:
        shutil.rmtree(folder)


def test_an_order_takes_the_lines_of_the_plan_along(
    browser: Browser, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[tuple[str, ...]] = []
    works = server.parts.works
    assert works is not None

    def begin(kind: str, title: str, arguments: list[str], caller: str) -> Any:
        began.append((kind, title, *arguments[1:], caller))
        return replace(works.get(ONE), arguments=tuple(arguments))

    monkeypatch.setattr(type(works), "begin", lambda _, *given, **_key: begin(*given[:4]))
    with visit(browser, server) as one:
        page = one.go("/app/train")
        page.get_by_text("Start a training").click()
        page.get_by_label("Question").select_option("pneumonia-cxr")
        page.get_by_label("Network", exact=True).select_option("residual-s")
        page.get_by_label("Epochs").fill("2")
        page.get_by_label("Other lines of the plan").fill("learning_rate")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("form[data-train] [data-said]")).to_contain_text("write name=value")
        page.get_by_label("Other lines of the plan").fill("learning_rate=0.01")
        one.check("train-form")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url(f"**/app/train/{ONE}")
    lines = ("--task=pneumonia-cxr", "--network=residual-s", "--set=epochs=2", "--set=learning_rate=0.01", "--seed=0")
    assert began == [("train", "pneumonia-cxr on films", *lines, "local")]


@pytest.mark.parametrize(
    ("path", "to", "button", "field"),
    [
        ("/app/train", "**/trainings", "Start", "Seed"),
        ("/app/data", "**/audits", "Audit the folder", "Read labels by the rules of"),
        ("/app/models/pneumonia-cxr", "**/evaluate", "Measure on the folder", "Operating point"),
    ],
)
def test_what_is_pressed_twice_is_begun_once(
    browser: Browser, server: Running, path: str, to: str, button: str, field: str
) -> None:
    with visit(browser, server) as one:
        keys: list[str] = []
        asked = detour(one.page, to)
        page = one.go(path)
        for shut in page.locator("#start:not([open]) > summary, #measure:not([open]) > summary").all():
            shut.click()

        def take(route: Route) -> None:
            keys.append(route.request.headers.get("idempotency-key", ""))
            route.fulfill(status=503, json={"detail": "The line is full."})

        asked.to = take
        for changed in (False, False, True):
            if changed and field == "Seed":
                page.get_by_label(field, exact=True).fill("7")
            elif changed:
                page.get_by_label(field, exact=True).first.select_option(index=1)
            with page.expect_response(to):
                page.get_by_role("button", name=button).click()
            expect(page.get_by_role("button", name=button)).to_be_enabled()
        assert len(keys[0]) == 32
        assert keys[1] == keys[0]
        assert keys[2] != keys[0]


def test_where_nothing_can_be_learned_or_read_the_page_says_so(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path_factory.mktemp("bare"), AUTH="on") as server:
        with visit(browser, server, role="engineer") as one:
            page = one.go("/app/train")
            expect(page.get_by_text("No folder is open to this page.")).to_be_visible()
            expect(page.get_by_role("heading", name="No training yet")).to_be_visible()
            monkeypatch.setattr(page_module, "can_learn", lambda: False)
            page.reload()
            expect(page.get_by_text("hilum[learn]")).to_be_visible()
            one.check("train-lacking")
        with visit(browser, server, role="reviewer") as one:
            page = one.go("/app/train")
            expect(page.get_by_role("heading", level=1)).to_have_text("This page is not for your role")


def test_every_network_that_can_be_trained_can_be_chosen() -> None:
    assert set(NETWORKS) - {""} == set(DESIGNS) - {"residual", "average", "mixture"}


def test_a_training_again_on_what_is_gone_begins_on_nothing_else(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "root" / "another").mkdir(parents=True)
    with running(tmp_path / "home", DATA_ROOTS=str(tmp_path / "root")) as server, visit(browser, server) as one:
        folder = write_work(server, FAILED, 1, "failed")
        asked = {"arguments": [str(tmp_path / "root" / "gone"), "--task=no-question-of-ours"]}
        (folder / STATE).write_text(json.dumps({**json.loads((folder / STATE).read_text()), **asked}))
        page = one.go(f"/app/train?again={FAILED}")
        for name in ("Images", "Question"):
            chosen = page.get_by_label(name, exact=True)
            expect(chosen.locator("option:checked")).to_have_text("Not offered any more: choose")
            assert not chosen.evaluate("field => field.checkValidity()")  # the browser asks for a choice
        one.check()
