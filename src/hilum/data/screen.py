"""Queries and their nearest neighbours -> the neighbours that small changes of the query can explain; no alignment yet.

A small shift, turn, zoom or change of contrast moves an image along known directions, its tangents (Simard, LeCun and
Denker, NIPS 1992). What of a neighbour lies outside of them tells strangers from copies and costs little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import warp
from hilum.data.descriptor import SMALL, TAPER, unit
from hilum.data.small import Stored

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

BATCH = 256  # queries at once
PAIRS = 512  # single pairs at once


def screened(queries: Floats, stored: Stored, neighbours: Integers, limit: float) -> tuple[Integers, Integers, Floats]:
    """Keep the pairs whose residual is below `limit`.

    queries: (n, 16, 16) small images; neighbours: (n, k) positions in `stored`, -1 for none.
    Returns rows and columns in `neighbours`, and the residual of each in [0, 1].
    """
    residual = np.empty(neighbours.shape, np.float32)
    for start in range(0, len(queries), BATCH):
        part = slice(start, start + BATCH)
        tangents = _tangents(queries[part])
        along = stored.along(neighbours[part], tangents)
        residual[part] = 1 - (along * (along @ _inverse_gram(tangents))).sum(axis=2)
    row, column = np.nonzero((residual < limit) & (neighbours >= 0))
    return row, column, residual[row, column]


def laid_residual(templates: Floats, one: Integers, images: Floats, other: Integers, maps: Floats) -> Floats:
    """Residuals (pairs,) of single pairs, the other image first laid over the template.

    templates: (n, 16, 16), one: (pairs,) positions in it; images: (m, 16, 16), other: (pairs,) positions in it.
    maps: (pairs, 2, 3) from the template's coordinates to the image's.
    """
    residual = np.empty(len(one), np.float32)
    order = np.argsort(one, kind="stable")
    for start in range(0, len(one), PAIRS):
        part = order[start : start + PAIRS]
        laid, _ = warp(images[other[part]], maps[part])
        near = unit(laid.reshape(-1, SMALL, SMALL))
        own, place = np.unique(one[part], return_inverse=True)
        tangents = _tangents(templates[own])
        along = (tangents[place] @ near[:, :, None])[:, :, 0]
        residual[part] = 1 - np.einsum("pi,pij,pj->p", along, _inverse_gram(tangents)[place], along)
    return residual


def _inverse_gram(tangents: Floats) -> Floats:
    """(n, 9, 256) -> (n, 9, 9)."""
    gram = tangents @ tangents.transpose(0, 2, 1)
    inverse: Floats = np.linalg.inv(gram.astype(np.float64) + 1e-6 * np.eye(gram.shape[1])).astype(np.float32)
    return inverse


def _tangents(images: Floats) -> Floats:
    """(n, 16, 16) -> (n, 9, 256) tapered rows of length 1: offset, gain, curve of greys, six of an affine map."""
    n = len(images)
    centres = ((np.arange(SMALL) + 0.5) / SMALL * 2 - 1).astype(np.float32)
    rows = np.empty((n, 9, SMALL, SMALL), np.float32)
    rows[:, 0] = 1
    np.subtract(images, images.mean(axis=(1, 2), keepdims=True), out=rows[:, 1])
    np.square(rows[:, 1], out=rows[:, 2])
    _differences(images, rows[:, 3])
    _differences(images.transpose(0, 2, 1), rows[:, 6].transpose(0, 2, 1))
    for along in (3, 6):
        np.multiply(rows[:, along], centres[None, :], out=rows[:, along + 1])
        np.multiply(rows[:, along], centres[:, None], out=rows[:, along + 2])
    flat = rows.reshape(n, 9, SMALL**2)
    flat *= np.sqrt(TAPER)
    flat /= np.sqrt(np.einsum("nap,nap->na", flat, flat))[:, :, None] + 1e-6
    return flat


def _differences(images: Floats, into: Floats) -> None:
    """Slopes along the last axis: central ones, at the ends one-sided."""
    np.subtract(images[:, :, 2:], images[:, :, :-2], out=into[:, :, 1:-1])
    into[:, :, 1:-1] *= 0.5
    into[:, :, 0] = images[:, :, 1] - images[:, :, 0]
    into[:, :, -1] = images[:, :, -1] - images[:, :, -2]
