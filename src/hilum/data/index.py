"""Fingerprints -> pairs worth a closer look, found through an index, not by comparing all with all; no verdict.

A picture is looked for by its foreground box and by its whole frame (a cut margin moves the one, a wide margin hides
the other), as it is and mirrored, and by a descriptor that no turn or mirror changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from hilum.data.descriptor import Projection, invariant, spread_over, unit
from hilum.data.screen import laid_residual, screened
from hilum.data.small import Small, Stored, zoomed
from hilum.data.views import (
    MIRRORED,
    UPRIGHT,
    VIEWS,
    Floats,
    inverse,
    same_box,
    same_frame,
    smaller_box,
    turned,
)

NEIGHBOURS = 16
NEIGHBOURS_TURNED = 24
RESIDUAL = 0.065  # share of a neighbour's energy that small changes of the query may leave unexplained
RESIDUAL_CUT = 0.03  # the same of a query that is taken for the inside of another
CUT = 1 / 0.92  # how much larger a picture looks when 4% were cut from each side
FILLED = 0.97  # of the frame's width or height: from here on the box moves with a cut, else the head holds it
RESIDUAL_LAID = 0.10  # the same of foregrounds that lie as their frames do
LIKE_TURNED = 0.98  # correlation of two small images, one of them turned, below which the pair is dropped
BOXES_APART = 0.04  # half box sides
CHUNK = 2048  # queries at once
LIST_SIZE = 64  # images in a list of the index ...
BALANCED = 32_768  # ... up to here; beyond, as many lists as make finding one as dear as looking into PROBES
TRAINED_ON = 80  # images for each list, at most
PROBES = 8  # lists looked into
EXHAUSTIVE = 2000  # up to here every image is looked at; no more than CHUNK


class Candidates(NamedTuple):
    """Pairs to verify: `first[i]` as stored against `second[i]` through VIEWS[view[i]], box on box or frame on frame.

    residual: share of the one that small changes of the other leave unexplained, in [0, 1].
    zoom: where box lies on box, how much larger the second shows what both show: 1, or another where one was cut.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    view: NDArray[np.int8]
    by_frame: NDArray[np.bool_]
    residual: Floats
    zoom: Floats

    def at(self, places: NDArray[np.int64]) -> Candidates:
        """Those at these places."""
        ends = self.first[places], self.second[places]
        return Candidates(*ends, self.view[places], self.by_frame[places], self.residual[places], self.zoom[places])


def candidates(ours: Small, theirs: Small | None = None) -> Candidates:
    """Pairs (ours, theirs), or pairs within ours (first < second) where `theirs` is None; sorted, each once.

    A pair may come up once for every view, and once more for the frame.
    """
    queries = ours if theirs is None else theirs
    found = [*_by_box(ours, queries), *_by_frame(ours, queries), *_by_turn(ours, queries)]
    pairs = Candidates(*(np.concatenate(column) for column in zip(*found, strict=True)))
    return _each_once(_ordered(pairs) if theirs is None else pairs, len(queries.boxes))


def _ordered(pairs: Candidates) -> Candidates:
    """The lower position first; no image is its own copy."""
    pairs = pairs.at(np.flatnonzero(pairs.first != pairs.second))
    swapped = pairs.first > pairs.second
    return pairs._replace(
        first=np.minimum(pairs.first, pairs.second),
        second=np.maximum(pairs.first, pairs.second),
        view=np.where(swapped, inverse(pairs.view), pairs.view).astype(np.int8),
        zoom=np.where(swapped, 1 / pairs.zoom, pairs.zoom),
    )


def _each_once(pairs: Candidates, n: int) -> Candidates:
    """Of equal pairs the one with the least residual; `second` counts below n."""
    key = ((pairs.first.astype(np.int64) * n + pairs.second) * len(VIEWS) + pairs.view) * 2 + pairs.by_frame
    order = np.lexsort((pairs.residual, key))
    return pairs.at(order[np.diff(key[order], prepend=-1) != 0])


def _found(
    near: NDArray[np.int64], row: NDArray[np.int64], view: int, by_frame: object, residual: Floats
) -> Candidates:
    n = len(near)
    frame = np.broadcast_to(np.asarray(by_frame, bool), n)
    ends = near.astype(np.int32), row.astype(np.int32)
    return Candidates(*ends, np.full(n, view, np.int8), frame, residual, np.ones(n, np.float32))


