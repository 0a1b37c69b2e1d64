"""What is appended is found again as it was; nothing twice, nothing half, nothing before its image."""

from __future__ import annotations

import base64
import errno
import functools
import json
import math
import os
import shutil
import threading
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError

from hilum.errors import DuplicateRecord, RecordsError, StorageError, UsageError
from hilum.records import migrate, search, store, tallies
from hilum.records.entry import Columns, Entry
from hilum.records.query import ORDERS, Query
from hilum.records.schema import open_engine
from hilum.records.store import Records, open_records, records_as_they_lie
from tests.records.made import HOUR, SECRET, START, feedback, prediction


def add(records, *entries):
    records.append(entries).result(timeout=120)


def test_an_entry_comes_back_as_it_was(records):
    entry = prediction(7, personal={"file": "Müller %.png", "note": "x\ny"})
    bare = Entry("act", b'{"what":"sign in"}', caller="key-1")
    add(records, entry, bare)
    assert records.get(entry.id).entry == entry
    assert records.get(bare.id).entry == bare
    assert records.get("no such id") is None


@pytest.mark.parametrize("instead", ["nothing", "another"])
def test_nothing_is_acknowledged_while_the_file_lies_elsewhere(instead, tmp_path):
    url, head = f"sqlite:///{tmp_path / 'here' / 'records.db'}", tmp_path / "head"
    here, aside = tmp_path / "here", tmp_path / "aside"
    with closing(open_records(url, SECRET, head)) as records:
        add(records, prediction(1))
        noted = head.read_bytes()
        here.rename(aside)
        if instead == "another":
            open_records(url, SECRET).close()
        with pytest.raises(RecordsError, match="taken away or replaced"):
            add(records, prediction(2))
        with pytest.raises(RecordsError):
            records.forget(["any"])
        assert not records.ready()
        assert head.read_bytes() == noted
        shutil.rmtree(here, ignore_errors=True)
        aside.rename(here)
        add(records, prediction(3))
        assert records.ready()
        assert not records.verify().faults
        assert records.find(Query()).total == 2
        here.rename(aside)
        noted = head.read_bytes()
    assert head.read_bytes() == noted


def test_what_speaks_of_a_record_is_found_in_order(records):
    entry = prediction(1)
    first, second = feedback(entry, "normal"), feedback(entry, "pneumonia")
    add(records, entry, first)
    add(records, second, Entry("erasure", subject=entry.id))
    assert [found.id for found in records.about(entry.id, "feedback")] == [first.id, second.id]
    assert len(records.about(entry.id)) == 3
    assert records.get(entry.id).erased
    assert not records.get(first.id).erased
    assert records.about("another") == ()


def test_many_are_asked_for_at_once_and_the_last_word_on_each(records, monkeypatch):
    monkeypatch.setattr("hilum.records.search.AT_ONCE", 2)
    entries = [prediction(number, personal={"file": f"{number}.png"}) for number in range(5)]
    add(records, *entries)
    late = replace(feedback(entries[0], "normal"), at=START + 10 * HOUR)
    add(records, late, feedback(entries[0], "pneumonia"))
    add(records, feedback(entries[3], "pneumonia"))
    ids = [entry.id for entry in entries]
    found = records.many([*ids, "no such id"])
    assert {name: one.entry for name, one in found.items()} == {entry.id: entry for entry in entries}
    assert records.last_said(ids) == {ids[0]: ("normal", "local"), ids[3]: ("pneumonia", "local")}
    assert (records.many([]), records.last_said([])) == ({}, {})


def test_models_on_record_are_named_and_only_what_is_new_is_looked_through(records, opening, url):
    assert records.models() == frozenset()
    add(records, *(prediction(i) for i in range(3)), prediction(3, model="cxr@1"))
    assert records.models() == {"pneumonia-cxr@1.0.0", "cxr@1"}
    add(
        opening("other") if url.startswith("postgresql") else records,
        prediction(4, model="cxr@2"),
        prediction(5, None, model=None),
    )
    assert records.models() == {"pneumonia-cxr@1.0.0", "cxr@1", "cxr@2"}


