"""What stands beside an answer is its own in a real browser: picture, heatmap, name and what was said, however late."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import ROOT
from tests.image.made import dicom_bytes, dicom_set
from tests.interfaces.http.running import Running, running
from tests.web.looking import Visit, detour, visit
from tests.web.test_read import shown

BRAINS, CHESTS = ROOT / "samples/brain-tumor-mri", ROOT / "samples/pneumonia-cxr"
GLIOMA, MENINGIOMA, PITUITARY = (BRAINS / f"{name}-1.png" for name in ("glioma", "meningioma", "pituitary"))
NORMAL, PNEUMONIA = CHESTS / "normal-1.png", CHESTS / "pneumonia-1.png"
PNG = {"Content-Type": "image/png"}
GATES = """(() => { const { fetch } = window; window.gates = [];
window.fetch = async (address, how) => {
const gate = gates.findLast(one => String(address).includes(one.part));
const found = await fetch(address, how);
if (gate) { gate.waiting += 1; await gate.opened; }
return found; }; })()"""  # answers that are let through only once the test says so, by a part of their address

DRAWN_LATE = """(() => { const { createImageBitmap } = window; window.drawn = [];
window.createImageBitmap = async (...what) => {
if (what[0] instanceof File) await new Promise(done => drawn.push(done));
return createImageBitmap(...what); }; })()"""  # a local file is drawn once the test says so


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), THREADS="1", SERVE_THREADS="1") as server:
        yield server


@dataclass(frozen=True)
class Gate:
    """A gate of a page: answers that were asked for while it was the last one wait at it."""

    page: Page
    number: int

    def is_reached(self) -> None:
        """Wait until an answer waits."""
        self.page.wait_for_function("number => gates[number].waiting", arg=self.number)

    def open(self) -> None:
        """Let pass who waits, and whoever comes to it."""
        self.page.evaluate("number => gates[number].open()", self.number)


def closed(page: Page, part: str) -> Gate:
    """A gate for answers from addresses with this part, from now on."""
    made = "part => { const one = { part, waiting: 0 }; one.opened = new Promise(done => (one.open = done)); "
    return Gate(page, page.evaluate(made + "return gates.push(one) - 1; }", part))


def series(folder: Path, *pictures: Path | None) -> Path:
    """A DICOM object of several frames; None: a black one."""
    frames = [np.zeros((224, 224)) if one is None else np.asarray(Image.open(one).convert("L")) for one in pictures]
    film = folder / "series.dcm"
    stack = np.stack(frames).astype(np.uint16) * 16
    film.write_bytes(dicom_bytes(dicom_set(stack, Modality="MR", BodyPartExamined="BRAIN")))
    return film


def packed(folder: Path, name: str, **members: Path) -> Path:
    """A zip; a member named `cut` is broken off in its middle."""
    with zipfile.ZipFile(folder / name, "w") as made:
        for stem, path in members.items():
            data = path.read_bytes()
            made.writestr(f"{stem}.png", data[: len(data) // 2] if stem.startswith("cut") else data)
    return folder / name


def read(one: Visit, *files: Path) -> Page:
    """Put files on Read, with gates where the test closes some, and wait for their answers."""
    one.page.add_init_script(GATES)
    page = one.go("/app/read")
    page.set_input_files("#files", list(files))
    if len(files) > 1:
        expect(page.locator(".tally")).to_contain_text("answered")
    expect(page.locator("#answer .answer")).to_be_visible()
    expect(page.locator(".pane .figures-of")).to_contain_text("×")
    return page


def stands(page: Page, name: str, title: str) -> None:
    """Wait until the picture of this name and the answer of this title stand beside each other."""
    expect(page.locator("#answer .is")).to_have_text(title)
    expect(page.locator(".pane .name").first).to_contain_text(name)
    expect(page.locator(".veil")).to_be_hidden()


def test_one_unread_image_of_a_zip_shifts_no_answer(browser: Browser, server: Running, tmp_path: Path) -> None:
    some = packed(tmp_path, "some.zip", a=NORMAL, cut=NORMAL, c=GLIOMA, d=PNEUMONIA)
    first = packed(tmp_path, "first.zip", cut=NORMAL, c=GLIOMA)
    with visit(browser, server) as one:
        page = read(one, some, first)
        strip = page.locator(".strip .said")
        expect(strip).to_have_text(["4 images: 3 answered, 1 not read", "2 images: 1 answered, 1 not read"])
        expect(page.locator(".tally")).to_have_text("0 of 2 files are answered; 2 only in part.")
        expect(page.locator("#answer")).to_contain_text("1 of 4 was not read: cut.png")
        stands(page, "a.png", "Normal")
        for name, title in (("c.png", "Glioma"), ("d.png", "Pneumonia")):
            page.keyboard.press(".")
            stands(page, name, title)
            expect(page.locator("#answer [data-of]")).to_contain_text(name)
            identity = page.locator("[data-feedback]").get_attribute("data-feedback")
            assert server.ask("GET", f"/predictions/{identity}").json()["file"] == name
        one.check("read-zip")
        page.keyboard.press("j")
        stands(page, "c.png", "Glioma")
        assert one.faults == []


def test_a_frame_that_comes_late_takes_no_other_place(browser: Browser, server: Running, tmp_path: Path) -> None:
    film = series(tmp_path, GLIOMA, PITUITARY, MENINGIOMA)
    with visit(browser, server) as one:
        page = read(one, film, PNEUMONIA)
        page.keyboard.press("j")
        stands(page, "pneumonia-1.png", "Pneumonia")
        chest = shown(page)
        page.keyboard.press("k")
        stands(page, "frame 1", "Glioma")
        late = closed(page, "/pixels")
        page.keyboard.press(".")
        late.is_reached()
        page.keyboard.press("j")
        stands(page, "pneumonia-1.png", "Pneumonia")
        late.open()
        page.wait_for_timeout(500)  # in which nothing must happen
        stands(page, "pneumonia-1.png", "Pneumonia")
        assert shown(page) == chest
        page.keyboard.press("k")
        stands(page, "frame 1", "Glioma")
        late = closed(page, "/pixels")
        page.keyboard.press(".")
        late.is_reached()
        closed(page, "/pixels").open()  # the second of two may overtake the first
        page.keyboard.press(".")
        page.wait_for_timeout(500)
        late.open()
        stands(page, "frame 3", "Meningioma")
        page.wait_for_timeout(500)  # in which nothing must happen
        stands(page, "frame 3", "Meningioma")
        last = shown(page)
        page.keyboard.press("Home")
        stands(page, "frame 1", "Glioma")
        page.keyboard.press("End")
        stands(page, "frame 3", "Meningioma")
        assert shown(page) == last
        assert one.faults == []


def test_a_key_held_down_on_a_long_series_asks_for_no_pile_of_frames(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    with visit(browser, server) as one:
        page = read(one, series(tmp_path, GLIOMA, *([None] * 18), PITUITARY))
        stands(page, "frame 1", "Glioma")
        late = closed(page, "/pixels")
        page.keyboard.press(".")
        late.is_reached()
        asked: list[str] = []
        page.on("request", lambda request: "/pixels" in request.url and asked.append(request.url))
        for _ in range(18):
            page.keyboard.press(".")
        late.open()
        stands(page, "frame 20", "Pituitary tumour")
        expect(page.locator("[data-slide=frame] + output")).to_have_text("20 of 20")
        assert len(asked) < 9, asked  # the first that was on its way, and then the last; one each before
        assert one.faults == []


def test_a_long_series_fits_a_narrow_window(browser: Browser, server: Running, tmp_path: Path) -> None:
    with visit(browser, server, size=(820, 900)) as one:
        page = read(one, series(tmp_path, *([None] * 100)))
        page.keyboard.press("End")
        stands(page, "frame 100", "No answer")
        expect(page.locator("[data-slide=frame] + output")).to_have_text("100 of 100")
        one.check("read-long-series")


def test_a_heatmap_that_comes_late_covers_no_other_picture(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, PNEUMONIA, GLIOMA)
        page.keyboard.press("j")
        stands(page, "glioma-1.png", "Glioma")
        page.keyboard.press("m")
        expect(page.locator(".pane .name")).to_contain_text("with heatmap")
        own = shown(page)
        page.keyboard.press("m")
        page.keyboard.press("k")
        stands(page, "pneumonia-1.png", "Pneumonia")
        other = closed(page, "/heatmap")
        page.keyboard.press("m")
        other.is_reached()
        its = closed(page, "/heatmap")
        page.keyboard.press("j")
        stands(page, "glioma-1.png", "Glioma")  # it does not wait for its heatmap
        its.is_reached()
        other.open()
        page.wait_for_timeout(500)  # in which nothing must happen
        assert shown(page)["colour"] == 0
        its.open()
        expect(page.locator(".pane .name")).to_contain_text("with heatmap")
        assert shown(page) == own


def test_until_it_is_there_nothing_else_stands_in_its_place(browser: Browser, server: Running, tmp_path: Path) -> None:
    with visit(browser, server) as one:
        page = read(one, series(tmp_path, GLIOMA, PITUITARY), PNEUMONIA)
        page.keyboard.press("j")
        stands(page, "pneumonia-1.png", "Pneumonia")
        picture = closed(page, "/pixels")
        page.keyboard.press("k")
        expect(page.locator(".veil")).to_have_text("Loading the picture")
        expect(page.locator(".veil")).to_be_visible()
        picture.open()
        stands(page, "frame 1", "Glioma")
        answer = closed(page, "/answer/")
        page.keyboard.press(".")
        expect(page.locator("#answer")).to_have_text("Loading the answer")
        assert page.locator("[data-feedback]").count() == 0
        answer.open()
        stands(page, "frame 2", "Pituitary tumour")


def test_a_file_of_several_is_summed_up_and_a_batch_is_no_answer(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    with visit(browser, server) as one:
        asked = detour(one.page, "**/predict")
        page = read(one, series(tmp_path, None, GLIOMA, PITUITARY))
        expect(page.locator(".pane .name")).to_have_text("series.dcm  ·  frame 1")
        page.keyboard.press(".")
        stands(page, "frame 2", "Glioma")
        asked.to = lambda route: route.fulfill(status=202, json={"id": "b", "files": 100})
        page.set_input_files("#files", packed(tmp_path, "many.zip", a=GLIOMA))
        said = page.locator(".strip .said")
        expect(said).to_have_text(["3 images: 2 answered, 1 refused", "Became a batch"])
        expect(page.locator(".tally")).to_have_text("1 of 2 files are answered; 1 became a batch.")


def test_a_key_that_stays_down_is_one_press_and_what_was_said_stays(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA, MENINGIOMA)
        sent: list[str] = []
        page.on("request", lambda asked: asked.url.endswith("/feedback") and sent.append(asked.url))
        for _ in range(12):
            page.keyboard.down("y")
            page.wait_for_timeout(60)
        page.keyboard.up("y")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        page.keyboard.press("j")
        stands(page, "meningioma-1.png", "Meningioma")
        page.keyboard.press("k")
        stands(page, "glioma-1.png", "Glioma")
        expect(page.get_by_role("button", name="Yes, glioma")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("[data-feedback] [data-said]")).to_have_text("On record: Glioma.")
        page.keyboard.press("y")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("On record already")
        assert len(sent) == 1
        page.locator("#answer dd a[href^='/app/history/']").click()
        expect(page.locator("#heard")).to_contain_text("right")
        page.get_by_role("button", name="No: meningioma").click()
        expect(page.locator("#heard li")).to_have_count(2)


def test_the_keys_for_right_and_taken_back_work_where_an_answer_is_looked_at_again(
    browser: Browser, server: Running
) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA)
        identity = page.locator("[data-feedback]").get_attribute("data-feedback")
        one.go(f"/app/history/{identity}")
        page.keyboard.press("y")
        expect(page.locator("#heard li")).to_have_count(1)
        page.keyboard.press("Shift+Y")
        expect(page.locator("#heard li")).to_contain_text(["right (taken back)", "taken back"])


def test_what_was_said_by_mistake_is_taken_back_by_keyboard(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA)
        said, back = page.locator("[data-feedback] [data-said]"), page.get_by_role("button", name="Take it back")
        expect(back).to_be_hidden()
        page.get_by_role("button", name="No: meningioma").focus()
        page.keyboard.press("Enter")
        expect(said).to_contain_text("Recorded: Meningioma")
        expect(back).to_be_visible()
        identity = page.locator("[data-feedback]").get_attribute("data-feedback")
        page.keyboard.press("Shift+Y")
        expect(said).to_contain_text("Taken back: it stays on record and counts no more.")
        expect(page.locator("[data-feedback] [aria-pressed=true]")).to_have_count(0)
        expect(page.get_by_role("button", name="Yes, glioma")).to_be_focused()
        one.check("read-taken-back")
        page = one.go(f"/app/history/{identity}")
        expect(page.locator("#heard li")).to_contain_text(["it is meningioma (taken back)", "taken back"])
        expect(page.locator("[data-feedback] [aria-pressed=true]")).to_have_count(0)
        expect(back).to_be_hidden()
        page.get_by_role("button", name="Yes, glioma").click()
        expect(back).to_be_visible()
        expect(page.locator("#heard li")).to_have_count(3)
        assert one.faults == []


def test_consent_and_question_outlast_a_reload_and_a_fresh_start(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Do not keep it").check()
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        page.get_by_label("Operating point", exact=True).select_option("screening")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        for again in (page.reload, page.get_by_role("link", name="Start afresh").click):
            again()
            expect(page.locator("[data-chosen]")).to_contain_text("screening · images are not kept")
            values = [page.locator(f"#{name}").input_value() for name in ("task", "point")]
            assert values == ["brain-tumor-mri", "screening"]
            assert page.locator("input[name=keep]:checked").get_attribute("value") == "false"
        page.set_input_files("#files", MENINGIOMA)
        expect(page.locator("#answer .is")).to_have_text("Meningioma")
        last = server.ask("GET", "/predictions?limit=1").json()["predictions"][0]
        assert (last["image"], last["operating_point"]) == (False, "screening")


def test_what_was_asked_wrongly_is_asked_again_as_the_question_stands(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        sent: list[str] = []
        page.on("request", lambda asked: asked.url.endswith("/predict") and sent.append(asked.url))
        page.get_by_text("Question and consent").click()
        page.get_by_label("Share of images with disease here").fill("5")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer")).to_contain_text("This cannot be asked so")
        expect(page.locator("#answer")).to_contain_text("Share of images with disease here: ")
        assert sent == []
        page.get_by_label("Share of images with disease here").fill("")
        page.get_by_label("Question", exact=True).select_option("pneumonia-cxr")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#answer .is")).to_have_text("No answer")
        expect(page.get_by_role("button", name="Ask again")).to_be_hidden()
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        stands(page, "glioma-1.png", "Glioma")
        one.check("read-asked-again")


def test_with_a_refusal_nobody_can_disagree(browser: Browser, server: Running, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (300, 200), 12).save(blank)
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        page.set_input_files("#files", blank)
        expect(page.locator("#answer .is")).to_have_text("No answer")
        page.locator("#answer").get_by_role("button", name="Glioma").click()
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        one.go("/app/history")
        row = page.locator("table.work tbody tr").first
        expect(row).to_contain_text("Labelled")
        expect(row).not_to_contain_text("isagreed")


def test_a_server_that_fell_silent_takes_no_picture_away(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA, PNEUMONIA)
        stands(page, "glioma-1.png", "Glioma")
        before = shown(page)
        page.keyboard.press("j")
        stands(page, "pneumonia-1.png", "Pneumonia")
        page.context.set_offline(True)
        page.keyboard.press("m")
        expect(page.locator("#said")).to_contain_text("could not be fetched")
        expect(page.locator('[data-act="heat"]')).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("k")
        stands(page, "glioma-1.png", "Glioma")
        assert shown(page) == before
        assert [fault for fault in one.faults if not re.search("DISCONNECTED", fault)] == []


def test_two_answers_beside_each_other_explain_each_its_own(browser: Browser, server: Running) -> None:
    ids = [server.ask("POST", "/predict", one.read_bytes(), PNG).json()["id"] for one in (GLIOMA, PNEUMONIA)]
    with visit(browser, server) as one:
        page = one.go(f"/app/compare?a={ids[0]}&b={ids[1]}")
        page.get_by_role("button", name="What is meant: Calibrated probability").last.click()
        expect(page.locator("[popover]:popover-open")).to_contain_text("truly pneumonia")
        one.check("compare-what")


def test_the_list_tells_frames_and_classes_of_one_title_apart(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    film = series(tmp_path, GLIOMA, PITUITARY).read_bytes()
    assert server.ask("POST", "/predict", film, {"Content-Type": "application/dicom"}).status == 200
    with visit(browser, server, size=(360, 740)) as one:
        page = one.go("/app/history")
        rows = page.locator("table.work tbody tr")
        expect(rows.first).to_contain_text("frame 2", use_inner_text=True)
        expect(rows.nth(1)).to_contain_text("frame 1", use_inner_text=True)
        answers = page.locator("#fclass option")
        assert len(set(answers.all_inner_texts())) == answers.count()
        page.get_by_label("Answer", exact=True).select_option("pneumonia")
        expect(page).to_have_url(re.compile("class=pneumonia"))
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        expect(page).to_have_url(re.compile("task=brain-tumor-mri&class=&"))
        expect(page.get_by_label("Answer", exact=True)).to_have_value("")
        expect(page.locator("#fclass option:not([hidden])")).to_have_count(5)
        one.check("history-360")


def corners(page: Page) -> list[int]:
    """Grey of the picture's quarters as they stand on the screen: upper left, upper right, lower left, lower right."""
    shot = np.asarray(Image.open(io.BytesIO(page.locator(".pane canvas").first.screenshot())).convert("L"))
    row, column, off = shot.shape[0] // 2, shot.shape[1] // 2, min(shot.shape) // 8
    return [int(shot[row + y, column + x]) for y in (-off, off) for x in (-off, off)]


