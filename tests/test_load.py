"""The load generator of the benchmarks counts what it holds open."""

from __future__ import annotations

import asyncio
import importlib
import socket
from types import ModuleType

import pytest

from tests.conftest import ROOT


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("load")


def test_a_question_in_the_address_is_sent(load: ModuleType) -> None:
    """Else another task was measured than the one that was named."""
    asked = load.load_of("http://host:8000/predict?task=pneumonia-cxr&keep=no#top", [b"x"]).request(0)
    assert asked.startswith(b"POST /predict?task=pneumonia-cxr&keep=no HTTP/1.1\r\nHost: host:8000\r\n")
    assert load.load_of("http://host", [b"x"]).request(0).startswith(b"POST / HTTP/1.1\r\nHost: host:80\r\n")
    with pytest.raises(SystemExit, match="http:// address"):
        load.load_of("https://host/predict", [b"x"])


def test_who_gets_no_answer_at_all_is_counted(load: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that went silent looked as if nobody had asked it."""
    monkeypatch.setattr(load, "PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1000)
        seen = asyncio.run(load.load_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", [b"picture"]).run(100, 0.2))
    assert set(seen.statuses) == {0}
    assert seen.statuses[0] > 0


def test_a_connection_that_was_refused_is_not_held_open(load: ModuleType) -> None:
    """Else a server that is away for some seconds would seem to be away for good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = load.load_of(f"http://127.0.0.1:{free.getsockname()[1]}/", [b"picture"])
        seen = asyncio.run(away.run(100, 0.2))
    assert set(seen.statuses) == {0}
    assert away.open == 0
