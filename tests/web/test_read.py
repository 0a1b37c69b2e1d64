"""Read in a real browser on a real server: drop, answer, viewer, feedback, history, by mouse and by keys alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import ROOT
from tests.image.made import dicom_bytes, dicom_set
from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, WIDE, detour, visit

GLIOMA = ROOT / "samples/brain-tumor-mri/glioma-1.png"
CHEST = ROOT / "samples/pneumonia-cxr/pneumonia-1.png"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), THREADS="1", SERVE_THREADS="1") as server:
        yield server


def drop(page: Page, *files: Path) -> None:
    page.set_input_files("#files", list(files))
    expect(page.locator("#answer .is")).to_be_visible(timeout=60_000)


# the brightest grey along the middle row of the pane
BRIGHT = """() => { const c = document.querySelector('.pane canvas'); if (c.width < 9) return 0;
const d = c.getContext('2d').getImageData(0, c.height / 2, c.width, 1).data;
return Math.max(...d.filter((_, i) => i % 4 === 0)); }"""


def painted(page: Page) -> None:
    """Wait until what was asked for stands on the screen."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


def shown(page: Page) -> dict[str, float]:
    """The picture as it stands on the screen: mean grey, mean distance of red from blue."""
    painted(page)
    found: dict[str, float] = page.evaluate(
        """() => { const c = document.querySelector('.pane canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let sum = 0, red = 0; for (let i = 0; i < d.length; i += 4) { sum += d[i]; red += Math.abs(d[i] - d[i + 2]); }
        return { grey: sum / (d.length / 4), colour: red / (d.length / 4) }; }"""
    )
    return found


def test_the_classes_stay_in_their_column_beside_the_picture(browser: Browser, server: Running) -> None:
    over = """() => [...document.querySelectorAll("#answer table.odds")].map(one =>
        Math.round(one.getBoundingClientRect().right - one.parentElement.getBoundingClientRect().right))"""
    with visit(browser, server, size=(1280, 800)) as one:
        page = one.go("/")
        drop(page, GLIOMA)
        for width in (1280, 1024, 1366):
            page.set_viewport_size({"width": width, "height": 800})
            painted(page)
            assert page.evaluate(over) == [0], width


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, PHONE), (False, (320, 640))])
def test_from_a_file_to_its_answer_and_into_the_history(
    browser: Browser, server: Running, dark: bool, size: tuple[int, int]
) -> None:
    with visit(browser, server, dark=dark, size=size) as one:
        page = one.go("/")
        expect(page.get_by_role("heading", name="Drop images here")).to_be_visible()
        one.check(f"read-empty-{size[0]}")
        drop(page, GLIOMA)
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        said = server.ask("GET", "/predictions?limit=1").json()["predictions"][0]
        expect(page.locator("#answer .number")).to_have_text(f"{100 * said['prediction']['probability']:.1f}%")
        for words in ("How sure", "What else is possible", "May it be trusted", "Is this right?", "Research use only"):
            expect(page.locator("#answer")).to_contain_text(words)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        one.check(f"read-answer-{size[0]}")
        page.get_by_role("button", name="Yes, glioma").click()
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Glioma")
        page.goto(one.address + "/app/history")
        row = page.locator("table.work tbody tr").first
        expect(row).to_contain_text("Glioma")
        expect(row).to_contain_text("Agreed")
        row.get_by_role("link", name="Glioma").click()
        expect(page.locator(".answer .is")).to_have_text("Glioma")
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        one.check(f"record-{size[0]}")
    (feedback,) = server.ask("GET", f"/predictions/{said['id']}").json()["feedback"]
    assert feedback["agrees"]


