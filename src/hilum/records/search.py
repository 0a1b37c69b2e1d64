"""A query -> one page of records; knows no chain."""

from __future__ import annotations

import base64
import binascii
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.engine import RowMapping

from hilum.errors import UsageError
from hilum.records.chain import entry_of
from hilum.records.entry import Record
from hilum.records.query import Page, Query
from hilum.records.schema import LOWER, PERSONAL, RECORDS

COLUMNS = RECORDS.c
AT_ONCE = 500  # values in one condition
FEW = 5000  # records that a text is part of and that are named one by one
Key = tuple[ColumnElement[Any], bool]  # what is sorted by, and whether downwards


@dataclass(frozen=True, slots=True)
class Names:
    """By what records of a kind are called; there are few, so that a text is sought among them and not in every row."""

    kind: str
    model: str | None
    digest: str | None
    label: str | None


def find(connection: Connection, query: Query, known: Iterable[Names] = ()) -> Page:
    """One page. known: the names on record, where the query asks for a text or a model.

    Raises:
        UsageError: the cursor is none of ours.
    """
    keys, conditions = _keys(query), _conditions(connection, query, known)
    rows = connection.execute(_ordered(query, keys, conditions).limit(query.limit + 1)).all()
    total = _counted(connection, query, len(keys), conditions)
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    cursor = _cursor([*shown[-1][1:], total]) if more else None
    return Page(by_number(connection, [row.number for row in shown]), cursor, total)


def numbers(connection: Connection, query: Query, most: int, known: Iterable[Names] = ()) -> array[int]:
    """The numbers of the first `most` of all that fit: put in order once and not counted, 8 bytes each."""
    chosen = _ordered(query, _keys(query), _conditions(connection, query, known)).limit(most)
    return array("q", connection.execute(chosen.with_only_columns(COLUMNS.number)).scalars())


def by_number(connection: Connection, wanted: Sequence[int]) -> tuple[Record, ...]:
    """The records of these numbers, at most 1000 of them, in the order that they were named in."""
    rows = connection.execute(select(RECORDS).where(COLUMNS.number.in_(wanted))).mappings().all()
    place = {number: i for i, number in enumerate(wanted)}
    return records_of(connection, sorted(rows, key=lambda row: place[row["number"]]))


def by_id(connection: Connection, identity: str) -> Record | None:
    """One record."""
    rows = connection.execute(select(RECORDS).where(COLUMNS.id == identity)).mappings().all()
    found = records_of(connection, rows)
    return found[0] if found else None


def by_ids(connection: Connection, identities: Sequence[str]) -> tuple[Record, ...]:
    """The records of these ids, in no order; an id that there is none of is left out."""
    found: list[Record] = []
    for start in range(0, len(identities), AT_ONCE):
        part = identities[start : start + AT_ONCE]
        rows = connection.execute(select(RECORDS).where(COLUMNS.id.in_(part))).mappings().all()
        found += records_of(connection, rows)
    return tuple(found)


def stands(said: FromClause) -> ColumnElement[bool]:
    """Whether feedback counts: it names a class, and who said it took it back by no later one without a class."""
    back = RECORDS.alias("back")
    same = (back.c.subject == said.c.subject) & (back.c.kind == "feedback") & (back.c.caller == said.c.caller)
    return and_(said.c.label.is_not(None), ~exists().where(same, back.c.label.is_(None), back.c.number > said.c.number))


