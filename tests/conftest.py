"""Fixtures that every room may use; what only one room needs stands in that room."""

from __future__ import annotations

import os
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: more threads only stand in one another's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
# a machine may be slow, and each run tries the same examples: what a test shows depends on no clock and no chance
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", untimed, derandomize=True)
settings.load_profile("fixed")
# pytest --hypothesis-profile=search: other examples each time, to look for what nobody thought of
settings.register_profile("search", untimed, derandomize=False)


MAY_BE_ABSENT = (
    *("no real images", "the shared images", "no DICOM files"),  # not in the repository
    *(
        "port 7777",
        "no IPv6 here",
        "nothing can be mounted here",
    ),  # what a machine of its own has and a container lacks
)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped, for the end of the run."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A whole file may be skipped, too."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Whole files that were skipped in one of several processes, which only that process knows."""
    _skipped.extend(node.workeroutput.get("skipped", ()) if hasattr(node, "workeroutput") else ())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where HILUM_TEST_ALL is set, as in continuous integration, only what a machine may lack may be skipped."""
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one judges
        session.config.workeroutput["skipped"] = _skipped
        return
    lacking = [line for line in _skipped if not any(word in line for word in MAY_BE_ABSENT)]
    if os.environ.get("HILUM_TEST_ALL") and lacking:
        print("\nskipped, though HILUM_TEST_ALL asks for every test:", *lacking, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_skipped: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a command keeps where nobody told it a folder lies in the folder of the tests, not in somebody's home."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL for all tests; its URL without a database's name."""
    with servers.postgres() as address:
        yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A new database."""
    import sqlalchemy as sa

    name = f"t{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{postgres_server}/{name}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 for all tests."""
    with servers.s3() as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new bucket, which every client of this process finds by its environment."""
    name = f"t{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    found = {"ENDPOINT_URL": s3_server, "ALLOW_HTTP": "true", "REGION": "us-east-1",
             "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}  # fmt: skip
    for word, value in found.items():
        monkeypatch.setenv(f"AWS_{word}", value)
    return f"s3://{name}"


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images, which is never part of the repository; the test says so and is skipped without it."""
    folder = Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set HILUM_DATA)")
    return folder
