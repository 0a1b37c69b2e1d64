"""The orientation is read from its own directory of an EXIF block, and from nothing that lies behind it."""

from __future__ import annotations

import struct

import pytest

from hilum.image.exif import exif_block, exif_orientation

OTHER = struct.pack(">HHIHH", 0x0128, 3, 1, 2, 0)  # the unit of the resolution
TURNED = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
HEAD = struct.pack(">2sHI", b"MM", 42, 8)


@pytest.mark.parametrize("turn", range(1, 9))
def test_what_is_written_is_read(turn: int) -> None:
    assert exif_orientation(exif_block(turn)) == turn


def test_entries_behind_the_directory_turn_nothing() -> None:
    """Such as those of the thumbnail, which may lie the other way round."""
    assert exif_orientation(HEAD + struct.pack(">H", 2) + OTHER + TURNED) == 6
    assert exif_orientation(HEAD + struct.pack(">H", 1) + OTHER + TURNED) == 1
