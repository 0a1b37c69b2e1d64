"""Thumbnails of images whose patient is unknown -> pairs that may be neighbours in one volume; knows no label.

Not copies and never reported as such: they only keep look-alikes on one side of a split. Over-merging costs balance,
under-merging costs honesty.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from hilum.data.baseline import flat_thumbnails
from hilum.data.grouping import Link

LIKENESS = 0.95  # correlation of 32 x 32 thumbnails
_NEAREST = 6
_FLAT_LIMIT = 20_000  # images up to which every pair is compared


def likely_neighbours(thumbnails: NDArray[np.uint8], indices: NDArray[np.int64]) -> tuple[Link, ...]:
    """Links above a correlation of 0.95 between each image and its five nearest; an index of cells for large sets.

    thumbnails (m, 32, 32); indices (m,): the case number of each, which the links name.
    """
    if len(indices) < 2:
        return ()
    flat = flat_thumbnails(thumbnails)
    likeness, other = _index(flat).search(flat, min(_NEAREST, len(flat)))
    own = np.arange(len(flat))[:, None]
    keep = (likeness > LIKENESS) & (other >= 0) & (other != own)
    rows, columns = np.nonzero(keep)
    pairs = np.sort(np.stack([rows, other[rows, columns]], axis=1), axis=1)
    unique, first = np.unique(pairs, axis=0, return_index=True)
    values = np.minimum(likeness[rows, columns][first], 1.0)
    return tuple(
        Link(int(indices[a]), int(indices[b]), round(float(value), 4))
        for (a, b), value in zip(unique, values, strict=True)
    )


def _index(flat: NDArray[np.float32]) -> faiss.Index:
    plain = faiss.IndexFlatIP(flat.shape[1])
    if len(flat) <= _FLAT_LIMIT:
        plain.add(flat)
        return plain
    cells = int(4 * np.sqrt(len(flat)))
    index = faiss.IndexIVFFlat(plain, flat.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.train(flat[:: max(1, len(flat) // (cells * 40))])
    index.add(flat)
    index.nprobe = 8
    return index
