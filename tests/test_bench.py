"""What `make bench` starts can be started, wherever the images lie."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT


def test_a_long_list_of_images_is_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux takes no argument above 128 kB: with a longer path to the images the whole run ended there."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    bench, started = importlib.import_module("run"), list[tuple[list[str], str]]()

    def note(command: list[str], *, input: str = "", **_: object) -> SimpleNamespace:  # noqa: A002
        started.append((command, input))
        return SimpleNamespace(stdout="1024")

    monkeypatch.setattr(bench.subprocess, "run", note)
    assert bench._peak([f"/data/{'x' * 200}.jpg"], 2000) == 1024
    ((command, listed),) = started
    assert max(map(len, command)) < 1000
    assert len(listed.split()) == 2000
