"""One sealed package for all tests of the flows and of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.flows import references
from tests.flows.made import seal_spots


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(folder, digest) of a small sealed package of the made task."""
    place = tmp_path_factory.mktemp("package")
    return place / "spot", seal_spots(place / "spot", place / "run")


@pytest.fixture
def briefly_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The admission network learns for a few steps: what it admits is shown elsewhere."""
    monkeypatch.setattr(references, "FEWEST_STEPS", 8)
    monkeypatch.setattr(references, "STEPS_AN_EPOCH", 1)
