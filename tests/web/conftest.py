"""One browser for all tests of the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.web.looking import SLOW

# The shell without windows first: the same pages for two thirds of a whole browser's processor time.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")

expect.set_options(timeout=SLOW)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        started = player.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, BROWSERS)), None),
            args=["--no-sandbox"],
            timeout=SLOW,
        )
        yield started
        started.close()
