"""Fixtures: access on SQLite and on a real PostgreSQL, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hilum.access.access import Access, Spans, open_access
from hilum.access.deed import Deed

SECRET = b"s" * 32


@dataclass
class Clock:
    """Seconds since 1970, moved by hand."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class House:
    """An access, its clock and what it told."""

    url: str
    access: Access
    clock: Clock
    deeds: list[Deed] = field(default_factory=list)

    def did(self) -> list[str]:
        return [deed.what for deed in self.deeds]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hilum.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def opened(url: str) -> Iterator[House]:
    clock, deeds = Clock(), list[Deed]()
    access = open_access(url, SECRET, tell=deeds.append, spans=Spans(idle=1800, whole=43200), now=clock)
    access.ground.recent._clock = lambda: 0.0  # what was verified stays known, however long a loaded machine takes
    yield House(url, access, clock, deeds)
    access.close()


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    """Access on SQLite."""
    yield from opened(sqlite_url)


@pytest.fixture
def each_house(database_url: str) -> Iterator[House]:
    """Access on every kind of database."""
    yield from opened(database_url)
