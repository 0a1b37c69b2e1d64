"""Samples of every sign, width, order of bytes and packing that a TIFF may have become the same grey."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from hilum.errors import UnsupportedFormat
from hilum.image.decode import decode

SIDE = 32
RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def tiff(planes: np.ndarray, *, deflated: bool = False, photometric: int = 1) -> bytes:
    """One page of planes (samples, H, W), each in a strip of its own, in the byte order of the array."""
    big = planes.dtype.byteorder == ">"
    order, bits = ">" if big else "<", 8 * planes.dtype.itemsize
    strips = [zlib.compress(plane.tobytes()) if deflated else plane.tobytes() for plane in planes]
    body, places = b"", []
    for strip in strips:
        places.append(8 + len(body))
        body += strip + b"\0" * (len(strip) % 2)
    samples = len(planes)
    tags = [
        (256, "I", [SIDE]),
        (257, "I", [SIDE]),
        (258, "H", [bits] * samples),
        (259, "H", [8 if deflated else 1]),
        (262, "H", [photometric]),
        (273, "I", places),
        (277, "H", [samples]),
        (278, "I", [SIDE]),
        (279, "I", [len(strip) for strip in strips]),
        (284, "H", [2 if samples > 1 else 1]),
        (339, "H", [FORMATS[planes.dtype.kind]] * samples),
    ]
    start, entries, far = 8 + len(body), b"", b""
    behind = start + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        value = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(value) > 4:
            place = struct.pack(f"{order}I", behind + len(far))
            far, value = far + value + b"\0" * (len(value) % 2), place
        entries += struct.pack(f"{order}HHI", tag, 3 if kind == "H" else 4, len(values)) + value.ljust(4, b"\0")
    head = struct.pack(f"{order}2sHI", b"MM" if big else b"II", 42, start)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + far


def ramp(kind: str) -> np.ndarray:
    """The ramp over nearly all that samples of this kind can hold."""
    if kind.endswith("f4"):
        return RAMP.astype(kind)
    info = np.iinfo(kind)
    return (info.min + RAMP * (float(info.max) - info.min) * 0.999).astype(kind)


@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", "<i4", ">i4", "<f4", ">f4"])
def test_grey_of_every_kind_is_the_same_ramp(kind: str, deflated: bool) -> None:
    (found,) = decode(tiff(ramp(kind)[None], deflated=deflated), name="a.tif")
    np.testing.assert_allclose(found.pixels, RAMP, atol=0.02)


@pytest.mark.parametrize("deflated", [False, True], ids=["plain", "deflated"])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2"])
def test_colours_in_planes_are_the_same_ramp(kind: str, deflated: bool) -> None:
    data = tiff(np.stack([ramp(kind)] * 3), deflated=deflated, photometric=2)
    np.testing.assert_allclose(decode(data, name="a.tif")[0].pixels, RAMP, atol=0.02)


@pytest.mark.parametrize("kind", ["<f8", "<u8", ">u4", "<c8"])
def test_a_kind_that_is_not_read_is_not_called_broken(kind: str) -> None:
    with pytest.raises(UnsupportedFormat, match="of a kind that is not read"):
        decode(tiff(RAMP.astype(kind)[None]), name="a.tif")


def test_planes_that_are_not_read_are_not_called_broken() -> None:
    with pytest.raises(UnsupportedFormat, match="of a kind that is not read"):
        decode(tiff(np.stack([ramp("<u2")] * 4), photometric=5), name="a.tif")


@pytest.mark.parametrize("kind", ["u1", "<u2", "<f4"])
def test_where_nought_is_white_the_ramp_falls(kind: str) -> None:
    (found,) = decode(tiff(ramp(kind)[None], photometric=0), name="a.tif")
    np.testing.assert_allclose(found.pixels, 1 - RAMP, atol=0.02)
