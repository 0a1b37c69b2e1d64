"""An installation of its own for a test of durable work."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    for name in ("HILUM_DATABASE_URL", "HILUM_IMAGES_URL", "HILUM_CACHE_URL", "HILUM_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"
