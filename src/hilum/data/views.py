"""Stacks of fingerprint arrays -> the same seen in a mirror or turned by quarters; knows no search and no verdict."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hilum.data.shelf import taken

Number = TypeVar("Number", np.uint8, np.int8, np.float32)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

# (mirrored left to right, then quarter turns anticlockwise): all eight ways to lay a square on itself
VIEWS = tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
UPRIGHT, MIRRORED = 0, 4  # positions in VIEWS
PIXELS = 16_384  # the unit of a frame's width and height; larger ones count as 1
MOVED = 0.04  # half frames: a smaller shift of every corner is none


class Prints(NamedTuple):
    """Working arrays of n images.

    thumbs: (n, 64, 64) uint8, the foreground box. frames: (n, 16, 16) uint8, the whole frame.
    boxes: (n, 8) float32, x and y of the box's centre and its half width and height, in half frames from the middle;
    then the grey values in [0, 1] that are 0 and 255 in the thumb; then the frame's width and height in PIXELS.
    """

    thumbs: Bytes
    frames: Bytes
    boxes: Floats

    def take(self, positions: NDArray[np.int64]) -> Prints:
        """Those at `positions`."""
        return Prints(taken(self.thumbs, positions), taken(self.frames, positions), self.boxes[positions])


def turned(images: NDArray[Number], view: int) -> NDArray[Number]:
    """(n, s, s) images through one of VIEWS, contiguous."""
    mirrored, turns = VIEWS[view]
    return np.ascontiguousarray(np.rot90(images[:, :, ::-1] if mirrored else images, turns, (1, 2)))


def turned_boxes(boxes: Floats, view: int) -> Floats:
    """Boxes (n, 8) of frames that are seen through one of VIEWS."""
    mirrored, turns = VIEWS[view]
    x, y, half_width, half_height, black, white, width, height = boxes.T
    if mirrored:
        x = -x
    for _ in range(turns):
        x, y, half_width, half_height, width, height = y, -x, half_height, half_width, height, width
    return np.stack([x, y, half_width, half_height, black, white, width, height], axis=1)


def inverse(view: NDArray[np.int8]) -> NDArray[np.int8]:
    """Positions in VIEWS that undo those given: a reflection undoes itself, a turn is turned back."""
    return np.where(view < MIRRORED, -view % MIRRORED, view)


def same_frame(first: Floats, second: Floats) -> Floats:
    """Boxes (n, 8) twice -> maps (n, 2, 3) from the first box to the second that lay frame on frame."""
    maps = np.zeros((len(first), 2, 3), np.float32)
    for axis in (0, 1):
        maps[:, axis, axis] = first[:, 2 + axis] / second[:, 2 + axis]
        maps[:, axis, 2] = (first[:, axis] - second[:, axis]) / second[:, 2 + axis]
    return maps


def smaller_box(first: Floats, second: Floats) -> NDArray[np.bool_]:
    """(n,) True where the first box covers no more of its frame than the second of its own; boxes (n, 8)."""
    return np.asarray(first[:, 2] * first[:, 3] <= second[:, 2] * second[:, 3])


def unmoved(first: Floats, second: Floats, maps: Floats) -> NDArray[np.bool_]:
    """(n,) True where `maps` (n, 2, 3), box to box, leave a picture in its place in the frame; boxes (n, 8)."""
    corners = np.array([[-1, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]], np.float32)
    before = first[:, :2, None] + first[:, 2:4, None] * corners[:2]
    after = second[:, :2, None] + second[:, 2:4, None] * (maps @ corners)
    return np.asarray(np.abs(after - before).max(axis=(1, 2)) < MOVED)


def same_box(n: int) -> Floats:
    """Maps (n, 2, 3) that lay box on box."""
    return np.tile(np.array([[[1, 0, 0], [0, 1, 0]]], np.float32), (n, 1, 1))
