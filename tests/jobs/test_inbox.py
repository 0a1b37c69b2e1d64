"""Batches as they lie on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.errors import NotFound, StorageError
from hilum.jobs import inbox
from hilum.jobs.inbox import Inbox, Order

ORDER = Order("0e4ac1a8-58b5-4d2f-9a55-0a6ac3f0c0de", "local", "auto", None, "balanced", None, keep=True)
FILES = [("a.png", b"a"), ("b.png", b"b")]


def test_a_batch_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)
    assert kept.order(ORDER.id) == taken
    assert [kept.file(taken, i) for i in range(2)] == [b"a", b"b"]
    assert (tmp_path / "inbox" / ORDER.id).stat().st_mode & 0o077 == 0


def test_a_batch_does_not_take_the_disk_from_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty-four zips may wait, each with gigabytes in it; where the disk is full no answer can be put on record."""
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    monkeypatch.setattr(inbox, "SPARE", 2**62)  # no disk has so much left
    with pytest.raises(StorageError, match="nearly full"):
        kept.take(ORDER, FILES)
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [ORDER.id.upper(), f"{{{ORDER.id}}}", ORDER.id.replace("-", ""), f"urn:uuid:{ORDER.id}", "\r\n" + "0" * 30, ".."],
)
def test_a_batch_has_one_name(tmp_path: Path, name: str) -> None:
    """An id stands in headers and addresses: Python's UUID takes white space and signs for digits, we do not."""
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    kept.take(ORDER, FILES)
    with pytest.raises(NotFound):
        kept.order(name)
