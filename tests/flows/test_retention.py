"""What is older than the days allowed goes by itself; a run that fails is told and the next one still comes."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.errors import StorageError
from hilum.flows.erase import CACHED, Found, Places, erase_caller, erase_one, sweep
from hilum.flows.progress import Silent
from hilum.flows.retention import DAY, Retention, retain
from hilum.flows.verify import verify
from hilum.records.entry import Columns, Entry
from hilum.records.query import Query
from hilum.records.store import Records, open_records
from hilum.storage.cache import open_cache
from hilum.storage.images import Images, open_images
from tests import servers

SECRET = b"s" * 32


@pytest.fixture
def places(tmp_path):
    records = open_records(f"sqlite:///{tmp_path / 'r.db'}", SECRET, tmp_path / "head")
    images = open_images(str(tmp_path / "images"), SECRET)
    yield Places(records, images, open_cache("", 1000), tmp_path / "training", tmp_path / "erasures")
    images.close()
    records.close()


def lay(places, days, image, number=0):
    """A prediction so many days ago."""
    fresh = Entry("prediction")
    entry = Entry("prediction", columns=Columns(image=places.images.put(image)), at=fresh.at - days * DAY * 1_000_000,
                  personal={"file": f"{number}.png"})  # fmt: skip
    places.records.append([entry]).result()
    return entry


def test_nothing_younger_goes_and_nothing_older_stays(places):
    old = [lay(places, days, b"image %d" % days) for days in (400, 32, 31)]
    young = [lay(places, days, b"image %d" % days) for days in (29, 1, 0)]
    again = lay(places, 0, b"image 400")
    done = retain(places, 30)
    assert (done.predictions, done.images, done.personal) == (3, 2, 3)  # one picture was sent again since
    assert {found.id for found in places.records.kept()} == {entry.id for entry in [*young, again]}
    assert all(not places.records.get(entry.id).entry.personal for entry in old)
    assert all(places.images.holds(entry.columns.image) for entry in [*young, again])
    assert retain(places, 30).predictions == 0
    assert places.records.verify().sound


def test_answers_are_kept_and_put_on_record_between_the_portions_of_a_long_erasure(places, monkeypatch):
    old = [lay(places, 400, b"image %d" % number, number) for number in range(7)]
    for what in ("hilum.storage.local", "hilum.records.erasures", "hilum.flows.erase"):
        monkeypatch.setattr(f"{what}.AT_ONCE", 3)
    meanwhile = []

    class Resting:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(_seconds):  # nobody holds a lock now
            meanwhile.append(lay(places, 0, b"new %d" % len(meanwhile)))

    monkeypatch.setattr("hilum.sqlite.time", Resting)
    done = retain(places, 30)
    assert (done.predictions, done.images, done.personal) == (7, 7, 7)
    assert len(meanwhile) >= 2 + 2 + 2 + 2  # records, images, names, marks: of three, three and one
    assert {found.id for found in places.records.kept()} == {entry.id for entry in meanwhile}
    assert all(places.images.holds(entry.columns.image) for entry in meanwhile)
    assert not any(places.images.holds(entry.columns.image) for entry in old)
    assert places.records.begun() == {}
    assert places.records.verify().sound


@pytest.mark.parametrize("whole", [False, True])
def test_a_picture_that_is_sent_again_while_it_is_looked_for_elsewhere_stays_for_the_new_prediction(places, whole):
    """Trainings and uploads are searched for minutes; `hilum verify` would name its picture as lost."""
    old, since = lay(places, 400, b"picture"), []

    class Uploads:
        def erase(self, _wanted):
            since.append(lay(places, 0, b"picture"))
            return Found(0)

    among = replace(places, elsewhere=(Uploads(),))
    done = erase_one(old.id, among) if whole else retain(among, 30)
    (new,) = since
    assert (done.predictions, done.images) == (1, 0)
    assert verify(places.records, places.images).faults == ()
    assert places.images.holds(new.columns.image)
    assert (new.id in "".join(done.still)) == whole
    assert places.records.begun() == {}
    erase_one(new.id, places)
    assert_gone(places, old, new)


def test_more_days_than_there_were_erase_nothing(places):
    lay(places, 10_000, b"x")
    assert retain(places, 10**13).predictions == 0


class Killed(BaseException):
    """The process ends here."""


def kill(*_arguments):
    raise Killed


STEPS = ((Images, "delete"), (Records, "forget"))


def stopped_at(step, monkeypatch, erase, *arguments):
    """An erasure of which nothing came after it was on record and had come to this step."""
    with monkeypatch.context() as until:
        until.setattr(*step, kill)
        with pytest.raises(Killed):
            erase(*arguments)


def assert_gone(places, *entries):
    assert not any(places.images.holds(entry.columns.image) for entry in entries)
    assert not any(places.records.get(entry.id).entry.personal for entry in entries)
    assert places.records.begun() == {}
    assert places.records.verify().sound


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_that_was_killed_is_finished_by_asking_again(places, monkeypatch, step):
    """Names that came with the same picture another time, too: they are erased, so that nobody finds them again."""
    same = [lay(places, 0, b"picture", number) for number in (1, 2)]
    stopped_at(step, monkeypatch, erase_one, same[0].id, places)
    erase_one(same[0].id, places)
    assert_gone(places, *same)


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_of_a_caller_that_was_killed_is_finished_by_any_other(places, monkeypatch, step):
    whole, last = lay(places, 0, b"picture"), lay(places, 0, b"another")
    stopped_at(step, monkeypatch, erase_caller, "local", places)
    other = Entry("prediction", caller="rita", columns=Columns(image=places.images.put(b"of rita")))
    places.records.append([other]).result()
    erase_one(other.id, places)
    assert_gone(places, whole, last, other)


def test_a_server_finishes_an_erasure_that_was_killed_and_spares_what_came_since(places, monkeypatch):
    gone, again = (lay(places, 0, b"picture %d" % number) for number in (1, 2))
    stopped_at(STEPS[0], monkeypatch, erase_caller, "local", places)
    since = lay(places, 0, b"picture 2")
    sweep(places)
    assert_gone(places, gone)
    assert places.images.holds(since.columns.image)
    assert places.records.get(since.id).entry.personal == {"file": "0.png"}
    assert not places.records.get(again.id).entry.personal


def test_a_picture_that_cannot_be_removed_keeps_its_own_erasure_open_and_no_other(places, monkeypatch):
    stuck, other = lay(places, 0, b"stuck"), lay(places, 0, b"other")
    delete = Images.delete
    with monkeypatch.context() as until:
        until.setattr(Images, "delete", lambda self, *keys: delete(self, *set(keys) - {stuck.columns.image}))
        with pytest.raises(StorageError):
            erase_one(stuck.id, places)
        erase_one(other.id, places)
        assert [one.prediction.id for one in places.records.begun().values()] == [stuck.id]
    sweep(places)
    assert_gone(places, stuck, other)


@pytest.mark.parametrize("name", ["r.db", "images/images.sqlite"])
def test_an_erasure_beside_somebody_who_reads_is_not_over_before_nothing_is_left(places, tmp_path, monkeypatch, name):
    """A backup, or `hilum verify`: what was erased stays in the write-ahead file until they are done."""
    with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
        entry = lay(places, 0, b"CANARY of a picture", "CANARY of a name")
        with monkeypatch.context() as until:
            until.setattr("hilum.sqlite.SECONDS", 0.0)
            with pytest.raises(StorageError, match="somebody reads"):
                erase_one(entry.id, places)
        assert [one.prediction.id for one in places.records.begun().values()] == [entry.id]
        lay(places, 0, b"another")  # nobody else is held up
    sweep(places)
    assert_gone(places, entry)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"CANARY" in path.read_bytes()]


def test_who_looks_at_all_pictures_holds_up_no_erasure(places, tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.records.store.PICTURES", 2)
    laid = [lay(places, 0, b"image %d" % number, f"CANARY {number}") for number in (0, 1, 1, 2, 3)]
    named, ahead = [], []
    for image, _ in places.records.pictures():
        named.append(image)
        if len(named) == 1:
            erase_one(laid[-1].id, places)
            ahead.append((tmp_path / "r.db-wal").read_bytes())
    assert named == [entry.columns.image for entry in (laid[0], laid[1], laid[3])]
    assert b"CANARY 3" not in ahead[0]


@pytest.mark.parametrize("image", ["'none at all'", "'-aaaaaaaaaaaaaaa'", "x'ff'", "CAST(x'ff' AS TEXT)"])
def test_a_row_with_a_changed_name_of_an_image_stops_no_sweep(places, tmp_path, image):
    entry = lay(places, 0, b"picture")
    with closing(sqlite3.connect(tmp_path / "r.db")) as raw, raw:
        raw.execute("DROP TRIGGER records_no_update")
        raw.execute(f"UPDATE records SET image = {image}")
    assert sweep(places) == 0
    assert places.images.holds(entry.columns.image)  # without a record now, and younger than an hour


def test_a_shared_cache_that_was_away_is_named_with_what_it_may_still_hold(places):
    pytest.importorskip("redis")
    away = replace(places, cache=open_cache(f"redis://127.0.0.1:{servers.free_port()}/0", 0))
    entry = lay(places, 1, b"x")
    assert erase_one(entry.id, away).still == (CACHED,)
    assert not places.images.holds(entry.columns.image)
    assert erase_one(entry.id, places).still == ()  # it is back: asked again, nothing is left


def test_training_copies_of_a_picture_that_no_record_names_go_with_it(places, monkeypatch):
    monkeypatch.setattr("hilum.flows.erase.ORPHAN_SECONDS", 0.0)
    left, named = places.images.put(b"left over"), lay(places, 0, b"named").columns.image
    run = places.copies / "run"
    run.mkdir(parents=True)
    for key in (left, named):
        (run / f"{key}.png").write_bytes(b"copy")
    assert sweep(places) == 1
    assert [path.name for path in run.iterdir()] == [f"{named}.png"]


def test_a_training_copy_that_another_erasure_takes_meanwhile_stops_none(places, monkeypatch):
    entry, unlink = lay(places, 0, b"x"), Path.unlink
    run = places.copies / "run"
    run.mkdir(parents=True)
    (run / f"{entry.columns.image}.png").write_bytes(b"copy")

    def late(path, *, missing_ok=False):
        if path.parent == run and path.exists():
            unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", late)
    erase_one(entry.id, places)
    assert list(run.iterdir()) == []


def test_zero_days_keep_everything(places):
    lay(places, 10_000, b"x")
    assert retain(places, 0).predictions == 0
    assert places.records.find(Query(kind="erasure")).total == 0


def test_whatever_fails_is_told_and_the_next_run_comes(places, monkeypatch):
    told, again = [], threading.Event()
    mishaps = [ValueError("no number"), OSError("no disk"), StorageError("the bucket is away")]

    def sweep(_places):
        if not mishaps:
            again.set()
            return
        raise mishaps.pop(0)

    monkeypatch.setattr("hilum.flows.retention.sweep", sweep)
    monkeypatch.setattr("hilum.flows.retention.HOUR", 0.01)
    keeper = Retention(places, 0, told.append, first=0.0)
    keeper.start()
    assert again.wait(120)
    keeper.close()
    assert told == ["ValueError: no number", "OSError: no disk", "the bucket is away"]


def test_it_runs_by_itself_and_a_failure_is_told(places, monkeypatch):
    entry, told, swept = lay(places, 50, b"x"), [], threading.Event()

    def sweep(_places):
        swept.set()
        raise StorageError("the bucket is away")

    monkeypatch.setattr("hilum.flows.retention.sweep", sweep)
    failed = threading.Event()
    keeper = Retention(places, 30, lambda words: (told.append(words), failed.set()), first=0.0)
    keeper.start()
    assert swept.wait(120)
    assert failed.wait(120)
    keeper.close()
    assert told == ["the bucket is away"]
    assert places.records.about(entry.id, "erasure")


def test_what_is_erased_while_somebody_verifies_is_no_fault_and_what_is_lost_is_one(places):
    """By age it goes once an hour, and to look at all pictures takes minutes."""
    first, erased, lost = (lay(places, 0, b"image %d" % number, number) for number in range(3))
    places.images.delete(lost.columns.image)

    class Meanwhile(Silent):
        def done(self, count, total=None, note=""):
            if total is None and count == 1:  # the first picture is looked at, and the others were named with it
                erase_one(erased.id, places)

    found = verify(places.records, places.images, Meanwhile())
    assert (found.rows, found.images) == (3, 3)
    (fault,) = found.faults
    assert lost.id in fault
    assert first.id not in fault
