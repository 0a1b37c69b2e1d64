"""Pairs of thumbnails -> the small affine map that lays the second over the first; knows no data set and no verdict.

Inverse-compositional Gauss-Newton (Baker and Matthews, IJCV 2004) for a whole batch at once, from coarse to fine.
Coordinates run from -1 to 1 over the thumbnail whatever its side, so one map serves every level of the pyramid.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

LARGEST_STEP = 0.15  # of one update, in half sides
OUTSIDE = 0.75  # pixels beyond the border that still count as inside
ATLAS_ROWS = 32_000  # OpenCV's remap addresses fewer than 32,768 rows


class Template(NamedTuple):
    """What one level needs to know of the first image: normalised pixels, gradients and the inverse Hessian."""

    pixels: Floats  # (n, s*s)
    across: Floats  # (n, s*s) derivative along x, per half side
    down: Floats  # (n, s*s) derivative along y
    inverse: Floats  # (n, 6, 6)


def register(first: Floats, second: Floats, iterations: tuple[int, ...] = (4, 3, 2)) -> Floats:
    """Find for every pair the affine map from the first image's coordinates to the second's.

    first, second: (n, s, s) float32, any range; s divisible by 2 ** (len(iterations) - 1).
    iterations: steps per level, coarsest first.
    Returns (n, 2, 3) float32; columns x, y, 1; identity where nothing could be gained.
    """
    levels = [(first, second)]
    for _ in iterations[1:]:
        levels.insert(0, (halve(levels[0][0]), halve(levels[0][1])))
    maps = np.tile(np.array([[[1, 0, 0], [0, 1, 0]]], np.float32), (len(first), 1, 1))
    for (one, other), steps in zip(levels, iterations, strict=True):
        if steps:
            maps = _refine(_template(one), other, maps, steps)
    return maps


def warp(images: Floats, maps: Floats) -> tuple[Floats, Bools]:
    """Sample `images` (n, s, s) where `maps` (n, 2, 3) send the pixel grid.

    Returns (n, s*s) float32 values, border repeated outside, and (n, s*s) bool, True inside.
    """
    n, side, _ = images.shape
    points = ((maps.reshape(-1, 3) @ _basis(side).T + 1) * (side / 2) - 0.5).reshape(n, 2, side * side)
    clipped = np.clip(points, 0, side - 1)
    inside = np.abs(points - clipped).max(axis=1) <= OUTSIDE
    values = np.empty((n, side * side), np.float32)
    step = ATLAS_ROWS // side
    for start in range(0, n, step):
        part = slice(start, min(n, start + step))
        rows = clipped[part, 1] + np.arange(part.stop - start, dtype=np.float32)[:, None] * side
        atlas = np.ascontiguousarray(images[part]).reshape(-1, side)
        values[part] = cv2.remap(atlas, np.ascontiguousarray(clipped[part, 0]), rows, cv2.INTER_LINEAR)
    return values, inside


def halve(images: Floats) -> Floats:
    """(n, s, s) -> (n, s/2, s/2) by the mean of 2x2 pixels."""
    n, side, _ = images.shape
    return np.ascontiguousarray(images.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4), dtype=np.float32))


def standardise(values: Floats, weights: Floats) -> Floats:
    """(n, p) values -> zero mean and unit variance under (n, p) weights, 0 where the weight is 0."""
    total = weights.sum(axis=1, keepdims=True) + 1e-6
    centred = (values - (values * weights).sum(axis=1, keepdims=True) / total) * weights
    spread = np.sqrt((centred * centred).sum(axis=1, keepdims=True) / total + 1e-3)
    scaled: Floats = centred / spread
    return scaled


def _basis(side: int) -> Floats:
    """(side*side, 3): x, y, 1 of every pixel centre, row by row."""
    centres = ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(side * side, np.float32)], axis=1)


def _template(images: Floats) -> Template:
    n, side, _ = images.shape
    flat = standardise(images.reshape(n, -1), np.ones((n, side * side), np.float32))
    square = flat.reshape(n, side, side)
    across, down = np.zeros(square.shape, np.float32), np.zeros(square.shape, np.float32)
    across[:, :, 1:-1] = (square[:, :, 2:] - square[:, :, :-2]) * (side / 4)
    down[:, 1:-1] = (square[:, 2:] - square[:, :-2]) * (side / 4)
    flat_across, flat_down = across.reshape(n, -1), down.reshape(n, -1)
    return Template(flat, flat_across, flat_down, _inverse_hessian(flat_across, flat_down, _basis(side)))


def _inverse_hessian(across: Floats, down: Floats, basis: Floats) -> Floats:
    """(n, 6, 6): parameters in the order of `across` times x, y, 1, then `down` times x, y, 1."""
    n = len(across)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(-1, 9)
    hessian = np.empty((n, 6, 6), np.float32)
    hessian[:, :3, :3] = ((across * across) @ products).reshape(n, 3, 3)
    hessian[:, 3:, 3:] = ((down * down) @ products).reshape(n, 3, 3)
    hessian[:, :3, 3:] = hessian[:, 3:, :3] = ((across * down) @ products).reshape(n, 3, 3)
    damping = np.trace(hessian, axis1=1, axis2=2)[:, None, None] * (0.01 / 6) + 1e-3
    inverse: Floats = np.linalg.inv(hessian + damping * np.eye(6, dtype=np.float32))
    return inverse


def _refine(template: Template, images: Floats, maps: Floats, steps: int) -> Floats:
    basis = _basis(images.shape[1])
    for _ in range(steps):
        values, inside = warp(images, maps)
        weights = inside.astype(np.float32)
        error = (standardise(values, weights) - template.pixels) * weights
        slope = np.concatenate([(template.across * error) @ basis, (template.down * error) @ basis], axis=1)
        update = np.einsum("nij,nj->ni", template.inverse, slope)
        maps = _compose(maps, np.clip(update, -LARGEST_STEP, LARGEST_STEP))
    return maps


def _compose(maps: Floats, update: Floats) -> Floats:
    """Apply the inverse of the template's update after the present maps."""
    step = np.zeros((len(maps), 3, 3), np.float32)
    step[:, :2] = update.reshape(-1, 2, 3)
    step += np.eye(3, dtype=np.float32)
    composed: Floats = np.ascontiguousarray(_square(maps) @ np.linalg.inv(step))[:, :2].astype(np.float32)
    return composed


def _square(maps: Floats) -> Floats:
    last = np.zeros((len(maps), 1, 3), np.float32)
    last[:, 0, 2] = 1
    return np.concatenate([maps, last], axis=1)
