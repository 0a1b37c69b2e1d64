"""Batches as they lie on the disk."""

from __future__ import annotations

import errno
import fcntl
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hilum.errors import ImageGone, NotFound, StorageError
from hilum.jobs import room
from hilum.jobs.batches import Batches, Desk
from hilum.jobs.inbox import Inbox, Order

ORDER = Order("0e4ac1a8-58b5-4d2f-9a55-0a6ac3f0c0de", "local", "auto", None, "balanced", None, keep=True)
OTHER = "1e4ac1a8-58b5-4d2f-9a55-0a6ac3f0c0de"
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
    monkeypatch.setattr(room, "SPARE", 2**62)  # no disk has so much left
    with pytest.raises(StorageError, match="nearly full"):
        kept.take(ORDER, FILES)
    assert list((tmp_path / "inbox").iterdir()) == []


def test_a_file_that_would_leave_too_little_of_the_disk_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file may be as large as a request: until the disk refused it nobody's answer could be put on record."""
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    left = SimpleNamespace(free=room.SPARE + 10)
    monkeypatch.setattr("hilum.jobs.room.shutil.disk_usage", lambda _: left)
    assert kept.take(ORDER, [("small.png", b"12345")]).names == ("small.png",)
    with pytest.raises(StorageError, match="nearly full"):
        kept.take(replace(ORDER, id=OTHER), [("small.png", b"12345"), ("large.png", b"1234567890A")])
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == [ORDER.id]


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


def test_a_batch_that_is_forgotten_while_all_are_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    other = replace(ORDER, id=ORDER.id.replace("0e4a", "1e4a"))
    taken, _ = kept.take(ORDER, FILES), kept.take(other, FILES)
    glob = Path.glob

    def listed(self: Path, pattern: str) -> list[Path]:
        found = list(glob(self, pattern))
        kept.forget(other.id)
        return found

    monkeypatch.setattr(Path, "glob", listed)
    assert kept.all() == (taken,)


def test_a_file_that_is_damaged_or_gone_is_not_answered(tmp_path: Path) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)
    (tmp_path / "inbox" / ORDER.id / taken.keys[0]).write_bytes(b"b")
    (tmp_path / "inbox" / ORDER.id / taken.keys[1]).unlink()
    for index, said in enumerate(("damaged", "gone")):
        with pytest.raises(ImageGone, match=said):
            kept.file(taken, index)


def test_half_a_file_that_a_killed_server_left_is_written_whole(tmp_path: Path) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)
    place = tmp_path / "inbox" / ORDER.id
    (place / "order.json").unlink()  # it is written last
    (place / taken.keys[0]).write_bytes(b"")
    assert [kept.file(kept.take(ORDER, FILES), i) for i in range(2)] == [b"a", b"b"]


def test_of_a_batch_that_is_over_no_file_is_left_and_no_name_but_of_what_could_not_be_read(tmp_path: Path) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)
    over = kept.end(taken, "done", unread=[1])
    assert kept.order(ORDER.id) == over == replace(taken, state="done", names=(None, "b.png"))
    assert [path.name for path in (tmp_path / "inbox" / ORDER.id).iterdir()] == ["order.json"]


def test_of_two_ends_of_a_batch_the_first_one_holds(tmp_path: Path) -> None:
    """Cancelled while its last step was written down: all of it was answered, and a name of what was not is kept."""
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)
    over = kept.end(taken, "done", unread=[1])
    assert kept.end(taken, "cancelled") == over == kept.order(ORDER.id)


def test_a_batch_that_is_cancelled_in_the_moment_it_begins_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood as running until the next start of the server, and could not be forgotten."""
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken, read = kept.take(ORDER, FILES), kept.order

    def cancelled_then(identity: str) -> Order:
        found = read(identity)
        monkeypatch.setattr(kept, "order", read)
        kept.end(taken, "cancelled")
        return found

    monkeypatch.setattr(kept, "order", cancelled_then)
    batches = Batches(Desk(kept, None, None, None), "")  # type: ignore[arg-type]
    assert batches.count(ORDER.id) == len(FILES)
    assert kept.order(ORDER.id).state == "cancelled"


def test_what_was_taken_first_is_answered_first_and_what_is_over_no_more(tmp_path: Path) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    first, second, third = (kept.take(replace(ORDER, id=f"{i}{ORDER.id[1:]}"), FILES) for i in (7, 1, 4))
    kept.end(second, "cancelled")
    assert kept.unfinished() == (first, third)
    assert [order.id for order in kept.all()] == [third.id, second.id, first.id]


@pytest.mark.parametrize("damaged", ["{", "[]", "{}", '{"names": 3}', "\0"])
def test_a_batch_whose_order_is_damaged_has_failed_keeps_its_files_and_hides_no_other(
    tmp_path: Path, damaged: str
) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    other = kept.take(replace(ORDER, id=ORDER.id.replace("0e4a", "1e4a")), FILES)
    taken = kept.take(ORDER, FILES)
    (tmp_path / "inbox" / ORDER.id / "order.json").write_text(damaged)
    assert kept.unfinished() == (other,)
    found = kept.order(ORDER.id)
    assert found in kept.all()
    assert (found.state, found.caller, found.names) == ("failed", "", (None, None))
    assert "order.json is damaged" in found.fault
    assert set(found.keys) == set(taken.keys)
    assert kept.erase(ORDER.id, lambda data: data == b"a") == 1
    assert sorted(path.read_bytes() for path in (tmp_path / "inbox" / ORDER.id).glob("?" * 64)) == [b"b"]


def test_a_disk_without_locks_is_told_as_a_fault_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Inbox(tmp_path / "inbox", b"s" * 32)
    taken = kept.take(ORDER, FILES)

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="gives no locks"):
        kept.rewrite(ORDER.id, lambda found: found)
    assert kept.order(ORDER.id) == taken
