"""Thumbnails -> pairs worth a closer look, found through an index, not by comparing all; knows no verdict.

A picture is looked for as it is, mirrored, upside down and turned by quarters: eight views of one short descriptor.
"""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from hilum.data.align import halve

Floats = NDArray[np.float32]

NEIGHBOURS = 12
FLOOR = 0.80  # cosine of two descriptors below which a pair is not looked at
VIEWS = ((False, 0), (True, 0))  # (mirrored left to right, quarter turns)


class Candidates(NamedTuple):
    """Pairs to verify: `first[i]` as stored against `second[i]` seen through VIEWS[view[i]]."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    view: NDArray[np.int64]


def seen(thumbs: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
    """(n, s, s) -> the same thumbnails through one of VIEWS: first mirrored, then turned anticlockwise."""
    mirrored, turns = VIEWS[view]
    return np.rot90(thumbs[:, :, ::-1] if mirrored else thumbs, turns, (1, 2))


def candidates(ours: NDArray[np.uint8], theirs: NDArray[np.uint8] | None = None) -> Candidates:
    """Pairs (ours, theirs), or pairs within ours (first < second) where `theirs` is None."""
    index = faiss.IndexFlatIP(144)
    index.add(_descriptors(ours))
    found = []
    for view in range(len(VIEWS)):
        queries = _descriptors(seen(ours if theirs is None else theirs, view))
        likeness, neighbour = index.search(queries, min(NEIGHBOURS, len(ours)))
        query = np.broadcast_to(np.arange(len(queries))[:, None], neighbour.shape)
        keep = likeness > FLOOR
        found.append(np.stack([neighbour[keep], query[keep], np.full(int(keep.sum()), view)]))
    pairs = np.concatenate(found, axis=1)
    if theirs is None:
        pairs = pairs[:, pairs[0] != pairs[1]]
        pairs[:2] = np.sort(pairs[:2], axis=0)
    unique = np.unique(pairs, axis=1)
    return Candidates(unique[0], unique[1], unique[2])


def _descriptors(thumbs: NDArray[np.uint8]) -> Floats:
    flat = halve(halve(thumbs.astype(np.float32))).reshape(len(thumbs), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    return flat