def come_to_rest(page: Page, right: Callable[[list[int]], bool]) -> None:
    """Wait until the corners are as they should be: a picture is drawn after the words beside it."""
    late = time.monotonic() + 120
    while not right(found := corners(page)):
        assert time.monotonic() < late, found
        page.wait_for_timeout(50)


def test_a_turn_is_to_the_right_as_one_sees_it_and_stays_with_its_picture(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    quarters, other = tmp_path / "quarters.png", tmp_path / "other.png"
    Image.fromarray(np.kron(np.array([[60, 110], [170, 250]]), np.ones((150, 150))).astype(np.uint8)).save(quarters)
    Image.fromarray(np.kron(np.array([[250, 110], [170, 60]]), np.ones((120, 150))).astype(np.uint8)).save(other)
    with visit(browser, server) as one:
        page = read(one, quarters, other)
        words = page.locator(".pane .figures-of")
        come_to_rest(page, lambda greys: np.argsort(greys).tolist() == [0, 1, 2, 3])
        upright = corners(page)
        for mirror, order in (("h", [1, 0, 3, 2]), ("v", [2, 3, 0, 1])):
            page.keyboard.press(mirror)
            expect(words).to_contain_text("mirrored")
            upper_left, upper_right, lower_left, lower_right = mirrored = [upright[corner] for corner in order]
            come_to_rest(page, mirrored.__eq__)
            page.keyboard.press("r")
            come_to_rest(page, [lower_left, upper_left, lower_right, upper_right].__eq__)
            page.keyboard.press("Space")
            expect(words).not_to_contain_text("mirrored")
        for key in "rhi+":
            page.keyboard.press(key)
        expect(words).to_contain_text("mirrored")
        page.keyboard.press("j")
        expect(page.locator(".pane .name")).to_contain_text("other.png")
        expect(words).not_to_contain_text("turned")
        expect(words).not_to_contain_text("mirrored")
        come_to_rest(page, lambda greys: np.argsort(greys).tolist() == [3, 1, 2, 0])
        page.keyboard.press("k")
        expect(page.locator(".pane .name")).to_contain_text("quarters.png")
        expect(words).not_to_contain_text("mirrored")
        come_to_rest(page, upright.__eq__)


def test_a_heatmap_that_was_not_to_be_had_now_is_not_said_to_be_missing(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        heatmap = detour(one.page, "**/heatmap?*")
        page = read(one, GLIOMA)
        heatmap.to = lambda route: route.fulfill(status=503, body="later")
        page.keyboard.press("m")
        expect(page.locator("#said")).to_contain_text("could not be fetched now")
        heatmap.to = Route.fallback
        page.keyboard.press("m")
        expect(page.locator(".heat-scale")).to_be_visible()


def test_a_picture_whose_answer_comes_while_it_is_drawn_is_drawn_once(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        one.page.add_init_script(DRAWN_LATE)
        page = one.go("/app/read")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer .answer")).to_be_visible()
        page.wait_for_function("drawn.length")
        page.evaluate("drawn.shift()()")
        expect(page.locator(".pane .figures-of")).to_contain_text("×")
        page.keyboard.press("m")
        expect(page.locator(".pane .name")).to_contain_text("with heatmap")
        assert page.evaluate("drawn.length") == 0  # a second drawing would put away what was done to the first
        assert one.faults == []


def test_a_note_that_was_begun_stands_there_again_until_it_is_sent(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA, MENINGIOMA)
        files, note = page.locator(".strip button"), page.locator("[data-feedback] textarea")
        page.get_by_text("Add a note").click()
        note.fill("its rim is bright")
        for value in ("its rim is bright", ""):
            files.last.click()
            stands(page, "meningioma-1.png", "Meningioma")
            expect(note).to_have_value("")
            files.first.click()
            stands(page, "glioma-1.png", "Glioma")
            expect(note).to_have_value(value)
            if value:
                expect(note).to_be_visible()
                page.get_by_role("button", name="Yes, glioma").click()
                expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        assert one.faults == []


def test_one_goes_from_image_to_image_of_a_file_by_one_button_and_the_keyboard(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    """The button went with the answer it stood in, and the focus with the button."""
    frames, zipped = series(tmp_path, GLIOMA, PITUITARY, MENINGIOMA), packed(tmp_path, "two.zip", a=GLIOMA, b=NORMAL)
    with visit(browser, server) as one:
        page = read(one, frames)
        before, after = (page.get_by_role("button", name=name, exact=True) for name in ("Before", "Next"))
        after.focus()
        for place in ("2 of 3", "3 of 3"):
            page.keyboard.press("Enter")
            expect(page.locator("[data-of]")).to_contain_text(place)
            expect(after if place == "2 of 3" else before).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("[data-of]")).to_contain_text("2 of 3")
        expect(before).to_be_focused()
        page.set_input_files("#files", zipped)
        page.keyboard.press("j")
        expect(page.locator("[data-of]")).to_contain_text("1 of 2")
        after.focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-of]")).to_contain_text("2 of 2")
        expect(before).to_be_focused()
        assert one.faults == []


def test_what_is_pressed_and_goes_leaves_the_focus_with_the_answer(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        way = detour(one.page, "**/predict")
        page = one.go("/app/read")
        answer = page.locator("#answer")
        page.get_by_role("button", name="Glioma").press("Enter")
        expect(answer.locator(".is")).to_have_text("Glioma")
        expect(answer).to_be_focused()
        one.check("read-focus")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Operating point", exact=True).select_option("screening")
        page.get_by_role("button", name="Ask again as set above").press("Enter")
        expect(answer).to_contain_text("screening")
        expect(answer).to_be_focused()
        way.to = Route.abort
        page.set_input_files("#files", NORMAL)
        page.keyboard.press("j")
        again = page.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        way.to = Route.fallback
        again.press("Enter")
        expect(answer.locator(".is")).to_have_text("Normal")
        expect(answer).to_be_focused()


def test_what_is_written_while_a_press_is_on_its_way_stays_and_keeps_the_focus(
    browser: Browser, server: Running
) -> None:
    """On a slow line the note was wiped away, and what was typed from then on were keys of the page."""
    held: list[Route] = []
    with visit(browser, server) as one:
        detour(one.page, "**/feedback").to = held.append
        page = read(one, GLIOMA)
        with page.expect_request("**/feedback"):
            page.get_by_role("button", name="Yes, glioma").click()
        page.get_by_text("Add a note").click()
        note = page.locator("[data-feedback] textarea")
        note.press_sequentially("a rim")
        held[0].fallback()
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        expect(note).to_be_focused()
        expect(note).to_have_value("a rim")
        assert one.faults == []


def test_a_key_for_right_takes_the_focus_nowhere(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = read(one, GLIOMA)
        page.get_by_role("button", name="Invert").focus()
        page.keyboard.press("y")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        expect(page.get_by_role("button", name="Invert")).to_be_focused()


def test_of_a_single_picture_the_keys_for_the_first_and_last_frame_are_the_browsers(
    browser: Browser, server: Running
) -> None:
    left = """() => { window.left = [];
        addEventListener("keydown", one => left.push([one.key, !one.defaultPrevented])); }"""
    with visit(browser, server) as one:
        page = read(one, GLIOMA)
        page.evaluate(left)
        for key in ("Home", "End"):
            page.keyboard.press(key)
        assert page.evaluate("left") == [["Home", True], ["End", True]]
