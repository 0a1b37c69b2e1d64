"""Promotions hold in the order in which they were put on record, whatever the clocks said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from hilum.errors import DuplicateRecord, UsageError
from hilum.records.entry import Columns, Entry
from hilum.records.query import MOST
from hilum.records.store import Records, open_records
from hilum.registry.history import KIND, chosen, history, previous, promote, roll_back
from hilum.registry.pins import Known
from tests.records.made import SECRET


def known(folder: Path, digest: str, task: str = "spot") -> Known:
    return Known(task, digest, digest * 64, task, folder, "trained")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    found = open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET, tmp_path / "head")
    yield found
    found.close()


def test_a_promotion_by_a_clock_that_lags_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = open_records(f"sqlite:///{tmp_path / 'records.db'}", SECRET, tmp_path / "head")
    first, second = known(tmp_path, "1"), known(tmp_path, "2")
    promote(records, first, caller="local", why="")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    promote(records, second, caller="local", why="")
    assert chosen(records) == {"spot": second.digest}
    roll_back(records, first.task, first, first.digest, caller="local", why="")
    assert chosen(records) == {"spot": first.digest}
    assert [event.act for event in history(records)] == ["rollback", "promote", "promote"]
    records.close()


def test_each_step_back_leads_to_who_spoke_before_and_the_last_one_to_the_shipped_package(
    records: Records, tmp_path: Path
) -> None:
    shipped, first, second, third = (known(tmp_path, digest) for digest in "0123")
    promote(records, first, caller="anna", why="better")
    promote(records, second, caller="anna", why="")
    promote(records, known(tmp_path, "9", "other"), caller="anna", why="another task")
    assert previous(records, "spot") == first.digest
    event = roll_back(records, first.task, first, first.digest, caller="ben", why="worse")
    assert (event.act, event.digest, event.before) == ("rollback", first.digest, second.digest)
    assert history(records, "spot", most=1) == (event,)
    promote(records, third, caller="anna", why="")
    assert previous(records, "spot") == first.digest  # what was taken back does not speak again
    roll_back(records, first.task, first, first.digest, caller="ben", why="")
    assert previous(records, "spot") is None
    event = roll_back(records, shipped.task, shipped, None, caller="ben", why="")
    assert (event.digest, event.reference, event.before) == (None, "spot@0", first.digest)
    assert chosen(records) == {"other": "9" * 64}
    with pytest.raises(UsageError, match="nothing to take back"):
        previous(records, "spot")
    with pytest.raises(UsageError, match="nothing to take back"):
        roll_back(records, shipped.task, shipped, None, caller="ben", why="")
    assert len(history(records, "spot")) == 6


def test_who_speaks_already_is_not_promoted_again_and_may_be_once_another_spoke(
    records: Records, tmp_path: Path
) -> None:
    first, second = known(tmp_path, "1"), known(tmp_path, "2")
    event = promote(records, first, caller="anna", why="better")
    assert (event.digest, event.before, event.why, event.caller) == (first.digest, None, "better", "anna")
    with pytest.raises(UsageError, match="spot@1 speaks for spot already"):
        promote(records, first, caller="anna", why="")
    promote(records, second, caller="anna", why="")
    assert promote(records, first, caller="anna", why="").before == second.digest
    assert chosen(records) == {"spot": first.digest}


def test_a_task_of_ones_own_is_taken_back_to_nobody_at_the_moment_that_the_clock_shows(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns() + 10**12
    monkeypatch.setattr(time, "time_ns", lambda: now)
    assert promote(records, known(tmp_path, "1"), caller="anna", why="").at == now // 1000
    event = roll_back(records, "spot", None, None, caller="ben", why="")
    assert (event.reference, event.digest, event.at) == ("nobody", None, now // 1000 + 1)
    assert history(records)[0] == event
    assert chosen(records) == {}


def at_the_same_moment(monkeypatch: pytest.MonkeyPatch, records: Records, other: Callable[[], object]) -> None:
    """Somebody else decides between the last look of who decides here and the entry."""
    append, told = records.append, []

    def second(entries: Sequence[Entry]) -> Future[None]:
        if not told:
            told.append(entries)
            other()
        return append(entries)

    monkeypatch.setattr(records, "append", second)


def test_of_two_steps_back_at_the_same_moment_one_is_refused(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, first = known(tmp_path, "0"), known(tmp_path, "1")
    promote(records, first, caller="anna", why="")
    with monkeypatch.context() as context:
        at_the_same_moment(
            context, records, lambda: roll_back(records, shipped.task, shipped, None, caller="ben", why="")
        )
        with pytest.raises(DuplicateRecord, match="somebody else"):
            roll_back(records, shipped.task, shipped, None, caller="anna", why="")
    assert [event.act for event in history(records)] == ["rollback", "promote"]
    with pytest.raises(UsageError, match="nothing to take back"):
        previous(records, "spot")
    assert promote(records, first, caller="anna", why="").before is None


def test_of_two_promotions_at_the_same_moment_one_is_refused_and_those_of_other_tasks_go_on(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, other = known(tmp_path, "1"), known(tmp_path, "2"), known(tmp_path, "9", "other")
    with monkeypatch.context() as context:
        at_the_same_moment(context, records, lambda: promote(records, other, caller="ben", why=""))
        promote(records, first, caller="anna", why="")
    with monkeypatch.context() as context:
        at_the_same_moment(context, records, lambda: promote(records, second, caller="ben", why=""))
        with pytest.raises(DuplicateRecord, match="somebody else"):
            promote(records, known(tmp_path, "3"), caller="anna", why="")
    assert chosen(records) == {"spot": second.digest, "other": other.digest}
    assert previous(records, "spot") == first.digest


def test_a_step_back_is_to_the_package_that_was_looked_for(records: Records, tmp_path: Path) -> None:
    """Another one stepped back while this one opened the package."""
    first, second = known(tmp_path, "1"), known(tmp_path, "2")
    for one in (first, second):
        promote(records, one, caller="anna", why="")
    assert previous(records, "spot") == first.digest
    roll_back(records, first.task, first, first.digest, caller="ben", why="")
    with pytest.raises(DuplicateRecord, match="somebody else"):
        roll_back(records, first.task, first, first.digest, caller="anna", why="")
    assert chosen(records) == {"spot": first.digest}


def test_steps_back_at_the_same_moment_that_stand_on_record_end_nothing(records: Records) -> None:
    """As two servers wrote them before such were refused."""
    for act, digest in (("promote", "1" * 64), ("rollback", None), ("rollback", None), ("promote", "2" * 64)):
        body = {"task": "spot", "digest": digest, "reference": "spot@1", "before": None, "why": "", "act": act}
        records.append([Entry(KIND, json.dumps(body).encode(), "anna", None, Columns(task="spot"))]).result()
    assert chosen(records) == {"spot": "2" * 64}
    assert previous(records, "spot") is None


def test_a_promotion_holds_however_many_of_other_tasks_came_after_it(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.registry.history.MOST", 2)  # on record are asked for so many at a time
    first = known(tmp_path, "1")
    promote(records, first, caller="anna", why="")
    for digest in "23456":
        promote(records, known(tmp_path, digest, "other"), caller="anna", why="")
    assert chosen(records) == {"spot": first.digest, "other": "6" * 64}
    assert previous(records, "other") == "5" * 64
    assert previous(records, "spot") is None


def test_a_history_of_more_than_a_page_is_told_to_its_first_line(records: Records) -> None:
    """It ended with the thousandth line, and nothing said so."""
    body = {"task": "spot", "digest": "1" * 64, "reference": "spot@1", "before": None, "act": "promote"}
    said = [json.dumps({**body, "why": str(number)}).encode() for number in range(MOST + 1)]
    records.append([Entry(KIND, one, "anna", None, Columns(task="spot")) for one in said]).result()
    assert len(history(records)) == MOST + 1
    assert len(history(records, "spot", most=MOST)) == MOST
