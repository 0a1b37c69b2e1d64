"""A data set and its audit -> four parts that share no patient and no copy, the test locked; knows no network.

train fits, tune stops and searches, calibrate sets temperature and thresholds, test is measured once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hilum.data.assign import Item, assign, top_up
from hilum.data.dataset import Dataset
from hilum.data.findings import Audit
from hilum.data.locked import PARTS, LockedReader, OpenParts
from hilum.data.supplied import LEAST, POOL, Supplied, read_supplied
from hilum.errors import DataError, UsageError

CALIBRATE = 2
FRACTIONS = (0.75, 0.07, 0.09, 0.09)
NAMED = 8  # classes named in one note; of hundreds nobody reads the names
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Case numbers of each part, ascending.

    parts: train, tune, calibrate. The test is behind `open_test`.
    groups: (n,) int64, cases of one number are in one part; for clustered intervals.
    left_out: case number -> why it is in no part.
    notes: what was decided, for the user. marks: what every figure measured with this split must carry; () is best.
    """

    parts: OpenParts
    groups: NDArray[np.int64]
    left_out: dict[int, str]
    notes: tuple[str, ...]
    marks: tuple[str, ...]
    seed: int
    _test: tuple[int, ...]
    items: tuple[Item | None, ...]  # of each case: its group's key, stratum and weight; None where left out

    @property
    def sizes(self) -> dict[str, int]:
        """Cases in each part, the test too."""
        return {**{name: len(cases) for name, cases in self.parts.items()}, "test": len(self._test)}

    def open_test(self, package_digest: str) -> tuple[int, ...]:
        """Case numbers of the locked test, for the digest (64 hexadecimal digits) of the sealed package to be measured.

        Only a sealed package has a digest, so nothing can still be chosen after the test was looked at; a test of the
        project holds the training room to never calling this.

        Raises:
            DataError: no such digest is given.
        """
        if not _DIGEST.fullmatch(package_digest):
            raise DataError("the locked test opens only for the digest of a sealed package")
        return self._test

    def locked(self, dataset: Dataset) -> Dataset:
        """The same data set, except that reading a case of the test raises DataError: what training is handed."""
        closed = frozenset(dataset.cases[i].id for i in self._test)
        return replace(dataset, reader=LockedReader(dataset.reader, closed))

    def to_json(self, paths: Sequence[str]) -> dict[str, object]:
        """The split with the paths of its cases; of the test only how many there are and the SHA-256 of their list."""
        test = "\n".join(sorted(paths[i] for i in self._test))
        return {
            "seed": self.seed,
            "parts": {name: [paths[i] for i in cases] for name, cases in self.parts.items()},
            "test": {"cases": len(self._test), "sha256": hashlib.sha256(test.encode()).hexdigest()},
            "left_out": {paths[i]: reason for i, reason in self.left_out.items()},
            "notes": list(self.notes),
            "marks": list(self.marks),
        }


def make_split(
    dataset: Dataset,
    audit: Audit,
    *,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    keep: bool = False,
) -> Split:
    """Split by groups, stratified by class and source; the same whatever the order and the names of the files.

    fractions: of train, tune, calibrate and test, in that order; a part of fraction 0 stays empty.
    keep: leave a supplied split that leaks as it is, and mark every figure; by default it is made anew from its clean
    part: val and test lose the images of which a copy or the patient is in an earlier part, and where that leaves
    fewer than 19 groups of a class the whole is drawn anew.

    Raises:
        UsageError: the fractions are no four shares. DataError: nothing is left to train on.
    """
    shares = _shares(fractions)
    left_out = _left_out(audit)
    supplied = read_supplied(audit, left_out, keep=keep)
    left_out = {**left_out, **supplied.left_out}
    items = _items(audit, supplied.groups, left_out, dataset)
    parts = _draw(items, supplied, shares, seed)
    named = {name: tuple(np.flatnonzero(parts == number).tolist()) for number, name in enumerate(PARTS)}
    if not named["train"]:
        raise DataError(f"{dataset.name}: no labelled, readable image is left to train on")
    return Split(
        parts=OpenParts(named),
        groups=supplied.groups,
        left_out=dict(sorted(left_out.items())),
        notes=(*supplied.notes, *_thin(audit.labels, supplied.groups, parts)),
        marks=supplied.marks,
        seed=seed,
        _test=named["test"],
        items=items,
    )


