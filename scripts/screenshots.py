"""A running server and the shipped synthetic samples -> docs/images/*.png, one picture of every page.

python scripts/screenshots.py [--only NAME]      needs playwright and a Chromium (--browser PATH)
python scripts/screenshots.py --walk DIR         every page whole, narrow and wide, light and dark, to be looked at
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from made_data import to_train_on, with_copies, zipped
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-headless-shell", "google-chrome")  # whichever `make servers` found or brought
OUT = ROOT / "docs" / "images"
SAMPLES = ROOT / "samples"
READ = ("brain-tumor-mri/meningioma-1.png", "brain-tumor-mri/glioma-1.png", "pneumonia-cxr/pneumonia-1.png")
MORE = ("brain-tumor-mri/pituitary-1.png", "brain-tumor-mri/notumor-1.png", "pneumonia-cxr/normal-1.png")
PLAIN = ("jobs", "history", "models", "monitoring", "data", "train", "settings", "docs")
EXPLAINED = ("brain-tumor-mri/meningioma-1.png", "pneumonia-cxr/pneumonia-1.png")
PATIENCE = 180_000  # milliseconds, on a machine that does other things too
SIZES = {"phone": (390, 844), "wide": (1440, 900)}
WHOLE = """() => { for (const e of document.querySelectorAll('.bar, .status')) e.style.position = 'static';
for (const e of document.querySelectorAll('main details:not(.whole-report):not(.ask)')) e.open = true; }"""


def main() -> int:
    """Draw them all, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the picture of this name")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, BROWSERS)), None))
    parser.add_argument("--train", action="store_true", help="a training too, which takes some minutes")
    parser.add_argument("--home", type=Path, help="a home folder that is kept, so that a training is made once")
    parser.add_argument("--walk", type=Path, metavar="DIR", help="draw every page whole into this folder instead")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(asked.home or Path(folder)) as address,
        sync_playwright() as player,
    ):
        browser = player.chromium.launch(executable_path=asked.browser, args=["--no-sandbox"])
        if asked.walk:
            walk(browser, address, asked.walk, train=asked.train)
            return 0
        for theme, size in (("light", (1280, 800)), ("dark", (1280, 800)), ("phone", (390, 844))):
            scheme = "dark" if theme == "dark" else "light"
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE)
            draw(context.new_page(), address, "" if theme == "light" else f"-{theme}", asked)
            context.close()
        browser.close()
    if asked.only in ("", "heatmap"):
        explained()
    return 0


def draw(page: Page, address: str, suffix: str, asked: argparse.Namespace) -> None:
    """Every page in one theme and size; the dark and the small ones only where that shows something."""
    only = asked.only
    page.goto(f"{address}/app/read")
    keep(page, f"read-empty{suffix}", only)
    page.set_input_files("#files", [SAMPLES / name for name in READ])
    page.locator("#answer .is").wait_for(timeout=PATIENCE)
    page.locator(".strip", has_text="Pneumonia").wait_for(timeout=PATIENCE)
    keep(page, f"read{suffix}", only)
    page.keyboard.press("m")
    page.locator(".heat-scale").wait_for()
    page.wait_for_function("() => document.querySelector('.pane .name').textContent.includes('heatmap')")
    if not suffix:
        page.keyboard.press("s")
        page.wait_for_function("() => document.querySelectorAll('.pane .figures-of').length === 2")
    keep(page, f"read-heatmap{suffix}", only)
    if suffix == "-phone":
        page.goto(f"{address}/app/history")
        keep(page, f"history{suffix}", only)
        return
    page.keyboard.press("?")
    keep(page, f"keys{suffix}", only)
    if suffix:
        return
    said(page, address)
    for name, path in worked(address, train=asked.train).items():
        page.goto(address + path)
        page.wait_for_load_state("networkidle")
        keep(page, name, only)
        if name == "training":
            trained(page, only)
    for name in PLAIN:
        page.goto(f"{address}/{'' if name == 'docs' else 'app/'}{name}")
        page.wait_for_load_state("networkidle")
        keep(page, name, only)
    page.goto(f"{address}/app/models/brain-tumor-mri@1.1.0")
    keep(page, "model", only)
    measured(page, address, only)
    page.goto(f"{address}/app/history")
    for box in page.locator("[data-pick]").all()[:2]:
        box.check()
    page.get_by_role("link", name="Compare these two").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.figures-of')].filter(e => e.textContent).length === 2"
    )
    keep(page, "compare", only)
    refused(page, address, only)


def walk(browser: Browser, address: str, out: Path, *, train: bool) -> None:
    """Every page in both sizes and themes, whole."""
    out.mkdir(parents=True, exist_ok=True)
    page = browser.new_page()
    said(page, address)
    answers = [one["id"] for one in asked_of(f"{address}/predictions?limit=2")["predictions"]]
    places = {**worked(address, train=train), **{name: f"/app/{name}" for name in PLAIN if name != "docs"}}
    places |= {"docs": "/docs", "login": "/app/account", "read": "/app/read", "record": f"/app/history/{answers[0]}"}
    places |= {"compare": f"/app/compare?a={answers[0]}&b={answers[1]}", "model": "/app/models/brain-tumor-mri@1.1.0"}
    places |= {"versions": "/app/versions", "missing": "/app/nothing"}
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            for name, path in places.items():
                page.goto(address + path)
                page.wait_for_load_state("networkidle")
                page.evaluate(WHOLE)
                page.wait_for_timeout(300)
                page.screenshot(path=out / f"{name}-{size}-{scheme}.png", full_page=True)
            context.close()


