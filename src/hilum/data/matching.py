"""Two stacks of fingerprints -> the pairs that show one picture: candidates, alignment, likeness; knows no names."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import Floats, refine, warp
from hilum.data.index import Candidates, candidates
from hilum.data.levels import Levels, structure
from hilum.data.likeness import similarity
from hilum.data.views import VIEWS, Prints, same_box, same_frame, smaller_box

Progress = Callable[[int, int], None]

BATCH = 128  # pairs verified at once
WORKERS = 2
STEPS = (4, 3, 1)  # of the alignment at 16, 32 and 64 pixels
FITS_AT_ONCE = 0.01  # residual below which a pair is first compared as it lies
ALIKE = 0.97  # likeness at which no alignment is needed
PROMISING = 0.88  # likeness at the middle level below which a pair is given up


class Match(NamedTuple):
    """One verified pair: position in ours, position in theirs, how theirs must be turned, likeness in [-1, 1]."""

    first: int
    second: int
    mirrored: bool
    quarter_turns: int
    similarity: float


def matches(
    ours: Prints, theirs: Prints | None, threshold: float, progress: Progress | None = None
) -> tuple[Match, ...]:
    """Pairs with likeness >= threshold, each once, sorted by position.

    theirs None: pairs within ours. progress: called with (done, all) pairs.
    """
    if len(ours.boxes) == 0 or (theirs is not None and len(theirs.boxes) == 0):
        return ()
    pairs = candidates(ours, theirs)
    likeness = verify(ours, theirs, pairs, progress)
    found = np.flatnonzero(likeness >= threshold)
    found = found[np.lexsort((-likeness[found], pairs.second[found], pairs.first[found]))]
    best: dict[tuple[int, int], Match] = {}
    for position in found.tolist():
        ends = int(pairs.first[position]), int(pairs.second[position])
        if ends not in best:
            mirrored, turns = VIEWS[int(pairs.view[position])]
            best[ends] = Match(*ends, mirrored, turns, float(likeness[position]))
    return tuple(best.values())


def verify(ours: Prints, theirs: Prints | None, pairs: Candidates, progress: Progress | None = None) -> Floats:
    """Align every pair and measure its likeness: (pairs,) float32 in [-1, 1]."""
    result = np.empty(len(pairs.first), np.float32)
    one_set = Levels.of(ours)
    other_set = one_set if theirs is None else Levels.of(theirs)
    order = np.argsort(pairs.view, kind="stable")
    bounds = np.flatnonzero(np.diff(pairs.view[order])) + 1
    parts = [part[s : s + BATCH] for part in np.split(order, bounds) for s in range(0, len(part), BATCH)]

    def likeness(part: NDArray[np.int64]) -> Floats:
        return _likeness(one_set, other_set, pairs.at(part))

    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for part, values in zip(parts, pool.map(likeness, parts), strict=True):
            result[part] = values
            done += len(part)
            if progress:
                progress(done, len(result))
    return result


def _likeness(ours: Levels, theirs: Levels, pairs: Candidates) -> Floats:
    """Pairs that fit as they lie are done; the others are aligned, and given up when still unlike at a coarse level."""
    one, other = ours.take(pairs.first), theirs.seen(pairs.second, int(pairs.view[0]))
    swap = pairs.by_frame & ~smaller_box(one.boxes, other.boxes)  # what is laid must cover what it is laid on
    one, other = one.mixed(other, swap), other.mixed(one, swap)
    start = np.where(pairs.by_frame[:, None, None], same_frame(one.boxes, other.boxes), same_box(len(one.boxes)))
    result = np.zeros(len(start), np.float32)
    easy = np.flatnonzero(pairs.residual < FITS_AT_ONCE)
    result[easy] = _compared(one.structure[easy], other.structure[easy], start[easy])
    hard = np.flatnonzero(result < ALIKE)
    one, other = one.take(hard), other.take(hard)
    maps = refine(_floats(one.coarse), _floats(other.coarse), start[hard], STEPS[0])
    maps = refine(_floats(one.middle), _floats(other.middle), maps, STEPS[1])
    kept = np.flatnonzero(_compared(one.middle_structure, other.middle_structure, maps) > PROMISING)
    maps = refine(_floats(one.full[kept]), _floats(other.full[kept]), maps[kept], STEPS[2])
    likeness = _compared(one.structure[kept], other.structure[kept], maps)
    result[hard[kept]] = np.maximum(result[hard[kept]], likeness)
    return result


def _compared(one: NDArray[np.int8], other: NDArray[np.int8], maps: Floats) -> Floats:
    first = structure(one)
    values, inside = warp(structure(other), maps)
    return similarity(first, values.reshape(first.shape), inside)


def _floats(images: NDArray[np.uint8]) -> Floats:
    return images.astype(np.float32)
