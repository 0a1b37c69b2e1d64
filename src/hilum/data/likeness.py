"""Aligned thumbnails -> one number for how surely they show the same picture; knows no index and no threshold.

Large shapes are alike in all chest films and in all slices of a head, so only the fine structure is compared (a
band-pass), piece by piece: a piece with more structure weighs more, and the gain and offset of each piece are free.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PIECES = 6  # a side
COARSE_SIGMA = 2.5  # pixels: what is smoother than this is taken away
SHARE_INSIDE = 0.6  # of a piece, else it is left out
QUIET = 2.0  # grey levels: pieces with less structure than this in both images say nothing


def similarity(first: Floats, second: Floats, inside: Bools) -> Floats:
    """Compare pairs that already lie on one another.

    first, second: (n, s, s) float32, 0 to 255; inside: (n, s*s) bool, True where `second` has pixels of its own.
    Returns (n,) float32 in [-1, 1]: 1 for the same picture, 0 where no piece can be compared.
    """
    weights = _pieces(inside.reshape(first.shape).astype(np.float32))
    one, other = _pieces(_fine(first)), _pieces(_fine(second))
    shared, energy_one, energy_other = _moments(one, other, weights)
    energy = np.maximum(energy_one, energy_other)
    usable = (weights.mean(axis=2) > SHARE_INSIDE) & (energy > QUIET**2 * weights.shape[2])
    correlation = shared / np.sqrt(energy_one * energy_other + 1e-3)
    weight = np.where(usable, np.sqrt(energy), 0)
    total = weight.sum(axis=1)
    mean: Floats = ((correlation * weight).sum(axis=1) / np.maximum(total, 1e-6)).astype(np.float32)
    return mean


def _fine(images: Floats) -> Floats:
    smooth = [cv2.GaussianBlur(image, (0, 0), COARSE_SIGMA, borderType=cv2.BORDER_REPLICATE) for image in images]
    fine: Floats = images - np.stack(smooth)
    return fine


def _pieces(images: Floats) -> Floats:
    """(n, s, s) -> (n, pieces, pixels of a piece)."""
    n, side, _ = images.shape
    width = side // PIECES
    cut = images.reshape(n, PIECES, width, PIECES, width).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(cut).reshape(n, PIECES * PIECES, width * width)


def _moments(one: Floats, other: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Covariance and both energies of every piece, (n, pieces) each."""
    total = weights.sum(axis=2, keepdims=True) + 1e-6
    one = (one - (one * weights).sum(axis=2, keepdims=True) / total) * weights
    other = (other - (other * weights).sum(axis=2, keepdims=True) / total) * weights
    return (one * other).sum(axis=2), (one * one).sum(axis=2), (other * other).sum(axis=2)
