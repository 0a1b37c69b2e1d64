"""A shape -> an array of many rows, in memory while it is small, else mapped from a nameless file; knows no content.

A mapped row costs memory only while it is looked at: the system keeps what fits and reads the rest again. The file lies
in the folder for temporary files (`TMPDIR`), has no name, and is gone with the array.
"""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

LARGE = 2**28  # bytes from which an array lies in a file

Number = TypeVar("Number", np.uint8, np.int8, np.float32)


def shelf(shape: tuple[int, ...], kind: type[Number]) -> NDArray[Number]:
    """An array of this shape to be written to; what it holds before is undefined.

    Raises:
        OSError: the disk of temporary files has no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if size < LARGE:
        return np.empty(shape, kind)
    with TemporaryFile(prefix="hilum-") as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is told now: later it would kill the process
        mapped: np.memmap[Any, np.dtype[Number]] = np.memmap(file, kind, "w+", shape=shape)
    return mapped.view(np.ndarray)


def taken(rows: NDArray[Number], positions: NDArray[np.int64]) -> NDArray[Number]:
    """The rows at these positions, in this order, on a shelf of their own."""
    kept = shelf((len(positions), *rows.shape[1:]), rows.dtype.type)
    for start in range(0, len(positions), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        kept[part] = rows[positions[part]]
    return kept


_AT_ONCE = 4096  # rows copied at once
