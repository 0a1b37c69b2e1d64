"""The heads of all chains -> a sealed checkpoint in the database and a line in a file outside it; knows no entry.

A chain alone cannot tell that its end was cut off. A checkpoint says how long each was; the checkpoints are chained
themselves, and the file outside says how many there were.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from hilum.errors import RecordsError
from hilum.records.schema import CHECKPOINTS, RECORDS

# PostgreSQL gives numbers before it commits: what was still under way at the checkpoint before is looked at again.
UNDER_WAY = 10_000
Heads = dict[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How long each chain was that had grown; upto: the highest number of a record that was seen."""

    number: int
    at: int
    writer: str
    upto: int
    heads: str
    seal: bytes

    @property
    def line(self) -> str:
        """As it is noted outside the database."""
        return f"{self.number} {self.at} {self.seal.hex()}\n"

    def read_heads(self) -> Heads:
        """Writer -> (rows, seal of the last)."""
        return {writer: (int(seq), bytes.fromhex(seal)) for writer, (seq, seal) in json.loads(self.heads).items()}


def sealed(key: bytes, before: bytes, made: Checkpoint) -> bytes:
    """The seal of a checkpoint, chained to `before`, that of the one before; its own seal is not looked at."""
    content = json.dumps([made.number, made.at, made.writer, made.upto, made.heads]).encode()
    return hmac.digest(key, b"checkpoint " + before + content, "sha256")


def make_checkpoint(connection: Connection, key: bytes, writer: str, head: tuple[int, bytes]) -> Checkpoint:
    """Seal the heads of all chains that grew; the caller commits, then notes the line outside."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(4846195)"))
    last = connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.number.desc()).limit(1)).mappings().first()
    since = max(0, last["upto"] - UNDER_WAY) if last else 0
    newer = RECORDS.c.number > since
    longest = select(RECORDS.c.writer, func.max(RECORDS.c.seq).label("seq")).where(newer).group_by(RECORDS.c.writer)
    longest_of = longest.subquery()
    found = connection.execute(
        select(RECORDS.c.number, RECORDS.c.writer, RECORDS.c.seq, RECORDS.c.seal)
        .join(longest_of, (RECORDS.c.writer == longest_of.c.writer) & (RECORDS.c.seq == longest_of.c.seq))
        .where(newer)
    ).all()
    heads = {row.writer: [row.seq, bytes(row.seal).hex()] for row in found} | {writer: [head[0], head[1].hex()]}
    number, at = (last["number"] + 1 if last else 1), time.time_ns() // 1000
    upto = max([row.number for row in found] + [last["upto"] if last else 0])
    said = json.dumps(heads, sort_keys=True, separators=(",", ":"))
    before = bytes(last["seal"]) if last else b""
    bare = Checkpoint(number, at, writer, upto, said, b"")
    made = replace(bare, seal=sealed(key, before, bare))
    connection.execute(
        CHECKPOINTS.insert().values(number=number, at=at, writer=writer, upto=upto, heads=said, seal=made.seal)
    )
    return made


def note_outside(file: Path, made: Checkpoint) -> None:
    """Append the checkpoint to the file outside the database, durably, whole or not at all.

    Raises:
        RecordsError: the file cannot be written.
    """
    with _held(file) as handle:
        _append_whole(handle, made.line.encode("ascii"))


def check_outside(file: Path) -> None:
    """A checkpoint could be noted.

    Raises:
        RecordsError: the file cannot be written.
    """
    with _held(file):
        return


@contextmanager
def _held(file: Path) -> Iterator[int]:
    """The open file, ours alone: servers of one home write here, and half a line is taken back."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)
    except OSError as error:
        raise RecordsError(f"{file}: a checkpoint cannot be noted ({error.strerror})") from error


def _append_whole(handle: int, line: bytes) -> None:
    """A full disk takes the beginning of a line: left there, it would spoil the next one for ever."""
    end = os.fstat(handle).st_size
    try:
        while line:
            line = line[os.write(handle, line) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, end)
        raise
