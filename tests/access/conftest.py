"""Fixtures: access on SQLite and on a real PostgreSQL, with a clock that is moved by hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from hilum.access.access import Access, Spans, open_access
from hilum.access.deed import Deed

SECRET = b"s" * 32
PLACES = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin")


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


def postgres_bin() -> str | None:
    found = shutil.which("initdb", path=os.pathsep.join((*PLACES, os.environ.get("PATH", ""))))
    return str(Path(found).resolve().parent) if found and Path(found).resolve().exists() else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL on loopback; its URL without a database name."""
    programs = postgres_bin()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="hilum-pg-"))
    if user:
        shutil.chown(folder, user, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    word = folder / "word"
    word.write_text("loopback-only")
    word.chmod(0o644)
    data = folder / "data"

    def run(*command: object) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run(f"{programs}/initdb", "-A", "scram-sha-256", "-U", "hilum", f"--pwfile={word}", "-D", data)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run(f"{programs}/pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    yield f"postgresql+psycopg://hilum:loopback-only@127.0.0.1:{port}"
    run(f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A new database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{postgres_server}/{name}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hilum.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def opened(url: str) -> Iterator[House]:
    clock, deeds = Clock(), list[Deed]()
    access = open_access(url, SECRET, tell=deeds.append, spans=Spans(idle=1800, whole=43200), now=clock)
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
