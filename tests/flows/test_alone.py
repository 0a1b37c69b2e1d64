"""A run's folder is held by one process; where nobody can hold anything, that is said."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from hilum.durable import LEFT_SECONDS
from hilum.errors import StorageError, UsageError
from hilum.flows.alone import alone, left, sweep_place


def test_a_folder_is_held_by_one_and_free_once_that_lets_go(tmp_path: Path) -> None:
    held = alone(tmp_path / "run")
    with pytest.raises(UsageError, match="under way already"):
        alone(tmp_path / "run")
    assert not left(tmp_path / "run")
    held.close()
    assert left(tmp_path / "run")


def test_a_disk_without_locks_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match=r"no locks.*HILUM_HOME"):
        alone(tmp_path / "run")


def test_on_a_disk_without_locks_only_an_old_place_was_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its training still runs nobody can tell there."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    young, old = tmp_path / "young", tmp_path / "old"
    for place, seconds in ((young, LEFT_SECONDS / 2), (old, LEFT_SECONDS * 2)):
        place.mkdir()
        os.utime(place, (time.time() - seconds,) * 2)
    monkeypatch.setattr(fcntl, "flock", flock)
    for place in (young, old, tmp_path / "gone"):
        sweep_place(place)
    assert list(tmp_path.iterdir()) == [young]
