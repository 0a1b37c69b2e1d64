"""Good frames of a task -> pictures that are no longer of its kind, or are turned or inverted; knows no network.

(N, S, S) uint8 in, one (S, S) uint8 out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hilum.learn.outliers import MADE, Maker, Picture, body, clouds, fitted, leaves, noise, pick, smooth, stretch

SHARE_MADE = 0.5


def jigsaw(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A good frame cut into 2 x 2 to 5 x 5 pieces that are shuffled."""
    count = int(generator.integers(2, 6))
    piece = good.shape[1] // count
    source, order = pick(good, generator), generator.permutation(count * count)
    if np.array_equal(order, np.arange(order.size)):
        order = order[::-1]
    parts = [
        source[k // count * piece : (k // count + 1) * piece, k % count * piece : (k % count + 1) * piece]
        for k in order
    ]
    rows = [np.hstack(parts[row * count : (row + 1) * count]) for row in range(count)]
    return fitted(np.vstack(rows), good, cv2.INTER_LINEAR)


def halves(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """Half a good frame beside half of something made, or of itself turned."""
    picture, side = pick(good, generator).copy(), good.shape[1]
    kind = generator.integers(3)
    other = (
        np.rot90(picture, int(generator.integers(1, 3)))
        if kind == 0
        else MADE[generator.integers(len(MADE))](good, generator)
    )
    if kind == 1:
        other = 255 - picture
    cut = int(side * generator.uniform(0.35, 0.65))
    if generator.random() < 0.5:
        picture[:cut] = other[:cut]
    else:
        picture[:, :cut] = other[:, :cut]
    return picture


def crop(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A detail: 15 to 35 percent of the side, made large."""
    side = good.shape[1]
    part = int(side * generator.uniform(0.15, 0.35))
    row, column = generator.integers(0, side - part, size=2)
    detail = pick(good, generator)[row : row + part, column : column + part]
    return fitted(detail, good, cv2.INTER_CUBIC)


def scrambled(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A good frame's own spectrum with random phases."""
    values = np.fft.rfft2(pick(good, generator).astype(np.float32))
    return stretch(
        np.fft.irfft2(np.abs(values) * np.exp(2j * np.pi * generator.random(values.shape)), s=good.shape[1:])
    )


def sheet(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A contact sheet of 4 to 16 good frames, or one lost in an empty frame."""
    side = good.shape[1]
    if generator.random() < 0.25:
        page = np.full((side, side), generator.integers(40, 256), dtype=np.uint8)
        inner = int(side * generator.uniform(0.12, 0.28))
        row, column = generator.integers(0, side - inner, size=2)
        page[row : row + inner, column : column + inner] = cv2.resize(pick(good, generator), (inner, inner))
        return page
    count = int(generator.integers(2, 5))
    rows = [np.hstack([pick(good, generator)[::count, ::count] for _ in range(count)]) for _ in range(count)]
    return fitted(np.vstack(rows), good, cv2.INTER_LINEAR)


def swirl(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A good frame torn by a strong smooth distortion."""
    side = good.shape[1]
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    shifts = [smooth(generator.normal(0, 1, (side, side)).astype(np.float32), side / 12) for _ in "xy"]
    reach = side * generator.uniform(0.2, 0.5)
    moved = [shift / np.abs(shift).max() * reach for shift in shifts]
    torn = cv2.remap(pick(good, generator), columns + moved[0], rows + moved[1], cv2.INTER_LINEAR, borderMode=2)
    return np.asarray(torn, dtype=np.uint8)


def filled(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """The outline of a good frame, or an ellipse, filled with something else on black."""
    side = good.shape[1]
    soft = cv2.GaussianBlur(pick(good, generator), (0, 0), 2.0)
    mask = (soft > 0.15 * float(soft.max())).astype(np.uint8)
    if generator.random() < 0.4:
        mask, middle = np.zeros_like(mask), (side // 2, side // 2)
        axes = tuple(int(v) for v in generator.uniform(0.25, 0.5, 2) * side)
        cv2.ellipse(mask, middle, axes, generator.uniform(0, 180), 0, 360, 1, -1)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    makers = (clouds, leaves, body, noise, crop, jigsaw, scrambled)
    inside = makers[generator.integers(len(makers))](good, generator)
    return np.asarray(closed * np.maximum(inside, 25), dtype=np.uint8)


SPOILED: tuple[Maker, ...] = (jigsaw, halves, crop, scrambled, sheet, swirl, filled, filled)


def make_outlier(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """One picture of another kind. good: (N, S, S) uint8, the frames to spoil."""
    makers = MADE if generator.random() < SHARE_MADE else SPOILED
    picture = makers[generator.integers(len(makers))](good, generator)
    if generator.random() < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), generator.uniform(0.4, 1.5)), dtype=np.uint8)
    return 255 - picture if generator.random() < 0.15 and makers is MADE else picture