def last_said(connection: Connection, identities: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Id of a prediction -> the class last said to be right, and by whom; those of which no word stands are absent."""
    found: dict[str, tuple[str, str]] = {}
    one = RECORDS.alias("one")
    for start in range(0, len(identities), AT_ONCE):
        part = identities[start : start + AT_ONCE]
        about = one.c.subject.in_(part), one.c.kind == "feedback", stands(one)
        said = select(one.c.subject, one.c.label, one.c.caller).where(*about)
        for row in connection.execute(said.order_by(one.c.at, one.c.number)):
            found[row.subject] = row.label, row.caller
    return found


def about(connection: Connection, subject: str, kind: str | None) -> tuple[Record, ...]:
    """What speaks of a record, oldest first."""
    chosen = select(RECORDS).where(COLUMNS.subject == subject).order_by(COLUMNS.number)
    if kind is not None:
        chosen = chosen.where(COLUMNS.kind == kind)
    return records_of(connection, connection.execute(chosen).mappings().all())


def records_of(connection: Connection, rows: Sequence[RowMapping]) -> tuple[Record, ...]:
    """Rows with what is personal about them, and whether they were erased."""
    personal: dict[str, dict[str, str]] = {}
    if not rows:
        return ()
    ids = [row["id"] for row in rows]
    for row in connection.execute(select(PERSONAL).where(PERSONAL.c.id.in_(ids))):
        personal.setdefault(row.id, {})[row.name] = row.value
    said = select(COLUMNS.subject).where(COLUMNS.subject.in_(ids), COLUMNS.kind == "erasure")
    erased = set(connection.execute(said).scalars())
    return tuple(
        Record(
            entry_of(row, personal.get(row["id"], {})), row["number"], row["writer"], row["seq"], row["id"] in erased
        )
        for row in rows
    )


def _counted(connection: Connection, query: Query, many: int, conditions: Sequence[ColumnElement[bool]]) -> int:
    """All that fit; a cursor brings what was counted for the first page, which costs more than a page does."""
    if query.cursor is not None and (brought := _read_cursor(query.cursor, many)[many:]):
        return int(brought[0])
    counted = select(func.count()).select_from(RECORDS).where(*conditions)
    return int(connection.execute(counted).scalar_one())


def last_number(connection: Connection) -> int:
    """The highest number of a record; 0 where there is none."""
    return int(connection.execute(select(func.max(COLUMNS.number))).scalar_one() or 0)


def names(connection: Connection, behind: int) -> tuple[frozenset[Names], int]:
    """The names of the records behind a number, and the last number there is."""
    last = last_number(connection)
    # the kind is no condition: the index by it would lead through all rows instead of the new ones
    named = select(COLUMNS.kind, COLUMNS.model, COLUMNS.digest, COLUMNS.label).where(COLUMNS.number > behind).distinct()
    return frozenset(Names(*row) for row in connection.execute(named)), last


def _ordered(query: Query, keys: Sequence[Key], conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Numbers and keys alone: an index holds them, and the rows are read for one page only."""
    chosen = select(COLUMNS.number, *(key.label(f"key{i}") for i, (key, _) in enumerate(keys))).where(*conditions)
    if query.cursor is not None:
        chosen = chosen.where(_beyond(keys, _read_cursor(query.cursor, len(keys))[: len(keys)]))
    return chosen.order_by(*(key.desc() if down else key.asc() for key, down in keys))


def _conditions(connection: Connection, query: Query, known: Iterable[Names]) -> list[ColumnElement[bool]]:
    equal = {"kind": query.kind, "task": query.task, "label": query.label, "caller": query.caller,
             "image": query.image}  # fmt: skip
    found = [COLUMNS[name] == value for name, value in equal.items() if value is not None]
    named = [one for one in known if query.kind in (None, one.kind)]
    if query.model is not None:
        found.append(_by(query.model, named))
    if query.since is not None:
        found.append(COLUMNS.at >= query.since)
    if query.until is not None:
        found.append(COLUMNS.at < query.until)
    if query.refused is not None:
        found.append(COLUMNS.refused == int(query.refused))
    if query.disagreed is not None:
        found.append(_disagreed() if query.disagreed else ~_disagreed())
    if query.text:
        found.append(_holds(connection, query, named))
    if query.order in ("uncertain", "priority"):
        found.append(COLUMNS.probability.is_not(None))
    return found


def _by(model: str, known: Iterable[Names]) -> ColumnElement[bool]:
    """Name, name@version or the start of a digest, as the names on record say."""
    packages = {(one.model, one.digest) for one in known if one.model is not None}
    called = {name for name, _ in packages if name == model or name.startswith(f"{model}@")}
    sealed = {digest for _, digest in packages if digest is not None and digest.startswith(model.lower())}
    if not sealed:  # digests lie in the rows alone
        return COLUMNS.model.in_(called)
    return or_(COLUMNS.model.in_(called), COLUMNS.digest.in_(sealed))


def _disagreed() -> ColumnElement[bool]:
    """Whether somebody's last word names another class: who corrected it, or took it back, does not disagree."""
    said, later, answer = RECORDS.alias("said"), RECORDS.alias("later"), RECORDS.alias("answer")
    same = (later.c.subject == said.c.subject) & (later.c.kind == "feedback") & (later.c.caller == said.c.caller)
    corrected = exists(select(later.c.number).where(same, later.c.number > said.c.number))
    other = (answer.c.id == said.c.subject) & (answer.c.label != said.c.label)
    words = select(answer.c.number).join_from(said, answer, other).where(said.c.kind == "feedback", ~corrected)
    return COLUMNS.number.in_(words)


def _holds(connection: Connection, query: Query, known: Sequence[Names]) -> ColumnElement[bool]:
    """The text is sought among the names on record, and once in what is personal and in the ids."""
    text = query.text or ""
    part = text.lower()
    labels = {one.label for one in known if one.label is not None and part in one.label.lower()}
    models = {one.model for one in known if one.model is not None and part in one.model.lower()}
    numbers = array("q", connection.execute(_held(connection, text)).scalars())
    return or_(
        COLUMNS.label.in_(labels.union(query.titled)),
        COLUMNS.model.in_(models),
        COLUMNS.number.in_(numbers if len(numbers) <= FEW else _as_table(connection, numbers)),
    )


def _held(connection: Connection, text: str) -> CompoundSelect[Any]:
    """The records whose id begins so, or of which something personal holds it; a note belongs to what it is about.

    Joined and not sought as a set of ids: of a million that hold it in 6 seconds instead of 9.
    """
    said, found, holds = RECORDS.alias("said"), RECORDS.alias("found"), _contains(connection, text)
    about = (PERSONAL.c.name == "note") & said.c.subject.is_not(None)
    begins = select(found.c.number).where(found.c.id.startswith(text.lower(), autoescape=True))
    own = select(said.c.number).join_from(PERSONAL, said, said.c.id == PERSONAL.c.id).where(holds, ~about)
    note = select(found.c.number).join_from(PERSONAL, said, said.c.id == PERSONAL.c.id)
    return union_all(begins, own, note.join(found, found.c.id == said.c.subject).where(holds, about))


def _contains(connection: Connection, text: str) -> ColumnElement[bool]:
    """Whether something personal holds it, in whatever case; SQLite itself knows that of the letters A to Z alone."""
    if connection.dialect.name == "sqlite" and not text.isascii():
        lower: ColumnElement[str] = getattr(func, LOWER)(PERSONAL.c.value, type_=Text)
        return lower.contains(text.lower(), autoescape=True)
    return PERSONAL.c.value.icontains(text, autoescape=True)


def _as_table(connection: Connection, numbers: array[int]) -> Select[Any]:
    """More numbers than a statement takes, as one value of it."""
    said = numbers.tolist()
    if connection.dialect.name == "sqlite":
        return select(func.json_each(json.dumps(said)).table_valued("value").c.value)
    return select(cast(func.json_array_elements_text(cast(said, JSON)).column_valued(), BigInteger))


def _keys(query: Query) -> list[Key]:
    if query.order == "uncertain":
        return [(COLUMNS.probability, False), (COLUMNS.number, True)]
    if query.order == "priority":
        calm = case((COLUMNS.label.in_(query.negatives), 1), else_=0)
        return [(calm, False), (COLUMNS.probability, True), (COLUMNS.number, True)]
    down = query.order == "newest"
    return [(COLUMNS.at, down), (COLUMNS.number, down)]


def _beyond(keys: Sequence[Key], last: Sequence[Any]) -> ColumnElement[bool]:
    """Strictly after the last row shown, in the order of the keys; an index finds the first of them only by itself."""
    steps = []
    for i, (key, down) in enumerate(keys):
        same = [before == value for (before, _), value in zip(keys[:i], last[:i], strict=True)]
        steps.append(and_(*same, key < last[i] if down else key > last[i]))
    foremost, falling = keys[0]
    return and_(foremost <= last[0] if falling else foremost >= last[0], or_(*steps))


def _cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, many: int) -> list[float]:
    """So many keys of the last row shown and, but from an older Hilum, the number of all."""
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise UsageError("cursor: not one that a page named") from error
    if (
        not isinstance(values, list)
        or len(values) not in (many, many + 1)
        or not all(_number(value) for value in values)
    ):
        raise UsageError("cursor: not one that a page named for this order")
    return values


def _number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < 2**63
