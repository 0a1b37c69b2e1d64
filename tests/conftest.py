"""Fixtures that every room may use; what only one room needs stands in that room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


MAY_BE_ABSENT = ("no real images", "the shared images", "no DICOM files", "port 7777")  # not in the repository; taken


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped, for the end of the run."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A whole file may be skipped, too."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2].removeprefix('Skipped: ')}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where HILUM_TEST_ALL is set, as in continuous integration, only what needs the real images may be skipped."""
    lacking = [line for line in _skipped if not any(word in line for word in MAY_BE_ABSENT)]
    if os.environ.get("HILUM_TEST_ALL") and lacking:
        print("\nskipped, though HILUM_TEST_ALL asks for every test:", *lacking, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_skipped: list[str] = []


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images, which is never part of the repository; the test says so and is skipped without it."""
    folder = Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set HILUM_DATA)")
    return folder
