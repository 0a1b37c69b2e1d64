"""The load generator of the benchmarks counts what it holds open."""

from __future__ import annotations

import asyncio
import importlib
import socket

import pytest

from tests.conftest import ROOT


def test_a_connection_that_was_refused_is_not_held_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a server that is away for some seconds would seem to be away for good."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        load = importlib.import_module("load").load_of(f"http://127.0.0.1:{free.getsockname()[1]}/", [b"picture"])
        seen = asyncio.run(load.run(100, 0.2))
    assert set(seen.statuses) == {0}
    assert load.open == 0
