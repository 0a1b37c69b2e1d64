"""What is written whole is there whole, and nothing else beside it; what is acknowledged was told to the disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from hilum.access.tables import Database
from hilum.durable import DRAFT, draft_beside, sync_folder, write_whole
from hilum.errors import RecordsError
from hilum.jobs.inbox import Inbox, Order
from hilum.records.checkpoint import Checkpoint, note_outside
from hilum.records.schema import open_engine
from hilum.storage.local import LARGE, LocalShelf

FULL = 2  # SQLite: a commit returns once the disk has it
KEY = "5a" * 32


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was told to the disk, below the test's folder, and its bytes at that moment (folders: -1)."""
    found: list[tuple[str, int]] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_relative_to(tmp_path):
            found.append((str(path.relative_to(tmp_path)), -1 if path.is_dir() else path.stat().st_size))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "work.json"
    write_whole(file, b"one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["work.json"]
    sync_folder(tmp_path)


def test_what_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "work.json"
    write_whole(file, b"one")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space.*work\.json"):
            write_whole(file, b"two")
    assert file.read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["work.json"]


def test_two_that_write_one_file_at_once_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two servers of one home, or two containers, whose processes have one number."""
    file, sync = tmp_path / "work.json", os.fsync
    others = [b"the second, which is longer"]

    def between(handle: int) -> None:
        if others:
            write_whole(file, others.pop())
        sync(handle)

    monkeypatch.setattr(os, "fsync", between)
    write_whole(file, b"the first")
    assert file.read_bytes() == b"the first"
    assert [path.name for path in tmp_path.iterdir()] == ["work.json"]


def test_drafts_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    old, older, living = (tmp_path / f"a[1].json{name}.new" for name in ("." + "0" * 16, "", "." + "1" * 16))
    other = tmp_path / "b.json.new"
    for path in (old, older, living, other):
        path.write_bytes(b"half")
    for path in (old, older, other):
        os.utime(path, (0, 0))
    write_whole(tmp_path / "a[1].json", b"one")
    assert {path.name for path in tmp_path.iterdir()} == {"a[1].json", living.name, other.name}


def test_a_commit_of_records_users_and_images_waits_for_the_disk(tmp_path: Path) -> None:
    asked = "PRAGMA synchronous"
    records, access, images = (
        open_engine(f"sqlite:///{tmp_path / 'a.db'}"),
        Database(f"sqlite:///{tmp_path / 'a.db'}"),
        LocalShelf(tmp_path),
    )
    with records.connect() as connection:
        assert connection.exec_driver_sql(asked).scalar() == FULL
    with access.writing() as writing:
        assert writing.exec_driver_sql(asked).scalar() == FULL
    assert images._connection().execute(asked).fetchone() == (FULL,)
    records.dispose()
    access.close()
    images.close()


def test_a_checkpoint_is_on_the_disk_once_it_is_noted(tmp_path: Path, synced: list[tuple[str, int]]) -> None:
    made = Checkpoint(1, 2, "writer", 3, "{}", b"s" * 32)
    for _ in range(2):
        note_outside(tmp_path / "head", made)
    assert synced == [("head", len(made.line)), ("head", 2 * len(made.line))]


def test_a_checkpoint_that_the_disk_takes_half_of_is_not_noted_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write = Checkpoint(1, 2, "writer", 3, "{}", b"s" * 32), os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) < len(made.line):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[:10])

    note_outside(tmp_path / "head", made)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(RecordsError, match="cannot be noted"):
            note_outside(tmp_path / "head", made)
    note_outside(tmp_path / "head", made)
    assert (tmp_path / "head").read_text() == 2 * made.line


def test_a_large_image_and_its_name_are_on_the_disk_once_it_is_kept(
    tmp_path: Path, synced: list[tuple[str, int]]
) -> None:
    shelf = LocalShelf(tmp_path / "images")
    saved: Future[None] = shelf.keep(KEY, bytes(LARGE), 600)
    saved.result(timeout=120)
    (before, size), *folders = [one for one in synced if one != ("images", -1)]
    assert before.startswith(f"images/large/5a/{KEY}.")
    assert size == LARGE
    assert folders == [("images/large/5a", -1), ("images/large", -1)]
    assert synced[-1] == ("images", -1)
    shelf.close()


def test_a_batch_is_on_the_disk_once_it_is_taken(tmp_path: Path, synced: list[tuple[str, int]]) -> None:
    order = Order("0e4ac1a8-58b5-4d2f-9a55-0a6ac3f0c0de", "local", "auto", None, "balanced", None, keep=True)
    taken = Inbox(tmp_path / "inbox", b"s" * 32).take(order, [("a.png", b"abc")])
    place = f"inbox/{order.id}"
    file, (draft, _), *folders = synced
    assert file == (f"{place}/{taken.keys[0]}", 3)
    assert draft.startswith(f"{place}/order.json.")
    assert folders == [(place, -1), ("inbox", -1)]


def test_what_a_kill_left_half_made_is_taken_away_by_the_next_one(tmp_path: Path) -> None:
    maker = (
        "import os, sys\nfrom pathlib import Path\nfrom hilum.durable import draft_beside\n"
        "with draft_beside(Path(sys.argv[1])) as draft:\n"
        "    (draft / 'half').write_bytes(b'1')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", maker, str(tmp_path / "out")], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "half").is_file()
    own = tmp_path / ".out-original"
    own.mkdir()  # a hidden folder of the user's own is none of ours
    pipe = tmp_path / f"{DRAFT}pipe"
    os.mkfifo(pipe)  # opened like a file it would keep the command waiting for ever
    with draft_beside(tmp_path / "other") as held, draft_beside(tmp_path / "out") as draft:
        assert not left.exists()
        assert held.is_dir()  # somebody works in it
        (draft / "new").mkdir()
        (draft / "new").rename(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [pipe.name, own.name, "out"]


def test_a_draft_that_was_found_before_it_was_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = tempfile.mkdtemp

    def found(**given: Any) -> str:
        made.append(make(**given))
        if len(made) == 1:
            Path(made[0]).rmdir()  # as another process that sweeps in this moment
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", found)
    with draft_beside(tmp_path / "out") as draft:
        assert draft.is_dir()
        assert draft.name.startswith(DRAFT)
    assert len(made) == 2


def test_a_failure_leaves_nothing_half_made(tmp_path: Path) -> None:
    def fail() -> None:
        with draft_beside(tmp_path / "out") as draft:
            (draft / "half").write_bytes(b"1")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match=r"full: .*/out"):  # a write names no file
        fail()
    assert not list(tmp_path.iterdir())
