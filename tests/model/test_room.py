"""Room in large pages: asked of the heap where that is possible, and else nothing happens."""

import ctypes
import subprocess
import sys
import types

import pytest

from hilum.model import room

ROOMY = """
import numpy as np
from hilum.model.room import make_room
made = make_room()
assert make_room() is made  # a second time does no harm
blocks = [np.full(3_000_000, i, np.float32) for i in range(12)]
assert [float(block[-1]) for block in blocks] == list(range(12))
"""


def test_a_process_with_room_goes_on_as_before():
    subprocess.run([sys.executable, "-c", ROOMY], check=True)


@pytest.mark.parametrize(
    "lacking", [types.SimpleNamespace(), TypeError(), OSError()], ids=["no mallopt", "no C", "none"]
)
def test_elsewhere_nothing_happens(monkeypatch, lacking):
    def library(_):
        if isinstance(lacking, Exception):
            raise lacking
        return lacking

    monkeypatch.setattr(ctypes, "CDLL", library)
    assert room.make_room() is False


@pytest.mark.parametrize("block", [0x7F0000000010, 0x7F0000000000, 0x7F00001FFFF0])
def test_large_pages_lie_inside_their_block(block):
    start, size = room._whole_pages(block)
    assert start % room.PAGE == size % room.PAGE == 0
    assert block <= start
    assert start + size <= block + room.BLOCK
    assert size >= room.BLOCK - 2 * room.PAGE
