"""The note of a restore: whose it is, where two begin in the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.flows import restoring
from hilum.flows.restoring import NOTE, check_restored, noted, take_back


def test_a_note_that_another_restore_found_before_it_was_held_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else both went on, one of them without a note: killed, it would have left a half that says nothing of it."""
    lock = restoring.fcntl.flock

    def overtaken(handle: int, how: int) -> None:
        monkeypatch.setattr(restoring.fcntl, "flock", lock)
        take_back(tmp_path)
        lock(handle, how)

    monkeypatch.setattr(restoring.fcntl, "flock", overtaken)
    with pytest.raises(UsageError, match="under way"), noted(tmp_path, [tmp_path / "a"]):
        raise AssertionError("put back without a note")
    check_restored(tmp_path)


def test_what_a_restore_put_there_that_ended_in_this_moment_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, made = restoring.fcntl.flock, tmp_path / "hilum.db"
    under_way = noted(tmp_path, [made])
    under_way.__enter__()
    made.write_bytes(b"whole")

    def late(handle: int, how: int) -> None:
        monkeypatch.setattr(restoring.fcntl, "flock", lock)
        under_way.__exit__(None, None, None)
        lock(handle, how)

    monkeypatch.setattr(restoring.fcntl, "flock", late)
    with pytest.raises(UsageError, match="under way"):
        take_back(tmp_path)
    assert made.read_bytes() == b"whole"
    assert not (tmp_path / NOTE).exists()
