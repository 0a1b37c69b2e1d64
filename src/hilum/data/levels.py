"""Thumbs -> what pairs of them are aligned by and compared on, made once an image and only where a pair asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import Floats, reduced
from hilum.data.index import Candidates
from hilum.data.shelf import shelf
from hilum.data.small import Small
from hilum.data.views import Prints, smaller_box, turned, turned_boxes

MIDDLE_SIGMA = 1.2  # pixels of the thumb: what the middle level cannot hold is smoothed away
BAND = (1.0, 2.5)  # pixels: structure between these two sizes is compared
MIDDLE_BAND = 1.5  # pixels at the middle level: what is smoother is taken away
ENDS_MOVED = 0.06  # of the range of grey values: a smaller change of its ends is none
MEAN_MOVED = 0.04  # of that range: a smaller change of the mean is none
RESIZED = 0.02  # a smaller change of width and height is none
STRUCTURE_STEPS = 2  # a grey level


class Levels:
    """Of n images, by name: what `at` hands out.

    coarse: (n, 16, 16), middle: (n, 32, 32), full: (n, 64, 64) uint8, for the alignment.
    middle_structure: (n, 32, 32), structure: (n, 64, 64) int8, differences of Gaussians; `structure` makes them floats.
    boxes: as in Prints.
    """

    def __init__(self, prints: Prints, small: Small) -> None:
        n = len(prints.boxes)
        self.boxes = prints.boxes
        self._coarse = small.box
        self._levels: dict[str, NDArray[Any]] = {
            "full": prints.thumbs,
            "middle": shelf((n, 32, 32), np.uint8),
            "middle_structure": shelf((n, 32, 32), np.int8),
            "structure": shelf((n, 64, 64), np.int8),
        }
        self._lacking = {"middle": np.ones(n, bool), "structure": np.ones(n, bool)}

    def at(self, level: str, places: NDArray[np.int32]) -> NDArray[Any]:
        """The images at `places` at a level. Two threads may make the same row at once; they make it the same."""
        if level == "coarse":
            return np.rint(self._coarse[places]).astype(np.uint8)
        made_with = "middle" if level == "middle_structure" else level
        if made_with in self._lacking:
            lacking = np.unique(places[self._lacking[made_with][places]])
            if lacking.size:
                (self._make_middle if made_with == "middle" else self._make_structure)(lacking)
                self._lacking[made_with][lacking] = False
        rows: NDArray[Any] = self._levels[level][places]
        return rows

    def _make_middle(self, places: NDArray[np.int32]) -> None:
        smooth = reduced(self._levels["full"][places], 32, MIDDLE_SIGMA)
        self._levels["middle"][places] = np.rint(smooth)
        self._levels["middle_structure"][places] = _stored(smooth - reduced(smooth, 32, MIDDLE_BAND))

    def _make_structure(self, places: NDArray[np.int32]) -> None:
        self._levels["structure"][places] = _stored(band(self._levels["full"][places].astype(np.float32)))


class Ends:
    """The two images of n pairs, level by level and only for the pairs asked for."""

    def __init__(self, ours: Levels, theirs: Levels, pairs: Candidates, view: int) -> None:
        """Pairs `pairs` of ours and theirs through VIEWS[view]; what is laid must cover what it is laid on."""
        self._ours, self._theirs, self._first, self._second, self._view = ours, theirs, pairs.first, pairs.second, view
        one, other = ours.boxes[pairs.first], turned_boxes(theirs.boxes[pairs.second], view)
        self._swap = pairs.by_frame & ~smaller_box(one, other)
        self._laid_on = np.where(self._swap, -1 - pairs.second, pairs.first)
        self.boxes = np.where(self._swap[:, None], other, one), np.where(self._swap[:, None], one, other)

    def at(self, level: str, places: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Both images of the pairs at `places` at a level of Levels."""
        one = self._ours.at(level, self._first[places])
        other = turned(self._theirs.at(level, self._second[places]), self._view)
        swap = self._swap[places]
        if swap.any():
            one[swap], other[swap] = other[swap], one[swap]
        return one, other

    def same_template(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where in `places` each image that another is laid on comes first, and which of these each pair has."""
        _, first, which = np.unique(self._laid_on[places], return_index=True, return_inverse=True)
        return first, which


def as_given(ends: Ends, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) True where the frames are of one size and neither the ends of the grey values nor their mean differ much."""
    ones, twos = (boxes[places] for boxes in ends.boxes)
    coarse, other_coarse = ends.at("coarse", places)
    ends_one, ends_two = ones[:, 4:6], twos[:, 4:6]
    moved = np.abs(ends_one - ends_two).max(axis=1) / np.maximum(ends_one[:, 1] - ends_one[:, 0], 1e-3)
    shifted = np.abs(coarse.mean(axis=(1, 2)) - other_coarse.mean(axis=(1, 2))) / 255
    resized = np.abs(ones[:, 6:] / np.maximum(twos[:, 6:], 1e-6) - 1).max(axis=1)
    return np.asarray((moved < ENDS_MOVED) & (shifted < MEAN_MOVED) & (resized < RESIZED))


def band(thumbs: Floats) -> Floats:
    """(n, 64, 64) -> their structure of a few pixels, in grey levels."""
    return reduced(thumbs, 64, BAND[0]) - reduced(thumbs, 64, BAND[1])


def structure(stored: NDArray[np.int8]) -> Floats:
    """int8 as stored -> float32 in grey levels."""
    return stored.astype(np.float32) / np.float32(STRUCTURE_STEPS)


def _stored(difference: Floats) -> NDArray[np.int8]:
    return np.asarray(np.rint(np.clip(difference * STRUCTURE_STEPS, -127, 127)), np.int8)
