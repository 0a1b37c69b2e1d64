"""Fingerprints -> the small images candidates are found by, 2 KB an image; knows no index and no pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import reduced, warp
from hilum.data.descriptor import SMALL, TAPER
from hilum.data.shelf import shelf
from hilum.data.views import Floats, Prints, turned, turned_boxes

BOX_SIGMA, FRAME_SIGMA = 2.5, 0.6  # pixels of the thumb and of the frame image
AT_ONCE = 1024  # images


class Small(NamedTuple):
    """box, frame: (n, 16, 16) float32, the foreground box and the whole frame, smoothed. boxes: as in Prints."""

    box: Floats
    frame: Floats
    boxes: Floats

    @classmethod
    def of(cls, prints: Prints) -> Small:
        """Of full fingerprints, in the same order."""
        n = len(prints.boxes)
        box, frame = shelf((n, SMALL, SMALL), np.float32), shelf((n, SMALL, SMALL), np.float32)
        for start in range(0, n, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            box[part] = reduced(prints.thumbs[part], SMALL, BOX_SIGMA)
            frame[part] = reduced(prints.frames[part], SMALL, FRAME_SIGMA)
        return cls(box, frame, prints.boxes)

    def seen(self, part: slice, view: int) -> Small:
        """Some of them through one of VIEWS."""
        boxes = turned_boxes(self.boxes[part], view)
        return Small(turned(self.box[part], view), turned(self.frame[part], view), boxes)


def zoomed(images: Floats, zoom: float) -> Floats:
    """(n, s, s) images seen from further away (zoom > 1) or nearer, about their middle; the border is repeated."""
    maps = np.tile(np.array([[[zoom, 0, 0], [0, zoom, 0]]], np.float32), (len(images), 1, 1))
    return warp(images, maps)[0].reshape(images.shape)


class Stored(NamedTuple):
    """Small images as they are stored, and what makes them unit vectors where they are needed.

    images: (n, 16, 16) float32. mean: (n,) weighted by the taper. length: (n,) of what is left without it.
    """

    images: Floats
    mean: Floats
    length: Floats

    @classmethod
    def of(cls, images: Floats) -> Stored:
        """Of small images."""
        mean, length = np.empty(len(images), np.float32), np.empty(len(images), np.float32)
        for start in range(0, len(images), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            flat = images[part].reshape(-1, SMALL**2)
            mean[part] = (flat @ TAPER) / TAPER.sum()
            flat = flat - mean[part, None]
            length[part] = np.sqrt((flat * flat) @ TAPER) + 1e-6
        return cls(images, mean, length)

    def along(self, neighbours: NDArray[np.int64], axes: Floats) -> Floats:
        """Products of each row's neighbours with the row's axes.

        neighbours: (n, k) positions in this; axes: (n, a, 256) in the space of unit vectors. Returns (n, k, a).
        """
        n, k = neighbours.shape
        pixels = self.images[neighbours].reshape(n, k, SMALL**2)
        weighted = axes * np.sqrt(TAPER)
        products = pixels @ weighted.transpose(0, 2, 1)
        products -= self.mean[neighbours][:, :, None] * weighted.sum(axis=2)[:, None]
        products /= self.length[neighbours][:, :, None]
        return np.asarray(products, np.float32)
