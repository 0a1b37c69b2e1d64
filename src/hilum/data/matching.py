"""Two stacks of fingerprints -> the pairs that show one picture: candidates, alignment, likeness; knows no names."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import Floats, reduced, refine, warp
from hilum.data.index import Candidates, candidates
from hilum.data.likeness import fine_structure, similarity
from hilum.data.views import VIEWS, Prints, same_box, same_frame, seen

Progress = Callable[[int, int], None]

BATCH = 128  # pairs verified at once
WORKERS = 2
LEVELS = ((16, 2.5, 4), (32, 1.2, 3))  # side, sigma in pixels of the thumb, steps; coarsest first
LAST_STEPS = 1  # at full size
FITS_AT_ONCE = 0.01  # residual below which a pair is first compared as it lies
ALIKE = 0.97  # likeness at which no alignment is needed
COARSE = 1.5  # sigma that is taken away at the last coarse level
PROMISING = 0.88  # likeness at the last coarse level below which a pair is given up


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
    likeness = verify(ours, ours if theirs is None else theirs, pairs, progress)
    found = np.flatnonzero(likeness >= threshold)
    return tuple(
        Match(first, second, *VIEWS[view], value)
        for first, second, view, value in zip(
            pairs.first[found].tolist(),
            pairs.second[found].tolist(),
            pairs.view[found].tolist(),
            likeness[found].tolist(),
            strict=True,
        )
    )


def verify(ours: Prints, theirs: Prints, pairs: Candidates, progress: Progress | None = None) -> Floats:
    """Align every pair and measure its likeness: (pairs,) float32 in [-1, 1]."""
    result = np.empty(len(pairs.first), np.float32)
    order = np.argsort(pairs.view, kind="stable")
    bounds = np.flatnonzero(np.diff(pairs.view[order])) + 1
    parts = [part[s : s + BATCH] for part in np.split(order, bounds) for s in range(0, len(part), BATCH)]

    def one(part: NDArray[np.int64]) -> Floats:
        view = int(pairs.view[part[0]])
        chosen = Candidates(*(column[part] for column in pairs))
        return _likeness(ours.take(chosen.first), seen(theirs.take(chosen.second), view), chosen)

    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for part, values in zip(parts, pool.map(one, parts), strict=True):
            result[part] = values
            done += len(part)
            if progress:
                progress(done, len(result))
    return result


def _likeness(one: Prints, other: Prints, pairs: Candidates) -> Floats:
    """Pairs that fit as they lie are done; the others are aligned, and given up when still unlike at a coarse level."""
    start = np.where(pairs.by_frame[:, None, None], same_frame(one.boxes, other.boxes), same_box(len(one.boxes)))
    result = np.zeros(len(start), np.float32)
    easy = np.flatnonzero(pairs.residual < FITS_AT_ONCE)
    result[easy] = _compared(one.take(easy), other.take(easy), start[easy], steps=0)
    hard = np.flatnonzero(result < ALIKE)
    one, other = one.take(hard), other.take(hard)
    maps, promising = _aligned(one, other, start[hard])
    kept = np.flatnonzero(promising)
    likeness = _compared(one.take(kept), other.take(kept), maps[kept], steps=LAST_STEPS)
    result[hard[kept]] = np.maximum(result[hard[kept]], likeness)
    return result


def _aligned(one: Prints, other: Prints, maps: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Maps after the coarse levels, and whether the pair is alike enough there to go on."""
    for side, sigma, steps in LEVELS:
        first, second = reduced(one.thumbs, side, sigma), reduced(other.thumbs, side, sigma)
        maps = refine(first, second, maps, steps)
    first, second = (level - reduced(level, level.shape[1], COARSE) for level in (first, second))
    values, inside = warp(second, maps)
    return maps, similarity(first, values.reshape(first.shape), inside) > PROMISING


def _compared(one: Prints, other: Prints, maps: Floats, *, steps: int) -> Floats:
    smooth_one, fine_one = fine_structure(one.thumbs)
    smooth_other, fine_other = fine_structure(other.thumbs)
    if steps:
        maps = refine(smooth_one, smooth_other, maps, steps)
    values, inside = warp(fine_other, maps)
    return similarity(fine_one, values.reshape(fine_one.shape), inside)
