"""Pairs of small images -> the affine map that lays the second over the first; knows no data set and no verdict.

Inverse-compositional Gauss-Newton (Baker and Matthews, IJCV 2004) for a whole batch at once. Coordinates run
from -1 to 1 over an image whatever its side, so one map serves every level of a pyramid.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

LARGEST_STEP = 0.15  # of one update, in half sides
DAMPING = 0.01  # of the mean curvature
OUTSIDE = 0.75  # pixels beyond the border that still count as inside
ATLAS_ROWS = 32_000  # OpenCV's remap addresses fewer than 32,768 rows


class Template(NamedTuple):
    """What one level needs to know of the first image: normalised pixels, gradients and the inverse Hessian."""

    pixels: Floats  # (n, s*s)
    across: Floats  # (n, s*s) derivative along x, per half side
    down: Floats  # (n, s*s) derivative along y
    inverse: Floats  # (n, 6, 6)

    def at(self, rows: NDArray[np.int64]) -> Template:
        """Those of some images, an image as often as it is named."""
        return Template(*(field[rows] for field in self))


def reduced(images: NDArray[np.uint8] | Floats, side: int, sigma: float) -> Floats:
    """(n, s, s) -> (n, side, side) float32: a Gaussian of `sigma` pixels of the given images, sampled side by side.

    The Gaussian keeps what the smaller grid cannot hold from turning into false structure that no map can align.
    """
    given = images.shape[1]
    centres = (np.arange(side) + 0.5) * given / side - 0.5
    window = np.exp(-0.5 * ((np.arange(given)[None] - centres[:, None]) / sigma) ** 2)
    window = (window / window.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(window @ (images.astype(np.float32) @ window.T), np.float32)


def refine(template: Template, second: Floats, maps: Floats, steps: int) -> Floats:
    """Better maps from the templates' coordinates to those of the second images.

    second: (n, s, s) float32, smooth; brightness and contrast of a pair may differ.
    maps: (n, 2, 3) float32, columns x, y, 1: where to start.
    """
    basis = _basis(second.shape[1])
    for _ in range(steps):
        values, inside = warp(second, maps)
        weights = inside.astype(np.float32)
        error = _standardised(values, weights)
        error -= template.pixels
        error *= weights
        slope = np.concatenate([(template.across * error) @ basis, (template.down * error) @ basis], axis=1)
        update = np.einsum("nij,nj->ni", template.inverse, slope)
        maps = _composed(maps, np.clip(update, -LARGEST_STEP, LARGEST_STEP))
    return maps


def warp(images: Floats, maps: Floats) -> tuple[Floats, Bools]:
    """Sample `images` (n, s, s) where `maps` (n, 2, 3) send the pixel grid.

    Returns (n, s*s) float32 values, border repeated outside, and (n, s*s) bool, True inside.
    """
    n, side, _ = images.shape
    basis = _basis(side).T
    values = np.empty((n, side * side), np.float32)
    inside = np.ones((n, side * side), bool)
    pixels = maps * np.float32(side / 2)
    pixels[:, :, 2] += np.float32(side / 2 - 0.5)
    out = np.flatnonzero(_leaves(pixels, side))
    step = ATLAS_ROWS // side
    for start in range(0, n, step):
        part = slice(start, min(n, start + step))
        across, down = pixels[part, 0] @ basis, pixels[part, 1] @ basis
        beyond = out[(out >= part.start) & (out < part.stop)]
        inside[beyond] = _within(across[beyond - start], side) & _within(down[beyond - start], side)
        np.clip(across, 0, side - 1, out=across)
        np.clip(down, 0, side - 1, out=down)
        down += np.arange(0, len(down) * side, side, dtype=np.float32)[:, None]
        atlas = np.ascontiguousarray(images[part]).reshape(-1, side)
        values[part] = cv2.remap(atlas, across, down, cv2.INTER_LINEAR)
    return values, inside


def _leaves(pixels: Floats, side: int) -> Bools:
    """(n,) whether a map (n, 2, 3) to pixels sends a corner of the grid outside; then some of the rest may be, too."""
    edge = 1 - 1 / side
    corners = np.array([[-edge, -edge, edge, edge], [-edge, edge, -edge, edge], [1, 1, 1, 1]], np.float32)
    return ~np.asarray(_within(pixels @ corners, side).all(axis=(1, 2)))


def _within(points: Floats, side: int) -> Bools:
    return np.asarray((points >= -OUTSIDE) & (points <= side - 1 + OUTSIDE))


def _standardised(values: Floats, weights: Floats) -> Floats:
    """(n, p) values -> zero mean and unit variance under (n, p) weights of 0 or 1, 0 where the weight is 0."""
    total = weights.sum(axis=1) + 1e-6
    centred: Floats = values - (np.einsum("np,np->n", values, weights) / total)[:, None]
    centred *= weights
    centred /= np.sqrt(np.einsum("np,np->n", centred, centred) / total + 1e-3)[:, None]
    return centred


@lru_cache
def _basis(side: int) -> Floats:
    """(side*side, 3): x, y, 1 of every pixel centre, row by row."""
    centres = ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(side * side, np.float32)], axis=1)


def template_of(images: Floats) -> Template:
    """Of first images (n, s, s), smooth."""
    n, side, _ = images.shape
    flat = _standardised(images.reshape(n, side * side), np.ones((n, side * side), np.float32))
    square = flat.reshape(n, side, side)
    across, down = np.zeros(square.shape, np.float32), np.zeros(square.shape, np.float32)
    across[:, :, 1:-1] = (square[:, :, 2:] - square[:, :, :-2]) * (side / 4)
    down[:, 1:-1] = (square[:, 2:] - square[:, :-2]) * (side / 4)
    flat_across, flat_down = across.reshape(n, side * side), down.reshape(n, side * side)
    return Template(flat, flat_across, flat_down, _inverse_hessian(flat_across, flat_down, _basis(side)))


def _inverse_hessian(across: Floats, down: Floats, basis: Floats) -> Floats:
    """(n, 6, 6): parameters in the order of `across` times x, y, 1, then `down` times x, y, 1."""
    n = len(across)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(-1, 9)
    hessian = np.empty((n, 6, 6), np.float32)
    hessian[:, :3, :3] = ((across * across) @ products).reshape(n, 3, 3)
    hessian[:, 3:, 3:] = ((down * down) @ products).reshape(n, 3, 3)
    hessian[:, :3, 3:] = hessian[:, 3:, :3] = ((across * down) @ products).reshape(n, 3, 3)
    damping = np.trace(hessian, axis1=1, axis2=2)[:, None, None] * (DAMPING / 6) + 1e-3
    inverse: Floats = np.linalg.inv(hessian + damping * np.eye(6, dtype=np.float32))
    return inverse


def _composed(maps: Floats, update: Floats) -> Floats:
    """The maps after the inverse of the template's update."""
    step = np.zeros((len(maps), 3, 3), np.float32)
    step[:, :2] = update.reshape(-1, 2, 3)
    step += np.eye(3, dtype=np.float32)
    square = np.zeros((len(maps), 3, 3), np.float32)
    square[:, :2] = maps
    square[:, 2, 2] = 1
    composed: Floats = np.ascontiguousarray((square @ np.linalg.inv(step))[:, :2], np.float32)
    return composed
