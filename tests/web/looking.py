"""A real browser on a running server: pages that keep what went wrong, and the checks that every page must pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from tests.interfaces.http.running import Running
from tests.interfaces.http.serving import Serving

WIDE, PHONE = (1400, 900), (375, 812)
SLOW = 240_000  # milliseconds for whatever is waited for: a slow machine is no fault of a page
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = Axe()
STATE = "position => document.querySelectorAll('footer.status, .bar').forEach(e => (e.style.position = position))"


@dataclass
class Visit:
    """One browser window and all that it complained about."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page and wait for its scripts."""
        self.page.goto(self.address + path)
        self.page.wait_for_load_state()
        return self.page

    def check(self, name: str = "") -> None:
        """No complaint of the console or the policy, nothing for axe to find, nothing wider than the window."""
        shoot(self.page, name)
        assert self.faults == [], self.faults
        self.page.evaluate(STATE, "static")  # what happens to be scrolled half under the bars is not too small
        found = AXE.run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
        self.page.evaluate(STATE, "")
        said = [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found.response["violations"]]
        assert said == [], said
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


@contextmanager
def visit(
    browser: Browser,
    server: Running | Serving,
    *,
    dark: bool = False,
    size: tuple[int, int] = WIDE,
    role: str = "",
    touch: bool = False,
) -> Iterator[Visit]:
    """A window of its own, signed in as the user of a role where one is given."""
    address = f"http://127.0.0.1:{server.port}"
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        has_touch=touch,
        is_mobile=touch,
    )
    if role and isinstance(server, Running):
        context.add_cookies([{"name": "hilum", "value": server.sessions[role].token, "url": address}])
    context.set_default_timeout(SLOW)
    page = context.new_page()
    one = Visit(page, address)
    page.on("console", lambda message: message.type == "error" and one.faults.append(message.text))
    page.on("pageerror", lambda error: one.faults.append(str(error)))
    try:
        yield one
    finally:
        context.close()


@dataclass
class Detour:
    """What becomes of the requests to one address: they pass, until a test says otherwise."""

    to: Callable[[Route], object] = Route.fallback

    def __call__(self, route: Route) -> None:
        self.to(route)


def detour(page: Page, address: str) -> Detour:
    """Laid before the page is opened: a browser that begins to hand requests over may still send the next one past."""
    laid = Detour()
    page.route(address, laid)
    return laid


def let_go(page: Page, selector: str, *paths: Path) -> None:
    """Drag files or folders of this machine over the middle of something and let go, as the desktop does it."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    carried = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    desk = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        desk.send("Input.dispatchDragEvent", {"type": kind, **at, "data": carried})
    desk.detach()


def shoot(page: Page, name: str) -> None:
    """A picture of the whole page, where HILUM_SHOTS names a folder for them."""
    folder = os.environ.get("HILUM_SHOTS")
    if folder and name:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
