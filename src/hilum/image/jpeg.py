"""Bytes of an ordinary JPEG -> a grey Image by libjpeg-turbo, or None; knows no other file.

None sends the file to Pillow, which reads the rest of the family (CMYK, Adobe's RGB, 12 bits, files that need patience)
and says what is wrong with a broken one. Both decode to the same bits; this way costs half the processor time, and
Pillow is not even imported unless there is colour.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from hilum.image import grey
from hilum.image.exif import exif_orientation, oriented
from hilum.image.image import Image, Metadata

_MODES = {"Gray": "L", "YCbCr": "RGB"}
_EXIF, _APP1 = b"Exif\0\0", b"\xff\xe1"
_PIECE = 1 << 16  # pixels that are looked at together


def read_jpeg(data: bytes) -> Image | None:
    """Decode; the header must have been checked against the limits before."""
    try:
        *_, space, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        mode, turn = _MODES.get(space), _turn(data)
        if mode is None or turn is None:
            return None
        plane, share = _grey(data) if mode == "L" else _luma(data)
    except (ValueError, MemoryError):
        return None
    height, width = plane.shape
    metadata = Metadata(format="JPEG", mode=mode, bits=8, width=width, height=height)
    return Image(oriented(grey.unit_from_bytes(plane), turn), metadata, colour_share=share)


def _grey(data: bytes) -> tuple[NDArray[np.uint8], float]:
    return simplejpeg.decode_jpeg(data, "GRAY", strict=True)[..., 0], 0.0


def _luma(data: bytes) -> tuple[NDArray[np.uint8], float]:
    """Luma (H, W) uint8 and the share of colour; most radiographs and slices are saved in colour and hold none."""
    samples = simplejpeg.decode_jpeg(data, "RGBX", strict=True)
    height, width, _ = samples.shape
    words = samples.reshape(-1).view("<u4")
    if all(_without_colour(words[start : start + _PIECE]) for start in range(0, words.size, _PIECE)):
        return words.astype(np.uint8).reshape(height, width), 0.0
    picture = import_module("PIL.Image").frombuffer("RGBX", (width, height), samples, "raw", "RGBX", 0, 1)  # no copy
    luma: tuple[NDArray[np.uint8], float] = import_module("hilum.image.colour").luma_of_picture(picture)
    return luma


def _without_colour(words: NDArray[np.uint32]) -> bool:
    """Whether red, green and blue are the same in every pixel; red is the lowest byte."""
    differ = words >> 8
    differ ^= words
    differ &= 0xFFFF
    return not differ.any()


def _turn(data: bytes) -> int | None:
    """The orientation that the EXIF block says, 1 without one; None where there are several, or something like one."""
    at = data.find(_EXIF)
    if at < 0:
        return 1
    if data[at - 4 : at - 2] != _APP1 or data.find(_EXIF, at + 1) >= 0:
        return None
    end = at - 2 + int.from_bytes(data[at - 2 : at], "big")
    return exif_orientation(data[at + len(_EXIF) : end])
