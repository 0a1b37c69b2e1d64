"""One contract over every place for images, and what only a folder promises."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError

from hilum.errors import ImageGone, StorageError, UsageError
from hilum.storage.bucket import AT_ONCE, PATIENCE
from hilum.storage.images import FRESH_SECONDS, Images, open_images
from hilum.storage.local import LARGE, LocalShelf

SECRET = b"s" * 32
SIZES = (1, 20_000, LARGE, LARGE + 1)


@pytest.fixture
def images(tmp_path):
    opened = open_images(str(tmp_path / "images"), SECRET)
    yield opened
    opened.close()


@pytest.fixture(params=["folder", "bucket", "memory"])
def each(request, tmp_path):
    """Images in every kind of place."""
    if request.param == "bucket":
        address = request.getfixturevalue("bucket") + "/below/a prefix"
    else:
        address = {"folder": str(tmp_path / "images"), "memory": "memory://"}[request.param]
    opened = open_images(address, SECRET)
    yield opened
    opened.close()


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_kept_while_the_file_lies_elsewhere(known, images, tmp_path):
    here, aside = tmp_path / "images", tmp_path / "aside"
    images.put(b"first")
    assert images.ready()
    here.rename(aside)
    here.mkdir()
    with pytest.raises(StorageError, match="taken away or replaced"):
        images.put(b"first" if known else b"second")
    with ThreadPoolExecutor(1) as another, pytest.raises(StorageError, match="taken away or replaced"):
        another.submit(images.put, b"third").result()
    assert not [*here.iterdir()]
    here.rmdir()
    aside.rename(here)
    assert images.get(images.put(b"second")) == b"second"


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back_until_it_is_deleted(each, size):
    images = each
    data = os.urandom(size)
    key = images.put(data)
    assert key == images.key(data)
    assert images.get(key) == data
    assert images.holds(key)
    assert list(images.keys()) == [key]
    images.delete(key)
    assert not images.holds(key)
    assert list(images.keys()) == []
    with pytest.raises(ImageGone, match="never kept, or it was erased"):
        images.get(key)
    images.delete(key)


@pytest.mark.parametrize("size", SIZES)
def test_the_same_bytes_are_kept_once_and_again_after_an_erasure(each, size):
    images = each
    data = os.urandom(size)
    assert images.put(data) == images.put(data)
    assert len(list(images.keys())) == 1
    images.delete(images.key(data))
    images.put(data)
    assert images.get(images.key(data)) == data


def test_a_key_tells_nothing_without_the_secret(images, tmp_path):
    other = open_images(str(tmp_path / "other"), b"t" * 32)
    assert other.key(b"picture") != images.key(b"picture")
    other.close()


def test_what_was_kept_is_there_after_a_reopening_and_in_another_process_view(images, tmp_path):
    keys = [images.put(os.urandom(1000)) for _ in range(5)] + [images.put(os.urandom(LARGE))]
    other = open_images(f"file://{tmp_path / 'images'}", SECRET)
    assert sorted(other.keys()) == sorted(keys)
    other.delete(keys[0])
    assert not images.holds(keys[0])
    other.close()


def test_many_threads_share_the_work(each):
    images = each
    put: list[tuple[str, bytes]] = []

    def some(number: int) -> None:
        for i in range(20):
            data = b"%d-%d" % (number, i) * 500
            put.append((images.put(data), data))

    threads = [threading.Thread(target=some, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(put) == 320
    assert all(images.get(key) == data for key, data in put)


def test_a_damaged_image_is_never_given_out(images, tmp_path):
    key = images.put(b"as it was")
    with sqlite3.connect(tmp_path / "images" / "images.sqlite") as raw:
        raw.execute("UPDATE images SET data = ?", (b"as it is!",))
    raw.close()
    with pytest.raises(ImageGone, match="damaged"):
        images.get(key)


@pytest.mark.parametrize("size", [20_000, LARGE])
def test_erased_bytes_lie_nowhere_in_the_folder(images, tmp_path, size):
    canary = b"CANARY-OF-A-PATIENT-" * (size // 20)
    images.delete(images.put(canary))
    left = b"".join(path.read_bytes() for path in (tmp_path / "images").rglob("*") if path.is_file())
    assert b"CANARY-OF-A-PATIENT" not in left


def test_a_large_image_is_overwritten_before_it_goes(images, tmp_path):
    data = os.urandom(3 * LARGE + 7)
    key = images.put(data)
    (large,) = tmp_path.glob("images/large/*/*")
    other = tmp_path / "another name of the same blocks"
    other.hardlink_to(large)
    images.delete(key)
    assert other.read_bytes() == bytes(len(data))
    assert list(large.parent.iterdir()) == []


def half(images, tmp_path, data, *, suffix=".4711.new", age=0):
    """What a process that was killed in between leaves of a large image, so many seconds ago."""
    key = images.key(data)
    left = tmp_path / "images" / "large" / key[:2] / f"{key}{suffix}"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(data[: LARGE // 2])
    os.utime(left, (time.time() - age,) * 2)
    return left


@pytest.mark.parametrize("suffix", [".4711.new", ".0badc0de.gone"])
def test_half_an_image_goes_with_its_key_and_by_itself_when_it_is_old(images, tmp_path, suffix):
    first, second, third = (os.urandom(LARGE) for _ in range(3))
    key = images.put(first)
    asked = half(images, tmp_path, first, suffix=suffix)
    old, young = half(images, tmp_path, second, suffix=suffix, age=7200), half(images, tmp_path, third, suffix=suffix)
    assert list(images.keys()) == [key]
    images.delete(key, older_than=3600)
    assert asked.exists()
    images.delete(key)
    assert not asked.exists()
    assert images.sweep(3600) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert [images.put(third)] == list(images.keys())


def test_what_is_no_image_is_no_key(each, tmp_path):
    key = each.put(b"an image")
    if (tmp_path / "images").exists():
        stray = tmp_path / "images" / "large" / "5a" / ".DS_Store"
        stray.parent.mkdir(parents=True)
        stray.write_bytes(b"a note of the system's")
    else:
        obstore.put(each._shelf._store, "5a/.DS_Store", b"a note of the system's")
    assert list(each.keys()) == [key]
    assert each.sweep(0) == 0


def test_only_the_owner_may_look(images, tmp_path):
    images.put(b"x")
    images.put(b"x" * LARGE)
    assert all(path.stat().st_mode & 0o077 == 0 for path in [tmp_path / "images", *(tmp_path / "images").rglob("*")])


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be kept here"):
        open_images(str(tmp_path / "file" / "images"), SECRET)


def test_images_that_cannot_be_listed_are_an_error_in_words(images, tmp_path):
    with closing(sqlite3.connect(tmp_path / "images" / "images.sqlite")) as other:
        other.execute("DROP TABLE images")
    with pytest.raises(StorageError, match="cannot be read"):
        list(images.keys())


def test_a_disk_that_does_not_take_is_an_error_and_nothing_is_acknowledged(images, tmp_path):
    images.put(b"first")
    with sqlite3.connect(tmp_path / "images" / "images.sqlite") as raw:
        raw.execute("CREATE TRIGGER full BEFORE INSERT ON images BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    raw.close()
    with pytest.raises(StorageError, match="disk full"):
        images.put(b"second")
    assert not images.holds(images.key(b"second"))


def test_who_only_looks_writes_nothing(images, tmp_path):
    """Each thread opens the file for itself: on a full disk no picture could be shown, and `hilum verify` not begin."""
    ahead = tmp_path / "images" / "images.sqlite-wal"
    key = images.put(b"kept")
    before = ahead.read_bytes()
    with ThreadPoolExecutor(1) as another:
        assert another.submit(images.get, key).result() == b"kept"
    with closing(open_images(str(tmp_path / "images"), SECRET)) as again:
        assert again.get(key) == b"kept"
        assert ahead.read_bytes() == before


def test_a_new_file_gives_back_the_room_of_what_is_erased(images, tmp_path):
    images.put(b"kept")
    with closing(sqlite3.connect(tmp_path / "images" / "images.sqlite")) as there:
        found = [there.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "auto_vacuum", "journal_mode")]
    assert found == [16384, 2, "wal"]


def test_threads_that_come_and_go_leave_no_file_open(images, tmp_path):
    """A server answers with threads that end when they idle: each looked at an image over a connection of its own."""
    key = images.put(b"an image")

    def looked() -> int:
        threads = [threading.Thread(target=images.get, args=(key,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        links = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        return sum(link.is_relative_to(tmp_path) for link in links)

    at_once = (8 + 2) * 3  # the threads', the writer's and this one's connections, of three files each
    assert max(looked() for _ in range(10)) <= at_once


def test_after_closing_nothing_is_taken(tmp_path):
    opened = Images(open_images(str(tmp_path / "i"), SECRET)._shelf, SECRET)
    kept = opened.keep(b"last")
    opened.close()
    assert kept.saved.result(timeout=0) is None
    assert Path(tmp_path / "i" / "images.sqlite").stat().st_size
    again = open_images(str(tmp_path / "i"), SECRET)
    assert again.get(kept.key) == b"last"
    again.close()


@pytest.mark.parametrize("size", [1000, LARGE])
def test_only_what_is_old_goes_and_a_repeat_makes_it_young_again(images, tmp_path, size):
    data = os.urandom(size)
    key = images.put(data)
    images.delete(key, older_than=60)
    assert images.holds(key)
    with sqlite3.connect(tmp_path / "images" / "images.sqlite") as raw:
        raw.execute("UPDATE images SET at = at - 3600")
    raw.close()
    for path in tmp_path.glob("images/large/*/*"):
        os.utime(path, (1, 1))
    images.put(data)
    images.delete(key, older_than=60)
    assert images.get(key) == data


def test_a_bucket_that_is_away_is_an_error_and_one_that_comes_back_works_again(bucket, monkeypatch):
    images = open_images(bucket, SECRET)
    key = images.put(b"before")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = open_images("s3://no-such-bucket", SECRET)
    for ask in (lambda: away.put(b"x"), lambda: away.get(key), lambda: list(away.keys()), lambda: away.delete(key)):
        with pytest.raises(StorageError, match="an image cannot be"):
            ask()
    assert images.get(key) == b"before"
    away.close()
    images.close()
    with pytest.raises(StorageError, match="cannot be kept"):
        images.put(b"after closing")


def test_a_bucket_that_is_read_and_not_written_is_not_ready_until_it_is_written_again(bucket, monkeypatch):
    """As with a key that may only read, or where the share of the disk is used up."""
    whole, allowed = obstore.put, [False]

    def put(store, path, data):
        if not allowed[0]:
            raise PermissionDeniedError("AccessDenied")
        return whole(store, path, data)

    monkeypatch.setattr(obstore, "put", put)
    images = open_images(bucket, SECRET)
    assert not images.ready()
    allowed[0] = True
    assert images.ready()
    images.put(b"taken")
    allowed[0] = False
    with pytest.raises(StorageError):
        images.put(b"not taken")
    assert not images.ready()
    allowed[0] = True
    assert images.ready()
    assert list(images.keys()) == [images.key(b"taken")]
    images.close()


def test_only_what_is_old_goes_from_a_bucket(bucket):
    images = open_images(bucket, SECRET)
    key = images.put(b"young")
    images.delete(key, older_than=3600)
    assert images.holds(key)
    images.delete(key)
    assert not images.holds(key)
    images.close()


def test_a_place_that_nobody_knows_is_wrong_use():
    with pytest.raises(UsageError, match="HILUM_IMAGES_URL"):
        open_images("nowhere://x", SECRET)


def test_an_image_is_erased_whatever_the_clock_says_by_then(each, monkeypatch):
    key = each.put(os.urandom(1000))
    monkeypatch.setattr(time, "time", lambda: 1.0)
    each.delete(key)
    assert not each.holds(key)


@pytest.mark.parametrize("size", [1000, LARGE])
@pytest.mark.parametrize("place", ["folder", "memory"])
def test_an_image_is_put_again_only_once_it_is_no_longer_fresh(tmp_path, monkeypatch, place, size):
    """Fresh, it costs a look-up; older, it must not look left over while a record of it is on its way."""
    images = open_images({"folder": str(tmp_path / "images"), "memory": "memory://"}[place], SECRET)
    data, real = os.urandom(size), time.time
    key = images.put(data)
    began = images._shelf.kept_at(key)
    for later, again in ((FRESH_SECONDS - 30, False), (FRESH_SECONDS + 30, True)):
        monkeypatch.setattr(time, "time", lambda later=later: real() + later)
        images.put(data)
        assert (images._shelf.kept_at(key) > began) is again
    images.close()


def test_two_processes_of_one_number_keep_the_same_large_image_at_once(tmp_path, monkeypatch):
    """As in two containers on one folder, in each of which the process has the number 1."""
    one, other = LocalShelf(tmp_path), LocalShelf(tmp_path)
    key, data, sync, met = "ab" * 32, os.urandom(LARGE), os.fsync, []

    def meanwhile(handle):
        if not met:
            met.append(handle)
            other.keep(key, data, 0).result(120)
        sync(handle)

    monkeypatch.setattr("hilum.storage.local.os.fsync", meanwhile)
    one.keep(key, data, 0).result(120)
    assert met
    assert one.get(key) == data
    one.close()
    other.close()


def test_a_large_image_that_the_disk_did_not_take_leaves_no_half(tmp_path, monkeypatch):
    shelf, asked, sync = LocalShelf(tmp_path), itertools.count(), os.fsync
    with monkeypatch.context() as full:  # of the image each time, and then not of what wipes it: the file, the folder
        full.setattr("hilum.storage.local.os.fsync", lambda to: sync(to) if next(asked) % 3 else os.close(-1))
        for _ in range(3):
            with pytest.raises(StorageError):
                shelf.keep("ab" * 32, os.urandom(LARGE), 0).result(120)
    assert list(tmp_path.glob("large/*/*")) == []
    shelf.close()


def test_who_waited_too_long_for_a_bucket_is_told_and_not_tried(bucket, monkeypatch):
    """Else each of many waits for all before it, half a minute each where the bucket swallows what is sent."""
    images, asked, gate = open_images(bucket, SECRET), [], threading.Event()
    head = obstore.head

    def held(store, path):
        asked.append(path)
        assert gate.wait(120)
        return head(store, path)

    monkeypatch.setattr(obstore, "head", held)
    first = [images.keep(b"%d" % number) for number in range(AT_ONCE)]
    late = time.monotonic() + 120
    while len(asked) < AT_ONCE and time.monotonic() < late:
        time.sleep(0.01)
    monkeypatch.setattr("hilum.storage.bucket.PATIENCE", -1.0)
    last = images.keep(b"last")
    gate.set()
    with pytest.raises(StorageError, match="for its turn"):
        last.saved.result(120)
    assert len(asked) == AT_ONCE
    assert [one.saved.result(120) for one in first] == [None] * AT_ONCE
    assert not images.holds(last.key)
    images.close()


def test_who_waits_for_a_slow_bucket_waits_as_long_as_it_takes_one_after_another(bucket, monkeypatch):
    """An upload of many images over a thin line is not one that nothing comes of."""
    monkeypatch.setattr("hilum.storage.bucket.AT_ONCE", 1)
    images, put, gate, clock = open_images(bucket, SECRET), obstore.put, threading.Event(), [0.0]

    def slow(*given):
        assert gate.wait(120)
        clock[0] += 0.6 * PATIENCE
        return put(*given)

    monkeypatch.setattr(obstore, "put", slow)
    monkeypatch.setattr("hilum.storage.bucket.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    waiting = [images.keep(b"%d" % number) for number in range(4)]
    gate.set()
    assert [one.saved.result(120) for one in waiting] == [None] * 4
    assert all(images.holds(one.key) for one in waiting)
    images.close()
