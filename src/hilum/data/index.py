"""Fingerprints -> pairs worth a closer look, found through an index, not by comparing all with all; no verdict.

A picture is looked for by its foreground box and by its whole frame (a cut margin moves the one, a wide margin hides
the other), as it is and mirrored, and by a descriptor that no turn or mirror changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from hilum.data.align import reduced
from hilum.data.descriptor import SMALL, Projection, invariant, unit
from hilum.data.screen import screened
from hilum.data.views import MIRRORED, UPRIGHT, VIEWS, Floats, Prints, inverse, same_box, same_frame, seen, turned

NEIGHBOURS = 16
NEIGHBOURS_TURNED = 8
RESIDUAL = 0.05  # share of a neighbour's energy that small changes of the query may leave unexplained
LIKE_TURNED = 0.95  # correlation of two small images, one of them turned, below which the pair is dropped
BOXES_APART = 0.08  # half box sides
WHOLE = 0.9  # boxes that cover this share of the frame are not looked for by the frame as well
BOX_SIGMA, FRAME_SIGMA = 2.5, 0.6  # pixels of the thumb and of the frame image
CHUNK = 2048  # queries at once
LIST_SIZE = 64  # images in a list of the index
PROBES = 8  # lists looked into
EXHAUSTIVE = 2000  # up to here every image is looked at


class Candidates(NamedTuple):
    """Pairs to verify: `first[i]` as stored against `second[i]` through VIEWS[view[i]], box on box or frame on frame.

    residual: share of the one that small changes of the other leave unexplained, in [0, 1].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    view: NDArray[np.int64]
    by_frame: NDArray[np.bool_]
    residual: Floats


def candidates(ours: Prints, theirs: Prints | None = None) -> Candidates:
    """Pairs (ours, theirs), or pairs within ours (first < second) where `theirs` is None; each pair once."""
    queries = ours if theirs is None else theirs
    parts = [
        *_by_route(ours, queries, by_frame=False),
        *_by_route(ours, queries, by_frame=True),
        *_by_turn(ours, queries),
    ]
    first, second, view, by_frame, residual = (np.concatenate(column) for column in zip(*parts, strict=True))
    if theirs is None:
        swapped = first > second
        first, second = np.where(swapped, second, first), np.where(swapped, first, second)
        view = np.where(swapped, inverse(view), view)
    best = np.lexsort((by_frame, view, residual, second, first))
    best = best[first[best] != second[best]] if theirs is None else best
    keep = np.ones(len(best), bool)
    keep[1:] = (np.diff(first[best]) != 0) | (np.diff(second[best]) != 0)
    best = best[keep]
    return Candidates(first[best], second[best], view[best], by_frame[best].astype(bool), residual[best])


Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]


def _by_route(ours: Prints, queries: Prints, *, by_frame: bool) -> Iterator[Found]:
    """(ours, query, view, by_frame, residual) of neighbours that small changes explain, upright and mirrored."""
    stored = unit(_small(ours, by_frame=by_frame))
    projection = Projection.fit(_small(ours, by_frame=by_frame))
    index = _index(projection(stored))
    asked = np.arange(len(queries.boxes))
    if by_frame:
        asked = asked[queries.boxes[:, 2] * queries.boxes[:, 3] < WHOLE]
    for start in range(0, len(asked), CHUNK):
        positions = asked[start : start + CHUNK]
        part = queries.take(positions)
        for view in (UPRIGHT, MIRRORED):
            shown = seen(part, view)
            small = _small(shown, by_frame=by_frame)
            _, neighbours = index.search(projection(unit(small)), min(NEIGHBOURS, len(stored)))
            row, column, residual = screened(small, stored, neighbours, RESIDUAL)
            near = neighbours[row, column]
            if by_frame:
                apart = _boxes_apart(ours.boxes[near], shown.boxes[row])
                row, near, residual = row[apart], near[apart], residual[apart]
            n = len(row)
            yield near, positions[row], np.full(n, view), np.full(n, int(by_frame)), residual


def _by_turn(ours: Prints, queries: Prints) -> Iterator[Found]:
    """The same for the six views that are neither upright nor mirrored."""
    stored = unit(_small(ours, by_frame=False))
    index = _index(invariant(stored))
    views = [view for view in range(len(VIEWS)) if view not in (UPRIGHT, MIRRORED)]
    for start in range(0, len(queries.boxes), CHUNK):
        small = _small(queries.take(slice(start, start + CHUNK)), by_frame=False)
        _, neighbours = index.search(invariant(unit(small)), min(NEIGHBOURS_TURNED, len(stored)))
        near = stored[neighbours]
        likeness = np.stack([np.einsum("nkp,np->nk", near, unit(turned(small, view))) for view in views])
        row, column = np.nonzero((likeness.max(axis=0) > LIKE_TURNED) & (neighbours >= 0))
        view = np.array(views)[likeness.argmax(axis=0)[row, column]]
        rest = 1 - likeness.max(axis=0)[row, column]
        yield neighbours[row, column], row + start, view, np.zeros(len(row), np.int64), rest.astype(np.float32)


def _boxes_apart(first: Floats, second: Floats) -> NDArray[np.bool_]:
    """Where laying frame on frame differs from laying box on box: elsewhere the search by box is the sharper one."""
    return np.asarray(np.abs(same_frame(first, second) - same_box(len(first))).max(axis=(1, 2)) > BOXES_APART)


def _small(prints: Prints, *, by_frame: bool) -> Floats:
    images, sigma = (prints.frames, FRAME_SIGMA) if by_frame else (prints.thumbs, BOX_SIGMA)
    return reduced(images, SMALL, sigma)


def _index(vectors: Floats) -> faiss.Index:
    """Inverted lists around k-means centres (seeded); all vectors in one list when they are few."""
    n, width = vectors.shape
    flat = faiss.IndexFlatL2(width)
    if n <= EXHAUSTIVE:
        flat.add(vectors)
        return flat
    index = faiss.IndexIVFFlat(flat, width, n // LIST_SIZE if n < 65_536 * LIST_SIZE else 65_536)
    index.cp.niter, index.cp.seed, index.nprobe = 8, 1, PROBES
    index.own_fields = False
    index.train(vectors)
    index.add(vectors)
    return index