def folds(split: Split, k: int, seed: int | None = None) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Case numbers (kept, held) of k folds over train, tune and calibrate; grouped, stratified, never of the test.

    Raises:
        UsageError: k is below 2.
    """
    if k < 2:
        raise UsageError(f"cross-validation needs 2 folds or more, not {k}")
    pool = sorted(index for cases in split.parts.values() for index in cases)
    groups = _group_items(split.items, split.groups, pool)
    drawn = assign(list(groups.values()), [1 / k] * k, split.seed if seed is None else seed)
    fold = dict(zip(groups, drawn.tolist(), strict=True))
    numbers = [fold[int(split.groups[index])] for index in pool]
    return tuple(
        (
            tuple(index for index, number in zip(pool, numbers, strict=True) if number != held),
            tuple(index for index, number in zip(pool, numbers, strict=True) if number == held),
        )
        for held in range(k)
    )


def _shares(fractions: Sequence[float]) -> tuple[float, ...]:
    if len(fractions) != len(PARTS) or min(fractions) < 0 or fractions[0] <= 0:
        raise UsageError(f"fractions must be four shares (train, tune, calibrate, test), train above 0: {fractions}")
    return tuple(float(share) / sum(fractions) for share in fractions)


def _left_out(audit: Audit) -> dict[int, str]:
    reasons = {index: f"unreadable: {reason}" for index, reason in audit.unreadable.items()}
    for group in audit.conflicts:
        for index in group:
            reasons.setdefault(index, "copies of this picture bear different labels")
    for index, label in enumerate(audit.labels):
        if label is None:
            reasons.setdefault(index, "no label")
    return reasons


def _items(
    audit: Audit, groups: NDArray[np.int64], left_out: dict[int, str], dataset: Dataset
) -> tuple[Item | None, ...]:
    """The item each case belongs to, None where it is left out; a group stands for its rarest class."""
    used = [index for index in range(len(audit.paths)) if index not in left_out]
    counts = Counter(audit.labels[index] for index in used)
    members: dict[int, list[int]] = defaultdict(list)
    for index in used:
        members[int(groups[index])].append(index)
    items: list[Item | None] = [None] * len(audit.paths)
    for cases in members.values():
        label = min((audit.labels[index] for index in cases), key=lambda name: (counts[name], name or ""))
        first = min(cases, key=lambda index: (audit.digests[index] or "", dataset.cases[index].source))
        weight = float(len({int(audit.grouping.copies[index]) for index in cases}))
        item = Item(audit.digests[first] or "", (label or "", dataset.cases[first].source), weight)
        for index in cases:
            items[index] = item
    return tuple(items)


def _draw(items: tuple[Item | None, ...], supplied: Supplied, shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """(n,) the part of each case as a number in PARTS, -1 where it is left out."""
    used = np.array([item is not None for item in items], dtype=bool)
    parts = np.where(used, supplied.fixed, -1)
    pool = np.flatnonzero(used & (supplied.fixed == POOL)).tolist()
    settled = set(supplied.fixed[used].tolist()) - {POOL}
    open_shares = [0.0 if number in settled else share for number, share in enumerate(shares)]
    groups = _group_items(items, supplied.groups, pool)
    listed = list(groups.values())
    drawn = assign(listed, open_shares, seed)
    if open_shares[CALIBRATE] > 0:
        drawn = top_up(listed, drawn, CALIBRATE, LEAST, seed)
    place = dict(zip(groups, drawn.tolist(), strict=True))
    for index in pool:
        parts[index] = place[int(supplied.groups[index])]
    return parts


def _group_items(items: Sequence[Item | None], groups: NDArray[np.int64], cases: Sequence[int]) -> dict[int, Item]:
    return {int(groups[index]): item for index in cases if (item := items[index]) is not None}


def _thin(labels: Sequence[str | None], groups: NDArray[np.int64], parts: NDArray[np.int64]) -> list[str]:
    """What is said where the calibration part is too small for sets of each class; a group may hold several."""
    used = [(label or "", group, part) for label, group, part in zip(labels, groups, parts, strict=True) if part >= 0]
    present = sorted({label for label, _, _ in used})
    held: dict[str, set[int]] = defaultdict(set)
    for label, group, part in used:
        if part == CALIBRATE:
            held[label].add(int(group))
    few = sorted((len(held[name]), name) for name in present if len(held[name]) < LEAST)
    if not few:
        return []
    classes, them = ("class", "it") if len(few) == 1 else ("classes", "them")
    said = ", ".join(f"'{name}' ({groups})" for groups, name in few[:NAMED])
    more = f" and {len(few) - NAMED} more" if len(few) > NAMED else ""
    thin = f"{classes} {said}{more}: fewer than {LEAST} groups in the calibration part"
    return [f"{thin}, so that the pooled prediction set is used for {them}"]
