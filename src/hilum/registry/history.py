"""Promotions on record -> which package speaks for each task; events are appended, the state is derived.

Without a database (`hilum predict`) the shipped packages speak; see pins.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hilum.errors import UsageError
from hilum.records.entry import Columns, Entry, Record
from hilum.records.query import Query
from hilum.records.store import Records
from hilum.registry.pins import Known

KIND = "promotion"


@dataclass(frozen=True, slots=True)
class Event:
    """One change of who speaks: from one package (its digest; None: the shipped one) to another, and who did it."""

    id: str
    task: str
    digest: str
    reference: str
    before: str | None
    why: str
    caller: str
    at: int


def promote(records: Records, known: Known, *, caller: str, why: str) -> Event:
    """Put on record that a package speaks for its task from now on.

    Raises:
        UsageError: it does so already.
    """
    before = chosen(records).get(known.task)
    if before == known.digest:
        raise UsageError(f"{known.reference} speaks for {known.task} already")
    body: dict[str, Any] = {
        "task": known.task,
        "digest": known.digest,
        "reference": known.reference,
        "before": before,
        "why": why,
    }
    columns = Columns(task=known.task, model=known.reference, digest=known.digest)
    entry = Entry(KIND, json.dumps(body, separators=(",", ":")).encode(), caller, None, columns)
    records.append([entry]).result()
    return Event(id=entry.id, caller=caller, at=entry.at, **body)


def history(records: Records, task: str | None = None, most: int = 1000) -> tuple[Event, ...]:
    """The changes on record, newest first."""
    found = records.find(Query(kind=KIND, task=task, limit=most))
    return tuple(_event(record) for record in found.records)


def chosen(records: Records) -> dict[str, str]:
    """Task -> digest of the package that was promoted last."""
    state: dict[str, str] = {}
    for event in history(records):  # newest first
        state.setdefault(event.task, event.digest)
    return state


def _event(record: Record) -> Event:
    return Event(id=record.id, caller=record.entry.caller, at=record.entry.at, **json.loads(record.entry.body))
