"""Small files for the tests of this room, made and never stored."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

SHARED = Path(os.environ.get("HILUM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared images are not here (HILUM_DATA)")


def png(value: int = 0, side: int = 8) -> bytes:
    """A small grey PNG whose bytes depend on `value`."""
    pixels = (np.arange(side * side).reshape(side, side) * 3 + value).astype(np.uint8)
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def lay(root: Path, files: dict[str, bytes | str]) -> Path:
    """Write files below a folder; returns the folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def pictures(*paths: str) -> dict[str, bytes | str]:
    """A different small PNG for every path."""
    return {path: png(i) for i, path in enumerate(paths)}
