"""Thumbnails of images whose patient is unknown -> pairs that may be neighbours in one volume; knows no label.

Not copies and never reported as such: they only keep look-alikes on one side of a split. Over-merging costs balance,
under-merging costs honesty.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

from hilum.data.baseline import flat_thumbnails
from hilum.data.grouping import Link

LIKENESS = 0.95  # correlation of 32 x 32 thumbnails
_NEAREST = 6
_AT_ONCE = 8192  # images made into vectors at once
_FLAT_LIMIT = 20_000  # images up to which every pair is compared


def likely_neighbours(thumbnails: NDArray[np.uint8], indices: NDArray[np.int64]) -> tuple[Link, ...]:
    """Links above a correlation of 0.95 between each image and its five nearest; an index of cells for large sets.

    thumbnails (m, 32, 32); indices (m,): the case number of each, which the links name.
    """
    if len(indices) < 2:
        return ()
    likeness, other = _nearest(thumbnails)
    own = np.arange(len(indices))[:, None]
    keep = (likeness > LIKENESS) & (other >= 0) & (other != own)
    rows, columns = np.nonzero(keep)
    pairs = np.sort(np.stack([rows, other[rows, columns]], axis=1), axis=1)
    unique, first = np.unique(pairs, axis=0, return_index=True)
    values = np.minimum(likeness[rows, columns][first], 1.0)
    return tuple(
        Link(int(indices[a]), int(indices[b]), round(float(value), 4))
        for (a, b), value in zip(unique, values, strict=True)
    )


def _nearest(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Correlations (m, 6) with the nearest of all, itself among them, and which they are; -1 where there are fewer."""
    count, near = len(thumbnails), min(_NEAREST, len(thumbnails))
    if count <= _FLAT_LIMIT:
        flat = flat_thumbnails(thumbnails)
        plain = faiss.IndexFlatIP(flat.shape[1])
        plain.add(flat)
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = plain.search(flat, near)
        return found
    index = _cells(thumbnails)
    parts = [index.search(flat, near) for flat in _in_parts(thumbnails)]
    likeness, other = (np.concatenate(column) for column in zip(*parts, strict=True))
    return likeness, other


def _cells(thumbnails: NDArray[np.uint8]) -> faiss.Index:
    """An index of cells that keeps two bytes a pixel."""
    width = thumbnails[0].size
    cells = int(4 * np.sqrt(len(thumbnails)))
    plain = faiss.IndexFlatIP(width)
    kind = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(plain, width, cells, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.train(flat_thumbnails(thumbnails[:: max(1, len(thumbnails) // (cells * 40))]))
    for flat in _in_parts(thumbnails):
        index.add(flat)
    index.nprobe = 8
    return index


def _in_parts(thumbnails: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    return (flat_thumbnails(thumbnails[start : start + _AT_ONCE]) for start in range(0, len(thumbnails), _AT_ONCE))
