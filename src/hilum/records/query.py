"""What is looked for, and one page of what was found; knows no SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hilum.errors import UsageError
from hilum.records.entry import Record

ORDERS = ("newest", "oldest", "uncertain", "priority")
MOST = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """Which records; None: not asked for. since and until: microseconds since 1970 UTC, until excluded.

    disagreed: whether the last feedback of anybody names another class than the answer did.
    model: name, name@version or the start of a digest.
    text: part of a file name, note, class or model, or the start of an id. titled: classes that people know by it.
    order: "newest"; "oldest"; "uncertain" (least probable class first); "priority" (classes that are not in
        `negatives` first, the most probable first). The last two hold no refusals.
    limit: at most 1000. cursor: from the page before, with the same query.
    """

    kind: str | None = "prediction"
    task: str | None = None
    label: str | None = None
    model: str | None = None
    since: int | None = None
    until: int | None = None
    refused: bool | None = None
    disagreed: bool | None = None
    caller: str | None = None
    text: str | None = None
    titled: tuple[str, ...] = ()
    image: str | None = None
    order: str = "newest"
    negatives: tuple[str, ...] = ()
    limit: int = 50
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise UsageError(f"order={self.order!r}: must be one of {', '.join(ORDERS)}")
        if not 1 <= self.limit <= MOST:
            raise UsageError(f"limit={self.limit}: must be between 1 and {MOST}")


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the records found. next_cursor: None on the last page.

    total: all of them, as they were when the first page was asked for.
    """

    records: tuple[Record, ...]
    next_cursor: str | None
    total: int

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)
