"""Bytes of an ordinary JPEG -> its grey plane, share of colour and orientation by libjpeg-turbo; else None.

None sends the file to Pillow, which reads the rest of the family (CMYK, Adobe's RGB, 12 bits, files that need patience)
and says what is wrong with a broken one. Both decode to the same bits; this way costs half the processor time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow

from hilum.image import grey
from hilum.image.exif import exif_orientation

_MODES = {"Gray": "L", "YCbCr": "RGB"}
_EXIF, _APP1 = b"Exif\0\0", b"\xff\xe1"


@dataclass(frozen=True, eq=False, slots=True)
class Jpeg:
    """One decoded JPEG.

    plane: (H, W) uint8, as stored. mode: L or RGB. share: of coloured pixels, in [0, 1]. turn: EXIF orientation.
    """

    plane: NDArray[np.uint8]
    mode: str
    share: float
    turn: int


def read_jpeg(data: bytes) -> Jpeg | None:
    """Decode; the header must have been checked against the limits before."""
    try:
        *_, space, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        mode, turn = _MODES.get(space), _turn(data)
        if mode is None or turn is None:
            return None
        samples = simplejpeg.decode_jpeg(data, "GRAY" if mode == "L" else "RGBX", strict=True)
    except (ValueError, MemoryError):
        return None
    if mode == "L":
        return Jpeg(samples[..., 0], mode, 0.0, turn)
    height, width, _ = samples.shape
    colour = Pillow.frombuffer("RGBX", (width, height), samples, "raw", "RGBX", 0, 1)  # as it lies there: no copy
    plane, share = grey.luma_of_picture(colour)
    return Jpeg(plane, mode, share, turn)


def _turn(data: bytes) -> int | None:
    """The orientation that the EXIF block says, 1 without one; None where there are several, or something like one."""
    at = data.find(_EXIF)
    if at < 0:
        return 1
    if data[at - 4 : at - 2] != _APP1 or data.find(_EXIF, at + 1) >= 0:
        return None
    end = at - 2 + int.from_bytes(data[at - 2 : at], "big")
    return exif_orientation(data[at + len(_EXIF) : end])
