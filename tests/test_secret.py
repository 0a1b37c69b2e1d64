"""The secret of an installation: drawn once, whoever starts together with whom, and whatever a crash left behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hilum import secret
from hilum.errors import RecordsError, UsageError
from hilum.parts import records_with_secret
from hilum.records.entry import Entry
from hilum.records.store import open_records
from hilum.secret import read_or_draw, read_secret
from hilum.settings import read_settings


def test_many_that_start_at_once_draw_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers on one folder, in each of which the process has the number 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    file = tmp_path / "home" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read_or_draw(file), range(40)))
    assert len({drawn for drawn, _ in found}) == 1
    assert sum(first for _, first in found) == 1
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_start_that_was_killed_left_behind_stops_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret.key"
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        killed.setattr(secret.os, "link", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            read_secret(file)
    assert not file.exists()
    assert read_secret(file) == read_secret(file)


def test_a_secret_of_which_not_all_could_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(secret.os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        read_secret(tmp_path / "secret.key")
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_takes_back_no_secret_that_another_one_drew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that start together on one home, one of them with the address of other records."""
    settings = read_settings({"HILUM_HOME": str(tmp_path / "home")})
    exists, others = Path.exists, []

    def drawn_meanwhile(path: Path) -> bool:
        found = exists(path)
        if path == settings.secret_file and not others:
            others.append(b"")
            others[0] = read_secret(path)
        return found

    def refused(*_: object) -> None:
        raise UsageError("the records were made with another secret")

    monkeypatch.setattr(Path, "exists", drawn_meanwhile)
    monkeypatch.setattr("hilum.parts.open_records", refused)
    with pytest.raises(UsageError, match="another secret"):
        records_with_secret(settings)
    assert read_secret(settings.secret_file) == others[0]


def test_a_start_that_cannot_reach_the_records_takes_no_secret_from_under_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that start together, before the database does, the later one reads what the first one drew."""
    settings = read_settings({"HILUM_HOME": str(tmp_path / "home")})

    def away(*_: object) -> None:
        with closing(open_records(settings.database_url, read_secret(settings.secret_file), settings.heads)) as later:
            later.append([Entry("act")]).result(timeout=120)  # the database is up now
        raise RecordsError("the records cannot be opened (the database system is starting up)")

    with monkeypatch.context() as before:
        before.setattr("hilum.parts.open_records", away)
        with pytest.raises(RecordsError, match="starting up"):
            records_with_secret(settings)
    _, records = records_with_secret(settings)
    with closing(records):
        assert records.verify().rows == 1
