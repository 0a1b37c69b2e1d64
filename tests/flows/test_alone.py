"""A run's folder is held by one process; where nobody can hold anything, that is said."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from hilum.errors import StorageError, UsageError
from hilum.flows.alone import alone, left


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
