"""Fixtures that every room may use; what only one room needs stands in that room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images, which is never part of the repository; the test says so and is skipped without it."""
    folder = Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set HILUM_DATA)")
    return folder
