"""Promotions on record -> which package speaks for each task; events are appended, the state is derived.

Without a database (`hilum predict`) the shipped packages speak; see pins.py.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from hilum.errors import DuplicateRecord, UsageError
from hilum.records.entry import Columns, Entry, Record
from hilum.records.query import MOST, Query
from hilum.records.store import Records
from hilum.registry.pins import Known

KIND = "promotion"
PROMOTE, ROLLBACK = "promote", "rollback"
PLACES = uuid.UUID("5c4b1b0e-6d0f-4e6e-9a55-3f2b8f0c7d11")  # the id of an event follows from the one before it
NOBODY = "nobody"  # the reference where a task of one's own is rolled back to what there was before: no package
MEANWHILE = "somebody else changed who speaks for this task in the same moment: look at the history, then decide again"


@dataclass(frozen=True, slots=True)
class Event:
    """One change of who speaks: from one package to another (digests; None: the shipped one, or nobody where none is
    shipped), why, and who did it.

    reference: name@version of who speaks from now on, or "nobody". act: "promote", or "rollback" to who spoke before.
    at: microseconds since 1970 UTC.
    """

    id: str
    task: str
    digest: str | None
    reference: str
    before: str | None
    why: str
    caller: str
    at: int
    act: str = PROMOTE


def promote(records: Records, known: Known, *, caller: str, why: str) -> Event:
    """Put on record that a package speaks for its task from now on.

    The package that answers by default may be named too: it then stays where a later release ships another.

    Raises:
        UsageError: it was promoted already, and still speaks.
        DuplicateRecord: somebody else decided in the same moment.
    """
    events = tuple(_all(records, known.task))
    before = events[0].digest if events else None
    if before == known.digest:
        raise UsageError(f"{known.reference} speaks for {known.task} already: it was promoted before")
    return _written(records, _columns(known), {"digest": known.digest, "before": before, "why": why}, events, caller)


def roll_back(records: Records, task: str, to: Known | None, digest: str | None, *, caller: str, why: str) -> Event:
    """Put on record that who spoke before the last promotion speaks again: `to`, for the digest that `previous` gave.

    to: None where nobody spoke for the task before.

    Raises:
        UsageError: nothing was promoted that could be taken back.
        DuplicateRecord: somebody else decided since `previous` was asked.
    """
    events = tuple(_all(records, task))
    if _previous(events, task) != digest:
        raise DuplicateRecord(MEANWHILE)
    said = {"digest": digest, "before": events[0].digest, "why": why, "act": ROLLBACK}
    columns = Columns(task=task) if to is None else _columns(to)
    return _written(records, columns, said, events, caller)


def previous(records: Records, task: str) -> str | None:
    """The digest of who spoke before the promotion that holds now; None: the shipped package, if there is one.

    Raises:
        UsageError: nothing was promoted that could be taken back.
    """
    return _previous(tuple(_all(records, task)), task)


def history(records: Records, task: str | None = None, most: int | None = None) -> tuple[Event, ...]:
    """The changes on record, newest first; `most`: so many of them, None: all."""
    return tuple(islice(_all(records, task, min(most or MOST, MOST)), most))


def chosen(records: Records) -> dict[str, str]:
    """Task -> digest of the package that was promoted last; without tasks that the shipped one answers, or nobody."""
    state: dict[str, str | None] = {}
    for event in _all(records):  # newest first
        state.setdefault(event.task, event.digest)
    return {task: digest for task, digest in state.items() if digest is not None}


def _previous(events: Sequence[Event], task: str) -> str | None:
    """The same, by the events of the task, newest first."""
    spoke: list[str | None] = []  # before the first promotion the shipped one did
    for event in reversed(events):
        if event.act != ROLLBACK:
            spoke.append(event.digest)
        elif spoke:  # else two servers took back one promotion, when that was not refused yet
            spoke.pop()
    if not spoke:
        raise UsageError(f"nothing to take back: no promotion for {task} holds")
    return spoke[-2] if len(spoke) > 1 else None


def _columns(known: Known) -> Columns:
    return Columns(task=known.task, model=known.reference, digest=known.digest)


def _written(records: Records, columns: Columns, said: dict[str, Any], events: Sequence[Event], caller: str) -> Event:
    """On record after these events of the task, newest first: of two at once only one finds the place free."""
    body: dict[str, Any] = {"task": columns.task, "reference": columns.model or NOBODY, **said}
    last = records.find(Query(kind=KIND, limit=1)).records  # after it, whatever the clock says: the newest one holds
    at = max([time.time_ns() // 1000, *(one.entry.at + 1 for one in last)])
    place = str(uuid.uuid5(PLACES, f"{columns.task} {events[0].id if events else ''}"))
    entry = Entry(KIND, json.dumps(body, separators=(",", ":")).encode(), caller, None, columns, id=place, at=at)
    try:
        records.append([entry]).result()
    except DuplicateRecord:
        raise DuplicateRecord(MEANWHILE) from None
    return Event(id=entry.id, caller=caller, at=entry.at, **body)


def _all(records: Records, task: str | None = None, at_once: int = MOST) -> Iterator[Event]:
    query: Query | None = Query(kind=KIND, task=task, limit=at_once)
    while query is not None:
        page = records.find(query)
        yield from (_event(record) for record in page.records)
        query = replace(query, cursor=page.next_cursor) if page.next_cursor else None


def _event(record: Record) -> Event:
    return Event(id=record.id, caller=record.entry.caller, at=record.entry.at, **json.loads(record.entry.body))
