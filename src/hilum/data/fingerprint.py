"""One grey image -> a thumbnail of what is in it; many of them -> a value to store, search and ship.

The frame is cut to what is brighter than the background and the contrast is stretched, so that borders, size
and brightness do not count. Holds no name. Knows no label and no verdict on a pair.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.compact import FRAME, SIDE, Compact, packed, unpacked
from hilum.data.matching import Match, matches
from hilum.data.shelf import shelf
from hilum.data.views import PIXELS, Prints
from hilum.durable import write_whole
from hilum.errors import PackageDamaged
from hilum.image.image import Image
from hilum.model.package import read_arrays

THRESHOLD = 0.95  # see docs/explanation/copies.md
FORMAT = 5

_BACKGROUND, _BRIGHT = 0.02, 0.98  # quantiles that stand for background and foreground
_RISE = 0.1  # of the way from background to foreground
_SHARE = 0.03  # of a row or column that must be foreground
_LEAST = 0.1  # of the frame's side that a box must span, else the whole side is taken
_LOW, _HIGH = 0.005, 0.995  # quantiles that become 0 and 255


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprint:
    """thumb: (64, 64) uint8, the foreground box, stretched to the full range. frame: (16, 16) uint8, the whole frame.

    box: (8,) float32: x and y of the box's centre, half its width and height; the frame runs from -1 to 1. Then the
    grey values in [0, 1] that became 0 and 255 in the thumb; then the frame's width and height, 1 for 16,384 pixels.
    """

    thumb: NDArray[np.uint8]
    frame: NDArray[np.uint8]
    box: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprints:
    """Fingerprints of n images in the order given.

    thumbs: (n, 64, 64) uint8; frames: (n, 16, 16) uint8; boxes: (n, 8) float32, as in Fingerprint.
    shipped: True when they come from a package, with less detail than fresh ones.
    """

    thumbs: NDArray[np.uint8]
    frames: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    shipped: bool = False

    def __post_init__(self) -> None:
        n = len(self.thumbs)
        shapes = (self.thumbs.shape, self.frames.shape, self.boxes.shape)
        if shapes != ((n, SIDE, SIDE), (n, FRAME, FRAME), (n, 8)):
            raise ValueError(f"fingerprints must be (n, {SIDE}, {SIDE}), (n, {FRAME}, {FRAME}), (n, 8), not {shapes}")

    @classmethod
    def of(cls, fingerprints: Iterable[Fingerprint]) -> Fingerprints:
        """Stack single fingerprints."""
        each = list(fingerprints)
        return cls(
            np.array([one.thumb for one in each], np.uint8).reshape(-1, SIDE, SIDE),
            np.array([one.frame for one in each], np.uint8).reshape(-1, FRAME, FRAME),
            np.array([one.box for one in each], np.float32).reshape(-1, 8),
        )

    @classmethod
    def room(cls, n: int) -> Fingerprints:
        """Rows for n images, to be filled with `put`; many of them lie in a file and not in memory."""
        return cls(shelf((n, SIDE, SIDE), np.uint8), shelf((n, FRAME, FRAME), np.uint8), shelf((n, 8), np.float32))

    def put(self, row: int, one: Fingerprint) -> Fingerprint:
        """Write one of `room`; returns the same with its values where they lie now."""
        self.thumbs[row], self.frames[row], self.boxes[row] = one.thumb, one.frame, one.box
        return Fingerprint(self.thumbs[row], self.frames[row], self.boxes[row])

    def __len__(self) -> int:
        return len(self.thumbs)

    @property
    def prints(self) -> Prints:
        """The arrays as the search takes them."""
        return Prints(self.thumbs, self.frames, self.boxes)

    def take(self, positions: Iterable[int]) -> Fingerprints:
        """The fingerprints at these positions, in this order."""
        return Fingerprints(*self.prints.take(np.fromiter(positions, np.int64)), shipped=self.shipped)

    def match(self, other: Fingerprints, threshold: float = THRESHOLD) -> tuple[Match, ...]:
        """Which of `other`'s images are copies of ours: `first` counts in self, `second` in other."""
        ours, theirs = self, other
        if ours.shipped != theirs.shipped:  # both must have lost the same detail
            ours, theirs = ours.reduced(), theirs.reduced()
        return matches(ours.prints, theirs.prints, threshold)

    def reduced(self) -> Fingerprints:
        """With the detail that a package keeps."""
        return self if self.shipped else Fingerprints(*unpacked(packed(self.prints)), shipped=True)

    def save(self, path: Path) -> None:
        """Write the reduced form to `path` (.npz, no pickle): about 180 bytes an image."""
        small, made = packed(self.prints), io.BytesIO()
        np.savez_compressed(made, format=np.int64(FORMAT), coefficients=small.coefficients, boxes=small.boxes)
        write_whole(path, made.getvalue())  # a kill leaves the one before: an erasure looks for its image there

    @classmethod
    def load(cls, path: Path) -> Fingerprints:
        """Read what `save` wrote.

        Raises: PackageDamaged if the file is no such archive or of another format version.
        """
        try:
            arrays = read_arrays(path.read_bytes(), str(path))
            if int(arrays["format"]) != FORMAT:
                raise PackageDamaged(f"{path}: fingerprints of another format than {FORMAT}")
            return cls(*unpacked(Compact(arrays["coefficients"], arrays["boxes"])), shipped=True)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as broken:
            raise PackageDamaged(f"{path}: no readable fingerprints ({broken})") from broken


