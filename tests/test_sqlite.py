"""Opening one new SQLite file by many at once, and one that somebody holds."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hilum import sqlite

OPENING = ("PRAGMA journal_mode=WAL", "CREATE TABLE IF NOT EXISTS a (b)")


def opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    for turn in range(20):
        together = threading.Barrier(8)

        def open_one(_: int, file: Path = tmp_path / f"{turn}.db", together: threading.Barrier = together) -> str:
            connection = opened(file)
            together.wait()
            sqlite.set_up(connection, OPENING)
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            connection.close()
            return str(mode)

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(open_one, range(8))) == {"wal"}


@pytest.mark.parametrize(("many", "rests"), [(0, 0), (3, 0), (4, 1), (7, 2)])
def test_long_writing_is_done_in_turns(many: int, rests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            slept.append(seconds)

    clock = Clock()
    monkeypatch.setattr(sqlite, "time", clock)
    done: list[int] = []
    for part in sqlite.in_turns(range(many), 3):
        assert 0 < len(part) <= 3
        clock.now += len(done)  # the first took no time
        done += part
    assert done == list(range(many))
    assert slept == [sqlite.REST, 3.0][:rests]


def test_a_file_that_stays_locked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "SECONDS", 0.05)
    holder, other = opened(tmp_path / "a.db"), opened(tmp_path / "a.db")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite.set_up(other, OPENING)
    holder.execute("ROLLBACK")
    sqlite.set_up(other, OPENING)
    with pytest.raises(sqlite3.OperationalError, match="syntax"):
        sqlite.set_up(other, ("NO SUCH STATEMENT",))
    holder.close()
    other.close()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A database whose last words lie in its write-ahead file, and whose connection stays open."""
    file = tmp_path / "a.db"
    connection = opened(file)
    sqlite.set_up(connection, OPENING)
    connection.execute("INSERT INTO a VALUES ('CANARY')")
    return file


def reader_of(file: Path) -> sqlite3.Connection:
    reader = opened(file)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM a").fetchall()
    return reader


def ahead(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def test_the_write_ahead_file_is_emptied_once_nobody_reads_and_others_write_meanwhile(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, other, mine = reader_of(written), opened(written), opened(written)
    mine.execute("PRAGMA busy_timeout=12345")
    rests: list[float] = []

    class Resting:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(seconds: float) -> None:
            rests.append(seconds)
            other.execute("INSERT INTO a VALUES ('of another')")  # waits for nobody
            if len(rests) == 3:
                reader.close()

    monkeypatch.setattr(sqlite, "time", Resting)
    sqlite.fold_in(mine)
    assert len(rests) == 3
    assert min(rests) > 0
    assert ahead(written).stat().st_size == 0
    assert mine.execute("PRAGMA busy_timeout").fetchone() == (12345,)
    assert mine.execute("SELECT count(*) FROM a").fetchone() == (4,)
    other.close()
    mine.close()


def test_who_reads_on_and_on_is_said(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "SECONDS", 0.0)
    reader, mine = reader_of(written), opened(written)
    with pytest.raises(sqlite3.OperationalError, match="still holds what was erased, because somebody reads"):
        sqlite.fold_in(mine)
    reader.close()
    mine.close()