def _by_box(stored: Small, queries: Small) -> Iterator[Candidates]:
    """Neighbours whose foregrounds agree but for small changes, or but for what a cut took of a filled frame."""
    search = Search(stored.box)
    zooms = (CUT,) if queries is stored else (CUT, 1 / CUT)  # among themselves each pair is seen from both its ends
    for part in _parts(len(queries.box)):
        for view in (UPRIGHT, MIRRORED):
            row, near, residual = search(turned(queries.box[part], view))
            yield _found(near, row + part.start, view, False, residual)
        filled = part.start + np.flatnonzero(queries.boxes[part, 2:4].max(axis=1) > FILLED)
        for zoom in zooms:
            row, near, residual = search(zoomed(queries.box[filled], zoom), RESIDUAL_CUT)
            found = _found(near, filled[row], UPRIGHT, False, residual)
            yield found._replace(zoom=found.zoom * np.float32(zoom))


def _by_frame(stored: Small, queries: Small) -> Iterator[Candidates]:
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
            yield _found(near, row + part.start, view, apart, residual)


def _laid(shown: Small, row: NDArray[np.int64], stored: Small, near: NDArray[np.int64]) -> Floats:
    """(pairs,) residuals of the foregrounds when frame lies on frame, judged inside the smaller box."""
    residual = np.empty(len(row), np.float32)
    smaller = smaller_box(shown.boxes[row], stored.boxes[near])
    for own, one, ones, other, others in ((smaller, shown, row, stored, near), (~smaller, stored, near, shown, row)):
        a, b = ones[own], others[own]
        residual[own] = laid_residual(one.box, a, other.box, b, same_frame(one.boxes[a], other.boxes[b]))
    return residual


def _by_turn(stored: Small, queries: Small) -> Iterator[Candidates]:
    """The same for the six views that are neither upright nor mirrored."""
    views = [view for view in range(len(VIEWS)) if view not in (UPRIGHT, MIRRORED)]
    kept = Stored.of(stored.box)
    index = _index(stored.box, _invariant)
    for part in _parts(len(queries.box)):
        small = queries.box[part]
        _, neighbours = index.search(_invariant(small), min(NEIGHBOURS_TURNED, len(stored.box)))
        laid = np.stack([unit(turned(small, view)) for view in views], axis=1)
        likeness = kept.along(neighbours, laid)
        row, column = np.nonzero((likeness.max(axis=2) > LIKE_TURNED) & (neighbours >= 0))
        best = likeness[row, column]
        found = _found(neighbours[row, column], row + part.start, UPRIGHT, False, 1 - best.max(axis=1))
        yield found._replace(view=np.array(views, np.int8)[best.argmax(axis=1)])


class Search:
    """Finds the stored images that small changes of a query explain."""

    def __init__(self, stored: Floats) -> None:
        self._stored = Stored.of(stored)
        self._projection = Projection.fit(stored)
        self._index = _index(stored, self._vectors)

    def __call__(self, queries: Floats, limit: float = RESIDUAL) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """(n, 16, 16) -> positions in queries, positions in stored, residuals."""
        _, neighbours = self._index.search(self._vectors(queries), min(NEIGHBOURS, len(self._stored.images)))
        row, column, residual = screened(queries, self._stored, neighbours, limit)
        return row, neighbours[row, column], residual

    def _vectors(self, images: Floats) -> Floats:
        return self._projection(unit(images))


def _invariant(images: Floats) -> Floats:
    return invariant(unit(images))


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + CHUNK)) for start in range(0, n, CHUNK))


def _index(images: Floats, vectors: Callable[[Floats], Floats]) -> faiss.Index:
    """Inverted lists around k-means centres (seeded); all vectors in one list when they are few."""
    n = len(images)
    first = vectors(images[:CHUNK])
    flat = faiss.IndexFlatL2(first.shape[1])
    if n <= EXHAUSTIVE:
        flat.add(first)
        return flat
    lists = n // LIST_SIZE if n <= BALANCED else int(np.sqrt(PROBES * n))
    index = faiss.IndexIVFFlat(flat, first.shape[1], lists)
    index.cp.niter, index.cp.seed, index.nprobe = 8, 1, PROBES
    index.cp.max_points_per_centroid = TRAINED_ON
    index.own_fields = False
    sample = images if n <= BALANCED else images[spread_over(n, TRAINED_ON * lists)]
    index.train(np.concatenate([vectors(sample[part]) for part in _parts(len(sample))]))
    for part in _parts(n):
        index.add(vectors(images[part]))
    return index
