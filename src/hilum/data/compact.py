"""Fingerprints -> less than 200 bytes an image and back, to ship with a model; loses fine structure, knows no file.

The thumb is kept as its low cosine coefficients, each as the signed root of its size in one byte (small ones exactly,
large ones roughly), one coefficient after the other so that the archive's deflate finds the zeros together.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.views import Prints

SIDE, FRAME = 64, 16  # of a thumb, and of the picture of the whole frame
ZONE = 24  # coefficients (u, v) with u + v below this are kept
STEP = 4.0  # size of the coefficient that is stored as 1
BATCH = 4096


class Compact(NamedTuple):
    """coefficients: (300, n) int8; boxes: (8, n) int16, 32767 for 1."""

    coefficients: NDArray[np.int8]
    boxes: NDArray[np.int16]


def packed(prints: Prints) -> Compact:
    """The form that is stored."""
    parts = [_coefficients(prints.thumbs[start : start + BATCH]) for start in range(0, len(prints.thumbs), BATCH)]
    rows = np.concatenate(parts) if parts else np.empty((0, int(_KEPT.sum())), np.int8)
    boxes = np.rint(np.clip(prints.boxes, -1, 1) * 32767).astype(np.int16)
    return Compact(np.ascontiguousarray(rows.T), np.ascontiguousarray(boxes.T))


def unpacked(compact: Compact) -> Prints:
    """Working arrays again: smoother thumbs, and frames in which all outside the box is black."""
    boxes = np.asarray(np.ascontiguousarray(compact.boxes.T, np.float32) / 32767, np.float32)
    boxes[:, 2:4] = np.maximum(boxes[:, 2:4], 1 / SIDE)  # a box without width could not be laid on another
    thumbs = np.empty((len(boxes), SIDE, SIDE), np.uint8)
    for start in range(0, len(boxes), BATCH):
        part = slice(start, start + BATCH)
        thumbs[part] = _thumbs(np.ascontiguousarray(compact.coefficients[:, part].T))
    frames = np.array([_frame(thumb, box) for thumb, box in zip(thumbs, boxes, strict=True)], np.uint8)
    return Prints(thumbs, frames.reshape(-1, FRAME, FRAME), boxes)


def _cosines() -> NDArray[np.float32]:
    """(64, 64): rows are the orthonormal cosine waves."""
    wave, place = np.arange(SIDE)[:, None], np.arange(SIDE)[None]
    basis = np.sqrt(2 / SIDE) * np.cos(np.pi * wave * (place + 0.5) / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


_COSINES = _cosines()
_KEPT = np.add.outer(np.arange(SIDE), np.arange(SIDE)) < ZONE


def _coefficients(thumbs: NDArray[np.uint8]) -> NDArray[np.int8]:
    kept = (_COSINES @ (thumbs.astype(np.float32) - 128) @ _COSINES.T)[:, _KEPT]
    roots = np.sign(kept) * np.sqrt(np.abs(kept) / STEP)
    return np.asarray(np.clip(np.rint(roots), -127, 127), np.int8)


def _thumbs(rows: NDArray[np.int8]) -> NDArray[np.uint8]:
    spectrum = np.zeros((len(rows), SIDE, SIDE), np.float32)
    roots = rows.astype(np.float32)
    spectrum[:, _KEPT] = roots * np.abs(roots) * STEP
    return np.clip(_COSINES.T @ spectrum @ _COSINES + 128.5, 0, 255).astype(np.uint8)


def _frame(thumb: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    x, y, half_width, half_height = (box[:4] + np.array([1, 1, 0, 0], np.float32)) * (SIDE / 2)
    left, top = max(0, round(float(x - half_width))), max(0, round(float(y - half_height)))
    width, height = max(1, round(float(2 * half_width))), max(1, round(float(2 * half_height)))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    part = canvas[top : top + height, left : left + width]
    if part.size:
        part[:] = cv2.resize(thumb, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(canvas, (FRAME, FRAME), interpolation=cv2.INTER_AREA), np.uint8)
