"""An EXIF block -> the one thing of it that changes a picture: how it is turned; and the picture turned so."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 0x0112
_MOST_TAGS = 256


def exif_orientation(exif: bytes) -> int:
    """The Orientation tag of an EXIF block (CIPA DC-008 4.6.2), without parsing any other."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 14:
        return 1
    start = struct.unpack_from(order + "I", exif, 4)[0]
    count = int.from_bytes(exif[start : start + 2], "little" if order == "<" else "big")  # behind them lies another one
    directory = exif[start : start + 2 + 12 * min(count, _MOST_TAGS)]
    for place in range(2, len(directory) - 11, 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", directory, place)
        if (tag, kind, values) == (_ORIENTATION, 3, 1):
            return int(value)
    return 1


def exif_block(turn: int) -> bytes:
    """An EXIF block that says how a picture is turned, and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, 3, 1, turn, 0, 0)


def oriented(pixels: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """(H, W) as stored -> as meant to be seen; turn is the EXIF orientation 1 to 8, another value changes nothing."""
    if turn in (2, 3):
        pixels = pixels[:, ::-1]
    if turn in (3, 4):
        pixels = pixels[::-1]
    if turn in (5, 6, 7, 8):
        pixels = pixels.T
    if turn in (6, 7):
        pixels = pixels[:, ::-1]
    if turn in (7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