def test_an_id_is_taken_once_and_the_neighbours_in_the_group_are_kept(records):
    add(records, prediction(1))
    futures = [records.append([prediction(number)]) for number in (2, 1, 3)]
    assert futures[0].result(timeout=120) is None
    with pytest.raises(DuplicateRecord):
        futures[1].result(timeout=120)
    assert futures[2].result(timeout=120) is None
    assert records.find(Query()).total == 3
    assert records.verify().sound


def test_entries_of_one_append_are_kept_all_or_none(records):
    with pytest.raises(DuplicateRecord):
        add(records, prediction(1), prediction(2), prediction(1))
    assert records.find(Query()).total == 0


@pytest.mark.parametrize(
    "bad",
    [
        replace(prediction(1), body="é".encode()),
        replace(prediction(1), columns=Columns(probability=math.nan)),
        replace(prediction(1), columns=Columns(took="soon")),
        replace(prediction(1), personal={"file": "\udcff.png"}),
        replace(prediction(1), at=2**63),
    ],
    ids=["not ASCII", "not a number", "text", "a letter that is none", "a moment too far"],
)
def test_what_no_record_may_hold_is_refused_alone(records, bad):
    futures = [records.append([prediction(5)]), records.append([bad]), records.append([prediction(6)])]
    with pytest.raises(RecordsError, match="cannot be recorded"):
        futures[1].result(timeout=120)
    assert futures[0].result(timeout=120) is futures[2].result(timeout=120) is None
    assert records.verify().sound


def test_an_entry_waits_for_its_image_and_fails_with_it(records):
    saved, failed = Future(), Future()
    waiting, hopeless = records.append([prediction(1)], saved), records.append([prediction(2)], failed)
    add(records, prediction(3))
    assert not waiting.done()
    saved.set_result(None)
    failed.set_exception(StorageError("disk full"))
    assert waiting.result(timeout=120) is None
    with pytest.raises(StorageError, match="disk full"):
        hopeless.result(timeout=120)
    assert {found.id for found in records.find(Query())} == {prediction(1).id, prediction(3).id}


