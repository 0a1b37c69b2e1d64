"""read_dicom on the shared real files: every one is read, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hilum.image.decode import read_image_file

SHARED = Path(os.environ.get("HILUM_DATA", Path(__file__).parents[4] / "shared" / "data")) / "dicom"
FILES = sorted(SHARED.glob("*.dcm"))
needs_files = pytest.mark.skipif(not FILES, reason=f"no DICOM files in {SHARED}")


@needs_files
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shared_file_decodes(path: Path) -> None:
    for index, image in enumerate(read_image_file(path)):
        assert image.frame == index
        assert image.pixels.shape == (image.metadata.height, image.metadata.width)
        assert np.isfinite(image.pixels).all()
        assert 0.0 <= image.pixels.min() < image.pixels.max() <= 1.0
