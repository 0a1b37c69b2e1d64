"""Whatever is changed, taken out, put in, reordered or cut off behind our back is found and named."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing

import pytest

from hilum.records import verification
from hilum.records.chain import FIELDS, first_seal, journal_key, seal
from hilum.records.checkpoint import make_checkpoint
from hilum.records.journal import ROWS_A_CHECKPOINT
from hilum.records.schema import CHECKPOINTS, RECORDS
from hilum.records.store import open_records
from tests.records.made import SECRET, feedback, prediction

ROWS = 40
REST = ", ".join(column.name for column in RECORDS.columns if column.name not in ("number", "writer", "seq", "id"))


@pytest.fixture
def url(tmp_path):
    """Only in SQLite's file are the guards taken away here; what is looked for is the same."""
    return f"sqlite:///{tmp_path / 'records.db'}"


@pytest.fixture
def sealed(opening):
    """Two chains of one database, closed; gives the file."""
    for start in (0, ROWS // 2):
        records = opening()
        for number in range(start, start + ROWS // 2):
            records.append([prediction(number, personal={"file": "x"})])
        records.append([feedback(prediction(start), "normal")]).result(timeout=120)
        records.close()
    return opening


def tamper(tmp_path, *statements):
    """As somebody who owns the file would: the guards go first."""
    with closing(sqlite3.connect(tmp_path / "records.db")) as raw, raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            assert raw.execute(statement, values).rowcount > 0


def faults(opening):
    return opening().verify().faults


def test_untouched_records_are_sound(sealed):
    seen = sealed().verify()
    assert (seen.rows, seen.faults) == (ROWS + 2, ())
    assert seen.checkpoints == 4


@pytest.mark.parametrize("column", [column.name for column in RECORDS.columns if column.name != "number"])
def test_any_changed_value_is_found(sealed, tmp_path, column):
    value = {"seq": 1000, "at": 5, "probability": 0.125, "refused": 1, "took": 0.5, "seal": b"x" * 32}.get(
        column, "other"
    )
    tamper(tmp_path, (f"UPDATE records SET {column} = ? WHERE number = 7", (value,)))
    assert faults(sealed)


def test_it_tells_how_far_it_is(sealed, monkeypatch):
    monkeypatch.setattr("hilum.records.verification.AT_ONCE", 5)
    told = []
    seen = sealed().verify(lambda done, total: told.append((done, total)))
    rows = ROWS + 2
    assert seen.sound
    assert told == [(count, rows) for count in [*range(5, rows, 5), rows]]


@pytest.mark.parametrize("column", [column.name for column in CHECKPOINTS.columns if column.name != "number"])
def test_any_changed_checkpoint_is_found(sealed, tmp_path, column):
    value = {"at": 5, "upto": 1, "heads": "{}", "seal": b"x" * 32}.get(column, "other")
    tamper(tmp_path, (f"UPDATE checkpoints SET {column} = ? WHERE number = 2", (value,)))
    assert any("checkpoint 2" in fault for fault in faults(sealed))


def seal_anew(tmp_path):
    """As an insider who has the secret would: a chain that fits in itself, with another past."""
    key = journal_key(SECRET)
    with closing(sqlite3.connect(tmp_path / "records.db")) as raw:
        writer = raw.execute("SELECT writer FROM records WHERE number = 3").fetchone()[0]
        asked = f"SELECT number, {', '.join(FIELDS)} FROM records WHERE writer = ? ORDER BY seq"
        rows = raw.execute(asked, (writer,)).fetchall()
    before, anew = first_seal(key, writer), []
    for number, *row in rows:
        label = "normal" if number == 3 else row[FIELDS.index("label")]
        row[FIELDS.index("label")] = label
        before = seal(key, before, tuple(row))
        anew.append(("UPDATE records SET label = ?, seal = ? WHERE number = ?", (label, before, number)))
    tamper(tmp_path, *anew)


def test_a_chain_that_was_sealed_anew_with_the_very_secret_is_not_the_one_that_the_checkpoints_saw(sealed, tmp_path):
    seal_anew(tmp_path)
    (fault,) = faults(sealed)
    assert "is not the one that checkpoint" in fault


def test_what_the_first_checkpoint_saw_holds_however_long_the_records_went_on_since(sealed, tmp_path):
    """The checkpoints of a server that starts afterwards see the new past, and note it as if it had always been."""
    seal_anew(tmp_path)
    records = sealed()
    records.append([prediction(ROWS)]).result(timeout=120)
    records.close()
    (fault,) = faults(sealed)
    assert "is not the one that checkpoint 2 saw" in fault


def test_a_changed_row_is_named(sealed, tmp_path):
    tamper(tmp_path, ("UPDATE records SET label = 'normal' WHERE number = 3", ()))
    (fault,) = faults(sealed)
    assert prediction(2).id in fault
    assert "was changed" in fault


def test_a_deleted_row_is_named(sealed, tmp_path):
    tamper(tmp_path, ("DELETE FROM records WHERE number = 3", ()))
    (fault,) = faults(sealed)
    assert "row 3 is missing" in fault
    assert prediction(3).id in fault


def test_a_whole_chain_taken_out_is_found(sealed, tmp_path):
    tamper(tmp_path, ("DELETE FROM records WHERE number <= ?", (ROWS // 2 + 1,)))
    (fault,) = faults(sealed)
    assert f"rows 1 to {ROWS // 2 + 1} are missing from the end" in fault


def test_a_cut_tail_is_found(sealed, tmp_path):
    tamper(tmp_path, ("DELETE FROM records WHERE number > ?", (ROWS,)))
    (fault,) = faults(sealed)
    assert "missing from the end" in fault


def test_a_cut_tail_with_its_checkpoints_is_found_by_the_file_outside(sealed, tmp_path):
    tamper(
        tmp_path,
        ("DELETE FROM records WHERE number > ?", (ROWS,)),
        ("DELETE FROM checkpoints WHERE number > ?", (3,)),
    )
    (fault,) = faults(sealed)
    assert "missing from the database" in fault


def test_an_older_database_put_back_is_found_however_long_it_went_on_since(opening, tmp_path):
    def write(*numbers):
        records = opening()
        for number in numbers:
            records.append([prediction(number)]).result(timeout=120)
        records.close()

    write(1)
    older = (tmp_path / "records.db").read_bytes()
    write(2)
    (tmp_path / "records.db").write_bytes(older)
    assert "missing from the database" in faults(opening)[0]
    for number in (3, 4):
        write(number)
    head = tmp_path / "head"
    assert faults(opening) == tuple(f"checkpoint {number} is not the one that {head} notes" for number in (3, 4))


def test_a_lost_checkpoint_is_found(sealed, tmp_path):
    tamper(tmp_path, ("DELETE FROM checkpoints WHERE number = 2", ()))
    assert any("checkpoints 2 to 2 are missing" in fault for fault in faults(sealed))


def test_swapped_rows_are_found(sealed, tmp_path):
    tamper(
        tmp_path,
        ("UPDATE records SET number = -1 WHERE number = 5", ()),
        ("UPDATE records SET number = 5 WHERE number = 6", ()),
        ("UPDATE records SET number = 6 WHERE number = -1", ()),
    )
    assert any("reordered" in fault for fault in faults(sealed))


def test_a_row_put_in_is_found(sealed, tmp_path):
    tamper(
        tmp_path,
        (
            f"INSERT INTO records SELECT 999, writer, seq + 1, 'new', {REST} FROM records WHERE number = ?",
            (ROWS + 2,),
        ),
    )
    assert any("record new" in fault for fault in faults(sealed))


def test_rows_of_another_secret_do_not_pass(opening, url, tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.records.journal.fits", lambda *_: True)  # as of an older Hilum
    right, other = opening(), open_records(url, b"t" * 32, tmp_path / "head")  # while nothing is there, both may
    for number, records in enumerate((right, other)):
        records.append([prediction(number)]).result(timeout=120)
    other.close()
    assert any("was changed" in fault for fault in right.verify().faults)


def test_every_one_of_many_random_changes_is_found(sealed, tmp_path):
    """Any byte of any value, any row out, any two rows exchanged."""
    chance = random.Random(5)
    original = (tmp_path / "records.db").read_bytes()
    columns = [column.name for column in RECORDS.columns if column.name != "number"]
    for _ in range(150):
        (tmp_path / "records.db").write_bytes(original)
        number, column = chance.randint(1, ROWS + 2), chance.choice(columns)
        act = chance.choice(["flip", "delete", "exchange"])
        if act == "flip":
            longer = f"UPDATE records SET {column} = COALESCE(CAST({column} AS TEXT), '') || ? WHERE number = ?"
            tamper(tmp_path, (longer, (chance.choice("abc12"), number)))
        elif act == "delete":
            tamper(tmp_path, ("DELETE FROM records WHERE number = ?", (number,)))
        else:
            from_other = "UPDATE records SET body = (SELECT body FROM records o WHERE o.number = ?) WHERE number = ?"
            other = (number + chance.randint(0, ROWS)) % (ROWS + 2) + 1  # never the same one
            tamper(tmp_path, (from_other, (other, number)))
        records = sealed()
        found = records.verify().faults
        records.close()
        assert found, (act, column, number)


def test_a_line_outside_that_nobody_can_read_is_said(sealed, tmp_path):
    with (tmp_path / "head").open("a") as head:
        head.write("hello\n")
    assert faults(sealed) == (f"line 5 of {tmp_path / 'head'} cannot be read",)


def test_a_long_run_makes_checkpoints_on_its_way(opening):
    records = opening()
    records.append([prediction(number) for number in range(ROWS_A_CHECKPOINT)]).result(timeout=120)
    records.append([prediction(ROWS_A_CHECKPOINT)]).result(timeout=120)
    assert records.verify().checkpoints == 2


def test_the_guards_refuse_changes(records, tmp_path):
    records.append([prediction(1)]).result(timeout=120)
    with closing(sqlite3.connect(tmp_path / "records.db")) as raw:
        for statement in ("UPDATE records SET label = 'x'", "DELETE FROM records", "DELETE FROM checkpoints",
                          "UPDATE checkpoints SET at = 1"):  # fmt: skip
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "seal = 'x'",
        "seal = 1000000000000",
        "heads = cast(heads as blob)",
        "writer = x'00'",
        "at = x'00'",
        "upto = x'00'",
    ],
)
def test_a_checkpoint_of_another_kind_of_value_is_named_and_hides_no_other_fault(sealed, tmp_path, change):
    tamper(tmp_path, (f"UPDATE checkpoints SET {change} WHERE number = 1", ()), (*_A_ROW, ()))
    found = faults(sealed)
    assert any("checkpoint 1" in fault for fault in found)
    assert any("checkpoint" not in fault for fault in found)


_A_ROW = ("UPDATE records SET label = 'glioma' WHERE number = 3",)


@pytest.mark.parametrize("value", [9e999, b"\x00\xff"], ids=["a number without end", "bytes"])
def test_a_value_that_no_row_could_have_been_sealed_with_is_a_change(sealed, tmp_path, value):
    identity = prediction(3).id
    tamper(tmp_path, ("UPDATE records SET probability = ? WHERE id = ?", (value, identity)))
    (fault,) = faults(sealed)
    assert identity in fault
    assert fault.endswith("was changed")


def test_a_chain_whose_name_is_no_text_is_named_and_hides_no_other_fault(sealed, tmp_path):
    tamper(tmp_path, ("UPDATE records SET writer = CAST(x'ff' AS TEXT) WHERE number = 1", ()), (*_A_ROW, ()))
    found = faults(sealed)
    assert f"record {prediction(0).id} was changed" in found
    assert any(prediction(2).id in fault for fault in found)


def test_records_whose_checkpoints_are_noted_nowhere_are_verified_all_the_same(sealed, tmp_path):
    (tmp_path / "head").unlink()
    assert faults(sealed) == ()
    records = open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET)
    try:
        assert records.verify().sound
    finally:
        records.close()


def test_what_a_server_notes_while_somebody_verifies_is_no_fault(sealed, monkeypatch):
    """Checkpoints come every minute: one that the view of the database is too old for is not missing from it."""
    noted, server = verification._noted, sealed()

    def later(head):
        server.append([prediction(ROWS)]).result(timeout=120)  # a chain begins, and its checkpoint is noted
        return noted(head)

    monkeypatch.setattr(verification, "_noted", later)
    assert sealed().verify(lambda _done, _total: None).faults == ()


def test_a_tail_that_a_killed_server_left_is_seen_by_the_next_one(opening, tmp_path):
    killed = opening()
    killed.append([prediction(1)]).result(timeout=120)
    killed.append([prediction(2)]).result(timeout=120)  # and no checkpoint after it
    opening().append([prediction(3)]).result(timeout=120)
    tamper(tmp_path, ("DELETE FROM records WHERE id = ?", (prediction(2).id,)))
    (fault,) = faults(opening)
    assert "row 2 is missing from the end" in fault


def test_a_server_that_is_never_idle_says_every_minute_how_long_its_chain_is(opening):
    records = opening()
    records.append([prediction(1)]).result(timeout=120)
    assert records.verify().checkpoints == 1
    records._journal._checked -= 60.0
    records.append([prediction(2)]).result(timeout=120)
    assert records.verify().checkpoints == 2


def test_a_server_that_falls_idle_says_how_long_its_chain_is(opening, monkeypatch):
    """Else whoever kills it a month later cuts off a month, and nobody can tell."""
    monkeypatch.setattr("hilum.records.journal.SECONDS_A_CHECKPOINT", 0.05)
    records, late = opening(), time.monotonic() + 120
    monkeypatch.setattr("hilum.records.journal.SECONDS_A_CHECKPOINT", 3600.0)  # of one that is not idle
    records.append([prediction(1)]).result(timeout=120)
    while (made := records.verify().checkpoints) < 2 and time.monotonic() < late:
        time.sleep(0.01)
    assert made == 2


def test_a_row_that_was_still_under_way_at_a_checkpoint_is_seen_by_the_next(opening):
    """PostgreSQL gives out numbers before rows are committed."""
    records, key = opening(), journal_key(SECRET)

    def written(number, writer):
        row = {"number": number, "writer": writer, "seq": 1, "id": writer, "kind": "act", "at": 1, "caller": "local"}
        with records._engine.connect().execution_options(writes=True) as connection, connection.begin():
            connection.execute(RECORDS.insert().values(**row, body="{}", seal=b"s" * 32))
            return make_checkpoint(connection, key, "mine", (0, b"")).read_heads()

    assert written(50, "early") == {"early": (1, b"s" * 32), "mine": (0, b"")}
    assert written(20, "late")["late"] == (1, b"s" * 32)
