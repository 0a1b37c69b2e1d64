"""Fingerprints and content hashes of a data set -> pairs of copies and the groups they make; knows no label.

How it works, what it finds and what it misses: docs/explanation/copies.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

from hilum.data.fingerprint import THRESHOLD, Fingerprints
from hilum.data.matching import Match, matches

Kind = Literal["exact", "near", "mirrored"]

LISTED = 200  # pairs that one group of exact copies, or one match between two, may add


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
    """All pairs of copies found, sorted by position; the same images give the same pairs in whatever order they come.

    digests: one content hash an image (of the file's bytes or of its pixels): equal hashes are exact copies.
    progress: called with (done, all) pairs verified.

    Of several exact copies only the first is searched for near ones; what is found holds for the others too. Where that
    makes more than LISTED pairs, only those with the first are listed; the groups they make are the same.
    """
    if len(digests) != len(fingerprints):
        raise ValueError(f"{len(digests)} digests for {len(fingerprints)} fingerprints")
    same = _same_content(digests)
    exact = [Copy(a, b, "exact", 1.0) for members in same for a, b in _listed(combinations(members, 2), members)]
    distinct = fingerprints.take(members[0] for members in same)
    found = matches(distinct.prints, None, threshold, progress)
    near = [copy for match in found for copy in _near(match, same[match.first], same[match.second])]
    return tuple(sorted([*exact, *near], key=lambda copy: (copy.a, copy.b)))


def _same_content(digests: Sequence[str]) -> list[list[int]]:
    """Positions by content, in the order of the digests: the index, and which of two is laid on which, go by it."""
    members: dict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(digests):
        members[digest].append(position)
    return [members[digest] for digest in sorted(members)]


def _near(match: Match, ones: list[int], others: list[int]) -> Iterator[Copy]:
    """The pairs that one match stands for; a turn is undone where the pair changes places."""
    kind: Kind = "mirrored" if match.mirrored else "near"
    few = len(ones) * len(others) <= LISTED
    for one, other in product(ones, others) if few else ((ones[0], others[0]),):
        turns = match.quarter_turns if one < other or match.mirrored else -match.quarter_turns % 4
        yield Copy(min(one, other), max(one, other), kind, match.similarity, turns)


def _listed(pairs: Iterable[tuple[int, int]], members: list[int]) -> Iterable[tuple[int, int]]:
    few = len(members) * (len(members) - 1) // 2 <= LISTED
    return pairs if few else ((members[0], other) for other in members[1:])