def worked(address: str, *, train: bool) -> dict[str, str]:
    """A batch, an audit and, where wished, a training, each to its end -> where they are looked at."""
    there = {one["kind"]: one["id"] for one in asked_of(f"{address}/works")["works"]}
    headers = {"Content-Type": "application/zip", "Prefer": "respond-async", "Idempotency-Key": "pictures"}
    job = asked_of(f"{address}/predict", zipped((*READ, *MORE)), headers)["id"]
    source = {"source": "films", "task": "pneumonia-cxr"}
    audit = there.get("audit") or asked_of(f"{address}/audits", source)["id"]
    found = {f"/jobs/{job}": ("job", f"/app/jobs/{job}"), f"/works/{audit}": ("audit", f"/app/data/{audit}#copies")}
    if train:
        order = {"source": "patches", "task": "pneumonia-cxr", "network": "residual-s", "changes": {"epochs": 6}}
        training = there.get("train") or asked_of(f"{address}/trainings", order)["id"]
        found[f"/works/{training}"] = ("training", f"/app/train/{training}")
    for path in found:
        while (state := asked_of(address + path)["state"]) in ("queued", "waiting", "running"):
            time.sleep(1)
        if state != "done":
            raise SystemExit(f"{path}: {asked_of(address + path)}")
    return dict(found.values())


def asked_of(url: str, body: object = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What the server says."""
    kind = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(url, data, {**kind, **(headers or {})})  # type: ignore[arg-type]
    with urllib.request.urlopen(request, timeout=60) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


def said(page: Page, address: str) -> None:
    """A few more answers, and feedback to some, so that lists and charts have something to show."""
    page.goto(f"{address}/app/read")
    page.set_input_files("#files", [SAMPLES / name for name in MORE])
    for name in MORE:
        page.locator(".strip button", has_text=Path(name).name).click()
        page.locator("#answer [data-agree]").wait_for(timeout=PATIENCE)
        page.locator("#answer [data-agree]").click()
        page.locator("#answer .said-so").wait_for()


def trained(page: Page, only: str) -> None:
    """What came of a training: its figures, and its report where it is looked at."""
    page.get_by_role("heading", name="What came of it").scroll_into_view_if_needed()
    page.evaluate("() => scrollTo(0, document.getElementById('measured').offsetTop - 80)")
    keep(page, "training-figures", only)
    page.get_by_text("Evaluation: curves").click()
    page.evaluate("() => scrollTo(0, document.getElementById('report-evaluation').offsetTop - 80)")
    page.frame_locator("#report-evaluation iframe").get_by_role("heading", level=1).wait_for()
    keep(page, "training-report", only)


def measured(page: Page, address: str, only: str) -> None:
    """A package that is measured on labelled images, on its page."""
    page.goto(f"{address}/app/models/pneumonia-cxr")
    page.get_by_text("Measure it on labelled images", exact=True).click()
    page.get_by_label("Folder", exact=True).select_option("films")
    page.get_by_role("button", name="Measure on the folder").click()
    page.get_by_role("link", name="Open the report on films").wait_for(timeout=PATIENCE)
    page.get_by_text("Measure it on labelled images", exact=True).click()
    page.evaluate("() => scrollTo(0, document.getElementById('measured').offsetTop - 80)")
    keep(page, "model-measured", only)


def explained() -> None:
    """Two heatmaps side by side, as `hilum predict --explain` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in EXPLAINED:
            command = [sys.executable, "-m", "hilum", "predict", str(SAMPLES / name), "--explain", folder]
            subprocess.run(command, check=True, capture_output=True)
        maps = [Image.open(next(Path(folder).glob(f"{Path(name).stem}-*.png"))).convert("RGB") for name in EXPLAINED]
        both = Image.new("RGB", (sum(one.width for one in maps), max(one.height for one in maps)))
        for i, one in enumerate(maps):
            both.paste(one, (sum(before.width for before in maps[:i]), 0))
        both.save(OUT / "heatmap.png", optimize=True)


def refused(page: Page, address: str, only: str) -> None:
    """A chest film sent to a question about brains."""
    page.goto(f"{address}/app/read")
    page.get_by_text("Question and consent").click()
    page.get_by_label("Question", exact=True).select_option("brain-tumor-mri")
    page.get_by_text("Question and consent").click()
    page.set_input_files("#files", SAMPLES / "pneumonia-cxr/normal-2.png")
    page.locator("#answer .is").wait_for(timeout=PATIENCE)
    page.locator(".pane .figures-of").wait_for()
    keep(page, "read-refused", only)


def keep(page: Page, name: str, only: str) -> None:
    """One picture, in few colours so that the repository stays small."""
    if only in ("", name):
        page.wait_for_timeout(400)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.quantize(200, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)
        print(f"{name}.png {(OUT / f'{name}.png').stat().st_size / 1000:.0f} kB")


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of a server with a home of its own, stopped afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if not (home / "roots").exists():
        with_copies(home / "roots" / "films")
        to_train_on(home / "roots" / "patches")
    environment = {**os.environ, "HILUM_HOME": str(home), "HILUM_DATA_ROOTS": str(home / "roots")}
    process = subprocess.Popen([sys.executable, "-m", "hilum", "serve", "--port", str(port)], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=5)
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    raise SystemExit(main())
