"""One thing that happened, as it is handed in and as it is read back; knows no database."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Columns:
    """What records are searched and counted by; all optional.

    probability: of the class named, in [0, 1]. took: milliseconds from receipt to answer.
    image: key of the kept image. content: HMAC of the received bytes, kept or not.
    """

    task: str | None = None
    model: str | None = None
    digest: str | None = None
    label: str | None = None
    probability: float | None = None
    refused: bool | None = None
    image: str | None = None
    content: str | None = None
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    kind: "prediction" (refusals too), "feedback", "act", "erasure" …  at: microseconds since 1970, UTC.
    caller: who asked. subject: the record it speaks of.
    body: a JSON object in ASCII that names no person; it is chained and never erased.
    personal: what may name a person (file name, note); it lies in a table of its own and can be erased.
    """

    kind: str
    body: bytes = b"{}"
    caller: str = "local"
    subject: str | None = None
    columns: Columns = field(default_factory=Columns)
    personal: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: int = field(default_factory=lambda: time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it stands in the records.

    number: its place in the database. writer, seq: its place in one process's chain.
    erased: whether its picture and what was personal are gone.
    """

    entry: Entry
    number: int
    writer: str
    seq: int
    erased: bool = False

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id
