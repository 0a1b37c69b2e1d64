"""Servers that several rooms' tests talk to, started from what is installed: PostgreSQL, Redis, S3; loopback only."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

POSTGRES = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin")
WORD = "loopback-only"
GRANTS = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "records.md"


def free_port() -> int:
    """A port that nobody listens on, and that nobody is given who asks for any: a server takes seconds to listen."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)  # not of `random`: tests of all processes begin with one seed
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def programs_of_postgres() -> Path | None:
    """The folder of initdb and pg_ctl."""
    found = shutil.which("initdb", path=os.pathsep.join((*POSTGRES, os.environ.get("PATH", ""))))
    return Path(found).resolve().parent if found and Path(found).resolve().exists() else None


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL; its URL without a database's name."""
    programs = programs_of_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="hilum-pg-"))
    if user:
        shutil.chown(folder, user, user)
    port, word, data = free_port(), folder / "word", folder / "data"
    word.write_text(WORD)
    word.chmod(0o644)

    def run(*command: object) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run(programs / "initdb", "-A", "scram-sha-256", "-U", "hilum", f"--pwfile={word}", "-D", data)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://hilum:{WORD}@127.0.0.1:{port}"
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def as_documented(url: str) -> str:
    """The same database, whose tables are made, for a new role that was granted what the documentation says."""
    import sqlalchemy as sa

    address = sa.make_url(url)
    name = f"app_{address.database}"
    granted = GRANTS.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    owner = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{WORD}'")
        connection.exec_driver_sql(granted.replace(" hilum;", f" {name};"))
    owner.dispose()
    return address.set(username=name).render_as_string(hide_password=False)


@contextmanager
def redis(folder: Path, port: int) -> Iterator[str]:
    """A Redis on a port, once it answers; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (apt-get install redis-server)")
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with listening(command, port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def s3() -> Iterator[str]:
    """An S3 without a bucket; its address."""
    pytest.importorskip("moto")
    port = free_port()
    with listening([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def listening(command: list[str], port: int, seconds: float = 60) -> Iterator[None]:
    """A program from the moment its port takes connections until the block ends."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + seconds
            while not _takes_connections(port):
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < until, f"{command[0]} did not listen within {seconds:g} seconds"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
