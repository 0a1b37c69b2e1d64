"""Two stacks of fingerprints -> the pairs that show one picture: candidates, alignment, likeness; knows no names."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hilum.data.align import Floats, refine, template_of, warp
from hilum.data.index import Candidates, candidates
from hilum.data.levels import Ends, Levels, as_given, band, structure
from hilum.data.likeness import similarity
from hilum.data.small import Small
from hilum.data.views import UPRIGHT, VIEWS, Prints, same_box, same_frame, unmoved

Progress = Callable[[int, int], None]

BATCH = 256  # pairs verified at once
WORKERS = 2
STEPS = (2, 3, 1, 2)  # of the alignment at 16, 32 and 64 pixels, and once more at 64 where it is worth more
FITS_AT_ONCE = 0.01  # residual below which a pair is first compared as it lies
ALIKE = 0.985  # likeness at which no better alignment is looked for
PROMISING = 0.84  # likeness at the middle level below which a pair is given up
ANOTHER_SCALE = 0.2  # logarithm of the ratio of areas from which structure is compared at one scale
WORTH_MORE = 0.85  # likeness from which a second round at full size may still make a copy of it


class Likeness(NamedTuple):
    """share: (n,) float32, structure in common, in [-1, 1].

    untouched: (n,) bool, neither moved nor re-sized nor re-contrasted.
    """

    share: Floats
    untouched: NDArray[np.bool_]


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
    A copy that lies where the original lies, of its size and as bright, has less excuse to differ: it needs three
    quarters of the way from the threshold to 1. So most neighbouring slices of one volume are not taken for copies.
    """
    if len(ours.boxes) == 0 or (theirs is not None and len(theirs.boxes) == 0):
        return ()
    with threadpool_limits(1):  # the work is shared out here; libraries that share it out once more wait for each other
        small = Small.of(ours)
        small_theirs = None if theirs is None else Small.of(theirs)
        pairs = candidates(small, small_theirs)
        levels = Levels(ours, small)
        other = levels if theirs is None or small_theirs is None else Levels(theirs, small_theirs)
        likeness = verify(levels, other, pairs, progress)
    needed = np.where(likeness.untouched, (3 + threshold) / 4, threshold)
    found = np.flatnonzero(likeness.share >= needed)
    found = found[np.lexsort((-likeness.share[found], pairs.second[found], pairs.first[found]))]
    best: dict[tuple[int, int], Match] = {}
    for position in found.tolist():
        ends = int(pairs.first[position]), int(pairs.second[position])
        if ends not in best:
            mirrored, turns = VIEWS[int(pairs.view[position])]
            best[ends] = Match(*ends, mirrored, turns, float(likeness.share[position]))
    return tuple(best.values())


def verify(ours: Levels, theirs: Levels, pairs: Candidates, progress: Progress | None = None) -> Likeness:
    """Align every pair and measure its likeness."""
    share, untouched = np.empty(len(pairs.first), np.float32), np.empty(len(pairs.first), bool)
    order = np.argsort(pairs.view, kind="stable")
    bounds = np.flatnonzero(np.diff(pairs.view[order])) + 1
    parts = [part[s : s + BATCH] for part in np.split(order, bounds) for s in range(0, len(part), BATCH)]

    def likeness(part: NDArray[np.int64]) -> Likeness:
        return _likeness(ours, theirs, pairs.at(part))

    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for part, values in zip(parts, pool.map(likeness, parts), strict=True):
            share[part], untouched[part] = values
            done += len(part)
            if progress:
                progress(done, len(share))
    return Likeness(share, untouched)


def _likeness(ours: Levels, theirs: Levels, pairs: Candidates) -> Likeness:
    """Pairs that fit as they lie are done; the others are aligned, and given up when still unlike at a coarse level."""
    view = int(pairs.view[0])
    ends = Ends(ours, theirs, pairs, view)
    box_on_box = same_box(len(pairs.first)) * pairs.zoom[:, None, None]
    maps = np.where(pairs.by_frame[:, None, None], same_frame(*ends.boxes), box_on_box)
    share = np.zeros(len(maps), np.float32)
    easy = pairs.residual < FITS_AT_ONCE
    as_they_lie = ~pairs.by_frame & (pairs.zoom == 1)
    for places, as_it_is in ((easy & as_they_lie, True), (easy & ~as_they_lie, False)):
        at = np.flatnonzero(places)
        share[at] = _compared(*ends.at("structure", at), None if as_it_is else maps[at])
    hard = np.flatnonzero(share < ALIKE)
    maps[hard], share[hard] = _aligned(ends, hard, maps[hard])
    untouched = np.zeros(len(maps), bool)
    if view == UPRIGHT:
        still = np.flatnonzero(unmoved(*ends.boxes, maps))
        untouched[still] = as_given(ends, still)
    return Likeness(share, untouched)


def _aligned(ends: Ends, places: NDArray[np.int64], maps: Floats) -> tuple[Floats, Floats]:
    """Better maps, and the shares of structure under them; 0 where the pair was given up."""
    share = np.zeros(len(maps), np.float32)
    for level, steps in zip(("coarse", "middle"), STEPS, strict=False):
        maps = _refined(ends, level, places, maps, steps)
    go_on = np.flatnonzero(_compared(*ends.at("middle_structure", places), maps) > PROMISING)
    for steps in STEPS[2:]:
        refined = _refined(ends, "full", places[go_on], maps[go_on], steps)
        found = _compared(*ends.at("structure", places[go_on]), refined)
        better = found > share[go_on]
        maps[go_on[better]], share[go_on[better]] = refined[better], found[better]
        go_on = go_on[(share[go_on] > WORTH_MORE) & (share[go_on] < ALIKE)]
    coarser = go_on[np.abs(np.log(np.abs(np.linalg.det(maps[go_on, :, :2])))) > ANOTHER_SCALE]
    share[coarser] = np.maximum(share[coarser], _compared_at_one_scale(ends, places[coarser], maps[coarser]))
    return maps, share


def _refined(ends: Ends, level: str, places: NDArray[np.int64], maps: Floats, steps: int) -> Floats:
    """Better maps of the pairs at `places`; what is known of a template is worked out once for all its pairs."""
    ones, others = ends.at(level, places)
    first, which = ends.same_template(places)
    template = template_of(ones[first].astype(np.float32)).at(which)
    return refine(template, others.astype(np.float32), maps, steps)


def _compared_at_one_scale(ends: Ends, places: NDArray[np.int64], maps: Floats) -> Floats:
    """Structure in common where one thumb shows more of its frame, and its structure would be another size."""
    one, other = (images.astype(np.float32) for images in ends.at("full", places))
    values, inside = warp(other, maps)
    return similarity(band(one), band(values.reshape(one.shape)), inside)


def _compared(one: NDArray[np.int8], other: NDArray[np.int8], maps: Floats | None) -> Floats:
    """Structure in common under the maps; None: as the two lie."""
    first, second = structure(one), structure(other)
    if maps is None:
        return similarity(first, second)
    values, inside = warp(second, maps)
    return similarity(first, values.reshape(first.shape), inside)
