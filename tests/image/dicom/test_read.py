"""read_dicom on the shared real files and on broken ones: every one is read, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import UnreadableImage
from hilum.image.decode import decode, read_image_file
from hilum.image.deidentify import deidentify
from tests.image.made import dicom_bytes, dicom_set

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


@pytest.mark.parametrize("kind", [b"FD", b"UL", b"HO"])  # of other lengths than the values have; none that there is
@pytest.mark.parametrize(("tag", "meant"), [(b"\x28\x00\x10\x00", b"US"), (b"\x10\x00\x20\x00", b"LO")])
def test_a_value_that_its_kind_cannot_hold_ends_nothing(tag: bytes, meant: bytes, kind: bytes) -> None:
    sound = dicom_bytes(dicom_set(np.arange(64, dtype=np.uint8).reshape(8, 8), PatientID="MRN 17"))
    broken = sound.replace(tag + meant, tag + kind)
    assert broken != sound
    if meant == b"US":  # the number of rows
        with pytest.raises(UnreadableImage):
            decode(broken, name="broken.dcm")
    else:
        assert decode(broken, name="broken.dcm")[0].metadata.patient is None
    with pytest.raises(UnreadableImage):
        deidentify(broken, b"s" * 32)
