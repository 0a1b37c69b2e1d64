"""Promotions on record -> which package speaks for each task; events are appended, the state is derived.

Without a database (`hilum predict`) the shipped packages speak; see pins.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hilum.errors import UsageError
from hilum.records.entry import Columns, Entry, Record
from hilum.records.query import MOST, Query
from hilum.records.store import Records
from hilum.registry.pins import Known

KIND = "promotion"
PROMOTE, ROLLBACK = "promote", "rollback"


@dataclass(frozen=True, slots=True)
class Event:
    """One change of who speaks: from one package to another (digests; None: the shipped one), why, and who did it.

    reference: name@version of who speaks from now on. act: "promote", or "rollback" to who spoke before.
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
    """
    before = chosen(records).get(known.task)
    if before == known.digest:
        raise UsageError(f"{known.reference} speaks for {known.task} already: it was promoted before")
    return _written(records, known, known.digest, {"before": before, "why": why}, caller)


def roll_back(records: Records, to: Known, *, caller: str, why: str) -> Event:
    """Put on record that who spoke before the last promotion speaks again; `to` is that package (see `previous`).

    Raises:
        UsageError: nothing was promoted that could be taken back.
    """
    digest, before = previous(records, to.task), chosen(records).get(to.task)
    return _written(records, to, digest, {"before": before, "why": why, "act": ROLLBACK}, caller)


def previous(records: Records, task: str) -> str | None:
    """The digest of who spoke before the promotion that holds now; None: the shipped package.

    Raises:
        UsageError: nothing was promoted that could be taken back.
    """
    spoke: list[str | None] = [None]
    for event in reversed(tuple(_all(records, task))):
        if event.act == ROLLBACK:
            spoke.pop()
        else:
            spoke.append(event.digest)
    if len(spoke) == 1:
        raise UsageError(f"nothing to take back: the shipped package speaks for {task}")
    return spoke[-2]


def history(records: Records, task: str | None = None, most: int = MOST) -> tuple[Event, ...]:
    """The changes on record, newest first."""
    found = records.find(Query(kind=KIND, task=task, limit=most))
    return tuple(_event(record) for record in found.records)


def chosen(records: Records) -> dict[str, str]:
    """Task -> digest of the package that was promoted last; a task that the shipped one answers is left out."""
    state: dict[str, str | None] = {}
    for event in _all(records):  # newest first
        state.setdefault(event.task, event.digest)
    return {task: digest for task, digest in state.items() if digest is not None}


def _written(records: Records, known: Known, digest: str | None, said: dict[str, Any], caller: str) -> Event:
    body: dict[str, Any] = {"task": known.task, "digest": digest, "reference": known.reference, **said}
    columns = Columns(task=known.task, model=known.reference, digest=known.digest)
    last = records.find(Query(kind=KIND, limit=1)).records  # after it, whatever the clock says: the newest one holds
    at = max([time.time_ns() // 1000, *(one.entry.at + 1 for one in last)])
    entry = Entry(KIND, json.dumps(body, separators=(",", ":")).encode(), caller, None, columns, at=at)
    records.append([entry]).result()
    return Event(id=entry.id, caller=caller, at=entry.at, **body)


def _all(records: Records, task: str | None = None) -> Iterator[Event]:
    query: Query | None = Query(kind=KIND, task=task, limit=MOST)
    while query is not None:
        page = records.find(query)
        yield from (_event(record) for record in page.records)
        query = replace(query, cursor=page.next_cursor) if page.next_cursor else None


def _event(record: Record) -> Event:
    return Event(id=record.id, caller=record.entry.caller, at=record.entry.at, **json.loads(record.entry.body))
