"""Two stacks of thumbnails -> the pairs that show one picture: candidates, alignment, likeness; knows no names."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import register, warp
from hilum.data.index import VIEWS, Candidates, candidates, seen
from hilum.data.likeness import similarity

Progress = Callable[[int, int], None]

BATCH = 512  # pairs verified at once


class Match(NamedTuple):
    """One verified pair: position in ours, position in theirs, how theirs must be turned, likeness in [-1, 1]."""

    first: int
    second: int
    mirrored: bool
    quarter_turns: int
    similarity: float


def matches(
    ours: NDArray[np.uint8], theirs: NDArray[np.uint8] | None, threshold: float, progress: Progress | None = None
) -> tuple[Match, ...]:
    """Pairs with likeness >= threshold, each once with its best view; sorted by position.

    ours, theirs: (n, s, s) and (m, s, s) uint8; theirs None: pairs within ours. progress: called with
    (done, all) pairs.
    """
    if len(ours) == 0 or (theirs is not None and len(theirs) == 0):
        return ()
    pairs = candidates(ours, theirs)
    likeness = _likeness(ours, ours if theirs is None else theirs, pairs, progress)
    best: dict[tuple[int, int], Match] = {}
    for position in np.flatnonzero(likeness >= threshold).tolist():
        mirrored, turns = VIEWS[int(pairs.view[position])]
        match = Match(
            int(pairs.first[position]), int(pairs.second[position]), mirrored, turns, float(likeness[position])
        )
        key = match[:2]
        if key not in best or best[key].similarity < match.similarity:
            best[key] = match
    return tuple(best[key] for key in sorted(best))


def _likeness(
    ours: NDArray[np.uint8], theirs: NDArray[np.uint8], pairs: Candidates, progress: Progress | None
) -> NDArray[np.float32]:
    result = np.empty(len(pairs.first), np.float32)
    done = 0
    for view in range(len(VIEWS)):
        chosen = np.flatnonzero(pairs.view == view)
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            one = ours[pairs.first[part]].astype(np.float32)
            other = np.ascontiguousarray(seen(theirs[pairs.second[part]], view)).astype(np.float32)
            values, inside = warp(other, register(one, other))
            result[part] = similarity(one, values.reshape(one.shape), inside)
            done += len(part)
            if progress:
                progress(done, len(result))
    return result
