"""A large array lies in a file without a name, and a search over such arrays finds what it finds in memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from hilum.data import shelf as shelves
from hilum.data.copies import find_copies
from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.data.shelf import shelf, taken
from tests.data.test_copies import as_image, jpeg, picture, turned


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(shelves, "LARGE", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_small_array_stays_in_memory_and_a_large_one_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "LARGE", 4096)
    assert shelf((10, 4), np.uint8).base is None
    assert isinstance(shelf((shelves.LARGE // 4, 4), np.uint8).base, np.memmap)


def test_what_is_written_to_a_mapped_array_is_read_again_and_no_file_is_left(in_files: Path) -> None:
    rows = shelf((5000, 3), np.int8)
    rows[:] = np.arange(5000)[:, None] % 100
    chosen = np.array([4999, 0, 4100, 4100])
    assert taken(rows, chosen).tolist() == rows[chosen].tolist() == [[99] * 3, [0] * 3, [0] * 3, [0] * 3]
    assert list(in_files.iterdir()) == []


def test_a_full_disk_is_an_error_and_no_end_of_the_process(in_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written to a mapped page for which there is no room ends it with SIGBUS, and no word."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        shelf((5000, 3), np.int8)
    assert list(in_files.iterdir()) == []


def test_an_empty_array_needs_no_file() -> None:
    assert shelf((0, 64, 64), np.uint8).shape == (0, 64, 64)


def test_a_search_over_mapped_arrays_finds_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [picture(seed) for seed in range(12)] + [turned(picture(3)), jpeg(picture(5))]
    prints = Fingerprints.of(fingerprint(as_image(p)) for p in pictures)
    digests = [*map(str, range(13)), "0"]  # the last counts as exactly the first, so that rows are taken out
    in_memory = find_copies(prints, digests)
    monkeypatch.setattr(shelves, "LARGE", 1)
    assert find_copies(prints, digests) == in_memory != ()
