"""Aligned thumbnails -> one number for how surely they show the same picture; knows no index and no threshold.

Large shapes are alike in all chest films and in all slices of a head, so only structure of a few pixels is compared,
piece by piece, with the gain and offset of each piece free. The worst pieces are left out: a cropped edge, a black
wedge or a burnt-in letter spoils a few pieces of a copy, another picture differs nearly everywhere.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PIECES = 8  # a side
SHARE_INSIDE = 0.6  # of a piece, else it is left out
QUIET = 2.0  # grey levels: pieces with less structure than this in both images say nothing
WORST = 0.15  # share of the pieces that is left out


def similarity(first: Floats, second: Floats, inside: Bools | None = None) -> Floats:
    """Compare pairs that already lie on one another.

    first, second: (n, s, s) fine structure. inside: (n, s*s) bool, where `second` has pixels of its own; None: all.
    Returns (n,) float32 in [-1, 1]: 1 for the same picture, 0 where no piece can be compared.
    """
    shared, energy_one, energy_other, full = _moments(first, second, inside)
    energy = np.maximum(energy_one, energy_other)
    usable = full & (energy > QUIET**2 * (first.shape[1] // PIECES) ** 2)
    correlation = np.where(usable, shared / np.sqrt(energy_one * energy_other + 1e-3), np.inf)
    left_out = np.ceil(usable.sum(axis=1) * WORST).astype(np.int64)
    least = np.sort(correlation, axis=1)[np.arange(len(first)), np.minimum(left_out, PIECES**2 - 1)]
    kept = usable & (correlation >= least[:, None])
    weight = np.where(kept, np.sqrt(energy), 0)
    total = np.where(kept, correlation, 0) * weight
    mean: Floats = (total.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)).astype(np.float32)
    return mean


def _moments(one: Floats, other: Floats, inside: Bools | None) -> tuple[Floats, Floats, Floats, Bools]:
    """Covariance and both energies of every piece, (n, pieces) each, and which pieces lie inside."""
    pixels = (one.shape[1] // PIECES) ** 2
    if inside is None or inside.all():
        count = np.full((len(one), PIECES**2), np.float32(pixels))
        weighted, other_weighted = one, other
    else:
        weights = inside.reshape(one.shape).astype(np.float32)
        count = _sums(weights)
        weighted, other_weighted = one * weights, other * weights
    sum_one, sum_other = _sums(weighted), _sums(other_weighted)
    total = count + np.float32(1e-6)
    shared = _sums(weighted * other_weighted) - sum_one * sum_other / total
    energy_one = _sums(weighted * weighted) - sum_one * sum_one / total
    energy_other = _sums(other_weighted * other_weighted) - sum_other * sum_other / total
    return shared, np.maximum(energy_one, 0), np.maximum(energy_other, 0), count > SHARE_INSIDE * pixels


def _sums(images: Floats) -> Floats:
    """(n, s, s) -> (n, pieces) sums over the pieces."""
    n, side, _ = images.shape
    sums = images.reshape(n * PIECES, side * side // PIECES) @ _columns(side)
    return np.asarray(sums.reshape(n, PIECES**2), np.float32)


@lru_cache
def _columns(side: int) -> Floats:
    """(pixels of a row of pieces, PIECES): 1 where a pixel belongs to a piece."""
    width = side // PIECES
    return np.tile(np.repeat(np.eye(PIECES, dtype=np.float32), width, axis=0), (width, 1))
