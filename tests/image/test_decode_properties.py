"""Properties of decode on broken files: an Image in [0, 1] or a named error comes out, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydicom.uid import JPEG2000Lossless, RLELossless

from hilum.errors import HilumError, UnreadableImage
from hilum.image.decode import decode, from_array
from hilum.image.image import Image
from tests.image.made import dicom_bytes, dicom_set, encapsulated, encoded, picture, pixel_module, raw_dicom

PLANE = picture(48, 56)
COLOUR = np.stack([PLANE, PLANE // 2, PLANE], axis=-1)


def compressed(syntax: str) -> bytes:
    said = dicom_set(PLANE)
    said.compress(syntax, encoding_plugin="pydicom" if syntax == RLELossless else "")
    return dicom_bytes(said, syntax)


VALID: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(COLOUR, "PNG"),
    "png-palette": lambda: encoded(PLANE, "PNG", "P"),
    "jpeg": lambda: encoded(COLOUR, "JPEG"),
    "jpeg-progressive": lambda: encoded(COLOUR, "JPEG", progressive=True),
    "tiff": lambda: encoded(COLOUR, "TIFF"),
    "tiff-lzw": lambda: encoded(COLOUR, "TIFF", compression="tiff_lzw"),
    "bmp": lambda: encoded(COLOUR, "BMP"),
    "webp": lambda: encoded(COLOUR, "WEBP"),
    "dicom": lambda: dicom_bytes(dicom_set(PLANE)),
    "dicom-implicit": lambda: dicom_bytes(dicom_set(PLANE), "1.2.840.10008.1.2"),
    "dicom-colour": lambda: dicom_bytes(dicom_set(COLOUR)),
    "dicom-rle": lambda: compressed(RLELossless),
    "dicom-j2k": lambda: compressed(JPEG2000Lossless),
    "dicom-jpeg": lambda: raw_dicom(
        pixel_module(48, 56), encapsulated(encoded(PLANE, "JPEG")), syntax=b"1.2.840.10008.1.2.4.50"
    ),
}
FILES = {name: make() for name, make in VALID.items()}


def outcome(data: bytes) -> tuple[Image, ...] | HilumError:
    try:
        return decode(data, name="mutated")
    except HilumError as error:
        return error


def assert_sound(images: tuple[Image, ...] | HilumError) -> None:
    if isinstance(images, HilumError):
        assert isinstance(images, UnreadableImage)
        assert str(images).startswith("mutated: ")
        return
    assert images
    for image in images:
        assert image.pixels.dtype == np.float32
        assert np.isfinite(image.pixels).all()
        assert image.pixels.min() >= 0.0
        assert image.pixels.max() <= 1.0
        assert 0.0 <= image.colour_share <= 1.0


@pytest.mark.parametrize("name", FILES)
def test_a_valid_file_is_read(name: str) -> None:
    (image,) = decode(FILES[name], name=name)
    assert image.pixels.shape == PLANE.shape


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    mutated = bytearray(FILES[name])
    reach = data.draw(st.sampled_from([64, 600, len(mutated)]))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(reach, len(mutated)) - 1))
        mutated[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    assert_sound(outcome(bytes(mutated)))


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_read_or_refused(name: str) -> None:
    whole = FILES[name]
    ends = {*range(0, min(len(whole), 200), 3), *range(200, len(whole), max(len(whole) // 60, 1)), len(whole) - 1}
    for end in sorted(ends):
        assert_sound(outcome(whole[:end]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert_sound(outcome(data))
    assert_sound(outcome(bytes(128) + b"DICM" + data))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, np.bool_]).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=2, max_dims=2, max_side=12))
    )
)
def test_any_array_becomes_an_image(array: np.ndarray) -> None:
    assert_sound((from_array(array, "mutated"),))