def reduced(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) -> (64, 64) float32, the whole frame: what a fingerprint is made from first."""
    return _resized(pixels, SIDE)


def fingerprint(image: Image, small: NDArray[np.float32] | None = None) -> Fingerprint:
    """Fingerprint one image; `small`: what `reduced` gave for it, where it is at hand."""
    height, width = image.pixels.shape
    small = reduced(image.pixels) if small is None else small
    darkest, low, high, brightest = _quantiles(small, 0, _BACKGROUND, _BRIGHT, 1)
    mask = np.asarray(small > low + _RISE * (high - low), np.float32)
    top, bottom = _span(mask @ _MEAN, height)
    left, right = _span(_MEAN @ mask, width)
    thumb = _resized(image.pixels[top:bottom, left:right], SIDE)
    black, white = _quantiles(thumb, _LOW, _HIGH)
    centre, half = (
        ((left + right) / width - 1, (top + bottom) / height - 1),
        ((right - left) / width, (bottom - top) / height),
    )
    size = min(width / PIXELS, 1), min(height / PIXELS, 1)
    return Fingerprint(
        _stretched(thumb, black, white),
        _stretched(_resized(small, FRAME), darkest, brightest),
        np.array((*centre, *half, black, white, *size), np.float32),
    )


def _span(share: NDArray[np.floating], side: int) -> tuple[int, int]:
    """First and last pixel of `side` that are foreground; all of it where too little stands out."""
    inside = np.flatnonzero(share > _SHARE)
    if inside.size == 0 or inside[-1] + 1 - inside[0] < _LEAST * share.size:
        return 0, side
    start = int(inside[0]) * side // share.size
    return start, max(start + 1, int(inside[-1] + 1) * side // share.size)


def _resized(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if min(pixels.shape) >= side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=how), np.float32)


def _stretched(pixels: NDArray[np.float32], black: float, white: float) -> NDArray[np.uint8]:
    return np.asarray(np.clip((pixels - black) * (255 / max(white - black, 1e-6)) + 0.5, 0, 255), np.uint8)


def _quantiles(pixels: NDArray[np.float32], *shares: float) -> list[float]:
    ordered = np.sort(pixels, axis=None)
    return [float(ordered[int(share * (ordered.size - 1))]) for share in shares]


_MEAN = np.full(SIDE, 1 / SIDE, np.float32)
