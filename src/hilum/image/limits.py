"""What one file may cost: the bounds every decoder checks on the header, before it touches a pixel; knows no format.

A file is read through here, too, no further than its bound.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from sys import maxsize

from hilum.errors import ImageTooLarge

MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file.

    max_bytes: length of the file as received.
    max_inflated: length of a deflated DICOM data set once inflated, and of the decoded samples of one DICOM frame.
    max_pixels: width x height of one frame. The default holds the largest radiographs and mammograms (28 M) and
        keeps one decode below 256 MiB beside the file; of kinds that take more memory a pixel fewer are read.
    max_frames: frames of one file.
    max_total_pixels: width x height x frames; an Image needs 4 bytes a pixel.
    """

    max_bytes: int = 256 * MEBI
    max_inflated: int = 96 * MEBI
    max_pixels: int = 30_000_000
    max_frames: int = 512
    max_total_pixels: int = 64 * MEBI

    def check_bytes(self, name: str, length: int) -> None:
        """Raises ImageTooLarge where `length` bytes are more than allowed."""
        if length > self.max_bytes:
            raise ImageTooLarge(name, f"{length:,} bytes; the limit is {self.max_bytes:,}")

    def check_size(self, name: str, width: int, height: int, frames: int = 1) -> None:
        """Raises ImageTooLarge where the declared size is more than allowed."""
        if width * height > self.max_pixels:
            said = f"the header declares {width:,} x {height:,} pixels"
            raise ImageTooLarge(name, f"{said}; the limit is {self.max_pixels:,} a frame")
        if frames > self.max_frames:
            raise ImageTooLarge(name, f"{frames:,} frames; the limit is {self.max_frames:,}: split the file")
        if width * height * frames > self.max_total_pixels:
            said = f"the header declares {frames:,} frames of {width:,} x {height:,} pixels"
            raise ImageTooLarge(name, f"{said}; the limit is {self.max_total_pixels:,} pixels a file")


DEFAULT_LIMITS = Limits()
# Of a kept image: it was within the limits when it came, whatever they are now.
ACCEPTED = Limits(max_bytes=maxsize, max_pixels=maxsize, max_frames=maxsize, max_total_pixels=maxsize)


def repeats(taken: int, length: int) -> bool:
    """Whether parts of `taken` bytes together are the same bytes over and over; a few of them may lie at one place."""
    return taken > 4 * length + MEBI


def read_at_most(file: str, limit: int) -> bytes:
    """The bytes of a file; of one that is longer than the limit, one byte more than that.

    Raises:
        OSError: it cannot be opened or read. ValueError: there is a NUL in its name.
    """
    with Path(file).open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size  # asking for the limit would set that much memory aside
        data = opened.read(min(size, limit) + 1)
        if size < len(data) <= limit:  # no plain file, or one that grows
            data += opened.read(limit + 1 - len(data))
        return data