def test_everything_by_keys_alone(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        sample = page.get_by_role("button", name="Meningioma")
        for _ in range(40):
            page.keyboard.press("Tab")
            if sample.evaluate("e => e === document.activeElement"):
                break
        page.keyboard.press("Enter")
        expect(page.locator("#answer .is")).to_have_text("Meningioma")
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        before = shown(page)
        assert before["colour"] == 0
        page.keyboard.press("m")
        expect(page.locator(".heat-scale")).to_be_visible()
        page.wait_for_function("() => document.querySelector('.pane .name').textContent.includes('with heatmap')")
        assert shown(page)["colour"] > 1
        page.keyboard.down("o")
        assert shown(page) == before
        page.keyboard.up("o")
        assert shown(page)["colour"] > 1
        page.keyboard.press("s")
        expect(page.locator(".pane")).to_have_count(2)
        scale, original = page.locator(".heat-scale").bounding_box(), page.locator(".pane").last.bounding_box()
        assert scale["x"] + scale["width"] <= original["x"]  # the colours are not those of the original
        page.keyboard.press("s")
        page.keyboard.press("m")
        page.keyboard.press("i")
        assert shown(page)["grey"] > before["grey"] + 30
        page.keyboard.press("i")
        for _ in range(4):
            page.keyboard.press("Shift+ArrowUp")
        expect(page.locator('[data-slide="level"]')).to_have_value("40")
        assert shown(page)["grey"] > before["grey"]
        page.keyboard.press("r")
        page.keyboard.press("h")
        expect(page.locator(".pane .figures-of")).to_contain_text("turned 90°")
        expect(page.locator(".pane .figures-of")).to_contain_text("mirrored")
        page.keyboard.press("+")
        magnified = page.locator(".pane .figures-of").text_content()
        page.keyboard.press("s")
        expect(page.locator(".pane")).to_have_count(2)
        page.keyboard.press("s")
        page.locator("body").evaluate("e => document.activeElement.blur()")
        page.keyboard.press("Space")
        expect(page.locator(".pane .figures-of")).not_to_contain_text("turned")
        assert page.locator(".pane .figures-of").text_content() != magnified
        page.keyboard.press("y")
        expect(page.locator("[data-feedback] [data-said]")).to_contain_text("Recorded: Meningioma")
        page.keyboard.press("g")
        page.keyboard.press("h")
        page.wait_for_url("**/app/history")
        assert one.faults == []


def test_keys_are_listed_changed_and_switched_off(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert dialog.locator("tbody button").count() > 35
        one.check("keys")
        dialog.get_by_role("button", name="Invert: key I. Change").click()
        page.keyboard.press("x")
        expect(dialog.locator("[data-keys-said]")).to_contain_text("Invert is now on X")
        dialog.get_by_role("button", name=re.compile("^Flip left")).click()
        page.keyboard.press("g")
        expect(dialog.locator("[data-keys-said]")).to_contain_text("G begins other keys")
        dialog.get_by_role("button", name=re.compile("^Flip left")).click()
        page.keyboard.press("Control+c")
        page.keyboard.press("Tab")  # goes on to the next, as everywhere
        expect(dialog.get_by_role("button", name=re.compile("^Flip left"))).not_to_be_focused()
        expect(page.locator('[data-act="mirror"]')).to_have_attribute("title", re.compile(r"\(H\)"))
        dialog.get_by_role("button", name=re.compile("^Flip left")).click()
        dialog.get_by_role("button", name="Close").click()  # while it waits: that changes nothing
        expect(page.locator('[data-act="invert"]')).to_have_attribute("title", "Invert (X)")
        page.keyboard.press("x")
        expect(page.locator('[data-act="invert"]')).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("?")
        dialog.get_by_role("checkbox").uncheck()
        dialog.get_by_role("button", name="Close").click()
        page.keyboard.press("x")
        expect(page.locator('[data-act="invert"]')).to_have_attribute("aria-pressed", "true")


def test_a_picture_stands_on_black_in_the_colours_of_the_machine_too(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        one.page.emulate_media(forced_colors="active")
        page = one.go("/app/read")
        drop(page, GLIOMA)
        expect(page.locator(".pane .figures-of")).to_contain_text("224")
        around = page.locator(".pane").evaluate("e => getComputedStyle(e).backgroundColor")
        assert around == "rgb(0, 0, 0)"


def test_window_and_level_by_the_mouse(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        box = page.locator(".pane").bounding_box()
        assert box
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 160, box["y"] + 160, steps=4)
        page.mouse.up()
        expect(page.locator('[data-slide="width"]')).to_have_value("90")
        expect(page.locator('[data-slide="level"]')).to_have_value("60")
        page.mouse.wheel(0, -300)
        page.wait_for_function(
            "() => parseInt(document.querySelector('.pane .figures-of').textContent.split('·')[1]) > 325"
        )


def test_many_files_each_with_its_own_answer(browser: Browser, server: Running, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (300, 200), 12).save(blank)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.set_input_files("#files", [GLIOMA, CHEST, blank, broken])
        expect(page.locator(".strip")).to_contain_text("Could not be read")
        for name, said in (
            ("glioma-1.png", "Glioma"),
            ("pneumonia-1.png", "Pneumonia"),
            ("blank.png", "No answer"),
            ("broken.png", "Not read"),
        ):
            page.locator(".strip button", has_text=name).click()
            expect(page.locator("#answer .is")).to_have_text(said)
            expect(page.locator("#answer")).to_contain_text("What to do next" if "No" in said else "How sure")
            if "No" in said:
                one.faults = [fault for fault in one.faults if "415" not in fault]  # the browser tells every 4xx
                one.check(f"read-{said.lower().replace(' ', '-')}")
        page.keyboard.press("k")
        expect(page.locator("#answer .is")).to_have_text("No answer")
        for name, grey, size in (("blank.png", 12, "300 × 200"), ("glioma-1.png", 20, "224 × 224")):
            page.locator(".strip button", has_text=name).click()  # another size than the one before
            expect(page.locator(".pane .figures-of")).to_have_text(re.compile(rf"{size}.*\d%$"))
            page.wait_for_function(f"() => ({BRIGHT})() >= {grey - 2}")


def test_frames_of_a_dicom_object_each_with_its_own_answer(browser: Browser, server: Running, tmp_path: Path) -> None:
    grey = np.asarray(Image.open(GLIOMA), dtype=np.uint16) * 16
    other = np.asarray(Image.open(GLIOMA.with_name("pituitary-1.png")), dtype=np.uint16) * 16
    film = tmp_path / "series.dcm"
    film.write_bytes(dicom_bytes(dicom_set(np.stack([grey, other]), Modality="MR", BodyPartExamined="BRAIN")))
    with visit(browser, server) as one:
        page = one.go("/app/read")
        drop(page, film)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        expect(page.locator("#answer")).to_contain_text("frame 1")
        first = shown(page)["grey"]
        page.keyboard.press(".")
        expect(page.locator("#answer")).to_contain_text("frame 2")
        page.wait_for_function("() => document.querySelector('[data-slide=frame]').value === '2'")
        page.reload()
        expect(page.locator("#answer")).to_contain_text("frame 2")
        page.wait_for_function("() => document.querySelector('[data-slide=frame]').value === '2'")
        assert abs(shown(page)["grey"] - first) > 1
        page.keyboard.press("m")
        expect(page.locator(".heat-scale")).to_be_visible()
        one.check("read-frames")


def test_an_image_that_is_not_to_be_kept(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Do not keep it").check()
        page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
        page.get_by_label("Operating point").select_option("screening")
        one.check("read-consent")
        drop(page, GLIOMA)
        expect(page.locator("#answer")).to_contain_text("Not kept")
        expect(page.get_by_role("button", name="Heatmap")).to_be_disabled()
        expect(page.locator("#answer .scale .point")).to_have_count(1)  # the threshold on the bar
        last = server.ask("GET", "/predictions?limit=1").json()["predictions"][0]
        assert (last["image"], last["operating_point"]) == (False, "screening")
        page.goto(f"{one.address}/app/history/{last['id']}")
        expect(page.locator(".blank")).to_contain_text("not kept")
        one.check("record-not-kept")


def test_dropped_and_pasted_files(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        for kind, name, carrier in (("drop", "dropped.png", "dataTransfer"), ("paste", "pasted.png", "clipboardData")):
            page.evaluate(
                """async ([kind, name, carrier, address]) => {
                const blob = await (await fetch(address)).blob();
                const carried = new DataTransfer();
                carried.items.add(new File([blob], name, { type: 'image/png' }));
                const event = new Event(kind, { bubbles: true, cancelable: true });
                Object.defineProperty(event, carrier, { value: carried });
                document.querySelector('.stage').dispatchEvent(event); }""",
                [kind, name, carrier, "/samples/brain-tumor-mri/pituitary-1.png"],
            )
            expect(page.locator("#answer .is")).to_have_text("Pituitary tumour")
            expect(page.locator(".strip")).to_contain_text(name)
        assert one.faults == []


def test_a_server_that_cannot_be_reached_is_said_and_asked_again(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.context.set_offline(True)
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer")).to_contain_text("No connection")
        expect(page.locator("[data-state]")).to_have_text("No connection")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        expect(page.locator("[data-state]")).to_have_text("Online")
        one.faults = [fault for fault in one.faults if "DISCONNECTED" not in fault]  # the browser tells it too
        one.check("read-again")


def test_an_answer_that_the_network_swallowed_appears_once_it_is_back(browser: Browser, server: Running) -> None:
    with visit(browser, server) as one:
        answer = detour(one.page, "**/app/answer/*")
        answer.to = Route.abort
        asked: list[bool] = []
        one.page.on("request", lambda r: "/app/answer/" in r.url and asked.append("x-by-itself" in r.headers))
        page = one.go("/app/read")
        page.set_input_files("#files", GLIOMA)
        expect(page.locator("#answer")).to_contain_text("recorded but cannot be shown now")
        answer.to = Route.fallback
        expect(page.locator("#answer .is")).to_have_text("Glioma")
        expect(page.locator("[data-heard]")).to_contain_text("Glioma")
        assert (asked[0], set(asked[1:])) == (False, {True})  # asked again, it keeps nobody signed in who went away


def test_an_answer_on_its_way_is_fetched_once_and_what_is_said_to_it_stays(browser: Browser, server: Running) -> None:
    """Whoever chose the file again meanwhile had two on the way; the later one took away the word of thanks."""
    with visit(browser, server) as one:
        held: list[Route] = []
        detour(one.page, "**/app/answer/*").to = held.append
        page = one.go("/app/read")
        with page.expect_request("**/app/answer/*"):
            page.set_input_files("#files", [GLIOMA, CHEST])
        page.locator(".strip button", has_text=GLIOMA.name).click()
        page.locator(".strip button", has_text=GLIOMA.name).click()
        painted(page)
        assert len(held) == 1
        held[0].fallback()
        page.locator("#answer [data-agree]").click()
        expect(page.locator("#answer .said-so")).to_contain_text("Thank you")


def test_an_answer_on_paper_has_its_picture_in_proportion_its_limits_and_its_id(
    browser: Browser, server: Running
) -> None:
    said = server.ask("POST", "/predict", GLIOMA.read_bytes(), {"Content-Type": "image/png"}).json()
    with visit(browser, server, dark=True) as one:
        page = one.go(f"/app/history/{said['id']}")
        page.wait_for_function("() => document.querySelector('.stage.ready')")
        page.emulate_media(media="print")
        assert page.locator(".pane canvas").first.evaluate("e => getComputedStyle(e).objectFit") == "contain"
        expect(page.get_by_text(said["id"], exact=True)).to_be_visible()
        expect(page.get_by_text("Research use only, not a medical device:")).to_be_visible()
        expect(page.get_by_text("Is this right?")).to_be_hidden()  # nobody said so yet
        assert [each for each in page.locator("button, nav, summary").all() if each.is_visible()] == []
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1


def test_no_page_is_heavy_or_asks_another_server(browser: Browser, server: Running) -> None:
    drawn = server.ask("POST", "/predict", GLIOMA.read_bytes(), {"Content-Type": "image/png"}).json()["id"]
    for path in (
        "/app/read",
        "/app/jobs",
        "/app/history",
        f"/app/history/{drawn}",
        "/app/models",
        "/app/monitoring",
        "/app/data",
        "/app/train",
        "/app/settings",
        "/docs",
    ):
        with visit(browser, server) as one:
            sizes: dict[str, int] = {}
            one.page.on(
                "response", lambda answer, sizes=sizes: sizes.__setitem__(answer.url, len(answer.body() or b""))
            )
            one.go(path)
            one.page.wait_for_load_state("networkidle")
            outside = [url for url in sizes if not url.startswith((one.address, "blob:", "data:"))]
            assert outside == []
            viewer = ("openseadragon", "/pixels", "/heatmap")
            whole = sum(size for url, size in sizes.items() if not any(part in url for part in viewer))
            assert whole < 200_000, json.dumps(sizes, indent=1)  # before any compression


def test_a_share_of_disease_moves_the_probability_and_the_mark_but_not_the_answer(
    browser: Browser, server: Running
) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.get_by_text("Question and consent").click()
        page.get_by_label("Question", exact=True).select_option("pneumonia-cxr")
        page.get_by_label("Share of images with disease here").fill("0.02")
        one.check("read-prevalence")
        drop(page, CHEST)
        expect(page.locator("#answer .is")).to_have_text("Pneumonia")
        expect(page.locator("#answer")).to_contain_text("Probabilities are for a place where 2.0% are ill.")
        said = server.ask("GET", "/predictions?limit=1").json()["predictions"][0]
        assert said["prevalence"] == 0.02
        assert said["prediction"]["probability"] < 0.97
        expect(page.locator("#answer svg.scale").first).not_to_contain_text("50.0%")


def test_twelve_bits_in_a_png_are_shown_as_the_model_reads_them(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    deep = tmp_path / "twelve.png"
    Image.fromarray(np.asarray(Image.open(GLIOMA).convert("L"), dtype=np.uint16) * 16).save(deep)
    with visit(browser, server) as one:
        page = one.go("/app/read")
        for file in (GLIOMA, deep):
            page.set_input_files("#files", file)
            expect(page.locator(".strip [aria-current] .said")).to_contain_text("Glioma")
            expect(page.locator(".pane .name")).to_have_text(file.name)
            expect(page.locator(".veil")).to_be_hidden()
            painted(page)
            assert page.evaluate(BRIGHT) > 60, file.name


def test_an_answer_is_said_to_who_does_not_see_it(browser: Browser, server: Running, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear colleague,")
    with visit(browser, server) as one:
        page = one.go("/app/read")
        # only what changes in a place that was there before is read aloud
        page.locator("[role=status]:not([hidden])").evaluate_all("all => all.forEach(one => (one.dataset.old = ''))")
        page.set_input_files("#files", [GLIOMA, letter])
        heard = page.locator(".side [data-old]")
        expect(heard).to_have_text(re.compile(r"^glioma-1\.png: Glioma, \d+\.\d%$"))
        page.keyboard.press("j")
        expect(heard).to_have_text("letter.txt: Not read. This is no image that can be read here")


@pytest.mark.parametrize("key", ["F5", "Enter", "Insert", "Shift+F10"])
def test_a_key_of_the_browser_or_a_screen_reader_is_left_to_them(browser: Browser, server: Running, key: str) -> None:
    with visit(browser, server) as one:
        page = one.go("/app/read")
        page.keyboard.press("?")
        page.get_by_role("button", name="Choose files: key U. Change").click()
        page.keyboard.press(key)
        expect(page.locator("[data-keys-said]")).to_contain_text("belongs to the browser or to a screen reader")
        expect(page.get_by_role("button", name="Choose files: key U. Change")).to_be_focused()
