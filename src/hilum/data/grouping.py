"""Copy pairs, patients and look-alikes -> which cases must stay together; knows no file and no pixel."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHAIN_SHARE = 0.2  # no single group may hold more than this share of a class ...
CHAIN_FLOOR = 20  # ... unless it is smaller than this many images
STEPS = (0.92, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)  # similarities tried in turn, the rest is given up


@dataclass(frozen=True, slots=True)
class Link:
    """Two cases (indices) that look alike, with their similarity in [0, 1]; `firm` links are never given up."""

    a: int
    b: int
    similarity: float
    firm: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Grouping:
    """Which cases belong together; every array is (n,) int64, one group number per case, from 0 and without gaps.

    copies: copies of one picture share a number.
    bound: copies, and whatever comes of one patient or one study.
    together: `bound`, and the likely neighbours within one volume.
    notes: what was tightened, and why, in plain words.
    """

    copies: NDArray[np.int64]
    bound: NDArray[np.int64]
    together: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def connect(count: int, links: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Group numbers (count,) of the connected parts of a graph; numbered by their first member."""
    first, second = np.asarray(links, dtype=np.int64).reshape(-1, 2).T
    lowest = np.arange(count)
    while True:  # every root is hung below the lowest root it is linked to, until no link joins two
        one, other = lowest[first], lowest[second]
        if np.array_equal(one, other):
            return renumber(lowest)
        np.minimum.at(lowest, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(lowest, lowest[lowest]):
            lowest = lowest[lowest]


def renumber(numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """The same groups numbered 0, 1, ... in the order of their first member."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank: NDArray[np.int64] = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def groups_of_many(groups: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    """The members of each group of two or more, largest group first, then by first member."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    members = [tuple(part.tolist()) for part in np.split(order, starts[1:]) if len(part) > 1]
    return tuple(sorted(members, key=lambda group: (-len(group), group)))


def same_value_links(values: Sequence[Hashable | None]) -> list[tuple[int, int]]:
    """A link from each case to the first one with the same value; None links to nothing."""
    first: dict[Hashable, int] = {}
    return [
        (first[value], index)
        for index, value in enumerate(values)
        if value is not None and first.setdefault(value, index) != index
    ]


def group_cases(
    labels: Sequence[str | None],
    owners: Sequence[Sequence[Hashable | None]],
    copies: Sequence[Link],
    neighbours: Sequence[Link],
) -> Grouping:
    """Group the cases by copies, then by owners (patients, studies), then by likely neighbours.

    labels: class of each case. owners: one sequence per kind of owner, each as long as `labels`.
    Where the copies or the neighbours chain more than a fifth of a class into one group, their similarity
    threshold is raised step by step until they do not; firm links (exact copies) always stay.
    """
    count = len(labels)
    pairs, copy_notes = _tightened("copies", labels, copies, [])
    owned = [link for values in owners for link in same_value_links(values)]
    bound = connect(count, pairs + owned)
    notes = list(copy_notes)
    if by_owner := _chained(labels, connect(count, owned)):
        notes.append(f"the rule for patients puts {by_owner} into one group: check the patient patterns")
    elif (chained := _chained(labels, bound)) and not _chained(labels, connect(count, pairs)):
        notes.append(f"copies tie patients together, {chained} into one group: look whether they are the same people")
    near, near_notes = _tightened("neighbours in a volume", labels, neighbours, pairs + owned)
    together = connect(count, pairs + owned + near)
    return Grouping(connect(count, pairs), bound, together, (*notes, *near_notes))


def _tightened(
    what: str, labels: Sequence[str | None], links: Sequence[Link], base: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[str]]:
    chosen = [(link.a, link.b) for link in links]
    before = connect(len(labels), base)
    chained = _chained(labels, connect(len(labels), base + chosen), before) if links else ""
    if not chained:
        return chosen, []
    for step in STEPS:
        kept = [(link.a, link.b) for link in links if link.firm or link.similarity > step]
        if not _chained(labels, connect(len(labels), base + kept), before):
            words = (
                f"{what}: linked at any similarity they chained {chained} into one group, "
                f"so only links above {step} bind ({len(kept)} of {len(links)} are left)"
            )
            return kept, [words]
    firm = [(link.a, link.b) for link in links if link.firm]
    return firm, [f"{what}: they chained {chained} into one group at every threshold, so only exact ones bind"]


def _chained(labels: Sequence[str | None], groups: NDArray[np.int64], before: NDArray[np.int64] | None = None) -> str:
    """The worst class of which one group holds too much, in words; "" where there is none.

    before: what holds them together in any case; a class that is chained by that alone is passed over.
    """
    worst, words = 0.0, ""
    marks = np.asarray([label or "" for label in labels], dtype=object)
    for label in sorted({label for label in labels if label is not None}):
        largest, share = _largest(groups[marks == label])
        if largest and share > worst and not (before is not None and _largest(before[marks == label])[0]):
            worst, words = share, f"{share:.0%} of class '{label}'"
    return words


def _largest(groups: NDArray[np.int64]) -> tuple[bool, float]:
    """Whether one of these groups of a class holds too much of it, and the share of the largest."""
    sizes = np.bincount(groups)
    share = float(sizes.max() / sizes.sum())
    return bool(sizes.max() > CHAIN_FLOOR and share > CHAIN_SHARE), share
