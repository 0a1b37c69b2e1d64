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
from hilum.data.screen import laid_residual, screened
from hilum.data.views import (
    MIRRORED,
    UPRIGHT,
    VIEWS,
    Floats,
    Prints,
    inverse,
    same_box,
    same_frame,
    smaller_box,
    turned,
    turned_boxes,
)

NEIGHBOURS = 16
NEIGHBOURS_TURNED = 24
RESIDUAL = 0.065  # share of a neighbour's energy that small changes of the query may leave unexplained
RESIDUAL_LAID = 0.10  # the same of foregrounds that lie as their frames do
LIKE_TURNED = 0.98  # correlation of two small images, one of them turned, below which the pair is dropped
BOXES_APART = 0.04  # half box sides
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

    def at(self, places: NDArray[np.int64]) -> Candidates:
        """Those at these places."""
        first, second, view = self.first[places], self.second[places], self.view[places]
        return Candidates(first, second, view, self.by_frame[places], self.residual[places])


def candidates(ours: Prints, theirs: Prints | None = None) -> Candidates:
    """Pairs (ours, theirs), or pairs within ours (first < second) where `theirs` is None.

    A pair may come up once for every view, and once more for the frame.
    """
    stored = Small.of(ours)
    queries = stored if theirs is None else Small.of(theirs)
    parts = [*_by_box(stored, queries), *_by_frame(stored, queries), *_by_turn(stored, queries)]
    first, second, view, by_frame, residual = (np.concatenate(column) for column in zip(*parts, strict=True))
    if theirs is None:
        swapped = first > second
        first, second = np.where(swapped, second, first), np.where(swapped, first, second)
        view = np.where(swapped, inverse(view), view)
    order = np.lexsort((residual, by_frame, view, second, first))
    order = order[first[order] != second[order]] if theirs is None else order
    key = np.stack([first[order], second[order], view[order], by_frame[order]])
    keep = np.ones(len(order), bool)
    keep[1:] = (np.diff(key, axis=1) != 0).any(axis=0)
    order = order[keep]
    return Candidates(first[order], second[order], view[order], by_frame[order].astype(bool), residual[order])


class Small(NamedTuple):
    """box, frame: (n, 16, 16) float32, the foreground box and the whole frame, smoothed. boxes: as in Prints."""

    box: Floats
    frame: Floats
    boxes: Floats

    @classmethod
    def of(cls, prints: Prints) -> Small:
        """Of full fingerprints."""
        return cls(reduced(prints.thumbs, SMALL, BOX_SIGMA), reduced(prints.frames, SMALL, FRAME_SIGMA), prints.boxes)

    def seen(self, part: slice, view: int) -> Small:
        """Some of them through one of VIEWS."""
        boxes = turned_boxes(self.boxes[part], view)
        return Small(turned(self.box[part], view), turned(self.frame[part], view), boxes)


Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]


def _by_box(stored: Small, queries: Small) -> Iterator[Found]:
    """(ours, query, view, by_frame, residual) of neighbours whose foregrounds agree but for small changes."""
    search = Search(stored.box)
    for part in _parts(len(queries.box)):
        for view in (UPRIGHT, MIRRORED):
            row, near, residual = search(queries.seen(part, view).box)
            n = len(row)
            yield near, row + part.start, np.full(n, view), np.zeros(n, np.int64), residual


def _by_frame(stored: Small, queries: Small) -> Iterator[Found]:
    """Of the neighbours whose frames agree (a small foreground says little there) those whose foregrounds agree too."""
    search = Search(stored.frame)
    for part in _parts(len(queries.frame)):
        for view in (UPRIGHT, MIRRORED):
            shown = queries.seen(part, view)
            row, near, _ = search(shown.frame)
            residual = _laid(shown, row, stored, near)
            keep = residual < RESIDUAL_LAID
            row, near, residual = row[keep], near[keep], residual[keep]
            maps = same_frame(shown.boxes[row], stored.boxes[near])
            apart = np.abs(maps - same_box(len(row))).max(axis=(1, 2)) > BOXES_APART
            yield near, row + part.start, np.full(len(row), view), apart.astype(np.int64), residual


def _laid(shown: Small, row: NDArray[np.int64], stored: Small, near: NDArray[np.int64]) -> Floats:
    """(pairs,) residuals of the foregrounds when frame lies on frame, judged inside the smaller box."""
    residual = np.empty(len(row), np.float32)
    smaller = smaller_box(shown.boxes[row], stored.boxes[near])
    for own, one, ones, other, others in ((smaller, shown, row, stored, near), (~smaller, stored, near, shown, row)):
        a, b = ones[own], others[own]
        residual[own] = laid_residual(one.box, a, other.box, b, same_frame(one.boxes[a], other.boxes[b]))
    return residual


def _by_turn(stored: Small, queries: Small) -> Iterator[Found]:
    """The same for the six views that are neither upright nor mirrored."""
    vectors = unit(stored.box)
    index = _index(invariant(vectors))
    views = [view for view in range(len(VIEWS)) if view not in (UPRIGHT, MIRRORED)]
    for part in _parts(len(queries.box)):
        small = queries.box[part]
        _, neighbours = index.search(invariant(unit(small)), min(NEIGHBOURS_TURNED, len(vectors)))
        laid = np.stack([unit(turned(small, view)) for view in views], axis=2)
        likeness = vectors[neighbours] @ laid
        row, column = np.nonzero((likeness.max(axis=2) > LIKE_TURNED) & (neighbours >= 0))
        best = likeness[row, column]
        yield (
            neighbours[row, column],
            row + part.start,
            np.array(views)[best.argmax(axis=1)],
            np.zeros(len(row), np.int64),
            (1 - best.max(axis=1)).astype(np.float32),
        )


class Search:
    """Finds the stored images that small changes of a query explain."""

    def __init__(self, stored: Floats) -> None:
        self._units = unit(stored)
        self._projection = Projection.fit(stored)
        self._index = _index(self._projection(self._units))

    def __call__(self, queries: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """(n, 16, 16) -> positions in queries, positions in stored, residuals."""
        vectors = self._projection(unit(queries))
        _, neighbours = self._index.search(vectors, min(NEIGHBOURS, len(self._units)))
        row, column, residual = screened(queries, self._units, neighbours, RESIDUAL)
        return row, neighbours[row, column], residual


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + CHUNK)) for start in range(0, n, CHUNK))


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
