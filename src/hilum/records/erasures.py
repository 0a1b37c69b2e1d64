"""Which predictions are to be erased, which share a picture, and what must still be kept; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, select

from hilum.records.schema import RECORDS

AT_ONCE = 500  # values in one condition


@dataclass(frozen=True, slots=True)
class Kept:
    """A prediction of which nothing was erased yet. image: the key of its picture, None where none was kept."""

    id: str
    image: str | None
    caller: str


def kept(
    connection: Connection, *, before: int | None = None, caller: str | None = None, images: Sequence[str] | None = None
) -> tuple[Kept, ...]:
    """Predictions that were not erased: made before a moment (microseconds since 1970), by a caller, of pictures."""
    at, conditions = RECORDS.c, [RECORDS.c.kind == "prediction", ~_erased()]
    if before is not None:
        conditions.append(at.at < before)
    if caller is not None:
        conditions.append(at.caller == caller)
    asked = select(at.id, at.image, at.caller).where(*conditions).order_by(at.number)
    if images is None:
        return tuple(Kept(*row) for row in connection.execute(asked))
    parts = [images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE)]
    return tuple(Kept(*row) for part in parts for row in connection.execute(asked.where(at.image.in_(part))))


def about_them(connection: Connection, identities: Sequence[str]) -> list[str]:
    """The ids of what was said about these predictions: notes may name somebody too."""
    parts = [identities[i : i + AT_ONCE] for i in range(0, len(identities), AT_ONCE)]
    asked = select(RECORDS.c.id).where(RECORDS.c.kind != "erasure")
    return [row.id for part in parts for row in connection.execute(asked.where(RECORDS.c.subject.in_(part)))]


def pictures(connection: Connection) -> Iterator[tuple[str, str]]:
    """(image key, id of the first prediction with it), each key once: all that must be kept."""
    at = RECORDS.c
    asked = select(at.image, at.id).where(at.kind == "prediction", at.image.is_not(None), ~_erased())
    seen: set[bytes] = set()
    for row in connection.execution_options(yield_per=1000).execute(asked.order_by(at.number)):
        key = bytes.fromhex(row.image)
        if key not in seen:
            seen.add(key)
            yield row.image, row.id


def _erased() -> ColumnElement[bool]:
    said = RECORDS.alias("said")
    return exists(select(said.c.number).where(said.c.subject == RECORDS.c.id, said.c.kind == "erasure"))
