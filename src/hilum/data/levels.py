"""Thumbs -> what pairs of them are aligned by and compared on, made once an image and handed out by pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import Floats, reduced
from hilum.data.index import Candidates
from hilum.data.views import Prints, smaller_box, turned, turned_boxes

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


class Ends:
    """The two images of n pairs, level by level and only for the pairs asked for."""

    def __init__(self, ours: Levels, theirs: Levels, pairs: Candidates, view: int) -> None:
        """Pairs `pairs` of ours and theirs through VIEWS[view]; what is laid must cover what it is laid on."""
        self._ours, self._theirs, self._first, self._second, self._view = ours, theirs, pairs.first, pairs.second, view
        one, other = ours.boxes[pairs.first], turned_boxes(theirs.boxes[pairs.second], view)
        self._swap = pairs.by_frame & ~smaller_box(one, other)
        self.boxes = np.where(self._swap[:, None], other, one), np.where(self._swap[:, None], one, other)

    def at(self, level: str, places: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Both images of the pairs at `places` at a level, a field of Levels."""
        one = getattr(self._ours, level)[self._first[places]]
        other = turned(getattr(self._theirs, level)[self._second[places]], self._view)
        swap = self._swap[places]
        if swap.any():
            one[swap], other[swap] = other[swap], one[swap]
        return one, other


def as_given(ends: Ends, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) True where the frames are of one size and neither the ends of the grey values nor their mean differ much."""
    ones, twos = (boxes[places] for boxes in ends.boxes)
    coarse, other_coarse = ends.at("coarse", places)
    ends_one, ends_two = ones[:, 4:6], twos[:, 4:6]
    moved = np.abs(ends_one - ends_two).max(axis=1) / np.maximum(ends_one[:, 1] - ends_one[:, 0], 1e-3)
    shifted = np.abs(coarse.mean(axis=(1, 2)) - other_coarse.mean(axis=(1, 2))) / 255
    resized = np.abs(ones[:, 6:] / np.maximum(twos[:, 6:], 1e-6) - 1).max(axis=1)
    return np.asarray((moved < ENDS_MOVED) & (shifted < MEAN_MOVED) & (resized < RESIZED))


def structure(stored: NDArray[np.int8]) -> Floats:
    """int8 as stored -> float32 in grey levels."""
    return stored.astype(np.float32) / np.float32(STRUCTURE_STEPS)


def _stored(difference: Floats) -> NDArray[np.int8]:
    return np.asarray(np.rint(np.clip(difference * STRUCTURE_STEPS, -127, 127)), np.int8)
