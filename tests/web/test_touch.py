"""The viewer under fingers in a real browser: pinch, pan, window and level, the original while held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.interfaces.http.running import Running, running
from tests.web.looking import PHONE, visit
from tests.web.test_read import GLIOMA, drop, painted, shown

Points = list[tuple[float, float]]
VIEW = """() => { const item = document.querySelector('.pane .figures-of').textContent.split('·')[1];
  return parseInt(item); }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home"), THREADS="1", SERVE_THREADS="1") as server:
        yield server


class Fingers:
    """Fingers on the screen, as the browser gets them from a real one."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._wire: CDPSession = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: Points) -> None:
        touches: list[dict[str, Any]] = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self._wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def put(self, *points: tuple[float, float]) -> None:
        """One finger after another."""
        for count in range(1, len(points) + 1):
            self._send("touchStart", list(points[:count]))

    def move(self, *ways: tuple[tuple[float, float], tuple[float, float]], steps: int = 8) -> None:
        """Each finger from here to there, together."""
        for step in range(1, steps + 1):
            share = step / steps
            self._send("touchMove", [(a + (c - a) * share, b + (d - b) * share) for (a, b), (c, d) in ways])

    def lift(self) -> None:
        self._send("touchEnd", [])
        painted(self._page)


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".pane").first.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def centre_of_light(page: Page) -> tuple[float, float]:
    """Where the picture's light lies on the pane, in its pixels."""
    painted(page)
    found = page.evaluate(
        """() => { const c = document.querySelector('.pane canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let x = 0, y = 0, all = 0; for (let i = 0; i < d.length; i += 4) { const p = i / 4;
        x += d[i] * (p % c.width); y += d[i] * Math.floor(p / c.width); all += d[i]; }
        const scale = c.width / c.clientWidth; return [x / all / scale, y / all / scale]; }"""
    )
    return found[0], found[1]


def values(page: Page) -> tuple[str, str]:
    return page.locator('[data-slide="width"]').input_value(), page.locator('[data-slide="level"]').input_value()


@pytest.mark.parametrize("size", [PHONE, (1024, 768)])
def test_two_fingers_zoom_and_one_moves(browser: Browser, server: Running, size: tuple[int, int]) -> None:
    with visit(browser, server, size=size, touch=True) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        page.locator(".pane").scroll_into_view_if_needed()
        expect(page.get_by_role("button", name="Move", exact=True)).to_have_attribute("aria-pressed", "true")
        x, y = middle(page)
        fingers, before, windowed = Fingers(page), page.evaluate(VIEW), values(page)
        fingers.put((x - 20, y), (x + 20, y))
        fingers.move(((x - 20, y), (x - 60, y)), ((x + 20, y), (x + 60, y)))
        fingers.lift()
        assert page.evaluate(VIEW) == pytest.approx(3 * before, rel=0.15)
        fingers.put((x - 60, y), (x + 60, y))
        fingers.move(((x - 60, y), (x - 20, y)), ((x + 60, y), (x + 20, y)))
        fingers.lift()
        assert page.evaluate(VIEW) == pytest.approx(before, rel=0.15)
        page.get_by_role("button", name="Fit to the frame").tap()
        light = centre_of_light(page)
        fingers.put((x, y))
        fingers.move(((x, y), (x + 40, y - 30)))
        fingers.lift()
        moved = centre_of_light(page)
        assert (moved[0] - light[0], moved[1] - light[1]) == pytest.approx((40, -30), abs=12)
        assert values(page) == windowed
        one.check(f"touch-{size[0]}")


def test_a_finger_windows_once_the_tool_is_picked_and_two_still_zoom(browser: Browser, server: Running) -> None:
    with visit(browser, server, size=PHONE, touch=True, dark=True) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        page.get_by_role("button", name="Window and level").tap()
        x, y = middle(page)
        fingers, before, grey = Fingers(page), page.evaluate(VIEW), shown(page)["grey"]
        fingers.put((x, y))
        fingers.move(((x, y), (x - 40, y - 40)))
        fingers.lift()
        width, level = map(int, values(page))
        assert (width, level) == (pytest.approx(90, abs=2), pytest.approx(60, abs=2))
        assert shown(page)["grey"] < grey
        assert page.evaluate(VIEW) == before
        fingers.put((x - 20, y), (x + 20, y))
        fingers.move(((x - 20, y), (x - 40, y)), ((x + 20, y), (x + 40, y)))
        fingers.lift()
        assert page.evaluate(VIEW) == pytest.approx(2 * before, rel=0.2)
        assert [int(value) for value in values(page)] == [pytest.approx(width, abs=2), pytest.approx(level, abs=2)]
        page.get_by_role("button", name="Reset everything").tap()
        assert values(page) == ("100", "50")
        one.check("touch-window")


def test_the_original_while_a_finger_holds_it(browser: Browser, server: Running) -> None:
    with visit(browser, server, size=PHONE, touch=True) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        page.get_by_role("button", name="Heatmap", exact=True).tap()
        expect(page.locator(".heat-scale")).to_be_visible()
        assert shown(page)["colour"] > 1
        box = page.get_by_role("button", name="The original, while held").bounding_box()
        assert box
        fingers = Fingers(page)
        fingers.put((box["x"] + 10, box["y"] + 10))
        assert shown(page)["colour"] == 0
        fingers.lift()
        assert shown(page)["colour"] > 1
        assert one.faults == []


def test_a_finger_moves_even_where_the_mouse_windows(browser: Browser, server: Running) -> None:
    """A laptop with a touch screen: its first pointer is a mouse."""
    with visit(browser, server, size=(1280, 800)) as one:
        page = one.go("/app/read")
        drop(page, GLIOMA)
        expect(page.locator(".pane .figures-of")).to_contain_text("224 × 224")
        expect(page.get_by_role("button", name="Window and level")).to_have_attribute("aria-pressed", "true")
        x, y = middle(page)
        fingers, windowed, light = Fingers(page), values(page), centre_of_light(page)
        fingers.put((x, y))
        fingers.move(((x, y), (x + 60, y)))
        fingers.lift()
        assert values(page) == windowed
        assert centre_of_light(page)[0] - light[0] == pytest.approx(60, abs=15)
