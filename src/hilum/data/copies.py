"""Fingerprints and content hashes of a data set -> pairs of copies and the groups they make; knows no label.

How it works, what it finds and what it misses: docs/explanation/copies.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.data.fingerprint import THRESHOLD, Fingerprints
from hilum.data.matching import matches

Kind = Literal["exact", "near", "mirrored"]


@dataclass(frozen=True, slots=True)
class Copy:
    """Images at positions a < b show the same picture.

    kind: "exact" the same content hash; "near" the same after small changes or a turn; "mirrored" its mirror image.
    similarity: 1 for exact, else the likeness of the fine structure after alignment, in [-1, 1].
    quarter_turns: anticlockwise quarter turns of b (after mirroring) that lay it over a.
    """

    a: int
    b: int
    kind: Kind
    similarity: float
    quarter_turns: int = 0


def find_copies(
    fingerprints: Fingerprints,
    digests: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Copy, ...]:
    """All pairs of copies found, sorted by position; the same input gives the same pairs.

    digests: one content hash an image (of the file's bytes or of its pixels): equal hashes are exact copies.
    progress: called with (done, all) pairs verified.

    Of several exact copies the first stands for all: the others are tied to it alone, and near copies are sought
    among the first ones.
    """
    if len(digests) != len(fingerprints):
        raise ValueError(f"{len(digests)} digests for {len(fingerprints)} fingerprints")
    firsts, exact = _exact(digests)
    found = matches(fingerprints.take(firsts).prints, None, threshold, progress)
    near = [
        Copy(firsts[m.first], firsts[m.second], "mirrored" if m.mirrored else "near", m.similarity, m.quarter_turns)
        for m in found
    ]
    return tuple(sorted([*exact, *near], key=lambda copy: (copy.a, copy.b)))


def group_copies(n: int, copies: Iterable[Copy], threshold: float = -1.0) -> NDArray[np.int64]:
    """Union-find over the pairs with similarity >= threshold.

    Returns (n,) int64: images that are tied, directly or through others, share a number; groups are
    numbered by their first image.
    """
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for copy in copies:
        if copy.similarity >= threshold:
            one, other = sorted((root(copy.a), root(copy.b)))
            parent[other] = one
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(i), len(numbers)) for i in range(n)], np.int64)


def _exact(digests: Sequence[str]) -> tuple[list[int], list[Copy]]:
    """Positions of the first image of every content, and the exact copies of each as pairs with it."""
    members: dict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(digests):
        members[digest].append(position)
    pairs = [Copy(a, b, "exact", 1.0) for group in members.values() for a, b in _with_first(group)]
    return [group[0] for group in members.values()], pairs


def _with_first(group: list[int]) -> Iterable[tuple[int, int]]:
    return ((group[0], other) for other in group[1:])
