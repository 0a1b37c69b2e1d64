"""Promotions hold in the order in which they were put on record, whatever the clocks said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hilum.records.store import open_records
from hilum.registry.history import chosen, history, promote, roll_back
from hilum.registry.pins import Known
from tests.records.made import SECRET


def known(folder: Path, digest: str) -> Known:
    return Known("spot", digest, digest * 64, "spot", folder, "trained")


def test_a_promotion_by_a_clock_that_lags_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET, tmp_path / "head")
    first, second = known(tmp_path, "1"), known(tmp_path, "2")
    promote(records, first, caller="local", why="")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    promote(records, second, caller="local", why="")
    assert chosen(records) == {"spot": second.digest}
    roll_back(records, first, caller="local", why="")
    assert chosen(records) == {"spot": first.digest}
    assert [event.act for event in history(records)] == ["rollback", "promote", "promote"]
    records.close()
