"""Which predictions are to be erased, which share a picture, and what must still be kept; changes nothing."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, exists, select

from hilum.records.schema import PERSONAL, RECORDS

AT_ONCE = 500  # values in one condition
UNFINISHED = "unfinished"  # what an erasure's own row holds, beside the chain, until all that it reaches is gone


@dataclass(frozen=True, slots=True)
class Kept:
    """A prediction of which nothing was erased yet, or not all that shall be.

    image: the key of its picture, None where none was kept. content: HMAC of the bytes that were received.
    """

    id: str
    image: str | None
    caller: str
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A kept picture, by its key, and the prediction that needs it: its place among the records, and its id."""

    number: int
    image: str
    prediction: str


@dataclass(frozen=True, slots=True)
class Begun:
    """An erasure that did not come to its end. everywhere: its bytes are to go wherever they lie, whoever sent them."""

    prediction: Kept
    everywhere: bool

    @property
    def marked(self) -> dict[str, str]:
        """What its row holds until then."""
        return {UNFINISHED: "bytes" if self.everywhere else "own"}


def kept(
    connection: Connection,
    *,
    before: int | None = None,
    caller: str | None = None,
    images: Sequence[str] | None = None,
    content: str | None = None,
) -> tuple[Kept, ...]:
    """Predictions that were not erased: made before a moment (microseconds since 1970), by a caller, of pictures.

    content: of these very bytes.
    """
    at, conditions = RECORDS.c, [RECORDS.c.kind == "prediction", ~_erased()]
    if before is not None:
        conditions.append(at.at < before)
    if caller is not None:
        conditions.append(at.caller == caller)
    if content is not None:
        conditions.append(at.content == content)
    asked = select(at.id, at.image, at.caller, at.content).where(*conditions).order_by(at.number)
    if images is None:
        return tuple(Kept(*row) for row in connection.execute(asked))
    if len(images) <= AT_ONCE:
        return tuple(Kept(*row) for row in connection.execute(asked.where(at.image.in_(images))))
    wanted, rows = frozenset(images), connection.execution_options(yield_per=1000).execute(asked)
    return tuple(Kept(*row) for row in rows if row.image in wanted)  # once through all, however many are asked for


def unforgotten(connection: Connection, *, before: int | None = None, caller: str | None = None) -> list[str]:
    """The ids of what was erased, was said about it afterwards or was done, and still holds something personal.

    Of predictions made before a moment (microseconds since 1970) or by a caller, and of acts before that moment.
    """
    at, note = RECORDS.c, RECORDS.alias("note")
    if before is None and caller is None:
        return []
    chosen = at.at < before if before is not None else at.caller == caller
    erased = select(at.id).where(at.kind == "prediction", chosen, _personal(at.id), _erased())
    about_it = exists(select(at.number).where(at.id == note.c.subject, chosen, _erased()))
    asked = [erased, select(note.c.id).where(note.c.kind == "feedback", _personal(note.c.id), about_it)]
    if before is not None:
        asked.append(select(at.id).where(at.kind == "act", chosen, _personal(at.id)))
    return [row.id for each in asked for row in connection.execute(each)]


def begun(connection: Connection) -> dict[str, Begun]:
    """Erasures that are under way or were stopped, by their own id."""
    at, said = RECORDS.c, RECORDS.alias("said")
    asked = select(said.c.id.label("erasure"), PERSONAL.c.value, at.id, at.image, at.caller, at.content)
    asked = asked.join(said, said.c.subject == at.id).join(PERSONAL, PERSONAL.c.id == said.c.id)
    rows = connection.execute(asked.where(said.c.kind == "erasure", PERSONAL.c.name == UNFINISHED))
    return {row.erasure: Begun(Kept(row.id, row.image, row.caller, row.content), row.value == "bytes") for row in rows}


def has_caller(connection: Connection, caller: str) -> bool:
    """Whether anything on record was asked, said or done by this caller."""
    return connection.execute(select(RECORDS.c.number).where(RECORDS.c.caller == caller).limit(1)).first() is not None


def about_them(connection: Connection, identities: Sequence[str]) -> list[str]:
    """The ids of what was said about these predictions: notes may name somebody too."""
    parts = [identities[i : i + AT_ONCE] for i in range(0, len(identities), AT_ONCE)]
    asked = select(RECORDS.c.id).where(RECORDS.c.kind != "erasure")
    return [row.id for part in parts for row in connection.execute(asked.where(RECORDS.c.subject.in_(part)))]


def pictures(connection: Connection, behind: int, most: int) -> list[Picture]:
    """The next pictures that must be kept, of predictions behind a number, oldest first."""
    at = RECORDS.c
    asked = select(at.number, at.image, at.id).where(at.kind == "prediction", at.image.is_not(None), ~_erased())
    rows = connection.execute(asked.where(at.number > behind).order_by(at.number).limit(most))
    return [Picture(*row) for row in rows]


def mark_of(image: str) -> int:
    """64 bits for an image's key, or for what a changed row holds instead; no two share them in practice."""
    return int.from_bytes(hashlib.blake2b(str(image).encode(errors="replace"), digest_size=8).digest())


def marks(connection: Connection) -> NDArray[np.uint64]:
    """The marks of all pictures that must be kept, sorted; 8 bytes each, so that millions fit."""
    at, found = RECORDS.c, array("Q")
    asked = select(at.image).where(at.kind == "prediction", at.image.is_not(None), ~_erased())
    for part in connection.execution_options(yield_per=10_000).execute(asked).partitions():
        found.extend(mark_of(row.image) for row in part)
    return np.unique(np.asarray(found, dtype=np.uint64))


def _personal(identity: ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(PERSONAL.c.id).where(PERSONAL.c.id == identity))


def _erased() -> ColumnElement[bool]:
    said = RECORDS.alias("said")
    return exists(select(said.c.number).where(said.c.subject == RECORDS.c.id, said.c.kind == "erasure"))
