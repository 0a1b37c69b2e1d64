"""Entries for tests of records."""

from __future__ import annotations

import json
import uuid

from hilum.records.entry import Columns, Entry

SECRET = b"s" * 32
HOUR = 3_600_000_000
START = 1_790_000_000_000_000 - 1_790_000_000_000_000 % HOUR


def prediction(number: int = 0, label: str | None = "pneumonia", **others) -> Entry:
    columns = Columns(
        task=others.pop("task", "pneumonia-cxr"),
        model=others.pop("model", "pneumonia-cxr@1.0.0"),
        digest="d" * 64,
        label=label,
        probability=None if label is None else others.pop("probability", 0.5 + number % 50 / 100),
        refused=label is None,
        image=others.pop("image", f"{number:064x}"),
        content=f"{number:064x}",
        took=others.pop("took", 12.5),
    )
    identity = others.pop("id", None) or str(uuid.UUID(int=number + 1))
    body = json.dumps({"id": identity, "number": number}).encode()
    at = others.pop("at", START + number * 1000)
    return Entry("prediction", body, columns=columns, id=identity, at=at, **others)


def feedback(subject: Entry, label: str | None, **others) -> Entry:
    return Entry("feedback", subject=subject.id, columns=Columns(label=label), at=subject.at + 1, **others)
