"""The first bytes of a JPEG, JPEG-LS or JPEG 2000 frame -> the size it will decode to; decodes nothing.

A frame that claims another size than the DICOM header is refused before a native decoder allocates for it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Start-of-frame markers: T.81 table B.1 without DHT, JPG, DAC; T.87 adds SOF55.
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})
_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # markers without a length
_MAX_TILES = 65_535  # T.800 table A.9


@dataclass(frozen=True, slots=True)
class FrameSize:
    """What a codestream declares: pixels, samples a pixel, bits a sample."""

    width: int
    height: int
    samples: int
    bits: int


def frame_size(frame: bytes) -> FrameSize | None:
    """The declared size of a JPEG family codestream; None where it has no readable header."""
    try:
        if frame[:2] == b"\xff\x4f":
            return _jpeg_2000(frame, 2)
        if frame[4:8] == b"jP  ":  # a JP2 file inside: not allowed, and written all the same
            place = frame.find(b"\xff\x4f\xff\x51")
            return _jpeg_2000(frame, place + 2) if place >= 0 else None
        return _jpeg(frame) if frame[:2] == b"\xff\xd8" else None
    except (struct.error, IndexError):
        return None


def _jpeg_2000(frame: bytes, start: int) -> FrameSize | None:
    """SIZ marker segment, T.800 A.5.1. Tiles without number or larger than the image are refused."""
    if frame[start : start + 2] != b"\xff\x51":
        return None
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, samples = struct.unpack_from(
        ">8IH", frame, start + 6
    )
    width, height = right - left, bottom - top
    if min(width, height, tile_width, tile_height, samples) < 1 or tile_left > left or tile_top > top:
        return None
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MAX_TILES:
        return None
    return FrameSize(width, height, samples, (frame[start + 40] & 0x7F) + 1)


def _jpeg(frame: bytes) -> FrameSize | None:
    """The first start-of-frame segment, T.81 B.2.2."""
    position = 2
    while position + 4 <= len(frame):
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", frame, position + 2)[0]
        if marker in _SOF:
            bits, height, width, samples = struct.unpack_from(">BHHB", frame, position + 4)
            return FrameSize(width, height, samples, bits)
        position += 2 + length
    return None
