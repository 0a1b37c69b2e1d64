"""One grey image -> a small thumbnail of what is in it, many of them -> a value to store, search and ship.

The frame is cut to what is brighter than the background and the contrast is stretched, so that borders, size
and brightness do not count. Holds no name. Knows no label and no verdict on a pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.matching import Match, matches
from hilum.errors import PackageDamaged
from hilum.image.image import Image

SIDE = 48
THRESHOLD = 0.90  # see docs/explanation/copies.md
FORMAT = 1

_LOOK = 64  # side at which the foreground is looked for
_BACKGROUND, _BRIGHT = 0.02, 0.98  # quantiles that stand for background and foreground
_RISE = 0.1  # of the way from background to foreground
_SHARE = 0.03  # of a row or column that must be foreground
_LOW, _HIGH = 0.005, 0.995  # quantiles that become 0 and 255


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprint:
    """thumb: (SIDE, SIDE) uint8, the foreground box of the image, stretched to the full range."""

    thumb: NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprints:
    """thumbs: (n, SIDE, SIDE) uint8, one an image, in the order given."""

    thumbs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.thumbs.ndim != 3 or self.thumbs.dtype != np.uint8 or self.thumbs.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"thumbs must be (n, {SIDE}, {SIDE}) uint8, not {self.thumbs.shape} {self.thumbs.dtype}")

    @classmethod
    def of(cls, fingerprints: Iterable[Fingerprint]) -> Fingerprints:
        """Stack single fingerprints."""
        thumbs = [one.thumb for one in fingerprints]
        return cls(np.stack(thumbs) if thumbs else np.empty((0, SIDE, SIDE), np.uint8))

    def __len__(self) -> int:
        return len(self.thumbs)

    def take(self, positions: Iterable[int]) -> Fingerprints:
        """The fingerprints at these positions, in this order."""
        return Fingerprints(self.thumbs[np.fromiter(positions, np.int64)])

    def match(self, other: Fingerprints, threshold: float = THRESHOLD) -> tuple[Match, ...]:
        """Which of `other`'s images are copies of ours: `first` counts in self, `second` in other."""
        return matches(self.thumbs, other.thumbs, threshold)

    def save(self, path: Path) -> None:
        """Write to `path` (.npz, no pickle)."""
        np.savez_compressed(path, format=np.int64(FORMAT), thumbs=self.thumbs)

    @classmethod
    def load(cls, path: Path) -> Fingerprints:
        """Read what `save` wrote.

        Raises: PackageDamaged if the file is no such archive or of another format version.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                if int(archive["format"]) != FORMAT:
                    raise PackageDamaged(
                        f"{path}: fingerprints of format {int(archive['format'])}, this Hilum reads {FORMAT}"
                    )
                return cls(archive["thumbs"])
        except (OSError, ValueError, KeyError, EOFError) as broken:
            raise PackageDamaged(f"{path}: no readable fingerprints ({broken})") from broken


def fingerprint(image: Image) -> Fingerprint:
    """Fingerprint one image; costs about 0.1 ms at 224x224."""
    thumb = _resized(_foreground(image.pixels), SIDE)
    low, high = _quantiles(thumb, _LOW, _HIGH)
    stretched = np.clip((thumb - low) * (255 / max(high - low, 1e-6)) + 0.5, 0, 255)
    return Fingerprint(stretched.astype(np.uint8))


def _foreground(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    small = _resized(pixels, _LOOK)
    low, high = _quantiles(small, _BACKGROUND, _BRIGHT)
    mask = small > low + _RISE * (high - low)
    top, bottom = _span(mask.mean(axis=1), pixels.shape[0])
    left, right = _span(mask.mean(axis=0), pixels.shape[1])
    return pixels[top:bottom, left:right]


def _span(share: NDArray[np.floating], side: int) -> tuple[int, int]:
    """First and last pixel of `side` that are foreground; all of it where nothing stands out."""
    inside = np.flatnonzero(share > _SHARE)
    if inside.size == 0:
        return 0, side
    start = int(inside[0]) * side // share.size
    return start, max(start + 1, int(inside[-1] + 1) * side // share.size)


def _resized(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if min(pixels.shape) >= side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=how), np.float32)


def _quantiles(pixels: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    ordered = np.sort(pixels, axis=None)
    return float(ordered[int(low * ordered.size)]), float(ordered[int(high * ordered.size)])
