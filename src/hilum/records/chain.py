"""Entries -> rows, each sealed with the one before it; knows no database.

A row's seal is HMAC-SHA256(journal key, seal before || row). Whoever has no key can neither change a row nor put one
in between; a row taken out breaks the chain after it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import RowMapping

from hilum.errors import RecordsError
from hilum.records.entry import Columns, Entry
from hilum.secret import derived

# The row as it is stored and, without its last, as it is sealed; the body stands at the end.
FIELDS = (
    "writer", "seq", "id", "kind", "at", "caller", "subject", "task", "model", "digest", "label", "probability",
    "refused", "image", "content", "took", "body",
)  # fmt: skip
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

Row = tuple[Any, ...]


def journal_key(secret: bytes) -> bytes:
    """The key of seals."""
    return derived(secret, "journal")


def first_seal(key: bytes, writer: str) -> bytes:
    """What a writer's first row is chained to."""
    return hmac.digest(key, b"writer " + writer.encode(), "sha256")


def row_of(writer: str, seq: int, entry: Entry) -> Row:
    """An entry as it is stored.

    Raises:
        RecordsError: a value that no record may hold.
    """
    at = entry.columns
    try:
        return (
            writer, seq, entry.id, entry.kind, entry.at, entry.caller, entry.subject, at.task, at.model, at.digest,
            at.label, None if at.probability is None else float(at.probability),
            None if at.refused is None else int(at.refused), at.image, at.content,
            None if at.took is None else float(at.took), entry.body.decode("ascii"),
        )  # fmt: skip
    except (UnicodeDecodeError, ValueError, TypeError) as error:
        raise RecordsError(f"this cannot be recorded: {error}") from error


def seal(key: bytes, before: bytes, row: Row) -> bytes:
    """The seal of a row, chained to the one before.

    Raises:
        RecordsError: a number that is none.
    """
    try:
        return hmac.digest(key, before + _encode(row).encode("ascii"), "sha256")
    except ValueError as error:
        raise RecordsError(f"this cannot be recorded: {error}") from error


def entry_of(found: RowMapping, personal: Mapping[str, str]) -> Entry:
    """A stored row as the entry it was."""
    return Entry(
        kind=found["kind"],
        body=found["body"].encode("ascii"),
        caller=found["caller"],
        subject=found["subject"],
        columns=Columns(
            found["task"], found["model"], found["digest"], found["label"], found["probability"],
            None if found["refused"] is None else bool(found["refused"]), found["image"], found["content"],
            found["took"],
        ),
        personal=personal,
        id=found["id"],
        at=found["at"],
    )  # fmt: skip
