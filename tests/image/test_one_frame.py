"""One frame of a file of many is the very frame of the whole file, and no other one is decoded for it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from hilum.errors import InputError, UnreadableImage
from hilum.image.decode import decode
from hilum.image.image import Image
from tests.image.made import dicom_bytes, dicom_set, encapsulated, encoded, picture, pixel_module, raw_dicom

BASELINE = b"1.2.840.10008.1.2.4.50"
SEVERAL = [picture(seed=seed) // (seed + 1) for seed in range(4)]


def native() -> bytes:
    return dicom_bytes(dicom_set(np.stack(SEVERAL).astype(np.uint16) * 7))


def run_lengths() -> bytes:
    said = dicom_set(np.stack(SEVERAL))
    said.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    return dicom_bytes(said, RLELossless)


def jpeg(*frames: bytes) -> bytes:
    frames = frames or tuple(encoded(one, "JPEG") for one in SEVERAL)
    return raw_dicom(pixel_module(96, 112, frames=len(frames)), encapsulated(*frames), syntax=BASELINE)


def jpeg_in_pieces() -> bytes:
    """Two fragments a frame, told apart by the table of offsets alone."""
    frames = [encoded(one, "JPEG") for one in SEVERAL]
    said = dicom_set(np.stack(SEVERAL))
    said.PixelData = encapsulate(frames, fragments_per_frame=2)
    said["PixelData"].is_undefined_length = True
    return dicom_bytes(said, BASELINE.decode())


def pages() -> bytes:
    """A TIFF of four pages and a small copy of the first one behind it."""
    small = ImageFileDirectory_v2()
    small[254] = 1
    buffer = io.BytesIO()
    first, *others = (Pillow.fromarray(one) for one in SEVERAL)
    thumb = first.resize((28, 24))
    thumb.encoderinfo = {"tiffinfo": small}
    first.save(buffer, "TIFF", save_all=True, append_images=[thumb, *others])
    return buffer.getvalue()


def assert_same(one: Image, whole: Image) -> None:
    np.testing.assert_array_equal(one.pixels, whole.pixels)
    assert (one.frame, one.frames, one.metadata) == (whole.frame, whole.frames, whole.metadata)
    assert (one.spacing_mm, one.colour_share) == (whole.spacing_mm, whole.colour_share)


@pytest.mark.parametrize("made", [native, run_lengths, jpeg, jpeg_in_pieces, pages])
def test_one_frame_is_that_of_the_whole_file(made):
    data = made()
    whole = decode(data, name="whole")
    assert [(image.frame, image.frames) for image in whole] == [(number, 4) for number in range(4)]
    for image in whole:
        (one,) = decode(data, name="one", only=image.frame)
        assert_same(one, image)
    (last,) = decode(data, name="beyond", only=99)
    assert_same(last, whole[3])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_file_of_one_frame_gives_it_whatever_number_is_asked_for(form):
    data = encoded(SEVERAL[0], form)
    assert_same(*decode(data, name="one", only=7), *decode(data, name="whole"))


def test_broken_frames_beside_it_are_not_looked_at():
    good = encoded(SEVERAL[0], "JPEG")
    data = jpeg(good[: len(good) // 2], good, good[: len(good) // 2])
    with pytest.raises(UnreadableImage):
        decode(data, name="whole")
    (one,) = decode(data, name="one", only=1)
    assert_same(one, decode(jpeg(good, good, good), name="good")[1])


def test_broken_run_lengths_and_pages_beside_it_are_not_looked_at():
    for data, mark in ((run_lengths(), b"\x01\0\0\0\x40\0\0\0"), (pages(), None)):
        whole = decode(data, name="whole")
        broken = _spoiled(data, mark)
        with pytest.raises(UnreadableImage):
            decode(broken, name="whole")
        assert_same(*decode(broken, name="one", only=2), whole[2])


def _spoiled(data: bytes, mark: bytes | None) -> bytes:
    """The first frame's own head of run lengths, or place of its strip, made senseless."""
    if mark is not None:
        return data.replace(mark, b"\x01\0\0\0\xff\xff\xff\xff", 1)
    with Pillow.open(io.BytesIO(data)) as image:
        place = image.tag_v2[273][0].to_bytes(4, "little")  # type: ignore[attr-defined]
    return data.replace(place, b"\xf0\xff\xff\x7f", 1)


@pytest.mark.filterwarnings("ignore")
def test_every_frame_of_the_shared_files_is_found_alone(real_images: Path):
    compared = 0
    for path in sorted((real_images / "dicom").glob("*.dcm")):
        data = path.read_bytes()
        try:
            whole = decode(data, name=path.name)
        except InputError:
            continue
        for image in whole if len(whole) < 6 else (whole[0], whole[1], whole[-1]):
            assert_same(*decode(data, name=path.name, only=image.frame), image)
            compared += 1
    assert compared > 60
