"""All rows, all checkpoints and the file outside -> what does not fit, in sentences; changes nothing."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import RowMapping

from hilum.errors import RecordsError
from hilum.records.chain import FIELDS, first_seal, seal
from hilum.records.checkpoint import Checkpoint, sealed
from hilum.records.schema import CHECKPOINTS, RECORDS

AT_ONCE = 1000  # rows in memory, and from one word about how far it is to the next
IN_ORDER = select(*(RECORDS.c[name] for name in (*FIELDS, "seal"))).order_by(RECORDS.c.number)

MADE_WITH_ANOTHER = (
    "the records were made with another secret: HILUM_SECRET_FILE (else HOME/secret.key) must hold the one of the "
    "backup, or of the other servers of this database; if it does, their first row and first checkpoint were both "
    "changed"
)

Tell = Callable[[int, int], None]  # hears how many rows were looked at, and how many there are


@dataclass(frozen=True, slots=True)
class Verification:
    """How much was looked at, and a sentence for everything that does not fit."""

    rows: int
    checkpoints: int
    faults: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether everything fits."""
        return not self.faults


def verify(connection: Connection, key: bytes, head: Path | None, tell: Tell | None = None) -> Verification:
    """Look at everything, in one view of the database."""
    noted, faults = _noted(head)  # before that view: what a server notes meanwhile is not in it
    total = connection.execute(select(func.count()).select_from(RECORDS)).scalar_one() if tell else 0
    checkpoints = _checkpoints(connection, key, noted, head, faults)
    chains = _Chains(key, checkpoints, faults)
    rows = 0
    for row in connection.execution_options(yield_per=AT_ONCE).execute(IN_ORDER).mappings():
        rows += 1
        chains.look(row)
        if tell and (rows % AT_ONCE == 0 or rows == total):
            tell(rows, total)
    chains.finish()
    return Verification(rows, len(checkpoints), tuple(faults))


def fits(connection: Connection, key: bytes) -> bool:
    """Whether the first checkpoint or the first row was sealed with this key; where there is neither, any key fits.

    Either may have been changed: then the other tells, and `verify` names the change.
    """
    with any_text(connection):
        if _checkpoints(connection, key, {}, None, [], most=1):
            return True
        row = connection.execute(IN_ORDER.limit(1)).mappings().first()
        if row is None:
            return connection.execute(select(CHECKPOINTS.c.number).limit(1)).first() is None
    faults: list[str] = []
    _Chains(key, [], faults).look(row)
    return not faults


@contextmanager
def any_text(connection: Connection) -> Iterator[None]:
    """Read text that is none as well, so that it is a fault of its row and no end of the reading (SQLite)."""
    raw = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or raw is None:
        yield
        return
    raw.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = str


