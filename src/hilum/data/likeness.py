"""Aligned thumbnails -> one number for how surely they show the same picture; knows no index and no threshold.

Large shapes are alike in all chest films and in all slices of a head, so only structure of a few pixels is compared,
piece by piece, with the gain and offset of each piece free. The worst pieces are left out: a cropped edge, a black
wedge or a burnt-in letter spoils a few pieces of a copy, another picture differs nearly everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PIECES = 8  # a side
SHARE_INSIDE = 0.6  # of a piece, else it is left out
QUIET = 2.0  # grey levels: pieces with less structure than this in both images say nothing
WORST = 0.15  # share of the pieces that is left out


def similarity(first: Floats, second: Floats, inside: Bools) -> Floats:
    """Compare pairs that already lie on one another.

    first, second: (n, s, s) fine structure; inside: (n, s*s) bool, True where `second` has pixels of its own.
    Returns (n,) float32 in [-1, 1]: 1 for the same picture, 0 where no piece can be compared.
    """
    weights = _pieces(inside.reshape(first.shape).astype(np.float32))
    shared, energy_one, energy_other = _moments(_pieces(first), _pieces(second), weights)
    energy = np.maximum(energy_one, energy_other)
    usable = (weights.mean(axis=2) > SHARE_INSIDE) & (energy > QUIET**2 * weights.shape[2])
    correlation = np.where(usable, shared / np.sqrt(energy_one * energy_other + 1e-3), np.inf)
    rank = np.argsort(np.argsort(correlation, axis=1), axis=1)
    kept = usable & (rank >= usable.sum(axis=1, keepdims=True) * WORST)
    weight = np.where(kept, np.sqrt(energy), 0)
    total = np.where(kept, correlation, 0) * weight
    mean: Floats = (total.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)).astype(np.float32)
    return mean


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
