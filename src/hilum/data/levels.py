"""Thumbs -> what pairs of them are aligned by and compared on, made once an image; knows no pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import Floats, reduced
from hilum.data.views import Prints, turned, turned_boxes

MADE_AT_ONCE = 1024  # images
COARSE_SIGMA, MIDDLE_SIGMA = 2.5, 1.2  # pixels of the thumb: what the coarser levels cannot hold is smoothed away
BAND = (1.0, 2.5)  # pixels: structure between these two sizes is compared
MIDDLE_BAND = 1.5  # pixels at the middle level: what is smoother is taken away
ENDS_MOVED = 0.06  # of the range of grey values: a smaller change of its ends is none
MEAN_MOVED = 0.04  # of that range: a smaller change of the mean is none
RESIZED = 0.02  # a smaller change of width and height is none
STRUCTURE_STEPS = 2  # a grey level


class Levels(NamedTuple):
    """Of n images, 10 KB each.

    coarse: (n, 16, 16), middle: (n, 32, 32), full: (n, 64, 64) uint8, for the alignment.
    middle_structure: (n, 32, 32), structure: (n, 64, 64) int8, differences of Gaussians; `structure` makes them floats.
    boxes: as in Prints.
    """

    coarse: NDArray[np.uint8]
    middle: NDArray[np.uint8]
    full: NDArray[np.uint8]
    middle_structure: NDArray[np.int8]
    structure: NDArray[np.int8]
    boxes: Floats

    @classmethod
    def of(cls, prints: Prints) -> Levels:
        """Of full fingerprints, in the same order."""
        n = len(prints.boxes)
        coarse, middle = np.empty((n, 16, 16), np.uint8), np.empty((n, 32, 32), np.uint8)
        middle_structure, structure = np.empty((n, 32, 32), np.int8), np.empty((n, 64, 64), np.int8)
        for start in range(0, n, MADE_AT_ONCE):
            part = slice(start, start + MADE_AT_ONCE)
            thumbs = prints.thumbs[part].astype(np.float32)
            smooth = reduced(thumbs, 32, MIDDLE_SIGMA)
            coarse[part] = np.rint(reduced(thumbs, 16, COARSE_SIGMA))
            middle[part] = np.rint(smooth)
            middle_structure[part] = _stored(smooth - reduced(smooth, 32, MIDDLE_BAND))
            structure[part] = _stored(reduced(thumbs, 64, BAND[0]) - reduced(thumbs, 64, BAND[1]))
        return cls(coarse, middle, prints.thumbs, middle_structure, structure, prints.boxes)

    def seen(self, positions: NDArray[np.int64], view: int) -> Levels:
        """Those at `positions` through one of VIEWS."""
        chosen = self.take(positions)
        return Levels(
            turned(chosen.coarse, view),
            turned(chosen.middle, view),
            turned(chosen.full, view),
            turned(chosen.middle_structure, view),
            turned(chosen.structure, view),
            turned_boxes(chosen.boxes, view),
        )

    def take(self, positions: NDArray[np.int64]) -> Levels:
        """Those at `positions`."""
        return Levels(
            self.coarse[positions],
            self.middle[positions],
            self.full[positions],
            self.middle_structure[positions],
            self.structure[positions],
            self.boxes[positions],
        )

    def mixed(self, other: Levels, swap: NDArray[np.bool_]) -> Levels:
        """Those of `other` where `swap` (n,) is True, else these."""
        square = swap[:, None, None]
        return Levels(
            np.where(square, other.coarse, self.coarse),
            np.where(square, other.middle, self.middle),
            np.where(square, other.full, self.full),
            np.where(square, other.middle_structure, self.middle_structure),
            np.where(square, other.structure, self.structure),
            np.where(swap[:, None], other.boxes, self.boxes),
        )


def as_given(one: Levels, other: Levels) -> NDArray[np.bool_]:
    """(n,) True where the frames are of one size and neither the ends of the grey values nor their mean differ much."""
    ends, others = one.boxes[:, 4:6], other.boxes[:, 4:6]
    moved = np.abs(ends - others).max(axis=1) / np.maximum(ends[:, 1] - ends[:, 0], 1e-3)
    shifted = np.abs(one.coarse.mean(axis=(1, 2)) - other.coarse.mean(axis=(1, 2))) / 255
    resized = np.abs(one.boxes[:, 6:] / np.maximum(other.boxes[:, 6:], 1e-6) - 1).max(axis=1)
    return np.asarray((moved < ENDS_MOVED) & (shifted < MEAN_MOVED) & (resized < RESIZED))


def structure(stored: NDArray[np.int8]) -> Floats:
    """int8 as stored -> float32 in grey levels."""
    return stored.astype(np.float32) / np.float32(STRUCTURE_STEPS)


def _stored(difference: Floats) -> NDArray[np.int8]:
    return np.asarray(np.rint(np.clip(difference * STRUCTURE_STEPS, -127, 127)), np.int8)