def test_many_threads_append_and_every_acknowledged_row_is_there(records):
    def some(start):
        for number in range(start, start + 25):
            add(records, prediction(number))

    threads = [threading.Thread(target=some, args=(start,)) for start in range(0, 400, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = records.verify()
    assert (seen.rows, seen.faults) == (400, ())


def test_closing_writes_what_waits(opening):
    records = opening()
    futures = [records.append([prediction(number)]) for number in range(50)]
    records.close()
    assert all(future.result(timeout=0) is None for future in futures)
    again = opening()
    seen = again.verify()
    assert (seen.rows, seen.sound) == (50, True)
    with pytest.raises(StorageError, match="closed"):
        records.append([prediction(51)]).result(timeout=0)


@pytest.mark.parametrize("order", ORDERS)
def test_pages_show_everything_once_and_in_order(records, order):
    entries = [
        prediction(number, ("normal", "pneumonia")[number % 2], probability=number % 4 / 4) for number in range(23)
    ]
    add(records, *entries)
    query, shown = Query(order=order, limit=5, negatives=("normal",)), []
    while True:
        page = records.find(query)
        assert page.total == 23
        shown += page.records
        if page.next_cursor is None:
            break
        query = replace(query, cursor=page.next_cursor)
    assert sorted(found.id for found in shown) == sorted(entry.id for entry in entries)
    keys = {
        "newest": lambda e: -e.at,
        "oldest": lambda e: e.at,
        "uncertain": lambda e: (e.columns.probability, -e.at),
        "priority": lambda e: (e.columns.label == "normal", -e.columns.probability, -e.at),
    }
    assert [found.entry for found in shown] == sorted(entries, key=keys[order])


def test_each_filter_finds_its_own(records):
    ill, well, refused = prediction(1), prediction(2, "normal", caller="anna"), prediction(3, None, task="brain")
    named = prediction(4, personal={"file": "Scan_100%.png"})
    noted = feedback(well, "normal", personal={"note": "Second reading"})
    add(records, ill, well, refused, named, feedback(ill, "normal"), noted)
    cases = {
        Query(): [ill, well, refused, named],
        Query(label="normal"): [well],
        Query(task="brain"): [refused],
        Query(refused=True): [refused],
        Query(refused=False): [ill, well, named],
        Query(disagreed=True): [ill],
        Query(disagreed=False): [well, refused, named],
        Query(caller="anna"): [well],
        Query(model="pneumonia-cxr", label="normal"): [well],
        Query(model="dddd"): [ill, well, refused, named],
        Query(model="eeee"): [],
        Query(model="pneumonia"): [],
        Query(since=START + 2000, until=START + 4000): [well, refused],
        Query(text="scan_100%"): [named],
        Query(text="SCAN%PNG"): [],
        Query(text="norm"): [well],
        Query(text="second READING"): [well],
        Query(text="not healthy", titled=("normal",)): [well],
        Query(text=refused.id[:36]): [refused],
        Query(image=ill.columns.image): [ill],
        Query(order="uncertain"): [ill, well, named],
    }
    for query, expected in cases.items():
        found = records.find(query)
        assert {record.id for record in found} == {entry.id for entry in expected}, query
        assert found.total == len(expected)
    assert records.find(Query(kind="feedback")).total == 2
    assert records.find(Query(kind=None)).total == 6


def test_a_text_is_found_in_whatever_case_of_whatever_letters(tmp_path):
    """On SQLite; on PostgreSQL it hangs on the locale that the database was made with."""
    named, noted = prediction(1, personal={"file": "Иванов_Übersicht.PNG"}), prediction(2)
    with closing(open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET)) as records:
        add(records, named, noted, feedback(noted, "normal", personal={"note": "ÄHNLICH 100%"}))
        for part in ("Иванов", "иванов", "ИВАНОВ_ü", "übersicht.png", "ÜBERSICHT"):
            assert [found.id for found in records.find(Query(text=part))] == [named.id], part
        assert [found.id for found in records.find(Query(text="ähnlich 100%"))] == [noted.id]
        for part in ("иванов%", "ähnlich 1_0"):  # no wildcards
            assert records.find(Query(text=part)).total == 0


def test_a_search_looks_through_names_and_notes_once_and_not_for_every_row(tmp_path):
    with closing(open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET)) as records:
        asked = []
        event.listen(records._engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
        assert records.find(Query(text="scan")).total == 0
        searches = [(sql, given) for sql, given in asked if "personal" in sql]
        with records._engine.connect() as connection:
            plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {q}", given).all()) for q, given in searches]
    assert ["SCAN personal" in plan for plan in plans] == [True]
    assert not any("CORRELATED" in plan for plan in plans)


@pytest.mark.parametrize("order", ORDERS)
def test_who_follows_pages_lets_count_once(records, order):
    add(records, *(prediction(number, probability=number / 10) for number in range(5)))
    asked = []
    event.listen(records._engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    page = records.find(Query(order=order, limit=2))
    add(records, prediction(9, probability=0.9))
    while page.next_cursor is not None:
        page = records.find(Query(order=order, limit=2, cursor=page.next_cursor))
        assert page.total == 5
    assert sum("count(" in statement for statement in asked) == 1


def test_a_cursor_of_an_older_hilum_is_followed(records):
    add(records, *(prediction(number) for number in range(3)))
    values = [START + 1000, 2]
    page = records.find(Query(cursor=base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")))
    assert (len(page.records), page.total) == (1, 3)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_page_far_down_is_found_by_the_index(tmp_path, order):
    with closing(open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET)) as records:
        add(records, *(prediction(number) for number in range(9)))
        asked = []
        cursor = records.find(Query(order=order, limit=2)).next_cursor
        event.listen(records._engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
        records.find(Query(order=order, limit=2, cursor=cursor))
        paged, given = next((sql, given) for sql, given in asked if "ORDER BY" in sql)
        with records._engine.connect() as connection:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {paged}", given).all())
    assert "(kind=? AND at" in plan


@pytest.mark.parametrize("cursor", ["x", "%%%", "W10", "WyJhIiwgImIiXQ", "bnVsbA", "é"])
def test_a_cursor_of_somebody_else_is_wrong_use(records, cursor):
    with pytest.raises(UsageError, match="cursor"):
        records.find(Query(cursor=cursor))


@pytest.mark.parametrize("wrong", [{"order": "best"}, {"limit": 0}, {"limit": 1001}])
def test_a_query_outside_its_bounds_is_wrong_use(wrong):
    with pytest.raises(UsageError):
        Query(**wrong)


def test_who_corrects_what_was_said_by_mistake_disagrees_no_more(records):
    slip, still, changed = prediction(1), prediction(2), prediction(3)
    add(
        records, slip, still, changed,
        feedback(slip, "normal", caller="anna"), feedback(slip, "pneumonia", caller="anna"),
        feedback(still, "normal", caller="anna"), feedback(still, "pneumonia", caller="bert"),
        feedback(changed, "pneumonia", caller="anna"), feedback(changed, "normal", caller="anna"),
    )  # fmt: skip
    assert {found.id for found in records.find(Query(disagreed=True))} == {still.id, changed.id}
    assert [found.id for found in records.find(Query(disagreed=False))] == [slip.id]


def test_what_was_taken_back_counts_no_more_but_what_others_said_does(records):
    alone, others, again = prediction(1), prediction(2), prediction(3)
    add(
        records, alone, others, again,
        feedback(alone, "normal", caller="anna"), feedback(alone, None, caller="anna"),
        feedback(others, "normal", caller="bert"), feedback(others, "pneumonia", caller="anna"),
        feedback(others, None, caller="anna"),
        feedback(again, "normal", caller="anna"), feedback(again, None, caller="anna"),
        feedback(again, "pneumonia", caller="anna"),
    )  # fmt: skip
    assert records.last_said([alone.id, others.id, again.id]) == {
        others.id: ("normal", "bert"), again.id: ("pneumonia", "anna"),
    }  # fmt: skip
    assert [found.id for found in records.find(Query(disagreed=True))] == [others.id]
    (row,) = records.tallies(START, START + HOUR).agreement
    assert (row.agreed, row.disagreed) == (1, 1)
    assert records.verify().sound


def test_with_a_refusal_nobody_agrees_or_disagrees(records):
    refused, said = prediction(1, None), prediction(2)
    records.append([refused, said, feedback(refused, "pneumonia"), feedback(said, "pneumonia")]).result()
    (row,) = records.tallies(START, START + HOUR).agreement
    assert (row.agreed, row.disagreed) == (1, 0)
    assert records.find(Query(disagreed=True)).records == ()


def test_tallies_count_by_hour_class_and_agreement(records):
    early = [prediction(i, took=5 + i * 10) for i in range(3)]
    late = [prediction(10 + i, "normal", at=START + HOUR, probability=0.5) for i in range(2)]
    no = prediction(20, None, at=START + HOUR)
    add(records, *early, *late, no)
    add(records, feedback(early[0], "normal"), feedback(early[1], "pneumonia"), feedback(late[0], "pneumonia"))
    add(records, feedback(late[0], "normal"))  # a second opinion counts instead of the first
    found = records.tallies(START, START + 2 * HOUR)
    rows = {(tally.since, tally.label): tally for tally in found.predictions}
    assert {key: tally.count for key, tally in rows.items()} == {
        (START, "pneumonia"): 3, (START + HOUR, "normal"): 2, (START + HOUR, None): 1,
    }  # fmt: skip
    assert rows[START, "pneumonia"].took == (1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
    assert rows[START + HOUR, "normal"].probability == 0.5
    assert rows[START + HOUR, None].refused
    assert [(row.since, row.agreed, row.disagreed) for row in found.agreement] == [(START, 1, 1), (START + HOUR, 1, 0)]
    assert records.tallies(START, START + HOUR).predictions == (rows[START, "pneumonia"],)
    assert records.tallies(START, START + 2 * HOUR, task="brain").predictions == ()


def test_what_is_personal_is_erased_and_the_chain_still_fits(records):
    kept, gone = prediction(1, personal={"file": "a.png"}), prediction(2, personal={"file": "b.png", "note": "n"})
    add(records, kept, gone)
    assert records.forget([gone.id, "unknown"]) == 2
    assert records.get(gone.id).entry == replace(gone, personal={})
    assert records.get(kept.id).entry == kept
    assert records.verify().sound


def test_what_is_still_personal_of_what_was_erased_is_found_by_age_and_caller(records):
    def sign_in(hour):
        return Entry("act", caller="nobody", personal={"address": "192.0.2.7"}, at=START + hour * HOUR)

    mine, other = prediction(1, caller="anna", personal={"file": "a.png"}), prediction(2, caller="ben")
    kept = prediction(3, caller="anna", personal={"file": "c.png"})
    late = prediction(4, caller="anna", personal={"file": "d.png"}, at=START + 2 * HOUR)
    add(records, mine, other, kept, late, old := sign_in(0), sign_in(1), sign_in(2), Entry("act", at=START))
    add(records, *(Entry("erasure", subject=entry.id) for entry in (mine, other, late)))
    notes = [feedback(entry, "normal", personal={"note": "Mr Smith"}) for entry in (mine, other, kept)]
    add(records, *notes, feedback(mine, "normal"))
    assert set(records.unforgotten(before=START + HOUR)) == {mine.id, notes[0].id, notes[1].id, old.id}
    assert set(records.unforgotten(caller="anna")) == {mine.id, late.id, notes[0].id}
    assert records.unforgotten() == []
    assert records.forget(records.unforgotten(before=START + HOUR)) == 4
    assert records.unforgotten(before=START + HOUR) == []
    assert records.get(old.id).entry == replace(old, personal={})
    assert records.get(notes[2].id).entry.personal
    assert records.verify().sound


def test_who_ever_asked_or_did_anything_is_known(records):
    add(records, prediction(1, caller="anna"), Entry("act", caller="ben"))
    assert [records.has_caller(name) for name in ("anna", "ben", "ann", "")] == [True, True, False, False]


@pytest.mark.parametrize("address", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_another_address_is_wrong_use(address):
    with pytest.raises(UsageError, match="HILUM_DATABASE_URL"):
        open_records(address, SECRET)


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RecordsError, match="cannot be opened"):
        open_records(f"sqlite:///{tmp_path / 'x.db'}", SECRET)
    with pytest.raises(RecordsError, match="cannot be kept here"):
        open_records(f"sqlite:///{tmp_path / 'x.db' / 'y.db'}", SECRET)


def test_records_of_a_newer_hilum_are_told_and_left_alone(opening, url, tmp_path):
    opening().close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE records_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(UsageError, match="newer hilum"):
        opening()
    if url.startswith("sqlite"):
        with pytest.raises(RecordsError, match="another version"):
            records_as_they_lie(tmp_path / "records.db", SECRET, tmp_path / "head")


def test_a_lost_secret_is_told_and_not_written_over(opening, url, tmp_path):
    opens = functools.partial(open_records, url, b"t" * 32, tmp_path / "head")
    opens().close()  # nothing is on record yet
    first = opening()
    add(first, prediction(1))
    first.close()
    with pytest.raises(UsageError, match="HILUM_SECRET_FILE"):
        opens()
    assert opening().verify().sound


def test_where_no_checkpoint_can_be_noted_every_entry_is_refused_until_one_can(records, tmp_path):
    (tmp_path / "head").mkdir()  # as good as a disk that takes nothing, for root too
    for number in range(3):
        with pytest.raises(RecordsError, match="cannot be noted"):
            add(records, prediction(number))
    assert not records.ready()
    (tmp_path / "head").rmdir()
    add(records, prediction(4))
    assert records.ready()
    found = records.verify()
    assert (found.rows, found.checkpoints, found.sound) == (1, 1, True)


def test_half_a_line_that_a_full_disk_took_of_a_checkpoint_is_taken_back(records, tmp_path, monkeypatch):
    """Left there it would spoil the next one, and nobody could tell any more whether the end was cut off."""

    def half(handle, line):
        os.write(handle, line[:7])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("hilum.records.checkpoint.os", SimpleNamespace(**{**vars(os), "write": half}))
        with pytest.raises(RecordsError, match="No space left"):
            add(records, prediction(1))
    add(records, prediction(2))
    assert records.verify().faults == ()
    assert all(len(line.split()) == 3 for line in (tmp_path / "head").read_text().splitlines())


def test_records_are_let_go_where_their_last_checkpoint_cannot_be_noted(opening, tmp_path):
    records = opening()
    add(records, prediction(1))
    (tmp_path / "head").rename(tmp_path / "head.away")
    (tmp_path / "head").mkdir()
    records.close()
    (tmp_path / "head").rmdir()
    (tmp_path / "head.away").rename(tmp_path / "head")
    assert opening().verify().sound


def test_no_new_records_are_begun_where_others_are_noted(opening, url, tmp_path):
    with closing(open_records(f"sqlite:///{tmp_path / 'before.db'}", SECRET, tmp_path / "head")) as before:
        add(before, prediction(1))
    for _ in range(2):  # an attempt makes nothing that the next one takes for records
        with pytest.raises(RecordsError, match="the records are gone"):
            opening()
    assert not (tmp_path / "records.db").exists()
    opening("elsewhere").close()  # tables, and nothing that was ever sealed
    with pytest.raises(RecordsError, match="the records are gone"):
        opening()
    (tmp_path / "head").rename(tmp_path / "head.before")
    add(opening(), prediction(2))


@pytest.mark.parametrize("reading", ["FROM checkpoints", "FROM records "])
def test_another_may_write_first_while_one_opens(opening, url, tmp_path, reading):
    other, wrote = opening(), threading.Event()

    def write(_connection, _cursor, statement, *_):
        if reading in statement and not wrote.is_set():
            wrote.set()
            add(other, prediction(1))
            other.close()  # with a checkpoint

    event.listen(Engine, "after_cursor_execute", write)
    try:
        mine = open_records(url, SECRET, tmp_path / "head")
    finally:
        event.remove(Engine, "after_cursor_execute", write)
    assert wrote.is_set()
    assert mine.verify().sound
    mine.close()


def test_only_the_owner_may_look(tmp_path):
    records = open_records(f"sqlite:///{tmp_path / 'x.db'}", SECRET, tmp_path / "head")
    add(records, prediction(1))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    records.close()


def test_erased_words_lie_nowhere_in_the_folder(tmp_path):
    records = open_records(f"sqlite:///{tmp_path / 'x.db'}", SECRET)
    add(records, *(prediction(i, personal={"file": f"CANARY-{i}.png"}) for i in range(300)))
    records.forget([prediction(i).id for i in range(300)])
    assert all(b"CANARY" not in path.read_bytes() for path in tmp_path.iterdir())
    records.close()


def test_a_long_file_is_read_in_portions_that_hold_no_connection(records, monkeypatch):
    monkeypatch.setattr("hilum.records.store.PORTION", 4)
    add(records, *(prediction(number) for number in range(10)))
    reading, opened = Records._reading, []

    @contextmanager
    def noted(self, **how):
        opened.append(1)
        with reading(self, **how) as connection:
            yield connection
        opened.append(-1)

    monkeypatch.setattr(Records, "_reading", noted)
    seen = []
    for row in records.first(Query(), 9):
        assert sum(opened) == 0
        seen.append((row.entry.id, opened.count(1) - 1))
    assert [name for name, _ in seen] == [prediction(number).id for number in range(9, 0, -1)]
    assert [portions for _, portions in seen] == [1] * 4 + [2] * 4 + [3]


def test_what_is_to_be_erased_is_found_by_age_caller_picture_and_file_and_never_twice(records, monkeypatch):
    monkeypatch.setattr("hilum.records.erasures.AT_ONCE", 2)
    mine = [prediction(number, caller="me") for number in range(3)]
    theirs = [prediction(7, caller="they"), prediction(8, caller="they", image=None), prediction(9, caller="they")]
    add(records, *mine, *theirs, feedback(mine[0], "normal", caller="me"), Entry("erasure", subject=theirs[2].id))

    def ids(**asked):
        return [found.id for found in records.kept(**asked)]

    assert ids() == [entry.id for entry in (*mine, *theirs[:2])]
    assert ids(caller="me") == [entry.id for entry in mine]
    assert ids(before=mine[2].at) == [entry.id for entry in mine[:2]]
    assert ids(content=theirs[0].columns.content) == [theirs[0].id]
    pictures = [entry.columns.image for entry in (*mine, *theirs) if entry.columns.image]
    assert sorted(ids(images=pictures)) == sorted(entry.id for entry in (*mine, theirs[0]))
    assert ids(images=[]) == []
    (found,) = records.kept(content=theirs[1].columns.content)
    assert (found.image, found.caller, found.content) == (None, "they", theirs[1].columns.content)


def test_a_picture_is_needed_until_every_prediction_of_it_was_erased(records):
    shared, alone = "f" * 16 + "0" * 48, "e" * 64
    twins = [prediction(1, image=shared), prediction(2, image=shared)]
    add(records, *twins, prediction(3, image=alone))
    assert list(records.pictures()) == [(shared, twins[0].id), (alone, prediction(3).id)]
    add(records, Entry("erasure", subject=twins[0].id))
    assert list(records.pictures()) == [(shared, twins[1].id), (alone, prediction(3).id)]
    assert list(records.without_record([shared, alone, "0" * 64])) == ["0" * 64]
    add(records, Entry("erasure", subject=twins[1].id))
    assert list(records.pictures()) == [(alone, prediction(3).id)]
    assert list(records.without_record([shared, "d" * 64, alone, "0" * 64])) == [shared, "d" * 64, "0" * 64]


def test_of_two_words_in_the_same_moment_the_later_row_is_the_last(records):
    entry = prediction(1)
    add(records, entry)
    add(records, feedback(entry, "normal"), feedback(entry, "pneumonia", caller="other"))
    assert records.last_said([entry.id]) == {entry.id: ("pneumonia", "other")}


def test_what_was_said_about_a_prediction_is_forgotten_with_it(records):
    gone, kept = prediction(1, personal={"file": "a.png"}), prediction(2)
    notes = [feedback(entry, "normal", personal={"note": "Mr Smith"}) for entry in (gone, kept)]
    add(records, gone, kept, *notes)
    assert records.forget([gone.id]) == 2
    assert [dict(records.get(note.id).entry.personal) for note in notes] == [{}, {"note": "Mr Smith"}]


def test_a_stretch_ends_before_its_end_and_a_bin_begins_at_its_edge(records):
    first, last, beyond = (prediction(i, at=START + i * HOUR - (i == 1), took=10.0, probability=0.5) for i in range(3))
    add(records, first, last, replace(beyond, at=START + HOUR))
    add(records, *(feedback(entry, "pneumonia") for entry in (first, last, beyond)))
    found = records.tallies(START, START + HOUR)
    assert [(row.agreed, row.disagreed) for row in found.agreement] == [(2, 0)]
    (row,) = found.predictions
    assert (row.count, row.took[:3], row.sure[4:7]) == (2, (0, 2, 0), (0, 2, 0))


LISTS = [Query(task="brain"), Query(label="normal"), Query(refused=True), Query(model="pneumonia-cxr"),
         Query(since=START, order="uncertain"), Query(order="priority", negatives=("normal",)),
         Query(text="pneumonia")]  # fmt: skip


@pytest.mark.parametrize("query", LISTS)
def test_lists_are_put_in_order_and_counted_without_reading_the_rows(tmp_path, query):
    with closing(open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET)) as records:
        add(records, *(prediction(number, personal={"file": "x.png"}) for number in range(9)))
        asked = []
        event.listen(records._engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
        records.find(query)
        through = [(sql, given) for sql, given in asked if "ORDER BY" in sql or "count(" in sql]
        with records._engine.connect() as connection:
            plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {q}", given).all()) for q, given in through]
    assert ["COVERING INDEX records_shown" in plan for plan in plans] == [True, True]


def test_a_text_that_very_many_hold_finds_as_many(records, monkeypatch):
    monkeypatch.setattr(search, "FEW", 3)
    every = [prediction(number, personal={"file": f"scan{number}.png"}) for number in range(9)]
    spoken_of = prediction(9, personal={"file": "b.png"})
    add(records, *every, spoken_of, feedback(spoken_of, "normal", personal={"note": "scan again"}))
    page = records.find(Query(text="scan", limit=5))
    assert (len(page.records), page.total) == (5, 10)
    rest = records.find(Query(text="scan", limit=5, cursor=page.next_cursor))
    assert {one.entry.id for one in page.records + rest.records} == {one.id for one in (*every, spoken_of)}
    assert records.find(Query(text="scan4")).total == 1


def test_what_is_over_is_counted_once_unless_something_new_falls_there_or_speaks_of_it(records, monkeypatch):
    monkeypatch.setattr(store, "LATE", 0)
    first, last = prediction(1), prediction(2, at=START + 3 * HOUR)
    add(records, first, last)
    looked = []
    counted = tallies.count

    def noted(connection, since, until, step):
        looked.append((since, until))
        return counted(connection, since, until, step)

    monkeypatch.setattr(tallies, "count", noted)
    until = START + 4 * HOUR - 1  # within the last stretch

    def told():
        looked.clear()
        found = records.tallies(START, until)
        with records._engine.connect() as connection:
            assert found == counted(connection, START, until, HOUR)
        return looked[0][0]

    assert told() == START
    assert told() == START + 3 * HOUR  # the one that goes on
    add(records, prediction(3, at=START + HOUR + 1))  # by a clock that was set back
    assert told() == START + HOUR
    assert told() == START + 3 * HOUR
    add(records, feedback(first, "normal"))
    assert told() == START
    add(records, prediction(4, task="brain"))
    assert [one.task for one in records.tallies(START, until, task="brain").predictions] == ["brain"]


def test_what_stands_before_now_is_counted_when_the_clock_comes_to_it(records):
    add(records, prediction(1, at=START + 5), prediction(2, at=START + HOUR - 5))
    assert sum(one.count for one in records.tallies(START, START + HOUR - 10).predictions) == 1
    assert sum(one.count for one in records.tallies(START, START + HOUR + 10).predictions) == 2


@contextmanager
def as_it_was(url, revision):
    """The tables as an older Hilum made them."""
    with engine_of(url) as engine:
        command.upgrade(migrate.configuration(engine), revision)
        yield engine


@contextmanager
def engine_of(url):
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def filled_as_it_was(url, tmp_path, count=3):
    with as_it_was(url, "0001") as engine:
        old = Records(engine, SECRET, tmp_path / "head")
        add(old, *(prediction(number) for number in range(count)))
        old.close()


def indexes(url):
    with engine_of(url) as engine:
        return {one["name"] for one in inspect(engine).get_indexes("records")} - {"records_id"}


def test_records_of_an_older_hilum_are_brought_up_to_date_and_say_so(opening, url, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(migrate, "MANY", 3)
    filled_as_it_was(url, tmp_path)
    assert indexes(url) == {"records_kind_at", "records_subject"}
    records = opening()
    assert "3 records are brought up to date" in caplog.text
    assert "are up to date, after" in caplog.text
    assert indexes(url) == {"records_shown", "records_subject"}
    assert records.find(Query(task="pneumonia-cxr")).total == 3
    assert records.verify().sound


def test_where_bringing_them_up_to_date_breaks_off_it_is_done_at_the_next_start(opening, url, tmp_path, monkeypatch):
    filled_as_it_was(url, tmp_path)

    def broken(*_):
        raise OperationalError("DROP INDEX", {}, Exception("disk is full"))

    with monkeypatch.context() as midway:
        midway.setattr("alembic.op.drop_index", broken)
        with pytest.raises(RecordsError, match="disk is full"):
            opening()
    assert indexes(url) == {"records_kind_at", "records_subject"}
    assert opening().verify().rows == 3
    assert indexes(url) == {"records_shown", "records_subject"}


def test_a_copy_of_an_older_hilum_is_looked_at_as_it_lies(tmp_path):
    file = tmp_path / "records.db"
    filled_as_it_was(f"sqlite:///{file}", tmp_path)
    before = file.read_bytes()
    with closing(records_as_they_lie(file, SECRET, tmp_path / "head")) as records:
        assert records.verify().rows == 3
        assert records.find(Query(text="pneumonia")).total == 3
    assert file.read_bytes() == before


def test_of_two_secrets_that_found_nothing_there_the_first_that_writes_holds(opening, url, tmp_path):
    """As two servers on one new database, each with a secret of its own: rows of both could never be proven."""
    right, other = opening(), open_records(url, b"t" * 32, tmp_path / "of the other")
    assert right.ready()
    assert other.ready()
    add(right, prediction(1))
    for number in (2, 3):
        with pytest.raises(RecordsError, match="another secret"):
            add(other, prediction(number))
    assert not other.ready()
    other.close()
    add(right, prediction(4))
    found = opening().verify()
    assert (found.rows, found.checkpoints, found.faults) == (2, 1, ())
    assert not (tmp_path / "of the other").exists() or not (tmp_path / "of the other").read_text()
