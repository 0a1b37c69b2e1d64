"""Databases for the contract of the records."""

from __future__ import annotations

import pytest

from hilum.records.store import open_records
from tests.records.made import SECRET


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def opening(tmp_path, url):
    """Opens the test's own database, as often as asked; what is left open is closed."""
    opened = []

    def opens(head="head"):
        opened.append(open_records(url, SECRET, tmp_path / head))
        return opened[-1]

    yield opens
    for records in opened:
        records.close()


@pytest.fixture
def records(opening):
    return opening()