class _Chains:
    """Where each chain stands while the rows go by."""

    def __init__(self, key: bytes, checkpoints: list[Checkpoint], faults: list[str]) -> None:
        self._key, self._faults = key, faults
        self._ends: dict[str, tuple[int, bytes]] = {}
        self._seen: dict[str, dict[int, tuple[bytes, int]]] = {}  # writer -> rows -> (seal, checkpoint that says so)
        for checkpoint in checkpoints:
            for writer, (seq, said) in checkpoint.read_heads().items():
                # the first to see a row holds: a later one may have seen what was put in its place since
                self._seen.setdefault(writer, {}).setdefault(seq, (said, checkpoint.number))

    def look(self, row: RowMapping) -> None:
        """One more row."""
        writer, seq, stored = row["writer"], row["seq"], row["seal"]
        if not (_is_text(writer) and isinstance(seq, int) and isinstance(stored, bytes)):
            self._faults.append(f"record {row['id']} was changed")  # SQLite takes any kind of value in any column
            return
        last, before = self._ends.get(writer, (0, first_seal(self._key, writer)))
        what = f"record {row['id']} (row {seq} of chain {writer})"
        if seq <= last:
            self._faults.append(f"{what} stands after row {last}: rows were put in or reordered")
            return
        if seq > last + 1:
            gone = f"row {last + 1} is" if seq == last + 2 else f"rows {last + 1} to {seq - 1} are"
            self._faults.append(f"{gone} missing from chain {writer}, before record {row['id']}")
        elif not self._fits(row, before, stored):
            self._faults.append(f"{what} was changed")
        seen = self._seen.get(writer, {}).get(seq)
        if seen is not None and not hmac.compare_digest(seen[0], stored):
            self._faults.append(f"{what} is not the one that checkpoint {seen[1]} saw")
        self._ends[writer] = (seq, stored)

    def finish(self) -> None:
        """What the checkpoints saw and is not there any more."""
        for writer, seen in self._seen.items():
            last, most = self._ends.get(writer, (0, b""))[0], max(seen)
            if most > last:
                gone = f"row {most} is" if most == last + 1 else f"rows {last + 1} to {most} are"
                self._faults.append(
                    f"{gone} missing from the end of chain {writer}: checkpoint {seen[most][1]} saw them"
                )

    def _fits(self, row: RowMapping, before: bytes, stored: bytes) -> bool:
        try:
            made = seal(self._key, before, tuple(row[name] for name in FIELDS))
        except (RecordsError, TypeError):
            return False
        return hmac.compare_digest(made, stored)


def _checkpoints(
    connection: Connection,
    key: bytes,
    noted: dict[int, str],
    head: Path | None,
    faults: list[str],
    *,
    most: int | None = None,
) -> list[Checkpoint]:
    """Those that fit, of the first `most`; what does not is said."""
    found: list[Checkpoint] = []
    before, expected = b"", 1
    for row in connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.number).limit(most)).mappings():
        if not _is_checkpoint(row):
            faults.append(f"checkpoint {row['number']} was changed")  # SQLite takes any kind of value in any column
            noted.pop(row["number"], None)
            before, expected = b"", row["number"] + 1
            continue
        checkpoint = Checkpoint(**{name: row[name] for name in ("number", "at", "writer", "upto", "heads")},
                                seal=bytes(row["seal"]))  # fmt: skip
        if checkpoint.number != expected:
            faults.append(f"checkpoints {expected} to {checkpoint.number - 1} are missing")
        elif not hmac.compare_digest(sealed(key, before, checkpoint), checkpoint.seal):
            faults.append(f"checkpoint {checkpoint.number} was changed")
        else:
            found.append(checkpoint)
        if noted.pop(checkpoint.number, checkpoint.seal.hex()) != checkpoint.seal.hex():
            faults.append(f"checkpoint {checkpoint.number} is not the one that {head} notes")
        before, expected = checkpoint.seal, checkpoint.number + 1
    if noted:
        faults.append(f"checkpoints up to {max(noted)} are noted in {head} and missing from the database")
    return found


def _is_checkpoint(row: RowMapping) -> bool:
    """Whether every value is of the kind that was stored."""
    kinds = {"at": int, "upto": int, "heads": str, "writer": str, "seal": bytes}
    return all(isinstance(row[name], kind) for name, kind in kinds.items())


def _is_text(value: object) -> bool:
    """Whether it is text that can be encoded, and not empty; what `any_text` reads of other bytes cannot."""
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def _noted(head: Path | None) -> tuple[dict[int, str], list[str]]:
    """Checkpoint -> seal, as the file outside said first: what an older database, put back, makes anew is another."""
    noted: dict[int, str] = {}
    faults: list[str] = []
    if head is None or not head.exists():
        return noted, faults
    for number, line in enumerate(head.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        parts = line.split()
        if len(parts) == 3 and parts[0].isdigit() and len(parts[2]) == 64:
            noted.setdefault(int(parts[0]), parts[2])
        elif parts:
            faults.append(f"line {number} of {head} cannot be read")
    return noted, faults
